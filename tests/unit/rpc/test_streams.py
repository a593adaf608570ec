"""StreamServerEvents in process: order, flow control, and its end when the worker stops."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub, add_CollectorServiceServicer_to_server
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.app.circumstances import make_event_id
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.rpc.collector import STREAM_WINDOW, STREAM_WINDOW_BYTES, Collector
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.wrappers import Wrappers
from tests.support.opened import opening
from tests.support.patience import patient

TURNS = Turns()
Stub = CollectorServiceStub


class Spool:
    """Counts what is appended; keeps everybody waiting while its gate is shut."""

    def __init__(self) -> None:
        self.kept = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def append(self, records: Sequence[bytes], sites: Sequence[str]) -> None:
        """As SpoolWriter.append."""
        await self.gate.wait()
        self.kept += len(records)


class CountingCollector(Collector):
    """Counts the events that a stream has read."""

    read = 0

    async def StreamServerEvents(self, request_iterator: Any, context: Any) -> Any:
        """As Collector."""

        async def counted() -> AsyncIterator[Any]:
            async for request in request_iterator:
                self.read += 1
                yield request

        async for answer in super().StreamServerEvents(counted(), context):
            yield answer


@pytest.fixture
async def spool() -> Spool:
    """The spool behind the server."""
    return Spool()


@pytest.fixture
async def collector(spool: Spool) -> CountingCollector:
    """The servicer."""
    return CountingCollector(
        append=spool.append,
        new_arrival=lambda: Arrival(
            received_time_ms=1_790_000_000_000, retention_ms=400 * 86_400_000, make_event_id=make_event_id
        ),
        turns=TURNS,
    )


@pytest.fixture
async def stub(collector: CountingCollector) -> AsyncIterator[Stub]:
    """A direct caller of a real server."""
    # Windows that do not grow, on neither side: flow control begins at their 64 KiB.
    fixed = (("grpc.http2.bdp_probe", 0),)
    server = grpc.aio.server(interceptors=[Wrappers(opening=opening(TURNS))], options=fixed)
    add_CollectorServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=fixed) as channel:
        yield Stub(channel)
    await server.stop(0)


def request(number: int) -> pb.StreamServerEventsRequest:
    """A good event; every seventh is rejected."""
    event_id = f"00000000-0000-4000-8000-{number:012d}"
    name = "" if number % 7 == 6 else "lead"
    event = ServerEvent(site_id="s", event_id=event_id, scan_session_id="x", event_name=name)
    return pb.StreamServerEventsRequest(event=event)


async def settled(collector: CountingCollector, at_least: int = 1) -> int:
    """Events read, once as many were as must be, and no more are read for a while."""
    before = -1
    async with asyncio.timeout(patient(20)):
        while collector.read < at_least or before != collector.read:
            before = collector.read
            await asyncio.sleep(0.2)
    return before


def assert_in_order(receipts: Sequence[EventReceipt], number: int) -> None:
    """One receipt per event, in the order of the events."""
    assert [int(receipt.event_id[-12:]) for receipt in receipts] == list(range(number))
    rejected = {index for index, receipt in enumerate(receipts) if receipt.outcome == EventReceipt.REJECTED}
    assert rejected == set(range(6, number, 7))


async def receipts_until_stopped(stream: Any) -> list[EventReceipt]:
    """The receipts before the end, which must say that the worker stops and what to do."""
    receipts: list[EventReceipt] = []
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async for answer in stream:
            receipts.extend(answer.receipts)
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "open a new stream" in (ended.value.details() or "")
    status = Status.FromString(dict(ended.value.trailing_metadata())["grpc-status-details-bin"])
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == "STOPPING"
    return receipts


async def test_rejected_events_are_answered_in_their_place(stub: Stub, spool: Spool) -> None:
    """In and out: same count, same order."""
    requests = [request(number) for number in range(5_000)]
    receipts = [receipt async for answer in stub.StreamServerEvents(iter(requests)) for receipt in answer.receipts]
    assert_in_order(receipts, 5_000)
    assert spool.kept == 5_000


async def test_no_more_is_read_than_the_window_while_the_disk_waits(
    stub: Stub, spool: Spool, collector: CountingCollector
) -> None:
    """What a stream may hold in memory has a limit of its own, and nothing is lost at it."""
    spool.gate.clear()
    number = STREAM_WINDOW * 2
    stream = stub.StreamServerEvents(request(index) for index in range(number))
    assert await settled(collector, STREAM_WINDOW) == STREAM_WINDOW
    spool.gate.set()
    assert_in_order([receipt async for answer in stream for receipt in answer.receipts], number)


async def test_sender_that_does_not_read_is_held_by_flow_control(stub: Stub, collector: CountingCollector) -> None:
    """Receipts that are not read stop the reading of events; once they are read, all goes on."""
    number = 14_000
    taken = 0

    async def requests() -> AsyncIterator[pb.StreamServerEventsRequest]:
        nonlocal taken
        for index in range(number):
            taken += 1
            yield request(index)

    stream = stub.StreamServerEvents(requests())  # type: ignore[arg-type]  # a stub of grpc.aio
    assert await settled(collector) < number / 2
    assert taken < number
    assert_in_order([receipt async for answer in stream for receipt in answer.receipts], number)


async def test_idle_stream_ends_at_once_when_the_worker_stops(stub: Stub, collector: CountingCollector) -> None:
    """UNAVAILABLE, with a text that says to reconnect; and no new stream begins."""
    stream = stub.StreamServerEvents()  # type: ignore[call-arg]  # a stub of grpc.aio
    await stream.write(request(0))
    assert await settled(collector) == 1
    collector.end_streams()
    async with asyncio.timeout(patient(5)):
        assert_in_order(await receipts_until_stopped(stream), 1)
        assert await receipts_until_stopped(stub.StreamServerEvents()) == []  # type: ignore[call-arg]  # a stub of grpc.aio


async def test_stop_answers_first_what_was_read(stub: Stub, spool: Spool, collector: CountingCollector) -> None:
    """A receipt for every event that was taken, then the end."""
    spool.gate.clear()
    stream = stub.StreamServerEvents()  # type: ignore[call-arg]  # a stub of grpc.aio
    for number in range(20):
        await stream.write(request(number))
    assert await settled(collector, 20) == 20
    collector.end_streams()
    spool.gate.set()
    assert_in_order(await receipts_until_stopped(stream), 20)
    assert spool.kept == 20


async def test_stop_loses_no_event_at_the_edge_of_the_window(
    stub: Stub, spool: Spool, collector: CountingCollector
) -> None:
    """With more sent than the window holds: what was read has a receipt, what was not is not kept."""
    spool.gate.clear()
    stream = stub.StreamServerEvents(request(index) for index in range(STREAM_WINDOW + 100))
    read = await settled(collector, STREAM_WINDOW)
    collector.end_streams()
    spool.gate.set()
    assert_in_order(await receipts_until_stopped(stream), read)
    assert spool.kept == read


async def test_a_stream_holds_no_more_bytes_than_its_window(
    stub: Stub, collector: CountingCollector, spool: Spool
) -> None:
    """Large events: far fewer than the window has by count are read while the disk is stuck, and all are answered."""
    spool.gate.clear()
    title = "x" * 100_000
    fits = STREAM_WINDOW_BYTES // len(title)
    number = fits + 30
    event = ServerEvent(site_id="s", scan_session_id="x", event_name="lead", user_agent=title)

    async def requests() -> AsyncIterator[pb.StreamServerEventsRequest]:
        for _ in range(number):
            yield pb.StreamServerEventsRequest(event=event)

    receipts = 0
    call = stub.StreamServerEvents(requests())  # type: ignore[arg-type]  # the stubs know no asynchronous requests
    async with asyncio.timeout(patient(20)):
        reading = asyncio.create_task(call.read())
        assert await settled(collector) <= fits + 1
        spool.gate.set()
        answer = await reading
        while answer is not grpc.aio.EOF:
            receipts += len(answer.receipts)
            answer = await call.read()
    assert receipts == number
