"""The newest rows are found without a look at all of a site's, and are the newest all the same."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count, product
from typing import Any
from uuid import UUID

import pytest

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.ports import TableBatch
from qrumb_server.query.charts import Charts
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.mini_node import SettableClock

pytestmark = pytest.mark.chdb

NOW_MS = 1_790_000_000_000
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
# Since receipt, and for how long the segment had been open then: a worker that was away seals late.
ARRIVALS = [
    (age_ms, open_ms)
    for age_ms in (0, MINUTE_MS, 20 * MINUTE_MS, 29 * MINUTE_MS, 5 * HOUR_MS, 47 * HOUR_MS, 20 * DAY_MS, 200 * DAY_MS)
    for open_ms in (0, 9 * MINUTE_MS, 3 * DAY_MS, -9 * MINUTE_MS)
]


def segment_of(time_ms: int, number: int) -> str:
    """A UUIDv7."""
    return str(UUID(int=time_ms << 80 | 7 << 76 | 2 << 62 | number))


def ledger_of(rows: Sequence[Mapping[str, Any]], **more: Any) -> TableBatch:
    """What the loader counts of them, an entry for each."""
    entries = [
        {
            "segment_id": row["segment_id"],
            "segment_row": row["segment_row"],
            "site_id": row["site_id"],
            "minute_time": row["received_time"] // MINUTE_MS * MINUTE_MS,
            "stored_count": 1,
            **more,
        }
        for row in rows
    ]
    columns = list(entries[0])
    return TableBatch(
        table="events.ledger", columns=columns, data=[[entry[name] for entry in entries] for name in columns]
    )


def ids(found: pb.TailEventsResponse) -> list[str]:
    return [row.event_id for row in found.rows]


def test_the_tail_is_the_newest_rows(
    store: EmbeddedStore, batch_of: Callable[..., TableBatch], event: Callable[..., dict[str, Any]]
) -> None:
    rows = [
        event(
            site_id=site_id,
            received_time=NOW_MS - age_ms,
            segment_id=segment_of(NOW_MS - age_ms - open_ms, number),
            segment_row=number,
        )
        for number, (age_ms, open_ms) in enumerate(ARRIVALS)
        for site_id in ("mine", "other")
    ]
    store.insert(batch_of(rows))
    mine = sorted((row["segment_id"], row["event_id"]) for row in rows if row["site_id"] == "mine")

    def check() -> None:
        for later_ms, limit in product((0, HOUR_MS, 10 * DAY_MS), (1, 14, 20, 100)):
            charts = Charts(store=store, clock=SettableClock(NOW_MS + later_ms))
            found = charts.tail(pb.TailEventsRequest(site_id="mine", limit=limit))
            assert ids(found) == [str(event_id) for _segment, event_id in mine[-limit:]], (later_ms, limit)

    check()  # the ledger of one that a power cut met may lack what the rows have
    store.insert(ledger_of(rows))
    check()
    store.insert(ledger_of(rows, segment_row=999, stored_count=50))  # and may have what the rows lack
    check()


class Counting:
    """A reader that counts what is asked of it."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.asked = 0

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self.asked += 1
        return self._store.query(sql, parameters)


def test_what_the_tail_keeps_is_what_is_there(
    store: EmbeddedStore, batch_of: Callable[..., TableBatch], event: Callable[..., dict[str, Any]], now_ms: int
) -> None:
    """Asked time and again, beside one that keeps nothing; and the store is not asked where nothing was written or
    what was written is known."""
    reader, clock = Counting(store), SettableClock(now_ms)
    keeping = Charts(store=reader, clock=clock, writes=store.written)
    forgetful = Charts(store=store, clock=clock)
    numbers = count()
    cursors = {""}

    def arrive(number: int, site_id: str = "mine", earlier_ms: int = 0, again: bool = False) -> None:
        begun = next(numbers)
        segment = segment_of(now_ms - 1000 + begun - earlier_ms, begun)
        rows = [event(site_id=site_id, segment_id=segment, segment_row=row) for row in range(number)]
        (store.insert_missing if again else store.insert)(batch_of(rows))
        store.insert(ledger_of(rows))

    def asked() -> int:
        """By questions that were asked once already."""
        before = reader.asked
        for limit, cursor in product((2, 5, 100), sorted(cursors)):
            request = pb.TailEventsRequest(site_id="mine", limit=limit, cursor=cursor)
            expected = forgetful.tail(request)
            assert keeping.tail(request) == expected, (limit, cursor)
            cursors.add(expected.cursor)
        return reader.asked - before

    for number, earlier_ms in ((3, 0), (1, 0), (12, 2)):
        asked()
        assert asked() == 0
        arrive(number, earlier_ms=earlier_ms)  # of a worker whose segments were begun before
        asked()
    for number, site_id, earlier_ms in ((2, "mine", 0), (3, "mine", 5), (4, "other", 0)):
        arrive(number, site_id, earlier_ms)
        arrive(1)
        assert asked() == 0
    arrive(1, again=True)  # which rows these are only the store knows
    assert asked()
    arrive(300)
    assert asked(), "more than is kept"
    store.mutate("ALTER TABLE events.valid_events UPDATE is_fraud = 1 WHERE site_id = 'mine' AND segment_row = 299")
    assert asked()
    assert any(row.is_fraud for row in keeping.tail(pb.TailEventsRequest(site_id="mine")).rows)
    clock.set(now_ms + HOUR_MS)
    assert asked(), "the engine lets old rows go by itself"
    store.mutate("ALTER TABLE events.valid_events DELETE WHERE site_id = 'mine'")
    asked()
    assert not keeping.tail(pb.TailEventsRequest(site_id="mine")).rows
