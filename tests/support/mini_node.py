"""A node in one process: real servicers, spool, loader and ClickHouse, on a clock that stands until it is told to move.

What differs from `qrumb serve`: no gateway (its facts are sent as it would state them, over the workers' unix sockets),
no timer seals a segment (a test says when), and one store may serve many nodes in turn, kept apart by site_id. The
clock ticks one millisecond before each call, so that events are received in the order in which they were sent.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import grpc

from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub, add_CollectorServiceServicer_to_server
from qrumb.v1.privacy_service_pb2_grpc import PrivacyServiceStub, add_PrivacyServiceServicer_to_server
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub, add_QueryServiceServicer_to_server
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub, add_ScanSessionServiceServicer_to_server
from qrumb_server.app.circumstances import make_event_id
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.progress import Progress
from qrumb_server.loader.races import SETTLED_SECONDS
from qrumb_server.metrics import new_registry
from qrumb_server.model import SitePolicy
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.ports import Asking, Clock, EventStore, ReadLimits, TableBatch
from qrumb_server.query.charts import Charts
from qrumb_server.query.reads import Reads
from qrumb_server.query.reports import Reports
from qrumb_server.query.service import Previews, Queries, SessionQueries
from qrumb_server.rpc.caller import remember
from qrumb_server.rpc.collector import Collector
from qrumb_server.rpc.preview import ask_loader
from qrumb_server.rpc.scan_sessions import ScanSessions
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.spool.reader import list_sealed
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.upkeep.erase import Eraser
from qrumb_server.upkeep.export import Exporter
from qrumb_server.upkeep.replay import Replay
from qrumb_server.upkeep.rescore import Rescore
from qrumb_server.upkeep.service import Privacy, Upkeep
from qrumb_server.upkeep.split import Splitter
from qrumb_server.upkeep.sums_check import SumsCheck
from qrumb_server.upkeep.verify import LedgerCheck
from qrumb_server.watch.watcher import Watcher
from qrumb_server.wire.v1.attribution_service_pb2_grpc import add_AttributionServiceServicer_to_server
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub, add_UpkeepServiceServicer_to_server
from tests.support.loading import usual_reading
from tests.support.opened import opening
from tests.support.patience import patient
from tests.support.spool_limits import spool_limits

__all__ = ["AGENT_KEY", "FaultyInserts", "LoaderDied", "MiniNode", "SettableClock", "running_mini_node"]

# A gRPC client cannot choose its user-agent, the gateway can: what is sent under this key is taken for it.
AGENT_KEY = "x-test-user-agent"
RETENTION_MS = 400 * 86_400_000
WINDOW = timedelta(milliseconds=500)
NEVER = timedelta(days=1)
LOAD_SECONDS = 30
# What is waited for takes a tenth of a second, and each look 0.2 ms of a processor that the loader could have.
POLL_SECONDS = 0.01
LIMITS = ReadLimits(max_seconds=60, max_memory_bytes=1 << 30, max_rows=10_000_000, max_threads=1)
WORKERS = 2

Context = grpc.aio.ServicerContext[Any, Any]


class SettableClock:
    """A clock that stands."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._passed_seconds = 0.0

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return self._now_ms

    def monotonic(self) -> float:
        """Seconds for the ages of caches: goes on by what the clock goes forward, and never back."""
        return self._passed_seconds

    def set(self, now_ms: int) -> None:
        """Move it, in either direction."""
        self._passed_seconds += max(0, now_ms - self._now_ms) / 1000
        self._now_ms = now_ms

    def tick(self) -> None:
        """One millisecond."""
        self.set(self._now_ms + 1)


class _WatchedClock:
    """Tells that the clock was read."""

    def __init__(self, clock: SettableClock) -> None:
        self._clock = clock
        self.was_read = threading.Event()

    def now_ms(self) -> int:
        self.was_read.set()
        return self._clock.now_ms()


class _WatchedEraser(Eraser):
    """Tells when it begins to wait for the spool."""

    def __init__(
        self, *, store: EventStore, loader: Loader, spool_root: Path, clock: Clock, waits: threading.Event
    ) -> None:
        super().__init__(store=store, loader=loader, spool_root=spool_root, clock=clock)
        self._waits = waits

    def _wait_for_spool(self) -> None:
        self._waits.set()
        super()._wait_for_spool()


class LoaderDied(BaseException):
    """Stands for the death of the loader's process in the middle of an insert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    table: str
    is_stored: bool
    error: BaseException


class FaultyInserts:
    """A store whose next inserts into a table go wrong when told to; all else is the real one's."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._faults: list[_Fault] = []
        self.poison: Callable[[TableBatch], BaseException | None] = lambda _batch: None
        """What a batch is refused with as a whole, where it is."""

    def fail_next(self, table: str, error: BaseException, *, is_stored: bool) -> None:
        """Let the next insert into `table` raise, after or instead of storing its rows."""
        self._faults.append(_Fault(table=table, is_stored=is_stored, error=error))

    def recover(self) -> None:
        """Forget the faults that have not happened."""
        self._faults.clear()

    def insert(self, batch: TableBatch) -> None:
        """As the port says."""
        with self._going_wrong(batch):
            self._store.insert(batch)

    def insert_missing(self, batch: TableBatch) -> None:
        """As the port says."""
        with self._going_wrong(batch):
            self._store.insert_missing(batch)

    @contextlib.contextmanager
    def _going_wrong(self, batch: TableBatch) -> Iterator[None]:
        if refusal := self.poison(batch):
            raise refusal
        fault = next((fault for fault in self._faults if fault.table == batch.table), None)
        if fault is None:
            yield
            return
        self._faults.remove(fault)
        if not fault.is_stored:
            raise fault.error
        yield
        raise fault.error

    def prove_again(self) -> None:
        self._store.prove_again()

    def confirm(self, batches: Sequence[TableBatch]) -> None:
        """As the store's own."""
        self._store.confirm(batches)

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, asking: Asking | None = None
    ) -> list[dict[str, Any]]:
        """As the port says."""
        return self._store.query(sql, parameters, asking)

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """As the port says."""
        self._store.mutate(sql, parameters)

    def export(self, sql: str, output_format: str) -> Iterator[bytes]:
        """As the port says."""
        return self._store.export(sql, output_format)

    def close(self) -> None:
        """The store is its opener's."""


async def _forward_nothing(_method: str, _request: bytes, _context: object) -> bytes:
    raise AssertionError("sessions are asked for at the loader's own socket")


class MiniNode:
    """One node; see the module. Use `running_mini_node`.

    Args:
        folder: its spool and sockets.
        store: where rows go.
        clock: the time of all its parts.
        policies: what sites want; may change while it runs.
        enrichers: what a collector knows of addresses.
    """

    def __init__(
        self,
        folder: Path,
        store: EventStore,
        clock: SettableClock,
        *,
        policies: Mapping[str, SitePolicy],
        enrichers: Enrichers | None = None,
        is_alone: bool = False,
    ) -> None:
        self.clock = clock
        self._is_alone = is_alone
        self.store = FaultyInserts(store)
        self.spool_root = folder / "spool"
        self._folder = folder
        self._policies = policies
        self._enrichers = enrichers or Enrichers()
        self._executor = ThreadPoolExecutor(4, thread_name_prefix="mini-node")
        self._disks: list[ThreadPoolExecutor] = []
        self._servers: list[grpc.aio.Server] = []
        self._channels: list[grpc.aio.Channel] = []
        self._writers: list[SpoolWriter] = []
        self._loader: Loader
        self._loading: asyncio.Future[None] | None = None
        self._erasing_waits = threading.Event()
        self._reads: Reads | None = None
        self.gateway: list[CollectorServiceStub] = []
        """The way through the gateway to each worker."""
        self.direct: list[CollectorServiceStub] = []
        """The way past it."""
        self.sessions: list[ScanSessionServiceStub] = []

    async def start(self) -> None:
        """Workers, loader, services."""
        self.spool_root.mkdir()
        for index in range(WORKERS):
            await self._start_worker(index)
        await self.start_loader()
        server = grpc.aio.server(interceptors=[Wrappers()])
        self._reads = Reads(self.store, max_concurrent=2, max_wait=timedelta(seconds=LOAD_SECONDS), limits=LIMITS)
        is_embedded = isinstance(self.store, EmbeddedStore)
        writes, seen = (self.store.written, self.store.seen) if is_embedded else (None, None)
        reports = Reports(store=self._reads, spool_root=self.spool_root, clock=self.clock, seen=seen)
        charts = Charts(store=self._reads, clock=self.clock, writes=writes)
        add_QueryServiceServicer_to_server(Queries(reports=reports, charts=charts, reads=self._reads), server)
        read_sessions = SessionQueries(reports=reports, reads=self._reads)
        add_ScanSessionServiceServicer_to_server(read_sessions, server)
        check = LedgerCheck(
            store=self.store,
            loader=self.loader,
            clock=self.clock,
            policy=self._policy,
            spool_root=self.spool_root,
            progress=Progress(),
        )
        watcher = Watcher(
            store=self.store,
            clock=self.clock,
            watches=dict,
            limits=LIMITS,
            is_alone=True,
            progress=Progress(),
            registry=new_registry(),
        )
        upkeep = Upkeep(
            reports=reports,
            replay=self._replay(),
            rescore=self._rescore(),
            check=check,
            sums_check=SumsCheck(store=self.store, changes=self.loader.changes, clock=self.clock, progress=Progress()),
            splitter=Splitter(store=self.store, loader=self.loader, clock=self.clock),
            watcher=watcher,
            executor=self._executor,
        )
        add_UpkeepServiceServicer_to_server(upkeep, server)
        eraser = _WatchedEraser(
            store=self.store,
            loader=self.loader,
            spool_root=self.spool_root,
            clock=self.clock,
            waits=self._erasing_waits,
        )
        exporter = Exporter(store=self.store, loader=self.loader, spool_root=self.spool_root)
        privacy = Privacy(eraser=eraser, exporter=exporter, executor=self._executor)
        add_PrivacyServiceServicer_to_server(privacy, server)
        previews = Previews(
            store=self.store,
            spool_root=self.spool_root,
            monotonic=self.clock.monotonic,
            policy=self._policy,
            executor=self._executor,
        )
        add_AttributionServiceServicer_to_server(previews, server)
        channel = await self._serve(server, "loader")
        self.queries = QueryServiceStub(channel)
        self.session_queries = ScanSessionServiceStub(channel)
        self.upkeep = UpkeepServiceStub(channel)
        self.privacy = PrivacyServiceStub(channel)
        self._preview_channel = channel

    async def stop(self) -> None:
        """End everything; safe after a start that failed."""
        for channel in self._channels:
            await channel.close()
        for server in self._servers:
            await server.stop(None)
        for writer in self._writers:
            await writer.close()
        await self._end_loader()
        for executor in (*self._disks, self._executor):
            executor.shutdown()
        if self._reads is not None:
            self._reads.close()

    @property
    def loader(self) -> Loader:
        """The loader that runs now, under a name that survives its restarts."""
        return cast("Loader", _Current(self))

    async def seal(self, worker: int | None = None) -> None:
        """Let one worker, or all of them in turn, hand over what they have."""
        for index, writer in enumerate(self._writers):
            if worker in (None, index):
                await writer.seal()

    async def load(self) -> None:
        """Seal, and wait until the loader has let go of everything. Raises what the loader died of."""
        await self.seal()
        await self.wait_for_loader()

    async def wait_for_loader(self) -> None:
        """Until nothing sealed is left."""
        async with asyncio.timeout(patient(LOAD_SECONDS)):
            while list_sealed(self.spool_root):
                assert self._loading is not None
                if self._loading.done():
                    self._loading.result()
                    raise AssertionError("the loader ended by itself")
                await asyncio.sleep(POLL_SECONDS)
        # Segments are released before the turn ends; what reads caches must come after.
        with self._loader.exclusively(timedelta(seconds=LOAD_SECONDS)):
            pass

    async def settle_races(self) -> None:
        """Wait until the loader has looked again for what another one stored at the same moment."""
        self.clock.set(self.clock.now_ms() + int(SETTLED_SECONDS * 1000))
        async with asyncio.timeout(patient(LOAD_SECONDS)):
            while self._loader._races._waiting:
                await asyncio.sleep(POLL_SECONDS)

    async def restart_loader(self) -> None:
        """A new loader in place of one that was told to stop, or has died."""
        await self._end_loader()
        await self.start_loader()

    async def start_loader(self) -> None:
        """Returns when it runs; what is received later is younger than it."""
        clock = _WatchedClock(self.clock)
        self._loader = Loader(
            spool_root=self.spool_root,
            store=self.store,
            clock=clock,
            monotonic=self.clock.monotonic,
            policy=self._policy,
            max_events=10_000,
            seal_after=WINDOW,
            poll_interval=timedelta(milliseconds=2),
            retry_max_delay=timedelta(milliseconds=2),
            refused_delay=timedelta(milliseconds=2),
            is_alone=self._is_alone,
            reading=usual_reading(),
        )
        self._loading = asyncio.get_running_loop().run_in_executor(self._executor, self._loader.run)
        while not clock.was_read.is_set():
            await asyncio.sleep(POLL_SECONDS)
        self.clock.tick()

    async def erase(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """An erasure: the workers seal as soon as it waits for the spool, as their timers would let them."""
        self._erasing_waits.clear()
        erasing = asyncio.ensure_future(call())
        while not self._erasing_waits.is_set() and not erasing.done():
            await asyncio.sleep(POLL_SECONDS)
        await self.seal()
        return await erasing

    async def _end_loader(self) -> None:
        if self._loading is not None:
            self._loader.stop()
            with contextlib.suppress(LoaderDied):
                await self._loading

    async def _start_worker(self, index: int) -> None:
        disk = ThreadPoolExecutor(1)
        self._disks.append(disk)
        limits = spool_limits(min_free_bytes=0, seal_after=NEVER)
        folder = self.spool_root / f"worker-{index}"
        spool = await SpoolWriter.open(folder, limits=limits, executor=disk, clock=self.clock)
        self._writers.append(spool)
        turns = Turns()
        server = grpc.aio.server(interceptors=[Wrappers(opening=opening(turns)), _ChosenAgent()])
        preview = ask_loader(lambda: self._preview_channel)
        collector = Collector(append=spool.append, new_arrival=self.new_arrival, turns=turns, preview=preview)
        add_CollectorServiceServicer_to_server(collector, server)
        sessions = ScanSessions(
            append=spool.append, new_arrival=self.new_arrival, turns=turns, forward=_forward_nothing
        )
        add_ScanSessionServiceServicer_to_server(sessions, server)
        port = server.add_insecure_port("127.0.0.1:0")
        channel = await self._serve(server, f"worker-{index}")
        self.gateway.append(CollectorServiceStub(channel))
        self.sessions.append(ScanSessionServiceStub(channel))
        past = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._channels.append(past)
        self.direct.append(CollectorServiceStub(past))

    async def _serve(self, server: grpc.aio.Server, name: str) -> grpc.aio.Channel:
        socket = f"unix:{self._folder / name}.sock"
        server.add_insecure_port(socket)
        await server.start()
        self._servers.append(server)
        channel = grpc.aio.insecure_channel(socket)
        self._channels.append(channel)
        return channel

    def new_arrival(self) -> Arrival:
        """The circumstances of this moment, as a worker sees them."""
        enrichers = Enrichers(
            locate=self._enrichers.locate,
            is_data_centre=self._enrichers.is_data_centre,
            address_key=self._enrichers.address_key,
            policy=self._policy,
        )
        return Arrival(
            received_time_ms=self.clock.now_ms(),
            retention_ms=RETENTION_MS,
            make_event_id=make_event_id,
            enrichers=enrichers,
        )

    async def append(self, worker: int, records: Sequence[bytes]) -> None:
        """Into a worker's spool, without a call."""
        await self._writers[worker].append(records)

    def _policy(self, site_id: str) -> SitePolicy:
        return self._policies.get(site_id) or SitePolicy()

    def _replay(self) -> Replay:
        return Replay(
            store=self.store,
            loader=self.loader,
            clock=self.clock,
            retention_ms=RETENTION_MS,
            enrichers=Enrichers(policy=self._policy),
        )

    def _rescore(self) -> Rescore:
        return Rescore(
            store=self.store,
            loader=self.loader,
            monotonic=self.clock.monotonic,
            policy=self._policy,
            retention_ms=RETENTION_MS,
        )


class _Current:
    """Passes everything on to the loader that the node has now."""

    def __init__(self, node: MiniNode) -> None:
        self._node = node

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node._loader, name)


class _ChosenAgent(grpc.aio.ServerInterceptor):
    """Lets a caller choose its user-agent, as the gateway passes on the browser's."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Only unary calls are made here."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler.unary_unary:
            return handler

        async def call(request: Any, context: Any) -> Any:
            chosen = _AgentContext(context)
            remember(chosen.invocation_metadata())  # the wrappers, which come first, have remembered what was sent
            return await handler.unary_unary(request, chosen)

        return grpc.unary_unary_rpc_method_handler(
            call, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )


class _AgentContext:
    """A call's context with the chosen agent."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        sent = tuple(self._context.invocation_metadata() or ())
        chosen = dict(sent).get(AGENT_KEY)
        if chosen is None:
            return sent
        return (*((key, value) for key, value in sent if key not in ("user-agent", AGENT_KEY)), ("user-agent", chosen))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


@contextlib.asynccontextmanager
async def running_mini_node(
    folder: Path, store: EventStore, clock: SettableClock, **more: Any
) -> AsyncIterator[MiniNode]:
    """A started node, ended afterwards."""
    node = MiniNode(folder, store, clock, **more)
    try:
        await node.start()
        yield node
    finally:
        await node.stop()
