"""The real gateway in front of test backends: its own folder, its own port, ended with the test."""

import asyncio
import dataclasses
import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from qrumb_server.config import GatewaySettings, RpcSettings
from qrumb_server.gateway.options import GatewayOptions, Limits
from qrumb_server.gateway.process import command
from qrumb_server.gateway.render import render
from qrumb_server.gateway.tls import SECRET_NAME, secret
from qrumb_server.gateway.workers import workers
from tests.support.backends import Backend
from tests.support.certificates import Authority, Files
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS

__all__ = [
    "Gateway",
    "gateway_options",
    "reserve_port",
    "running_gateway",
    "tell_workers",
    "until",
    "worker_socket",
    "write_secret",
]

START_SECONDS = 15.0  # 0.1 s on an idle machine


@dataclass(slots=True, kw_only=True)
class Gateway:
    """A running Envoy and the backends behind it."""

    options: GatewayOptions
    folder: Path
    process: asyncio.subprocess.Process
    workers: Sequence[Backend]
    query: Backend
    status: Backend
    http: httpx.AsyncClient
    admin: httpx.AsyncClient

    @property
    def worker(self) -> Backend:
        return self.workers[0]

    @property
    def target(self) -> str:
        """For a gRPC channel."""
        return f"{self.options.host}:{self.options.http_port}"

    @property
    def admin_socket(self) -> str:
        return str(self.folder / self.options.admin_socket)

    def access_log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.output().splitlines()]

    def output(self) -> str:
        """The access log, whole only after `stop`: Envoy writes it in portions."""
        return (self.folder / "stdout").read_text()

    def errors(self) -> str:
        """Envoy's own log, without its word on our SIGTERM."""
        lines = (self.folder / "stderr").read_text().splitlines(keepends=True)
        return "".join(line for line in lines if "SIGTERM" not in line)

    def tell(self, *serving: bool) -> None:
        """Say which workers are to be called, as the supervisor does."""
        tell_workers(self.folder / self.options.workers_file, serving)

    async def stop(self) -> None:
        """End Envoy; safe to call twice."""
        if self.process.returncode is None:
            self.process.terminate()
        await self.process.wait()

    async def stat(self, name: str) -> int:
        """One of Envoy's counters or gauges."""
        text = (await self.admin.get("/stats", params={"filter": f"^{name}$"})).text
        return int(text.rpartition(": ")[2] or 0)

    async def until_stat(self, name: str, wanted: Callable[[int], bool]) -> None:
        """Wait until one of Envoy's counters or gauges is as wanted."""

        async def reached() -> bool:
            return wanted(await self.stat(name))

        await until(reached)


async def until(probe: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Wait for what no event announces: ask until the answer is yes."""
    async with asyncio.timeout(patient(seconds)):
        while not await probe():
            await asyncio.sleep(0.01)


def reserve_port() -> socket.socket:
    """A free port that stays ours: bound as the supervisor binds it, never listening."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def gateway_options(http_port: int, **changes: Any) -> GatewayOptions:
    """Options with the socket names of a node, relative to its run folder.

    Args:
        changes: GatewayOptions, and what its settings and its limits have.
    """
    settings = {name: changes.pop(name) for name in GatewaySettings.model_fields if name in changes}
    limits = {name.name: changes.pop(name.name) for name in dataclasses.fields(Limits) if name.name in changes}
    options: dict[str, Any] = {
        # Without the settings' own checks: a test's certificate is named by tls_secret_file alone.
        "settings": GatewaySettings().model_copy(update={"access_log": True, **settings}),
        "limits": Limits(**limits),
        "max_body_bytes": RpcSettings().max_event_bytes,
        "max_batch_bytes": RpcSettings().max_batch_bytes,
        "tls_secret_file": None,
        "host": "127.0.0.1",
        "http_port": http_port,
        "admin_socket": "admin.sock",
        "workers_file": "workers.json",
        "query_socket": "loader.sock",
        "status_socket": "supervisor.sock",
    }
    return GatewayOptions(**options | changes)


@asynccontextmanager
async def running_gateway(
    *,
    worker_count: int = 1,
    start_workers: bool = True,
    drain_time: timedelta = timedelta(seconds=1),
    authority: Authority | None = None,
    **changes: Any,
) -> AsyncIterator[Gateway]:
    """Backends and an Envoy that is ready.

    Args:
        authority: serve TLS with a certificate of it.
        changes: see `gateway_options`.
    """
    async with AsyncExitStack() as stack:
        # Not pytest's tmp_path: a unix socket's path must stay below 108 characters.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qrumb-")))
        reserved = stack.enter_context(reserve_port())
        if authority is not None:
            changes = {"tls_secret_file": "tls.json", **changes}
        options = gateway_options(reserved.getsockname()[1], **changes)
        backends = [Backend() for _ in range(worker_count)]
        query, status = Backend(), Backend()
        for backend in (*backends, query, status):
            stack.push_async_callback(backend.stop)
        sockets = [(worker, worker_socket(index)) for index, worker in enumerate(backends) if start_workers]
        tell_workers(folder / options.workers_file, [True] * worker_count)
        for backend, name in [*sockets, (query, options.query_socket), (status, options.status_socket)]:
            await backend.start(folder / name)
        scheme = "http"
        verify: ssl.SSLContext | bool = True
        if authority is not None:
            write_secret(folder / "tls.json", authority.issue("gateway"))
            scheme, verify = "https", authority.trusting()
        config = folder / "envoy.yaml"
        config.write_text(render(options))
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            process = await asyncio.create_subprocess_exec(
                *command(config, concurrency=2, drain_time=drain_time), cwd=folder, stdout=out, stderr=err
            )
        stack.push_async_callback(_stop, process)
        admin = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(folder / options.admin_socket), verify=NO_TLS),
            base_url="http://admin",
            timeout=patient(20),
            verify=NO_TLS,
        )
        http = httpx.AsyncClient(
            base_url=f"{scheme}://127.0.0.1:{options.http_port}", timeout=patient(20), verify=verify
        )
        await stack.enter_async_context(admin)
        await stack.enter_async_context(http)
        await _wait_until_ready(process, admin, folder)
        yield Gateway(
            options=options,
            folder=folder,
            process=process,
            workers=backends,
            query=query,
            status=status,
            http=http,
            admin=admin,
        )


def worker_socket(index: int) -> str:
    """The name of a worker's socket in Envoy's folder."""
    return f"worker-{index}.sock"


def tell_workers(target: Path, serving: Sequence[bool]) -> None:
    """Say which workers are to be called, by a file that is moved in the other's place."""
    new = target.with_suffix(".new")
    new.write_text(workers({worker_socket(index): each for index, each in enumerate(serving)}))
    new.rename(target)


def write_secret(target: Path, files: Files, name: str = SECRET_NAME) -> None:
    """Give Envoy a certificate, as the supervisor does: by a file that is moved in the other's place."""
    new = target.with_suffix(".new")
    new.write_text(secret(files.certificate.read_bytes(), files.key.read_bytes(), name))
    new.rename(target)


async def _wait_until_ready(process: asyncio.subprocess.Process, admin: httpx.AsyncClient, folder: Path) -> None:
    async def ready() -> bool:
        assert process.returncode is None, (folder / "stderr").read_text()
        try:
            return (await admin.get("/ready")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    await until(ready, START_SECONDS)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.wait()
