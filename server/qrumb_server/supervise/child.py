"""One child process of a node: started, watched, restarted with back-off, ended.

A child runs in a session of its own, so that Ctrl-C reaches the supervisor alone, and gets SIGTERM from the kernel
when the supervisor dies, so that nothing outlives a node.
"""

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from pathlib import Path
from typing import Final

import structlog

from qrumb_server.errors import EXIT_CONFIG
from qrumb_server.supervise.pulse import next_turn

__all__ = ["END_STREAMS_SIGNAL", "HUNG_AFTER", "RESTART_SIGNAL", "Child", "ChildSpec", "ChildState"]

log = structlog.get_logger()

# Ends of a child that has never served before its start is given up: a kill or a full disk is no reason to.
START_TRIES: Final = 5
# Tells a collector worker to end its open streams while it goes on with everything else.
END_STREAMS_SIGNAL: Final = signal.SIGUSR1
# Tells a supervisor to start every process anew, one after another.
RESTART_SIGNAL: Final = signal.SIGUSR1
FIRST_BACK_OFF: Final = timedelta(milliseconds=100)
LONGEST_BACK_OFF: Final = timedelta(seconds=10)
# A child that ran this long was well; the next failure starts the back-off anew.
STABLE_AFTER: Final = timedelta(seconds=30)
PROBE_INTERVAL_SECONDS: Final = 1.0
STARTING_PROBE_INTERVAL_SECONDS: Final = 0.02
# How soon after SIGKILL a process is gone.
KILL_SECONDS: Final = 5.0
# How long an answer may take without the child counting as unwell.
PROMPT_SECONDS: Final = 2.0
# A child that is alive but answers nothing for this long is killed. Once it has not answered promptly, one check waits
# for all of that time: checks that give up again and again would take a busy child for a hanging one. Time in which it
# waited for a processor does not count: on a crowded machine a start takes minutes, and a new one would take no less.
HUNG_AFTER: Final = timedelta(seconds=30)
# The log says so where a start takes longer.
SLOW_START: Final = timedelta(seconds=10)


# The kernel sends SIGTERM when the parent dies, but only if it dies after that was asked for: so the child looks
# whether its parent is still the one that started it. What follows are the parent's id and the command.
WITH_PARENT: Final = ("setpriv", "--pdeathsig", "TERM", "sh", "-c", '[ "$PPID" = "$0" ] && exec "$@"')


class ChildState(Enum):
    """What is known of a child at one moment."""

    SERVING = auto()
    STARTING = auto()
    """It runs and has not answered yet."""
    SILENT = auto()
    """It runs and has stopped to answer."""
    ENDED = auto()
    """It has ended and is started again after a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What to run and how to ask whether it works."""

    name: str
    command: Sequence[str]
    is_serving: Callable[[int, float], Awaitable[bool]]
    """One health check of the process with this id; must not raise, and must answer within the seconds it is given."""
    working_dir: Path
    inherited_descriptors: tuple[int, ...] = ()


def seconds_without_processor(pid: int) -> float:
    """For how long a process was ready to run and none of the machine's processors was free for it, since its start.

    Of its main thread, which answers health checks. 0 where the kernel does not count it (Linux does, in schedstat).
    """
    try:
        descriptor = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0.0
    try:
        _running, waiting, _slices = os.read(descriptor, 64).split()
    except (OSError, ValueError):
        return 0.0
    finally:
        os.close(descriptor)
    return int(waiting) / 1e9


class Child:
    """Keeps one child process running until `stop`.

    Args:
        told: called whenever `serving` has changed.
        without_processor: how many seconds a process has waited for a processor.
    """

    def __init__(
        self,
        spec: ChildSpec,
        *,
        told: Callable[[], None] = lambda: None,
        hung_after: timedelta = HUNG_AFTER,
        without_processor: Callable[[int], float] = seconds_without_processor,
    ) -> None:
        self.spec = spec
        self._told = told
        self._without_processor = without_processor
        self._hung_after = hung_after.total_seconds()
        self.restart_count = 0
        self.serving = False
        self._has_answered = False
        self.has_served = asyncio.Event()
        self.refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The exit code, once it is pointless to wait for a child that has never served: it says that it cannot start,
        or has ended `START_TRIES` times."""
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._asked_to_end: asyncio.Event | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def has_answered(self) -> bool:
        """Whether the process that runs now has ever served."""
        return self.state in {ChildState.SERVING, ChildState.SILENT}

    @property
    def state(self) -> ChildState:
        """How the process is."""
        if self.serving:
            return ChildState.SERVING
        if self._process is None or self._process.returncode is not None:
            return ChildState.ENDED if self.restart_count or self.has_served.is_set() else ChildState.STARTING
        return ChildState.SILENT if self._has_answered else ChildState.STARTING

    def start(self) -> None:
        """Start the process and keep it running."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")

    async def stop(self, patience: timedelta) -> int | None:
        """SIGTERM, and SIGKILL after `patience`; returns the exit code."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        process = self._process
        if process is not None:
            try:
                await asyncio.wait_for(process.wait(), patience.total_seconds())
            except TimeoutError:
                log.error("child_did_not_stop", child=self.spec.name, seconds=patience.total_seconds())
                self._signal(signal.SIGKILL)
        if self._keeper is not None:
            await self._keeper
        return process.returncode if process is not None else None

    async def restart(self, patience: timedelta, start_timeout: timedelta) -> bool:
        """End the process as `stop` does, and have the next one serve; False where that takes longer.

        One that has not served since its start is being started anyway.
        """
        if self.has_answered:
            self._note(is_serving=False)
            ended = self._asked_to_end = asyncio.Event()
            for number, seconds in ((signal.SIGTERM, patience.total_seconds()), (signal.SIGKILL, KILL_SECONDS)):
                self._signal(number)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), seconds)
                    break
                log.error("child_did_not_stop", child=self.spec.name, seconds=seconds)
            self._asked_to_end = None
        try:
            async with asyncio.timeout(start_timeout.total_seconds()):
                while not self.serving:  # noqa: ASYNC110  (the prober sends no signal)
                    await asyncio.sleep(STARTING_PROBE_INTERVAL_SECONDS)
        except TimeoutError:
            return False
        return True

    def end_streams(self) -> None:
        """Ask a serving collector worker to end its streams; one that has not served yet has none."""
        if self.serving:
            self._signal(END_STREAMS_SIGNAL)

    def _note(self, *, is_serving: bool) -> None:
        if is_serving != self.serving:
            self.serving = is_serving
            self._told()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep(self) -> None:
        back_off = FIRST_BACK_OFF
        while not self._stopping.is_set():
            started = time.monotonic()
            self._has_answered = False
            self._process = await asyncio.create_subprocess_exec(
                *WITH_PARENT,
                str(os.getpid()),
                *self.spec.command,
                cwd=self.spec.working_dir,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=self.spec.inherited_descriptors,
                env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0"},
            )
            if self._stopping.is_set():
                self._signal(signal.SIGTERM)
            pid = self._process.pid
            slow = asyncio.get_running_loop().call_later(SLOW_START.total_seconds(), self._tell_slow_start, pid)
            prober = asyncio.create_task(self._probe(pid))
            code = await self._process.wait()
            slow.cancel()
            prober.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await prober
            self._note(is_serving=False)
            if self._stopping.is_set():
                return
            if self._asked_to_end is not None:
                self._asked_to_end.set()
                self._asked_to_end = None
                continue
            log.error("child_died", child=self.spec.name, exit_code=code)
            is_pointless = code == EXIT_CONFIG or self.restart_count + 1 >= START_TRIES
            if is_pointless and not self.has_served.is_set() and not self.refused.done():
                self.refused.set_result(code)
            if time.monotonic() - started > STABLE_AFTER.total_seconds():
                back_off = FIRST_BACK_OFF
            with contextlib.suppress(TimeoutError):
                pause = back_off.total_seconds() * random.uniform(0.5, 1.5)  # noqa: S311
                await asyncio.wait_for(self._stopping.wait(), pause)
            back_off = min(back_off * 2, LONGEST_BACK_OFF)
            self.restart_count += 1

    async def _probe(self, pid: int) -> None:
        silent_seconds = starved_seconds = 0.0
        while True:
            begun = time.monotonic()
            patience = PROMPT_SECONDS if self.serving else max(self._hung_after - silent_seconds, PROMPT_SECONDS)
            self._note(is_serving=await self.spec.is_serving(pid, patience))
            if self.serving:
                self._has_answered = True
                self.has_served.set()
            if self.serving:
                await next_turn(PROBE_INTERVAL_SECONDS)
            else:
                await asyncio.sleep(STARTING_PROBE_INTERVAL_SECONDS)
            starved_before, starved_seconds = starved_seconds, self._without_processor(pid)
            # Where this process itself stood still, the child was not asked.
            asked_seconds = min(time.monotonic() - begun, patience + PROBE_INTERVAL_SECONDS)
            silent_seconds += max(asked_seconds - (starved_seconds - starved_before), 0.0)
            if self.serving:
                silent_seconds = 0.0
            elif silent_seconds > self._hung_after:
                log.error("child_hangs", child=self.spec.name, seconds=self._hung_after)
                self._signal(signal.SIGKILL)
                return

    def _tell_slow_start(self, pid: int) -> None:
        if not self._has_answered:
            waited = round(self._without_processor(pid), 1)
            log.warning("child_starts_slowly", child=self.spec.name, seconds_without_processor=waited)
