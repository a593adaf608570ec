"""The spool as the supervisor sees it: how full, how old, how fast it grows, from the folders alone.

Invariants: a look is never older than twenty times what it took, so that a spool of 100,000 files, a day of outage,
does not keep the supervisor busy with counting; a disk that hangs holds up one thread, and no one who asks.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from qrumb_server.ports import Clock
from qrumb_server.spool.filesystem import DISK, fault_text
from qrumb_server.spool.reader import SpoolUsage, usage
from qrumb_server.supervise.own_thread import in_own_thread

__all__ = ["Growth", "SpoolLook", "SpoolWatch", "bounded_by_shares"]

CHEAP_LOOK_SECONDS: Final = 0.05
# While nothing waits and nothing is wrong, one look serves the callers of this long, who ask every second.
CALM_SECONDS: Final = 5.0
LOOK_SHARE: Final = 20
# Then the answer is the last look, with a word of how long the disk has been silent.
LOOK_PATIENCE_SECONDS: Final = 2.0
SAMPLE_INTERVAL_SECONDS: Final = 2.0
# Growth is looked for in this stretch, and not believed before it has lasted a while: a burst is not a trend.
TREND_SECONDS: Final = 180.0
SHORTEST_TREND_SECONDS: Final = 10.0
# Room for one event of any size: a worker's folder with less counts as full.
FULL_MARGIN_BYTES: Final = 64 * 1024
NOTHING_SEEN: Final = SpoolUsage(
    total_bytes=0, folder_bytes={}, sealed_segments=0, sealed_rows=0, quarantined_segments=0, oldest_age=None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLook:
    """What one look found."""

    usage: SpoolUsage
    limit_bytes: int
    """What the spool may hold, as far as the disk has room for it."""
    free_bytes: int
    min_free_bytes: int
    full_in: timedelta | None
    """When it will be full, if it goes on growing like this."""
    full_workers: frozenset[str]
    """Folders that take nothing more."""
    unusable_workers: frozenset[str] = frozenset()
    """Paths that cannot be written to, or are not folders."""
    faults: Sequence[str] = ()
    """What could not be looked at, in words for everybody."""
    is_disk_known: bool = True
    """Whether the disk said how much is free; `free_bytes` is 0 where it did not."""
    silent_for: timedelta | None = None
    """How long the disk has not answered; the rest is what it said before. None: it answers."""

    @property
    def is_disk_full(self) -> bool:
        """Whether the disk has less room than must stay."""
        return self.is_disk_known and self.free_bytes < self.min_free_bytes

    @property
    def is_calm(self) -> bool:
        """Whether no event waits, and nothing is to be said of the disk."""
        return (
            not self.usage.total_bytes
            and self.is_disk_known
            and self.silent_for is None
            and not (self.is_disk_full or self.full_workers or self.unusable_workers or self.faults)
        )


def bounded_by_shares(look: SpoolLook, factors: Sequence[float]) -> SpoolLook:
    """The look with the forecast that follows from what each site may take of the spool.

    Args:
        factors: how many times longer each worker's folder takes to be full, 0 where so it never is.
    """
    if look.full_in is None or not factors:
        return look
    soonest = min((factor for factor in factors if factor), default=None)
    return replace(look, full_in=None if soonest is None else look.full_in * soonest)


class Growth:
    """The trend of a number of bytes over the last minutes."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, size_bytes: int) -> None:
        """Note what it is now."""
        now = self._monotonic()
        if not self._samples or now - self._samples[-1][0] >= SAMPLE_INTERVAL_SECONDS:
            self._samples.append((now, size_bytes))
        while now - self._samples[0][0] > TREND_SECONDS:
            self._samples.popleft()

    def bytes_per_second(self) -> float:
        """Growth since the last low, or of the last seconds where that is less; 0 where it has not lasted.

        What grew and has stopped to, since a site has its share, is not a trend any more.
        """
        if not self._samples:
            return 0.0
        last_time, last_bytes = self._samples[-1]
        low_bytes = min(size for _time, size in self._samples)
        low_time = max(when for when, size in self._samples if size == low_bytes)
        if last_time - low_time < SHORTEST_TREND_SECONDS:
            return 0.0
        recent_time, recent_bytes = next(
            sample for sample in reversed(self._samples) if last_time - sample[0] >= SHORTEST_TREND_SECONDS
        )
        return min(
            (last_bytes - low_bytes) / (last_time - low_time),
            max(last_bytes - recent_bytes, 0) / (last_time - recent_time),
        )


class SpoolWatch:
    """Looks at the spool of a node.

    Args:
        max_bytes: what all workers' folders may hold together.
        workers: names of the folders that share it evenly.
        free_bytes: how much is free on a folder's disk; may raise OSError.
        patience: seconds that a look may take before the last one is the answer.
    """

    def __init__(
        self,
        spool_dir: Path,
        *,
        clock: Clock,
        max_bytes: int,
        min_free_bytes: int,
        workers: frozenset[str],
        free_bytes: Callable[[Path], int] = DISK.free_bytes,
        patience: float = LOOK_PATIENCE_SECONDS,
    ) -> None:
        self._spool_dir = spool_dir
        self._clock = clock
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._workers = workers
        self._growth = Growth()
        self._free_bytes = free_bytes
        self._patience = patience
        self._last = SpoolLook(
            usage=NOTHING_SEEN,
            limit_bytes=max_bytes,
            free_bytes=0,
            min_free_bytes=min_free_bytes,
            full_in=None,
            full_workers=frozenset(),
            is_disk_known=False,
        )
        self._next_look = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._begun = 0.0
        self._cost_seconds = 0.0

    async def look_if_stirred(self) -> SpoolLook:
        """The same, or the last look where that was calm and not long ago."""
        is_kept = self._looking is None and time.monotonic() < self._begun + CALM_SECONDS
        return self._last if is_kept and self._last.is_calm else await self.look()

    async def look(self) -> SpoolLook:
        """How the spool is now, or was a moment ago where looking takes long. What cannot be looked at is named."""
        if self._looking is None and time.monotonic() >= self._next_look:
            self._begun = time.monotonic()
            self._looking = asyncio.create_task(self._look_anew())
        looking, begun = self._looking, self._begun
        if looking is None:
            return self._last
        left = begun + self._patience - time.monotonic()
        await asyncio.wait({looking}, timeout=max(left, 0.0))
        # Of this look alone: another caller may have begun the next one since, which is not late.
        if looking.done():
            return self._last
        return replace(self._last, silent_for=timedelta(seconds=time.monotonic() - begun), full_in=None)

    async def _look_anew(self) -> None:
        try:
            self._last = await in_own_thread(self._look, name="spool look")
        finally:
            took = self._cost_seconds
            self._next_look = self._begun + (took * LOOK_SHARE if took > CHEAP_LOOK_SECONDS else 0.0)
            self._looking = None

    def _look(self) -> SpoolLook:
        # The processor's time: on a busy machine a cheap look takes long too, and must not be kept for long.
        begun = time.thread_time()
        try:
            return self._find()
        finally:
            self._cost_seconds = time.thread_time() - begun

    def _find(self) -> SpoolLook:
        used = usage(self._spool_dir, now_ms=self._clock.now_ms())
        faults = list(used.faults)
        free_bytes, is_disk_known = 0, True
        try:
            free_bytes = self._free_bytes(self._spool_dir)
        except OSError as error:
            faults.append(f"the spool's disk: {fault_text(error, self._spool_dir)}")
            is_disk_known = False
        self._growth.add(used.total_bytes)
        room = max(free_bytes - self._min_free_bytes, 0) if is_disk_known else self._max_bytes
        limit = min(self._max_bytes, used.total_bytes + room)
        speed = self._growth.bytes_per_second()
        share = self._max_bytes // len(self._workers)
        full = {name for name in self._workers if used.folder_bytes.get(name, 0) + FULL_MARGIN_BYTES > share}
        return SpoolLook(
            usage=used,
            limit_bytes=limit,
            free_bytes=free_bytes,
            min_free_bytes=self._min_free_bytes,
            full_in=timedelta(seconds=max(limit - used.total_bytes, 0) / speed) if speed > 0 else None,
            full_workers=frozenset(full),
            unusable_workers=frozenset(name for name in self._workers if not _is_usable(self._spool_dir / name)),
            faults=faults,
            is_disk_known=is_disk_known,
        )


def _is_usable(folder: Path) -> bool:
    """Whether this user, who is the workers' too, can make files there."""
    return os.access(folder / ".", os.W_OK | os.X_OK)  # the dot: a file in the place of a folder has none
