"""Whether rows that were sent can be read again: one statement per table, the same for every adapter.

What an insert's success is worth is written in `parts`. Rows of the append-only tables are compared by their place and
content; in the tables that keep one row per key, the key must be there in the sent version or a newer one.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from qrumb_server.ports import TableBatch, among, as_one_text

__all__ = ["Proof", "by_table"]

_UINT64: Final = (1 << 64) - 1

_KEYS: Final[Mapping[str, Sequence[str]]] = {
    "events.scan_sessions": ("site_id", "scan_session_id"),
    "events.identity_links": ("site_id", "kind", "identifier", "user_id"),
    "events.user_scans": ("site_id", "user_id", "scan_session_id"),
}
"""Tables that keep one row of each key in the end, and what the key is."""

_TIMES: Final[Mapping[str, str]] = {
    "events.valid_events": "received_time",
    "events.invalid_events": "received_time",
    "events.ledger": "minute_time",
    # One row per key too, but what is written is written once, and a part with it is new.
    "events.changed_hours": "marked_time",
    "events.watchers": "until_time",
}
"""A time of about the receipt: its range spares the look into older parts."""

_CONTENT: Final[Mapping[str, str]] = {"events.valid_events": "fingerprint"}
"""A number that stands for what a row says."""

_EARLIEST: Final[Mapping[str, str]] = {"events.user_scans": "scan_time"}
"""A time that only becomes earlier; the other tables of `_KEYS` have a `version`, which grows."""

_FEW: Final = frozenset({"site_id", "kind"})
"""Columns of keys with which the tables begin, and of which a batch has few values."""

_ERASED: Final = 0
"""The fingerprint of an event whose personal fields were erased: its place is taken all the same."""


class Proof:
    """Rows of one table that are to be there, and the statements that ask for them.

    `digest_sql` is cheap and says only yes or no; `sql` says which rows are missing. All names in the statements come
    from this module, and the tables' from the schema files.
    """

    def __init__(self, table: str, batches: Sequence[TableBatch]) -> None:
        """For `by_table`."""
        self.table = table
        self._batches = batches
        self._names = _KEYS.get(table, ("segment_id", "segment_row"))
        usual = "version" if table in _KEYS else "segment_row"
        self._value = _EARLIEST.get(table) or _CONTENT.get(table, usual)
        self.row_count = sum(batch.row_count for batch in batches)

    @property
    def has_digest(self) -> bool:
        """Whether a number stands for what each row says."""
        return self.table in _CONTENT

    def digest_sql(self, among: str) -> str:
        """The digest of all rows in some place, which should be these."""
        return f"SELECT sum({self._value} * (2 * segment_row + 1)) AS digest FROM {self.table} WHERE {among}"  # noqa: S608

    def digest(self) -> int:
        """What `digest_sql` must find. The engine's sums wrap at 64 bits."""
        places = zip(self._column(self._value), self._column("segment_row"), strict=True)
        return int(sum(value * (2 * row + 1) for value, row in places) & _UINT64)

    def parameters(self) -> Mapping[str, Any]:
        """For `condition`."""
        if self.table in _KEYS:
            named = {name: set(self._column(name)) for name in self._names}
            return {name: sorted(some) if name in _FEW else as_one_text(some) for name, some in named.items()}
        times = self._column(_TIMES[self.table])
        return {"segments": sorted(set(self._column("segment_id"))), "first": min(times), "last": max(times)}

    @property
    def condition(self) -> str:
        """Which rows of the table these can be."""
        if self.table in _KEYS:
            few = {name: f"{{{name}:Array(String)}}" for name in _FEW}
            return " AND ".join(f"{name} IN {few.get(name) or among(name)}" for name in self._names)
        return (
            f"segment_id IN {{segments:Array(String)}} AND {_TIMES[self.table]} BETWEEN "
            "{first:DateTime64(3, 'UTC')} AND {last:DateTime64(3, 'UTC')}"
        )

    def sql(self) -> str:
        """The rows under their names, wherever they are."""
        names = ", ".join(self._names)
        value, grouping = self._value, ""
        if self.table in _KEYS:
            value, grouping = f"{'min' if self.table in _EARLIEST else 'max'}({value})", f" GROUP BY {names}"
        return f"SELECT {names}, {value} AS value FROM {self.table} WHERE {self.condition}{grouping}"  # noqa: S608

    def missing(self, columns: Sequence[Sequence[Any]]) -> int:
        """How many rows the answer to `sql` lacks, given as columns."""
        there = dict(zip(zip(*columns[:-1], strict=True), columns[-1], strict=True)) if columns else {}
        names = zip(*map(self._column, self._names), strict=True)
        wanted = zip(names, self._column(self._value), strict=True)
        if self.table in _EARLIEST:
            return sum(key not in there or there[key] > time_ms for key, time_ms in wanted)
        if self.table in _KEYS:
            return sum(there.get(key, -1) < version for key, version in wanted)
        return sum(there.get(place) not in {value, _ERASED} for place, value in wanted)

    def _column(self, name: str) -> Sequence[Any]:
        columns = [batch.data[list(batch.columns).index(name)] for batch in self._batches]
        return columns[0] if len(columns) == 1 else list(chain.from_iterable(columns))


def by_table(batches: Iterable[TableBatch]) -> list[Proof]:
    """One proof for each table that the batches are of."""
    tables: dict[str, list[TableBatch]] = {}
    for batch in batches:
        if batch.row_count:
            tables.setdefault(batch.table, []).append(batch)
    return [Proof(table, parts) for table, parts in tables.items()]
