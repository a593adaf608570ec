"""Registrations as JSON, in process: bodies in, the contract's JSON out, and nothing dropped or changed unsaid."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.rpc.faults import STATUS_DETAILS_KEY
from qrumb_server.rpc.json_scans import add_json_scans
from qrumb_server.rpc.scan_sessions import ScanSessions
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.wire.v1.record_pb2 import Record
from tests.support.opened import opening

NOW = "2026-09-21T14:13:20.123Z"
ARRIVAL = Arrival(
    received_time_ms=1_790_000_000_123, retention_ms=400 * 86_400_000, make_event_id=lambda _event: "never asked"
)
METHODS = "/qrumb_server.wire.v1.JsonCollectorService/"
GOOD = {"site_id": "s", "scan_session_id": "scan", "qr_code_id": "qr"}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


class Edge:
    """A server, what it keeps, and a caller as the gateway is."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.channel: Any = None

    async def append(self, records: Sequence[bytes], _sites: Sequence[str]) -> None:
        """As SpoolWriter.append."""
        self.records += map(Record.FromString, records)

    async def post(self, body: bytes, *, is_batch: bool = False, query: str = "") -> dict[str, Any]:
        """The answer to a body."""
        name = "BatchRegisterScanSessions" if is_batch else "RegisterScanSession"
        call = self.channel.unary_unary(METHODS + name, HttpBody.SerializeToString, HttpBody.FromString)
        answer = await call(HttpBody(data=body), metadata=(("x-envoy-original-path", f"/scan-sessions{query}"),))
        assert answer.content_type == "application/json"
        read: dict[str, Any] = json.loads(answer.data)
        return read

    async def refusal(
        self, body: bytes, *, is_batch: bool = False, query: str = ""
    ) -> tuple[str, list[tuple[str, str]], str]:
        """Reason, fields with their rules, and the whole text of a body that is refused."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.post(body, is_batch=is_batch, query=query)
        details = next(value for key, value in caught.value.trailing_metadata() or () if key == STATUS_DETAILS_KEY)
        info, bad = ErrorInfo(), BadRequest()
        status = Status.FromString(details)
        for one in status.details:
            one.Unpack(info)
            one.Unpack(bad)
        return info.reason, [(one.field, one.reason) for one in bad.field_violations], str(status)

    @property
    def refused(self) -> list[tuple[str, int]]:
        """What the ledger will count as rejected."""
        kept = [one.registration_refusal for one in self.records if one.HasField("registration_refusal")]
        return [(one.site_id, one.number) for one in kept]


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    """Served on a unix socket."""
    edge, turns = Edge(), Turns()
    server = grpc.aio.server(interceptors=[Wrappers(opening=opening(turns))])

    async def forward(_method: str, _request: bytes, _context: object) -> bytes:
        raise AssertionError

    add_json_scans(ScanSessions(append=edge.append, new_arrival=lambda: ARRIVAL, turns=turns, forward=forward), server)
    server.add_insecure_port(f"unix:{tmp_path / 'edge'}")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'edge'}") as edge.channel:
        yield edge
    await server.stop(0)


def body(**fields: object) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def said(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["field"], one["code"]) for one in answer["warnings"]]


async def test_a_scan_is_answered_as_the_gateway_writes_messages(edge: Edge) -> None:
    """Both spellings of names; values for what is not set; the labels as they were sent."""
    answer = await edge.post(body(labels={"campaign": "spring", "n": [1, None]}, userId="u", requestMethod="get"))
    assert answer == {
        "scan_session": {
            **GOOD,
            "scan_time": NOW,
            "user_id": "u",
            "consent": "CONSENT_UNSPECIFIED",
            "client_ip": "",
            "request_method": "get",
            "is_prefetch": False,
            "referrer": "",
            "landing_page_url": "",
            "labels": {"campaign": "spring", "n": [1, None]},
        },
        "warnings": [],
    }
    assert str(answer["scan_session"]["labels"]["n"]) == "[1, None]"  # not 1.0
    [record] = edge.records
    assert record.session_registration.facts.labels == '{"campaign":"spring","n":[1,null]}'


@pytest.mark.parametrize(
    ("fields", "warnings"),
    [
        ({"label": {"a": 1}}, [("label", "MISPLACED_FIELD")]),
        ({"is_prefetsch": True}, [("is_prefetsch", "UNKNOWN_FIELD")]),
        ({"client_hints": {"foo": 1}}, [("client_hints.foo", "UNKNOWN_FIELD")]),
        ({"scan_time": "noon"}, [("scan_time", "LEFT_OUT")]),
        ({"scan_time": {"foo": 1}}, [("scan_time", "LEFT_OUT")]),
        ({"scan_time": "0000-01-01T00:00:00Z"}, [("scan_time", "LEFT_OUT")]),
        ({"scan_time": "2126-01-01T00:00:00Z"}, [("scan_time", "CLOCK_CORRECTED")]),
        ({"scan_time": 1_790_000_000}, [("scan_time", "TIME_INTERPRETED")]),
        ({"client_ip": 7}, [("client_ip", "LEFT_OUT")]),
        ({"user_agent": ["x"]}, [("user_agent", "LEFT_OUT")]),
        ({"client_hints": "x"}, [("client_hints", "LEFT_OUT")]),
        ({"is_prefetch": "perhaps"}, [("is_prefetch", "LEFT_OUT")]),
        ({"is_prefetch": "true"}, []),
        ({"user_id": "undefined"}, [("user_id", "LEFT_OUT")]),
        ({"user_id": None, "labels": None, "scan_time": ""}, []),
    ],
    ids=str,
)
async def test_what_cannot_be_used_costs_no_scan_and_is_said(
    edge: Edge, fields: dict[str, Any], warnings: list[tuple[str, str]]
) -> None:
    """Alone, and in a batch with its place there."""
    assert said(await edge.post(body(**fields))) == warnings
    batch = json.dumps({"scan_sessions": [GOOD, {**GOOD, **fields}]}).encode()
    answer = await edge.post(batch, is_batch=True)
    assert said(answer) == [(f"scan_sessions[1].{field}", code) for field, code in warnings]
    assert len(answer["scan_sessions"]) == 2
    assert len(edge.records) == 3


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (body(consent="jane@gmail.com"), [("consent", "INVALID_ENUM")]),
        (body(labels="jane@gmail.com 203.0.113.7"), [("labels", "INVALID_JSON")]),
        (body(labels={"a": "jane@gmail.com"}), [("labels.a", "CONTAINS_EMAIL")]),
        (body(qr_code_id="{{qr}}"), [("qr_code_id", "PLACEHOLDER")]),
        (body(qr_code_id=7), [("qr_code_id", "INVALID_JSON")]),
        (body()[:-1] + b',"scan_session_id":"other"}', [("scan_session_id", "DUPLICATE_KEY")]),
        (body()[:-1] + b',"scanSessionId":"other"}', [("scan_session_id", "DUPLICATE_KEY")]),
        (b"{nope jane@gmail.com 203.0.113.7", [("", "INVALID_JSON")]),
        (b'{"site_id":"s","client_ip":203.0.113.7}', [("", "INVALID_JSON")]),
        (b"null", [("", "INVALID_JSON")]),
        (b"[]", [("", "INVALID_JSON")]),
        (b'{"scan_session":{}}', [("scan_session", "INVALID_JSON")]),
        (b"", [("", "INVALID_JSON")]),
    ],
    ids=str,
)
async def test_what_is_refused_is_named_counted_and_not_quoted(
    edge: Edge, text: bytes, fields: list[tuple[str, str]]
) -> None:
    reason, found, whole = await edge.refusal(text)
    assert (reason, found) == ("SCAN_SESSION_REJECTED", fields)
    assert "jane" not in whole
    assert "203.0" not in whole
    assert [number for _site, number in edge.refused] == [1]


@pytest.mark.parametrize(
    ("items", "fields"),
    [
        ([GOOD, None], [("scan_sessions[1]", "INVALID_JSON")]),
        ([7], [("scan_sessions[0]", "INVALID_JSON")]),
        ([GOOD, {**GOOD, "labels": 7}], [("scan_sessions[1].labels", "INVALID_JSON")]),
    ],
    ids=str,
)
async def test_each_session_of_a_batch_has_its_place(
    edge: Edge, items: list[object], fields: list[tuple[str, str]]
) -> None:
    """None is dropped; the list has either name."""
    for name in ("scan_sessions", "scanSessions"):
        reason, found, _whole = await edge.refusal(json.dumps({name: items}).encode(), is_batch=True)
        assert (reason, found) == ("SCAN_SESSION_REJECTED", fields)
    assert [record.HasField("session_registration") for record in edge.records] == [False, False]


async def test_a_batch_that_is_none_is_one_rejection(edge: Edge) -> None:
    for text in (b"{}", b"[]", b'{"scan_sessions":{}}', b'{"scan_sessions":[],"scan_sessions":[]}', b"\xff"):
        reason, fields, _whole = await edge.refusal(text, is_batch=True)
        assert (reason, fields) == ("SCAN_SESSION_REJECTED", [("", "INVALID_JSON")])
    assert edge.refused == [("", 1)] * 5
    assert (await edge.refusal(b'{"scan_sessions":[]}', is_batch=True))[0] == "REQUIRED"
    many = json.dumps({"scan_sessions": [GOOD] * 1001}).encode()
    assert (await edge.refusal(many, is_batch=True))[0] == "TOO_MANY_SESSIONS"


async def test_what_stands_beside_the_sessions_is_said(edge: Edge) -> None:
    answer = await edge.post(json.dumps({"scan_sessions": [GOOD], "validate_only": True}).encode(), is_batch=True)
    assert said(answer) == [("scan_sessions[0]", "UNKNOWN_FIELD")]


async def test_warnings_that_are_not_listed_are_counted(edge: Edge) -> None:
    """A thousand are listed; the last says how many more there are."""
    wrong = {**GOOD, "client_ip": "nope", "referrer": "nowhere"}
    answer = await edge.post(json.dumps({"scan_sessions": [wrong] * 700}).encode(), is_batch=True)
    assert len(answer["warnings"]) == 1_000
    assert answer["warnings"][-1]["description"] == "401 more warnings of this batch are not listed"


async def test_an_agent_that_is_too_long_is_not_known_and_an_empty_one_is_none(edge: Edge) -> None:
    """Only the second is a mark."""
    for agent, marks in ((FIREFOX + "x" * 3_000, []), ("", ["missing_agent"]), (None, []), (FIREFOX, [])):
        edge.records.clear()
        await edge.post(body(user_agent=agent))
        assert list(edge.records[0].session_registration.facts.fraud_reasons) == marks


@pytest.mark.parametrize("is_batch", [False, True], ids=["single", "batch"])
async def test_an_address_asks_for_no_dry_run_and_may_say_all_else(edge: Edge, *, is_batch: bool) -> None:
    """Who only wants to look finds nothing registered; what others put there is not looked at, as of events."""
    text = json.dumps({"scan_sessions": [GOOD]} if is_batch else GOOD).encode()
    reason, fields, _text = await edge.refusal(text, is_batch=is_batch, query="?validate_only=true")
    assert (reason, [field for field, _rule in fields]) == ("SESSION_DRY_RUN", ["validate_only"])
    assert edge.records == []
    await edge.post(text, is_batch=is_batch, query="?utm_source=x&foo=1&validate_only=false")
    assert len(edge.records) == 1
