"""The rows of one event, by its id: all of them, at a cost that does not grow with the table."""

import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.ports import BY_KEY, TableBatch
from qrumb_server.query.one_event import KEYS, rows_of_event
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.store.engine import EngineSession, Statements
from qrumb_server.store.schema.files import load_migrations
from qrumb_server.store.schema.migrations import apply_migrations
from tests.support.patience import patient

pytestmark = pytest.mark.chdb

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

ID = "00000000-0000-4000-8000-000000000001"
DAY_MS = 86_400_000
# The last schema without keys.
BEFORE = 12


def found(store: EmbeddedStore) -> list[tuple[str, int]]:
    """Segments and types of the event's rows."""
    return [(row["segment_id"], row["is_duplicate"]) for row in rows_of_event(store, "shop", ID)]


def plan(store: EmbeddedStore) -> str:
    """How the engine looks for the keys."""
    rows = store.query(f"{BY_KEY} EXPLAIN indexes = 1 {KEYS}", {"event": ID})
    return "\n".join(row["explain"] for row in rows)


def arrivals(event: Row, now_ms: int) -> list[dict[str, Any]]:
    """Of one event, over two months and by two sides; and another site's under the same id."""
    again = {"event_id": ID, "is_duplicate": 1, "segment_id": "late", "received_time": now_ms - 40 * DAY_MS}
    return [
        event(**again),
        event(event_id=ID, segment_id="first", event_time=now_ms - 5, event_type="", source="server"),
        event(event_id=ID, segment_id="other", site_id="other"),
    ]


def test_every_row_is_found_where_it_can_be(store: EmbeddedStore, event: Row, batch_of: Batch, now_ms: int) -> None:
    """None of a part of forty thousand others, among which it cannot be."""
    store.insert(batch_of([event(segment_row=row, event_time=now_ms - row) for row in range(40_000)]))
    store.insert(batch_of(arrivals(event, now_ms)))
    assert found(store) == [("first", 0), ("late", 1)]
    assert rows_of_event(store, "shop", str(uuid.uuid4())) == []
    said = plan(store)
    assert "ReadFromMergeTree (fine_event_id)" in said
    assert "by_event_id\n" not in said.replace("(fine_event_id)", ""), "the filters of the index are read as well"
    assert "Granules: 2/80" in said, "the id lies before all of the others"


def test_keys_of_rows_that_were_there_before_are_made_after_the_start(
    folder: Path, batch_of: Batch, event: Row, now_ms: int
) -> None:
    """Until then the rows are found without."""
    session = EngineSession(folder, {})
    apply_migrations(load_migrations()[:BEFORE], Statements(session))
    for row in arrivals(event, now_ms):
        times = f"fromUnixTimestamp64Milli({row['event_time']}), fromUnixTimestamp64Milli({row['received_time']})"
        session.run(
            "INSERT INTO events.valid_events (event_id, event_time, received_time, site_id, event_type, is_duplicate, "
            f"segment_id) SELECT '{ID}', {times}, '{row['site_id']}', '{row['event_type']}', {row['is_duplicate']}, "
            f"'{row['segment_id']}'"
        )
    session.close()
    store = EmbeddedStore.open(folder)
    try:
        assert found(store) == [("first", 0), ("late", 1)]
        give_up = time.monotonic() + patient(20)
        while store.query(
            "SELECT 1 FROM system.parts WHERE active AND table = 'valid_events' "
            "AND NOT has(projections, 'fine_event_id')"
        ):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        assert found(store) == [("first", 0), ("late", 1)]
        assert "ReadFromMergeTree (fine_event_id)" in plan(store)
    finally:
        store.close()


@pytest.mark.parametrize("damage", ["empty", "gone"])
def test_keys_that_are_damaged_at_a_start_cost_no_row(
    database: Path, event: Row, batch_of: Batch, now_ms: int, damage: str
) -> None:
    """As a power cut may leave them, since they are not synced by themselves."""
    store = EmbeddedStore.open(database)
    store.insert(batch_of(arrivals(event, now_ms)))
    folders = store.query("SELECT path FROM system.parts WHERE active AND table = 'valid_events'")
    store.close()
    for row in folders:
        keys = Path(row["path"]) / "fine_event_id.proj"
        (keys / "data.bin").write_bytes(b"")
        if damage == "gone":
            shutil.rmtree(keys)
    reports: list[object] = []
    store = EmbeddedStore.open(database, report=reports.append)
    try:
        assert found(store) == [("first", 0), ("late", 1)]
        assert reports == []
    finally:
        store.close()


def test_scans_of_an_hour_are_found_by_their_time(store: EmbeddedStore, now_ms: int) -> None:
    """Where ids begin with it, as our clients' do, also for the versions that count."""
    store.mutate(
        "INSERT INTO events.scan_sessions (site_id, scan_session_id, scan_time, received_time, version) "
        f"SELECT 'shop', leftPad(hex(number), 8, '0'), fromUnixTimestamp64Milli({now_ms} - 3600000 * number), "
        f"fromUnixTimestamp64Milli({now_ms}), 1 FROM numbers(40000)"
    )
    hour = {"from": now_ms - 10 * 3_600_000, "to": now_ms - 9 * 3_600_000}
    rows = store.query(
        "EXPLAIN indexes = 1 SELECT * FROM events.scan_sessions FINAL WHERE site_id = 'shop' "
        "AND scan_time > {from:DateTime64(3, 'UTC')} AND scan_time <= {to:DateTime64(3, 'UTC')}",
        hour,
    )
    plan = "\n".join(row["explain"] for row in rows)
    assert "Granules: 1/5" in plan.partition("by_scan_time")[2], plan
