"""What a process imports is most of the time that it takes to start: so each imports what it needs, and no more."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        pytest.param("qrumb_server.cli", {"asyncio", "grpc", "pydantic", "structlog"}, id="any command"),
        pytest.param("qrumb_server.commands.serve", {"clickhouse_driver", "maxminddb", "ua_parser"}, id="supervisor"),
        pytest.param("qrumb_server.app.collector", {"clickhouse_driver", "tenacity"}, id="worker"),
        pytest.param("qrumb_server.commands.store", {"clickhouse_driver", "maxminddb", "ua_parser"}, id="query"),
    ],
)
def test_a_process_imports_what_it_needs(module: str, spared: set[str]) -> None:
    """Each of these packages costs every start of that process a twentieth of a second or more."""
    code = f"import json, sys, {module}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert spared & set(json.loads(done.stdout)) == set()
