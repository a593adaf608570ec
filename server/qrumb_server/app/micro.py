"""`qrumb micro`: a collector worker and a loader in one process, for tests. Its parts are a node's.

What differs: no Envoy (`micro.edge` stands for it), no supervisor, no timer that seals. Instead all that was accepted
is loaded before a question is answered, so that a test needs no pause between sending and asking; a test that asks
nothing of the store costs it nothing. The worker's spool and the loader's are two folders: what is moved from the one
to the other is loaded, and what is not yet can be dropped by `reset`.
"""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import uvicorn
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from qrumb.v1.status_service_pb2 import GetStatusRequest, GetStatusResponse, ProcessStatus
from qrumb.v1.status_service_pb2_grpc import StatusServiceServicer, add_StatusServiceServicer_to_server
from qrumb_server import __version__
from qrumb_server.app.collector import run_collector
from qrumb_server.app.loader import run_loader
from qrumb_server.app.servers import inner_server, inner_wrappers, stop_event
from qrumb_server.config import RpcSettings, Settings, TracesSettings
from qrumb_server.enrich.address_key import KEY_BYTES
from qrumb_server.errors import ConfigError
from qrumb_server.gateway.options import Limits
from qrumb_server.gateway.render import JSON_SERVICE, SERVICES, descriptor_set, replies
from qrumb_server.loader.loop import Loader
from qrumb_server.micro.edge import Edge
from qrumb_server.micro.local import LocalServer
from qrumb_server.micro.questions import Questions
from qrumb_server.micro.routes import Routes
from qrumb_server.micro.seen import Seen
from qrumb_server.ports import EventStore
from qrumb_server.rpc.durations import CallDurations
from qrumb_server.rpc.forward import FORWARDED
from qrumb_server.rpc.wrappers import Method, Streams, Unary, Wrapper
from qrumb_server.spool.reader import list_sealed, release
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.supervise import sockets

__all__ = ["MicroPorts", "run_micro"]

Context = grpc.aio.ServicerContext[Any, Any]

# A worker's own timer never comes: `_Flow.load` seals.
NEVER: Final = timedelta(days=365)
LOAD_PATIENCE: Final = timedelta(seconds=30)
POLL_SECONDS: Final = 0.002
LOADERS_POLL: Final = timedelta(milliseconds=10)
# A test keeps its connection, and may think for longer than the 5 s that a server gives strangers.
KEEP_ALIVE_SECONDS: Final = 3600
WORKER: Final = "worker-0"
# Of the database's tables the one that says what schema it has.
KEPT_TABLE: Final = "schema_migrations"
# The view leaves out duplicates, and the other side's copy of an event.
_ROWS: Final = (
    "SELECT * FROM events.{table} WHERE site_id = {{site:String}} AND event_id IN {{ids:Array(UUID)}} "
    "ORDER BY received_time, segment_id, segment_row"
)
# Dry runs look up what was accepted before them.
_LOADED_BEFORE: Final = ("/qrumb.v1.", "/qrumb_server.wire.v1.AttributionService/")
_TO_LOADER: Final = (*FORWARDED, "/qrumb.v1.ScanSessionService/Get")
_TO_STATUS: Final = "/qrumb.v1.StatusService/"


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroPorts:
    """Where it is reached."""

    http: int
    grpc: int


@dataclass(slots=True, kw_only=True)
class _Flow:
    """From the worker's spool to the tables, when it is wanted."""

    inbox: Path
    outbox: Path
    spool: "asyncio.Future[SpoolWriter]" = field(default_factory=asyncio.Future)
    loading: "asyncio.Future[tuple[Loader, EventStore]]" = field(default_factory=asyncio.Future)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _has_rows: bool = False

    async def load(self) -> None:
        """Return when all that was accepted until now is in its table."""
        async with self._turn:
            await (await self.spool).seal()
            refs = list_sealed(self.inbox)
            for ref in refs:
                ref.path.rename(self.outbox / WORKER / ref.path.name)
            if not refs:
                return
            self._has_rows = True
            async with asyncio.timeout(LOAD_PATIENCE.total_seconds()):
                while list_sealed(self.outbox):  # noqa: ASYNC110  (the loader is a thread that does not notify)
                    await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self._after_the_batch, lambda _loader, _store: None)

    async def empty(self) -> None:
        """Drop everything: what waits, what is stored, and what the loader remembers of it."""
        async with self._turn:
            await (await self.spool).seal()
            for ref in list_sealed(self.inbox):
                release(ref)
            if self._has_rows:
                await asyncio.to_thread(self._after_the_batch, _empty_tables)
                self._has_rows = False

    async def look_up(self, site_id: str, event_ids: Sequence[str]) -> Sequence[dict[str, Any]]:
        """Rows of events, in the order of their arrival; attributed as late as now, where they count."""
        await self.load()
        _loader, store = await self.loading
        parameters = {"site": site_id, "ids": event_ids}
        rows = await asyncio.to_thread(store.query, _ROWS.format(table="valid_events"), parameters)
        attributed = await asyncio.to_thread(store.query, _ROWS.format(table="attributed_events"), parameters)
        by_place = {(row["segment_id"], row["segment_row"]): row for row in attributed}
        return [row | by_place.get((row["segment_id"], row["segment_row"]), {}) for row in rows]

    def _after_the_batch(self, do: Callable[[Loader, EventStore], None]) -> None:
        loader, store = self.loading.result()
        with loader.exclusively(LOAD_PATIENCE):
            do(loader, store)


def _empty_tables(loader: Loader, store: EventStore) -> None:
    tables = store.query("SELECT name FROM system.tables WHERE database = 'events' AND total_rows > 0")
    for table in tables:
        if table["name"] != KEPT_TABLE:
            store.mutate(f"TRUNCATE TABLE events.{table['name']}")
    loader.begin_anew()


class _Loaded:
    """Wrapper: a question waits until all that was accepted before it can be read."""

    def __init__(self, load: Callable[[], Awaitable[None]], inner: Wrapper | None) -> None:
        self._load = load
        self._inner = inner

    def unary(self, method: Method, call: Unary) -> Unary:
        async def loaded(request: Any, context: Context) -> Any:
            await self._load()
            return await call(request, context)

        waiting = loaded if method.name.startswith(_LOADED_BEFORE) else call
        return self._inner.unary(method, waiting) if self._inner else waiting

    def streams(self, method: Method, call: Streams) -> Streams:
        return self._inner.streams(method, call) if self._inner else call


class _Status(StatusServiceServicer):
    async def GetStatus(  # noqa: N802  (the RPC's name)
        self,
        request: GetStatusRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> GetStatusResponse:
        process = ProcessStatus(name="micro", serving=True)
        return GetStatusResponse(condition=GetStatusResponse.READY, processes=[process], version=__version__)


async def run_micro(settings: Settings, announce: Callable[[MicroPorts], None], until: Awaitable[Any]) -> int:
    """Serve until a signal, or until `until` is done; returns the exit code.

    Args:
        settings: paths and ports are absolute and known; the working folder is the run folder.
        announce: told once it serves.
    """
    stop, loading_stop = stop_event(), asyncio.Event()
    flow, seen = _Flow(inbox=settings.spool_dir, outbox=settings.data_dir / "loading" / "spool"), Seen()
    (flow.outbox / WORKER).mkdir(parents=True)
    new_server, local = _servers(flow)
    # First: its thread opens the database while the other one warms up.
    loading = asyncio.create_task(
        run_loader(
            _for_loader(settings),
            stop=loading_stop,
            new_server=new_server,
            serving=lambda loader, store: flow.loading.set_result((loader, store)),
        )
    )
    collecting = asyncio.create_task(
        run_collector(
            _for_collector(settings),
            0,
            secrets.token_bytes(KEY_BYTES),
            stop=stop,
            new_server=new_server,
            watch=seen.add,
            serving=flow.spool.set_result,
        )
    )
    ending = asyncio.create_task(_end(stop, until))
    try:
        await _all_or_first_fault(asyncio.gather(flow.spool, flow.loading), collecting, loading)
        async with _serving_http(settings, local, flow, seen) as port:
            announce(MicroPorts(http=port, grpc=settings.grpc_port))
            await asyncio.wait({collecting, loading, ending}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        await asyncio.wait({collecting})
        loading_stop.set()
        await asyncio.wait({loading})
        ending.cancel()
    return max(collecting.result(), loading.result())


async def _end(stop: asyncio.Event, until: Awaitable[Any]) -> None:
    """When the process is to end."""
    waits = {asyncio.ensure_future(until), asyncio.ensure_future(stop.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)


async def _all_or_first_fault(ready: "asyncio.Future[Any]", *running: "asyncio.Task[int]") -> None:
    await asyncio.wait({ready, *running}, return_when=asyncio.FIRST_COMPLETED)
    for task in running:
        if task.done():
            task.result()
            raise SystemExit(1)


def _for_collector(settings: Settings) -> Settings:
    """Python judges, so that every verdict can be shown; the compiled way would say the same."""
    spool = settings.spool.model_copy(update={"seal_after": NEVER})
    rpc = settings.rpc.model_copy(update={"compiled": False, "drain_timeout": timedelta(0)})
    return settings.model_copy(update={"spool": spool, "rpc": rpc, "traces": TracesSettings()})


def _for_loader(settings: Settings) -> Settings:
    loader = settings.loader.model_copy(update={"poll_interval": LOADERS_POLL, "drain_timeout": timedelta(seconds=1)})
    return settings.model_copy(
        update={"loader": loader, "data_dir": settings.data_dir / "loading", "traces": TracesSettings()}
    )


def _servers(flow: _Flow) -> tuple[Callable[..., Any], list[LocalServer]]:
    """What makes the servers of worker and loader, and a list of those that have been made: the worker's, the loader's
    own, and its one for callers from outside."""
    made: list[LocalServer] = []

    def new_server(
        rpc: RpcSettings,
        *,
        traces: Wrapper | None = None,
        durations: CallDurations | None = None,
        opening: Wrapper | None = None,
        access: Wrapper | None = None,
        arriving: Callable[[], None] = lambda: None,
    ) -> Any:
        if opening is None:  # of the loader
            access = _Loaded(flow.load, access)
        server = inner_server(
            rpc, traces=traces, durations=durations, opening=opening, access=access, arriving=arriving
        )
        wrappers = inner_wrappers(
            rpc, traces=traces, durations=durations, opening=opening, access=access, arriving=arriving
        )
        made.append(LocalServer(server, wrappers))
        return made[-1]

    return new_server, made


@asynccontextmanager
async def _serving_http(
    settings: Settings, local: Sequence[LocalServer], flow: _Flow, seen: Seen
) -> AsyncIterator[int]:
    status = LocalServer(inner_server(settings.rpc), inner_wrappers(settings.rpc))
    add_StatusServiceServicer_to_server(_Status(), status)  # type: ignore[arg-type]
    status.add_insecure_port(f"unix:{sockets.STATUS}")
    await status.start()
    collector = next(one for one in local if one.serves("/qrumb.v1.CollectorService/CollectPixel"))
    public = [one for one in local if one.serves("/qrumb.v1.QueryService/GetReceipt")][-1]
    limits = {"max_body_bytes": settings.rpc.max_event_bytes, "max_batch_bytes": settings.rpc.max_batch_bytes}
    edge = Edge(
        Routes(FileDescriptorSet.FromString(descriptor_set(settings.gateway)), [*SERVICES, JSON_SERVICE]),
        servers=[*((method, public) for method in _TO_LOADER), (_TO_STATUS, status), ("/", collector)],
        replies=replies({**asdict(Limits()), **limits}),
        tests=Questions(seen=seen, look_up=flow.look_up, load=flow.load, reset=flow.empty).answer,
        **limits,
    )
    with _listening(settings.http_host, settings.http_port) as listening:
        quiet = uvicorn.Config(
            edge, http="h11", lifespan="off", log_config=None, access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS
        )
        quiet.load()
        # Its parts in place of `serve`, which would take over the signals of the process.
        server = uvicorn.Server(quiet)
        server.lifespan = quiet.lifespan_class(quiet)
        await server.startup(sockets=[listening])
        try:
            yield listening.getsockname()[1]
        finally:
            await server.shutdown(sockets=[listening])
            await status.stop(None)


def _listening(host: str, port: int) -> socket.socket:
    """By the protocol's number, as asyncio turns Nagle's algorithm off only where it sees that: 40 ms an answer."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(f"{host}:{port}: cannot listen there: {error.strerror}; see --http-port") from error
    listening.listen()
    return listening
