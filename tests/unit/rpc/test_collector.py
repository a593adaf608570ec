"""The gRPC edge in process: what each fault is answered, and that nothing of the inside gets out."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from google.rpc.status_pb2 import Status

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub, add_CollectorServiceServicer_to_server
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.app.circumstances import make_event_id
from qrumb_server.errors import SiteShareError, SpoolFailedError, SpoolFullError
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.rpc.collector import Collector
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.wire.v1.record_pb2 import Record
from tests.support.opened import opening

TURNS = Turns()
NOW_MS = 1_790_000_000_000
REQUEST = pb.CollectBrowserEventRequest(event=BrowserEvent(site_id="s", event_type="click"))


class Spool:
    """Keeps what is appended, or raises."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.fault: Exception | None = None

    async def append(self, records: Sequence[bytes], sites: Sequence[str]) -> None:
        """As SpoolWriter.append."""
        await asyncio.sleep(0)
        if self.fault:
            raise self.fault
        self.records.extend(Record.FromString(record) for record in records)


@pytest.fixture
async def spool() -> Spool:
    """The spool behind the server."""
    return Spool()


@pytest.fixture(params=["python", "compiled"])
async def target(spool: Spool, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """A server with one port and one unix socket, as a worker has; without the package both are the same."""
    collector = Collector(
        append=spool.append,
        new_arrival=lambda: Arrival(
            received_time_ms=NOW_MS, retention_ms=400 * 86_400_000, make_event_id=make_event_id
        ),
        turns=TURNS,
    )
    server = grpc.aio.server(
        interceptors=[Wrappers(opening=opening(TURNS, by_python=request.param == "python"))],
        options=[("grpc.max_receive_message_length", 32 * 1024 * 1024)],
    )
    add_CollectorServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.add_insecure_port(f"unix:{tmp_path / 'gateway.sock'}")
    await server.start()
    yield port
    await server.stop(0)


@pytest.fixture
async def stub(target: int) -> AsyncIterator[CollectorServiceStub]:
    """A direct caller."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{target}") as channel:
        yield CollectorServiceStub(channel)


async def refusal(call: Any) -> tuple[grpc.aio.AioRpcError, dict[str, Any]]:
    """The error of a call and its details by type."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    trailers = dict(refused.value.trailing_metadata())
    status = Status.FromString(trailers["grpc-status-details-bin"])
    assert status.code == refused.value.code().value[0]
    details = {}
    for detail in status.details:
        kind = getattr(error_details_pb2, detail.type_url.rpartition(".")[2])
        message = kind()
        detail.Unpack(message)
        details[kind.__name__] = message
    return refused.value, details


@pytest.mark.parametrize(
    ("fault", "code", "reason", "retry_after"),
    [
        (SpoolFullError("x"), grpc.StatusCode.RESOURCE_EXHAUSTED, "SPOOL_FULL", "5"),
        (SiteShareError("x", "loud"), grpc.StatusCode.RESOURCE_EXHAUSTED, "SITE_SPOOL_SHARE", "5"),
        (SpoolFailedError("x"), grpc.StatusCode.UNAVAILABLE, "SPOOL_FAILED", "1"),
        (RuntimeError("secret jane@example.org"), grpc.StatusCode.INTERNAL, "INTERNAL", None),
    ],
    ids=["full", "share", "failed", "bug"],
)
async def test_fault_of_the_spool_is_answered_by_the_table(
    stub: CollectorServiceStub,
    spool: Spool,
    fault: Exception,
    code: grpc.StatusCode,
    reason: str,
    retry_after: str | None,
) -> None:
    """Code, reason and retry-after are ours; the exception's text stays inside."""
    spool.fault = fault
    error, details = await refusal(stub.CollectBrowserEvent(REQUEST))
    assert error.code() == code
    assert details["ErrorInfo"].reason == reason
    assert details["ErrorInfo"].metadata["help_url"].endswith(f"/errors#{reason.lower()}")
    assert dict(error.trailing_metadata()).get("retry-after") == retry_after
    assert ("RetryInfo" in details) == (retry_after is not None)
    assert "secret" not in str(error)


async def test_each_violation_and_warning_says_where_it_is_explained(stub: CollectorServiceStub) -> None:
    """In a receipt; and in the error of a single call, whose violations have no room for it, as links."""
    late = BrowserEvent(site_id="s", event_type="click", event_time=Timestamp(seconds=1))
    wrong = BrowserEvent(event_id="no", event_type="click")
    request = pb.BatchCollectBrowserEventsRequest(events=[late, wrong])
    warned, rejected = (await stub.BatchCollectBrowserEvents(request)).receipts
    assert [warning.help_url for warning in warned.warnings] == ["https://qrumb.dev/errors#clock_corrected"]
    urls = ["https://qrumb.dev/errors#invalid_uuid", "https://qrumb.dev/errors#required"]
    assert sorted(violation.help_url for violation in rejected.violations) == urls
    _error, details = await refusal(stub.CollectBrowserEvent(pb.CollectBrowserEventRequest(event=wrong)))
    assert {link.description: link.url for link in details["Help"].links} == dict(
        zip(["INVALID_UUID", "REQUIRED"], urls, strict=True)
    )
    assert details["ErrorInfo"].metadata["help_url"] == "https://qrumb.dev/errors#event_rejected"


async def test_batch_is_kept_all_or_nothing(stub: CollectorServiceStub, spool: Spool) -> None:
    """A fault refuses the whole request; afterwards every event of it is one record, rejected ones included."""
    events = [BrowserEvent(site_id=site, event_type="click") for site in ("s", "", "s")]
    request = pb.BatchCollectBrowserEventsRequest(events=events)
    spool.fault = SpoolFullError("full")
    await refusal(stub.BatchCollectBrowserEvents(request))
    assert spool.records == []
    spool.fault = None
    answer = await stub.BatchCollectBrowserEvents(request)
    outcomes = [receipt.outcome for receipt in answer.receipts]
    assert outcomes == [EventReceipt.ACCEPTED, EventReceipt.REJECTED, EventReceipt.ACCEPTED]
    kinds = [record.WhichOneof("kind") for record in spool.records]
    assert kinds == ["accepted_event", "dead_letter", "accepted_event"]
    assert [receipt.event_id for receipt in answer.receipts] == [
        spool.records[0].accepted_event.row.event_id,
        spool.records[1].dead_letter.event_id,
        spool.records[2].accepted_event.row.event_id,
    ]


async def test_violations_are_bounded(stub: CollectorServiceStub) -> None:
    """A reply's details travel in one header, so a hostile event cannot make it too large for a client."""
    event = BrowserEvent(site_id="s")
    for number in range(400):
        event.metadata.fields[f"key{number}"].string_value = "jane@example.org"
    error, details = await refusal(stub.CollectBrowserEvent(pb.CollectBrowserEventRequest(event=event)))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert 1 <= len(details["BadRequest"].field_violations) <= 50
    assert "jane" not in str(error)


async def test_forged_gateway_headers_are_not_believed(stub: CollectorServiceStub, spool: Spool) -> None:
    """On the direct port the ids come from us, whatever x-request-id says."""
    forged = (("x-request-id", "11111111-1111-4111-8111-111111111111"), ("x-client-ip", "192.0.2.1"))
    made = [(await stub.CollectBrowserEvent(REQUEST, metadata=forged)).receipt.event_id for _ in range(2)]
    assert made[0] != made[1]
    assert {uuid.UUID(event_id).version for event_id in made} == {7}


async def test_gateway_retry_is_the_same_event(spool: Spool, target: int, tmp_path: Path) -> None:
    """On the gateway's socket the same request id and place give the same event_id."""
    metadata = (("x-request-id", "11111111-1111-4111-8111-111111111111"),)
    request = pb.BatchCollectBrowserEventsRequest(events=[REQUEST.event, REQUEST.event])
    async with grpc.aio.insecure_channel(f"unix:{tmp_path / 'gateway.sock'}") as channel:
        stub = CollectorServiceStub(channel)
        first = await stub.BatchCollectBrowserEvents(request, metadata=metadata)
        second = await stub.BatchCollectBrowserEvents(request, metadata=metadata)
    ids = [receipt.event_id for receipt in first.receipts]
    assert ids == [receipt.event_id for receipt in second.receipts]
    assert len(set(ids)) == 2


async def test_stream_ends_with_the_fault_of_its_spool(stub: CollectorServiceStub, spool: Spool) -> None:
    """A full spool ends the stream with RESOURCE_EXHAUSTED; receipts before it stand."""

    async def requests() -> AsyncIterator[pb.StreamServerEventsRequest]:
        event = ServerEvent(site_id="s", scan_session_id="x", event_name="lead")
        yield pb.StreamServerEventsRequest(event=event)
        while not spool.records:
            await asyncio.sleep(0.01)
        spool.fault = SpoolFullError("full")
        yield pb.StreamServerEventsRequest(event=event)

    answers = []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async for answer in stub.StreamServerEvents(requests()):  # type: ignore[arg-type]  # a stub of grpc.aio
            answers.append(answer)  # noqa: PERF401  (what came before the error counts)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert sum(len(answer.receipts) for answer in answers) == 1


async def test_undecodable_message_ends_a_stream_clearly(target: int) -> None:
    """INVALID_ARGUMENT, not INTERNAL."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{target}") as channel:
        streaming: Any = channel.stream_stream("/qrumb.v1.CollectorService/StreamServerEvents")
        call = streaming(iter([b"\xff\xff"]))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            async for _ in call:
                pass
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_dead_letter_holds_no_personal_data(stub: CollectorServiceStub, spool: Spool) -> None:
    """What is buried is redacted: no e-mail address, no client address, no agent."""
    event = ServerEvent(
        site_id="s", scan_session_id="x", event_name="", client_ip="203.0.113.9", user_agent="Agent/1 jane@example.org"
    )
    event.properties.fields["mail"].string_value = "jane@example.org"
    event.properties.fields["nan"].number_value = float("nan")
    await refusal(stub.CollectServerEvent(pb.CollectServerEventRequest(event=event)))
    [record] = spool.records
    kept = record.SerializeToString()
    for secret in (b"jane", b"203.0.113.9", b"Agent/1"):
        assert secret not in kept
    assert '"nan":"nan"' in record.dead_letter.payload


async def test_an_event_that_is_too_large_is_rejected_in_its_place(stub: CollectorServiceStub, spool: Spool) -> None:
    """By its size alone: its neighbours are taken, and the dead letter says whose it was."""
    large = BrowserEvent(site_id="s", event_id=str(uuid.UUID(int=7)), page_title="x" * 200_000)
    events = [BrowserEvent(site_id="s", event_type="a"), large, BrowserEvent(site_id="s", event_type="b")]
    answer = await stub.BatchCollectBrowserEvents(pb.BatchCollectBrowserEventsRequest(events=events))
    assert [receipt.outcome for receipt in answer.receipts] == [
        EventReceipt.ACCEPTED,
        EventReceipt.REJECTED,
        EventReceipt.ACCEPTED,
    ]
    [violation] = answer.receipts[1].violations
    assert (violation.reason, answer.receipts[1].event_id) == (violation.TOO_LARGE, large.event_id)
    letter = spool.records[1].dead_letter
    assert (letter.site_id, letter.event_id) == ("s", large.event_id)
    error, _details = await refusal(stub.CollectBrowserEvent(pb.CollectBrowserEventRequest(event=large)))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("number", [1, 1000], ids=["one field", "many events"])
async def test_a_call_over_the_limit_of_a_batch_is_refused_as_a_whole(
    stub: CollectorServiceStub, spool: Spool, number: int
) -> None:
    """Whatever is in it: sending it again cannot cure that, so no code says so."""
    event = BrowserEvent(site_id="s", page_title="x" * (5 * 1024 * 1024 // number))
    error, details = await refusal(
        stub.BatchCollectBrowserEvents(pb.BatchCollectBrowserEventsRequest(events=[event] * number))
    )
    assert (error.code(), details["ErrorInfo"].reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BODY_TOO_LARGE")
    assert "RetryInfo" not in details
    assert not spool.records


async def test_an_event_that_cannot_be_decoded_is_named(stub: CollectorServiceStub, target: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{target}") as channel:
        call: Any = channel.unary_unary("/qrumb.v1.CollectorService/BatchCollectBrowserEvents")
        error, details = await refusal(call(b"\x0a\x00\x0a\x01\xff"))
    assert (error.code(), details["ErrorInfo"].reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNDECODABLE")
    assert details["BadRequest"].field_violations[0].field == "events[1]"
