"""The rendered configuration is one that Envoy takes, and a start that cannot work says why."""

import dataclasses
import socket
import stat
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from trustme import CA

from qrumb_server.config import GatewaySettings, TracesSettings
from qrumb_server.gateway.options import GatewayOptions, Limits, UpstreamTlsOptions
from qrumb_server.gateway.process import command
from qrumb_server.gateway.render import render
from qrumb_server.gateway.tls import UPSTREAM_SECRET_NAME
from tests.support.certificates import Authority
from tests.support.envoy_process import Gateway, gateway_options, tell_workers, write_secret
from tests.support.patience import patient

pytestmark = pytest.mark.envoy


def run_envoy(folder: Path, options: GatewayOptions, *arguments: str) -> subprocess.CompletedProcess[str]:
    if options.tls_secret_file:
        write_secret(folder / options.tls_secret_file, Authority(folder).issue("gateway"))
    if options.upstream_tls is not None:
        files = Authority(folder).issue("upstream")
        write_secret(folder / options.upstream_tls.secret_file, files, UPSTREAM_SECRET_NAME)
    tell_workers(folder / options.workers_file, [True])
    config = folder / "envoy.yaml"
    config.write_text(render(options))
    line = [*command(config, concurrency=1), *arguments]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=patient(30), check=False)


# Of the settings: what concerns the process, its certificate, or a gateway on a machine of its own.
NOT_RENDERED = {"enabled", "tls", "concurrency", "upstream", "upstream_tls"}
VARIATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "IPv6 behind proxies": {"host": "::", "trusted_hops": 2},
    "fractions of seconds": {"query_timeout": timedelta(milliseconds=1500), "access_log": False},
    "odd socket name": {"query_socket": 'odd "name": {$x} # \\.sock'},
    "200 origins": {"allowed_origins": tuple(rf"https://site-{n}\.example" for n in range(200))},
    "16 long paths": {"collect_paths": tuple(f"/{'long-path-' * 6}{n}" for n in range(16))},
    "TLS": {"tls_secret_file": "tls.json"},
    "of its own machine": {"collector_addresses": ("node-1.example:9090", "[::1]:9090", "10.0.0.1:9090")},
    "of its own machine, over TLS": {
        "collector_addresses": ("node-1.example:9090",),
        "upstream_tls": UpstreamTlsOptions(
            secret_file="upstream.json", authorities=CA().cert_pem.bytes().decode(), server_name="node.example"
        ),
    },
    "traces": {"traces": TracesSettings(endpoint="http://otel-collector.example:4317", sample_ratio=0.5)},
    "traces over HTTP/3": {
        "traces": TracesSettings(endpoint="http://[::1]:4317/"),
        "tls_secret_file": "tls.json",
        "http3": True,
    },
    "HTTP/3": {"tls_secret_file": "tls.json", "http3": True, "host": "::"},
}


@pytest.mark.parametrize("changes", VARIATIONS.values(), ids=VARIATIONS)
def test_envoy_takes_the_rendered_configuration(tmp_path: Path, changes: dict[str, Any]) -> None:
    result = run_envoy(tmp_path, gateway_options(8080, **changes), "--mode", "validate")
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr.lower()


def test_every_setting_and_limit_changes_the_configuration() -> None:
    """One that is stated and reaches nothing would be a promise that Envoy does not keep."""
    options = gateway_options(8080, tls_secret_file="tls.json", http3=True)
    rendered = render(options)
    for name, value in options.settings:
        if name not in NOT_RENDERED:
            other = options.settings.model_copy(update={name: another(value)})
            assert render(dataclasses.replace(options, settings=other)) != rendered, name
    for limit in dataclasses.fields(Limits):
        other_limits = dataclasses.replace(options.limits, **{limit.name: another(limit.default)})
        assert render(dataclasses.replace(options, limits=other_limits)) != rendered, limit.name
    assert not {limit.name for limit in dataclasses.fields(Limits)} & set(GatewaySettings.model_fields)


def test_without_an_endpoint_nothing_of_traces_is_rendered() -> None:
    """So that no request pays for what is off."""
    rendered = render(gateway_options(8080))
    assert "TRACE_ID" not in rendered
    assert "opentelemetry" not in rendered


def another(value: Any) -> Any:
    """A value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return ("/another",)
    return value * 2 or 1


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


async def test_no_console_leaves_no_routes(gateway: Gateway) -> None:
    """Where it is off, or was not built."""
    for path in ("/console", "/console/", "/console/console.js"):
        assert (await gateway.http.get(path)).status_code == 404


async def test_a_quiet_start_has_nothing_to_complain_about(gateway: Gateway) -> None:
    await gateway.http.post("/collect", json={})
    assert gateway.errors() == ""
