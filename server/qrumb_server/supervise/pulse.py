"""What a process says of itself each second, unasked: that its event loop turns, and what it would answer if asked.

A call wakes six threads in two processes and costs milliseconds where both were asleep; a datagram costs a fiftieth.
Invariants: saying it never waits, what finds no room is lost; a pulse that did not come is a missing answer, as of a
process that is frozen or held up; one of a process that has ended counts for no successor.

Whatever is done each second is done at the same moment of the machine's clock, so that a process wakes once for it: the
supervisor's is half a second after the others', and it hears what was said when it looks, not when it comes.
"""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from google.protobuf.message import DecodeError

from qrumb_server.wire.v1.process_service_pb2 import GetCollectingResponse, GetLoadingResponse, Pulse

__all__ = ["FRESH_SECONDS", "OFFSET_SECONDS", "Pulses", "beating", "next_turn"]

INTERVAL_SECONDS: Final = 1.0
# Processes say it between two looks of the supervisor, which then finds it half a second old.
OFFSET_SECONDS: Final = 0.5
# One interval, and what a machine with other work needs to say and to hear it.
FRESH_SECONDS: Final = 1.3
# A pulse that is late is waited for at least so long.
LEAST_PATIENCE_SECONDS: Final = 0.5
MAX_BYTES: Final = 1 << 18


async def next_turn(seconds: float, offset: float = 0.0) -> None:
    """Sleep until the next multiple of `seconds`, the same for all that wait so."""
    await asyncio.sleep(seconds - (time.monotonic() - offset) % seconds)


@contextlib.contextmanager
def beating(descriptor: int | None, process: str, fill: Callable[[Pulse], Awaitable[None]]) -> Iterator[None]:
    """Say each second that this process serves, and at the end that it does no longer.

    Args:
        descriptor: where to say it, from `Pulses`; none: there is no supervisor.
        process: its name.
        fill: adds what the process would answer.
    """
    if descriptor is None:
        yield
        return
    with socket.socket(fileno=descriptor) as line:
        line.setblocking(False)
        beat = asyncio.create_task(_beat(line, process, fill))
        try:
            yield
        finally:
            beat.cancel()
            _say(line, Pulse(process=process, pid=os.getpid(), is_serving=False))


async def _beat(line: socket.socket, process: str, fill: Callable[[Pulse], Awaitable[None]]) -> None:
    while True:
        pulse = Pulse(process=process, pid=os.getpid(), is_serving=True)
        await fill(pulse)
        _say(line, pulse)
        await next_turn(INTERVAL_SECONDS, OFFSET_SECONDS)


def _say(line: socket.socket, pulse: Pulse) -> None:
    pulse.said_seconds = time.monotonic()
    with contextlib.suppress(OSError):  # it has not read the last ones, or is no longer
        line.send(pulse.SerializeToString())


class Pulses:
    """Hears what the processes of a node say. Belongs to one event loop."""

    def __init__(self) -> None:
        # Of datagrams a socket holds ten, which a node with more workers would say between two looks.
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._last: dict[str, Pulse] = {}
        self._heard = asyncio.Event()
        self._waiting = 0

    @property
    def descriptor(self) -> int:
        """What each process inherits."""
        return self._theirs.fileno()

    def last(self, process: str) -> Pulse | None:
        """What a process said a moment ago; None where that is longer ago."""
        self._hear()
        pulse = self._last.get(process)
        return pulse if pulse is not None and time.monotonic() - pulse.said_seconds < FRESH_SECONDS else None

    def learn(self, process: str, answer: GetLoadingResponse | GetCollectingResponse) -> None:
        """What a process has just answered to a question is newer than what it said by itself."""
        if (pulse := self._last.get(process)) is not None:
            part = pulse.loading if isinstance(answer, GetLoadingResponse) else pulse.collecting
            part.CopyFrom(answer)  # type: ignore[arg-type]  # of the same type as the answer

    async def is_serving(self, process: str, pid: int, patience: float) -> bool:
        """Whether a process says that it serves, at the latest `patience` seconds after it said so before."""
        begun = time.monotonic()
        pulse = self._last.get(process)
        since = pulse.said_seconds if pulse is not None and pulse.pid == pid else begun
        until = max(since + patience, begun + LEAST_PATIENCE_SECONDS)
        while (pulse := self.last(process)) is None or pulse.pid != pid:
            if not await self._hears_within(max(until - time.monotonic(), 0.0)):
                return False
        return pulse.is_serving

    async def _hears_within(self, seconds: float) -> bool:
        """Wait for the next word of any process."""
        loop = asyncio.get_running_loop()
        self._heard.clear()
        if not self._waiting:
            loop.add_reader(self._ours, self._hear)
        self._waiting += 1
        try:
            await asyncio.wait_for(self._heard.wait(), seconds)
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
            if not self._waiting:
                loop.remove_reader(self._ours)
        return True

    def close(self) -> None:
        """Stop listening; no process waits for a message."""
        self._ours.close()
        self._theirs.close()

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                with contextlib.suppress(DecodeError):
                    pulse = Pulse.FromString(self._ours.recv(MAX_BYTES))
                    self._last[pulse.process] = pulse
                    self._heard.set()
