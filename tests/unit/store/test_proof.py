"""Which rows count as read again, table by table."""

import pytest

from qrumb_server.ports import TableBatch
from qrumb_server.store.proof import Proof
from qrumb_server.store.schema.files import load_migrations, table_columns

TABLES = {name if name.startswith("events.") else f"events.{name}" for name in table_columns(load_migrations())}
# Made by statements of the engine itself, or never proved: the request is repeated.
UNPROVED = {
    "events.schema_migrations", "events.hourly_counts", "events.hourly_funnels", "events.rolled_hours",
    "events.waiting_sessions", "events.erasures", "events.identities",
}  # fmt: skip


@pytest.mark.parametrize("table", sorted(TABLES - UNPROVED))
def test_each_table_that_the_loader_fills_can_be_asked(table: str) -> None:
    """Whoever adds one says in the module how its rows are known again."""
    assert Proof(table, []).condition


def test_a_scan_that_became_earlier_is_there_at_its_earliest_time() -> None:
    """A row of before, with a later time, is not the one that was sent."""
    columns = ("site_id", "scan_time", "user_id", "scan_session_id", "segment_id", "segment_row")
    data: list[list[object]] = [["shop"] * 2, [100, 200], ["ann", "bob"], ["s-1", "s-2"], ["seg"] * 2, [0, 0]]
    proof = Proof("events.user_scans", [TableBatch(table="events.user_scans", columns=columns, data=data)])
    keys = [["shop", "shop"], ["ann", "bob"], ["s-1", "s-2"]]
    assert proof.missing([*keys, [100, 150]]) == 0
    assert proof.missing([*keys, [150, 200]]) == 1
    assert proof.missing([*(key[:1] for key in keys), [100]]) == 1
    assert "min(scan_time)" in proof.sql()
