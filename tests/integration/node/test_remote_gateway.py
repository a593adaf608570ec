"""A gateway on a machine of its own before a node: both prove who they are, and the node believes what it says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support import stack as stacks
from tests.support.certificates import Authority
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.stack

PAGE = "https://shop.example/landing"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)
SCAN = {"site_id": "shop", "scan_session_id": "far", "qr_code_id": "poster", "user_agent": SAFARI}
LANDING = {"site_id": "shop", "event_type": "pageview", "scan_session_id": "far"}


@pytest.fixture(autouse=True)
def grpcs_is_ready_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacks, "READY", re.compile(r"^ready: (https?://\S+) grpcs?://(\S+)$", re.MULTILINE))


@contextmanager
def remote_gateway(stack: Stack, folder: Path, **settings: str) -> Iterator[httpx.Client]:
    """What `qrumb gateway-config` says, done."""
    port = claimed_port()
    made = subprocess.run(
        [sys.executable, "-m", "qrumb_server", "gateway-config", folder],
        env={**stack.environment(), "HTTP_PORT": str(port), **settings},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )
    assert made.returncode == 0, made.stderr
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        gateway = subprocess.Popen(["sh", "-c", made.stdout], stdout=log, stderr=log)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=patient(10), verify=NO_TLS) as client:

            def is_up() -> bool:
                assert gateway.poll() is None, Path(log.name).read_text()
                try:
                    return bool(client.get("/healthz"))
                except httpx.TransportError:
                    return False

            wait_until(is_up)
            yield client
    finally:
        gateway.terminate()
        gateway.wait(patient(10))


def test_a_gateway_before_no_node_is_refused(tmp_path: Path) -> None:
    done = Stack(tmp_path / "data").command("gateway-config", str(tmp_path / "gateway"))
    assert (done.returncode, done.stdout) == (78, "")
    assert "gateway.upstream names no node" in done.stderr
    assert not (tmp_path / "gateway").exists()


def test_a_gateway_of_its_own_reaches_the_node_over_mutual_tls(tmp_path: Path) -> None:
    """JSON, scans, queries, health; one without a certificate that the node knows reaches nothing, and another's is not
    believed."""
    authority = Authority(tmp_path)
    node = authority.issue("node", "node.example")
    settings = {
        "QRUMB_RPC__TLS__CERTIFICATE_FILE": str(node.certificate),
        "QRUMB_RPC__TLS__KEY_FILE": str(node.key),
        "QRUMB_RPC__TLS__CLIENT_CA_FILE": str(authority.certificate),
        "QRUMB_RPC__TLS__GATEWAY_NAMES": '["gateway.example"]',
        "QRUMB_WORKERS": "1",
    }
    with running_stack(tmp_path / "data", **settings) as stack:

        def as_gateway(issuer: Authority, name: str) -> dict[str, str]:
            files = issuer.issue(name, name)
            return {
                "QRUMB_GATEWAY__UPSTREAM": f'["{stack.grpc_target}"]',
                "QRUMB_GATEWAY__UPSTREAM_TLS__CERTIFICATE_FILE": str(files.certificate),
                "QRUMB_GATEWAY__UPSTREAM_TLS__KEY_FILE": str(files.key),
                "QRUMB_GATEWAY__UPSTREAM_TLS__CA_FILE": str(authority.certificate),
                "QRUMB_GATEWAY__UPSTREAM_TLS__SERVER_NAME": "node.example",
            }

        # The page of a pixel is the request's Referer, if the gateway that says so is believed.
        pixel = "/collect.gif?site_id=demo&event_type="
        with remote_gateway(stack, tmp_path / "one", **as_gateway(authority, "gateway.example")) as client:
            wait_until(lambda: client.get("/healthz").json().get("condition") == "READY")
            assert client.get(f"{pixel}known", headers={"referer": PAGE}).status_code == 200
            assert client.get("/v1/sites/demo/ledger").status_code == 200
            assert client.post("/v1/sites/demo/replay-rejected-events", json={}).json()["accepted_count"] == "0"
            misspelt = client.post("/v1/sites/demo/replay-rejected-events", json={"validate_onyl": True})
            assert (misspelt.status_code, "`validate_only`" in misspelt.text) == (400, True)
            assert client.post("/scan-sessions", json=SCAN).status_code == 200
            assert client.post("/collect", json=LANDING, headers={"user-agent": SAFARI}).status_code == 200
            stack.wait_for_empty_spool()
            assert client.get("/v1/sites/shop/scan-sessions/far").json()["verdict"]["device_type"] == "mobile"
            [funnel] = client.get("/v1/sites/shop/funnel").json()["funnels"]
            assert (funnel["confirmed_scan_count"], funnel["visit_count"]) == ("1", "1")
        with remote_gateway(stack, tmp_path / "two", **as_gateway(authority, "backend.example")) as client:
            wait_until(lambda: client.get("/healthz").json().get("condition") == "READY")
            client.get(f"{pixel}unknown", headers={"referer": PAGE})
        with remote_gateway(stack, tmp_path / "three", **as_gateway(Authority(tmp_path), "gateway.example")) as client:
            assert client.post("/collect", json={"site_id": "demo", "event_type": "none"}).status_code == 503
        stack.wait_for_rows(1, f"event_type = 'known' AND page_url = '{PAGE}'")
        assert stack.count(f"page_url = '{PAGE}'") == 1
        assert stack.count("event_type = 'none'") == 0
        with stack.http() as own:
            assert own.post("/collect", json={"site_id": "demo", "event_type": "click"}).status_code == 200
