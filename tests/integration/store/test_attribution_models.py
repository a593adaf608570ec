"""GetAttribution on the real engine: cases worked out by hand, by every model.

Ann scans poster-A on the 1st, flyer on the 5th and poster-B on the 7th, and buys twice; what else happens concerns the
window, suspects, refunds, sessions without a user, denied consent and hashes that turned out to be hers.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.loader.changes import EVENTS as OF_EVENTS
from qrumb_server.loader.changes import ChangedHours
from qrumb_server.query.attribution import attribute_conversions
from qrumb_server.query.funnels import follow_scans
from qrumb_server.query.names import Names
from qrumb_server.query.touches import touches_of
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.history import SITE, at, between, insert_rows, link, sale, scan, visit
from tests.support.mini_node import SettableClock
from tests.support.sums import HOUR_MS, make_sums

pytestmark = pytest.mark.chdb

MAY = between("05-01 00:00", "06-01 00:00")
EMAIL = "email-" + "0a" * 16
OTHER = "email-" + "0b" * 16
SALE = sale("05-07 12:00", "s3", value="100.00", user="ann")
EVENTS = [
    visit("05-01 12:00", "s1"),
    SALE,
    # Three equal parts of 0.10 are 0.03, and a cent is left.
    sale("05-07 12:30", "s3", name="tip", value="0.10", user="ann"),
    # Only a bot was ever seen in this session of hers.
    visit("05-06 10:00", "s-bot", is_fraud=1),
    # By her e-mail address, in a session that the redirect knows nothing of.
    sale("05-20 12:00", "unknown", value="50.00", user=EMAIL),
    # Half of it goes back, after the window of its scans.
    sale("05-31 12:00", "s3", name="refund", value="-50.00", user="ann"),
    # Nobody known: its own session.
    sale("05-08 12:00", "s4", value="700", currency="JPY"),
    # Denied: the QR code is all that is left.
    sale("05-09 12:00", "", "flyer", value="5.00", consent="denied"),
    # A purchase of April that is refunded in May.
    sale("04-15 12:00", "s0", value="30.00"),
    sale("05-15 12:00", "s0", name="refund", value="-30.00"),
    # Marked as fraud.
    sale("05-08 13:00", "s4", value="999.00", is_fraud=1),
    # No amount, no session.
    sale("05-10 12:00", "nowhere", name="lead"),
]
SCANS = [
    scan("s0", "poster-B", "04-14 12:00"),
    scan("s1", "poster-A", "05-01 11:59", user="ann"),
    scan("s2", "flyer", "05-05 11:59"),
    scan("s3", "poster-B", "05-07 11:55"),
    scan("s4", "flyer", "05-08 11:00"),
    scan("s-bot", "flyer", "05-06 09:59", user="ann"),
    scan("s-bob", "flyer", "05-06 09:59", user="bob"),
    scan("s-old", "old", "03-01 12:00", user="ann"),
    scan("s-after", "late", "05-25 12:00", user="ann"),
]
LINKS = [
    link("scan_session", "s2", EMAIL, "05-05 12:00"),
    link("scan_session", "s3", "ann", "05-07 12:00"),
    link("email", EMAIL, "ann", "05-07 12:00"),
    link("email", OTHER, "bob", "05-07 12:00"),
]


# Purchases of other days, that refunds are of.
ASIDE = "scan_session_id IN {among:Array(String)}"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore.open(tmp_path_factory.mktemp("attribution") / "clickhouse")
    insert_rows(opened, "events.valid_events", EVENTS)
    insert_rows(opened, "events.scan_sessions", SCANS)
    insert_rows(opened, "events.identity_links", LINKS)
    yield opened
    opened.close()


def asked(store: EmbeddedStore, **more: Any) -> pb.GetAttributionResponse:
    return attribute_conversions(store, pb.GetAttributionRequest(site_id=SITE, **{**MAY, **more}), 0)


def credited(answer: pb.ModelAttribution) -> dict[str, tuple[str, dict[str, str]]]:
    return {
        one.qr_code_id: (one.conversion_credit, {money.currency: money.amount for money in one.amounts})
        for one in answer.credits
    }


# Ann's sale of 100 and tip of 0.10 came of A, flyer and B; that of 50 of the three of them too. The refund of 50 takes
# back in proportion to sale and tip. The refund of April takes 30 from B. Lead: "".
EXPECTED: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "FIRST": {
        "poster-A": ("3.000000", {"EUR": "100.10"}),
        "flyer": ("2.000000", {"EUR": "5.00", "JPY": "700"}),
        "": ("1.000000", {}),
        "poster-B": ("0.000000", {"EUR": "-30.00"}),
    },
    "LAST": {
        "poster-B": ("3.000000", {"EUR": "70.10"}),
        "flyer": ("2.000000", {"EUR": "5.00", "JPY": "700"}),
        "": ("1.000000", {}),
    },
    # 33.34 + 0.04 + 16.68 (50.00: 16.66 each, two cents left) - 16.68: the refund's thirds are 16.67, 16.66, 16.66.
    "LINEAR": {
        "flyer": ("2.999999", {"EUR": "38.36", "JPY": "700"}),
        "poster-A": ("1.000002", {"EUR": "33.38"}),
        "poster-B": ("0.999999", {"EUR": "3.36"}),
        "": ("1.000000", {}),
    },
}


@pytest.mark.parametrize("model", EXPECTED)
def test_each_code_gets_what_is_worked_out_by_hand(history: EmbeddedStore, model: str) -> None:
    [found] = asked(history, models=[model]).attributions
    assert credited(found) == EXPECTED[model]


def test_position_and_decay_of_three_scans(history: EmbeddedStore) -> None:
    """40/20/40 of a hundred; four and two days earlier a scan weighs 2^(-d/7) of the last one."""
    more = {"conversion_names": ["purchase"], **between("05-07 00:00", "05-08 00:00")}
    position, decay = asked(history, models=["POSITION_BASED", "TIME_DECAY"], **more).attributions
    assert credited(position) == {
        "poster-A": ("0.400000", {"EUR": "40.00"}),
        "poster-B": ("0.400000", {"EUR": "40.00"}),
        "flyer": ("0.200000", {"EUR": "20.00"}),
    }
    times = [at("05-01 11:59"), at("05-05 11:59"), at("05-07 11:55")]
    weights = [0.5 ** ((times[2] - time) / (7 * 86_400_000)) for time in times]
    parts = {code: 100 * weight / sum(weights) for code, weight in zip(("poster-A", "flyer", "poster-B"), weights,
                                                                      strict=True)}  # fmt: skip
    assert {code: round(float(said[1]["EUR"]) - parts[code], 2) for code, said in credited(decay).items()} == {
        "poster-A": 0, "flyer": 0, "poster-B": 0,
    }  # fmt: skip


@pytest.mark.parametrize("more", [{}, {"window_days": 1}, {"window_days": 400}, {"conversion_names": ["purchase"]}])
def test_the_credits_of_each_model_add_up_to_the_conversions(history: EmbeddedStore, more: dict[str, Any]) -> None:
    """And to what the funnel says of the same events."""
    answer = asked(history, **more)
    assert len(answer.attributions) == 5
    meant = {one.currency: float(one.amount) for one in answer.amounts}
    for attribution in answer.attributions:
        sums: dict[str, float] = {}
        for _count, amounts in credited(attribution).values():
            for currency, amount in amounts.items():
                sums[currency] = round(sums.get(currency, 0) + float(amount), 2)
        assert sums == meant
        counts = [float(one.conversion_credit) for one in attribution.credits]
        assert round(sum(counts), 6) == answer.conversion_count
    if not more:
        assert (answer.conversion_count, answer.refund_count) == (6, 2)
        assert meant == {"EUR": 75.1, "JPY": 700.0}


def test_a_window_of_a_day_leaves_out_older_scans(history: EmbeddedStore) -> None:
    [first] = asked(history, models=["FIRST"], window_days=1).attributions
    assert credited(first) == {
        "poster-B": ("2.000000", {"EUR": "20.10"}),
        "flyer": ("2.000000", {"EUR": "5.00", "JPY": "700"}),
        "": ("2.000000", {"EUR": "50.00"}),
    }


def test_a_receipt_shows_the_path(history: EmbeddedStore) -> None:
    """The earliest first; by id and time, and for nothing but conversions."""
    rows = {row["event_id"]: row for row in history.query("SELECT * FROM events.attributed_events")}
    names = Names(history, SITE)
    paths = [touches_of(history, rows[event["event_id"]], names) for event in EVENTS]
    assert [(one.qr_code_id, one.scan_session_id, one.scan_time.ToMilliseconds()) for one in paths[1]] == [
        ("poster-A", "s1", at("05-01 11:59")),
        ("flyer", "s2", at("05-05 11:59")),
        ("poster-B", "s3", at("05-07 11:55")),
    ]
    assert [[one.qr_code_id for one in path] for path in paths] == [
        [], ["poster-A", "flyer", "poster-B"], ["poster-A", "flyer", "poster-B"], [],
        ["poster-A", "flyer", "poster-B"], [], ["flyer"], ["flyer"], ["poster-B"], [], [], [],
    ]  # fmt: skip
    [denied] = paths[7]
    assert (denied.qr_code_id, denied.scan_session_id, denied.HasField("scan_time")) == ("flyer", "", False)


class Listening:
    """A store that remembers what it was asked."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.asked: dict[str, Mapping[str, Any]] = {}

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """As the port says."""
        self.asked[sql] = parameters or {}
        return self._store.query(sql, parameters)


class Changing(Listening):
    """A store into which a loader brings a purchase, once a question has read the sums."""

    def __init__(self, store: EmbeddedStore, changes: ChangedHours) -> None:
        super().__init__(store)
        self._changes = changes
        self.left = 1

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """As the port says."""
        found = super().query(sql, parameters)
        if self.left and "FROM events.hourly_counts" in sql:
            self.left -= 1
            with self._changes.holding() as hold:
                hold.mark({(OF_EVENTS, SITE, at("06-03 12:00") // HOUR_MS)})
                insert_rows(self._store, "events.valid_events", [sale("06-03 12:30", "s5", value="1.00", user="ann")])
        return found


def test_sums_of_hours_answer_alike(history: EmbeddedStore) -> None:
    """By every model; what has more than one scan behind it is read by its rows, and little else."""
    questions: list[dict[str, Any]] = [
        {},
        {"conversion_names": ["purchase"]},
        between("05-07 12:10", "05-20 12:00"),
        between("05-01 00:00", "06-05 00:00"),
    ]
    # Of the code that Ann's are taken out of: what is left of its sum is the amount of this one.
    insert_rows(history, "events.valid_events", [sale("06-03 12:00", "s5", value="7.30")])
    insert_rows(history, "events.scan_sessions", [scan("s5", "poster-B", "06-03 11:00")])
    by_rows = [asked(history, **more) for more in questions]
    insert_rows(history, "events.user_scans", [user_scan(one["scan_session_id"], one["user_id"]) for one in SCANS])
    sessions = [one for one in LINKS if one["kind"] == "scan_session"]
    insert_rows(history, "events.user_scans", [user_scan(one["identifier"], one["user_id"]) for one in sessions])
    clock = SettableClock(at("06-10 00:00"))
    changes = ChangedHours(history, clock=clock, monotonic=clock.monotonic, is_alone=True)
    make_sums(history, changes, clock)
    for more, before in zip(questions, by_rows, strict=True):
        listening = Listening(history)
        request = pb.GetAttributionRequest(site_id=SITE, **{**MAY, **more})
        assert attribute_conversions(listening, request, 0) == before, more
        assert any("events.hourly_counts" in sql for sql in listening.asked)
        [(sql, parameters)] = [
            one for one in listening.asked.items() if "AS is_counted" in one[0] and ASIDE not in one[0]
        ]
        plan = history.query(f"EXPLAIN actions = 1 {sql}", parameters)
        [read] = [
            row["explain"]
            for row in plan
            if "Prewhere filter column: " in row["explain"] and "is_fraud" in row["explain"]
        ]
        assert read.count(" AND event_time ") == 2, f"the range does not keep the engine from reading all rows: {read}"
    # The lead that no session is known of, and the refund of a purchase of April, may be lent a user.
    [sums] = history.query(
        "SELECT sum(unique_count) AS n, sumIf(unique_count, told_by = 'lent') AS lent FROM events.hourly_counts "
        "WHERE told_by IN ('path', 'lent') AND hour_time >= {may:DateTime64(3, 'UTC')}",
        {"may": at("05-01 00:00")},
    )
    assert (sums["n"], sums["lent"]) == (9, 2)
    # It is in no sum yet, so nothing may be taken out of one.
    changing = Changing(history, changes)
    june = pb.GetAttributionRequest(site_id=SITE, **between("05-01 00:00", "06-05 00:00"))
    assert attribute_conversions(changing, june, 0) == attribute_conversions(history, june, 0)
    assert not changing.left


def user_scan(session: str, user: str) -> dict[str, Any]:
    """As the loader keeps it; where there is no user, it says nothing."""
    times = {one["scan_session_id"]: one["scan_time"] for one in SCANS}
    return {
        "site_id": SITE, "scan_time": times[session], "user_id": user, "scan_session_id": session,
        "segment_id": "worker-1/9", "segment_row": 0,
    }  # fmt: skip


def test_an_empty_range_is_refused(history: EmbeddedStore) -> None:
    with pytest.raises(RequestFault) as caught:
        asked(history, to_time=MAY["from_time"])
    assert caught.value.field == "from_time"
    assert follow_scans(history, pb.GetFunnelRequest(site_id=SITE, **MAY), 0).funnels
