"""The demo's day: twelve codes in three cities, people whom nothing marks, and what else reaches a redirect."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from google.protobuf.json_format import ParseDict

from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.enrich.agent import ClientHints, describe_agent
from qrumb_server.instants import milliseconds
from qrumb_server.pipeline.scan import StampedScan, judge_scan
from qrumb_server.pipeline.stamp import Arrival
from tools.demo_day import make_day

END = datetime(2026, 11, 29, 15, tzinfo=UTC)
DAY = make_day(7, END)
ARRIVAL = Arrival(
    received_time_ms=int(END.timestamp() * 1000), retention_ms=30 * 86_400_000, make_event_id=lambda _event: ""
)


def test_every_scan_is_registered_as_it_is_and_only_machines_are_marked() -> None:
    """The contract takes all of them, without a warning; most are people's."""
    marks: Counter[str] = Counter()
    codes = set()
    for body in (*DAY.scans, *DAY.late_scans):
        judged = judge_scan(ParseDict(body, ScanSession()), None, ARRIVAL)
        assert isinstance(judged, StampedScan)
        assert judged.warnings == []
        session, reasons = judged.registration.scan_session, list(judged.registration.facts.fraud_reasons)
        assert END - timedelta(days=1) <= datetime.fromtimestamp(milliseconds(session.scan_time) / 1000, UTC) <= END
        codes.add(session.qr_code_id)
        marks.update(reasons or [""])
        # A machine states no visitor's address here.
        assert bool(reasons) is ("client_ip" not in body), body
    assert (len(codes), len({code.partition("-")[0] for code in codes})) == (12, 3)
    assert {"bot", "preview", "head_request", "prefetch"} == marks.keys() - {""}
    assert 500 < marks[""] < 1_500
    assert 0.05 < 1 - marks[""] / len((*DAY.scans, *DAY.late_scans)) < 0.25
    assert DAY.late_scans


def test_visits_are_those_of_browsers_but_for_a_few_programs() -> None:
    """By the headers that they send."""
    bots = Counter(
        describe_agent(
            visit.headers["user-agent"], ClientHints(platform=visit.headers.get("sec-ch-ua-platform", ""))
        ).is_bot
        for visit in DAY.visits
    )
    assert 0 < bots[True] < 0.03 * bots[False]


def test_there_are_repeats_mistakes_and_refunds() -> None:
    """As on any day."""
    ids = Counter(one["event_id"] for one in (*(visit.event for visit in DAY.visits), *DAY.sales))
    assert max(ids.values()) > 1
    assert sum(visit.event["event_type"] == "" for visit in DAY.visits) == 6
    assert sum(sale["conversion_value"]["currency"] == "EURO" for sale in DAY.sales) == 4
    assert any(sale["event_name"] == "refund" for sale in DAY.sales)


def test_a_day_is_the_same_for_its_seed() -> None:
    assert make_day(7, END).sales == DAY.sales
    assert make_day(8, END).sales != DAY.sales
