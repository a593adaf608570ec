"""Registering scan sessions in process: durable before the answer, all or none, every broken rule at once."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from qrumb.v1 import scan_session_service_pb2 as pb
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.receipt_pb2 import EventWarning
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub, add_ScanSessionServiceServicer_to_server
from qrumb_server.errors import SpoolFullError
from qrumb_server.instants import milliseconds, timestamp
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.rpc.scan_sessions import ScanSessions
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.wire.v1.record_pb2 import Record
from tests.support.opened import opening

TURNS = Turns()
NOW_MS = 1_790_000_000_123
DAY_MS = 86_400_000


class Spool:
    """Keeps what is appended, or raises."""

    def __init__(self) -> None:
        self.appends: list[list[Record]] = []
        self.fault: Exception | None = None

    async def append(self, records: Sequence[bytes], sites: Sequence[str]) -> None:
        """As SpoolWriter.append."""
        if self.fault:
            raise self.fault
        self.appends.append([Record.FromString(record) for record in records])


@pytest.fixture
async def spool() -> Spool:
    """The spool behind the server."""
    return Spool()


@pytest.fixture
async def stub(spool: Spool) -> AsyncIterator[ScanSessionServiceStub]:
    """A caller of a server of this service."""

    async def forward(method: str, request: bytes, context: Any) -> bytes:
        assert method == "/qrumb.v1.ScanSessionService/GetScanSession"
        asked = pb.GetScanSessionRequest.FromString(request)
        found = ScanSession(site_id=asked.site_id, scan_session_id=asked.scan_session_id, qr_code_id="loader's")
        return pb.GetScanSessionResponse(scan_session=found).SerializeToString()

    sessions = ScanSessions(
        forward=forward,
        append=spool.append,
        new_arrival=lambda: Arrival(
            received_time_ms=NOW_MS, retention_ms=400 * DAY_MS, make_event_id=lambda _event: ""
        ),
        turns=TURNS,
    )
    server = grpc.aio.server(interceptors=[Wrappers(opening=opening(TURNS, max_batch_events=3))])
    add_ScanSessionServiceServicer_to_server(sessions, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield ScanSessionServiceStub(channel)
    await server.stop(0)


def scan(number: int = 1, **fields: Any) -> ScanSession:
    """A valid session but for what is given."""
    return ScanSession(**{"site_id": "s", "scan_session_id": f"scan-{number}", "qr_code_id": "qr", **fields})


async def refusal(call: Any) -> tuple[grpc.StatusCode, str, list[tuple[str, str]]]:
    """Code, reason and violations of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    status = Status.FromString(dict(refused.value.trailing_metadata())["grpc-status-details-bin"])
    info, bad = ErrorInfo(), BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    return refused.value.code(), info.reason, [(one.field, one.reason) for one in bad.field_violations]


async def test_a_session_is_kept_before_it_is_answered(stub: ScanSessionServiceStub, spool: Spool) -> None:
    """With the time of the scan; where none is stated, that of the receipt."""
    answer = await stub.RegisterScanSession(pb.RegisterScanSessionRequest(scan_session=scan(user_id="u")))
    [[record]] = spool.appends
    kept = record.session_registration
    assert answer.scan_session == kept.scan_session
    assert kept.received_time_ms == milliseconds(kept.scan_session.scan_time) == NOW_MS
    assert (kept.scan_session.qr_code_id, kept.scan_session.user_id) == ("qr", "u")


@pytest.mark.parametrize(
    ("ago_ms", "is_believed"),
    [(5_000, True), (-600_000, True), (-600_001, False), (400 * DAY_MS, True), (400 * DAY_MS + 1, False)],
)
async def test_a_time_that_cannot_be_true_is_replaced(
    stub: ScanSessionServiceStub, ago_ms: int, is_believed: bool
) -> None:
    """As for events, and the answer says so."""
    session = scan(scan_time=timestamp(NOW_MS - ago_ms))
    answer = await stub.RegisterScanSession(pb.RegisterScanSessionRequest(scan_session=session))
    assert milliseconds(answer.scan_session.scan_time) == (NOW_MS - ago_ms if is_believed else NOW_MS)
    said = [(one.field, EventWarning.Code.Name(one.code), bool(one.help_url)) for one in answer.warnings]
    assert said == ([] if is_believed else [("scan_time", "CLOCK_CORRECTED", True)])


async def test_what_the_redirect_knows_is_used_and_dropped(stub: ScanSessionServiceStub, spool: Spool) -> None:
    """Address, agent and hints are in no record and no answer; what cannot be used is left out, and said."""
    session = scan(
        client_ip="203.0.113.9:443",
        user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.5 Mobile/15E148 Safari/604.1",
        client_hints={"platform": '"iOS"'},
        request_method="HEAD",
        is_prefetch=True,
        referrer="https://u:pw@a.example/?to=jane@gmail.com",
        landing_page_url="nowhere",
        labels={"campaign": "spring"},
    )
    answer = await stub.BatchRegisterScanSessions(pb.BatchRegisterScanSessionsRequest(scan_sessions=[scan(2), session]))
    kept = answer.scan_sessions[1]
    assert {field.name for field, _value in kept.ListFields()}.isdisjoint({"client_ip", "user_agent", "client_hints"})
    assert (kept.referrer, kept.landing_page_url) == ("https://a.example/?to=[email]", "")
    assert (dict(kept.labels), kept.request_method, kept.is_prefetch) == ({"campaign": "spring"}, "HEAD", True)
    said = {(one.field.removeprefix("scan_sessions[1]."), EventWarning.Code.Name(one.code)) for one in answer.warnings}
    assert said == {
        ("client_ip", "LEFT_OUT"),
        ("landing_page_url", "LEFT_OUT"),
        ("referrer", "EMAIL_REDACTED"),
        ("referrer", "USER_INFO_REMOVED"),
    }
    registration = spool.appends[0][1].session_registration
    assert registration.scan_session == kept
    assert (registration.facts.device_type, registration.facts.os_family) == ("mobile", "iOS")
    assert list(registration.facts.fraud_reasons) == ["head_request", "prefetch"]


@pytest.mark.parametrize(("consent", "user", "url"), [(0, "u", "?q=1#f"), (3, "", "?q=1#f"), (2, "", "")])
async def test_consent_decides_what_is_kept_of_a_scan(
    stub: ScanSessionServiceStub, consent: int, user: str, url: str
) -> None:
    """As of events."""
    session = scan(
        consent=consent, user_id="u", landing_page_url="https://a.example/p?q=1#f", labels={"campaign": "spring"}
    )
    kept = (await stub.RegisterScanSession(pb.RegisterScanSessionRequest(scan_session=session))).scan_session
    assert (kept.user_id, kept.landing_page_url) == (user, "https://a.example/p" + url)
    assert kept.HasField("labels") is (consent != Consent.DENIED)


async def test_a_batch_is_one_append_and_answers_in_order(stub: ScanSessionServiceStub, spool: Spool) -> None:
    """All or none."""
    sent = [scan(number) for number in (3, 1, 3)]
    answer = await stub.BatchRegisterScanSessions(pb.BatchRegisterScanSessionsRequest(scan_sessions=sent))
    assert [session.scan_session_id for session in answer.scan_sessions] == ["scan-3", "scan-1", "scan-3"]
    assert [len(records) for records in spool.appends] == [3]


@pytest.mark.parametrize(
    ("fields", "violations"),
    [
        ({"site_id": ""}, [("site_id", "REQUIRED")]),
        ({"site_id": "not a site"}, [("site_id", "INVALID_FORMAT")]),
        ({"scan_session_id": "", "qr_code_id": ""}, [("scan_session_id", "REQUIRED"), ("qr_code_id", "REQUIRED")]),
        ({"scan_session_id": "s" * 129}, [("scan_session_id", "TOO_LONG")]),
        ({"qr_code_id": "x" * 129}, [("qr_code_id", "TOO_LONG")]),
        ({"user_id": "u" * 257}, [("user_id", "TOO_LONG")]),
        ({"user_id": "jane@gmail.com"}, [("user_id", "CONTAINS_EMAIL")]),
        ({"qr_code_id": "jane@gmail.com"}, [("qr_code_id", "CONTAINS_EMAIL")]),
        ({"labels": {"note": "jane@gmail.com"}}, [("labels.note", "CONTAINS_EMAIL")]),
        ({"labels": {"note": "x" * 10_241}}, [("labels", "TOO_LARGE")]),
        ({"consent": 9}, [("consent", "INVALID_ENUM")]),
    ],
    ids=str,
)
async def test_every_broken_rule_is_named_and_nothing_is_kept(
    stub: ScanSessionServiceStub, spool: Spool, fields: dict[str, str], violations: list[tuple[str, str]]
) -> None:
    """Single, and in a batch with its place there."""
    changes: dict[str, Any] = dict(fields)
    bad = scan(**changes)
    single = await refusal(stub.RegisterScanSession(pb.RegisterScanSessionRequest(scan_session=bad)))
    assert single == (grpc.StatusCode.INVALID_ARGUMENT, "SCAN_SESSION_REJECTED", violations)
    batch = pb.BatchRegisterScanSessionsRequest(scan_sessions=[scan(), bad])
    placed = [(f"scan_sessions[1].{field}", reason) for field, reason in violations]
    assert await refusal(stub.BatchRegisterScanSessions(batch)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "SCAN_SESSION_REJECTED",
        placed,
    )
    # Counted for the ledger: the wrong one alone, each time.
    refusals = [record.registration_refusal for [record] in spool.appends]
    site_id = bad.site_id if bad.site_id == "s" else ""
    assert [(one.site_id, one.number) for one in refusals] == [(site_id, 1)] * 2


@pytest.mark.parametrize(("number", "reason"), [(0, "REQUIRED"), (4, "TOO_MANY_SESSIONS")])
async def test_a_batch_has_bounds(stub: ScanSessionServiceStub, spool: Spool, number: int, reason: str) -> None:
    """At least one, at most as many as allowed."""
    batch = pb.BatchRegisterScanSessionsRequest(scan_sessions=[scan(n) for n in range(number)])
    code, said, violations = await refusal(stub.BatchRegisterScanSessions(batch))
    assert (code, said, violations) == (grpc.StatusCode.INVALID_ARGUMENT, reason, [("scan_sessions", reason)])
    assert spool.appends == []


async def test_a_full_spool_is_answered_as_for_events(stub: ScanSessionServiceStub, spool: Spool) -> None:
    """RESOURCE_EXHAUSTED, and nothing was kept."""
    spool.fault = SpoolFullError("full")
    code, reason, _violations = await refusal(
        stub.RegisterScanSession(pb.RegisterScanSessionRequest(scan_session=scan()))
    )
    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SPOOL_FULL")


async def test_reading_is_the_loaders(stub: ScanSessionServiceStub) -> None:
    """A worker has no store."""
    found = await stub.GetScanSession(pb.GetScanSessionRequest(site_id="s", scan_session_id="scan"))
    assert (found.scan_session.scan_session_id, found.scan_session.qr_code_id) == ("scan", "loader's")
