"""What the core asks of the world: the store and the clock. Adapters live in store/ and app/clock.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Clock", "EventStore", "SetAside", "TableBatch"]


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

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a SELECT as dicts; `{name:Type}` in `sql` takes its value from `parameters`."""
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
