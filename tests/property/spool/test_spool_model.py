"""The spool against a list, on a disk that tears, forgets, fills up and dies."""

import asyncio
import errno
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qrumb_server.errors import SpoolFailedError, SpoolFullError
from qrumb_server.spool import SpoolLimits, SpoolWriter, list_sealed, read_segment, release
from tests.support.faulty_filesystem import FaultyFileSystem, PowerCutError

ROOT = Path("/spool")
FOLDER = ROOT / "1"
FAULTS = ["create", "write", "sync", "truncate", "rename", "unlink", "sync_folder"]


class InlineExecutor(Executor):
    """Runs each job at once, so that a seed says everything about an order of events."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (OSError, PowerCutError) as error:
            future.set_exception(error)
        return future


class SteppingClock:
    def __init__(self) -> None:
        self.time_ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.time_ms


class SpoolMachine(RuleBasedStateMachine):
    """Every record is its own number, so that loss, doubling, invention and order all show."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.executor = InlineExecutor()
        self.filesystem = FaultyFileSystem()
        self.clock = SteppingClock()
        self.next_number = 0
        self.records: dict[bytes, int] = {}
        self.acked: list[list[bytes]] = []
        self.stored: dict[tuple[str, int], bytes] = {}
        self.writer: SpoolWriter | None = None
        self.limits = SpoolLimits(
            segment_max_records=7,
            segment_max_bytes=600,
            seal_after=timedelta(hours=1),
            max_bytes=4000,
            min_free_bytes=0,
            max_waiting_bytes=3000,
            rescan_after=timedelta(0),
        )

    def teardown(self) -> None:
        self.restart_after_kill()
        self.load_and_release(release_every=1)
        self.check_nothing_acked_is_missing()
        self.loop.close()

    @rule(
        groups=st.lists(st.lists(st.integers(0, 250), min_size=1, max_size=9), min_size=1, max_size=5),
        cancelled=st.sets(st.integers(0, 4)),
    )
    def append(self, groups: list[list[int]], cancelled: set[int]) -> None:
        batches = [[self.make_record(size) for size in sizes] for sizes in groups]
        outcomes = self.run(self.append_all(batches, cancelled))
        for batch, outcome in zip(batches, outcomes, strict=True):
            if outcome is None:
                self.acked.append(batch)
            else:
                assert isinstance(outcome, SpoolFullError | SpoolFailedError | asyncio.CancelledError), outcome

    @rule()
    def seal(self) -> None:
        async def seal() -> None:
            await (await self.opened()).seal()

        self.run_despite_faults(seal())

    @rule(release_every=st.integers(1, 3))
    def load_and_release(self, release_every: int) -> None:
        """Reads as the loader does: rows that are stored already must be the same rows."""
        try:
            self.load(release_every)
        except (OSError, PowerCutError):
            return

    def load(self, release_every: int) -> None:
        last_number = -1
        for index, ref in enumerate(list_sealed(ROOT, self.filesystem)):
            segment = read_segment(ref, self.filesystem)
            assert segment.segment_id == str(ref.segment_id)
            for row, record in zip(segment.row_numbers, segment.records, strict=True):
                assert record in self.records, "a row that nobody appended"
                assert self.records[record] > last_number, "rows out of order"
                last_number = self.records[record]
                assert self.stored.setdefault((segment.segment_id, row), record) == record, "a row changed"
            if index % release_every == 0:
                release(ref, self.filesystem)

    @rule(step_ms=st.integers(-10_000, 10_000))
    def step_clock(self, step_ms: int) -> None:
        self.clock.time_ms += step_ms

    @rule(
        call=st.sampled_from(FAULTS),
        number=st.sampled_from([errno.EIO, errno.ENOSPC]),
        times=st.integers(1, 3),
    )
    def arm_fault(self, call: str, number: int, times: int) -> None:
        self.filesystem.fail(call, number, times)

    @rule(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4))
    def arm_short_writes(self, sizes: list[int]) -> None:
        self.filesystem.shorten_writes(*sizes)

    @rule(room=st.integers(0, 700))
    def fill_disk(self, room: int) -> None:
        self.filesystem.capacity_bytes = self.filesystem.bytes_used() + room

    @rule(calls=st.integers(1, 12))
    def cut_power_soon(self, calls: int) -> None:
        if not self.is_dead():
            self.filesystem.cut_power_in(calls)

    @rule()
    def mend_disk(self) -> None:
        if not self.is_dead():
            self.filesystem.forget_faults()

    @rule(seed=st.integers(0, 1 << 32))
    def restart_after_power_cut(self, seed: int) -> None:
        self.abandon_writer()
        self.filesystem.restart(random.Random(seed))

    @rule()
    def restart_after_kill(self) -> None:
        if self.is_dead():
            self.restart_after_power_cut(1)
        self.abandon_writer()
        self.filesystem.kill_process()
        self.run(self.opened())

    @precondition(lambda self: self.writer is not None)
    @rule()
    def close(self) -> None:
        writer = self.writer
        assert writer is not None
        self.run_despite_faults(writer.close())
        self.writer = None

    @rule(seed=st.integers(0, 1 << 32))
    def nothing_acked_is_lost(self, seed: int) -> None:
        """The worst that can happen, then a healthy machine: everything that was acked is read."""
        self.restart_after_power_cut(seed)
        self.run(self.opened())
        self.load_and_release(release_every=2)
        self.check_nothing_acked_is_missing()

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        assert len(set(self.stored.values())) == len(self.stored)

    @invariant()
    def limit_holds(self) -> None:
        if not self.is_dead() and self.writer is not None and not self.writer.stats().failures:
            assert self.filesystem.bytes_in(FOLDER) <= self.writer.bytes_used

    def check_nothing_acked_is_missing(self) -> None:
        names = {record: name for name, record in self.stored.items()}
        for batch in self.acked:
            assert all(record in names for record in batch), "an acknowledged row is lost"
            segment_id, first_row = names[batch[0]]
            assert [names[record] for record in batch] == [
                (segment_id, first_row + index) for index in range(len(batch))
            ], "an append was torn apart"

    def make_record(self, size: int) -> bytes:
        record = b"%d:" % self.next_number + b"x" * size
        self.records[record] = self.next_number
        self.next_number += 1
        return record

    async def opened(self) -> SpoolWriter:
        if self.writer is None:
            self.writer = await SpoolWriter.open(
                FOLDER,
                limits=self.limits,
                executor=self.executor,
                clock=self.clock,
                filesystem=self.filesystem,
            )
        return self.writer

    async def append_all(self, batches: list[list[bytes]], cancelled: set[int]) -> list[BaseException | None]:
        try:
            writer = await self.opened()
        except (OSError, PowerCutError) as error:
            return [SpoolFailedError(str(error))] * len(batches)
        tasks = [asyncio.ensure_future(writer.append(batch)) for batch in batches]
        await asyncio.sleep(0)
        for index in cancelled:
            if index < len(tasks):
                tasks[index].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def run_despite_faults(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            self.run(work)
        except (OSError, PowerCutError, SpoolFailedError):
            return

    def is_dead(self) -> bool:
        return self.filesystem.is_off

    def abandon_writer(self) -> None:
        """The process is gone: nothing of it runs any more, not even its timer."""
        if self.writer is not None:
            self.writer._stop_timer()
            self.writer = None


SpoolMachine.TestCase.settings = settings(
    max_examples=300, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSpool = SpoolMachine.TestCase
