"""The supervisor's look at the spool, where the disk is slow or silent."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.app.clock import SystemClock
from qrumb_server.supervise.spool_watch import SpoolWatch, bounded_by_shares

FREE = 1 << 40


class SilentDisk:
    """A disk that does not say how much is free until it may."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked = 0

    def free_bytes(self, _folder: Path) -> int:
        """Waits."""
        self.asked += 1
        assert self.may_answer.wait(60)
        return FREE


@pytest.fixture
def disk() -> Iterator[SilentDisk]:
    """Lets go at the end, so that no thread stays."""
    silent = SilentDisk()
    yield silent
    silent.may_answer.set()


def watching(tmp_path: Path, disk: SilentDisk, *, patience: float) -> SpoolWatch:
    """An empty spool of one worker."""
    (tmp_path / "worker-0").mkdir()
    return SpoolWatch(
        tmp_path,
        clock=SystemClock(),
        max_bytes=1 << 30,
        min_free_bytes=0,
        workers=frozenset({"worker-0"}),
        free_bytes=disk.free_bytes,
        patience=patience,
    )


@pytest.fixture
def watch(tmp_path: Path, disk: SilentDisk) -> SpoolWatch:
    """It soon gives a look up."""
    return watching(tmp_path, disk, patience=0.05)


async def test_a_disk_that_hangs_holds_up_no_caller_and_is_reported(watch: SpoolWatch, disk: SilentDisk) -> None:
    """The last look, how long ago it was asked for the next one, one thread that waits; and all is well afterwards."""
    disk.may_answer.set()
    assert (await watch.look()).free_bytes == FREE
    disk.may_answer.clear()
    looks = [await watch.look() for _ in range(5)]
    assert all(look.free_bytes == FREE for look in looks)
    silences = [look.silent_for for look in looks if look.silent_for is not None]
    assert len(silences) == 5
    assert silences == sorted(silences)
    assert disk.asked == 2
    disk.may_answer.set()
    while (await watch.look()).silent_for is not None:
        await asyncio.sleep(0.01)


async def test_a_look_of_another_caller_is_not_taken_for_a_silent_disk(tmp_path: Path, disk: SilentDisk) -> None:
    """Health, metrics and status ask all the time, and some begin the next look before others have their answer."""
    watch = watching(tmp_path, disk, patience=60)
    disk.may_answer.set()

    async def ask() -> list[timedelta | None]:
        return [(await watch.look()).silent_for for _ in range(30)]

    assert {said for asked in await asyncio.gather(*(ask() for _ in range(4))) for said in asked} == {None}


async def test_a_first_look_that_hangs_claims_nothing(watch: SpoolWatch) -> None:
    """Neither that the disk is full nor that it is known."""
    look = await watch.look()
    assert look.silent_for is not None
    assert not look.is_disk_known
    assert not look.is_disk_full


async def test_a_calm_look_serves_whoever_looks_all_the_time(
    watch: SpoolWatch, disk: SilentDisk, tmp_path: Path
) -> None:
    """Whoever asks gets a new one; where an event waits, so does everybody."""
    disk.may_answer.set()
    for _ in range(3):
        assert (await watch.look_if_stirred()).is_calm
    assert disk.asked == 1
    (tmp_path / "worker-0" / "segment").write_bytes(b"x")
    assert (await watch.look()).usage.total_bytes == 1
    for _ in range(3):
        assert not (await watch.look_if_stirred()).is_calm
    assert disk.asked == 5


@pytest.mark.parametrize(
    ("factors", "minutes"), [([], 10), ([1.0, 2.0], 10), ([0.0, 2.0], 20), ([0.0, 0.0], None)], ids=str
)
async def test_a_forecast_is_bounded_by_the_sites_shares(
    watch: SpoolWatch, disk: SilentDisk, factors: list[float], minutes: int | None
) -> None:
    """As soon as any worker may be full; never where none will be."""
    disk.may_answer.set()
    grows = replace(await watch.look(), full_in=timedelta(minutes=10))
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert bounded_by_shares(grows, factors).full_in == expected
