"""What it costs the loader to read back what it has stored: processor time of `confirm`, as a share of the loader's.

Both are measured in one run and one process, the engine's threads included, so a busy machine changes neither much.
What merges and other background threads of the engine do while `confirm` waits is the loader's, but not the
read-back's: the longer a busy machine lets `confirm` wait, the more of it there would be.

    python bench/read_back.py
"""

import asyncio
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.attribution import DAY_MS, events, uuid7  # noqa: E402
from qrumb_server.config import SpoolSettings  # noqa: E402
from qrumb_server.loader.loop import Loader  # noqa: E402
from qrumb_server.model import SitePolicy  # noqa: E402
from qrumb_server.ports import TableBatch  # noqa: E402
from qrumb_server.spool.quota import SpoolLimits  # noqa: E402
from qrumb_server.spool.writer import SpoolWriter  # noqa: E402
from qrumb_server.store.embedded import EmbeddedStore  # noqa: E402
from qrumb_server.wire.v1.record_pb2 import Record  # noqa: E402

# Events of a segment and number of segments: a backlog, busy and quiet half seconds.
LOADS = ((10_000, 10), (1_000, 40), (100, 60))


# Threads of the engine that work whether anything is read back or not.
BACKGROUND = ("MergeMutate", "BgSchPool", "BgStrmSchPool", "MemoryWorker", "jemalloc")


def background_seconds() -> float:
    """Processor time of the engine's background threads so far."""
    spent = 0
    for task in Path("/proc/self/task").iterdir():
        try:
            if (task / "comm").read_text().startswith(BACKGROUND):
                spent += int((task / "schedstat").read_text().split()[0])
        except OSError:  # the thread has ended
            continue
    return spent / 1e9


class Measured:
    """A store whose `confirm` is timed."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.seconds = 0.0

    def confirm(self, batches: Sequence[TableBatch]) -> None:
        """As the store's."""
        of_others = background_seconds()
        begun = time.process_time()
        self._store.confirm(batches)
        spent = time.process_time() - begun
        self.seconds += spent - (background_seconds() - of_others)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Ahead:
    """Segments are begun after any loader's start, so that they are simply inserted."""

    def now_ms(self) -> int:
        """Tomorrow."""
        return int(time.time() * 1000) + DAY_MS


class Now:
    """Lets the segments appear when the loader has looked for those that were there before it."""

    def __init__(self, later: Path, spool: Path) -> None:
        self._later = later
        self._spool = spool

    def now_ms(self) -> int:
        """Now."""
        if self._later.exists():
            self._later.rename(self._spool)
        return int(time.time() * 1000)


async def spool_up(root: Path, size: int, segments: int) -> None:
    """Sealed segments of new events."""
    limits = SpoolLimits(**SpoolSettings().model_dump() | {"min_free_bytes": 0, "segment_max_records": size})
    now_ms = int(time.time() * 1000)
    with ThreadPoolExecutor(1) as executor:
        writer = await SpoolWriter.open(root / "worker-0", limits=limits, executor=executor, clock=Ahead())
        for number in range(segments):
            made = events(uuid7, number * size, size, now_ms)
            await writer.append([Record(accepted_event=event).SerializeToString() for event in made])
            await writer.seal()
        await writer.close()


def share(folder: Path, size: int, segments: int) -> tuple[float, float]:
    """Of the loader's processor time, and its microseconds per event."""
    asyncio.run(spool_up(folder / "later", size, segments))
    store = EmbeddedStore.open(folder / "clickhouse")
    measured: Any = Measured(store)
    loader = Loader(
        spool_root=folder / "spool",
        store=measured,
        clock=Now(folder / "later", folder / "spool"),
        monotonic=time.monotonic,
        policy=lambda _site_id: SitePolicy(),
        max_events=size,
        seal_after=timedelta(milliseconds=500),
        poll_interval=timedelta(milliseconds=50),
        retry_max_delay=timedelta(seconds=1),
        refused_delay=timedelta(seconds=1),
    )
    loader.drain()
    begun = time.process_time()
    loader.run()
    spent = time.process_time() - begun
    store.close()
    return measured.seconds / spent, spent / (size * segments) * 1e6


def main() -> None:
    for size, segments in LOADS:
        with TemporaryDirectory() as scratch:
            part, micros = share(Path(scratch), size, segments)
            shutil.rmtree(scratch, ignore_errors=True)
            Path(scratch).mkdir()
        print(f"{size} events a batch: {part:.1%} of the loader's processor time ({micros:.0f} µs per event)")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    main()
