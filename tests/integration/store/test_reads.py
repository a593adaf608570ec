"""Questions are bounded and end with their callers: on the real engine, and on one behind the native protocol."""

import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub, add_QueryServiceServicer_to_server
from qrumb_server.errors import StoreUnavailableError
from qrumb_server.ports import Asking, ReadLimits
from qrumb_server.query.funnels import follow_scans
from qrumb_server.query.reads import Reads
from qrumb_server.query.service import Queries
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.store.errors import CANCELLED
from qrumb_server.store.server import ServerStore
from tests.support.native_front import NativeFront
from tests.support.patience import patient
from tests.support.server_options import options_for

pytestmark = pytest.mark.chdb

LONG = "SELECT count() AS n FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number))"
MANY = 1 << 40
LIMITS = ReadLimits(max_seconds=600, max_memory_bytes=1 << 30, max_rows=0, max_threads=1)


@asynccontextmanager
async def reads_of(store: Any, **more: Any) -> AsyncIterator[Reads]:
    plain: dict[str, Any] = {"max_concurrent": 1, "max_wait": timedelta(seconds=patient(20)), "limits": LIMITS}
    reads = Reads(store, **(plain | more))
    try:
        yield reads
    finally:
        await asyncio.to_thread(reads.close)


def running(store: EmbeddedStore) -> int:
    [row] = store.query("SELECT count() AS n FROM system.processes WHERE query LIKE '/* question %'")
    return int(row["n"])


async def until(condition: Any) -> None:
    async with asyncio.timeout(patient(30)):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.02)


async def test_a_caller_that_leaves_ends_its_statement(store: EmbeddedStore) -> None:
    """And frees its place for the next, long before the limit of time."""
    async with reads_of(store) as reads:
        asked = asyncio.create_task(reads.run(lambda: reads.query(LONG)))
        await until(lambda: running(store) == 1)
        asked.cancel()
        await until(lambda: running(store) == 0)
        assert await reads.run(lambda: reads.query("SELECT 1 AS n")) == [{"n": 1}]


async def test_a_statement_that_ends_late_keeps_no_other_from_ending() -> None:
    """Each is told at once that its caller has left."""
    begun, ended, freed = threading.Semaphore(0), threading.Event(), threading.Event()

    class Obeying:
        def query(self, sql: str, _parameters: object, asking: Asking) -> None:
            told = threading.Event()
            with asking.statement(told.set):
                begun.release()
                told.wait()
                (freed.wait if sql == "late" else ended.set)()
            raise StoreUnavailableError("the caller has left", CANCELLED)

    async with reads_of(Obeying(), max_concurrent=2) as reads:
        for sql in ("late", "soon"):
            asked = asyncio.create_task(reads.run(lambda sql=sql: reads.query(sql)))
            await until(begun.acquire)
            asked.cancel()
        try:
            await until(ended.is_set)
        finally:
            freed.set()


async def test_a_call_that_is_cancelled_ends_its_statement(store: EmbeddedStore) -> None:
    """Through a real gRPC server."""

    class Slow:
        def count(self, _request: pb.CountEventsRequest) -> pb.CountEventsResponse:
            reads.query(LONG)
            raise AssertionError("it never ends")

    async with reads_of(store) as reads:
        server = grpc.aio.server(interceptors=[Wrappers()])
        service = Queries(reports=cast("Any", None), charts=cast("Any", Slow()), reads=reads)
        add_QueryServiceServicer_to_server(service, server)
        with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
            server.add_insecure_port(f"unix:{folder}/s.sock")
            await server.start()
            async with grpc.aio.insecure_channel(f"unix:{folder}/s.sock") as channel:
                call = QueryServiceStub(channel).CountEvents(pb.CountEventsRequest(site_id="shop"))
                await until(lambda: running(store) == 1)
                call.cancel()
                await until(lambda: running(store) == 0)
            await server.stop(None)


async def test_more_questions_than_places_are_told_to_wait(store: EmbeddedStore) -> None:
    held = threading.Event()
    async with reads_of(store, max_wait=timedelta(seconds=0.05)) as reads:
        first = asyncio.create_task(reads.run(held.wait))
        await asyncio.sleep(0)
        with pytest.raises(RequestFault) as caught:
            await reads.run(lambda: None)
        assert caught.value.reason is calls.QUERIES_BUSY
        held.set()
        await first
        await until(lambda: True)
        assert await reads.run(lambda: 1) == 1


@pytest.mark.parametrize(
    ("changed", "sql", "what"),
    [
        ({"max_seconds": 1}, LONG, "time"),
        ({"max_rows": 1_000}, "SELECT sum(number) AS n FROM numbers(1000000)", "rows"),
        ({"max_memory_bytes": 64 << 20}, "SELECT groupArray(number) AS n FROM numbers(50000000)", "memory"),
    ],
    ids=["time", "rows", "memory"],
)
async def test_what_takes_too_much_says_of_what(
    store: EmbeddedStore, changed: dict[str, int], sql: str, what: str
) -> None:
    plain = {"max_seconds": 60, "max_memory_bytes": 1 << 30, "max_rows": 0, "max_threads": 1}
    async with reads_of(store, limits=ReadLimits(**(plain | changed))) as reads:
        with pytest.raises(RequestFault) as caught:
            await reads.run(lambda: reads.query(sql))
    assert caught.value.reason is calls.QUERY_TOO_LARGE
    assert what in caught.value.message


def test_a_question_without_a_caller_is_not_begun(store: EmbeddedStore) -> None:
    asking = Asking(LIMITS)
    asking.end()
    with pytest.raises(StoreUnavailableError) as caught:
        store.query("SELECT 1", None, asking)
    assert caught.value.code == CANCELLED


@pytest.fixture
def front(tmp_path: Path) -> Iterator[NativeFront]:
    opened = NativeFront(tmp_path / "server")
    yield opened
    opened.close()


def test_a_server_is_left_at_once(front: NativeFront) -> None:
    """The connection breaks; the host is not held for dead by it."""
    store = ServerStore(options_for(front.port))
    store.query("SELECT 1")
    asking = Asking(LIMITS)
    failed: list[StoreUnavailableError] = []

    def ask() -> None:
        try:
            store.query("SELECT sum(sleepEachRow(0.1)) AS n FROM numbers(20)", None, asking)
        except StoreUnavailableError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    asking.end()
    thread.join(patient(10))
    assert [error.code for error in failed] == [CANCELLED]
    assert store.query("SELECT 1 AS n") == [{"n": 1}]
    store.close()


async def test_a_funnel_reads_what_its_range_needs(store: EmbeddedStore) -> None:
    """Not the history of the site: 300,000 events, of which eight lie in the range, in at most 100,000 rows."""
    for events, sessions, days in ((300_000, 30_000, 90), (8, 2, 1)):
        store.mutate(
            "INSERT INTO events.valid_events (event_id, event_time, received_time, site_id, scan_session_id, "
            "event_type, source, segment_id, segment_row) SELECT generateUUIDv4(number), toDateTime64(now() - 86400 * "
            f"{days} + 1, 3, 'UTC') AS time, time, 'shop', concat('s-{days}-', toString(number % {sessions})), "
            f"'pageview', 'browser', 'a', number FROM numbers({events})"
        )
        store.mutate(
            "INSERT INTO events.scan_sessions (site_id, scan_session_id, qr_code_id, scan_time, received_time, version,"
            f" segment_id, segment_row) SELECT 'shop', concat('s-{days}-', toString(number)), 'poster', "
            f"toDateTime64(now() - 86400 * {days}, 3, 'UTC') AS time, time, 1, 'b', number FROM numbers({sessions})"
        )
    request = pb.GetFunnelRequest(site_id="shop", from_time=Timestamp(seconds=int(time.time()) - 3 * 86_400))
    limits = ReadLimits(max_seconds=60, max_memory_bytes=1 << 30, max_rows=100_000, max_threads=1)
    async with reads_of(store, limits=limits) as reads:
        now_ms = int(time.time() * 1000)
        [funnel] = (await reads.run(lambda: follow_scans(reads, request, now_ms))).funnels
        assert (funnel.scan_count, funnel.visit_count) == (2, 2)
        with pytest.raises(RequestFault):
            await reads.run(lambda: reads.query("SELECT sum(is_fraud) AS n FROM events.valid_events"))
