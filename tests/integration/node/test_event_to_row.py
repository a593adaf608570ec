"""A posted event becomes a durable row: through the real gateway, the real spool and the real embedded ClickHouse."""

import json
import os
import time
from datetime import datetime
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.json_format import ParseDict

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.patience import patient
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

BROWSER_EVENT = {
    "event_id": "0192F0C1-7E1A-7C3D-9B1E-2F6A7D8C9E0F",
    "event_time": "2026-11-01T10:20:30.123+02:00",
    "scan_session_id": "scan-1",
    "consent": "granted",
    "event_type": "pageview",
    "page_url": "https://shop.example/a?b=c#d",
    "page_title": 'Schuhe \U0001f45f & "more"\t\\',
    "referrer": "https://search.example/",
    "device": {"screen_width": 390, "screen_height": 844, "language": "de-AT", "max_touch_points": 5},
    "metadata": {"z": 1, "a": [True, None, 1.5, "x"], "ü": {"n": {}}},
}
SERVER_EVENT = {
    "event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e10",
    "event_time": "2026-11-01T10:20:31Z",
    "scan_session_id": "scan-1",
    "consent": "GRANTED",
    "event_name": "purchase",
    "user_identifiers": {"external_id": "customer-7"},
    "conversion_value": {"amount": 49.9, "currency": "EUR"},
    "properties": {"items": [{"sku": "a-1", "quantity": 2}]},
}
# Columns that differ from run to run and are looked at apart.
LIVE_COLUMNS = {"received_time", "segment_id", "segment_row", "fingerprint"}
EMPTY_ROW: dict[str, Any] = {
    "qr_code_id": "", "user_id": "", "event_type": "", "event_name": "", "page_url": "", "referrer": "",
    "device_type": "", "browser_family": "", "os_family": "", "country_code": "", "city": "",
    "conversion_value": None, "conversion_currency": "", "is_duplicate": 0, "is_fraud": 0, "page_title": "",
    "fraud_reasons": [], "client_event_time": None, "client_event_time_text": "", "ip_key": "",
    "scan_session_id": "scan-1", "consent": "granted",
    "user_id_source": "", "identified_user_id": "", "is_counterpart": 0, "unknown_fields": [],
}  # fmt: skip
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
BROWSER_ROW = {
    **EMPTY_ROW,
    "event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f",
    "event_time": "2026-11-01 08:20:30.123",
    "source": "browser",
    "event_type": "pageview",
    "page_url": "https://shop.example/a?b=c#d",
    "page_title": 'Schuhe \U0001f45f & "more"\t\\',
    "referrer": "https://search.example/",
    "metadata": '{"a":[true,null,1.5,"x"],"z":1,"ü":{"n":{}}}',
    "device_type": "desktop",
    "browser_family": "Firefox",
    "os_family": "Linux",
}
SERVER_ROW = {
    **EMPTY_ROW,
    "event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e10",
    "event_time": "2026-11-01 10:20:31.000",
    "source": "server",
    "event_name": "purchase",
    "user_id": "customer-7",
    "user_id_source": "identifiers",
    "identified_user_id": "customer-7",
    "conversion_value": 49.9,
    "conversion_currency": "EUR",
    "metadata": '{"items":[{"quantity":2,"sku":"a-1"}]}',
}


def stored(stack: Stack, site_id: str, number: int = 1) -> list[dict[str, Any]]:
    """The rows of a site, once they are there."""
    stack.wait_for_rows(number, f"site_id = '{site_id}'")
    return stack.query(f"SELECT * FROM events.valid_events WHERE site_id = '{site_id}' ORDER BY event_time, event_id")


def fixed(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what differs from run to run."""
    return {name: value for name, value in row.items() if name not in LIVE_COLUMNS}


def test_browser_event_by_json_becomes_the_golden_row(stack: Stack) -> None:
    """Column by column: what was posted to /collect is what the table holds."""
    with stack.http() as client:
        before_ms = time.time_ns() // 1_000_000
        reply = client.post(
            "/collect", json={"site_id": "golden-browser", **BROWSER_EVENT}, headers={"user-agent": FIREFOX}
        )
    assert reply.status_code == 200, reply.text
    receipt = reply.json()["receipt"]
    assert receipt["outcome"] == "ACCEPTED"
    assert receipt["event_id"] == BROWSER_ROW["event_id"]
    [row] = stored(stack, "golden-browser")
    assert fixed(row) == {"site_id": "golden-browser", **BROWSER_ROW}
    received = datetime.fromisoformat(receipt["received_time"])
    assert received == datetime.fromisoformat(f"{row['received_time']}Z")
    assert before_ms <= received.timestamp() * 1000 <= time.time_ns() // 1_000_000


def test_server_event_by_grpc_becomes_the_golden_row(stack: Stack) -> None:
    """Column by column: what was sent over direct gRPC is what the table holds."""
    event = ParseDict({"site_id": "golden-server", **SERVER_EVENT}, ServerEvent())
    with grpc.insecure_channel(stack.grpc_target) as channel:
        answer = CollectorServiceStub(channel).CollectServerEvent(
            pb.CollectServerEventRequest(event=event), timeout=patient(10)
        )
    assert answer.receipt.outcome == EventReceipt.ACCEPTED
    [row] = stored(stack, "golden-server")
    assert fixed(row) == {"site_id": "golden-server", **SERVER_ROW}


def test_native_grpc_passes_through_the_gateway(stack: Stack) -> None:
    """One listener for JSON and gRPC."""
    event = ParseDict({"site_id": "grpc-by-gateway", **SERVER_EVENT}, ServerEvent())
    with grpc.insecure_channel(stack.url.removeprefix("http://")) as channel:
        answer = CollectorServiceStub(channel).CollectServerEvent(
            pb.CollectServerEventRequest(event=event), timeout=patient(10)
        )
    assert answer.receipt.outcome == EventReceipt.ACCEPTED
    [row] = stored(stack, "grpc-by-gateway")
    assert fixed(row) == {"site_id": "grpc-by-gateway", **SERVER_ROW}


def test_mixed_batch_has_one_receipt_per_event_in_order(stack: Stack) -> None:
    """Rejected events do not hold up the others, and are kept as dead letters."""
    events = [
        {"site_id": "batch", "event_type": "click"},
        {"site_id": "not a site", "event_type": "click"},
        {"site_id": "batch", "event_type": "form_submit", "event_id": "nonsense"},
        {"site_id": "batch", "event_type": "pageview"},
    ]
    with stack.http() as client:
        reply = client.post("/collect/batch", json={"events": events})
    assert reply.status_code == 200, reply.text
    receipts = reply.json()["receipts"]
    assert [receipt["outcome"] for receipt in receipts] == ["ACCEPTED", "REJECTED", "REJECTED", "ACCEPTED"]
    assert [violation["field"] for violation in receipts[1]["violations"]] == ["site_id"]
    assert [violation["reason"] for violation in receipts[2]["violations"]] == ["INVALID_UUID"]
    rows = stored(stack, "batch", 2)
    assert {row["event_id"] for row in rows} == {receipts[0]["event_id"], receipts[3]["event_id"]}
    stack.wait_for_rows(1, "site_id = 'batch'", "invalid_events")
    [letter] = stack.query("SELECT * FROM events.invalid_events WHERE site_id = 'batch'")
    assert letter["reasons"] == ["INVALID_UUID"]
    assert json.loads(letter["payload"])["event_id"] == "nonsense"


def test_server_event_batch_by_json(stack: Stack) -> None:
    """Backends may use JSON as well."""
    events = [{**SERVER_EVENT, "site_id": "server-batch", "event_id": ""} for _ in range(3)]
    with stack.http() as client:
        reply = client.post("/server-events/batch", json={"events": events})
    assert [receipt["outcome"] for receipt in reply.json()["receipts"]] == ["ACCEPTED"] * 3
    assert len({row["event_id"] for row in stored(stack, "server-batch", 3)}) == 3


def test_beacon_with_text_plain_is_taken(stack: Stack) -> None:
    """navigator.sendBeacon(url, string) sends text/plain, which needs no preflight."""
    body = json.dumps({"site_id": "beacon", "event_type": "click"}).encode()
    with stack.http() as client:
        reply = client.post("/collect", content=body, headers={"content-type": "text/plain;charset=UTF-8"})
    assert reply.status_code == 200, reply.text
    [row] = stored(stack, "beacon")
    assert row["event_type"] == "click"


def test_defaults_are_an_id_and_now(stack: Stack) -> None:
    """Without event_id one is made; without event_time the time of receipt counts; metadata is an empty object."""
    with stack.http() as client:
        reply = client.post("/collect", json={"site_id": "defaults", "event_type": "click"})
    receipt = reply.json()["receipt"]
    assert receipt["warnings"] == []
    [row] = stored(stack, "defaults")
    assert row["event_id"] == receipt["event_id"]
    assert row["event_time"] == row["received_time"]
    assert row["metadata"] == "{}"
    assert row["consent"] == ""


@pytest.mark.parametrize(
    ("sent", "column", "text"),
    [
        ("9999-12-31T23:59:59.999+00:00", "2299-12-31", "9999-12-31T23:59:59.999Z"),
        ("0001-01-01T02:00:00+02:00", "1900-01-01", "0001-01-01T00:00:00Z"),
        ("2299-12-31T23:59:59.999Z", "2299-12-31", ""),
        ("1900-01-01T00:00:00Z", "1900-01-01", ""),
    ],
)
def test_unbelievable_time_is_corrected_with_a_warning(stack: Stack, sent: str, column: str, text: str) -> None:
    """A wrong clock costs no event: the receipt's time counts, the sender's stays beside it, as text where the column
    ends. Who reads it gets what was sent."""
    site = f"clock-{sent[:4]}"
    with stack.http() as client:
        reply = client.post("/collect", json={"site_id": site, "event_type": "click", "event_time": sent})
        assert [warning["code"] for warning in reply.json()["receipt"]["warnings"]] == ["CLOCK_CORRECTED"]
        [row] = stored(stack, site)
        [told] = client.get(f"/v1/sites/{site}/tail").json()["rows"]
    assert row["event_time"] == row["received_time"]
    assert row["client_event_time"].startswith(column)
    assert row["client_event_time_text"] == text
    assert datetime.fromisoformat(told["client_event_time"]) == datetime.fromisoformat(sent)


def test_dry_run_stores_nothing_and_shows_the_row(stack: Stack) -> None:
    """validate_only answers with the row that would be stored."""
    with stack.http() as client:
        reply = client.post("/collect?validate_only=true", json={"site_id": "dry", "event_type": "click"})
        client.post("/collect", json={"site_id": "dry", "event_type": "pageview"})
    answer = reply.json()
    assert answer["receipt"]["outcome"] == "VALIDATED"
    assert answer["row"]["event_type"] == "click"
    [row] = stored(stack, "dry")
    assert row["event_type"] == "pageview"


def test_pixel_takes_an_event_from_the_query(stack: Stack) -> None:
    """For pages where no script runs."""
    with stack.http() as client:
        reply = client.get("/collect.gif", params={"site_id": "pixel", "event_type": "pageview", "consent": "granted"})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "image/gif"
    assert reply.content.startswith(b"GIF89a")
    [row] = stored(stack, "pixel")
    assert row["consent"] == "granted"


def test_pixel_without_page_url_takes_the_referer_header(stack: Stack) -> None:
    """The page that shows the image is the page that was seen."""
    with stack.http() as client:
        reply = client.get(
            "/collect.gif",
            params={"site_id": "pixel-referer", "event_type": "view"},
            headers={"referer": "https://shop.example/page"},
        )
    assert reply.status_code == 200, reply.text
    [row] = stored(stack, "pixel-referer")
    assert row["page_url"] == "https://shop.example/page"


def test_stream_answers_every_event_in_order(stack: Stack) -> None:
    """Thousands of events in flight on one call; receipts come back in the order of the events."""
    number = 3000
    sent = [f"00000000-0000-4000-8000-{index:012d}" for index in range(number)]
    requests = (
        pb.StreamServerEventsRequest(
            event=ServerEvent(site_id="stream", event_id=event_id, scan_session_id="s", event_name="lead")
        )
        for event_id in sent
    )
    with grpc.insecure_channel(stack.grpc_target) as channel:
        answers = list(CollectorServiceStub(channel).StreamServerEvents(requests, timeout=patient(60)))
    receipts = [receipt for answer in answers for receipt in answer.receipts]
    assert [receipt.event_id for receipt in receipts] == sent
    assert {receipt.outcome for receipt in receipts} == {EventReceipt.ACCEPTED}
    assert len(answers) < number
    stack.wait_for_rows(number, "site_id = 'stream'")


BAD_REQUESTS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("missing site_id", "/collect", {"json": {"event_type": "click"}}, 400, "site_id"),
    ("empty object", "/collect", {"json": {}}, 400, "site_id"),
    ("empty body", "/collect", {"content": b""}, 400, ""),
    ("malformed JSON", "/collect", {"content": b'{"site_id": "x"'}, 400, ""),
    ("no JSON", "/collect", {"content": b"hello"}, 400, ""),
    ("wrong type", "/collect", {"json": {"site_id": 5}}, 400, "site_id"),
    (
        "wrong type deep",
        "/collect",
        {"json": {"site_id": "x", "device": {"screen_width": "wide"}}},
        400,
        "screen_width",
    ),
    ("unknown consent", "/collect", {"json": {"site_id": "x", "consent": "perhaps"}}, 400, "consent"),
    ("array of events", "/collect/batch", {"json": [{"site_id": "x"}]}, 400, ""),
    ("empty batch", "/collect/batch", {"json": {"events": []}}, 400, "events"),
    ("missing event_name", "/server-events", {"json": {"site_id": "x", "scan_session_id": "s"}}, 400, "event_name"),
    ("unknown path", "/nowhere", {"json": {}}, 404, ""),
    ("1 MB body", "/collect", {"json": {"site_id": "x", "page_title": "x" * 1_000_000}}, 413, ""),
    ("too many events", "/collect/batch", {"json": {"events": [{"site_id": "x"}] * 1001}}, 400, "1000"),
    (
        "deep nesting",
        "/collect",
        {"content": b'{"site_id":"x","metadata":' + b'{"a":' * 60 + b"1" + b"}" * 61},
        400,
        "",
    ),
]


@pytest.mark.parametrize(
    ("path", "request_body", "status", "said"),
    [case[1:] for case in BAD_REQUESTS],
    ids=[case[0] for case in BAD_REQUESTS],
)
def test_bad_input_is_a_clear_4xx_in_json(
    stack: Stack, path: str, request_body: dict[str, Any], status: int, said: str
) -> None:
    """Each answer is JSON with code, message and details; the service goes on."""
    with stack.http() as client:
        reply = client.post(path, **request_body)
        assert reply.status_code == status, reply.text
        error = reply.json()
        assert set(error) == {"code", "message", "details"}
        assert error["message"]
        assert said in reply.text
        assert client.get("/healthz").json()["condition"] in {"READY", "DEGRADED"}


def test_rejected_event_says_every_rule_at_once(stack: Stack) -> None:
    """google.rpc.BadRequest with field, reason and description, and an ErrorInfo, as JSON."""
    with stack.http() as client:
        reply = client.post("/server-events", json={"site_id": "a b", "event_id": "1", "consent": "denied"})
    details = {detail["@type"].rpartition(".")[2]: detail for detail in reply.json()["details"]}
    found = {(violation["field"], violation["reason"]) for violation in details["BadRequest"]["field_violations"]}
    assert found == {
        ("site_id", "INVALID_FORMAT"),
        ("event_id", "INVALID_UUID"),
        ("scan_session_id", "REQUIRED"),
        ("event_name", "REQUIRED"),
    }
    assert details["ErrorInfo"]["reason"] == "EVENT_REJECTED"
    assert details["ErrorInfo"]["domain"] == "qrumb"


def test_garbage_over_grpc_is_invalid_argument(stack: Stack) -> None:
    """Bytes that are not a message never become INTERNAL or UNKNOWN."""
    with grpc.insecure_channel(stack.grpc_target) as channel:
        call: Any = channel.unary_unary("/qrumb.v1.CollectorService/CollectBrowserEvent")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"\xff\xff\xff", timeout=patient(10))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_health_over_grpc_is_the_whole_node(stack: Stack) -> None:
    """grpc.health.v1 through the gateway speaks for the node, its other names for its processes."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(stack.url.removeprefix("http://")) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "worker-0", "loader"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=patient(10))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, service


def test_every_server_lists_the_health_of_its_services(stack: Stack) -> None:
    """Health/List, through the gateway, on the direct port and on each of the node's own sockets."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    node = {"", "live", "ready", "healthy", "loader", "gateway", "worker-0", "worker-1"}
    collector = {"", "qrumb.v1.CollectorService"}
    run_dir = os.path.relpath(stack.data_dir / "run")
    expected = {
        stack.url.removeprefix("http://"): node,
        stack.grpc_target: collector,
        f"unix:{run_dir}/status.sock": node,
        f"unix:{run_dir}/worker-0.sock": collector,
        f"unix:{run_dir}/loader.sock": {""},
        f"unix:{run_dir}/queries.sock": {""},
    }
    for target, services in expected.items():
        with grpc.insecure_channel(target) as channel:
            statuses = (
                health_pb2_grpc.HealthStub(channel).List(health_pb2.HealthListRequest(), timeout=patient(10)).statuses
            )
        assert set(statuses) == services, target
        assert {answer.status for answer in statuses.values()} == {health_pb2.HealthCheckResponse.SERVING}, target


def test_gateway_gives_every_request_its_own_id(stack: Stack) -> None:
    """The generated event_id comes from the gateway's request id, never from a client's."""
    forged = {"x-request-id": "11111111-1111-4111-8111-111111111111"}
    with stack.http() as client:
        made = {
            client.post("/collect", json={"site_id": "ids", "event_type": "x"}, headers=forged).json()["receipt"][
                "event_id"
            ]
            for _ in range(3)
        }
    assert len(made) == 3


def test_preflight_of_another_origin_is_answered(stack: Stack) -> None:
    """A page of another origin may post, and its preflight is answered."""
    preflight = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    with stack.http() as client:
        reply: httpx.Response = client.options("/collect", headers=preflight)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
