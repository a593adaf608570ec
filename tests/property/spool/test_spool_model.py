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
from qrumb_server.spool import SpoolWriter, list_sealed, read_segment, release
from tests.support.faulty_filesystem import FaultyFileSystem, PowerCutError
from tests.support.spool_limits import spool_limits

ROOT = Path("/spool")
FOLDER = ROOT / "1"
FAULTS = ["create", "write", "sync", "truncate", "rename", "unlink", "sync_folder"]
NUMBERS = st.sampled_from([errno.EIO, errno.ENOSPC])
SEEDS = st.integers(0, 1 << 32)
GROUPS = st.lists(st.lists(st.integers(0, 200), min_size=1, max_size=5), min_size=1, max_size=4)
CANCELLED = st.sets(st.integers(0, 12), max_size=2)


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
        self.refused: set[bytes] = set()
        """By this process. A power cut or a kill may bring parts of them back, once."""
        self.stored: dict[tuple[str, int], bytes] = {}
        self.writer: SpoolWriter | None = None
        self.limits = spool_limits(
            segment_max_records=7,
            segment_max_bytes=600,
            seal_after=timedelta(hours=1),
            max_bytes=8000,
            min_free_bytes=0,
            max_waiting_bytes=3000,
            rescan_after=timedelta(0),
        )

    def teardown(self) -> None:
        try:
            self.restart_after_power_cut(self.next_number)
        finally:
            self.abandon_writer()
            self.loop.close()

    @rule(groups=GROUPS, cancelled=CANCELLED, turns=st.integers(1, 4))
    def append(self, groups: list[list[int]], cancelled: set[int], turns: int) -> None:
        """Concurrent callers, of whom some are cancelled so many turns of the loop later."""
        batches = [[self.make_record(size) for size in sizes] for sizes in groups]
        outcomes = self.run(self.append_all(batches, cancelled, turns))
        for batch, outcome in zip(batches, outcomes, strict=True):
            if outcome is None:
                self.acked.append(batch)
            elif not isinstance(outcome, asyncio.CancelledError):
                assert isinstance(outcome, SpoolFullError | SpoolFailedError), outcome
                assert self.filesystem.has_met_fault or isinstance(outcome, SpoolFullError), "refused for no reason"
                self.refused.update(batch)

    @rule(groups=GROUPS)
    def append_again(self, groups: list[list[int]]) -> None:
        """More often than other rules: without rows they are idle."""
        self.append(groups, set(), 1)

    @rule(groups=GROUPS, faults=st.sets(st.sampled_from(FAULTS), min_size=1, max_size=2), number=NUMBERS)
    def append_with_faults(self, groups: list[list[int]], faults: set[str], number: int) -> None:
        for call in sorted(faults):
            self.filesystem.fail(call, number)
        self.append(groups, set(), 1)

    @rule(groups=GROUPS, sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4))
    def append_with_short_writes(self, groups: list[list[int]], sizes: list[int]) -> None:
        self.filesystem.shorten_writes(*sizes)
        self.append(groups, set(), 1)

    @rule(groups=GROUPS, room=st.integers(0, 700), cut_fault=st.sampled_from([None, "truncate", "sync"]))
    def append_to_filling_disk(self, groups: list[list[int]], room: int, cut_fault: str | None) -> None:
        healthy_bytes = self.filesystem.capacity_bytes
        self.filesystem.capacity_bytes = self.filesystem.bytes_used() + room
        if cut_fault is not None:
            self.filesystem.fail(cut_fault)
        self.append(groups, set(), 1)
        self.filesystem.capacity_bytes = healthy_bytes

    @rule(groups=GROUPS, calls=st.integers(1, 12), seed=SEEDS)
    def append_into_power_cut(self, groups: list[list[int]], calls: int, seed: int) -> None:
        self.filesystem.cut_power_in(calls)
        self.append(groups, set(), 1)
        self.restart_after_power_cut(seed)

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
                assert record in self.records, "a row that was never appended"
                assert record not in self.refused, "a refused append was kept"
                name = (segment.segment_id, row)
                if name not in self.stored:
                    # a released segment that a power cut brought back may sort anywhere
                    assert self.records[record] > last_number, "rows out of order"
                    last_number = self.records[record]
                assert self.stored.setdefault(name, record) == record, "a row changed"
            if index % release_every == 0:
                release(ref, self.filesystem)

    @rule(step_ms=st.integers(-10_000, 10_000))
    def step_clock(self, step_ms: int) -> None:
        self.clock.time_ms += step_ms

    @rule(call=st.sampled_from(FAULTS), number=NUMBERS)
    def arm_fault(self, call: str, number: int) -> None:
        """Met by whatever comes next: a seal, a load, a recovery."""
        self.filesystem.fail(call, number)

    @rule()
    def mend_disk(self) -> None:
        self.filesystem.forget_faults()

    @rule(calls=st.integers(1, 20), seed=SEEDS)
    def cut_power_while_sealing_or_loading(self, calls: int, seed: int) -> None:
        self.filesystem.cut_power_in(calls)
        self.seal()
        self.load_and_release(release_every=2)
        self.restart_after_power_cut(seed)

    @rule(seed=SEEDS)
    def restart_after_power_cut(self, seed: int) -> None:
        """The worst that can happen, then a healthy machine: everything that was acknowledged is read."""
        self.abandon_writer()
        self.filesystem.restart(random.Random(seed))
        self.refused.clear()
        self.run(self.opened())
        self.load(release_every=2)
        self.check_nothing_acked_is_missing()

    @rule()
    def kill(self) -> None:
        """The next call recovers, with whatever faults are armed until then."""
        self.abandon_writer()
        self.filesystem.kill_process()
        self.refused.clear()

    @precondition(lambda self: self.writer is not None)
    @rule()
    def close(self) -> None:
        writer = self.writer
        assert writer is not None
        self.run_despite_faults(writer.close())
        self.writer = None

    @invariant()
    def nothing_is_stored_twice(self) -> None:
        assert len(set(self.stored.values())) == len(self.stored)

    @invariant()
    def bytes_used_is_never_too_low(self) -> None:
        if self.writer is not None and not self.writer.stats().failures:
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

    async def append_all(
        self, batches: list[list[bytes]], cancelled: set[int], turns: int
    ) -> list[BaseException | None]:
        try:
            writer = await self.opened()
        except (OSError, PowerCutError) as error:
            return [SpoolFailedError(str(error))] * len(batches)
        tasks = [asyncio.ensure_future(writer.append(batch)) for batch in batches]
        for _ in range(turns):
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

    def abandon_writer(self) -> None:
        """The process is gone: nothing of it runs any more, not even its timer."""
        if self.writer is not None:
            self.writer._stop_timer()
            self.writer = None


SpoolMachine.TestCase.settings = settings(
    max_examples=250, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestSpool = SpoolMachine.TestCase
