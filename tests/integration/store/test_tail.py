"""The newest rows are found without a look at all of a site's, and are the newest all the same."""

from collections.abc import Callable
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


@pytest.mark.parametrize("limit", [1, 14, 20, 100])
@pytest.mark.parametrize("later_ms", [0, HOUR_MS, 10 * DAY_MS], ids=["at once", "an hour later", "days later"])
def test_the_tail_is_the_newest_rows(
    store: EmbeddedStore,
    batch_of: Callable[..., TableBatch],
    event: Callable[..., dict[str, Any]],
    limit: int,
    later_ms: int,
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
    charts = Charts(store=store, clock=SettableClock(NOW_MS + later_ms))
    found = charts.tail(pb.TailEventsRequest(site_id="mine", limit=limit)).rows
    mine = sorted((row["segment_id"], row["event_id"]) for row in rows if row["site_id"] == "mine")
    assert [row.event_id for row in found] == [str(event_id) for _segment, event_id in mine[-limit:]]
