"""Scan sessions through the real node: registered both ways in, read back from spool and store, and attributed."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from grpc_status import rpc_status

from qrumb.v1 import scan_session_service_pb2 as pb
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub
from tests.support.patience import patient
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

SITE = "scans"


@pytest.fixture(params=["direct", "gateway"])
def stub(stack: Stack, request: pytest.FixtureRequest) -> Iterator[ScanSessionServiceStub]:
    """gRPC, both ways in."""
    target = stack.grpc_target if request.param == "direct" else stack.url.removeprefix("http://")
    with grpc.insecure_channel(target) as channel:
        yield ScanSessionServiceStub(channel)


def scan(number: object, **fields: str) -> dict[str, str]:
    """A session as JSON."""
    return {"site_id": SITE, "scan_session_id": f"scan-{number}", "qr_code_id": f"qr-{number}", **fields}


def read(stack: Stack, scan_session_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body of reading a session over HTTP."""
    with stack.http() as client:
        reply = client.get(f"/v1/sites/{SITE}/scan-sessions/{scan_session_id}")
    return reply.status_code, reply.json()


def test_session_by_json_is_there_at_once_and_later(stack: Stack) -> None:
    """Spooled first, then stored; the answer is the same."""
    with stack.http() as client:
        reply = client.post("/scan-sessions", json=scan("json", user_id="u-1", scan_time="2026-11-01T10:20:30.123Z"))
        assert reply.status_code == 200, reply.text
        kept = reply.json()["scan_session"]
        spooled = client.get(f"/v1/sites/{SITE}/scan-sessions/scan-json")
    meant = {**scan("json", user_id="u-1"), "scan_time": "2026-11-01T10:20:30.123Z"}
    assert {name: value for name, value in kept.items() if value and value != "CONSENT_UNSPECIFIED"} == meant
    assert (spooled.status_code, spooled.json()["scan_session"]) == (200, kept)
    stack.wait_for_empty_spool()
    status, found = read(stack, "scan-json")
    assert (status, found["scan_session"]) == (200, kept)


IN_NO_PATH = ("scan/1", "/a", "a/", "a//b", "../x", "a/../b", "a\\b", "a\0b")
IN_A_PATH = (
    "a%2Fb",
    "%2e%2ea",
    "a?b",
    "a#b",
    "a:b",
    "a+b",
    "a b",
    " a ",
    "a;b=c&d",
    "a\tb\n",
    "a\x7f\x85",
    "{x}y",
    "\U0001f45f" * 128,
)


def test_every_session_that_is_taken_can_be_asked_for(stack: Stack) -> None:
    """By the query always, by the path where that can hold the id; where it cannot, the error names the query."""
    sent = [{"site_id": SITE, "scan_session_id": name, "qr_code_id": "qr"} for name in (*IN_NO_PATH, *IN_A_PATH)]
    with stack.http() as client:
        assert client.post("/scan-sessions/batch", json={"scan_sessions": sent}).status_code == 200
        for name in (*IN_NO_PATH, *IN_A_PATH):
            found = client.get(f"/v1/sites/{SITE}/scan-sessions", params={"scan_session_id": name})
            assert found.status_code == 200, (name, found.text)
            assert found.json()["scan_session"]["scan_session_id"] == name
            by_path = read(stack, quote(name, safe=""))
            if name in IN_A_PATH:
                assert by_path == (200, found.json())
            else:
                assert (by_path[0], "scan_session_id=" in str(by_path[1]["message"])) == (400, True), by_path
        assert client.get(f"/v1/sites/{SITE}/scan-sessions").status_code == 400
        # What no path at all can say is not a name of a session either.
        for name in (".", ".."):
            reply = client.post("/scan-sessions", json={**sent[0], "scan_session_id": name})
            assert (reply.status_code, "PLACEHOLDER" in reply.text) == (400, True)


def test_session_by_grpc_both_ways(stub: ScanSessionServiceStub) -> None:
    """Registered and read on the same port."""
    session = ScanSession(site_id=SITE, scan_session_id="scan-grpc", qr_code_id="qr")
    kept = stub.RegisterScanSession(
        pb.RegisterScanSessionRequest(scan_session=session), timeout=patient(10)
    ).scan_session
    assert kept.HasField("scan_time")
    found = stub.GetScanSession(
        pb.GetScanSessionRequest(site_id=SITE, scan_session_id="scan-grpc"), timeout=patient(10)
    )
    assert (found.scan_session.qr_code_id, found.scan_session.site_id) == ("qr", SITE)


@pytest.mark.parametrize(
    ("site_id", "scan_session_id", "code", "reason"),
    [
        (SITE, "never", grpc.StatusCode.NOT_FOUND, "SCAN_SESSION_UNKNOWN"),
        ("other-site", "scan-grpc", grpc.StatusCode.NOT_FOUND, "SCAN_SESSION_UNKNOWN"),
        ("not a site", "x", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FORMAT"),
        (SITE, "", grpc.StatusCode.INVALID_ARGUMENT, "REQUIRED"),
        (SITE, "x" * 129, grpc.StatusCode.INVALID_ARGUMENT, "REQUIRED"),
    ],
    ids=["unknown", "other site", "bad site", "empty", "long"],
)
def test_what_is_not_there_or_wrong_says_so(
    stub: ScanSessionServiceStub, site_id: str, scan_session_id: str, code: grpc.StatusCode, reason: str
) -> None:
    """The same over both ports, with a stable reason."""
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetScanSession(
            pb.GetScanSessionRequest(site_id=site_id, scan_session_id=scan_session_id), timeout=patient(10)
        )
    assert refused.value.code() == code
    assert reason in str(rpc_status.from_call(refused.value))  # type: ignore[arg-type]  # it is a Call too


def test_batch_is_all_or_none(stack: Stack) -> None:
    """One broken session, and none of them is kept; each rule is named with its place."""
    good, bad = scan("b-1"), scan("b-2", qr_code_id="", user_id="jane@gmail.com")
    with stack.http() as client:
        refused = client.post("/scan-sessions/batch", json={"scan_sessions": [good, bad]})
        assert refused.status_code == 400
        violations = refused.json()["details"][0]["field_violations"]
        assert [(one["field"], one["reason"]) for one in violations] == [
            ("scan_sessions[1].qr_code_id", "REQUIRED"),
            ("scan_sessions[1].user_id", "CONTAINS_EMAIL"),
        ]
        assert client.post("/scan-sessions/batch", json={"scan_sessions": []}).status_code == 400
        many = client.post("/scan-sessions/batch", json={"scan_sessions": [good] * 1_001})
        assert (many.status_code, "TOO_MANY_SESSIONS" in many.text) == (400, True)
        assert read(stack, "scan-b-1")[0] == 404
        taken = client.post("/scan-sessions/batch", json={"scan_sessions": [good, scan("b-3")]})
    assert [one["scan_session_id"] for one in taken.json()["scan_sessions"]] == ["scan-b-1", "scan-b-3"]
    assert read(stack, "scan-b-1")[0] == 200


@pytest.mark.parametrize("is_first", [True, False], ids=["session first", "event first"])
def test_event_gets_its_code_and_user_whichever_came_first(stack: Stack, is_first: bool) -> None:
    """In the row where the session was known in time, in the view of attributed events in any case."""
    site_id = f"scans-{is_first}".lower()
    session = scan("a", user_id="u-7") | {"site_id": site_id}
    with stack.http() as client:
        if is_first:
            assert client.post("/scan-sessions", json=session).status_code == 200
        event = {"site_id": site_id, "event_type": "click", "scan_session_id": "scan-a"}
        event_id = client.post("/collect", json=event).json()["receipt"]["event_id"]
        stack.wait_for_empty_spool()
        if not is_first:
            assert client.post("/scan-sessions", json=session).status_code == 200
            stack.wait_for_empty_spool()
        receipt = client.get(f"/v1/sites/{site_id}/receipts/{event_id}").json()
        [funnel] = client.get(f"/v1/sites/{site_id}/funnel").json()["funnels"]
    row = receipt["row"]
    assert (row["qr_code_id"], row["user_id"], row["user_id_source"]) == ("qr-a", "u-7", "session")
    assert (funnel["qr_code_id"], funnel["scan_count"]) == ("qr-a", "1")
    [stored] = stack.query(f"SELECT qr_code_id FROM events.valid_events WHERE site_id = '{site_id}'")
    assert stored["qr_code_id"] == ("qr-a" if is_first else "")
