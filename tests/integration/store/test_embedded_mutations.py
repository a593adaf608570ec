"""Changing what is stored: done when the call returns, beside the inserts, and refused where it cannot be."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from qrumb_server.errors import StoreRefusedError, StoreUnavailableError
from qrumb_server.ports import TableBatch
from qrumb_server.store.embedded import EmbeddedStore

pytestmark = pytest.mark.chdb

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

AWKWARD = "tab\t quote' back\\slash \\N {x:String} 🧀"


def test_a_mutation_is_visible_when_it_returns(store: EmbeddedStore, batch_of: Batch, event: Row) -> None:
    """Of many parts, with an awkward value; the same again changes nothing more."""
    for number in range(5):
        store.insert(batch_of([event(segment_row=number, user_id=AWKWARD if number % 2 else "u1", page_url="/")]))
    for _ in range(2):
        store.mutate(
            "ALTER TABLE events.valid_events UPDATE user_id = '', page_url = {url:String} "
            "WHERE user_id = {user:String} AND segment_row IN {rows:Array(UInt32)}",
            {"url": AWKWARD, "user": AWKWARD, "rows": [1, 3]},
        )
        rows = store.query("SELECT user_id, page_url FROM events.valid_events ORDER BY segment_row")
        changed, same = {"user_id": "", "page_url": AWKWARD}, {"user_id": "u1", "page_url": "/"}
        assert rows == [same, changed, same, changed, same]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE events.valid_events DELETE WHERE site_id = {site:String}",
        "DELETE FROM events.valid_events WHERE site_id = {site:String}",
    ],
    ids=["heavy", "light"],
)
def test_deleted_rows_are_gone_and_others_stay(store: EmbeddedStore, batch_of: Batch, event: Row, sql: str) -> None:
    store.insert(batch_of([event(segment_row=0, site_id="gone"), event(segment_row=1, site_id="stays")]))
    store.mutate(sql, {"site": "gone"})
    assert store.query("SELECT site_id FROM events.valid_events") == [{"site_id": "stays"}]


def test_inserts_go_on_during_a_mutation(store: EmbeddedStore, batch_of: Batch, event: Row) -> None:
    """The loader must not wait for an erasure."""
    store.insert(batch_of([event(segment_row=number) for number in range(3)]))
    mutation = threading.Thread(
        target=store.mutate,
        args=("ALTER TABLE events.valid_events UPDATE user_id = toString(sleepEachRow(0.7)) WHERE segment_row < 3",),
    )
    mutation.start()
    # The thread may begin after the insert, and must not touch its row even so.
    store.insert(batch_of([event(segment_id="later", segment_row=3)]))
    assert mutation.is_alive()
    mutation.join()
    rows = store.query("SELECT user_id FROM events.valid_events ORDER BY segment_id = 'later'")
    assert [row["user_id"] for row in rows] == ["0", "0", "0", ""]


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE events.valid_events UPDATE nope = 1 WHERE 1",
        "ALTER TABLE events.valid_events UPDATE site_id = 'x' WHERE 1",
        "ALTER TABLE events.nothing DELETE WHERE 1",
        "ALTER TABL",
        "ALTER TABLE events.valid_events DELETE WHERE site_id = {site:String}",
    ],
    ids=["column", "key", "table", "syntax", "parameter"],
)
def test_a_wrong_mutation_is_refused(store: EmbeddedStore, batch_of: Batch, event: Row, sql: str) -> None:
    store.insert(batch_of([event()]))
    with pytest.raises(StoreRefusedError):
        store.mutate(sql)
    assert store.query("SELECT site_id FROM events.valid_events") == [{"site_id": "shop"}]


def test_a_closed_store_mutates_nothing(store: EmbeddedStore) -> None:
    store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.mutate("ALTER TABLE events.valid_events DELETE WHERE 1")
