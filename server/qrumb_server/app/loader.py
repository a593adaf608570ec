"""The loader: spool in, store out; and all that reads or changes the store."""

import asyncio
import gc
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
from qrumb.v1.replay_service_pb2_grpc import add_ReplayServiceServicer_to_server
from qrumb.v1.scan_session_service_pb2_grpc import add_ScanSessionServiceServicer_to_server
from qrumb_server.access.admission import Admission
from qrumb_server.access.quota import Quotas
from qrumb_server.access.registry import SiteRegistry
from qrumb_server.app.clock import SystemClock
from qrumb_server.app.servers import NewServer, inner_server, stop_event
from qrumb_server.app.stores import open_store
from qrumb_server.app.tracing import batch_reading, call_traces, end_traces, open_traces
from qrumb_server.config import QueriesSettings, Settings, WatchSettings
from qrumb_server.errors import EXIT_CONFIG, StoreError, StoreRefusedError, StoreUnavailableError
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
from qrumb_server.supervise.process import Process
from qrumb_server.supervise.pulse import OFFSET_SECONDS, beating, next_turn
from qrumb_server.upkeep.backup import Backup
from qrumb_server.upkeep.erase import Eraser
from qrumb_server.upkeep.export import Exporter
from qrumb_server.upkeep.replay import Replay
from qrumb_server.upkeep.rescore import Rescore
from qrumb_server.upkeep.retention import Retention
from qrumb_server.upkeep.rollups import Rollups
from qrumb_server.upkeep.service import Privacy, Replays, Upkeep
from qrumb_server.upkeep.split import Splitter
from qrumb_server.upkeep.sums_check import SumsCheck
from qrumb_server.upkeep.verify import LedgerCheck
from qrumb_server.watch.watcher import Watcher
from qrumb_server.wire.v1.attribution_service_pb2_grpc import add_AttributionServiceServicer_to_server
from qrumb_server.wire.v1.process_service_pb2 import GetLoadingResponse, Pulse
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
WATCH_LOOK_SECONDS: Final = 1.0
SUMS_RETRY_SECONDS: Final = 30.0
# New objects before the collector of cycles looks, and its rounds before it looks at older ones.
GARBAGE_THRESHOLDS: Final = (50_000, 20, 50)
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
# Threads of their own, so that a flood of slow queries holds up neither loading nor an erasure. Together they are as
# many as the embedded store has places for statements, beside those of questions; READERS have the node's own commands
# and dry runs.
LOADERS: Final = 1
READERS: Final = 3
CHANGERS: Final = 2
# The ledger's check, the proof of parts, the sums of hours.
CHECKERS: Final = 3


async def run_loader(
    settings: Settings,
    *,
    stop: asyncio.Event | None = None,
    new_server: NewServer = inner_server,
    serving: Callable[[Loader, EventStore], None] = lambda _loader, _store: None,
    pulse: int | None = None,
) -> int:
    """The loader, until SIGTERM; returns the exit code.

    Args:
        stop: ends it; none: SIGTERM does.
        new_server: makes its servers: the node's own without rules of access, then the one for callers from outside.
        serving: told when it serves.
        pulse: where to say each second that it serves; none: nowhere.
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
    sending = open_traces(settings, "qrumb-loader", "loader")
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
        reading=batch_reading(sending, compiled=settings.rpc.compiled),
    )
    server = new_server(settings.rpc)
    access = Access(Admission(sites, clock), quotas=Quotas(share=1, monotonic=time.monotonic))
    public_server = new_server(
        settings.rpc, traces=call_traces(sending), durations=CallDurations(registry), access=access
    )
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
    writes, seen = (store.written, store.seen) if isinstance(store, EmbeddedStore) else (None, None)
    reports = Reports(store=reads, spool_root=settings.spool_dir, clock=clock, seen=seen)
    charts = Charts(store=reads, clock=clock, writes=writes)
    replay = Replay(
        store=store,
        loader=loader,
        clock=clock,
        retention_ms=TABLE_RETENTION_MS,
        enrichers=Enrichers(policy=sites.policy),
    )
    for each in (server, public_server):
        add_QueryServiceServicer_to_server(Queries(reports=reports, charts=charts, reads=reads), each)
        # Each process has one half of ScanSessionService; the base class answers UNIMPLEMENTED for the other.
        add_ScanSessionServiceServicer_to_server(SessionQueries(reports=reports, reads=reads), each)  # type: ignore[abstract]
        eraser = Eraser(store=store, loader=loader, spool_root=settings.spool_dir, clock=clock)
        exporter = Exporter(store=store, loader=loader, spool_root=settings.spool_dir)
        add_PrivacyServiceServicer_to_server(Privacy(eraser=eraser, exporter=exporter, executor=changers), each)
        add_ReplayServiceServicer_to_server(Replays(replay=replay, executor=changers), each)
    check = LedgerCheck(
        store=store, loader=loader, clock=clock, policy=sites.policy, spool_root=settings.spool_dir, progress=progress
    )
    sums_check = SumsCheck(store=store, changes=loader.changes, clock=clock, progress=progress)
    watcher = Watcher(
        store=store,
        clock=clock,
        watches=sites.watches,
        limits=_limits(settings.queries),
        is_alone=isinstance(store, EmbeddedStore),
        progress=progress,
        registry=registry,
    )
    _add_upkeep(
        server,
        settings,
        sites,
        store=store,
        loader=loader,
        reports=reports,
        replay=replay,
        check=check,
        sums_check=sums_check,
        watcher=watcher,
        executor=changers,
    )
    process = Process(metrics=lambda: metrics_text(registry), loading=lambda: _loading(loader, progress))
    add_ProcessServiceServicer_to_server(process, server)
    # What was made until here stays. Batches are many objects and no cycles: looking through them for garbage, time and
    # again while they grow, would take a tenth of the loader's time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)
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
    checker = ThreadPoolExecutor(CHECKERS, thread_name_prefix="check")
    checking = asyncio.create_task(_check_ledger(check, sums_check, checker))
    proving = asyncio.create_task(_prove_parts(store, progress, checker))
    # Its receivers may be slow.
    telling = ThreadPoolExecutor(1, thread_name_prefix="watch")
    watching = asyncio.create_task(_watch(watcher, telling, settings.watch))
    rollups = Rollups(store=store, changes=loader.changes, clock=clock, monotonic=time.monotonic)
    summing = asyncio.create_task(_add_up_hours(rollups, checker))
    # Loading ends by itself only if it fails: then the process ends too, and is started again.

    async def fill(said: Pulse) -> None:
        said.loading.CopyFrom(_loading(loader, progress))

    with beating(pulse, "loader", fill):
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await health.end()
    loader.drain()
    if os.getppid() != parent:
        loader.stop()  # the supervisor was killed: its successor waits for this process, and loads the rest
    _done, late = await asyncio.wait({loading}, timeout=settings.loader.drain_timeout.total_seconds())
    if late:
        log.warning("loader_leaves_spool", last_error=loader.last_error)
        loader.stop()
    for task in (stopping, forgetting, checking, proving, watching, summing):
        task.cancel()
    await asyncio.gather(server.stop(1), public_server.stop(1))
    await loading
    reads.close()
    await _leave_watch(watcher, telling)
    store.close()
    for executor in (loading_thread, readers, changers, checker, telling):
        executor.shutdown()
    await end_traces(sending)
    return 0


async def _forget_old_rows(retention: Retention, executor: ThreadPoolExecutor) -> None:
    """Each hour, of which one in a day finds something."""
    while True:
        await asyncio.sleep(RETENTION_INTERVAL_SECONDS)
        try:
            await asyncio.get_running_loop().run_in_executor(executor, retention.run)
        except StoreError as error:
            log.warning("retention_failed", error=str(error), code=error.code)


async def _check_ledger(check: LedgerCheck, sums_check: SumsCheck, executor: ThreadPoolExecutor) -> None:
    """All of it at the start, beside everything else; then each hour what is recent. And some of the sums of hours."""
    loop = asyncio.get_running_loop()
    look = check.check_all
    while True:
        pause = CHECK_INTERVAL_SECONDS
        try:
            await loop.run_in_executor(executor, look)
            look = check.check_recent
            await loop.run_in_executor(executor, sums_check.run)
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


async def _watch(watcher: Watcher, executor: ThreadPoolExecutor, settings: WatchSettings) -> None:
    """Judges in its time, sends when something is due. A store that is away is asked again the next time."""
    while settings.enabled:
        await next_turn(WATCH_LOOK_SECONDS, OFFSET_SECONDS)
        if not watcher.has_work:
            continue
        try:
            await asyncio.get_running_loop().run_in_executor(executor, watcher.step, settings.interval)
        except StoreError as error:
            log.warning("watch_not_judged", error=error.loggable, code=error.code)


async def _leave_watch(watcher: Watcher, executor: ThreadPoolExecutor) -> None:
    """Another node need not wait until this one is missed."""
    try:
        await asyncio.get_running_loop().run_in_executor(executor, watcher.leave)
    except StoreError as error:
        log.warning("watch_not_left", error=error.loggable, code=error.code)


async def _add_up_hours(rollups: Rollups, executor: ThreadPoolExecutor) -> None:
    """For as long as the store answers; what is not added up is answered by rows."""
    while True:
        try:
            pause = await asyncio.get_running_loop().run_in_executor(executor, rollups.run)
        except StoreError as error:
            log.warning("hours_not_added_up", error=error.loggable, code=error.code)
            pause = SUMS_RETRY_SECONDS
        await asyncio.sleep(pause)


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
    replay: Replay,
    check: LedgerCheck,
    sums_check: SumsCheck,
    watcher: Watcher,
    executor: ThreadPoolExecutor,
) -> None:
    """What changes stored rows at the operator's word: on the node's own socket only."""
    clock, policy, retention = SystemClock(), sites.policy, TABLE_RETENTION_MS
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
            sums_check=sums_check,
            splitter=Splitter(store=store, loader=loader, clock=clock),
            watcher=watcher,
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
