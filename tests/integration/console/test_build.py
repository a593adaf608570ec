"""What is built of console/: types, size, and only the files that the gateway serves."""

import gzip
import json
from pathlib import Path

import pytest

from qrumb_server.config import CONSOLE_FILES
from tests.support.javascript import ROOT, npm
from tests.support.stack import Stack, running_stack, wait_until

MAX_GZIP_BYTES = 90_000


@pytest.mark.parametrize("script", ["types", "test"])
def test_its_own_tests_pass(package: Path, script: str) -> None:
    """Its types, and its parts without a page."""
    done = npm(package, "run", "--silent", script)
    assert done.returncode == 0, done.stdout


def test_it_is_small_and_complete(package: Path) -> None:
    files = {path.name: path.read_bytes() for path in (package / "dist").iterdir()}
    assert set(files) == set(CONSOLE_FILES.values())
    assert sum(len(gzip.compress(contents)) for contents in files.values()) < MAX_GZIP_BYTES


@pytest.mark.stack
def test_its_files_come_with_a_policy(node: Stack) -> None:
    """Those that the page loads, and nothing else of the folder or above it."""
    with node.http() as client:
        for name in ("", "console.js", "console.css", "icon.svg", "licences.txt"):
            answer = client.get(f"/console/{name}")
            assert answer.status_code == 200
            assert "default-src 'none'; script-src 'self'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert client.post(f"/console/{name}").status_code == 405
        assert client.get("/console/node.json").json() == {"collect_path": "/e"}
        assert client.get("/console").headers["location"].endswith("/console/")
        for path in ("/console/index.html", "/console/.ready", "/console/%2e%2e/sites.toml", "/console/console.js/"):
            assert client.get(path).status_code == 404
    assert f"console: {node.url}/console/" in node.log()


@pytest.mark.stack
def test_it_can_be_switched_off(package: Path, tmp_path: Path) -> None:
    """The paths are those of no page, and the start names none."""
    settings = {"QRUMB_CONSOLE": "false", "QRUMB_CONSOLE_DIR": str(package / "dist"), "QRUMB_WORKERS": "1"}
    with running_stack(tmp_path / "data", **settings) as stack, stack.http() as client:
        for name in ("", "console.js", "node.json"):
            assert client.get(f"/console/{name}").status_code == 404
        wait_until(lambda: client.get("/healthz").json()["condition"] == "READY")
        assert "/console/" not in stack.log()


def test_it_is_built_by_the_esbuild_of_the_tag() -> None:
    console, tag = (json.loads((ROOT / name / "package.json").read_text()) for name in ("console", "clients/browser"))
    assert console["dependencies"]["esbuild"] == tag["devDependencies"]["esbuild"]
