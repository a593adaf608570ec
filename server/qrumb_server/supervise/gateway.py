"""The gateway of a node: its configuration out of the settings, its certificate, its process."""

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from qrumb_server.config import Settings
from qrumb_server.gateway import process, tls
from qrumb_server.gateway.options import GatewayOptions
from qrumb_server.gateway.render import render
from qrumb_server.gateway.workers import workers
from qrumb_server.supervise import sockets
from qrumb_server.supervise.certificates import TLS_SETTING, Pair, read_pair, renewals
from qrumb_server.supervise.child import Child, ChildSpec
from qrumb_server.supervise.folders import write_private
from qrumb_server.supervise.own_thread import in_own_thread

__all__ = ["TLS_SECRET_FILE", "GatewayProcess"]

log = structlog.get_logger()

CONFIG_FILES: Final = ("envoy.yaml", "envoy-2.yaml")
TLS_SECRET_FILE: Final = "gateway-tls.json"  # noqa: S105  (a name)
WORKERS_FILE: Final = "gateway-workers.json"
# Calls in flight end sooner by the gateway's own limits.
DRAIN_TIMEOUT: Final = timedelta(seconds=10)
STOP_TIMEOUT: Final = timedelta(seconds=5)


class GatewayProcess:
    """Envoy before the workers of this node.

    Args:
        inherited_descriptors: what the process keeps open.

    Raises:
        ConfigError: there is no certificate to be used.
    """

    def __init__(self, settings: Settings, *, inherited_descriptors: tuple[int, ...]) -> None:
        self._settings = settings
        self._run_dir = settings.run_dir
        self._inherited_descriptors = inherited_descriptors
        files = settings.gateway.tls
        self._pair = read_pair(files, TLS_SETTING) if files else None
        self._following: asyncio.Task[None] | None = None
        self._wanted: Mapping[str, bool] = {}
        self._told: Mapping[str, bool] = {}
        self._telling: asyncio.Task[None] | None = None
        self._turn = 0
        self._leaving: Child | None = None
        self._probes = tuple(map(process.Probe, sockets.GATEWAY_ADMIN))
        self.child = self._new_child(self._turn)

    @property
    def admin_socket(self) -> str:
        """Of the Envoy that takes new callers."""
        return sockets.GATEWAY_ADMIN[self._turn]

    def tell(self, serving: Mapping[str, bool]) -> None:
        """Say which workers are to be called, by their sockets. Repeated, it makes up for a disk that did not write."""
        self._wanted = serving
        if serving != self._told and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        while (wanted := self._wanted) != self._told:
            try:
                await in_own_thread(partial(self._write_workers, wanted), name="tell gateway")
            except OSError as error:
                log.error("gateway_not_told", error=str(error))
                return
            self._told = wanted

    def _write_workers(self, serving: Mapping[str, bool]) -> None:
        write_private(self._run_dir / WORKERS_FILE, workers(serving))

    def start(self, serving: Mapping[str, bool]) -> None:
        """Write what Envoy reads, and start it.

        Args:
            serving: as `tell` has it.
        """
        self._write_workers(serving)
        self._wanted = self._told = serving
        if self._pair is not None:
            self._serve(self._pair)
            self._following = asyncio.create_task(self._follow_certificate())
        self.child.start()

    async def metrics(self) -> str | None:
        """What it counts, as text; None where it does not answer."""
        return await self._probes[self._turn].metrics()

    async def take_over(self, start_timeout: timedelta) -> bool:
        """Start another Envoy on the same port, and have it alone take new callers; False where it does not serve.

        The one before finishes what it has; `let_go` ends it.
        """
        turn = 1 - self._turn
        # The run folder may be a new one.
        if self._pair is not None:
            self._serve(self._pair)
        self._told = {}
        self.tell(self._wanted)
        if self._telling is not None:
            await self._telling
        self._leaving = self._new_child(turn)
        self._leaving.start()
        try:
            await asyncio.wait_for(self._leaving.has_served.wait(), start_timeout.total_seconds())
        except TimeoutError:
            await self._leaving.stop(STOP_TIMEOUT)
            self._leaving = None
            return False
        self.child, self._leaving, self._turn = self._leaving, self.child, turn
        return True

    async def let_go(self, timeout: timedelta) -> None:  # noqa: ASYNC109 - the bound is the promise
        """End the Envoy that another one took over from, once its callers have their answers."""
        leaving = self._leaving
        if leaving is not None:
            await _drain(leaving, sockets.GATEWAY_ADMIN[1 - self._turn], timeout)
            await leaving.stop(STOP_TIMEOUT)  # a stop of the node may be at it as well
            self._leaving = None

    async def drain(self) -> None:
        """Take no more and finish what is in flight."""
        own = _drain(self.child, self.admin_socket, DRAIN_TIMEOUT)
        await asyncio.gather(own, self.let_go(DRAIN_TIMEOUT))

    async def stop(self) -> None:
        """End it."""
        for task in (self._following, self._telling):
            if task is not None:
                task.cancel()
        await self.child.stop(STOP_TIMEOUT)
        for probe in self._probes:
            probe.close()

    def _new_child(self, turn: int) -> Child:
        """A gateway, not started."""
        admin_socket = sockets.GATEWAY_ADMIN[turn]
        config = self._run_dir / CONFIG_FILES[turn]
        write_private(config, render(self._options(admin_socket)))
        return Child(
            ChildSpec(
                name="gateway",
                command=process.command(config, concurrency=self._settings.gateway.concurrency),
                is_serving=self._probes[turn].is_serving,
                working_dir=self._run_dir,
                inherited_descriptors=self._inherited_descriptors,
            )
        )

    async def _follow_certificate(self) -> None:
        assert self._settings.gateway.tls is not None
        async for pair in renewals(self._settings.gateway.tls, TLS_SETTING):
            self._serve(pair)

    def _serve(self, pair: Pair) -> None:
        """Envoy takes the new file over for new connections; those that are open go on."""
        self._pair = pair
        write_private(self._run_dir / TLS_SECRET_FILE, tls.secret(pair.certificate, pair.key))

    def _options(self, admin_socket: str) -> GatewayOptions:
        settings = self._settings
        return GatewayOptions(
            settings=settings.gateway,
            max_body_bytes=settings.rpc.max_event_bytes,
            max_batch_bytes=settings.rpc.max_batch_bytes,
            host=settings.http_host,
            http_port=settings.http_port,
            admin_socket=admin_socket,
            workers_file=WORKERS_FILE,
            query_socket=sockets.QUERIES,
            status_socket=sockets.STATUS,
            tls_secret_file=TLS_SECRET_FILE if settings.gateway.tls else None,
            console_dir=settings.console_files,
            traces=settings.traces,
        )


async def _drain(child: Child, admin_socket: str, timeout: timedelta) -> None:  # noqa: ASYNC109
    if child.serving:
        with contextlib.suppress(OSError):  # it died just now: nothing is left to drain
            await process.drain(admin_socket, timeout=timeout)
