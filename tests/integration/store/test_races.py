"""Rows of one event that two loaders stored at the same moment, on a real engine."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from qrumb_server.loader.changes import ChangedHours
from qrumb_server.loader.races import SETTLED_SECONDS, Races
from qrumb_server.ports import TableBatch
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.mini_node import SettableClock

pytestmark = pytest.mark.chdb

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]
SEVEN_DAYS_MS = 7 * 86_400_000
ID = "018f0000-0000-7000-8000-000000000001"
MINUTE_MS = 60_000


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def ledger_row(segment_id: str, minute_ms: int) -> dict[str, Any]:
    """Of a segment whose loader took its only event for the first."""
    counts = {"received_count": 1, "stored_count": 1, "unique_count": 1, "rejected_count": 0, "duplicate_count": 0}
    return {"minute_time": minute_ms, "site_id": "shop", **counts, "fraud_count": 0, "segment_row": 0} | {
        "segment_id": segment_id
    }


def marks(store: EmbeddedStore, table: str = "valid_events") -> dict[str, tuple[int, int]]:
    """is_duplicate and is_counterpart by segment."""
    rows = store.query(f"SELECT segment_id, is_duplicate, is_counterpart FROM events.{table} WHERE site_id = 'shop'")
    return {row["segment_id"]: (row["is_duplicate"], row["is_counterpart"]) for row in rows}


Arrival = tuple[str, int]
"""source and received_time after the first"""


@pytest.mark.parametrize(
    ("arrivals", "meant"),
    [
        pytest.param([("browser", 0), ("browser", 1)], [(0, 0), (1, 0)], id="the first received counts"),
        pytest.param([("browser", 1), ("browser", 0)], [(1, 0), (0, 0)], id="not the first stored"),
        pytest.param([("browser", 0), ("server", 1)], [(1, 1), (0, 0)], id="a backend's copy before a browser's"),
        pytest.param(
            [("browser", 0), ("browser", 1), ("server", 2), ("server", 3)],
            [(1, 1), (1, 0), (0, 0), (1, 0)],
            id="both twice",
        ),
        pytest.param([("browser", 0), ("browser", SEVEN_DAYS_MS)], [(0, 0), (1, 0)], id="within seven days"),
        pytest.param([("browser", 0), ("browser", SEVEN_DAYS_MS + 1)], [(0, 0), (0, 0)], id="another event by then"),
    ],
)
@pytest.mark.parametrize("is_restarted", [False, True], ids=["by who stored it", "by the next loader"])
def test_one_row_counts_and_the_ledger_says_so(
    store: EmbeddedStore,
    batch_of: Batch,
    event: Row,
    now_ms: int,
    arrivals: Sequence[Arrival],
    meant: Sequence[tuple[int, int]],
    is_restarted: bool,
) -> None:
    """Whoever looks, and however often."""
    begun_ms = now_ms - SEVEN_DAYS_MS - MINUTE_MS
    others = event(event_id=ID, site_id="other", segment_id="elsewhere"), event(segment_id="another")
    store.insert(batch_of(list(others)))
    stored = []
    for number, (source, after_ms) in enumerate(arrivals):
        received_ms = begun_ms + after_ms
        row = event(
            event_id=ID, source=source, event_time=begun_ms, received_time=received_ms, segment_id=f"segment-{number}"
        )
        store.insert(batch_of([row]))
        minute_ms = received_ms - received_ms % MINUTE_MS
        store.insert(batch_of([ledger_row(f"segment-{number}", minute_ms)], "events.ledger"))
        stored.append(("shop", ID, received_ms))
    clock = Clock()
    changes = ChangedHours(store, clock=SettableClock(now_ms), monotonic=clock)
    races = Races(store, changes, monotonic=clock, is_alone=False)
    if is_restarted:
        races.begin(begun_ms)
    else:
        races.add(stored)
        races.settle_if_due()
        assert marks(store)["segment-1"] == (0, 0), "too early for what another loader stores at this moment"
        clock.now = SETTLED_SECONDS
    for _again in range(2):
        races.settle_if_due()
        found = marks(store)
        assert [found[f"segment-{number}"] for number in range(len(arrivals))] == list(meant)
        assert found["another"] == (0, 0)
        assert len(marks(store, "unique_events")) == 1 + meant.count((0, 0))
        ledger = store.query("SELECT unique_count, duplicate_count FROM events.ledger ORDER BY segment_id")
        assert [(row["unique_count"], row["duplicate_count"]) for row in ledger] == [
            (1 - is_duplicate, is_duplicate) for is_duplicate, _is_counterpart in meant
        ]


def test_a_loader_that_is_alone_asks_for_nothing(now_ms: int) -> None:
    """No other one can have stored the same."""
    clock = itertools.count(step=100)
    races = Races(None, None, monotonic=lambda: float(next(clock)), is_alone=True)  # type: ignore[arg-type]
    races.begin(now_ms)
    races.add([("shop", ID, now_ms)])
    races.settle_if_due()
