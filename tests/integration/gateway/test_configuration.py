"""The rendered configuration is one that Envoy takes, and a start that cannot work says why."""

import dataclasses
import socket
import stat
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.supervise.gateway import GatewayOptions, command, render
from tests.support.envoy_process import Gateway, gateway_options

pytestmark = pytest.mark.envoy


def run_envoy(folder: Path, options: GatewayOptions, *arguments: str) -> subprocess.CompletedProcess[str]:
    config = folder / "envoy.yaml"
    config.write_text(render(options))
    line = [*command(config, concurrency=1), *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    "options",
    [
        gateway_options(8080),
        gateway_options(8080, worker_count=64),
        dataclasses.replace(gateway_options(8080), host="::", trusted_hops=2),
        dataclasses.replace(gateway_options(8080), query_timeout=timedelta(milliseconds=1500), access_log=False),
        dataclasses.replace(gateway_options(8080), query_socket='odd "name": {$x} # \\.sock'),
        dataclasses.replace(
            gateway_options(8080), allowed_origins=tuple(rf"https://site-{n}\.example" for n in range(200))
        ),
    ],
    ids=["defaults", "64 workers", "IPv6 behind proxies", "fractions of seconds", "odd socket name", "200 origins"],
)
def test_envoy_takes_the_rendered_configuration(tmp_path: Path, options: GatewayOptions) -> None:
    result = run_envoy(tmp_path, options, "--mode", "validate")
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr.lower()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        result = run_envoy(tmp_path, gateway_options(port))
    assert result.returncode == 1
    assert f"cannot bind '127.0.0.1:{port}': Address already in use" in result.stderr


async def test_admin_is_reachable_by_its_owner_only(gateway: Gateway) -> None:
    mode = (gateway.folder / "admin.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    for path in ("/stats", "/config_dump", "/quitquitquit"):
        assert (await gateway.http.get(path)).status_code == 404


async def test_a_quiet_start_has_nothing_to_complain_about(gateway: Gateway) -> None:
    await gateway.http.post("/collect", json={})
    assert gateway.errors() == ""
