"""The composition root: builds the adapters and wires them into the three kinds of process.

`run_collector` is a worker, `run_loader` the loader, `supervise.node.run_node` the supervisor that starts them.
"""

import asyncio
import signal
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import grpc
import structlog
import uuid_utils
from grpc_health.v1 import health_pb2, health_pb2_grpc

from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server
from qrumb.v1.privacy_service_pb2_grpc import add_PrivacyServiceServicer_to_server
from qrumb.v1.query_service_pb2_grpc import add_QueryServiceServicer_to_server
from qrumb.v1.scan_session_service_pb2_grpc import add_ScanSessionServiceServicer_to_server
from qrumb.v1.validator_service_pb2_grpc import add_ValidatorServiceServicer_to_server
from qrumb_server.config import RpcSettings, Settings
from qrumb_server.enrich.address_key import address_key
from qrumb_server.enrich.agent import warm_up
from qrumb_server.enrich.network import NetworkReader
from qrumb_server.enrich.place import PlaceReader
from qrumb_server.errors import StoreRefusedError
from qrumb_server.loader.loop import Loader
from qrumb_server.model import RawEvent
from qrumb_server.pipeline.stamp import Enrichers, Receipt
from qrumb_server.ports import EventStore
from qrumb_server.query.charts import Charts
from qrumb_server.query.preview import Previews
from qrumb_server.query.reports import Reports
from qrumb_server.query.service import Queries, SessionQueries
from qrumb_server.query.sql import SqlQueries
from qrumb_server.query.v1.attribution_service_pb2_grpc import add_AttributionServiceServicer_to_server
from qrumb_server.query.v1.sql_service_pb2_grpc import add_SqlServiceServicer_to_server
from qrumb_server.rpc.collector import Collector
from qrumb_server.rpc.forward import Forwarding
from qrumb_server.rpc.guard import Guard
from qrumb_server.rpc.health import Health
from qrumb_server.rpc.preview import ask_loader
from qrumb_server.rpc.scan_sessions import ScanSessions
from qrumb_server.rpc.validator import Validator
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.supervise import sockets
from qrumb_server.supervise.child import END_STREAMS_SIGNAL, EXIT_CONFIG
from qrumb_server.supervise.health import LOADER_STORE_SERVICE
from qrumb_server.upkeep.erase import Eraser
from qrumb_server.upkeep.replay import Replay
from qrumb_server.upkeep.rescore import Rescore
from qrumb_server.upkeep.service import Privacy, Upkeep
from qrumb_server.upkeep.v1.upkeep_service_pb2_grpc import add_UpkeepServiceServicer_to_server

__all__ = ["COLLECTOR_SERVICE", "SystemClock", "open_store", "run_collector", "run_loader"]

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
    """Open the ClickHouse that the settings name; migrated and checked.

    Raises:
        ConfigError: it is in use.
        StoreRefusedError: its tables are not ours.
    """
    return EmbeddedStore.open(settings.clickhouse_dir, lock_timeout=LOCK_TIMEOUT)


async def run_collector(settings: Settings, index: int, address_secret: bytes) -> int:
    """One collector worker, until SIGTERM; returns the exit code.

    Args:
        address_secret: what visitors' addresses are hashed with; the same for all workers of a node.
    """
    warm_up()
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
    new_receipt = _receipts(clock, settings, _enrichers(settings, address_secret))
    # Asked before the services below; takes only what it forwards.
    server.add_generic_rpc_handlers([Forwarding(_open_loader)])
    preview = ask_loader(_open_loader)
    collector = Collector(
        append=spool.append,
        new_receipt=new_receipt,
        max_batch_events=settings.rpc.max_batch_events,
        preview=preview,
    )
    add_CollectorServiceServicer_to_server(collector, server)
    # The supervisor's word that the gateway drains: a stream that came through it would hold that up.
    asyncio.get_running_loop().add_signal_handler(END_STREAMS_SIGNAL, collector.end_streams)
    sessions = ScanSessions(  # type: ignore[abstract]  # reading is forwarded, see above
        append=spool.append, new_receipt=new_receipt, max_sessions=settings.rpc.max_batch_events
    )
    add_ScanSessionServiceServicer_to_server(sessions, server)
    add_ValidatorServiceServicer_to_server(Validator(new_receipt=new_receipt, preview=preview), server)
    health = Health()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(f"unix:{sockets.worker(index)}")
    server.add_insecure_port(f"{_bracketed(settings.grpc_host)}:{settings.grpc_port}")
    await server.start()
    for service in ("", COLLECTOR_SERVICE):
        await health.set(service, SERVING)
    log.debug("collector_serving", index=index)
    await stop.wait()
    # Open streams and watches would hold the stop for the whole drain time.
    await health.end()
    collector.end_streams()
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
    clock = SystemClock()
    loader = Loader(
        spool_root=settings.spool_dir,
        store=store,
        clock=clock,
        monotonic=time.monotonic,
        policy=settings.policies(),
        max_events=settings.loader.batch_max_events,
        seal_after=settings.spool.seal_after,
        poll_interval=settings.loader.poll_interval,
        retry_max_delay=settings.loader.retry_max_delay,
        refused_delay=settings.loader.refused_delay,
    )
    server = _grpc_server(settings.rpc)
    add_SqlServiceServicer_to_server(SqlQueries(store=store, executor=executor), server)
    previews = Previews(store=store, monotonic=time.monotonic, policy=settings.policies(), executor=executor)
    add_AttributionServiceServicer_to_server(previews, server)
    reports = Reports(store=store, spool_root=settings.spool_dir, clock=clock)
    charts = Charts(store=store, clock=clock)
    add_QueryServiceServicer_to_server(Queries(reports=reports, charts=charts, executor=executor), server)
    # Each process has one half of ScanSessionService; the base class answers UNIMPLEMENTED for the other.
    add_ScanSessionServiceServicer_to_server(SessionQueries(reports=reports, executor=executor), server)  # type: ignore[abstract]
    _add_upkeep(server, settings, store=store, loader=loader, reports=reports, executor=executor)
    health = Health()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(f"unix:{sockets.LOADER}")
    await server.start()
    await health.set("", SERVING)
    loading: asyncio.Future[Any] = loop.run_in_executor(executor, loader.run)
    telling = asyncio.create_task(_tell_store_health(loader, health))
    stopping: asyncio.Future[Any] = asyncio.create_task(stop.wait())
    # Loading ends by itself only if it fails: then the process ends too, and is started again.
    await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    await health.end()
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


def _add_upkeep(
    server: grpc.aio.Server,
    settings: Settings,
    *,
    store: EventStore,
    loader: Loader,
    reports: Reports,
    executor: ThreadPoolExecutor,
) -> None:
    """What changes stored rows, on the node's own socket and in public."""
    clock, policy, retention_ms = SystemClock(), settings.policies(), _retention_ms(settings)
    replay = Replay(
        store=store, loader=loader, clock=clock, retention_ms=retention_ms, enrichers=Enrichers(policy=policy)
    )
    rescore = Rescore(store=store, loader=loader, monotonic=time.monotonic, policy=policy, retention_ms=retention_ms)
    add_UpkeepServiceServicer_to_server(
        Upkeep(reports=reports, replay=replay, rescore=rescore, executor=executor), server
    )
    eraser = Eraser(store=store, loader=loader, spool_root=settings.spool_dir, clock=clock)
    add_PrivacyServiceServicer_to_server(Privacy(eraser=eraser, executor=executor), server)


async def _tell_store_health(loader: Loader, health: Health) -> None:
    while True:
        await health.set(LOADER_STORE_SERVICE, NOT_SERVING if loader.last_error else SERVING)
        await asyncio.sleep(STORE_HEALTH_INTERVAL_SECONDS)


def _open_loader() -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{sockets.LOADER}")


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


def _enrichers(settings: Settings, address_secret: bytes) -> Enrichers:
    geoip, copies = settings.geoip, settings.run_dir / "geoip"
    places = PlaceReader.open(
        geoip.city_databases, copies=copies, reload_interval=geoip.reload_interval, monotonic=time.monotonic
    )
    networks = NetworkReader.open(
        geoip.asn_databases,
        data_centre_asns=geoip.all_data_centre_asns,
        copies=copies,
        reload_interval=geoip.reload_interval,
        monotonic=time.monotonic,
    )
    return Enrichers(
        locate=places.locate,
        is_data_centre=lambda address: networks.is_data_centre(networks.asn(address)),
        address_key=address_key(address_secret),
        policy=settings.policies(),
    )


def _receipts(clock: SteadyClock, settings: Settings, enrichers: Enrichers) -> Callable[[], Receipt]:
    def new_receipt() -> Receipt:
        return Receipt(
            received_time_ms=clock.now_ms(),
            retention_ms=_retention_ms(settings),
            make_event_id=_make_event_id,
            enrichers=enrichers,
        )

    return new_receipt


def _retention_ms(settings: Settings) -> int:
    return settings.retention // timedelta(milliseconds=1)


def _make_event_id(event: RawEvent) -> str:
    """The same id for the same request and place, so that the gateway's retry is the same event."""
    if event.caller.request_id:
        return str(uuid.uuid5(EVENT_ID_NAMESPACE, f"{event.caller.request_id}/{event.index}"))
    return str(uuid_utils.uuid7())
