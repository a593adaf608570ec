"""The composition root: builds the adapters and wires them into the three kinds of process.

`run_collector` is a worker, `run_loader` the loader, `supervise.node.run_node` the supervisor that starts them.
"""

import asyncio
import contextlib
import signal
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import grpc
import structlog
import uuid_utils
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server
from qrumb_server.config import ClickHouseSettings, RpcSettings, Settings
from qrumb_server.errors import StoreError, StoreRefusedError
from qrumb_server.loader.loop import Loader
from qrumb_server.model import RawEvent
from qrumb_server.pipeline.stamp import Receipt
from qrumb_server.ports import EventStore
from qrumb_server.query.sql import SqlQueries
from qrumb_server.query.v1.sql_service_pb2_grpc import add_SqlServiceServicer_to_server
from qrumb_server.rpc.collector import Collector
from qrumb_server.rpc.guard import Guard
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.store.connection import ServerOptions
from qrumb_server.store.ddl import Migration
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.store.server import ServerStore
from qrumb_server.supervise import sockets
from qrumb_server.supervise.child import EXIT_CONFIG
from qrumb_server.supervise.health import LOADER_STORE_SERVICE

__all__ = ["COLLECTOR_SERVICE", "SystemClock", "migrate_store", "open_store", "run_collector", "run_loader"]

log = structlog.get_logger()

COLLECTOR_SERVICE: Final = "qrumb.v1.CollectorService"
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING
# Event ids made from a request's id live in a namespace of their own.
EVENT_ID_NAMESPACE: Final = uuid.UUID("7d5a3e64-5f0b-5a55-9a53-0c7f3f1f2d11")
# A predecessor that was killed lets go of its files within moments; one that drains needs longer.
LOCK_TIMEOUT: Final = timedelta(seconds=30)
STORE_HEALTH_INTERVAL_SECONDS: Final = 0.5


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


class SteadyClock:
    """A clock that never goes back: where the machine's does, it stands still until that has caught up."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._latest_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC, never less than before."""
        self._latest_ms = max(self._latest_ms, self._clock.now_ms())
        return self._latest_ms


def open_store(settings: Settings) -> EventStore:
    """Open the ClickHouse that the settings name; migrated and checked, a server at its first use.

    Raises:
        ConfigError: it is in use.
        StoreRefusedError: its tables are not ours.
    """
    if settings.clickhouse.url is not None:
        return ServerStore(_server_options(settings.clickhouse))
    return EmbeddedStore.open(settings.clickhouse_dir, lock_timeout=LOCK_TIMEOUT)


def migrate_store(settings: Settings, *, is_dry_run: bool) -> Sequence[Migration]:
    """Bring the schema of the ClickHouse that the settings name up to date, or say what that would do.

    What is pending is returned; if nothing is, the tables are compared in a dry run as well.

    Raises:
        ConfigError: the embedded one is in use.
        StoreError: it cannot be done; names every difference.
    """
    if settings.clickhouse.url is None:
        pending = EmbeddedStore.pending(settings.clickhouse_dir)
        if not is_dry_run or not pending:
            EmbeddedStore.open(settings.clickhouse_dir).close()
        return pending
    with contextlib.closing(ServerStore(_server_options(settings.clickhouse))) as store:
        pending = store.pending()
        return pending if is_dry_run and pending else store.migrate()


def _server_options(clickhouse: ClickHouseSettings) -> ServerOptions:
    return ServerOptions(
        hosts=clickhouse.hosts,
        user=clickhouse.user,
        password=clickhouse.read_password(),
        secure=clickhouse.is_secure,
        ca_file=clickhouse.ca_file,
        compression=None if clickhouse.compression == "none" else clickhouse.compression,
        connect_timeout=clickhouse.connect_timeout,
        reply_timeout=clickhouse.reply_timeout,
        ping_timeout=clickhouse.ping_timeout,
        cluster=clickhouse.cluster,
    )


async def run_collector(settings: Settings, index: int) -> int:
    """One collector worker, until SIGTERM; returns the exit code."""
    stop = _stop_event()
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="disk")
    clock = SteadyClock(SystemClock())
    spool = await SpoolWriter.open(
        settings.spool_dir / f"worker-{index}",
        limits=_spool_limits(settings),
        executor=executor,
        clock=clock,
        lock_timeout=LOCK_TIMEOUT,
    )
    if any(asdict(spool.recovery).values()):
        log.info("spool_recovered", **asdict(spool.recovery))
    server = _grpc_server(settings.rpc)
    collector = Collector(
        append=spool.append,
        new_receipt=_receipts(clock, settings),
        max_batch_events=settings.rpc.max_batch_events,
    )
    add_CollectorServiceServicer_to_server(collector, server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(f"unix:{sockets.worker(index)}")
    server.add_insecure_port(f"{_bracketed(settings.grpc_host)}:{settings.grpc_port}")
    await server.start()
    for service in ("", COLLECTOR_SERVICE):
        await health.set(service, SERVING)
    log.debug("collector_serving", index=index)
    await stop.wait()
    await health.enter_graceful_shutdown()
    await server.stop(settings.rpc.drain_timeout.total_seconds())
    await spool.close()
    executor.shutdown()
    return 0


async def run_loader(settings: Settings) -> int:
    """The loader, until SIGTERM; returns the exit code."""
    stop = _stop_event()
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="store")
    try:
        store = await loop.run_in_executor(executor, open_store, settings)
    except StoreRefusedError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    loop.run_in_executor(executor, _use_first, store)
    loader = Loader(
        spool_root=settings.spool_dir,
        store=store,
        clock=SystemClock(),
        max_events=settings.loader.batch_max_events,
        poll_interval=settings.loader.poll_interval,
        retry_max_delay=settings.loader.retry_max_delay,
        refused_delay=settings.loader.refused_delay,
    )
    server = _grpc_server(settings.rpc)
    add_SqlServiceServicer_to_server(SqlQueries(store=store, executor=executor), server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(f"unix:{sockets.LOADER}")
    await server.start()
    await health.set("", SERVING)
    loading: asyncio.Future[Any] = loop.run_in_executor(executor, loader.run)
    telling = asyncio.create_task(_tell_store_health(loader, health))
    stopping: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    # Loading ends by itself only if it fails: then the process ends too, and is started again.
    await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await health.enter_graceful_shutdown()
    loader.drain()
    _done, late = await asyncio.wait({loading}, timeout=settings.loader.drain_timeout.total_seconds())
    if late:
        log.warning("loader_leaves_spool", last_error=loader.last_error)
        loader.stop()
    telling.cancel()
    stopping.cancel()
    await server.stop(1)
    await loading
    store.close()
    executor.shutdown()
    return 0


def _use_first(store: EventStore) -> None:
    """A server gets its tables at the first use: nobody should have to send an event for that."""
    try:
        store.query("SELECT 1")
    except StoreError as error:
        log.warning("store_not_ready", error=str(error), code=error.code)


async def _tell_store_health(loader: Loader, health: HealthServicer) -> None:
    while True:
        await health.set(LOADER_STORE_SERVICE, NOT_SERVING if loader.last_error else SERVING)
        await asyncio.sleep(STORE_HEALTH_INTERVAL_SECONDS)


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _grpc_server(rpc: RpcSettings) -> grpc.aio.Server:
    age_ms = rpc.max_connection_age // timedelta(milliseconds=1)
    return grpc.aio.server(
        interceptors=[Guard()],
        options=[
            ("grpc.so_reuseport", 1),
            ("grpc.max_receive_message_length", rpc.max_message_bytes),
            ("grpc.max_metadata_size", rpc.max_metadata_bytes),
            ("grpc.absolute_max_metadata_size", rpc.max_metadata_bytes),
            ("grpc.max_connection_age_ms", age_ms),
            ("grpc.max_connection_age_grace_ms", rpc.drain_timeout // timedelta(milliseconds=1)),
        ],
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _spool_limits(settings: Settings) -> SpoolLimits:
    spool = settings.spool
    return SpoolLimits(
        segment_max_records=spool.segment_max_records,
        segment_max_bytes=spool.segment_max_bytes,
        seal_after=spool.seal_after,
        max_bytes=spool.max_bytes // settings.workers,
        min_free_bytes=spool.min_free_bytes,
    )


def _receipts(clock: SteadyClock, settings: Settings) -> Callable[[], Receipt]:
    retention_ms = settings.retention // timedelta(milliseconds=1)

    def new_receipt() -> Receipt:
        return Receipt(received_time_ms=clock.now_ms(), retention_ms=retention_ms, make_event_id=_make_event_id)

    return new_receipt


def _make_event_id(event: RawEvent) -> str:
    """The same id for the same request and place, so that the gateway's retry is the same event."""
    if event.caller.request_id:
        return str(uuid.uuid5(EVENT_ID_NAMESPACE, f"{event.caller.request_id}/{event.index}"))
    return str(uuid_utils.uuid7())
