"""A store in memory that fails when told to: for the loader's answers to faults that a real store shows rarely."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from qrumb_server.errors import OutcomeUnknownError, StoreError
from qrumb_server.loader.changes import CHANGED_HOURS
from qrumb_server.loader.rows import LEDGER
from qrumb_server.ports import Asking, TableBatch
from qrumb_server.store.schema.files import load_migrations, table_columns
from qrumb_server.store.values import check_columns, known_table

__all__ = ["FaultyStore"]

Row = dict[str, Any]


class FaultyStore:
    """Keeps rows by table, refuses what no table could hold. Each insert first takes the next fault, but for the
    marks of hours, which go before every batch."""

    def __init__(self) -> None:
        self._types = table_columns(load_migrations())
        self.tables: dict[str, list[Row]] = {}
        self.faults: list[tuple[StoreError, bool]] = []
        """What the next inserts raise, and whether they store their rows all the same."""
        self.refuse: Callable[[Row], StoreError | None] = lambda _row: None
        """Rows that make a whole insert fail."""
        self.away: StoreError | None = None
        """What every query raises, if anything."""
        self.torn: list[str] = []
        """Tables whose rows the next look is to find gone, one for each look that is made."""
        self.calls: list[str] = []
        """Inserts and mutations in order; those of ledger and marks, which go with every batch, are left out."""
        self.mutations: list[tuple[str, dict[str, Any]]] = []

    def insert(self, batch: TableBatch) -> None:
        """Store all rows, seen before or not."""
        self._note("insert", batch)
        self._store(batch, skip_present=False)

    def insert_missing(self, batch: TableBatch) -> None:
        """Store the rows that are not there."""
        self._note("insert_missing", batch)
        self._store(batch, skip_present=True)

    def prove_again(self) -> None:
        """Nothing is on a disk."""

    def confirm(self, batches: Sequence[TableBatch]) -> None:
        """Whether the rows are there; first takes the next of `torn`, if any, and loses what its batches hold."""
        if self.torn:
            table = self.torn.pop(0)
            lost = {place for batch in batches if batch.table == table for place in _places(batch)}
            self.tables[table] = [row for row in self.tables[table] if _identity(row) not in lost]
        for batch in batches:
            there = {_identity(row) for row in self.tables.get(batch.table, [])}
            if missing := set(_places(batch)) - there:
                raise OutcomeUnknownError(f"{len(missing)} rows of {batch.table} cannot be read back")

    def _note(self, call: str, batch: TableBatch) -> None:
        if batch.table not in {LEDGER, CHANGED_HOURS}:
            self.calls.append(call)

    def _store(self, batch: TableBatch, *, skip_present: bool) -> None:
        check_columns(batch.columns, batch.data, known_table(self._types, batch.table))
        rows = [dict(zip(batch.columns, values, strict=True)) for values in zip(*batch.data, strict=True)]
        for row in rows:
            if error := self.refuse(row):
                raise error
        is_faulty = self.faults and batch.table != CHANGED_HOURS
        error, stores = self.faults.pop(0) if is_faulty else (None, True)
        if stores:
            table = self.tables.setdefault(batch.table, [])
            present = {_identity(row) for row in table} if skip_present else set()
            table.extend(row for row in rows if _identity(row) not in present)
        if error is not None:
            raise error

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, asking: Asking | None = None
    ) -> list[dict[str, Any]]:
        """Whatever is asked for, nothing was there before: these tests look at what is written."""
        if self.away:
            raise self.away
        return []

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Takes the next fault like an insert, and remembers the statement; changes no row."""
        self.calls.append("mutate")
        self.mutations.append((sql, dict(parameters or {})))
        if self.faults and (error := self.faults.pop(0)[0]):
            raise error

    def export(self, sql: str, output_format: str) -> Iterator[bytes]:
        """Not needed by these tests."""
        raise AssertionError(sql, output_format)

    def close(self) -> None:
        """Nothing to let go of."""


def _places(batch: TableBatch) -> list[tuple[str, int]]:
    columns = list(batch.columns)
    segments, rows = (batch.data[columns.index(name)] for name in ("segment_id", "segment_row"))
    return list(zip(segments, rows, strict=True))


def _identity(row: Row) -> tuple[str, int]:
    return row["segment_id"], row["segment_row"]
