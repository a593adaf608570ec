"""Sums of whole hours: the same answers as by rows, and hardly anything read for them."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.loader.changes import ChangedHours
from qrumb_server.loader.progress import Progress
from qrumb_server.query.counts import count_events
from qrumb_server.query.funnels import follow_scans
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.upkeep.sums_check import SumsCheck
from tests.support.history import SITE, at, between, insert_rows, sale, scan, visit
from tests.support.mini_node import SettableClock
from tests.support.sums import make_sums

pytestmark = pytest.mark.chdb

MONTH = between("03-01 00:00", "04-15 00:00")
SAME, BOTH, LATE = (str(uuid.uuid4()) for _ in range(3))
EVENTS = [
    visit("03-28 22:30", "a1", "poster", country_code="AT", device_type="mobile", metadata='{"utm_campaign":"easter"}'),
    visit("03-28 23:30", "a1", "poster", event_id=SAME, country_code="AT", device_type="mobile"),
    visit("03-29 01:31", "a1", "poster", event_id=SAME, country_code="AT", device_type="mobile", is_duplicate=1),
    visit("03-29 21:30", "a2", "poster", country_code="DE", device_type="desktop"),
    visit("03-29 22:30", "late", country_code="AT", device_type="mobile"),
    visit("03-30 10:00", "bot", "flyer", device_type="desktop", is_fraud=1),
    # The page told first, the backend completes it an hour later.
    visit("03-30 10:05", "a2", "poster", event_id=BOTH, country_code="DE", device_type="desktop"),
    sale("03-30 11:05", "a2", "poster", event_id=BOTH, value="20.0000", is_duplicate=1, is_counterpart=1),
    sale("03-31 09:00", "late", value="5.5000"),
    sale("03-31 10:00", "late", name="lead", value=None, currency=""),
    sale("04-01 09:00", "late", name="refund", value="-5.5000"),
    sale("04-01 09:30", "a1", name="refund", value="-1.0000", currency="CHF"),
    sale("04-01 10:00", "", "flyer", name="purchase", value="700", currency="JPY", consent="denied"),
    visit("04-02 10:00", "unknown", country_code="FR"),
]
SCANS = [
    scan("a1", "poster", "03-28 22:29"), scan("a2", "poster", "03-29 21:29"), scan("late", "flyer", "03-29 22:29"),
    scan("bot", "flyer", "03-30 09:59"), scan("nothing", "poster", "03-30 09:00"),
]  # fmt: skip


# Each of the ways in which sums may be wrong at least once, most of them with others.
COUNTS: list[dict[str, Any]] = [
    {},
    {"bucket": "HOUR", "group_by": ["QR_CODE"]},
    {"bucket": "DAY", "time_zone": "Europe/Vienna", "fraud": "EXCLUDED"},
    {"bucket": "DAY", "time_zone": "Asia/Kolkata", "group_by": ["COUNTRY"]},
    {"bucket": "WEEK", "group_by": ["COUNTRY", "DEVICE"], "names": ["purchase", "pageview", "lead"]},
    {"bucket": "WHOLE", "group_by": ["SOURCE"], "conversion_names": ["lead"]},
    {"bucket": "WHOLE", "group_by": ["NAME", "DEVICE"], "conversion_names": ["purchase"]},
    {"bucket": "DAY", "group_by": ["CAMPAIGN"]},
    {"bucket_seconds": 7200, "qr_code_ids": ["poster"], "sources": ["server"]},
    {"bucket_seconds": 90, "device_types": ["mobile"]},
    {"bucket": "DAY", **between("03-28 22:15", "04-01 09:20")},
    {"bucket": "MONTH", "group_by": ["QR_CODE", "NAME"], **between("03-28 23:15", "04-01 09:20")},
]
FUNNELS: list[dict[str, Any]] = [
    {},
    {"conversion_names": ["lead", "purchase"], "group_by": ["COUNTRY"]},
    {"bucket": "DAY", "time_zone": "America/New_York", "group_by": ["QR_CODE", "DEVICE"]},
    {"group_by": ["CAMPAIGN"], "qr_code_ids": ["poster"]},
    {"country_codes": ["AT"], "conversion_names": ["lead"]},
    {"bucket": "HOUR", "group_by": ["DEVICE"], **between("03-28 22:15", "04-01 10:20")},
]


def answers(store: EmbeddedStore, *, few: bool = False) -> list[Any]:
    """`few`: one question that reads earnings, one that reads scans."""
    counts, funnels = (COUNTS[1:2], FUNNELS[:1]) if few else (COUNTS, FUNNELS)
    return [
        *(count_events(store, pb.CountEventsRequest(site_id=SITE, **{**MONTH, **asked}), 0) for asked in counts),
        *(follow_scans(store, pb.GetFunnelRequest(site_id=SITE, **{**MONTH, **asked}), 0) for asked in funnels),
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore.open(tmp_path / "clickhouse")
    yield opened
    opened.close()


def test_every_question_has_the_same_answer_by_sums(store: EmbeddedStore) -> None:
    insert_rows(store, "events.valid_events", EVENTS)
    insert_rows(store, "events.scan_sessions", SCANS)
    by_rows = answers(store)
    clock = SettableClock(at("04-20 00:00"))
    changes = ChangedHours(store, clock=clock, monotonic=clock.monotonic, is_alone=True)
    make_sums(store, changes, clock)
    assert store.query("SELECT count() AS n FROM events.hourly_counts")[0]["n"] > len(EVENTS)
    for asked, before, after in zip([*COUNTS, *FUNNELS], by_rows, answers(store), strict=True):
        assert after == before, asked
    progress = Progress()
    check = SumsCheck(store=store, changes=changes, clock=clock, progress=progress)
    assert check.run() == 0
    spoil = (
        "ALTER TABLE events.{} UPDATE {} WHERE site_id = {{site:String}} AND hour_time = {{hour:DateTime64(3, 'UTC')}}"
    )
    for table, column, hour in (
        ("hourly_counts", "earned = earned + 1", "03-31 09:00"),
        ("hourly_funnels", "scan_count = scan_count + 1", "03-29 21:00"),
    ):
        store.mutate(spoil.format(table, column), {"site": SITE, "hour": at(hour)})
    few_by_rows = [by_rows[1], by_rows[len(COUNTS)]]
    assert [said == meant for said, meant in zip(answers(store, few=True), few_by_rows, strict=True)] == [False, False]
    assert check.run() == 2
    assert progress.reasons == ["sums of 2 hours were not those of the rows, which answer until they are"]
    assert answers(store, few=True) == few_by_rows, "rows answer for hours whose sums are wrong"
    make_sums(store, changes, clock)
    assert check.run() == 0
    assert progress.reasons == []
    # Sums it was: without them there is nothing left.
    for table in ("hourly_counts", "hourly_funnels"):
        store.mutate(f"TRUNCATE TABLE events.{table}")
    assert not count_events(store, pb.CountEventsRequest(site_id=SITE, bucket="DAY", **MONTH), 0).counts
