"""An outage from its first second to the last event of its backlog, as senders, operators and monitoring see it."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from prometheus_client.parser import text_string_to_metric_families

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.wire.v1.process_service_pb2 import GetMetricsRequest
from qrumb_server.wire.v1.process_service_pb2_grpc import ProcessServiceStub
from tests.support.native_front import NativeFront
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]

PASSWORD = "right"
SPOOL_BYTES = 40 * 1024 * 1024
BACKLOG = 30_000
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def front(tmp_path: Path) -> Iterator[NativeFront]:
    """A ClickHouse server that refuses every user at first."""
    with contextlib.closing(NativeFront(tmp_path / "front", {"me": "wrong"})) as running:
        yield running


@pytest.fixture
def node(front: NativeFront, tmp_path: Path) -> Iterator[Stack]:
    """A node with a small spool and one worker, whose ClickHouse is away."""
    settings = {
        "CLICKHOUSE_URL": f"clickhouse://me:{PASSWORD}@127.0.0.1:{front.port}",
        "QRUMB_WORKERS": "1",
        "QRUMB_SPOOL__MAX_BYTES": str(SPOOL_BYTES),
        "QRUMB_LOADER__RETRY_MAX_DELAY": "PT0.3S",
        "QRUMB_LOADER__REFUSED_DELAY": "PT0.3S",
    }
    with running_stack(tmp_path / "data", **settings) as running:
        yield running


def batch(site_id: str, count: int, note: str = "") -> pb.BatchCollectServerEventsRequest:
    """So many events of one site."""
    event = ServerEvent(site_id=site_id, scan_session_id="s", event_name="lead")
    if note:
        event.properties.fields["note"].string_value = note
    return pb.BatchCollectServerEventsRequest(events=[event] * count)


def flood(stub: CollectorServiceStub, site_id: str) -> tuple[int, grpc.RpcError]:
    """Send big events until refused; the number that was accepted, and the refusal."""
    accepted = 0
    request = batch(site_id, 50, "x" * 8_000)
    with pytest.raises(grpc.RpcError) as refused:
        while accepted < 20_000:
            accepted += len(stub.BatchCollectServerEvents(request, timeout=patient(20)).receipts)
    return accepted, refused.value


def reason_of(error: grpc.RpcError) -> str:
    """The stable name of a refusal, which must say when to come again."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is a Call too
    info, retry = ErrorInfo(), RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    trailers: Any = error.trailing_metadata()
    assert dict(trailers)["retry-after"] == str(retry.retry_delay.seconds)
    return info.reason


def post(node: Stack, site_id: str) -> httpx.Response:
    """One big event over HTTP."""
    event = {"site_id": site_id, "scan_session_id": "s", "event_name": "lead", "properties": {"note": "x" * 8_000}}
    with node.http() as client:
        return client.post("/server-events", json=event)


def health(node: Stack, channel: grpc.Channel) -> dict[str, Any]:
    """The answers of grpc.health.v1 for the whole node."""
    stub = health_pb2_grpc.HealthStub(channel)
    names = ("", "live", "ready", "healthy")
    return {name: stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=patient(10)).status for name in names}


def status(node: Stack) -> tuple[int, dict[str, Any]]:
    """Exit code and answer of `qrumb status`."""
    done = node.command("status", "--format", "json")
    return done.returncode, json.loads(done.stdout)


def metrics(node: Stack) -> dict[tuple[str, ...], float]:
    """What monitoring reads: values by name and labels."""
    [url] = re.findall(r"^metrics: (\S+)$", node.log(), re.MULTILINE)
    families = text_string_to_metric_families(httpx.get(url, timeout=patient(20), verify=NO_TLS).text)
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_an_outage_from_its_first_second_to_the_end_of_its_backlog(node: Stack, front: NativeFront) -> None:
    """Noticed while nothing waits; one site's flood leaves room; full is said; and all of it is stored in the end."""
    assert_an_idle_node_knows(node)
    with grpc.insecure_channel(node.grpc_target) as worker, grpc.insecure_channel(node.url[7:]) as gateway:
        stub = CollectorServiceStub(worker)
        accepted = send_backlog(stub)
        accepted += assert_one_site_leaves_room(node, stub)
        accepted += assert_full_is_said(node, stub, gateway)
        front.users["me"] = PASSWORD
        accepted += assert_new_events_follow_within_seconds(node, stub)
        node.wait_for_rows(accepted)
        wait_until(lambda: node.health()["condition"] == "READY")
        wait_until(lambda: set(health(node, gateway).values()) == {SERVING})
    assert status(node)[0] == 0
    assert_metrics_add_up(node, accepted)


def assert_an_idle_node_knows(node: Stack) -> None:
    """The store is asked while nothing waits; what it said word by word is for the operator alone."""
    said = wait_until(lambda: found if (found := node.health())["condition"] == "DEGRADED" else None, 15)
    assert said["spool_bytes"] == "0"
    [reason] = said["reasons"]
    assert reason.startswith("ClickHouse does not take rows")
    assert "Authentication" not in json.dumps(said)
    code, described = status(node)
    assert code == 1
    assert "Authentication failed" in described["store_error"]
    table = node.command("status", "--format", "table")
    assert table.returncode == 1
    assert table.stdout.startswith(f"DEGRADED\n- {reason[:60]}")


def send_backlog(stub: CollectorServiceStub) -> int:
    """30,000 events of three sites."""
    for number in range(BACKLOG // 1_000):
        assert (
            len(stub.BatchCollectServerEvents(batch(f"backlog-{number % 3}", 1_000), timeout=patient(20)).receipts)
            == 1_000
        )
    return BACKLOG


def assert_one_site_leaves_room(node: Stack, stub: CollectorServiceStub) -> int:
    """A flood is held at half of the spool, in batches as a whole; another site goes on."""
    accepted, refusal = flood(stub, "loud")
    assert reason_of(refusal) == "SITE_SPOOL_SHARE"
    assert accepted * 8_000 < SPOOL_BYTES / 2
    answer = post(node, "loud")
    while answer.status_code == 200:  # the last bytes below a batch
        accepted += 1
        answer = post(node, "loud")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    assert "SITE_SPOOL_SHARE" in answer.text
    assert post(node, "quiet").status_code == 200
    code, described = status(node)
    assert (code, described["condition"]) == (1, "DEGRADED")
    assert any(re.match(r"the spool is \d+% full: \d+ MiB of 40 MiB", reason) for reason in described["reasons"])
    turned_away = "1 site has reached its share of the spool and its events are turned away"
    assert turned_away in described["reasons"]
    assert turned_away in node.health()["reasons"]
    assert described["sites_at_share"] == ["loud"]
    assert int(described["spool_rows"]) > BACKLOG
    return accepted + 1


def assert_full_is_said(node: Stack, stub: CollectorServiceStub, gateway: grpc.Channel) -> int:
    """By the answer, by /healthz, by grpc.health.v1 and by the exit code; the process is alive all the same."""
    accepted, refusal = flood(stub, "other")
    assert reason_of(refusal) == "SPOOL_FULL"
    while (answer := post(node, "quiet")).status_code == 200:
        accepted += 1
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
    with node.http() as client:
        answer = client.get("/healthz")
    assert answer.status_code == 503
    assert "the spool is full" in answer.json()["message"]
    wait_until(
        lambda: (
            health(node, gateway) == {"": NOT_SERVING, "live": SERVING, "ready": NOT_SERVING, "healthy": NOT_SERVING}
        )
    )
    code, described = status(node)
    assert (code, described["condition"]) == (2, "NOT_READY")
    return accepted


def assert_new_events_follow_within_seconds(node: Stack, stub: CollectorServiceStub) -> int:
    """Loaded in the order of arrival, so a new event waits for the backlog: for seconds, as that goes at full speed."""

    def send() -> bool:
        with contextlib.suppress(grpc.RpcError):
            return bool(stub.BatchCollectServerEvents(batch("new", 1), timeout=patient(20)).receipts)
        return False

    wait_until(send, 30)
    assert status(node)[1]["loading"]["lag_seconds"] > 0
    # There are no tables before the store has been reached for the first time.
    wait_until(lambda: node.command("query", "SELECT 1 FROM events.valid_events LIMIT 1").returncode == 0, 30)
    node.wait_for_rows(1, "site_id = 'new'")
    return 1


def assert_metrics_add_up(node: Stack, accepted: int) -> None:
    """What was accepted was stored, and the refusals have names."""
    found = metrics(node)
    stored = [value for (name, *_), value in found.items() if name == "qrumb_ledger_stored_total"]
    taken = [value for (name, *_), value in found.items() if name == "qrumb_events_accepted_total"]
    assert sum(stored) == sum(taken) == accepted
    assert found["qrumb_ledger_stored_total", "loader", "new"] == 1
    assert found["qrumb_spool_refusals_total", "SITE_SPOOL_SHARE", "worker-0"] >= 2
    assert found["qrumb_spool_refusals_total", "SPOOL_FULL", "worker-0"] >= 2
    assert sum(value for (name, *_), value in found.items() if name == "qrumb_store_errors_total") > 0
    assert found["qrumb_node_condition", "READY"] == 1
    assert found["qrumb_spool_bytes",] == 0
    assert found["qrumb_process_up", "loader"] == 1


def test_a_process_away_and_a_damaged_segment_are_named(tmp_path: Path) -> None:
    """Events are still taken, and the status says what to look at; what is private stays on the node's sockets."""
    with running_stack(tmp_path / "data") as node:
        with grpc.insecure_channel(node.grpc_target) as worker, pytest.raises(grpc.RpcError) as refused:
            ProcessServiceStub(worker).GetMetrics(GetMetricsRequest(), timeout=patient(10))
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
        (node.data_dir / "spool" / "quarantine").mkdir(exist_ok=True)
        (node.data_dir / "spool" / "quarantine" / "worker-0.some.1.sealed").write_bytes(b"damaged")
        wait_until(lambda: any("spool/quarantine (1)" in reason for reason in node.health()["reasons"]), 10)
        loader = node.children()["loader"]
        loader.suspend()
        try:
            wait_until(
                lambda: any("loader does not answer; it is killed" in text for text in node.health()["reasons"]), 20
            )
            assert metrics(node)["qrumb_process_up", "loader"] == 0
            assert node.command("status").returncode == 1
            assert node.command("send", "--count", "1").returncode == 0
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):  # killed meanwhile, where the commands took long
                loader.resume()
        wait_until(lambda: not [text for text in node.health()["reasons"] if "loader" in text], 10)
    gone = node.command("status")
    assert (gone.returncode, "no node runs in" in gone.stderr) == (2, True)


def test_a_disk_below_its_floor_takes_no_events_and_says_why(tmp_path: Path) -> None:
    """What must stay free for ClickHouse stays free; senders are told to come again, people what to do."""
    with running_stack(tmp_path / "data", QRUMB_SPOOL__MIN_FREE_BYTES=str(10**18), QRUMB_WORKERS="1") as node:
        answer = post(node, "any")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
        assert "SPOOL_FULL" in answer.text
        with node.http() as client:
            answer = client.get("/healthz")
        assert answer.status_code == 503
        assert answer.json()["message"].startswith("the disk is full: ")
        code, described = status(node)
        assert (code, described["condition"]) == (2, "NOT_READY")
