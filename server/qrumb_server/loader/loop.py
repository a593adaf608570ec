"""The loader's loop: take sealed segments, store their rows exactly once, release them.

A segment that was begun before the loader started may have been stored by a loader that died before it could
release it, even if it turns up later: after a power cut a released file can come back. And an insert whose
connection broke may have happened. Both are sent with `insert_missing`, which leaves out the rows that are there. A
segment is released only after all that hangs on it was read back from the disk: `EventStore.confirm`.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from qrumb_server.errors import BadRowsError, OutcomeUnknownError, StoreError, StoreRefusedError, StoreUnavailableError
from qrumb_server.loader.backlog import Backlog
from qrumb_server.loader.batch import Batch, Load, PlainReading, Reading
from qrumb_server.loader.by_columns import BatchAttributor
from qrumb_server.loader.changes import ChangedHours
from qrumb_server.loader.compiled import table_batch
from qrumb_server.loader.ledger import count_batch, count_scans, ledger_batch
from qrumb_server.loader.lookups import Lookups
from qrumb_server.loader.progress import Progress
from qrumb_server.loader.races import Races
from qrumb_server.loader.remarks import LATE, Remarks
from qrumb_server.loader.rows import (
    PlacedEvent,
    PlacedLetter,
    dead_letter_batch,
    refused_event,
)
from qrumb_server.loader.sessions import (
    ScanRates,
    keys_of,
    lost_codes,
    new_sessions,
    session_batch,
    session_hours,
    take_sessions,
)
from qrumb_server.loader.spool_access import SpoolAccess
from qrumb_server.loader.user_scans import link_batches, user_scan_batches
from qrumb_server.model import SitePolicy
from qrumb_server.ports import Clock, EventStore, TableBatch
from qrumb_server.spool.reader import SegmentRef, list_sealed, quarantine, release

__all__ = ["Loader"]

log = structlog.get_logger()
T = TypeVar("T")

# A server is asked while nothing is to be loaded too, so that its absence is known before events wait.
PROBE_SECONDS: Final = 1.0
# Longest pause while no worker writes, for what is due by its time.
QUIET_SECONDS: Final = 2.0


class _StoppedWaiting(Exception):
    """A stop was asked for while ClickHouse was away."""


class Loader:
    """Moves segments to the store until it is told to stop. Runs in a thread of its own.

    Args:
        spool_root: folder with one folder of segments per worker.
        store: where the rows go.
        clock: tells which segments are older than this loader.
        monotonic: seconds, for the age of what is cached.
        policy: what a site wants.
        max_events: rows of one insert.
        seal_after: stretch of time after which workers seal.
        poll_interval: how often an empty spool is looked at.
        retry_max_delay: longest pause while the store is unavailable.
        refused_delay: pause after an error that only an operator can fix.
        progress: told what happens.
        is_alone: no other loader writes into the store.
        reading: reads the batches, and is told of them.
    """

    def __init__(
        self,
        *,
        spool_root: Path,
        store: EventStore,
        clock: Clock,
        monotonic: Callable[[], float],
        policy: Callable[[str], SitePolicy],
        max_events: int,
        seal_after: timedelta,
        poll_interval: timedelta,
        retry_max_delay: timedelta,
        refused_delay: timedelta,
        progress: Progress | None = None,
        is_alone: bool = False,
        reading: Reading | None = None,
    ) -> None:
        self._spool_root, self._store, self._reading = spool_root, store, reading or PlainReading()
        self._clock, self._monotonic = clock, monotonic
        self._policy, self._is_alone = policy, is_alone
        self.changes = ChangedHours(store, clock=clock, monotonic=monotonic, is_alone=is_alone)
        """Of whatever changes stored rows, here or elsewhere in the process."""
        self.begin_anew()
        self._turn, self._next_probe = threading.Lock(), monotonic()
        self._progress = progress or Progress()
        self._spool = SpoolAccess(spool_root, progress=self._progress, sleep=self._sleep)
        self._backlog = Backlog(
            spool_root, clock=clock, monotonic=monotonic, max_events=max_events, seal_after=seal_after
        )
        self._poll_seconds = poll_interval.total_seconds()
        self._refused_seconds = refused_delay.total_seconds()
        self._back_off = wait_random_exponential(multiplier=0.1, max=retry_max_delay.total_seconds())
        self._draining, self._stopping = threading.Event(), threading.Event()

    @property
    def last_error(self) -> str:
        """What the store said last; empty while it takes rows."""
        error = self._progress.last_error
        return "" if error is None else f"{error.loggable} (code {error.code})" if error.code else error.loggable

    def drain(self) -> None:
        """Load what is sealed now, then end `run`."""
        self._draining.set()
        self._backlog.wake()

    def stop(self) -> None:
        """End `run` after the insert under way; what is not stored stays in the spool."""
        self._stopping.set()
        self.drain()

    def run(self) -> None:
        """Load until told otherwise."""
        with suppress(_StoppedWaiting), self._backlog:
            self._run()

    def _run(self) -> None:
        # By name as well as by age: the clock may have been ahead when they were begun.
        suspects = {ref.path for ref in self._spool.until_allowed(lambda: list_sealed(self._spool_root))}
        started_ms = self._clock.now_ms()
        self._remarks.begin(started_ms)
        self._races.begin(started_ms)
        while not self._stopping.is_set():
            draining = self._draining.is_set()
            taken = self._spool.until_allowed(partial(self._backlog.take, wait_for_open=not draining))
            if not taken:
                if draining:
                    return
                self._probe_if_due()
                with self._turn:
                    self._judge_late()
                self._backlog.wait(self._poll_seconds, QUIET_SECONDS if self._is_alone else PROBE_SECONDS)
                continue
            uncertain = any(ref.path in suspects or ref.begun_time_ms <= started_ms for ref in taken)
            with self._turn:
                self._load(taken, uncertain=uncertain)
            suspects.difference_update(ref.path for ref in taken)

    def _probe_if_due(self) -> None:
        if not (self._is_alone and self._progress.last_error is None) and self._monotonic() >= self._next_probe:
            self._probe()

    def _probe(self) -> None:
        self._next_probe = self._monotonic() + PROBE_SECONDS
        try:
            self._store.query("SELECT 1")
        except StoreError as error:
            if self._progress.last_error is None:
                log.warning("store_away", error=error.loggable, kind=type(error).__name__)
            self._progress.store_failed(error)
        else:
            self._progress.store_answered()

    @contextmanager
    def exclusively(self, patience: timedelta) -> Iterator[None]:
        """Between two batches: nothing is loaded while the caller changes stored rows.

        Raises:
            StoreUnavailableError: a batch is under way and does not end, since the store is away.
        """
        if not self._turn.acquire(timeout=patience.total_seconds()):
            raise StoreUnavailableError(self.last_error or "the loader is busy")
        try:
            yield
        finally:
            self._turn.release()

    def store_replayed(self, events: Sequence[PlacedEvent]) -> tuple[Sequence[PlacedEvent], set[int]]:
        """Store events that are in no segment, those that are not there yet; for callers inside `exclusively`.

        Returns the events that are stored, the store having refused the others, and the places among them of
        duplicates whose payload is not the original's. Raises a StoreError where the store is away.
        """
        batch = Batch(whole=(), damaged=(), events=events, letters=(), sessions=(), refusals=())
        segment_ids = {placed.row_id.segment_id for placed in events}
        attribution = self._attributor.attribute(events, segment_ids, uncertain=True)
        self._attributor.apply(attribution)
        with self.changes.holding() as hold:
            load = Load(batch=batch, uncertain=True, attribution=attribution, hold=hold)
            load.mark(attribution.hours)
            for rows in link_batches(attribution, events[0].row_id):
                self._store.insert(rows)
                load.written.append(rows)
            refused = self._store_or_refuse(load, events)
            self._store.confirm(load.written)
        return attribution.kept(events, refused)

    def count_replayed(self, entries: TableBatch) -> None:
        """Count what the ledger got for replayed events."""
        self._progress.count_ledger(entries)

    def forget(self) -> None:
        """Drop what is cached of the store; for callers that changed it, inside `exclusively`."""
        self._lookups.forget()

    def begin_anew(self) -> None:
        """Know nothing of what was loaded: the caller has emptied the tables, inside `exclusively`."""
        self._lookups = Lookups(self._store, monotonic=self._monotonic)
        self._attributor = BatchAttributor(self._lookups, self._policy)
        self._remarks = Remarks(
            self._store, self._lookups, self.changes, monotonic=self._monotonic, policy=self._policy
        )
        self._races = Races(self._store, self.changes, monotonic=self._monotonic, is_alone=self._is_alone)
        self._scan_rates = ScanRates(self._policy)
        self.changes.forget()

    def _load(self, refs: Sequence[SegmentRef], *, uncertain: bool) -> None:
        """Every pass in its order; nothing is released before all rows were read back."""
        begun = self._monotonic()
        batch = self._spool.until_allowed(lambda: self._reading.read(refs))
        with self._reading.loading(batch), self.changes.holding() as hold:
            load = Load(batch=batch, uncertain=uncertain, hold=hold)
            for do in (
                self._store_sessions,
                self._judge_late,
                self._attribute,
                self._mark,
                self._store_links,
                self._store_events,
                self._store_letters,
                self._store_ledger,
                self._confirm,
                self._let_go,
            ):
                do(load)
        rows = len(batch.events) + len(batch.letters)
        self._progress.batch_loaded(rows, self._monotonic() - begun, batch.last_received_ms)

    def _store_sessions(self, load: Load) -> None:
        """Before the events, which may be of these sessions. A row stored twice is one: the versions are equal."""
        if not load.batch.sessions:
            return
        sent = self._scan_rates.marked(load.batch.sessions)
        registrations, known, merged = self._patiently(lambda: take_sessions(sent, self._lookups))
        # An earlier try may have stored the sessions and gone no further.
        changed = keys_of(registrations) if load.uncertain else merged.keys()
        self._patiently(lambda: load.mark(session_hours(self.changes, changed, merged, known)))
        if merged:
            for rows in self._patiently(lambda: user_scan_batches(self._store, merged, registrations[0].row_id)):
                self._insert(load, rows, uncertain=False)
            self._insert(load, session_batch(merged, registrations), uncertain=False)
            self._lookups.learn_sessions(merged)
            # Of sums that were made meanwhile.
            self._patiently(lambda: load.mark(self.changes.waiting_hours(merged.keys())))
        if self._is_alone:
            load.new_sessions = new_sessions(registrations, known, merged)
        self._progress.codes_lost(lost_codes(registrations, known, merged))
        self._remarks.add(changed, min(placed.registration.received_time_ms for placed in registrations))

    def _judge_late(self, _load: Load | None = None) -> None:
        """Judge events that were stored before their session, or twice. Tried again: a failure holds up nothing."""
        try:
            self._races.settle_if_due()
            if self._remarks.judge_if_due():
                self._progress.clear(LATE)
        except StoreError as error:
            log.warning("late_sessions_not_judged", error=error.loggable, kind=type(error).__name__)
            self._probe()
            if self._progress.last_error is None:  # a store that is away is a reason of its own
                self._progress.note(LATE, "events of late sessions, or of two nodes at once, are not marked anew yet")

    def _attribute(self, load: Load) -> None:
        batch = load.batch
        load.attribution = self._patiently(
            lambda: self._attributor.attribute(batch.events, batch.segment_ids, uncertain=load.uncertain)
        )
        self._attributor.apply(load.attribution)

    def _mark(self, load: Load) -> None:
        """Before any row: what these hours add up to is about to change."""
        self._patiently(lambda: load.mark(load.attribution.hours))

    def _store_links(self, load: Load) -> None:
        for rows in link_batches(load.attribution, load.batch.events[0].row_id) if load.batch.events else ():
            self._insert(load, rows, uncertain=False)

    def _store_events(self, load: Load) -> None:
        load.letters = [*load.batch.letters, *self._store_or_refuse(load, load.batch.events)]

    def _store_letters(self, load: Load) -> None:
        if load.letters:
            self._insert(load, dead_letter_batch(load.letters), uncertain=load.uncertain)

    def _store_ledger(self, load: Load) -> None:
        kept, conflicts = load.attribution.kept(load.batch.events, load.letters)
        counts = count_batch(kept, load.letters, conflicts)
        count_scans(counts, load.batch.sessions, load.batch.refusals, load.new_sessions)
        if not counts:
            return
        if load.uncertain:
            # Rows that an earlier try stored keep the marks that it gave them.
            self._patiently(lambda: self._lookups.read_back(counts))
        load.ledger = ledger_batch(counts)
        self._insert(load, load.ledger, uncertain=load.uncertain)

    def _confirm(self, load: Load) -> None:
        """Read back what was written; what is not there is written again, however long it takes."""
        is_missing = False

        def try_once() -> None:
            nonlocal is_missing
            if is_missing:
                for rows in load.written:
                    self._store.insert_missing(rows)
            try:
                self._store.confirm(load.written)
            except OutcomeUnknownError:
                is_missing = True
                raise

        self._patiently(try_once)

    def _let_go(self, load: Load) -> None:
        for ref in load.batch.damaged:
            self._spool.until_allowed(partial(quarantine, ref))
        for ref in load.batch.whole:
            self._spool.until_allowed(partial(release, ref))
        if load.ledger is not None:
            self._progress.count_ledger(load.ledger)
        self._races.add(load.attribution.asked)

    def _store_or_refuse(self, load: Load, events: Sequence[PlacedEvent]) -> Sequence[PlacedLetter]:
        """Store the events; those that the store will not take come back as dead letters."""
        if not events:
            return []
        try:
            self._insert(load, table_batch(events), uncertain=load.uncertain)
        except BadRowsError as error:
            self._progress.count_error(error)
            if len(events) == 1:
                log.error("row_refused", code=error.code, segment_id=events[0].row_id.segment_id)
                return [refused_event(events[0], f"the event cannot be stored as a row (code {error.code})")]
            middle = len(events) // 2
            return [
                *self._store_or_refuse(load, events[:middle]),
                *self._store_or_refuse(load, events[middle:]),
            ]
        return []

    def _insert(self, load: Load, rows: TableBatch, *, uncertain: bool) -> None:
        """Insert, however long it takes; raises only BadRowsError and _StoppedWaiting."""
        insert: Callable[[TableBatch], None] = self._store.insert_missing if uncertain else self._store.insert

        def try_once() -> None:
            nonlocal insert
            try:
                insert(rows)
            except OutcomeUnknownError:
                insert = self._store.insert_missing
                raise

        self._patiently(try_once)
        load.written.append(rows)

    def _patiently(self, call: Callable[[], T]) -> T:
        """Call until the store answers, however long it takes."""
        answer: T = Retrying(
            retry=retry_if_exception_type((StoreUnavailableError, OutcomeUnknownError, StoreRefusedError)),
            wait=self._pause,
            sleep=self._sleep,
        )(call)
        self._progress.store_answered()
        return answer

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, StoreError)
        self._progress.store_failed(error)
        pause = self._refused_seconds if isinstance(error, StoreRefusedError) else self._back_off(state)
        self._progress.tell_failure(error, self.last_error, pause)
        return pause

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _StoppedWaiting
