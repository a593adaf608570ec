"""What goes in comes out: every column, awkward values, exactly once."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from qrumb_server.errors import BadRowsError, StoreRefusedError
from qrumb_server.ports import TableBatch
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.rows import EMPTY_ROW, FULL_ROW, other_rows

pytestmark = pytest.mark.chdb

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

MONTH_MS = 31 * 86_400_000


def test_every_column_of_a_full_and_an_empty_row_comes_back_as_it_was_sent(
    store: EmbeddedStore, batch_of: Batch, now_ms: int
) -> None:
    rows = [row | {"received_time": now_ms, "event_time": now_ms - 5} for row in (FULL_ROW, EMPTY_ROW)]
    store.insert(batch_of(rows))
    assert store.query("SELECT * FROM events.valid_events ORDER BY event_name DESC") == rows
    assert list(store.query("SELECT * FROM events.valid_events LIMIT 1")[0]) == list(FULL_ROW)


@pytest.mark.parametrize("amount", ["0", "-0.0001", "99999999999999.9999", "-99999999999999.9999", "1.230000", "1E+2"])
def test_money_is_exact(store: EmbeddedStore, batch_of: Batch, event: Row, amount: str) -> None:
    store.insert(batch_of([event(conversion_value=Decimal(amount))]))
    assert store.query("SELECT conversion_value FROM events.valid_events") == [{"conversion_value": Decimal(amount)}]


def test_every_table_takes_a_batch(store: EmbeddedStore, batch_of: Batch, now_ms: int) -> None:
    for table, row in other_rows(now_ms).items():
        store.insert(batch_of([row], table))
        store.insert_missing(batch_of([row], table))
        assert store.query(f"SELECT {', '.join(row)} FROM {table}") == [row]


def test_insert_missing_adds_only_the_rows_that_are_not_there(
    store: EmbeddedStore, batch_of: Batch, event: Row, now_ms: int
) -> None:
    """Three partitions of which two arrived, rows of one event_id, and another segment with the same row numbers."""
    rows = [
        event(
            segment_row=number,
            received_time=now_ms - number % 3 * MONTH_MS,
            event_id="01936b2f-7c1e-7e6d-8a4b-0123456789ab",
        )
        for number in range(300)
    ]
    stranger = [row | {"segment_id": "it's \\another\n"} for row in rows]
    store.insert(batch_of([row for row in rows if row["segment_row"] % 3]))
    for _ in range(2):
        store.insert_missing(batch_of(rows + stranger))
        counted = store.query(
            "SELECT count() AS rows, uniqExact(segment_id, segment_row) AS names FROM events.valid_events"
        )
        assert counted == [{"rows": 600, "names": 600}]


def test_a_batch_is_one_part_per_partition(store: EmbeddedStore, batch_of: Batch, event: Row, now_ms: int) -> None:
    """More parts would mean more states in which a killed insert can leave the table."""
    rows = [
        event(segment_row=number, received_time=now_ms - number % 2 * MONTH_MS, metadata="x" * 300)
        for number in range(66_000)
    ]
    store.insert(batch_of(rows))
    parts = store.query("SELECT sum(level) AS merges, count() AS parts FROM system.parts WHERE table = 'valid_events'")
    assert parts == [{"merges": 0, "parts": 2}]


@pytest.mark.parametrize(
    "poison",
    [
        {"page_url": "\ud800"},
        {"page_url": None},
        {"page_url": b"bytes"},
        {"conversion_value": Decimal("0.00001")},
        {"is_fraud": 256},
        {"event_id": "not-a-uuid"},
        {"event_time": 10_413_792_000_000},
    ],
    ids=lambda poison: "-".join(poison),
)
def test_a_poison_row_is_bad_rows_and_nothing_is_written(
    store: EmbeddedStore, batch_of: Batch, event: Row, poison: dict[str, Any]
) -> None:
    good = {"page_url": "", "conversion_value": None, "is_fraud": 0}
    rows = [event(segment_row=number, **good) for number in range(3)]
    (column,) = poison
    with pytest.raises(BadRowsError, match=f"column {column}, row 1"):
        store.insert(batch_of([rows[0], rows[1] | poison, rows[2]]))
    assert store.query("SELECT count() AS rows FROM events.valid_events") == [{"rows": 0}]
    store.insert(batch_of([rows[0], rows[2]]))


def test_a_batch_over_too_many_partitions_is_bad_rows_and_nothing_is_written(
    store: EmbeddedStore, batch_of: Batch, event: Row, now_ms: int
) -> None:
    rows = [event(segment_row=number, received_time=now_ms - number * MONTH_MS) for number in range(120)]
    with pytest.raises(BadRowsError) as caught:
        store.insert(batch_of(rows))
    assert caught.value.code == 252
    assert store.query("SELECT count() AS rows FROM events.valid_events") == [{"rows": 0}]


def test_an_empty_batch_writes_nothing(store: EmbeddedStore, batch_of: Batch, event: Row) -> None:
    empty = TableBatch(table="events.valid_events", columns=list(event()), data=[[] for _ in event()])
    store.insert(empty)
    store.insert_missing(empty)
    assert store.query("SELECT count() AS parts FROM system.parts WHERE table = 'valid_events'") == [{"parts": 0}]


@pytest.mark.parametrize("change", [{"table": "events.nothing"}, {"columns": ["segment_id", "segment_row", "nope"]}])
def test_an_unknown_table_or_column_is_refused(store: EmbeddedStore, change: dict[str, Any]) -> None:
    plain = {"table": "events.ledger", "columns": ["segment_id", "segment_row", "site_id"]}
    with pytest.raises(StoreRefusedError, match=r"nothing|nope"):
        store.insert(TableBatch(**(plain | change), data=[["s"], [1], ["shop"]]))
