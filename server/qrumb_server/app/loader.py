"""The loader: spool in, store out; and all that reads or changes the store."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from qrumb.v1.privacy_service_pb2_grpc import add_PrivacyServiceServicer_to_server
from qrumb.v1.query_service_pb2_grpc import add_QueryServiceServicer_to_server
from qrumb.v1.scan_session_service_pb2_grpc import add_ScanSessionServiceServicer_to_server
from qrumb_server.access.admission import Admission
from qrumb_server.access.quota import Quotas
from qrumb_server.access.registry import SiteRegistry
from qrumb_server.app.clock import SystemClock
from qrumb_server.app.servers import NewServer, inner_server, stop_event
from qrumb_server.app.stores import open_store
from qrumb_server.config import QueriesSettings, Settings
from qrumb_server.errors import StoreError, StoreRefusedError, StoreUnavailableError
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.progress import Progress
from qrumb_server.metrics import metrics_text, new_registry
from qrumb_server.model import TABLE_RETENTION_MS
from qrumb_server.pipeline.stamp import Enrichers
from qrumb_server.ports import EventStore, ReadLimits
from qrumb_server.query.charts import Charts
from qrumb_server.query.reads import Reads
from qrumb_server.query.reports import Reports
from qrumb_server.query.service import Previews, Queries, SessionQueries, SqlQueries
from qrumb_server.rpc.access import Access
from qrumb_server.rpc.durations import CallDurations
from qrumb_server.rpc.health import Health
from qrumb_server.store.backup import NOTE
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.supervise import sockets
from qrumb_server.supervise.child import EXIT_CONFIG
from qrumb_server.supervise.process import Process
from qrumb_server.upkeep.backup import Backup
from qrumb_server.upkeep.erase import Eraser
from qrumb_server.upkeep.export import Exporter
from qrumb_server.upkeep.replay import Replay
from qrumb_server.upkeep.rescore import Rescore
from qrumb_server.upkeep.retention import Retention
from qrumb_server.upkeep.service import Privacy, Upkeep
from qrumb_server.upkeep.split import Splitter
from qrumb_server.upkeep.verify import LedgerCheck
from qrumb_server.wire.v1.attribution_service_pb2_grpc import add_AttributionServiceServicer_to_server
from qrumb_server.wire.v1.process_service_pb2 import GetLoadingResponse
from qrumb_server.wire.v1.process_service_pb2_grpc import add_ProcessServiceServicer_to_server
from qrumb_server.wire.v1.sql_service_pb2_grpc import add_SqlServiceServicer_to_server
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import add_UpkeepServiceServicer_to_server

__all__ = ["run_loader"]

log = structlog.get_logger()

RETENTION_INTERVAL_SECONDS: Final = 3_600.0
CHECK_INTERVAL_SECONDS: Final = 3_600.0
# After a start without the store.
CHECK_RETRY_SECONDS: Final = 30.0
# Parts that were merged away stay for 480 s.
PROVE_INTERVAL_SECONDS: Final = 10.0
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
# Threads of their own, so that a flood of slow queries holds up neither loading nor an erasure. Together they are as
# many as the embedded store has places for statements, beside those of questions; READERS have the node's own commands
# and dry runs.
LOADERS: Final = 1
READERS: Final = 3
CHANGERS: Final = 2


async def run_loader(
    settings: Settings,
    *,
    stop: asyncio.Event | None = None,
    new_server: NewServer = inner_server,
    serving: Callable[[Loader, EventStore], None] = lambda _loader, _store: None,
) -> int:
    """The loader, until SIGTERM; returns the exit code.

    Args:
        stop: ends it; none: SIGTERM does.
        new_server: makes its servers: the node's own without rules of access, then the one for callers from outside.
        serving: told when it serves.
    """
    stop, parent = stop or stop_event(), os.getppid()
    loop = asyncio.get_running_loop()
    loading_thread = ThreadPoolExecutor(LOADERS, thread_name_prefix="load")
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="read")
    changers = ThreadPoolExecutor(CHANGERS, thread_name_prefix="change")
    registry = new_registry()
    progress = Progress(registry)
    try:
        store = await loop.run_in_executor(loading_thread, open_store, settings, progress.parts_set_aside)
    except StoreRefusedError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CONFIG
    clock = SystemClock()
    loop.run_in_executor(readers, _use_first, store)
    sites = settings.open_sites()
    loader = Loader(
        spool_root=settings.spool_dir,
        store=store,
        clock=clock,
        monotonic=time.monotonic,
        policy=sites.policy,
        max_events=settings.loader.batch_max_events,
        seal_after=settings.spool.seal_after,
        poll_interval=settings.loader.poll_interval,
        retry_max_delay=settings.loader.retry_max_delay,
        refused_delay=settings.loader.refused_delay,
        progress=progress,
        is_alone=isinstance(store, EmbeddedStore),
    )
    server = new_server(settings.rpc)
    access = Access(Admission(sites, clock), quotas=Quotas(share=1, monotonic=time.monotonic))
    public_server = new_server(settings.rpc, durations=CallDurations(registry), access=access)
    add_SqlServiceServicer_to_server(SqlQueries(store=store, executor=readers), server)
    previews = Previews(
        store=store,
        spool_root=settings.spool_dir,
        monotonic=time.monotonic,
        policy=sites.policy,
        executor=readers,
    )
    add_AttributionServiceServicer_to_server(previews, server)
    reads = Reads(
        store,
        max_concurrent=settings.queries.max_concurrent,
        max_wait=settings.queries.max_wait,
        limits=_limits(settings.queries),
    )
    reports = Reports(store=reads, spool_root=settings.spool_dir, clock=clock)
    charts = Charts(store=reads, clock=clock)
    for each in (server, public_server):
        add_QueryServiceServicer_to_server(Queries(reports=reports, charts=charts, reads=reads), each)
        # Each process has one half of ScanSessionService; the base class answers UNIMPLEMENTED for the other.
        add_ScanSessionServiceServicer_to_server(SessionQueries(reports=reports, reads=reads), each)  # type: ignore[abstract]
        eraser = Eraser(store=store, loader=loader, spool_root=settings.spool_dir, clock=clock)
        exporter = Exporter(store=store, loader=loader, spool_root=settings.spool_dir)
        add_PrivacyServiceServicer_to_server(Privacy(eraser=eraser, exporter=exporter, executor=changers), each)
    check = LedgerCheck(
        store=store, loader=loader, clock=clock, policy=sites.policy, spool_root=settings.spool_dir, progress=progress
    )
    _add_upkeep(server, settings, sites, store=store, loader=loader, reports=reports, check=check, executor=changers)
    process = Process(metrics=lambda: metrics_text(registry), loading=lambda: _loading(loader, progress))
    add_ProcessServiceServicer_to_server(process, server)
    health = Health()
    for each in (server, public_server):
        health_pb2_grpc.add_HealthServicer_to_server(health, each)
    server.add_insecure_port(f"unix:{sockets.LOADER}")
    public_server.add_insecure_port(f"unix:{sockets.QUERIES}")
    await server.start()
    await public_server.start()
    await health.set("", SERVING)
    serving(loader, store)
    loading: asyncio.Future[Any] = loop.run_in_executor(loading_thread, loader.run)
    stopping: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    retention = Retention(store=store, loader=loader, clock=clock, policy=sites.policy, named_sites=sites.named)
    forgetting = asyncio.create_task(_forget_old_rows(retention, changers))
    # Apart: a look at a large table takes a while, and parts are to be proved in time all the same.
    checker = ThreadPoolExecutor(2, thread_name_prefix="check")
    checking = asyncio.create_task(_check_ledger(check, checker))
    proving = asyncio.create_task(_prove_parts(store, progress, checker))
    # Loading ends by itself only if it fails: then the process ends too, and is started again.
    await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await health.end()
    loader.drain()
    if os.getppid() != parent:
        loader.stop()  # the supervisor was killed: its successor waits for this process, and loads the rest
    _done, late = await asyncio.wait({loading}, timeout=settings.loader.drain_timeout.total_seconds())
    if late:
        log.warning("loader_leaves_spool", last_error=loader.last_error)
        loader.stop()
    stopping.cancel()
    forgetting.cancel()
    checking.cancel()
    proving.cancel()
    await asyncio.gather(server.stop(1), public_server.stop(1))
    await loading
    reads.close()
    store.close()
    for executor in (loading_thread, readers, changers, checker):
        executor.shutdown()
    return 0


async def _forget_old_rows(retention: Retention, executor: ThreadPoolExecutor) -> None:
    """Each hour, of which one in a day finds something."""
    while True:
        await asyncio.sleep(RETENTION_INTERVAL_SECONDS)
        try:
            await asyncio.get_running_loop().run_in_executor(executor, retention.run)
        except StoreError as error:
            log.warning("retention_failed", error=str(error), code=error.code)


async def _check_ledger(check: LedgerCheck, executor: ThreadPoolExecutor) -> None:
    """All of it at the start, beside everything else; then each hour what is recent."""
    loop = asyncio.get_running_loop()
    look = check.check_all
    while True:
        pause = CHECK_INTERVAL_SECONDS
        try:
            await loop.run_in_executor(executor, look)
            look = check.check_recent
        except StoreUnavailableError:
            pause = CHECK_RETRY_SECONDS  # the node says so by itself
        except (StoreError, OSError) as error:
            log.warning("ledger_not_checked", error=error.loggable if isinstance(error, StoreError) else str(error))
        await asyncio.sleep(pause)


async def _prove_parts(store: EventStore, progress: Progress, executor: ThreadPoolExecutor) -> None:
    """What merges wrote, long before the parts that they were made of go. A server looks after its own."""
    if not isinstance(store, EmbeddedStore):
        return
    while True:
        await asyncio.sleep(PROVE_INTERVAL_SECONDS)
        try:
            await asyncio.get_running_loop().run_in_executor(executor, store.prove_parts)
        except StoreError as error:
            log.warning("parts_not_proved", error=error.loggable, code=error.code)
        else:
            progress.parts_are_well()


def _use_first(store: EventStore) -> None:
    """A server gets its tables at the first use, which need not wait for an event."""
    try:
        store.query("SELECT 1")
    except StoreError as error:
        log.warning("store_not_ready", error=error.loggable, code=error.code)


def _add_upkeep(
    server: grpc.aio.Server,
    settings: Settings,
    sites: SiteRegistry,
    *,
    store: EventStore,
    loader: Loader,
    reports: Reports,
    check: LedgerCheck,
    executor: ThreadPoolExecutor,
) -> None:
    """What changes stored rows at the operator's word: on the node's own socket only."""
    clock, policy, retention = SystemClock(), sites.policy, TABLE_RETENTION_MS
    replay = Replay(store=store, loader=loader, clock=clock, retention_ms=retention, enrichers=Enrichers(policy=policy))
    rescore = Rescore(store=store, loader=loader, monotonic=time.monotonic, policy=policy, retention_ms=retention)
    backup = None
    if isinstance(store, EmbeddedStore):
        backup = Backup(
            loader=loader,
            write=store.backup,
            data_dir=settings.data_dir,
            sites_path=settings.sites_path,
            is_backup=lambda folder: (folder / NOTE).exists(),
        )
    add_UpkeepServiceServicer_to_server(
        Upkeep(
            reports=reports,
            replay=replay,
            rescore=rescore,
            check=check,
            splitter=Splitter(store=store, loader=loader, clock=clock),
            backup=backup,
            executor=executor,
        ),
        server,
    )


def _limits(queries: QueriesSettings) -> ReadLimits:
    return ReadLimits(
        max_seconds=int(queries.max_time.total_seconds()),
        max_memory_bytes=queries.max_memory_bytes,
        max_rows=queries.max_rows,
        max_threads=queries.max_threads,
    )


def _loading(loader: Loader, progress: Progress) -> GetLoadingResponse:
    error = progress.last_error
    return GetLoadingResponse(
        rows_per_second=progress.rows_per_second(),
        last_received_time_ms=progress.last_received_ms,
        store_error=loader.last_error,
        is_refused=isinstance(error, StoreRefusedError),
        store_error_code=error.code if error is not None else 0,
        reasons=progress.reasons,
    )
