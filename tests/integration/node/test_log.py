"""A node's standard error is one JSON object per line, whatever its processes are made of and callers do."""

import json
import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from qrumb_server.gateway.process import command
from tests.support.certificates import Authority
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.ports import claimed_ports
from tests.support.stack import wait_until
from tests.support.tied import TIED


@pytest.mark.envoy
def test_envoy_says_what_it_says_as_json(tmp_path: Path) -> None:
    """Quotes and line breaks included."""
    config = tmp_path / "envoy.yaml"
    config.write_text('admin: {address: {pipe: {path: "/nowhere/\\"a\\".sock"}}}')
    done = subprocess.run(
        command(config, concurrency=1), capture_output=True, text=True, check=False, timeout=patient(60), cwd=tmp_path
    )
    assert done.returncode != 0
    said = json.loads(done.stderr.splitlines()[0])
    assert said["level"] == "critical"
    assert '/nowhere/"a".sock' in said["event"]
    assert set(said) == {"event", "logger", "level", "timestamp", "process"}


BIND = """
import asyncio, contextlib, sys
from qrumb_server.cli import main
sys.argv = ["qrumb", "--version"]
with contextlib.suppress(SystemExit):
    main()
import grpc

async def bind():
    with contextlib.suppress(RuntimeError):
        grpc.aio.server().add_insecure_port("192.0.2.1:80")

asyncio.run(bind())
"""


@pytest.mark.parametrize(("asked", "says"), [(None, False), ("error", True)], ids=["usually", "asked"])
def test_grpc_writes_nothing_beside_what_it_raises(asked: str | None, says: bool) -> None:
    """Unless it is asked to; a port that cannot be taken is what it complains of."""
    clean = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    own = clean if asked is None else {**clean, "GRPC_VERBOSITY": asked}
    done = subprocess.run(
        [sys.executable, "-c", BIND], capture_output=True, text=True, check=False, timeout=patient(60), env=own
    )
    assert done.returncode == 0, done.stderr
    assert ("192.0.2.1" in done.stderr) is says, done.stderr


@pytest.mark.stack
def test_no_plain_line_gets_between(tmp_path: Path) -> None:
    """From the start to the stop, with a worker killed and callers that speak no TLS, or no gRPC."""
    files = Authority(tmp_path).issue("own")
    http, grpc = claimed_ports(2)
    environment = {
        "HTTP_PORT": str(http),
        "GRPC_PORT": str(grpc),
        "METRICS_PORT": "0",
        "GEOIP_CITY_DB": "",
        "DATA_DIR": str(tmp_path / "data"),
        "QRUMB_WORKERS": "1",
        "QRUMB_RPC__TLS__CERTIFICATE_FILE": str(files.certificate),
        "QRUMB_RPC__TLS__KEY_FILE": str(files.key),
    }
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        node = subprocess.Popen(
            [*TIED, sys.executable, "-m", "qrumb_server", "serve"],
            stdout=out,
            stderr=err,
            env={**os.environ, **environment},
            cwd=tmp_path,
        )
        try:
            wait_until(lambda: "\nready: " in (tmp_path / "out").read_text(), 60)
            for text in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05nonsense"):
                for port in (http, grpc):
                    with socket.create_connection(("127.0.0.1", port)) as caller:
                        caller.sendall(text)
            stranger = ssl.create_default_context()
            with pytest.raises(ssl.SSLError), socket.create_connection(("127.0.0.1", grpc)) as caller:
                stranger.wrap_socket(caller, server_hostname="localhost")
            wait_until(
                lambda: (
                    httpx.get(f"http://127.0.0.1:{http}/healthz", timeout=patient(20), verify=NO_TLS).status_code == 200
                )
            )
        finally:
            node.terminate()
            node.wait(patient(60))
    lines = (tmp_path / "err").read_text().splitlines()
    plain = []
    for line in lines:
        try:
            json.loads(line)
        except ValueError:
            plain.append(line)
    assert plain == []
