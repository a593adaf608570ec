"""A collector worker: gRPC in, spool out."""

import asyncio
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server
from qrumb.v1.scan_session_service_pb2_grpc import add_ScanSessionServiceServicer_to_server
from qrumb.v1.validator_service_pb2_grpc import add_ValidatorServiceServicer_to_server
from qrumb_server.access.admission import Admission
from qrumb_server.access.quota import Quotas
from qrumb_server.app.circumstances import arrivals, enrichers
from qrumb_server.app.clock import SteadyClock, SystemClock
from qrumb_server.app.servers import NewServer, add_direct_port, call_limits, direct_server, inner_server, stop_event
from qrumb_server.app.tracing import call_traces, end_traces, open_traces
from qrumb_server.config import RpcSettings, Settings
from qrumb_server.enrich.agent import warm_up
from qrumb_server.errors import ConfigError
from qrumb_server.metrics import metrics_text, new_registry
from qrumb_server.model import Rejected, StampedEvent
from qrumb_server.rpc.access import Access
from qrumb_server.rpc.at_once import AtOnce
from qrumb_server.rpc.collector import Collector
from qrumb_server.rpc.compiled_calls import Compiled
from qrumb_server.rpc.durations import CallDurations
from qrumb_server.rpc.forward import FORWARDED, FORWARDED_STATUS, Forwarding
from qrumb_server.rpc.health import Health
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.rpc.json_collector import add_json_collector
from qrumb_server.rpc.json_scans import add_json_scans
from qrumb_server.rpc.metrics import CollectorMetrics
from qrumb_server.rpc.opening import Opening
from qrumb_server.rpc.preview import ask_loader
from qrumb_server.rpc.scan_sessions import ScanSessions
from qrumb_server.rpc.turns import Turns
from qrumb_server.rpc.validator import Validator
from qrumb_server.spool.compiled_disk import CompiledDisk
from qrumb_server.spool.disk_thread import DiskThread
from qrumb_server.spool.filesystem import DISK
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.supervise import sockets
from qrumb_server.supervise.child import END_STREAMS_SIGNAL
from qrumb_server.supervise.process import Process
from qrumb_server.supervise.pulse import beating
from qrumb_server.supervise.surroundings import LOCK_TIMEOUT
from qrumb_server.wire.v1.process_service_pb2 import GetCollectingResponse, Pulse
from qrumb_server.wire.v1.process_service_pb2_grpc import add_ProcessServiceServicer_to_server

__all__ = ["COLLECTOR_SERVICE", "run_collector"]

log = structlog.get_logger()

COLLECTOR_SERVICE: Final = "qrumb.v1.CollectorService"
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
# For a look at its folder, well within what the supervisor waits for an answer.
LOOK_PATIENCE: Final = timedelta(milliseconds=500)


async def run_collector(
    settings: Settings,
    index: int,
    address_secret: bytes,
    *,
    stop: asyncio.Event | None = None,
    new_server: NewServer = inner_server,
    watch: Callable[[Sequence[StampedEvent | Rejected]], None] | None = None,
    serving: Callable[[SpoolWriter], None] = lambda _spool: None,
    pulse: int | None = None,
) -> int:
    """One collector worker, until SIGTERM; returns the exit code.

    Args:
        address_secret: what visitors' addresses are hashed with; the same for all workers of a node.
        stop: ends it; none: SIGTERM does.
        new_server: makes the server that the gateway calls.
        watch: told the verdicts of Python on what was made durable.
        serving: told when it serves.
        pulse: where to say each second that it serves; none: nowhere.
    """
    warm_up()
    stop = stop or stop_event()
    executor = DiskThread()
    clock = SteadyClock(SystemClock())
    spool = await SpoolWriter.open(
        settings.spool_dir / f"worker-{index}",
        limits=_spool_limits(settings),
        executor=executor,
        clock=clock,
        filesystem=CompiledDisk() if settings.rpc.compiled and is_built() else DISK,
        lock_timeout=LOCK_TIMEOUT,
    )
    if any(asdict(spool.recovery).values()):
        log.info("spool_recovered", **asdict(spool.recovery))
    registry = new_registry()
    metrics = CollectorMetrics(registry)
    durations = CallDurations(registry)
    sending = open_traces(settings, "qrumb-collector", f"worker-{index}")
    traces = call_traces(sending)
    sites = settings.open_sites()
    quotas = Quotas(share=1 / settings.workers, monotonic=time.monotonic)
    access = Access(
        Admission(sites, clock),
        quotas=quotas,
        passed_on=FORWARDED + FORWARDED_STATUS,
        count=metrics.count_refused,
    )
    turns = Turns()
    new_arrival = arrivals(clock, enrichers(settings, sites, address_secret))
    append = metrics.metered(spool.append)
    if traces is not None:
        append = traces.append(append)
    count = _counted(metrics, watch) if watch else metrics.count
    compiled = _compiled(settings.rpc, turns)
    opening = Opening(
        call_limits(settings.rpc),
        turns=turns,
        may_begin=access.may_begin,
        count=metrics.count_refused,
        compiled=compiled,
        at_once=AtOnce(
            compiled=compiled,
            access=access,
            looks=sites.looks,
            append=append,
            new_arrival=new_arrival,
            now_ms=clock.now_ms,
            turns=turns,
            count=count,
        )
        if compiled
        else None,
    )
    inner, direct = (
        new(
            settings.rpc,
            traces=traces,
            durations=durations,
            opening=opening,
            access=access,
            arriving=turns.arriving,
        )
        for new in (new_server, direct_server)
    )
    forwarding = Forwarding(lambda: _open(sockets.QUERIES))
    status = Forwarding(lambda: _open(sockets.STATUS), FORWARDED_STATUS)
    direct.add_generic_rpc_handlers([forwarding, status])
    preview = ask_loader(lambda: _open(sockets.LOADER))
    collector = Collector(
        append=append,
        new_arrival=new_arrival,
        turns=turns,
        preview=preview,
        may_look_up=access.may_look_up,
        count=count,
    )
    # The supervisor's word that the gateway drains: a stream that came through it would hold that up.
    asyncio.get_running_loop().add_signal_handler(END_STREAMS_SIGNAL, collector.end_streams)
    sessions = ScanSessions(
        append=append,
        new_arrival=new_arrival,
        turns=turns,
        forward=forwarding.forward,
        count=metrics.count_scans,
    )
    validator = Validator(new_arrival=new_arrival, preview=preview, may_look_up=access.may_look_up)
    health = Health()
    for server in (inner, direct):
        add_CollectorServiceServicer_to_server(collector, server)
        add_json_collector(collector, server)
        add_json_scans(sessions, server)
        add_ScanSessionServiceServicer_to_server(sessions, server)
        add_ValidatorServiceServicer_to_server(validator, server)
        health_pb2_grpc.add_HealthServicer_to_server(health, server)
    process = Process(metrics=lambda: metrics_text(registry), collecting=lambda: _collecting(spool, quotas))
    add_ProcessServiceServicer_to_server(process, inner)
    inner.add_insecure_port(f"unix:{sockets.worker(index)}")
    try:
        add_direct_port(direct, settings.rpc, settings.grpc_host, settings.grpc_port)
    except ConfigError as error:
        # The supervisor checked it at the node's start, so this is a later one. The gateway is served all the same.
        log.error("direct_port_stays_closed", error=str(error))
    # What was made until here stays until the end. Looking through it for garbage, as the collector of cycles does
    # after large calls, would hold the event loop for 60 ms and more.
    gc.collect()
    gc.freeze()
    await asyncio.gather(inner.start(), direct.start())
    for service in ("", COLLECTOR_SERVICE):
        await health.set(service, SERVING)
    log.debug("collector_serving", index=index)
    serving(spool)

    async def fill(said: Pulse) -> None:
        said.collecting.CopyFrom(await _collecting(spool, quotas))

    with beating(pulse, f"worker-{index}", fill):
        await stop.wait()
    # Open streams and watches would hold the stop for the whole drain time.
    await health.end()
    collector.end_streams()
    drain_seconds = settings.rpc.drain_timeout.total_seconds()
    await asyncio.gather(inner.stop(drain_seconds), direct.stop(drain_seconds))
    await spool.close()
    executor.shutdown()
    await end_traces(sending)
    return 0


def _counted(
    metrics: CollectorMetrics, watch: Callable[[Sequence[StampedEvent | Rejected]], None]
) -> Callable[[Sequence[StampedEvent | Rejected], Mapping[str, int]], None]:
    def count(verdicts: Sequence[StampedEvent | Rejected], accepted: Mapping[str, int]) -> None:
        metrics.count(verdicts, accepted)
        watch(verdicts)

    return count


async def _collecting(spool: SpoolWriter, quotas: Quotas) -> GetCollectingResponse:
    """Whom this worker turns away."""
    silent_for = spool.disk_silent_for  # before it is asked for the look
    look = await spool.look(LOOK_PATIENCE)
    return GetCollectingResponse(
        sites_at_share=look.sites_at_share,
        sites_over_quota=sorted(quotas.exhausted()),
        forecast_factor=look.forecast_factor,
        disk_silent_seconds=silent_for.total_seconds(),
    )


def _compiled(rpc: RpcSettings, turns: Turns) -> Compiled | None:
    """The compiled way, where it is wanted and there."""
    if not rpc.compiled or not is_built():
        return None
    return Compiled(turns=turns, max_event_bytes=rpc.max_event_bytes, max_batch_events=rpc.max_batch_events)


def _open(socket: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{socket}", options=sockets.CHANNEL_OPTIONS)


def _spool_limits(settings: Settings) -> SpoolLimits:
    of_worker = {"max_bytes": settings.spool.max_bytes // settings.workers}
    return SpoolLimits(**settings.spool.model_dump() | of_worker)
