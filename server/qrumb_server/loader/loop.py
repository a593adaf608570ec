"""The loader's loop: take sealed segments, store their rows exactly once, release them.

A segment that was begun before the loader started may have been stored by a loader that died before it could
release it, even if it turns up later: after a power cut a released file can come back. And an insert whose
connection broke may have happened. Both are sent with `insert_missing`, which leaves out the rows that are there. A
segment is released only after a confirmed insert.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from qrumb_server.errors import (
    BadRowsError,
    OutcomeUnknownError,
    StoreError,
    StoreRefusedError,
    StoreUnavailableError,
)
from qrumb_server.loader.batch import Batch, read_batch, take
from qrumb_server.loader.rows import PlacedEvent, PlacedLetter, dead_letter_batch, event_batch, refused_event
from qrumb_server.ports import Clock, EventStore, TableBatch
from qrumb_server.spool.reader import SegmentRef, list_sealed, quarantine, release

__all__ = ["Loader"]

log = structlog.get_logger()


class _StoppedWaiting(Exception):
    """A stop was asked for while ClickHouse was away."""


class Loader:
    """Moves segments to the store until it is told to stop. Runs in a thread of its own.

    Args:
        spool_root: folder with one folder of segments per worker.
        store: where the rows go.
        clock: tells which segments are older than this loader.
        max_events: rows of one insert.
        poll_interval: how often an empty spool is looked at.
        retry_max_delay: longest pause while the store is unavailable.
        refused_delay: pause after an answer that only a human can mend.
    """

    def __init__(
        self,
        *,
        spool_root: Path,
        store: EventStore,
        clock: Clock,
        max_events: int,
        poll_interval: timedelta,
        retry_max_delay: timedelta,
        refused_delay: timedelta,
    ) -> None:
        self._spool_root = spool_root
        self._store = store
        self._clock = clock
        self._max_events = max_events
        self._poll_seconds = poll_interval.total_seconds()
        self._refused_seconds = refused_delay.total_seconds()
        self._back_off = wait_random_exponential(multiplier=0.1, max=retry_max_delay.total_seconds())
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self.last_error = ""
        """What the store said last; empty while it takes rows."""

    def drain(self) -> None:
        """Load what is sealed now, then end `run`."""
        self._draining.set()

    def stop(self) -> None:
        """End `run` after the insert under way; what is not stored stays in the spool."""
        self._stopping.set()
        self._draining.set()

    def run(self) -> None:
        """Load until told otherwise."""
        # By name as well as by age: the clock may have been ahead when they were begun.
        suspects = {ref.path for ref in list_sealed(self._spool_root)}
        started_ms = self._clock.now_ms()
        while not self._stopping.is_set():
            draining = self._draining.is_set()
            refs = list_sealed(self._spool_root)
            if not refs:
                if draining:
                    return
                self._draining.wait(self._poll_seconds)
                continue
            taken = take(refs, self._max_events)
            try:
                self._load(
                    taken, uncertain=any(ref.path in suspects or ref.begun_time_ms <= started_ms for ref in taken)
                )
            except _StoppedWaiting:
                return
            suspects.difference_update(ref.path for ref in taken)

    def _load(self, refs: Sequence[SegmentRef], *, uncertain: bool) -> None:
        batch = read_batch(refs)
        refused = self._store_events(batch.events, uncertain)
        letters = [*batch.letters, *refused]
        if letters:
            self._insert(dead_letter_batch(letters), uncertain)
        self._let_go(batch)

    def _store_events(self, events: Sequence[PlacedEvent], uncertain: bool) -> Sequence[PlacedLetter]:
        """Store the events; those that the store will not take come back as dead letters."""
        if not events:
            return []
        try:
            self._insert(_as_rows(events), uncertain)
        except BadRowsError as error:
            if len(events) == 1:
                log.error("row_refused", code=error.code, segment_id=events[0].row_id.segment_id)
                return [refused_event(events[0], f"the event cannot be stored as a row (code {error.code})")]
            middle = len(events) // 2
            return [
                *self._store_events(events[:middle], uncertain),
                *self._store_events(events[middle:], uncertain),
            ]
        return []

    def _insert(self, rows: TableBatch, uncertain: bool) -> None:
        """Insert, however long it takes; raises only BadRowsError and _StoppedWaiting."""
        insert: Callable[[TableBatch], None] = self._store.insert_missing if uncertain else self._store.insert
        for attempt in Retrying(
            retry=retry_if_exception_type((StoreUnavailableError, OutcomeUnknownError, StoreRefusedError)),
            wait=self._pause,
            sleep=self._sleep,
        ):
            with attempt:
                try:
                    insert(rows)
                except OutcomeUnknownError:
                    insert = self._store.insert_missing
                    raise
        self.last_error = ""

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, StoreError)
        self.last_error = f"{error} (code {error.code})" if error.code else str(error)
        pause = self._refused_seconds if isinstance(error, StoreRefusedError) else self._back_off(state)
        log.warning("store_failed", error=self.last_error, kind=type(error).__name__, retry_in_seconds=round(pause, 2))
        return pause

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _StoppedWaiting

    def _let_go(self, batch: Batch) -> None:
        for ref in batch.damaged:
            quarantine(ref)
        for ref in batch.whole:
            release(ref)


def _as_rows(events: Sequence[PlacedEvent]) -> TableBatch:
    try:
        return event_batch(events)
    except Exception as error:
        # One event that our own code cannot turn into a row must not hold up the rest: bisection finds it.
        raise BadRowsError(f"cannot be made a row: {type(error).__name__}") from error
