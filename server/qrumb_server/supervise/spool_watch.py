"""The spool as the supervisor sees it: how full, how old, how fast it grows, from the folders alone.

Invariant: a look is never older than twenty times what it took, so that a spool of 100,000 files, a day of outage, does
not keep the supervisor busy with counting.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from qrumb_server.ports import Clock
from qrumb_server.spool.filesystem import DISK
from qrumb_server.spool.reader import SpoolUsage, usage

__all__ = ["Growth", "SpoolLook", "SpoolWatch"]

CHEAP_LOOK_SECONDS: Final = 0.05
LOOK_SHARE: Final = 20
SAMPLE_INTERVAL_SECONDS: Final = 2.0
# Growth is looked for in this stretch, and not believed before it has lasted a while: a burst is no trend.
TREND_SECONDS: Final = 180.0
SHORTEST_TREND_SECONDS: Final = 10.0
# Room for one event of any size: a worker's folder with less counts as full.
FULL_MARGIN_BYTES: Final = 64 * 1024


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

    @property
    def is_disk_full(self) -> bool:
        """Whether the disk has less room than must stay."""
        return self.free_bytes < self.min_free_bytes


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
        """Growth since the last low; 0 where there is none, or not for long enough."""
        if not self._samples:
            return 0.0
        last_time, last_bytes = self._samples[-1]
        low_bytes = min(size for _time, size in self._samples)
        low_time = max(when for when, size in self._samples if size == low_bytes)
        if last_time - low_time < SHORTEST_TREND_SECONDS:
            return 0.0
        return (last_bytes - low_bytes) / (last_time - low_time)


class SpoolWatch:
    """Looks at the spool of a node.

    Args:
        max_bytes: what all workers' folders may hold together.
        workers: names of the folders that share it evenly.
    """

    def __init__(
        self, spool_dir: Path, *, clock: Clock, max_bytes: int, min_free_bytes: int, workers: frozenset[str]
    ) -> None:
        self._spool_dir = spool_dir
        self._clock = clock
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._workers = workers
        self._growth = Growth()
        self._last: SpoolLook | None = None
        self._next_look = 0.0
        self._turn = asyncio.Lock()

    async def look(self) -> SpoolLook:
        """How the spool is now, or was a moment ago where looking takes long. Raises OSError."""
        async with self._turn:
            if self._last is None or time.monotonic() >= self._next_look:
                begun = time.monotonic()
                self._last = await asyncio.to_thread(self._look)
                took = time.monotonic() - begun
                self._next_look = begun + (took * LOOK_SHARE if took > CHEAP_LOOK_SECONDS else 0.0)
            return self._last

    def _look(self) -> SpoolLook:
        used = usage(self._spool_dir, now_ms=self._clock.now_ms())
        free_bytes = DISK.free_bytes(self._spool_dir)
        self._growth.add(used.total_bytes)
        limit = min(self._max_bytes, used.total_bytes + max(free_bytes - self._min_free_bytes, 0))
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
        )
