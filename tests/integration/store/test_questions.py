"""Counts and funnels on the real engine: every dimension, filter and bucket adds up to the same events.

One small history, worked out by hand: two QR codes, a repeated event, a purchase that page and backend both told of, a
session that was registered after its events, a bot, a refund, and an event whose sender denied consent.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.errors import StoreRefusedError
from qrumb_server.query.counts import count_events
from qrumb_server.query.funnels import follow_scans
from qrumb_server.query.rows import BadPlaceError
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.history import SITE, at, between, insert_rows, sale, scan, visit

pytestmark = pytest.mark.chdb


MONTH = between("03-01 00:00", "04-15 00:00")


def shown(message: Timestamp) -> str:
    return message.ToDatetime(UTC).strftime("%m-%d %H:%M")


SAME, BOTH = str(uuid.uuid4()), str(uuid.uuid4())
EVENTS = [
    # In Vienna the 29th of March, a day of 23 hours, lasts from 28 23:00 to 29 22:00 UTC.
    visit("03-28 22:30", "a1", "poster", country_code="AT", device_type="mobile", metadata='{"utm_campaign":"easter"}'),
    visit("03-28 23:30", "a1", "poster", event_id=SAME, country_code="AT", device_type="mobile"),
    visit("03-28 23:31", "a1", "poster", event_id=SAME, country_code="AT", device_type="mobile", is_duplicate=1),
    visit("03-29 21:30", "a2", "poster", country_code="DE", device_type="desktop", metadata='{"utm_campaign":7}'),
    visit("03-29 22:30", "late", country_code="AT", device_type="mobile"),
    visit("03-30 10:00", "bot", "flyer", device_type="desktop", is_fraud=1),
    # The page told first, the backend completes it.
    visit("03-30 10:05", "a2", "poster", event_id=BOTH, country_code="DE", device_type="desktop"),
    sale("03-30 10:05", "a2", "poster", event_id=BOTH, value="20.0000", is_duplicate=1, is_counterpart=1),
    sale("03-31 09:00", "late", value="5.5000"),
    sale("03-31 10:00", "late", name="lead", value=None, currency=""),
    sale("04-01 09:00", "late", name="refund", value="-5.5000"),
    sale("04-01 10:00", "", "flyer", name="purchase", value="700", currency="JPY", consent="denied"),
]
SCANS = [
    scan("a1", "poster", "03-28 22:29"), scan("a2", "poster", "03-29 21:29"), scan("late", "flyer", "03-29 22:29"),
    scan("bot", "flyer", "03-30 09:59"), scan("nothing", "poster", "03-30 09:00"),
]  # fmt: skip


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    folder: Path = tmp_path_factory.mktemp("questions")
    opened = EmbeddedStore.open(folder / "clickhouse")
    insert_rows(opened, "events.valid_events", EVENTS)
    insert_rows(opened, "events.scan_sessions", SCANS)
    yield opened
    opened.close()


def counted(store: EmbeddedStore, **asked: Any) -> list[pb.EventCount]:
    return list(count_events(store, pb.CountEventsRequest(site_id=SITE, **{**MONTH, **asked}), 0).counts)


def followed(store: EmbeddedStore, **asked: Any) -> list[pb.QrCodeFunnel]:
    return list(follow_scans(store, pb.GetFunnelRequest(site_id=SITE, **{**MONTH, **asked}), 0).funnels)


def money(message: pb.EventCount | pb.QrCodeFunnel) -> dict[str, str]:
    return {one.currency: one.amount for one in message.amounts}


def test_a_local_day_is_one_bucket_when_the_clocks_change(history: EmbeddedStore) -> None:
    """Of 23 hours in Vienna; the same events lie in other days of UTC."""
    days = counted(history, bucket="DAY", time_zone="Europe/Vienna", group_by=["SOURCE"], sources=["browser"])
    assert [(shown(one.start_time), shown(one.end_time), one.unique_count) for one in days] == [
        ("03-27 23:00", "03-28 23:00", 1), ("03-28 23:00", "03-29 22:00", 2), ("03-29 22:00", "03-30 22:00", 2),
    ]  # fmt: skip
    days = counted(history, bucket="DAY", group_by=["SOURCE"], sources=["browser"])
    assert [(shown(one.start_time), one.unique_count) for one in days] == [
        ("03-28 00:00", 2), ("03-29 00:00", 2), ("03-30 00:00", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("bucket", "zone", "bounds"),
    [
        ("MONTH", "Europe/Vienna", [("02-28 23:00", "03-31 22:00"), ("03-31 22:00", "04-30 22:00")]),
        ("WEEK", "", [("03-23 00:00", "03-30 00:00"), ("03-30 00:00", "04-06 00:00")]),
        ("WEEK", "America/New_York", [("03-23 04:00", "03-30 04:00"), ("03-30 04:00", "04-06 04:00")]),
        ("WHOLE", "Europe/Vienna", [("03-01 00:00", "04-15 00:00")]),
    ],
)
def test_buckets_follow_the_calendar(
    history: EmbeddedStore, bucket: str, zone: str, bounds: list[tuple[str, str]]
) -> None:
    for found in (
        counted(history, bucket=bucket, time_zone=zone, group_by=["SOURCE"]),
        followed(history, bucket=bucket, time_zone=zone, group_by=["COUNTRY"]),
    ):
        assert {(shown(one.start_time), shown(one.end_time)) for one in found} <= set(bounds)
    assert {(shown(one.start_time), shown(one.end_time)) for one in counted(history, bucket=bucket, time_zone=zone)} \
        == set(bounds)  # fmt: skip


@pytest.mark.parametrize(("zone", "hours"), [("Europe/Vienna", 25), ("Australia/Lord_Howe", 24), ("Asia/Kolkata", 24)])
def test_hours_of_an_autumn_day_are_told_apart(history: EmbeddedStore, zone: str, hours: int) -> None:
    """An hour that the clocks show twice is two buckets."""
    day = between("10-24 22:00", "10-26 00:00")
    minutes = history.query(
        "SELECT uniqExact(toStartOfHour(toDateTime64({from:Int64} / 1000 + number * 60, 3, 'UTC'), {zone:String})) "
        "AS n FROM numbers({count:UInt32})",
        {"from": at("10-24 22:00"), "zone": zone, "count": hours * 60},
    )
    assert hours <= minutes[0]["n"] <= hours + 1
    assert counted(history, bucket="HOUR", time_zone=zone, **day) == []


def test_first_and_last_bucket_say_that_they_are_partial(history: EmbeddedStore) -> None:
    span = between("03-28 12:00", "03-30 12:00")
    for found in (
        counted(history, bucket="DAY", group_by=["SOURCE"], sources=["browser"], **span),
        followed(history, bucket="DAY", group_by=["QR_CODE"], **span),
    ):
        assert {(shown(one.start_time), one.is_partial) for one in found} == {
            ("03-28 00:00", True), ("03-29 00:00", False), ("03-30 00:00", True),
        }  # fmt: skip
    whole = counted(history, bucket="WHOLE", group_by=["SOURCE"], **span)
    assert [(one.source, one.is_partial) for one in whole] == [("browser", False), ("scan", False), ("server", False)]


def test_every_dimension_adds_up_to_the_same_events(history: EmbeddedStore) -> None:
    """Whatever they are told apart by: events, fraud, conversions and money; both ways of reading agree."""
    for group_by in (["SOURCE"], ["NAME"], ["SOURCE", "NAME"], ["QR_CODE"], ["COUNTRY", "DEVICE"], ["CAMPAIGN"],
                     ["SOURCE", "NAME", "QR_CODE", "COUNTRY", "DEVICE", "CAMPAIGN"]):  # fmt: skip
        found = counted(history, bucket="WHOLE", group_by=group_by)
        sums = [sum(getattr(one, f"{name}_count") for one in found) for name in
                ("unique", "duplicate", "fraud", "conversion")]  # fmt: skip
        assert sums == [10, 2, 1, 4], group_by
        earned: dict[str, float] = {}
        for one in found:
            for currency, amount in money(one).items():
                earned[currency] = earned.get(currency, 0) + float(amount)
        assert earned == {"EUR": 20.0, "JPY": 700.0}, group_by


def test_what_attribution_tells_is_told_by_counts(history: EmbeddedStore) -> None:
    """A session that came late, the page's device beside the backend's money, a value that is not text."""
    by_code = {one.qr_code_id: one for one in counted(history, bucket="WHOLE", group_by=["QR_CODE"])}
    assert {code: (one.unique_count, one.conversion_count, money(one)) for code, one in by_code.items()} == {
        "poster": (4, 1, {"EUR": "20.00"}), "flyer": (6, 3, {"EUR": "0.00", "JPY": "700"}),
    }  # fmt: skip
    [bought] = counted(history, bucket="WHOLE", group_by=["DEVICE"], names=["purchase"], country_codes=["DE"])
    assert (bought.device_type, bought.unique_count, bought.duplicate_count) == ("desktop", 1, 1)
    campaigns = {one.campaign: one.unique_count for one in counted(history, bucket="WHOLE", group_by=["CAMPAIGN"])}
    assert campaigns == {"": 8, "easter": 1, "7": 1}


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"qr_code_ids": ["flyer"]}, 6),
        ({"qr_code_ids": ["flyer", "poster"]}, 10),
        ({"qr_code_ids": ["no such code"]}, 0),
        ({"sources": ["server"]}, 5),
        ({"names": ["pageview", "lead"]}, 6),
        ({"country_codes": ["AT"]}, 3),
        ({"device_types": ["desktop"], "fraud": "EXCLUDED"}, 2),
        ({"fraud": "EXCLUDED"}, 9),
    ],
    ids=str,
)
def test_filters_choose_events(history: EmbeddedStore, asked: dict[str, Any], count: int) -> None:
    assert sum(one.unique_count for one in counted(history, bucket="WHOLE", **asked)) == count


def test_a_funnel_by_code_device_and_campaign(history: EmbeddedStore) -> None:
    """A session's device is its first page's; suspects stand beside."""
    by_code = {
        one.qr_code_id: (one.scan_count, one.visit_count, one.conversion_count, one.fraud_count, money(one))
        for one in followed(history)
    }
    assert by_code == {
        "poster": (3, 2, 1, 0, {"EUR": "20.00"}), "flyer": (2, 1, 2, 1, {"EUR": "0.00", "JPY": "700"}),
    }  # fmt: skip
    by_device = {one.device_type: (one.scan_count, one.visit_count) for one in followed(history, group_by=["DEVICE"])}
    assert by_device == {"mobile": (2, 2), "desktop": (1, 1), "": (2, 0)}
    [campaign] = [one for one in followed(history, group_by=["CAMPAIGN"]) if one.campaign == "easter"]
    assert campaign.scan_count == 1
    [leads] = followed(history, conversion_names=["lead"], qr_code_ids=["flyer"])
    assert (leads.conversion_count, money(leads)) == (1, {"EUR": "-5.50"})
    assert [one.scan_count for one in followed(history, country_codes=["DE"])] == [1]
    days = followed(history, bucket="DAY", time_zone="Europe/Vienna")
    assert [(shown(one.start_time), one.qr_code_id, one.scan_count) for one in days if one.scan_count] == [
        ("03-27 23:00", "poster", 1), ("03-28 23:00", "poster", 1), ("03-29 22:00", "flyer", 2),
        ("03-29 22:00", "poster", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_together_are_the_whole(history: EmbeddedStore, size: int) -> None:
    """In the same order, nothing twice, nothing missing."""
    asked: dict[str, Any] = {"bucket": "DAY", "group_by": ["QR_CODE", "COUNTRY"]}
    whole: dict[Any, Any] = {
        pb.CountEventsRequest: counted(history, **asked),
        pb.GetFunnelRequest: followed(history, **asked),
    }
    both: Any = (
        (pb.CountEventsRequest, count_events, "counts"),
        (pb.GetFunnelRequest, follow_scans, "funnels"),
    )
    for kind, ask, name in both:
        pages: list[Any] = []
        token = ""
        while True:
            answer: Any = ask(history, kind(site_id=SITE, page_size=size, page_token=token, **asked, **MONTH), 0)
            found = getattr(answer, name)
            assert len(found) <= size
            pages += found
            token = answer.next_page_token
            if not token:
                break
        assert pages == whole[kind]


@pytest.mark.parametrize("token", ["x", "eyJ", "W10", "WzEsMiwzLDRd", "é", "WzAsMSxbMV0sWyJhIl1d"])
def test_foreign_page_tokens_are_refused(history: EmbeddedStore, token: str) -> None:
    with pytest.raises(BadPlaceError):
        count_events(history, pb.CountEventsRequest(site_id=SITE, page_token=token, **MONTH), 0)


@pytest.mark.parametrize("bucket", ["WHOLE", "DAY", "BUCKET_UNSPECIFIED"])
def test_an_unknown_zone_is_refused_by_the_engine(history: EmbeddedStore, bucket: str) -> None:
    """Also where no bucket depends on it."""
    for ask in (counted, followed):
        with pytest.raises(StoreRefusedError, match="Cannot load time zone"):
            ask(history, bucket=bucket, time_zone="Vienna")
        ask(history, bucket=bucket, time_zone="Europe/Vienna")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from_time": MONTH["to_time"], "to_time": MONTH["from_time"]}, "from_time"),
        ({"from_time": MONTH["to_time"], "to_time": MONTH["to_time"]}, "from_time"),
        ({"from_time": Timestamp(seconds=0)}, "from_time"),
        ({"from_time": Timestamp(seconds=0), "bucket": "DAY"}, "from_time"),
        ({"bucket_seconds": 1}, "from_time"),
    ],
    ids=str,
)
def test_ranges_that_make_no_sense_are_refused(history: EmbeddedStore, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(RequestFault) as caught:
        counted(history, **asked)
    assert caught.value.field == field
