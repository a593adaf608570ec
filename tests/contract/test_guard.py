"""The guard of tests/support/guard.py can fail: this file's tests carry no marker, so they may touch nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from qrumb_server.store.engine import EngineSession
from tests.support.tied import TIED


@pytest.mark.parametrize(
    ("marker", "command"),
    [
        ("envoy", ["/nowhere/envoy", "--version"]),
        ("clickhouse_server", ["clickhouse", "server"]),
        ("clickhouse_server", ["/usr/bin/clickhouse-server"]),
        ("stack", [sys.executable, "-m", "qrumb_server", "serve"]),
        ("stack", [sys.executable, "-m", "qrumb_server", "worker", "0"]),
        ("stack", [*TIED, sys.executable, "-m", "qrumb_server", "loader", "settings"]),
    ],
    ids=["gateway", "server", "Debian's server", "node", "worker", "tied loader"],
)
def test_a_process_needs_its_marker(marker: str, command: list[str]) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"needs @pytest.mark.{marker}"):
        subprocess.run(command, check=False)


def test_the_embedded_database_needs_its_marker(tmp_path: Path) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"needs @pytest\.mark\.chdb"):
        EngineSession(tmp_path, {})
    assert "chdb" not in sys.modules or list(tmp_path.iterdir()) == []


def test_other_programs_need_none() -> None:
    done = subprocess.run([sys.executable, "-m", "qrumb_server", "--help"], capture_output=True, check=False)
    assert done.returncode == 0
