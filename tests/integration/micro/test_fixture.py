"""The fixture `qrumb_node` as another project uses it, and the process behind it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from qrumb import Client, server_event
from qrumb.testing import Node, running_node
from qrumb.v1.query_service_pb2 import GetReceiptRequest
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS

pytestmark = pytest.mark.stack

PAGEVIEW = {
    "site_id": "demo", "event_type": "pageview", "page_url": "https://shop.example/", "scan_session_id": "s-1",
    "metadata": {"sku": "A1"},
}  # fmt: skip
WITHIN = patient(10)


@pytest.fixture(scope="module")
def process() -> Iterator[Node]:
    with running_node() as node:
        yield node


@pytest.fixture
def node(process: Node) -> Node:
    process.reset()
    return process


def collect(node: Node, **fields: object) -> None:
    httpx.post(f"{node.url}/collect", json=PAGEVIEW | fields, timeout=patient(20), verify=NO_TLS)


def test_events_of_both_transports_are_there_with_what_takes_a_look_up(node: Node) -> None:
    """JSON and gRPC, a session, its QR code, the ledger and the funnel: of the clients' own calls."""
    with Client(node.grpc_url) as client:
        client.register_scan_session(site_id="demo", scan_session_id="s-1", qr_code_id="poster-7")
        collect(node)
        event = server_event(site_id="demo", scan_session_id="s-1", event_name="purchase", amount=49.9, currency="EUR")
        sent = client.collect(event)
    node.expect(event_type="pageview", metadata__sku="A1", qr_code_id="poster-7", within=WITHIN)
    [stored] = node.expect(source="server", conversion_value=49.9, qr_code_id="poster-7", count=1, within=WITHIN)
    assert stored["event_id"] == sent.event_id
    node.no_rejected()
    node.ledger_balances(within=WITHIN)
    funnel = node.funnel("poster-7", within=WITHIN)
    assert funnel.conversion_count == 1
    assert funnel.scan_count >= 1
    assert repr(funnel.conversion_count) == "1"
    # A question over gRPC finds it too, without a pause.
    with grpc.insecure_channel(node.grpc_url.removeprefix("grpc://")) as channel:
        receipt = QueryServiceStub(channel).GetReceipt(
            GetReceiptRequest(site_id="demo", event_id=sent.event_id), timeout=patient(20)
        )
    assert receipt.row.qr_code_id == "poster-7"


def test_a_misspelt_dry_run_erases_nothing(node: Node) -> None:
    """As at the gateway; what fits is answered."""
    path = f"{node.url}/v1/sites/demo/erase-subject"
    misspelt = httpx.post(path, json={"user_id": "bob", "validate_onyl": True}, timeout=patient(20), verify=NO_TLS)
    dry = httpx.post(
        path, params={"validate_only": "true"}, json={"user_id": "bob"}, timeout=patient(20), verify=NO_TLS
    )
    assert (misspelt.status_code, "did you mean `validate_only`?" in misspelt.text) == (400, True)
    assert (dry.status_code, dry.json()["validate_only"]) == (200, True)


def test_failures_show_verdicts_and_the_nearest_events(node: Node) -> None:
    collect(node)
    collect(node, event_type="", metadata={"sku": "B2"})
    with pytest.raises(AssertionError) as missing:
        node.expect(event_type="pageview", metadata__sku="A2", within=0.05)
    text = str(missing.value)
    assert "no event with event_type='pageview', metadata.sku='A2', outcome='ACCEPTED' within 0.05 s; 2 seen" in text
    assert text.index("metadata.sku is 'A1', expected 'A2'") < text.index("event_type: REQUIRED: is required")
    with pytest.raises(AssertionError, match=r"1 of the events were rejected\n.*event_type: REQUIRED"):
        node.no_rejected()
    node.expect(reason="REQUIRED", metadata__sku="B2", within=WITHIN)
    with pytest.raises(TypeError, match='no field "event_typo"; did you mean "event_type"'):
        node.expect(event_typo="pageview")
    with pytest.raises(AssertionError, match="2 events in place of 1"):
        collect(node)
        node.expect(event_type="pageview", count=1, within=0.05)


def test_a_reset_leaves_nothing_behind(node: Node) -> None:
    """Neither rows, nor what the loader remembers: the same event again is not a duplicate."""
    event = PAGEVIEW | {"event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e4f"}
    for _ in range(2):
        node.reset()
        assert node.events() == []
        httpx.post(f"{node.url}/collect", json=event, timeout=patient(20), verify=NO_TLS)
        [first] = node.expect(is_duplicate=False, within=WITHIN)
        assert first["fields"]["qr_code_id"] == ""
        httpx.post(f"{node.url}/collect", json=event, timeout=patient(20), verify=NO_TLS)
        node.expect(is_duplicate=True, count=1, within=WITHIN)
        with Client(node.grpc_url) as client:
            client.register_scan_session(site_id="demo", scan_session_id="s-1", qr_code_id="poster-7")


ANOTHER_PROJECT = """
import json, urllib.request

def send(url, **fields):
    event = {"site_id": "demo", "event_type": "pageview", "page_url": "https://shop.example/", **fields}
    request = urllib.request.Request(
        url + "/collect", json.dumps(event).encode(), {"content-type": "application/json"}
    )
    urllib.request.urlopen(request).close()

def test_good(qrumb_node):
    send(qrumb_node.url, metadata={"sku": "A1"})
    qrumb_node.expect(event_type="pageview", metadata__sku="A1", within=20)
    qrumb_node.no_rejected()

def test_each_begins_anew(qrumb_node):
    assert qrumb_node.events() == []

def test_missing(qrumb_node):
    send(qrumb_node.url)
    qrumb_node.expect(event_type="click", within=0.05)
"""


def test_another_project_uses_the_fixture(tmp_path: Path) -> None:
    """By the plugin's name, as pytest loads it from the installed package."""
    (tmp_path / "test_shop.py").write_text(ANOTHER_PROJECT)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    arguments = ["-p", "qrumb.testing.plugin", "-p", "no:randomly", "-p", "no:schemathesis", "-q", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=patient(60), check=False,
    )  # fmt: skip
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "event_type is 'pageview', expected 'click'" in done.stdout


PARENT = """
import time
from qrumb.testing import running_node
with running_node() as node:
    print(node.url, flush=True)
    time.sleep(600)
"""


def test_the_process_ends_with_its_parent(tmp_path: Path) -> None:
    """A test run that is killed leaves no process and no folder."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().strip()
        assert httpx.get(f"{url}/healthz", timeout=patient(20), verify=NO_TLS).json()["condition"] == "READY"
        os.kill(parent.pid, signal.SIGKILL)
    for _ in range(int(patient(200))):
        try:
            httpx.get(f"{url}/healthz", timeout=0.1, verify=NO_TLS)
        except httpx.HTTPError:
            break
    else:
        pytest.fail("it still answers")


def test_no_parent_can_be_known_by_a_device() -> None:
    """Said before anything starts."""
    words = [sys.executable, "-m", "qrumb_server", "micro", "--tied"]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=patient(60), check=False
    )
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("qrumb: --tied needs a pipe as standard input")


def test_keys_count_where_there_is_a_sites_file(tmp_path: Path) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text('[demo]\norigins = ["https://shop.example"]\n')
    with running_node(sites=sites) as node:
        known = httpx.post(f"{node.url}/collect", json=PAGEVIEW, timeout=patient(20), verify=NO_TLS)
        unknown = httpx.post(
            f"{node.url}/collect", json=PAGEVIEW | {"site_id": "other"}, timeout=patient(20), verify=NO_TLS
        )
        backend = httpx.post(f"{node.url}/server-events", json=PAGEVIEW, timeout=patient(20), verify=NO_TLS)
    assert [known.status_code, unknown.status_code, backend.status_code] == [200, 403, 401]
    assert backend.headers["www-authenticate"] == "Bearer"
    assert unknown.json()["details"][0]["reason"] == "SITE_UNKNOWN"
