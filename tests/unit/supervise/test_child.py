"""A child that is busy is left alone; one that hangs is killed and started again. The processes are real."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from qrumb_server.supervise.child import Child, ChildSpec

HUNG_AFTER = timedelta(seconds=6)


class Answers:
    """Health checks of a child that answers after a while, where its process can run."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.asked = 0
        self.child: Child | None = None

    async def __call__(self, patience: float) -> bool:
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
    return psutil.Process(process_of(child)).status() == psutil.STATUS_STOPPED


@pytest.fixture
async def answers() -> Answers:
    """Prompt ones."""
    return Answers()


@pytest.fixture
async def child(answers: Answers, tmp_path: Path) -> AsyncIterator[Child]:
    """A process that does nothing."""
    spec = ChildSpec(name="idle", command=["sleep", "600"], is_serving=answers, working_dir=tmp_path)
    child = answers.child = Child(spec, hung_after=HUNG_AFTER)
    child.start()
    await asyncio.wait_for(child.has_served.wait(), 30)
    yield child
    await child.stop(timedelta(seconds=10))


async def until(wanted: Callable[[], bool]) -> None:
    """Wait, for as long as a slow machine may need."""
    async with asyncio.timeout(60):
        while not wanted():
            await asyncio.sleep(0.02)


async def test_a_busy_child_is_not_killed(child: Child, answers: Answers) -> None:
    """Each of its answers comes too late to be prompt, and before it would count as hanging."""
    before = process_of(child)
    answers.seconds = 2.4
    answers.asked = 0
    await until(lambda: answers.asked > 3)
    assert (process_of(child), child.restart_count) == (before, 0)


async def test_a_frozen_child_is_killed_and_started_again(child: Child, answers: Answers) -> None:
    before = psutil.Process(process_of(child))
    before.send_signal(signal.SIGSTOP)
    await until(lambda: child.restart_count == 1 and child.serving)
    assert not before.is_running()
