"""A site's rows go when they are older than the site keeps them: once a day, in every table, and no others."""

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.app.clock import SystemClock
from qrumb_server.loader.erased import REMEMBERED_MS, ErasedSessions, erased_link
from qrumb_server.loader.rows import INVALID_EVENTS, SCAN_SESSIONS, VALID_EVENTS, RowId, link_batch
from qrumb_server.model import SitePolicy
from qrumb_server.pipeline.identity import SESSION, Link
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.upkeep.retention import Retention
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter, Record, SessionRegistration
from tests.support.rig import load_all, make_loader, spool_up

pytestmark = pytest.mark.chdb

DAY_MS = 86_400_000
NOW_MS = SystemClock().now_ms()
LONG, SHORT = SitePolicy(), SitePolicy(retention_ms=10 * DAY_MS)


class SetClock:
    """Shows what it is set to."""

    def __init__(self, now_ms: int) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.time_ms


def records(site_id: str, days: int) -> list[bytes]:
    """An event, a dead letter and a session, received that many days ago."""
    time_ms = NOW_MS - days * DAY_MS
    row = EventRow(event_id=str(uuid.uuid4()), site_id=site_id, metadata="{}", event_name=str(days))
    row.received_time.FromMilliseconds(time_ms)
    row.event_time.FromMilliseconds(time_ms)
    letter = DeadLetter(site_id=site_id, event_id=str(days), source="browser", received_time_ms=time_ms)
    session = ScanSession(site_id=site_id, scan_session_id=f"{site_id}-{days}", qr_code_id=str(days))
    session.scan_time.FromMilliseconds(time_ms)
    registration = SessionRegistration(scan_session=session, received_time_ms=time_ms)
    return [
        Record(accepted_event=AcceptedEvent(row=row)).SerializeToString(),
        Record(dead_letter=letter).SerializeToString(),
        Record(session_registration=registration).SerializeToString(),
    ]


def ages(store: EmbeddedStore, site_id: str) -> list[list[int]]:
    """Ages in days of what is left of a site, by table."""
    columns = {VALID_EVENTS: "event_name", INVALID_EVENTS: "event_id", SCAN_SESSIONS: "qr_code_id"}
    return [
        sorted(
            int(row["days"])
            for row in store.query(
                f"SELECT {column} AS days FROM {table} WHERE site_id = {{site:String}}", {"site": site_id}
            )
        )
        for table, column in columns.items()
    ]


class CountingStore(EmbeddedStore):
    """Knows how many mutations there were; the engine forgets them."""

    mutations = 0

    def mutate(self, sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """As the store's."""
        self.mutations += 1
        super().mutate(sql, parameters)


def test_each_site_keeps_its_rows_as_long_as_it_says(tmp_path: Path) -> None:
    """Ten days for one, the tables' time for another, what counts for all for the rest; a day later a day more."""
    clock = SetClock(NOW_MS)
    store = CountingStore.open(tmp_path / "clickhouse")
    days = (0, 9, 10, 12, 40)
    spool_up(
        tmp_path / "spool", [[one for age in days for site in ("short", "long", "any") for one in records(site, age)]]
    )
    load_all(tmp_path / "spool", store)
    policies = {"short": SHORT, "long": LONG}
    common = SitePolicy(retention_ms=30 * DAY_MS)
    retention = Retention(
        store=store,
        loader=make_loader(tmp_path / "spool", store, max_events=1),
        clock=clock,
        policy=lambda site_id: policies.get(site_id, common),
        named_sites=lambda: ("long", "short"),
    )
    try:
        # 10 days ago, at this time of the day, is after the midnight of 10 days ago.
        assert retention.run() == {VALID_EVENTS: 3, INVALID_EVENTS: 3, SCAN_SESSIONS: 3}
        assert ages(store, "short") == [[0, 9, 10]] * 3
        assert ages(store, "long") == [list(days)] * 3
        assert ages(store, "any") == [[0, 9, 10, 12]] * 3
        before = store.mutations
        assert retention.run() == {}
        assert store.mutations == before
        clock.time_ms += DAY_MS
        assert retention.run() == {VALID_EVENTS: 1, INVALID_EVENTS: 1, SCAN_SESSIONS: 1}
        assert ages(store, "short") == [[0, 9]] * 3
        assert store.mutations == before + 3
    finally:
        store.close()


def test_what_leads_to_erased_sessions_goes_after_half_a_year(tmp_path: Path) -> None:
    """And no other evidence."""
    store = EmbeddedStore.open(tmp_path / "clickhouse")
    old_ms = NOW_MS - REMEMBERED_MS - DAY_MS
    links = {
        erased_link("any", "scan-old", "erased-1"): old_ms,
        erased_link("any", "scan-new", "erased-2"): NOW_MS - REMEMBERED_MS + DAY_MS,
        Link(("any", SESSION, "scan-old"), "ann"): old_ms,
    }
    store.insert(link_batch(links, RowId(segment_id="erased-0", segment_row=0)))
    retention = Retention(
        store=store,
        loader=make_loader(tmp_path / "spool", store, max_events=1),
        clock=SetClock(NOW_MS),
        policy=lambda _site_id: LONG,
        named_sites=lambda: (),
    )
    try:
        assert retention.run() == {}
        sessions = {("any", "scan-old"), ("any", "scan-new")}
        erased = ErasedSessions(store, monotonic=time.monotonic)
        assert erased.names(sessions) == {("any", "scan-new"): "erased-2"}
        [kept] = store.query(f"SELECT user_id FROM events.identity_links WHERE kind = '{SESSION}'")
        assert kept == {"user_id": "ann"}
    finally:
        store.close()


def test_sites_that_keep_everything_cost_nothing(tmp_path: Path) -> None:
    """Not even a look at the tables of events and sessions."""

    class NoStore:
        """Must not be asked of anything but erased sessions."""

        def query(self, sql: str, _parameters: object) -> list[object]:
            """None."""
            assert "identity_links" in sql
            return []

    retention = Retention(
        store=NoStore(),  # type: ignore[arg-type]
        loader=None,  # type: ignore[arg-type]
        clock=SetClock(NOW_MS),
        policy=lambda _site_id: LONG,
        named_sites=lambda: ("a", "b"),
    )
    assert retention.run() == {}
