"""The worker's side of the spool: many concurrent appends, one sync for all that wait (group commit).

Invariants: `append` returns only after its records are durable; one job at a time touches the disk, in the executor or
in the compiled disk's thread; no timer stands between a write and its answer; a caller's cancellation concerns that
caller alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Self, TypeVar
from uuid import UUID

from qrumb_server.errors import ConfigError, SpoolFailedError, SpoolFullError
from qrumb_server.ports import Clock
from qrumb_server.spool.answers import Waiting, answer_appends, answer_seals, failure, fault_of
from qrumb_server.spool.compiled_disk import CompiledDisk
from qrumb_server.spool.filesystem import DISK, FileSystem
from qrumb_server.spool.format import MAX_RECORD_BYTES, framed_bytes, parse_name
from qrumb_server.spool.journal import Append, SegmentJournal, records_of, size_of
from qrumb_server.spool.quota import FolderLook, SpoolLimits, bytes_of_sites
from qrumb_server.spool.recovery import LOCK_NAME, RecoveryReport, recover_locked

__all__ = ["SpoolStats", "SpoolWriter"]

_T = TypeVar("_T")

_QUIET_ROUNDS, _LONE_ROUNDS, _LONE_GROUPS = 16, 4, 8
_GATHER_BYTES = 64 * 1024
_GATHER_SECONDS = 0.002
"""Under load rounds of the loop bring further appends, and the disk is done before the next: without waiting for them a
group would have one or two, and handing it over costs as much as a call. So many rounds that bring none end that: few
where the last groups had one append each, whose caller is alone. So does enough, or long enough."""

_LOCK_POLL_SECONDS = 0.05
"""A predecessor that is being killed lets go within milliseconds; flock has no wait with a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStats:
    """Counters since `open`, and what is held now."""

    bytes_used: int
    waiting_appends: int
    waiting_bytes: int
    commits: int
    """Successful syncs; records_appended / commits is the size of a group."""
    records_appended: int
    segments_sealed: int
    segments_unsealed: int
    """Closed segments that the disk would not rename; retried with every seal."""
    failures: int
    """Faults of the disk, fullness not included."""
    is_healthy: bool
    """False from a failed commit until one succeeds."""


class SpoolWriter:
    """One per worker process and folder. Lives on one event loop; only its jobs run in the executor."""

    def __init__(
        self,
        journal: SegmentJournal,
        recovery: RecoveryReport,
        unlock: Callable[[], None],
        executor: Executor,
        clock: Clock,
        compiled: CompiledDisk | None,
    ) -> None:
        """Use `open`."""
        self._clock = clock
        self.recovery = recovery
        self._journal = journal
        self._unlock = unlock
        self._limits = journal.limits
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._compiled = compiled
        self._begun: list[Waiting] | None = None
        self._waiting: list[Waiting] = []
        self._waiting_bytes = 0
        self._waiting_since = 0.0
        self._quiet_rounds, self._lone_groups = _LONE_ROUNDS, _LONE_GROUPS
        self._seal_waiters: list[asyncio.Future[None]] = []
        self._is_seal_wanted = False
        self._looking: asyncio.Future[None] | None = None
        self._is_look_wanted = False
        self._last_look = FolderLook()
        self._is_untouched = False
        self._job_begun: float | None = None
        self._is_closing = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._timed_segment: UUID | None = None
        if compiled is not None:
            self._loop.add_reader(compiled.fileno(), self._end_append)

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        limits: SpoolLimits,
        executor: Executor,
        clock: Clock,
        filesystem: FileSystem = DISK,
        lock_timeout: timedelta = timedelta(seconds=10),
    ) -> Self:
        """Own the folder until `close` or death, after recovering what a predecessor left in it.

        Args:
            filesystem: a CompiledDisk also appends.

        Raises:
            ConfigError: another process still owns the folder after `lock_timeout`.
            OSError: the folder cannot be made, locked, listed or synced.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(executor, filesystem.make_folder, folder)
        unlock = await _take_lock(folder, lock_timeout, executor, filesystem)
        try:
            recovery = await loop.run_in_executor(executor, recover_locked, folder, filesystem)
            journal = await loop.run_in_executor(executor, _open_journal, folder, limits, filesystem, clock)
            compiled = filesystem if isinstance(filesystem, CompiledDisk) else None
            return cls(journal, recovery, unlock, executor, clock, compiled)
        except BaseException:
            unlock()
            raise

    @property
    def bytes_used(self) -> int:
        """Bytes in the folder, at most: what the loader removed since the last look still counts."""
        return self._journal.bytes_used

    def stats(self) -> SpoolStats:
        """A snapshot for metrics and health; a job may be under way."""
        journal = self._journal
        return SpoolStats(
            bytes_used=journal.bytes_used,
            waiting_appends=len(self._waiting),
            waiting_bytes=self._waiting_bytes,
            commits=journal.commits,
            records_appended=journal.records_appended,
            segments_sealed=journal.segments_sealed,
            segments_unsealed=journal.segments_unsealed,
            failures=journal.failures,
            is_healthy=journal.is_healthy,
        )

    async def append(self, records: Sequence[bytes], sites: Sequence[str] = ()) -> None:
        """Keep all records or none; on return they are durable, side by side and in order, in one segment.

        A caller that is cancelled gets no answer: its records may or may not be kept.

        Args:
            sites: whose each record is; empty where that does not count.

        Raises:
            SiteShareError: one of the sites has its share of the spool. Nothing was kept.
            SpoolFullError: at a limit, or the disk is full. Nothing was kept.
            SpoolFailedError: the disk refused, or the spool is closed. Nothing counts as kept, though after a
                power cut a part of it may turn up.
            ValueError: a record is longer than MAX_RECORD_BYTES.
        """
        if self._is_closing:
            raise SpoolFailedError("the spool is closed")
        if not records:
            return
        size = framed_bytes(records)
        if size > MAX_RECORD_BYTES and max(map(len, records)) > MAX_RECORD_BYTES:
            raise ValueError(f"a record is longer than {MAX_RECORD_BYTES} bytes")
        if self._waiting_bytes + size > self._limits.max_waiting_bytes and self._waiting_bytes:
            raise SpoolFullError(f"{self._waiting_bytes} bytes wait for the disk already")
        if not self._waiting:
            self._waiting_since = self._loop.time()
        done = self._loop.create_future()
        self._waiting.append((Append(records, size, bytes_of_sites(records, sites, size)), done))
        self._waiting_bytes += size
        if len(self._waiting) == 1 and self._job_begun is None:
            self._loop.call_soon(self._gather, 1, self._quiet_rounds)
        await done

    async def seal(self) -> None:
        """Hand everything that is durable now to the loader.

        Raises:
            SpoolFailedError: the disk refused the rename. Nothing is lost; it is tried again by itself.
        """
        if self._is_closing:
            raise SpoolFailedError("the spool is closed")
        waiter = self._loop.create_future()
        self._seal_waiters.append(waiter)
        self._is_seal_wanted = True
        self._start_job()
        await waiter

    async def look(self, patience: timedelta) -> FolderLook:
        """How sites share the folder now; where the disk lets wait for longer than `patience`, as it was last.

        One that was empty, and was not written to since, is so still.
        """
        if self._is_untouched:
            return self._last_look
        if self._looking is None:
            self._looking, self._is_look_wanted = self._loop.create_future(), True
            self._start_job()
        await asyncio.wait({self._looking}, timeout=patience.total_seconds())
        return self._last_look

    @property
    def disk_silent_for(self) -> timedelta:
        """Since when the disk has not answered what it was asked; zero where it was asked nothing."""
        return timedelta(seconds=0.0 if self._job_begun is None else self._loop.time() - self._job_begun)

    async def close(self) -> None:
        """Finish waiting appends, seal, release the folder. May be called again, and by several at once.

        A disk that refuses the seal is not an error here: nothing is lost, the next start seals.
        """
        if not self._is_closing:
            self._is_closing = True
            self._stop_timer()
            self._start_job()
        await asyncio.shield(self._closed)

    def _gather(self, gathered: int, quiet_rounds: int) -> None:
        """Start the next job once so many more rounds of the loop have brought no further append, or enough wait."""
        waiting = len(self._waiting)
        is_enough = self._waiting_bytes > _GATHER_BYTES or self._loop.time() - self._waiting_since > _GATHER_SECONDS
        if waiting > gathered:
            quiet_rounds = self._quiet_rounds
        if waiting and quiet_rounds and not is_enough:
            self._loop.call_soon(self._gather, waiting, quiet_rounds - 1)
        else:
            self._start_job()

    def _start_job(self) -> None:
        """Give the disk its next job, if it is idle and there is one."""
        if self._job_begun is not None or self._closed.done():
            return
        # sealing first: under steady load an append always waits, and sealing would never get its turn
        if self._is_seal_wanted or self._journal.is_segment_full:
            self._is_seal_wanted = False
            waiters, self._seal_waiters = self._seal_waiters, []
            self._run(self._journal.seal, partial(answer_seals, waiters))
        elif self._is_look_wanted:
            self._is_look_wanted = False
            self._run(self._journal.look, self._answer_look)
        elif self._waiting:
            # a caller that was cancelled meanwhile gets no answer; its retry would only be a duplicate
            group = [member for member in self._waiting if not member[1].done()]
            self._waiting, self._waiting_bytes = [], 0
            self._lone_groups = self._lone_groups + 1 if len(group) == 1 else 0
            self._quiet_rounds = _LONE_ROUNDS if self._lone_groups > _LONE_GROUPS else _QUIET_ROUNDS
            self._append(group, [append for append, _done in group])
        elif self._is_closing:
            self._run(self._journal.close, self._release_folder)

    def _append(self, group: list[Waiting], appends: list[Append]) -> None:
        compiled = self._compiled
        segment = self._journal.begin(appends) if compiled is not None else None
        if compiled is None or segment is None:
            self._run(partial(self._journal.commit, appends), partial(answer_appends, group))
            return
        self._job_begun, self._is_untouched = self._loop.time(), False
        records = list(chain.from_iterable(map(records_of, appends)))
        try:
            compiled.append(segment, records, sum(map(size_of, appends)))
        except OSError as error:
            self._fail_append(group, appends, error, is_written=False)
        else:
            self._begun = group

    def _end_append(self) -> None:
        """The compiled disk has ended what was begun."""
        assert self._compiled is not None
        error: OSError | None
        try:
            error, is_written = self._compiled.ended()
        except OSError as fault:  # its thread has ended, and Python goes on alone
            error, is_written = fault, True
            self._loop.remove_reader(self._compiled.fileno())
            self._compiled = None
        group, self._begun = self._begun, None
        if group is None:
            return
        appends = [append for append, _done in group]
        if error is not None:
            self._fail_append(group, appends, error, is_written=is_written)
            return
        self._journal.end(appends)
        for _append, done in group:
            if not done.done():
                done.set_result(None)
        self._go_on()

    def _fail_append(self, group: list[Waiting], appends: list[Append], error: OSError, *, is_written: bool) -> None:
        fail = partial(self._journal.fail, appends, error, is_written=is_written)
        self._run(fail, partial(answer_appends, group))

    def _run(self, job: Callable[[], _T], answer: Callable[[Future[_T]], None]) -> None:
        self._job_begun, self._is_untouched = self._loop.time(), False
        try:
            future = self._executor.submit(job)
        except RuntimeError as error:
            # the executor was shut down before the spool was closed
            future = Future()
            future.set_exception(error)
        # One step back to the loop; a future of the loop's own would take three.
        future.add_done_callback(partial(self._call_back, answer))

    def _call_back(self, answer: Callable[[Future[_T]], None], job: Future[_T]) -> None:
        """In whichever thread the job has ended; a loop that is gone waits for no answer."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish_job, job, answer)

    def _finish_job(self, job: Future[_T], answer: Callable[[Future[_T]], None]) -> None:
        answer(job)
        self._go_on()

    def _go_on(self) -> None:
        self._job_begun = None
        self._set_timer()
        self._gather(0, self._quiet_rounds)

    def _answer_look(self, job: Future[FolderLook]) -> None:
        if fault_of(job) is None:
            self._last_look = job.result()
            self._is_untouched = self._last_look.is_empty
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.set_result(None)

    def _release_folder(self, job: Future[None]) -> None:
        if self._compiled is not None:
            self._loop.remove_reader(self._compiled.fileno())
            self._compiled.close()
        self._unlock()
        fault = fault_of(job)
        if fault is None:
            self._closed.set_result(None)
        else:
            self._closed.set_exception(failure("the spool could not be closed in order", fault))

    def _set_timer(self) -> None:
        """Let the timer run for the segment that is to be sealed next, from its first commit."""
        due = self._journal.seal_due
        if due == self._timed_segment:
            return
        self._stop_timer()
        if due is not None and not self._is_closing:
            self._timed_segment = due
            self._timer = self._loop.call_later(self._seconds_to_boundary(), self._seal_in_time)

    def _seconds_to_boundary(self) -> float:
        """Workers seal together, at multiples of `seal_after`: their segments then hold the same stretch of time, and
        the loader can put what several workers received into its order."""
        window = self._limits.seal_after
        passed = timedelta(milliseconds=self._clock.now_ms()) % window
        return (window - passed).total_seconds()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._timed_segment = None

    def _seal_in_time(self) -> None:
        # forgotten, so that a seal that fails is timed anew
        self._timer = self._timed_segment = None
        self._is_seal_wanted = True
        self._start_job()


async def _take_lock(
    folder: Path, patience: timedelta, executor: Executor, filesystem: FileSystem
) -> Callable[[], None]:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patience.total_seconds()
    while True:
        unlock = await loop.run_in_executor(executor, filesystem.lock, folder / LOCK_NAME)
        if unlock is not None:
            return unlock
        if loop.time() >= give_up:
            raise ConfigError(f"another process owns the spool folder {folder}: stop it, or give this one its own")
        await asyncio.sleep(_LOCK_POLL_SECONDS)


def _open_journal(folder: Path, limits: SpoolLimits, filesystem: FileSystem, clock: Clock) -> SegmentJournal:
    names = (parse_name(entry.name) for entry in filesystem.list_folder(folder))
    previous_id = max((name.segment_id for name in names if name is not None), default=None)
    return SegmentJournal(folder=folder, limits=limits, filesystem=filesystem, clock=clock, previous_id=previous_id)
