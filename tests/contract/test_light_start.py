"""What a process imports is most of the time that it takes to start: so each imports what it needs, and no more."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "module", "spared"),
    [
        pytest.param("", "sys", {"asyncio", "grpc", "pydantic", "structlog"}, id="any command"),
        pytest.param("serve", "sys", {"clickhouse_driver", "httpx", "maxminddb", "rich", "ua_parser"}, id="supervisor"),
        pytest.param("worker", "qrumb_server.app.collector", {"clickhouse_driver", "rich", "tenacity"}, id="worker"),
        pytest.param("loader", "qrumb_server.app.loader", {"numpy", "pyarrow", "rich"}, id="loader"),
        pytest.param("query", "sys", {"clickhouse_driver", "maxminddb", "rich", "ua_parser"}, id="query"),
        pytest.param("counts", "sys", {"clickhouse_driver", "httpx", "rich", "ua_parser"}, id="counts"),
    ],
)
def test_a_process_imports_what_it_needs(command: str, module: str, spared: set[str]) -> None:
    """Each of these packages costs every start of that process a twentieth of a second or more."""
    code = (
        "import importlib, json, sys; from qrumb_server.cli import cli; "
        f"cli.get_command(None, {command!r}); importlib.import_module({module!r}); "
        "print(json.dumps(sorted(name for name, found in sys.modules.items() if found)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert spared & set(json.loads(done.stdout)) == set()
