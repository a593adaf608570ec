"""Questions on a cluster of two shards: what they answer on one store, though no shard has all of the rows."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.app.clock import SystemClock
from qrumb_server.loader.changes import ChangedHours
from qrumb_server.query.charts import Charts
from qrumb_server.query.reports import Reports
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.history import SITE, between, insert_rows, link, sale, scan, visit
from tests.support.mini_node import SettableClock
from tests.support.sums import make_sums
from tests.support.two_shards import TwoShards, two_shards

pytestmark = pytest.mark.chdb

EMAIL = "email-" + "0a" * 16
SAME, BOTH, ODD, DENIED = (str(uuid.uuid4()) for _ in range(4))
# Ann's sessions lie on both shards; of a pair one copy has a session and the other has none, so each may lie elsewhere.
PAIRS = [str(uuid.uuid4()) for _ in range(8)]
SALES = [sale("05-07 12:00", f"s{number}", value="10.00", user="ann") for number in range(8)]
EVENTS = [
    *(visit("05-06 12:00", f"s{number}", country_code="AT", device_type="mobile") for number in range(8)),
    *SALES,
    visit("05-06 13:00", "s1", event_id=SAME), visit("05-06 13:01", "s1", event_id=SAME, is_duplicate=1),
    *(visit("05-08 10:00", f"s{number}", event_id=one, country_code="DE") for number, one in enumerate(PAIRS)),
    *(sale("05-08 10:05", "", event_id=one, value="20.00", is_duplicate=1, is_counterpart=1) for one in PAIRS),
    visit("05-08 11:00", "bot", "flyer", is_fraud=1),
    sale("05-09 12:00", "", "flyer", event_id=DENIED, value="700", currency="JPY", consent="denied"),
    sale("05-20 12:00", "unknown", event_id=ODD, value="50.00", user=EMAIL),
    sale("05-31 12:00", "s3", name="refund", value="-5.00", user="ann"),
]  # fmt: skip
SCANS = [
    *(scan(f"s{number}", f"code-{number % 3}", "05-05 12:00", user="ann" if number % 2 else "") for number in range(8)),
    scan("bot", "flyer", "05-08 10:59"), scan("nothing", "poster", "05-10 09:00"),
]  # fmt: skip
LINKS = [
    *(link("scan_session", f"s{number}", "ann", "05-07 12:00") for number in range(0, 8, 4)),
    link("scan_session", "s2", EMAIL, "05-05 12:00"),
    link("email", EMAIL, "ann", "05-07 12:00"),
]
NOW_MS = SystemClock().now_ms()
MAY: dict[str, Any] = {"site_id": SITE, **between("05-01 00:00", "06-01 00:00")}
COUNTS: list[dict[str, Any]] = [
    {},
    {"bucket": "DAY", "group_by": ["QR_CODE"], "time_zone": "Europe/Vienna"},
    {"bucket": "WHOLE", "group_by": ["COUNTRY", "DEVICE"], "conversion_names": ["purchase"]},
]
FUNNELS: list[dict[str, Any]] = [{"group_by": ["COUNTRY"]}, {"bucket": "DAY", "group_by": ["QR_CODE", "DEVICE"]}]


def answers(store: EmbeddedStore | TwoShards, spool: Path) -> dict[str, Any]:
    """By question."""
    charts = Charts(store=store, clock=SystemClock())
    reports = Reports(store=store, spool_root=spool, clock=SystemClock())
    found: dict[str, Any] = {f"counts {asked}": charts.count(pb.CountEventsRequest(**MAY, **asked)) for asked in COUNTS}
    found |= {f"funnel {asked}": charts.funnel(pb.GetFunnelRequest(**MAY, **asked)) for asked in FUNNELS}
    found["attribution"] = charts.attribution(pb.GetAttributionRequest(**MAY))
    newest = charts.tail(pb.TailEventsRequest(site_id=SITE, limit=9))
    found["tail"] = newest
    found["tail after it"] = charts.tail(pb.TailEventsRequest(site_id=SITE, cursor=newest.cursor))
    for name in (SALES[3]["event_id"], SAME, DENIED, ODD, PAIRS[1]):
        found[f"receipt {name}"] = reports.get_receipt(SITE, name)
    return found


def fill(store: EmbeddedStore | TwoShards) -> None:
    for table, rows in (("valid_events", EVENTS), ("scan_sessions", SCANS), ("identity_links", LINKS)):
        insert_rows(store, f"events.{table}", rows, NOW_MS)


def test_two_shards_answer_as_one_store_does_by_rows_and_by_sums(tmp_path: Path) -> None:
    store = EmbeddedStore.open(tmp_path / "clickhouse")
    try:
        fill(store)
        expected = answers(store, tmp_path / "spool")
    finally:
        store.close()
    with two_shards(tmp_path) as cluster:
        writer: Any = cluster
        fill(cluster)
        for table, rows in (("valid_events", EVENTS), ("scan_sessions", SCANS)):
            here, there = cluster.rows_of_shards(f"events.{table}")
            assert here + there == len(rows)
            assert min(here, there) > 1
        assert cluster.query("SELECT 1 FROM events.valid_events_local") == [], "no shard, no rows"
        found = answers(cluster, tmp_path / "spool")
        clock = SettableClock(NOW_MS)
        make_sums(writer, ChangedHours(writer, clock=clock, monotonic=clock.monotonic, is_alone=True), clock)
        assert min(cluster.rows_of_shards("events.hourly_counts")) > 0
        assert answers(cluster, tmp_path / "spool") == found, "by sums of hours"
    for question, answer in expected.items():
        assert found[question] == answer, question
    assert expected["attribution"].conversion_count > len(SALES)
