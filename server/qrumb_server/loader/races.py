"""Events that two loaders took at the same moment: neither saw the other's row, so both rows count until one is marked.

Invariant: of the rows of one event that were received within `DUPLICATE_WITHIN_MS`, one counts, a backend's before a
browser's and then the first received; the ledger says what the rows say. Each loader looks a second time for the events
that it stored, once the others' rows are there to be seen. What it marks hangs on the rows alone, so it does not matter
which loader does it, or that both do.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from qrumb_server.loader.changes import ChangedHours
from qrumb_server.loader.lookups import DUPLICATE_WITHIN_MS, Arrived
from qrumb_server.loader.remarks import GROUP, OF_KEYS, RowKey, recount
from qrumb_server.loader.rows import VALID_EVENTS
from qrumb_server.ports import EventStore

__all__ = ["SETTLED_SECONDS", "Races"]

SETTLED_SECONDS: Final = 10.0
"""After so long the row of a loader that looked at the same moment can be seen, on a replica too."""
# Rows of so long before the start are looked at again: the last loader may not have come to it.
_BEFORE_START_MS: Final = 600_000


class Races:
    """Finds and marks them; belongs to the loader's thread.

    Args:
        monotonic: seconds.
        is_alone: no other loader writes into the store, so there are none.
    """

    def __init__(
        self, store: EventStore, changes: ChangedHours, *, monotonic: Callable[[], float], is_alone: bool
    ) -> None:
        self._store = store
        self._changes = changes
        self._monotonic = monotonic
        self._is_alone = is_alone
        self._since_ms: int | None = None
        self._waiting: deque[tuple[float, Sequence[Arrived]]] = deque()

    def begin(self, now_ms: int) -> None:
        """Take up, at the first look, what a loader before this one may not have come to."""
        if not self._is_alone:
            self._since_ms = now_ms - _BEFORE_START_MS

    def add(self, stored: Sequence[Arrived]) -> None:
        """Events that were stored, and that another loader may have too."""
        if stored and not self._is_alone:
            self._waiting.append((self._monotonic() + SETTLED_SECONDS, stored))

    def settle_if_due(self) -> None:
        """Mark what lost, of events that were stored long enough ago. Raises a StoreError, and may then be repeated."""
        if self._since_ms is not None:
            self._settle("received_time >= {since:DateTime64(3, 'UTC')}", {"since": self._since_ms})
            self._since_ms = None
        now = self._monotonic()
        due = [stored for when, stored in self._waiting if when <= now]
        events = [event for stored in due for event in stored]
        for start in range(0, len(events), GROUP):
            some = events[start : start + GROUP]
            self._settle(
                "event_id IN {ids:Array(UUID)} AND received_time >= {since:DateTime64(3, 'UTC')}",
                {
                    "ids": sorted({event_id for _site, event_id, _received in some}),
                    "since": min(received_ms for _site, _id, received_ms in some) - DUPLICATE_WITHIN_MS,
                },
            )
        for _ in due:
            self._waiting.popleft()

    def _settle(self, condition: str, parameters: Mapping[str, Any]) -> None:
        raced = self._store.query(
            f"SELECT site_id, event_id FROM {VALID_EVENTS} PREWHERE {condition} "  # noqa: S608
            "WHERE is_duplicate = 0 GROUP BY site_id, event_id HAVING count() > 1",
            parameters,
        )
        if not raced:
            return
        rows = self._store.query(
            "SELECT site_id, event_id, source, received_time, segment_id, segment_row "  # noqa: S608
            f"FROM {VALID_EVENTS} WHERE event_id IN {{ids:Array(UUID)}} AND is_duplicate = 0 "
            "ORDER BY site_id, event_id, received_time, segment_id, segment_row",
            {"ids": sorted({row["event_id"] for row in raced})},
        )
        lost: defaultdict[int, list[RowKey]] = defaultdict(list)
        for _event, standing in groupby(rows, key=lambda row: (row["site_id"], row["event_id"])):
            for row, is_counterpart in _losers(list(standing)):
                lost[is_counterpart].append((row["segment_id"], row["segment_row"]))
        for is_counterpart, keys in lost.items():
            self._mark(keys, is_counterpart)
        recount(self._store, {segment_id for keys in lost.values() for segment_id, _row in keys})

    def _mark(self, keys: Collection[RowKey], is_counterpart: int) -> None:
        some = {"rows": sorted(keys)}
        with self._changes.holding() as hold:
            hold.mark_rows(OF_KEYS, some)
            self._store.mutate(
                f"ALTER TABLE {VALID_EVENTS} UPDATE is_duplicate = 1, is_counterpart = {{counterpart:UInt8}} "
                f"WHERE {OF_KEYS}",
                {"counterpart": is_counterpart, **some},
            )


def _losers(standing: Sequence[Mapping[str, Any]]) -> Iterable[tuple[Mapping[str, Any], int]]:
    """Rows of one event, in the order of receipt, that do not count; and whether each completes the one that does.

    After seven days an id is another event's.
    """
    begun_ms = standing[0]["received_time"]
    together = [row for row in standing if row["received_time"] - begun_ms <= DUPLICATE_WITHIN_MS]
    first = {row["source"]: row for row in reversed(together)}
    counts = first.get("server", together[0])
    for row in together:
        if row is not counts:
            yield row, int(row is first[row["source"]])
    if later := standing[len(together) :]:
        yield from _losers(later)
