"""A spool that grows, the real loader that empties it into a store, and the question whether each row arrived once."""

import asyncio
import contextlib
import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.app.clock import SystemClock
from qrumb_server.errors import StoreError
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.progress import Progress
from qrumb_server.model import SitePolicy
from qrumb_server.ports import Clock, EventStore
from qrumb_server.spool.reader import list_sealed
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, Record
from tests.support.loading import usual_reading
from tests.support.patience import patient
from tests.support.spool_limits import spool_limits
from tests.support.stack import wait_until

__all__ = ["IMPATIENT", "Feeder", "Rig", "assert_exactly_once", "load_all", "record", "running_rig", "spool_up"]

# Segments. On a slow machine more would come than a loader can take, and each wait would be longer than the last.
MOST_WAITING = 12
# For a store's options: short, so that a frozen server is given up soon.
IMPATIENT: dict[str, Any] = {
    "connect_timeout": timedelta(milliseconds=500),
    "reply_timeout": timedelta(seconds=2),
    "ping_timeout": timedelta(milliseconds=500),
}


class Feeder:
    """A worker's spool that grows until told to stop; `acknowledged` are the ids that it holds durably."""

    def __init__(self, root: Path, *, sizes: Sequence[int] = (1, 20, 500), pause_seconds: float = 0.1) -> None:
        self.root = root
        self._sizes = sizes
        self._pause_seconds = pause_seconds
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._write()))

    async def _write(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            limits = spool_limits(min_free_bytes=0)
            clock = SystemClock()
            writer = await SpoolWriter.open(self.root / "worker-0", limits=limits, executor=executor, clock=clock)
            while not self.stopping.is_set():
                if len(list_sealed(self.root)) < MOST_WAITING:
                    ids = [str(uuid.uuid4()) for _ in range(random.choice(self._sizes))]
                    await writer.append([record(event_id, clock.now_ms()) for event_id in ids])
                    self.acknowledged += ids
                    await writer.seal()
                await asyncio.sleep(self._pause_seconds)
            await writer.close()


def record(event_id: str, now_ms: int, **columns: Any) -> bytes:
    """An accepted event; every third belongs to last month, so that most inserts are over two partitions."""
    time_ms = now_ms - (31 * 86_400_000 if random.random() < 0.3 else 0)
    moment = Timestamp(seconds=time_ms // 1000)
    row = EventRow(
        event_id=event_id,
        site_id="s",
        scan_session_id=random.choice(["", "a", "b"]),
        metadata="{}",
        event_time=moment,
        received_time=moment,
        **columns,
    )
    return Record(accepted_event=AcceptedEvent(row=row)).SerializeToString()


def make_loader(root: Path, store: EventStore, *, max_events: int, progress: Progress | None = None) -> Loader:
    """The product's, with short pauses."""
    return Loader(
        spool_root=root,
        store=store,
        clock=SystemClock(),
        monotonic=time.monotonic,
        policy=lambda _site_id: SitePolicy(),
        max_events=max_events,
        # One worker: there is no other one to wait for.
        seal_after=timedelta(milliseconds=1),
        poll_interval=timedelta(milliseconds=5),
        retry_max_delay=timedelta(milliseconds=300),
        refused_delay=timedelta(milliseconds=200),
        progress=progress,
        is_alone=isinstance(store, EmbeddedStore),
        reading=usual_reading(),
    )


def spool_up(root: Path, groups: Sequence[Sequence[bytes]], clock: Clock | None = None) -> None:
    """Seal one segment per group of records."""

    async def write() -> None:
        with ThreadPoolExecutor(1) as executor:
            limits = spool_limits(min_free_bytes=0)
            writer = await SpoolWriter.open(
                root / "worker-0", limits=limits, executor=executor, clock=clock or SystemClock()
            )
            for group in groups:
                await writer.append(group)
                await writer.seal()
            await writer.close()

    asyncio.run(write())


def load_all(root: Path, store: EventStore) -> None:
    """Run a loader until the spool is empty."""
    loader = make_loader(root, store, max_events=10_000)
    loader.drain()
    loader.run()
    assert list_sealed(root) == []


class Rig:
    """A feeder, a loader and what the loader said on the way."""

    def __init__(self, root: Path, store: EventStore, progress: Progress | None, pause_seconds: float) -> None:
        self.feeder = Feeder(root, pause_seconds=pause_seconds)
        progress = progress or Progress()
        self.loader = make_loader(root, store, max_events=1000, progress=progress)
        self.thread = threading.Thread(target=self.loader.run)
        self._errors: list[str] = []
        """Since it was well: one that lasts for a moment is soon no longer the last one."""
        tell = progress.store_failed

        def note(error: StoreError) -> None:
            tell(error)
            self._errors.append(self.loader.last_error)

        progress.store_failed = note  # type: ignore[method-assign]

    def wait_for_error(self, text: str) -> None:
        """Until the loader has met an error with `text` in it, since it was well."""
        wait_until(lambda: any(text in error for error in self._errors), 30, 0.01)

    def wait_until_well(self) -> None:
        """Until the loader has stored what is in the spool now, and something is."""
        wait_until(lambda: list_sealed(self.feeder.root), 30, 0.001)
        waiting = {ref.path for ref in list_sealed(self.feeder.root)}
        wait_until(lambda: not any(path.exists() for path in waiting) and not self.loader.last_error, 30, 0.01)
        self._errors.clear()

    def finish(self) -> None:
        """Load all there is."""
        self.feeder.stopping.set()
        self.feeder.thread.join(patient(30))
        self.loader.drain()
        self.thread.join(patient(60))
        assert not self.thread.is_alive(), self.loader.last_error
        assert self.loader.last_error == ""
        assert list_sealed(self.feeder.root) == []


@contextlib.contextmanager
def running_rig(
    root: Path, store: EventStore, progress: Progress | None = None, *, pause_seconds: float = 0.1
) -> Iterator[Rig]:
    """Feeding and loading at once. A store that is slow is given less: `pause_seconds` lie between two segments."""
    rig = Rig(root, store, progress, pause_seconds)
    rig.feeder.thread.start()
    rig.thread.start()
    try:
        yield rig
    finally:
        rig.feeder.stopping.set()
        rig.feeder.thread.join(patient(30))
        rig.loader.stop()
        rig.thread.join(patient(60))
        store.close()
        assert not rig.thread.is_alive()


def assert_exactly_once(ask: Callable[[str], Sequence[dict[str, Any]]], acknowledged: Sequence[str]) -> None:
    """Each id in one row, and no other rows."""
    rows = ask("SELECT toString(event_id) AS id FROM events.valid_events")
    assert sorted(row["id"] for row in rows) == sorted(acknowledged)
