"""What the core asks of the world: the store and the clock. Adapters live in store/ and app/clock.py."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

__all__ = [
    "BY_KEY",
    "Asking",
    "Clock",
    "EventStore",
    "ReadLimits",
    "Seen",
    "SetAside",
    "State",
    "TableBatch",
    "Writes",
    "among",
    "as_one_text",
]


BY_KEY: Final = "/* by key */"
"""Begins a statement that finds few rows by a table's order, without its other indexes: it is planned as such."""


def among(name: str) -> str:
    """What a statement looks for texts in, after IN: those of its parameter {name:String}, by `as_one_text`.

    Thousands of texts cost half of what they cost as a list, and where they are a part of a table's key a hundredth of
    what more than 20,000 cost so: the engine then takes minutes to plan.
    """
    return f"(SELECT unhex(arrayJoin(splitByChar(',', {{{name}:String}}))))"


def as_one_text(texts: Iterable[str]) -> str:
    """At least one text, of any characters, as `among` reads them."""
    return ",".join([text.encode().hex() for text in texts])


class Clock(Protocol):
    """Wall-clock time. Injected everywhere, so that tests can set it."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TableBatch:
    """Rows for one table as columns: `columns[i]` names `data[i]`, and all lists in `data` have one length.

    Times are int milliseconds, UUIDs strings, Decimals `decimal.Decimal` or None, everything else str or int.
    The columns `segment_id` (str) and `segment_row` (int) are always among them: together they name a row
    for ever, so that a batch of unknown outcome can be sent again.
    """

    table: str
    columns: Sequence[str]
    data: Sequence[Sequence[Any]]
    native: Callable[[], bytes] | None = None
    """Makes the same as a block in ClickHouse's Native format, LowCardinality as the plain type; None: `data` alone."""

    @property
    def row_count(self) -> int:
        return len(self.data[0]) if self.data else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """Parts of one table that could not be read, and do not count any more."""

    table: str
    parts: Sequence[str]
    lost_rows: int | None
    """Rows that were readable once and are in no other part; those of a new part are in the spool still.

    None where the engine itself did not load the parts at its start: it does not say what was in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """What one reading statement may take. Beyond it fails, as a `StoreError` with the engine's number."""

    max_seconds: int
    max_memory_bytes: int
    max_rows: int
    """Rows read, not rows answered; 0: any number."""
    max_threads: int


class Asking:
    """One question of one caller: what its statements may take, and whether they are still wanted."""

    def __init__(self, limits: ReadLimits, *, is_scan: bool = False) -> None:
        self.limits = limits
        self.is_scan = is_scan
        """It reads much, and may wait for its turn."""
        self._changed = threading.Condition()
        self._is_over = False
        self._cancels: list[Callable[[], None]] = []

    @property
    def is_over(self) -> bool:
        """Whether the caller has left."""
        return self._is_over

    def pause(self, seconds: float) -> None:
        """Wait; no longer than the caller does."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, seconds)

    @contextmanager
    def statement(self, cancel: Callable[[], None]) -> Iterator[bool]:
        """Around a statement that `cancel` ends from another thread; False where it is not wanted any more."""
        with self._changed:
            self._cancels.append(cancel)
        try:
            yield not self._is_over
        finally:
            with self._changed:
                self._cancels.remove(cancel)
                self._changed.notify_all()

    def end(self, poll_seconds: float = 0.2) -> None:
        """The caller has left: end what runs for it. Blocks until it has ended."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
            while self._cancels:
                # Under the lock: none is told to end after it has ended, when its connection may run another's.
                for cancel in self._cancels:
                    cancel()
                # Again, since a statement that was about to begin is not known to the engine before.
                self._changed.wait(poll_seconds)


class State(NamedTuple):
    """How often rows of a site's events were written. Equal `changes`: rows were added at most."""

    inserts: int
    changes: int


class Writes(Protocol):
    """What was written of the rows of a site's events, in a store that has no other writer."""

    def state_of(self, site_id: str) -> State | None:
        """Equal at two moments: every statement about the site's rows answers the same. None: one is being written."""
        ...

    def inserted(self, site_id: str, since: State, until: State) -> list[dict[str, Any]] | None:
        """The rows that came between two states of equal `changes`, as a statement would have them, but for columns
        that have no value; None where they are not known any more, or are many."""
        ...


class Seen(Protocol):
    """What is certainly not in the tables of a store that has no other writer: it need not be asked for."""

    def may_be_rejected(self, event_id: str) -> bool:
        """False: no dead letter has this event_id. Raises StoreError."""
        ...

    def may_name_users(self, site_id: str) -> bool:
        """False: no redirect of the site has named a user. Raises StoreError."""
        ...

    def may_go_by_hash(self, user_id: str) -> bool:
        """False: this name, which is a hash's, is not an identifier's user. Raises StoreError."""
        ...


class Reader(Protocol):
    """The reading half of a store."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """As `EventStore.query`."""
        ...


class EventStore(Protocol):
    """The ClickHouse that holds the database `events`. Calls block; every one may raise a `StoreError`."""

    def insert(self, batch: TableBatch) -> None:
        """Write all rows; on return they are durable.

        Raises:
            StoreUnavailableError: nothing was written.
            OutcomeUnknownError: the rows may be there, wholly or in part.
            StoreRefusedError: nothing was written and nothing will be until a human acts.
            BadRowsError: nothing was written because at least one row cannot be.
        """
        ...

    def insert_missing(self, batch: TableBatch) -> None:
        """Write those rows whose (segment_id, segment_row) the table does not hold yet. Raises as `insert`."""
        ...

    def confirm(self, batches: Sequence[TableBatch]) -> None:
        """Read the rows of inserted batches back from the disk. Only what was confirmed may be let go of elsewhere.

        Raises:
            OutcomeUnknownError: they are not all there; send each batch again with `insert_missing`.
            StoreUnavailableError: it cannot be said now.
        """
        ...

    def prove_again(self) -> None:
        """Read every file of the tables from the disk, as far as the store's disk is ours; takes seconds per GB."""
        ...

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, asking: Asking | None = None
    ) -> list[dict[str, Any]]:
        """Rows of a SELECT as dicts; `{name:Type}` in `sql` takes its value from `parameters`.

        `asking` bounds it, and ends it when its caller leaves: that is a `StoreUnavailableError`.
        """
        ...

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Run one writing statement that inserts no rows of ours, such as ALTER TABLE ... UPDATE or DELETE.

        On return it is done and every later query sees it. `sql` names a state that is to be (set this, delete
        those), so that running it twice is the same as once; `{name:Type}` as in `query`.

        Raises:
            StoreUnavailableError: it may have been done, wholly or in part: run it again.
            StoreRefusedError: the statement, the schema or the rights are wrong.
        """
        ...

    def export(self, sql: str, output_format: str) -> Iterator[bytes]:
        """The result of a read-only statement in a ClickHouse output format, piece by piece."""
        ...

    def close(self) -> None:
        """Let go of files and connections. Safe to call twice."""
        ...
