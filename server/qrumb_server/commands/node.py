"""The running node as commands find it: through its run folder, and by calls to its processes.

A process that is started again is waited for; one that stays away is reported in one plain sentence.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import grpc
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from qrumb_server.config import Settings
from qrumb_server.supervise import sockets
from qrumb_server.supervise.folders import SETTINGS_FILE
from qrumb_server.supervise.surroundings import enter_run_dir, is_data_dir_in_use

__all__ = [
    "LONG_SECONDS",
    "SHORT_SECONDS",
    "ask_loader",
    "ask_supervisor",
    "inside_run_dir",
    "is_running",
    "reachable",
    "running_url",
    "stream_from_loader",
]

SHORT_SECONDS: Final = 60.0
# A replay, an erasure or a backup of much may take minutes.
LONG_SECONDS: Final = 3_600.0
# A loader is back a second or two after it was killed, on a crowded machine ten times as late.
PATIENCE_SECONDS: Final = 20.0
RETRY_SECONDS: Final = 0.2
# gRPC's own pause between two tries to connect grows from a second on.
CHANNEL_OPTIONS: Final = (
    *sockets.CHANNEL_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
# Of gRPC's rich errors: the trailer in which ours say more.
STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"
# A server that stops says CANCELLED by itself to calls that reach it then.
AWAY: Final = frozenset({"UNAVAILABLE", "CANCELLED"})
LATE: Final = "DEADLINE_EXCEEDED"
T = TypeVar("T")


def is_running(settings: Settings) -> bool:
    """Whether a node works in this data folder; what it lost of its run folder does not matter."""
    return is_data_dir_in_use(settings.data_dir)


@contextlib.contextmanager
def inside_run_dir(settings: Settings) -> Iterator[None]:
    """Work in the run folder, where the sockets' short names mean something.

    Raises:
        click.ClickException: it is not there: the node starts or stops at this moment.
    """
    before = Path.cwd()
    if not settings.run_dir.is_dir():
        raise click.ClickException(f"the node in {settings.data_dir} is starting or stopping at the moment; try again")
    enter_run_dir(settings.run_dir)
    try:
        yield
    finally:
        os.chdir(before)


def running_url(settings: Settings) -> str:
    """Where the gateway listens: of the node in this data folder, else as configured."""
    host, port, scheme = settings.http_host, settings.http_port, "https" if settings.gateway.tls else "http"
    file = settings.run_dir / SETTINGS_FILE
    if is_running(settings) and file.exists():
        said = json.loads(file.read_text(encoding="utf-8"))
        host, port, scheme = said["http_host"], said["http_port"], "https" if said["gateway"]["tls"] else "http"
    return f"{scheme}://{reachable(host)}:{port}"


def reachable(host: str) -> str:
    """An address to connect to for one to listen on."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def ask_loader(settings: Settings, call: Callable[[grpc.Channel], T]) -> T:
    """One call to the loader; made again while the loader is away, so that it must bear to be made twice.

    Raises:
        click.ClickException: no node runs, its loader does not answer, or what it answered.
    """
    with _channel(settings, sockets.LOADER, "the loader of the node") as channel:
        return _patiently(channel, lambda: call(channel))


def stream_from_loader(settings: Settings, call: Callable[[grpc.Channel], Iterable[T]]) -> Generator[T]:
    """The answers of one call that streams them; it is made again only before the first answer.

    Raises:
        click.ClickException: as `ask_loader`.
    """
    with _channel(settings, sockets.LOADER, "the loader of the node") as channel:
        first, others = _patiently(channel, lambda: _begin(iter(call(channel))))
        yield from first
        yield from others


def ask_supervisor(settings: Settings, call: Callable[[grpc.Channel], T]) -> T:
    """One call to the supervisor.

    Raises:
        click.ClickException: no node runs, or it does not answer.
    """
    with _channel(settings, sockets.STATUS, "the supervisor of the node") as channel:
        return _patiently(channel, lambda: call(channel))


@contextlib.contextmanager
def _channel(settings: Settings, socket: str, whose: str) -> Iterator[grpc.Channel]:
    if not is_running(settings):
        raise click.ClickException(
            f"no node runs in {settings.data_dir}; start one with `qrumb serve`, or set DATA_DIR"
        )
    silence = click.ClickException(
        f"{whose} in {settings.data_dir} does not answer at the moment: it is starting, stopping or stuck; "
        "`qrumb status` and the node's log say more, then try again"
    )
    with inside_run_dir(settings), grpc.insecure_channel(f"unix:{socket}", options=CHANNEL_OPTIONS) as channel:
        try:
            yield channel
        except grpc.FutureTimeoutError as error:
            raise silence from error
        except grpc.RpcError as error:
            if _is_away(error) or error.code().name == LATE:
                raise silence from error
            raise click.ClickException(str(error.details())) from error


def _patiently(channel: grpc.Channel, call: Callable[[], T]) -> T:
    """Call until it was not the transport that failed."""
    deadline = time.monotonic() + PATIENCE_SECONDS

    def once_connected() -> T:
        grpc.channel_ready_future(channel).result(timeout=max(deadline - time.monotonic(), RETRY_SECONDS))
        return call()

    answer: T = Retrying(
        retry=retry_if_exception(_is_away),
        stop=stop_after_delay(PATIENCE_SECONDS),
        wait=wait_fixed(RETRY_SECONDS),
        reraise=True,
    )(once_connected)
    return answer


def _begin(answers: Iterator[T]) -> tuple[list[T], Iterator[T]]:
    """The first answer, if there is one, and the others."""
    for first in answers:
        return [first], answers
    return [], answers


def _is_away(error: BaseException) -> bool:
    """Whether no process answered; what ours refuse comes with details."""
    if not isinstance(error, grpc.RpcError) or error.code().name not in AWAY:
        return False
    trailers: Any = error.trailing_metadata() or ()  # the package's type stub has no pairs
    return all(key != STATUS_DETAILS_KEY for key, _value in trailers)
