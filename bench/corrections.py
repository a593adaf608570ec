"""What sums of hours, keys of events and scans by user cost the loader: python bench/corrections.py [A_BATCH ...]

A loader empties a spool into an empty embedded store, with all of them and without, in turns and in processes of their
own; then the sums of all hours are made once. Processor time of the whole process, merges included. Without: no
projection `fine_event_id`, no marks of hours, no scans by user, no sums. Events lie in the last day's hours, each in a
session of its own, every fifth is a backend's with a user; BENCH_ROUNDS sets how often.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.attribution import DAY_MS, LATER, events, uuid7  # noqa: E402
from qrumb_server.config import SpoolSettings  # noqa: E402
from qrumb_server.loader import loop  # noqa: E402
from qrumb_server.loader.changes import ChangedHours  # noqa: E402
from qrumb_server.model import SitePolicy  # noqa: E402
from qrumb_server.ports import Clock  # noqa: E402
from qrumb_server.spool.quota import SpoolLimits  # noqa: E402
from qrumb_server.spool.writer import SpoolWriter  # noqa: E402
from qrumb_server.store.embedded import EmbeddedStore  # noqa: E402
from qrumb_server.upkeep.rollups import Rollups  # noqa: E402
from qrumb_server.wire.v1.record_pb2 import Record  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
EVENTS = 60_000
HOURS = 24


async def spool_up(root: Path, now_ms: int, of_a_batch: int) -> None:
    """Sealed segments, each a batch, begun after any loader's start, so that they are simply inserted."""

    class Ahead:
        def now_ms(self) -> int:
            return now_ms + DAY_MS

    limits = SpoolLimits(**SpoolSettings().model_dump() | {"min_free_bytes": 0, "segment_max_records": of_a_batch})
    with ThreadPoolExecutor(1) as executor:
        writer = await SpoolWriter.open(root / "worker-0", limits=limits, executor=executor, clock=Ahead())
        for first in range(0, EVENTS, of_a_batch):
            time_ms = now_ms - (1 + first * HOURS // EVENTS) * DAY_MS // 24
            made = [Record(accepted_event=one) for one in events(uuid7, first, of_a_batch, time_ms)]
            await writer.append([record.SerializeToString() for record in made])
            await writer.seal()
        await writer.close()


def loader_of(store: EmbeddedStore, spool_root: Path, clock: Clock, of_a_batch: int) -> loop.Loader:
    """A node's only loader, of batches of so many events."""
    policy = SitePolicy()
    return loop.Loader(
        spool_root=spool_root,
        store=store,
        clock=clock,
        monotonic=time.monotonic,
        policy=lambda _site_id: policy,
        max_events=of_a_batch,
        seal_after=timedelta(milliseconds=500),
        poll_interval=timedelta(milliseconds=50),
        retry_max_delay=timedelta(seconds=1),
        refused_delay=timedelta(seconds=1),
        is_alone=True,
    )


def drain(folder: Path, of_a_batch: int, *, without: bool) -> None:
    """Prints what an event cost the loader, and its sums, in microseconds of processor time."""

    class Now:
        """Lets the segments appear when the loader has looked for those that were there before it: the usual case."""

        def now_ms(self) -> int:
            if later.exists():
                later.rename(folder / "spool")
            return int(time.time() * 1000)

    later = folder / LATER
    store = EmbeddedStore.open(folder / "clickhouse")
    if without:
        store.mutate("ALTER TABLE events.valid_events DROP PROJECTION fine_event_id")
        nothing: Any = lambda *_more: None  # noqa: E731
        for name in ("mark", "_release"):
            setattr(ChangedHours, name, nothing)
        with_scans = loop.link_batches
        loop.link_batches = lambda *more: with_scans(*more)[-1:]
    loader = loader_of(store, folder / "spool", Now(), of_a_batch)
    loader.drain()
    begun = time.process_time()
    loader.run()
    loaded = time.process_time()
    if not without:
        made: dict[str, Any] = {"store": store, "changes": loader.changes, "clock": Now(), "monotonic": time.monotonic}
        Rollups(**made, rest_of=lambda _age: float("-inf"), fewest_hours=1).run_all()
    ended = time.process_time()
    [row] = store.query("SELECT count() AS n FROM events.valid_events")
    assert row["n"] == EVENTS
    print((loaded - begun) / EVENTS * 1e6, (ended - loaded) / EVENTS * 1e6)
    store.close()


def run(of_a_batch: int, which: str) -> tuple[float, float]:
    """What `drain` prints, in a process of its own."""
    with TemporaryDirectory(prefix="qrumb-bench-") as folder:
        asyncio.run(spool_up(Path(folder) / LATER, int(time.time() * 1000), of_a_batch))
        command = [sys.executable, __file__, "drain", folder, str(of_a_batch), which]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=600, check=True)
    load, sums = done.stdout.split()[-2:]
    return float(load), float(sums)


def measure(of_a_batch: int) -> None:
    """A line of the table."""
    rounds = []
    for _ in range(ROUNDS):
        with_all, without = run(of_a_batch, "with"), run(of_a_batch, "without")
        rounds.append((without[0], with_all[0], with_all[1], sum(with_all) / without[0] - 1))
    plain, loading, sums, share = (median(column) for column in zip(*rounds, strict=True))
    low, high = min(one[3] for one in rounds), max(one[3] for one in rounds)
    print(
        f"{of_a_batch:>8,}{plain:>12.1f}{loading:>12.1f}{sums:>8.1f}{share:>10.1%}  {low:.1%} to {high:.1%}", flush=True
    )


def main(sizes: Iterable[int]) -> None:
    """The table, or one of its measurements."""
    print(f"{'a batch':>8}{'without, µs':>12}{'with, µs':>12}{'sums':>8}{'share':>10}", flush=True)
    for of_a_batch in sizes:
        measure(of_a_batch)


if __name__ == "__main__":
    if sys.argv[1:2] == ["drain"]:
        drain(Path(sys.argv[2]), int(sys.argv[3]), without=sys.argv[4] == "without")
    else:
        main([int(one) for one in sys.argv[1:]] or [1_000, 10_000])
