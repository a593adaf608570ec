"""The supervisor: starts a node's processes, keeps them running, says how it is doing, ends them in order.

Start: data folder and ports are taken, then loader and workers, then the gateway. Stop: the gateway takes no more
and finishes what is in flight, the workers drain and seal their spool, the loader empties it, and all are gone.
"""

import asyncio
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import Metric

from qrumb.v1.status_service_pb2 import GetStatusResponse
from qrumb.v1.status_service_pb2_grpc import add_StatusServiceServicer_to_server
from qrumb_server.config import Settings
from qrumb_server.enrich.address_key import KEY_BYTES
from qrumb_server.errors import EXIT_CONFIG, ConfigError, StartError
from qrumb_server.ports import Clock
from qrumb_server.rpc.health import Health
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.supervise import sockets
from qrumb_server.supervise.certificates import check_certificates
from qrumb_server.supervise.child import RESTART_SIGNAL, Child, ChildSpec
from qrumb_server.supervise.folders import SETTINGS_FILE, keep_folders, prepare_folders, recover_orphans
from qrumb_server.supervise.gateway import GatewayProcess
from qrumb_server.supervise.metrics import MetricsServer, merge, node_metrics
from qrumb_server.supervise.process import Peer, Vitals
from qrumb_server.supervise.pulse import Pulses, next_turn
from qrumb_server.supervise.sockets import SocketKeeper
from qrumb_server.supervise.spool_watch import SpoolWatch
from qrumb_server.supervise.status import NodeDescriptions, NodeStatus, NodeWatch
from qrumb_server.supervise.surroundings import (
    allow_open_files,
    enter_run_dir,
    lock_data_dir,
    reserve_port,
    reserve_port_for_quic,
)
from qrumb_server.wire.v1.node_service_pb2_grpc import add_NodeServiceServicer_to_server

__all__ = ["run_node"]

log = structlog.get_logger()

START_TIMEOUT: Final = timedelta(minutes=3)
# Beyond a process's own limit for its drain, before it is killed.
STOP_SLACK: Final = timedelta(seconds=5)
HEALTH_INTERVAL_SECONDS: Final = 1.0
# For streams through a gateway that another one took over from: they end when their worker does.
LET_GO_TIMEOUT: Final = timedelta(minutes=2)
# After a worker is back: for the gateway to call it again before the next one goes.
WORKER_RETURN_SECONDS: Final = 1.0
# Names in grpc.health.v1 for the three questions that an orchestrator may ask of the whole node; "" is READY.
LIVE: Final = "live"
READY: Final = "ready"
HEALTHY: Final = "healthy"


async def run_node(
    settings: Settings, *, clock: Clock, announce: Callable[[Settings], None], stopping: Callable[[], None]
) -> int:
    """Run a node until SIGTERM or SIGINT; returns the exit code.

    Args:
        announce: called once, when everything serves, with the real ports.
        stopping: called once, when the stop begins.

    Raises:
        ConfigError: the surroundings or the configuration do not allow a start.
        StartError: the disk does not write, or a process does not come up.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    renew = asyncio.Event()
    loop.add_signal_handler(RESTART_SIGNAL, renew.set)
    # Of a node in a terminal, it is the terminal that ends.
    loop.add_signal_handler(signal.SIGHUP, stop.set if sys.stdin.isatty() else renew.set)
    check_certificates(settings.gateway.tls, settings.rpc.tls)
    # Beside its connections, the gateway has those to the workers; the rest is small.
    allow_open_files(settings.gateway.max_connections + 2 * settings.gateway.max_concurrent_requests)
    lock = lock_data_dir(settings.data_dir)
    http_port = None
    if settings.gateway.enabled:
        reserve = reserve_port_for_quic if settings.gateway.http3 else reserve_port
        http_port = reserve(settings.http_host, settings.http_port, "HTTP_PORT")
    grpc_port = reserve_port(settings.grpc_host, settings.grpc_port, "GRPC_PORT")
    metrics = MetricsServer.open(settings.metrics.host, settings.metrics.port) if settings.metrics.enabled else None
    settings = settings.model_copy(
        update={
            "metrics": settings.metrics.model_copy(update={"port": metrics.port if metrics else 0}),
            "http_port": http_port.getsockname()[1] if http_port else 0,
            "grpc_port": grpc_port.getsockname()[1],
        }
    )
    try:
        prepare_folders(settings)
        enter_run_dir(settings.run_dir)
        recover_orphans(settings)
        node = _Node(settings, clock=clock, lock=lock)
    except OSError as error:
        raise StartError(f"{error.filename or settings.data_dir}: cannot be written: {error.strerror}") from error
    try:
        if not await node.start(stop):
            return 0
        if metrics is not None:
            metrics.ask(node.metrics)
        announce(settings)
        await _serve(node, stop=stop, renew=renew)
        return 0
    finally:
        stopping()
        await asyncio.gather(node.stop(), *([metrics.close()] if metrics else []))
        for reserved in (http_port, grpc_port):
            if reserved is not None:
                reserved.close()
        shutil.rmtree(settings.run_dir, ignore_errors=True)


async def _serve(node: "_Node", *, stop: asyncio.Event, renew: asyncio.Event) -> None:
    """Until it is to stop; restarts the processes when asked to."""
    stopping = asyncio.create_task(stop.wait())
    while not stop.is_set():
        asked = asyncio.create_task(renew.wait())
        await asyncio.wait({stopping, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if renew.is_set() and not stop.is_set():
            renew.clear()
            restarting = asyncio.create_task(node.restart())
            await asyncio.wait({stopping, restarting}, return_when=asyncio.FIRST_COMPLETED)
            if restarting.done():
                restarting.result()
            restarting.cancel()
            await asyncio.gather(restarting, return_exceptions=True)
    await stopping


class _Node:
    """The processes of a node."""

    def __init__(self, settings: Settings, *, clock: Clock, lock: int) -> None:
        self._settings = settings
        self._address_secret = _memory_file(secrets.token_bytes(KEY_BYTES))
        run_dir = settings.run_dir

        self._pulses = Pulses()
        self._peers = {
            name: Peer(f"unix:{name}") for name in (sockets.LOADER, *map(sockets.worker, range(settings.workers)))
        }

        def child(name: str, arguments: list[str], socket: str, *descriptors: int) -> Child:
            pulse = self._pulses.descriptor
            own = [*arguments, "--pulse", str(pulse), str(run_dir / SETTINGS_FILE)]
            return Child(
                ChildSpec(
                    name=name,
                    command=[sys.executable, "-m", "qrumb_server", *own],
                    is_serving=Vitals(name, self._peers[socket], self._pulses).is_serving,
                    working_dir=run_dir,
                    inherited_descriptors=(lock, pulse, *descriptors),
                ),
                told=self._tell_gateway,
            )

        self._loader = child("loader", ["loader"], sockets.LOADER)
        self._workers = [
            child(
                f"worker-{index}",
                ["worker", str(index), "--address-secret", str(self._address_secret)],
                sockets.worker(index),
                self._address_secret,
            )
            for index in range(settings.workers)
        ]
        self._gateway: GatewayProcess | None = None
        if settings.gateway.enabled:
            self._gateway = GatewayProcess(settings, inherited_descriptors=(lock,))
        self._watch = NodeWatch(
            collectors={self._peers[sockets.worker(index)]: worker for index, worker in enumerate(self._workers)},
            others=self._others,
            loader=self._peers[sockets.LOADER],
            pulses=self._pulses,
            spool=SpoolWatch(
                settings.spool_dir,
                clock=clock,
                max_bytes=settings.spool.max_bytes,
                min_free_bytes=settings.spool.min_free_bytes,
                workers=frozenset(worker.spec.name for worker in self._workers),
            ),
            clock=clock,
            publish=self._publish,
            is_sites_file_broken=settings.open_sites().is_broken,
        )
        self._server: grpc.aio.Server | None = None
        self._health = Health()
        self._restarting = asyncio.Lock()
        self._sockets = SocketKeeper(
            self._socket_names, enter_folder=lambda: keep_folders(settings, lock), listen_anew=self._listen_anew
        )
        self._watching: list[asyncio.Task[None]] = []

    async def start(self, stop: asyncio.Event) -> bool:
        """Start everything; False if a stop was asked for meanwhile."""
        self._loader.start()
        for worker in self._workers:
            worker.start()
        await self._start_status_server()
        self._watching = [asyncio.create_task(self._tell_health()), asyncio.create_task(self._sockets.run())]
        if self._gateway is not None:
            self._gateway.start(self._serving_workers())
        if not await self._wait_until_serving(stop):
            return False
        # Before the node says that it is ready:
        self._sockets.look()
        await self._set_health()
        return True

    async def _wait_until_serving(self, stop: asyncio.Event) -> bool:
        children = self._children()
        serving: asyncio.Future[Any] = asyncio.gather(*(child.has_served.wait() for child in children))
        stopping: asyncio.Future[Any] = asyncio.ensure_future(stop.wait())
        refusals: dict[asyncio.Future[Any], Child] = {child.refused: child for child in children}
        try:
            done, _ = await asyncio.wait(
                {serving, stopping, *refusals},
                timeout=START_TIMEOUT.total_seconds(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if stopping in done:
                return False
            for refused in done & set(refusals):
                code = refused.result()
                name = refusals[refused].spec.name
                if code == EXIT_CONFIG:
                    raise ConfigError(f"{name} did not start: it has said why above")
                raise StartError(f"{name} did not start: exit code {code}, see above")
            if serving not in done:
                late = ", ".join(child.spec.name for child in children if not child.serving)
                raise StartError(f"not serving after {START_TIMEOUT.total_seconds():.0f} s: {late}")
        finally:
            serving.cancel()
            stopping.cancel()
            # Waited for, or asyncio complains of results that were never read.
            await asyncio.gather(serving, stopping, return_exceptions=True)
        return True

    async def _start_status_server(self) -> None:
        self._server = grpc.aio.server(interceptors=[Wrappers()])
        add_StatusServiceServicer_to_server(NodeStatus(self._watch), self._server)
        is_compiled = self._settings.rpc.compiled and is_built()
        add_NodeServiceServicer_to_server(NodeDescriptions(self._watch, is_compiled=is_compiled), self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_insecure_port(f"unix:{sockets.STATUS}")
        await self._server.start()

    def _socket_names(self) -> list[str]:
        """On which sockets processes listen now."""
        listening = [names for child, names in self._listeners().items() if child.has_answered]
        return [sockets.STATUS, *(name for names in listening for name in names)]

    def _listeners(self) -> dict[Child, set[str]]:
        """The sockets of each process."""
        workers = {worker: {sockets.worker(index)} for index, worker in enumerate(self._workers)}
        gateway = {self._gateway.child: {self._gateway.admin_socket}} if self._gateway else {}
        return {self._loader: {sockets.LOADER, sockets.QUERIES}, **workers, **gateway}

    async def _listen_anew(self, lost: Collection[str]) -> None:
        """Have the processes of these sockets listen again, one after another."""
        async with self._restarting:
            if sockets.STATUS in lost and self._server is not None:
                await self._server.stop(1)
                await self._start_status_server()
            for child, names in self._listeners().items():
                if not names & set(lost):
                    continue
                if self._gateway is not None and child is self._gateway.child:
                    await self._gateway.take_over(START_TIMEOUT)
                    await self._gateway.let_go(LET_GO_TIMEOUT)
                else:
                    await child.restart(self._patience(child), START_TIMEOUT)

    def _patience(self, child: Child) -> timedelta:
        """How long a process may take to end."""
        part = self._settings.loader if child is self._loader else self._settings.rpc
        return part.drain_timeout + STOP_SLACK

    async def _tell_health(self) -> None:
        """Keep grpc.health.v1 true."""
        while True:
            await self._set_health()
            await next_turn(HEALTH_INTERVAL_SECONDS)

    async def _set_health(self) -> None:
        await self._publish((await self._watch.assess_as_heard()).condition)

    async def _publish(self, condition: GetStatusResponse.Condition) -> None:
        """The name "" is the whole node as much as READY; the other names are its processes."""
        self._tell_gateway()
        is_ready = condition != GetStatusResponse.NOT_READY
        answers = {child.spec.name: child.serving for child in self._children()}
        answers |= {"": is_ready, LIVE: True, READY: is_ready, HEALTHY: condition == GetStatusResponse.READY}
        response = health_pb2.HealthCheckResponse
        for name, is_well in answers.items():
            await self._health.set(name, response.SERVING if is_well else response.NOT_SERVING)

    def _tell_gateway(self) -> None:
        if self._gateway is not None and not self._watch.is_stopping:
            self._gateway.tell(self._serving_workers())

    def _serving_workers(self) -> dict[str, bool]:
        return {sockets.worker(index): worker.serving for index, worker in enumerate(self._workers)}

    async def metrics(self) -> list[Metric]:
        """What all processes have counted, and what is known of them."""
        targets = {"loader": sockets.LOADER}
        targets |= {worker.spec.name: sockets.worker(index) for index, worker in enumerate(self._workers)}
        asked = {name: self._peers[socket].metrics() for name, socket in targets.items()}
        if self._gateway is not None:
            asked["gateway"] = self._gateway.metrics()
        texts = await asyncio.gather(*asked.values())
        said = {name: text for name, text in zip(asked, texts, strict=True) if text is not None}
        status, _assessment, _facts = await self._watch.describe()
        # Parsing a thousand sites takes a while.
        return [*node_metrics(status), *await asyncio.to_thread(merge, said)]

    def _children(self) -> list[Child]:
        return [*self._others(), *self._workers]

    def _others(self) -> list[Child]:
        return [self._loader, *([self._gateway.child] if self._gateway else [])]

    async def restart(self) -> None:
        """Every process anew, each while the others serve; ends early where one does not come up again.

        The gateway first: its callers come over while the workers, whose streams end with them, hold no connection.
        """
        async with self._restarting:
            await self._restart()

    async def _restart(self) -> None:
        log.info("restart_begins")
        if self._gateway is not None and not await self._gateway.take_over(START_TIMEOUT):
            log.error("restart_ended_early", child="gateway")
            return
        leaving = asyncio.create_task(self._gateway.let_go(LET_GO_TIMEOUT)) if self._gateway else None
        late = None
        for child in (*self._workers, self._loader):
            if not await child.restart(self._patience(child), START_TIMEOUT):
                late = child.spec.name
                break
            await asyncio.sleep(WORKER_RETURN_SECONDS)
        if leaving is not None:
            await leaving
        if late is None:
            log.info("restart_done")
        else:
            log.error("restart_ended_early", child=late)

    async def stop(self) -> None:
        """End everything, in the order in which an event travels."""
        self._watch.is_stopping = True
        for watching in self._watching:
            watching.cancel()
        # What stays open by its nature would hold the gateway's drain up.
        await self._health.end()
        for worker in self._workers:
            worker.end_streams()
        if self._gateway is not None:
            await self._gateway.drain()
        await asyncio.gather(*(worker.stop(self._patience(worker)) for worker in self._workers))
        if self._gateway is not None:
            await self._gateway.stop()
        await self._loader.stop(self._patience(self._loader))
        if self._server is not None:
            await self._server.stop(0)
        await asyncio.gather(*(peer.close() for peer in self._peers.values()))
        self._pulses.close()
        os.close(self._address_secret)


def _memory_file(content: bytes) -> int:
    """A file without a name and without a disk, for children to read; returns its descriptor."""
    descriptor = os.memfd_create("qrumb")
    os.write(descriptor, content)
    return descriptor
