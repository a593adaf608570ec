"""A child that is busy is left alone; one that hangs is killed and started again. The processes are real."""

import asyncio
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from qrumb_server.errors import EXIT_CONFIG
from qrumb_server.supervise.child import START_TRIES, Child, ChildSpec, seconds_without_processor
from tests.support.patience import patient

HUNG_AFTER = timedelta(seconds=6)


class Answers:
    """Health checks of a child that answers after a while, where its process can run."""

    def __init__(self) -> None:
        self.without_processor: Callable[[int], float] = seconds_without_processor
        self.seconds = 0.0
        self.asked = 0
        self.child: Child | None = None

    async def __call__(self, _pid: int, patience: float) -> bool:
        """One check."""
        self.asked += 1
        if is_frozen(self.child):
            await asyncio.sleep(patience)
            return False
        await asyncio.sleep(min(self.seconds, patience))
        return self.seconds <= patience


def process_of(child: Child | None) -> int:
    assert child is not None
    assert child._process is not None
    return child._process.pid


def is_frozen(child: Child | None) -> bool:
    """One that has just ended is not: a check may begin before its keeper has noticed."""
    try:
        return psutil.Process(process_of(child)).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def running_child(folder: Path) -> AsyncIterator[tuple[Child, Answers]]:
    """A process that does nothing, and what its health checks say: prompt answers at first."""
    answers = Answers()
    spec = ChildSpec(name="idle", command=["sleep", "600"], is_serving=answers, working_dir=folder)
    answers.child = child = Child(
        spec, hung_after=HUNG_AFTER, without_processor=lambda pid: answers.without_processor(pid)
    )
    child.start()
    try:
        await asyncio.wait_for(child.has_served.wait(), patient(20))
        yield child, answers
    finally:
        await child.stop(timedelta(seconds=10))


async def until(wanted: Callable[[], bool]) -> None:
    """Wait, for as long as a slow machine may need."""
    async with asyncio.timeout(patient(20)):
        while not wanted():
            await asyncio.sleep(0.02)


async def test_only_a_child_that_hangs_is_killed(tmp_path: Path) -> None:
    """Three at once, as each takes its time."""
    await asyncio.gather(*(case(tmp_path) for case in (busy, hanging, without_a_processor)))


async def busy(folder: Path) -> None:
    """Each of its answers comes too late to be prompt, and before it would count as hanging: it is not killed."""
    async with running_child(folder) as (child, answers):
        before = process_of(child)
        answers.seconds = 2.4
        answers.asked = 0
        await until(lambda: answers.asked > 3)
        assert (process_of(child), child.restart_count) == (before, 0)


async def hanging(folder: Path) -> None:
    """It is frozen: it is killed and started again."""
    async with running_child(folder) as (child, _answers):
        before = psutil.Process(process_of(child))
        before.send_signal(signal.SIGSTOP)
        await until(lambda: child.restart_count == 1 and child.serving)
        assert not before.is_running()


async def without_a_processor(folder: Path) -> None:
    """It answers nothing for longer than a hanging one may, and its machine had no processor for it all the time: it
    is not killed before that is over."""
    async with running_child(folder) as (child, answers):
        before = process_of(child)
        answers.without_processor = lambda _pid: time.monotonic()
        answers.seconds = 1000.0
        begun = time.monotonic()
        await until(lambda: time.monotonic() - begun > 2 * HUNG_AFTER.total_seconds())
        assert (process_of(child), child.restart_count) == (before, 0)
        answers.without_processor = lambda _pid: 0.0
        await until(lambda: child.restart_count == 1)


@pytest.mark.parametrize(
    ("ends", "deaths"),
    [(f"exit {EXIT_CONFIG}", 1), ("exit 1", START_TRIES), ("kill -9 $$", START_TRIES)],
    ids=["says why", "fails", "is killed"],
)
async def test_a_child_that_ends_before_it_serves_is_given_up_at_once_only_if_it_says_why(
    tmp_path: Path, ends: str, deaths: int
) -> None:
    """A kill, or a disk that is full at the moment, is no reason to refuse a node's start."""

    async def is_serving(_pid: int, _patience: float) -> bool:
        return False

    spec = ChildSpec(
        name="brief",
        command=["sh", "-c", f"echo died >> deaths; {ends}"],
        is_serving=is_serving,
        working_dir=tmp_path,
    )
    child = Child(spec)
    child.start()
    try:
        await asyncio.wait_for(child.refused, patient(20))
        assert (tmp_path / "deaths").read_text().count("died") == deaths
    finally:
        await child.stop(timedelta(seconds=10))


def test_the_kernel_counts_the_time_without_a_processor() -> None:
    """Two processes on one processor: each has it for half of the time."""
    pinned = ["taskset", "-c", "0", "timeout", "120", "sh", "-c", "while :; do :; done"]
    processes = [subprocess.Popen(pinned) for _ in range(2)]
    try:
        busy = [one for process in processes for one in psutil.Process(process.pid).children(recursive=True)]
        deadline = time.monotonic() + patient(20)
        while not (busy and all(seconds_without_processor(one.pid) > 0.2 for one in busy)):
            assert time.monotonic() < deadline, "no time without a processor is counted"
            time.sleep(0.02)
            busy = [one for process in processes for one in psutil.Process(process.pid).children(recursive=True)]
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def test_a_process_that_is_gone_waited_for_nothing() -> None:
    assert seconds_without_processor(2**22 + 1) == 0
