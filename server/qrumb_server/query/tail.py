"""The live tail: the newest rows of a site as they were stored, in the order in which the loader takes them.

That order is the one of their segments: by their times of receipt, rows of one worker could turn up before others of
another worker that were handed out already. Replayed events are left out: theirs is a time long past.

A page that asks every few seconds mostly hears that nothing is new. What was answered is kept for as long as nothing is
written of the site, which only a store without other writers can say. Where rows were added, such a store knows
the last ones; otherwise these alone are read.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cachetools import LRUCache

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.loader.rows import REPLAYED
from qrumb_server.ports import BY_KEY, Clock, State, Writes
from qrumb_server.query.reads import Reader
from qrumb_server.query.rows import Place, as_event_row, first_fitting, parse_place
from qrumb_server.spool.format import segment_time_ms

__all__ = ["Tail"]

DEFAULT_LIMIT: Final = 100
# A worker that begins many segments at once, or starts with a clock set back, numbers them a little into the future.
CLOCK_TOLERANCE_MS: Final = 600_000
# How long before a row its segment may have been begun, mostly.
_OPEN_MS: Final = 300_000
# Where the newest rows are looked for, one after another: first in the ledger, which is narrow.
_WITHIN_MS: Final = (2 * 86_400_000, 30 * 86_400_000)
_BEGINNING: Final = Place(time_ms=0, segment_id="", segment_row=0)
_TAILED: Final = f"site_id = {{site:String}} AND NOT startsWith(segment_id, '{REPLAYED}')"
_ALL: Final = "SELECT * FROM events.valid_events WHERE"
# Of few rows. PREWHERE: of others few columns are read; what the engine finds out itself it plans longer.
_EACH: Final = f"{BY_KEY} SELECT * FROM events.valid_events PREWHERE"  # noqa: S608
# Of what is kept, all sites together. A message takes two or three times its length.
_KEPT_BYTES: Final = 8 * 1024 * 1024
_BYTES_OF_ROW: Final = 500
_HOUR_MS: Final = 3_600_000
_Order = tuple[str, int]
_State = tuple[State, int]
_BEFORE_ALL: Final[_Order] = ("", -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    place: Place
    message: EventRow


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """All rows of a site whose order is after `floor`, the newest first, in one state of the site and one hour."""

    state: _State | None
    """None: it could not be said."""
    floor: _Order
    rows: Sequence[_Row]

    @property
    def size(self) -> int:
        return _BYTES_OF_ROW + sum(_BYTES_OF_ROW + row.message.ByteSize() for row in self.rows)


class Tail:
    """Reads for one node, and may be asked by several threads at once. Calls block; every one may raise a StoreError.

    Args:
        writes: whether what was answered still is so; None: others write to the store, too.
    """

    def __init__(self, *, store: Reader, clock: Clock, writes: Writes | None) -> None:
        self._store = store
        self._clock = clock
        self._writes = writes
        self._known: LRUCache[str, _Known] = LRUCache(_KEPT_BYTES, getsizeof=lambda known: known.size)
        self._knowing = threading.Lock()

    def answer(self, request: pb.TailEventsRequest) -> pb.TailEventsResponse:
        """The newest rows, or those after the cursor. Raises BadPlaceError for a foreign cursor."""
        limit = request.limit or DEFAULT_LIMIT
        if request.cursor:
            rows = self._after(request.site_id, limit, parse_place(request.cursor))
            page = first_fitting(row.message for row in rows)
            last = rows[len(page) - 1] if page else None
        else:
            rows = self._newest(request.site_id, limit)
            page = first_fitting(row.message for row in rows)[::-1]
            last = rows[0] if rows else None
        return pb.TailEventsResponse(rows=page, cursor=last.place.text if last else request.cursor or _BEGINNING.text)

    def _newest(self, site_id: str, limit: int) -> Sequence[_Row]:
        state, known = self._state(site_id)
        is_enough = known is not None and (len(known.rows) >= limit or known.floor == _BEFORE_ALL)
        if known is None or not is_enough or not _has_only_more(known.state, state):
            rows = _rows(self._newest_rows(site_id, limit, known))
            known = _Known(state=state, floor=_below(rows) if len(rows) == limit else _BEFORE_ALL, rows=rows)
        elif known.state == state:
            return known.rows[:limit]
        else:
            more = _rows(self._rows_beside(site_id, limit, known))
            known = _with_more(known, state, more, limit, _below(more) if len(more) == limit else known.floor)
        self._keep(site_id, known)
        return known.rows[:limit]

    def _after(self, site_id: str, limit: int, after: Place) -> Sequence[_Row]:
        state, known = self._state(site_id)
        order = (after.segment_id, after.segment_row)
        if known is not None and known.state == state and order >= known.floor:
            return [row for row in reversed(known.rows) if _order(row) > order][:limit]
        rows = _rows(self._rows_after(site_id, limit, after))
        if len(rows) < limit:
            self._keep(site_id, _Known(state=state, floor=order, rows=rows[::-1]))
        return rows

    def _state(self, site_id: str) -> tuple[_State | None, _Known | None]:
        """Of now, and what is known of then; of now, where the rows between the two are known."""
        with self._knowing:
            known = self._known.get(site_id)
        state = self._now(site_id)
        if self._writes is None or state is None or known is None or known.state is None or known.state == state:
            return state, known
        if not _has_only_more(known.state, state):
            return state, known
        inserted = self._writes.inserted(site_id, known.state[0], state[0])
        if inserted is None:
            return state, known
        inserted.sort(key=_row_order, reverse=True)
        more = [row for row in inserted if _row_order(row) > known.floor and not row["segment_id"].startswith(REPLAYED)]
        number = max(len(known.rows), DEFAULT_LIMIT)
        floor = known.floor if len(more) <= number else _row_order(more[number])
        known = _with_more(known, state, _rows(more[:number]), number, floor)
        self._keep(site_id, known)
        return state, known

    def _now(self, site_id: str) -> _State | None:
        """Of an hour, since the engine lets rows go that are old."""
        state = None if self._writes is None else self._writes.state_of(site_id)
        return None if state is None else (state, self._clock.now_ms() // _HOUR_MS)

    def _keep(self, site_id: str, known: _Known) -> None:
        """Unless something was written while they were read. Longer than all that is kept may be: none of it is."""
        if known.state is None or self._now(site_id) != known.state:
            return
        with self._knowing:
            self._known.pop(site_id, None)
            if known.size <= _KEPT_BYTES:
                self._known[site_id] = known

    def _newest_rows(self, site_id: str, limit: int, before: _Known | None) -> list[dict[str, Any]]:
        """From as far back as it takes: all of a site's rows would have to be sorted.

        Args:
            before: what was known once; rows have only come since, unless some were deleted.
        """
        now_ms = self._clock.now_ms()
        if before is not None and len(before.rows) >= limit:
            told_ms = _begun_ms(before.rows[limit - 1].place.segment_id)
        else:
            told_ms = self._told_ms(site_id, limit, now_ms) - _OPEN_MS
        spans = [told_ms - CLOCK_TOLERANCE_MS - 1, *(now_ms - within_ms for within_ms in _WITHIN_MS)]
        for since_ms in sorted((span for span in set(spans) if 0 < span <= spans[0]), reverse=True):
            rows = self._newest_since(site_id, limit, since_ms)
            # Rows that were received before are of segments that were begun before.
            if len(rows) == limit and _begun_ms(rows[-1]["segment_id"]) > since_ms + CLOCK_TOLERANCE_MS:
                return rows
        return self._newest_since(site_id, limit, 0)

    def _told_ms(self, site_id: str, limit: int, now_ms: int) -> int:
        """When about the oldest of so many rows was received, by the ledger; 0: there are no so many."""
        for within_ms in (*_WITHIN_MS, now_ms):
            left = limit
            for entry in self._store.query(_LEDGER, {"site": site_id, "limit": limit, "since": now_ms - within_ms}):
                left -= entry["stored"]
                if left <= 0:
                    return int(entry["minute"])
        return 0

    def _newest_since(self, site_id: str, limit: int, since_ms: int) -> list[dict[str, Any]]:
        return self._store.query(
            f"{_EACH if since_ms else _ALL} {_TAILED} AND received_time >= {{since:DateTime64(3, 'UTC')}} "
            "ORDER BY segment_id DESC, segment_row DESC LIMIT {limit:UInt32}",
            {"site": site_id, "limit": limit, "since": since_ms},
        )

    def _rows_beside(self, site_id: str, limit: int, known: _Known) -> list[dict[str, Any]]:
        """The newest of those above the floor that are not known."""
        segment_id, segment_row = known.floor
        return self._store.query(
            f"{_EACH} {_TAILED} AND received_time >= {{since:DateTime64(3, 'UTC')}} "
            "AND (segment_id, segment_row) > ({segment:String}, {row:Int64}) "
            "AND (segment_id, segment_row) NOT IN {known:Array(Tuple(String, UInt32))} "
            "ORDER BY segment_id DESC, segment_row DESC LIMIT {limit:UInt32}",
            {
                "site": site_id,
                "limit": limit,
                "since": max(_begun_ms(segment_id) - CLOCK_TOLERANCE_MS, 0),
                "segment": segment_id,
                "row": segment_row,
                "known": [_order(row) for row in known.rows],
            },
        )

    def _rows_after(self, site_id: str, limit: int, after: Place) -> list[dict[str, Any]]:
        return self._store.query(
            f"{_EACH if after.segment_id else _ALL} {_TAILED} AND received_time >= {{since:DateTime64(3, 'UTC')}} "
            "AND (segment_id, segment_row) > ({segment:String}, {row:UInt32}) "
            "ORDER BY segment_id, segment_row LIMIT {limit:UInt32}",
            {
                "site": site_id,
                "limit": limit,
                # Lets the store skip old parts: no later segment has earlier rows.
                "since": max(_begun_ms(after.segment_id) - CLOCK_TOLERANCE_MS, 0),
                "segment": after.segment_id,
                "row": after.segment_row,
            },
        )


_LEDGER: Final = """
SELECT minute_time AS minute, sum(stored_count) AS stored FROM events.ledger
WHERE site_id = {site:String} AND minute_time >= {since:DateTime64(3, 'UTC')}
GROUP BY minute HAVING stored > 0 ORDER BY minute DESC LIMIT {limit:UInt32}
"""


def _rows(rows: Iterable[Mapping[str, Any]]) -> list[_Row]:
    return [_Row(place=_place(row), message=as_event_row(row)) for row in rows]


def _place(row: Mapping[str, Any]) -> Place:
    return Place(time_ms=row["received_time"], segment_id=row["segment_id"], segment_row=row["segment_row"])


def _order(row: _Row) -> _Order:
    return row.place.segment_id, row.place.segment_row


def _below(rows: Sequence[_Row]) -> _Order:
    """A floor for rows, the newest first: nothing lies between a row and the one that its number follows."""
    segment_id, segment_row = _order(rows[-1])
    return segment_id, segment_row - 1


def _row_order(row: Mapping[str, Any]) -> _Order:
    return row["segment_id"], row["segment_row"]


def _with_more(known: _Known, state: _State | None, more: Sequence[_Row], limit: int, floor: _Order) -> _Known:
    """With further rows, all that are after a floor; of them together not more than before, unless that is below a
    limit."""
    kept = max(limit, len(known.rows))
    rows = [row for row in sorted((*more, *known.rows), key=_order, reverse=True) if _order(row) > floor]
    if len(rows) > kept:
        rows = rows[:kept]
        floor = _below(rows)
    return _Known(state=state, floor=floor, rows=rows)


def _has_only_more(before: _State | None, now: _State | None) -> bool:
    """Whether every row of before is there and is the same."""
    return before is not None and now is not None and before[0].changes == now[0].changes and before[1] == now[1]


def _begun_ms(segment_id: str) -> int:
    """When a segment was begun; 0 for what is not a segment's id."""
    try:
        return segment_time_ms(UUID(segment_id))
    except ValueError:
        return 0
