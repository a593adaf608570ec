"""DESIGN.md's structure: imports point inward; settings, send and serve alone read the environment."""

import ast
from pathlib import Path

import pytest

SERVER = Path(__file__).resolve().parent.parent.parent / "server" / "qrumb_server"
CORE = {"model", "errors", "imports", "instants", "metrics", "ports", "reasons", "qrumb_server", "wire", "words"}
# What each part may import of the others. Everything may import the core.
ALLOWED = {
    "model": set(),
    "wire": set(),
    "errors": set(),
    "imports": set(),
    "instants": set(),
    "words": set(),
    "metrics": set(),
    "ports": set(),
    "reasons": set(),
    "access": set(),
    "config": {"access"},
    "pipeline": {"enrich"},
    "reading": {"pipeline"},
    "enrich": set(),
    "spool": set(),
    "store": set(),
    "traces": {"loader", "rpc", "spool"},
    "watch": {"loader", "query"},
    "upkeep": {"access", "loader", "pipeline", "query", "reading", "rpc", "spool", "watch"},
    "loader": {"pipeline", "spool"},
    "query": {"enrich", "loader", "pipeline", "rpc", "spool"},
    "rpc": {"access", "pipeline", "reading"},
    "gateway": {"config"},
    "micro": {"gateway", "pipeline", "rpc"},
    "supervise": {"config", "enrich", "gateway", "rpc", "spool"},
    "app": {
        "access",
        "config",
        "enrich",
        "gateway",
        "loader",
        "micro",
        "pipeline",
        "query",
        "rpc",
        "spool",
        "store",
        "supervise",
        "traces",
        "upkeep",
        "watch",
    },
    "commands": {"access", "app", "config", "enrich", "gateway", "supervise"},
    "cli": {"commands"},
    "__main__": {"cli"},
    "__init__": set(),
}
MODULES = sorted(path for path in SERVER.rglob("*.py") if "_pb2" not in path.name)


def imported_parts(path: Path) -> set[str]:
    """Parts of the server that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "qrumb_server":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SERVER)))
def test_imports_point_inward(path: Path) -> None:
    """Edges import ports, model and errors; only the commands import app."""
    part = path.relative_to(SERVER).parts[0].removesuffix(".py")
    extra = imported_parts(path) - ALLOWED[part] - CORE - {part, "__version__"}
    assert not extra, f"{path.relative_to(SERVER)} must not import {sorted(extra)}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SERVER)))
def test_only_settings_and_send_read_the_environment(path: Path) -> None:
    """Settings reach every other module as arguments.

    send reads QRUMB_KEY, serve where its service manager listens; cli says that gRPC is to be silent.
    """
    name = str(path.relative_to(SERVER))
    text = path.read_text(encoding="utf-8")
    # child.py hands the environment on to its process, unread.
    if name not in {"cli.py", "commands/send.py", "commands/serve.py", "config/settings.py", "supervise/child.py"}:
        assert "os.environ" not in text
        assert "getenv" not in text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SERVER)))
def test_only_the_composition_root_reads_the_wall_clock(path: Path) -> None:
    """Time is injected, so that tests can set it."""
    if str(path.relative_to(SERVER)) != "app/clock.py":
        text = path.read_text(encoding="utf-8")
        assert "time.time(" not in text
        assert "time.time_ns(" not in text
        assert "datetime.now(" not in text
