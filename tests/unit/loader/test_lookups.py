"""What the loader remembers of the store: long enough to help, never too long, and not what was not asked."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from qrumb_server.loader import cache as module
from qrumb_server.loader.lookups import DUPLICATE_WITHIN_MS, KnownSession, Lookups
from qrumb_server.pipeline.identity import MAX_USERS, SHARED, Label, Link
from qrumb_server.ports import Asking, as_one_text
from tests.support.faulty_store import FaultyStore
from tests.support.mmdb import Clock

DAY_MS = 86_400_000
NOW_MS = 1_790_000_000_000


class Answers(FaultyStore):
    """Answers every query with the same rows, and remembers what it was asked."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__()
        self.rows = list(rows)
        self.asked: list[Mapping[str, Any]] = []

    def query(
        self, sql: str, parameters: Mapping[str, Any] | None = None, asking: Asking | None = None
    ) -> list[dict[str, Any]]:
        """The rows."""
        self.asked.append(parameters or {})
        return self.rows


def session(site_id: str, session_id: str) -> dict[str, Any]:
    """A row of events.scan_sessions."""
    return {
        "site_id": site_id,
        "scan_session_id": session_id,
        "qr_code_id": "qr",
        "user_id": "",
        "user_time": 0,
        "scan_time": 5,
        "is_of_flood": 0,
    }


def test_a_session_of_another_site_is_foreign() -> None:
    """One's own comes first."""
    store = Answers(session("s", "both"), session("t", "both"), session("t", "other"))
    found = Lookups(store, monotonic=Clock()).sessions({("s", "both"), ("s", "other"), ("s", "none")})
    assert found == {
        ("s", "both"): KnownSession(qr_code_id="qr", scan_time_ms=5),
        ("s", "other"): KnownSession(is_foreign=True),
    }


@pytest.mark.parametrize("start", [0, 7, 29, 45])
def test_what_was_found_is_asked_again_after_half_a_minute_to_a_minute(start: int) -> None:
    """And in between not once; wherever in a generation it began."""
    clock, store = Clock(), Answers(session("s", "scan"))
    lookups = Lookups(store, monotonic=clock)
    for _ in range(start):
        clock.advance(1)
        lookups.sessions({("s", "old")})
    before = len(store.asked)
    lookups.sessions({("s", "scan")})
    seconds = 0
    while len([one for one in store.asked[before:] if one["ids"] == as_one_text(["scan"])]) < 2:
        clock.advance(1)
        seconds += 1
        lookups.sessions({("s", "scan")})
    assert 30 <= seconds <= 61


@pytest.mark.parametrize("pause", [1, 31, 59, 61, 1_000])
def test_nothing_is_kept_for_longer_than_a_minute_however_seldom_it_is_asked(pause: int) -> None:
    """Other nodes write too."""
    clock, store = Clock(), Answers(session("s", "scan"))
    lookups = Lookups(store, monotonic=clock)
    asked_at = 0.0
    for _ in range(200):
        clock.advance(pause)
        before = len(store.asked)
        lookups.sessions({("s", "scan")})
        if len(store.asked) > before:
            asked_at = clock.seconds
        assert clock.seconds - asked_at <= 60


def test_what_is_missing_is_asked_again_within_two_seconds() -> None:
    """A session is often registered just after its first events."""
    clock, store = Clock(), Answers()
    lookups = Lookups(store, monotonic=clock)
    lookups.sessions({("s", "scan")})
    clock.advance(0.9)
    assert lookups.sessions({("s", "scan")}) == {}
    assert len(store.asked) == 1
    clock.advance(1.2)
    store.rows = [session("s", "scan")]
    assert list(lookups.sessions({("s", "scan")})) == [("s", "scan")]


def test_what_was_just_stored_is_known_at_once() -> None:
    """Also where it was missing a moment before."""
    store = Answers()
    lookups = Lookups(store, monotonic=Clock())
    lookups.sessions({("s", "scan")})
    lookups.learn_sessions({("s", "scan"): KnownSession(qr_code_id="new")})
    assert lookups.sessions({("s", "scan")})[("s", "scan")].qr_code_id == "new"
    lookups.forget()
    assert lookups.sessions({("s", "scan")}) == {}
    assert len(store.asked) == 2


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two generations of half the bound, and the batch that is just asked for."""
    monkeypatch.setattr(module, "CACHED_ENTRIES", 100)
    store = Answers()
    lookups = Lookups(store, monotonic=Clock())
    for number in range(100):
        lookups.sessions({("s", f"{number}-{n}") for n in range(20)})
    missing = lookups._sessions._missing
    assert len(missing.young) + len(missing.old) <= 140


def owner(kind: str, *, site: str = "s", users: int = 1, splits: int = 0) -> dict[str, Any]:
    """What the store says of the links of one identifier."""
    said = {"site_id": site, "kind": kind, "identifier": "same", "owner": f"{site}-{kind}", "since": 1}
    return {**said, "users": users, "splits": splits, "seen": users}


def test_identities_that_the_lists_name_besides_the_keys_are_left_out() -> None:
    """Sites, kinds and identifiers are asked for apart; only the keys themselves count."""
    rows = [owner(kind, site=site) for site in ("s", "t") for kind in ("email", "phone")]
    keys = {("s", "email", "same"), ("t", "phone", "same")}
    assert Lookups(Answers(*rows), monotonic=Clock()).owners(keys) == {
        ("s", "email", "same"): Label(1, "s-email"),
        ("t", "phone", "same"): Label(1, "t-phone"),
    }


@pytest.mark.parametrize(("users", "splits"), [(MAX_USERS + 1, 0), (2, 1)], ids=["too many users", "split"])
def test_an_identifier_that_is_shared_or_split_has_no_owner(users: int, splits: int) -> None:
    """And up to the limit it has one."""
    key = ("s", "phone", "same")
    shared = Lookups(Answers(owner("phone", users=users, splits=splits)), monotonic=Clock()).owners({key})
    assert shared == {key: SHARED}
    owned = Lookups(Answers(owner("phone", users=MAX_USERS)), monotonic=Clock()).owners({key})
    assert owned == {key: Label(1, "s-phone")}


def test_a_link_is_stored_once_and_again_where_it_turns_out_to_be_older() -> None:
    """As long as it is remembered; and its owner is asked for anew."""
    link, store = Link(("s", "phone", "same"), "ann"), Answers(owner("phone"))
    lookups = Lookups(store, monotonic=Clock())
    assert lookups.new_links({link: 5}) == {link: 5}
    lookups.owners({link.key})
    lookups.learn_links({link: 5})
    assert lookups.new_links({link: 5}) == lookups.new_links({link: 6}) == {}
    assert lookups.new_links({link: 4}) == {link: 4}
    lookups.owners({link.key})
    assert len(store.asked) == 2


def uuid7(time_ms: int) -> str:
    """A UUIDv7 of that time."""
    return f"{time_ms >> 16:08x}-{time_ms & 0xFFFF:04x}-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("event_id", "since_ms"),
    [
        (uuid7(NOW_MS - 1_000), NOW_MS - 601_000),
        (uuid7(NOW_MS - 30 * DAY_MS), NOW_MS - DUPLICATE_WITHIN_MS),
        (uuid7(NOW_MS + 600_000), NOW_MS),
        (uuid7(NOW_MS + 600_001), NOW_MS - DUPLICATE_WITHIN_MS),
        ("00000000-0000-4000-8000-000000000000", NOW_MS - DUPLICATE_WITHIN_MS),
        ("00000000-0000-0000-0000-000000000000", NOW_MS - DUPLICATE_WITHIN_MS),
    ],
    ids=["new", "old", "a little ahead", "far ahead", "v4", "nil"],
)
def test_only_time_in_which_an_event_can_have_come_is_searched(event_id: str, since_ms: int) -> None:
    """A UUIDv7 was not received before it was made; a time that cannot be true is not believed."""
    store = Answers()
    Lookups(store, monotonic=Clock()).arrivals([("s", event_id, NOW_MS)], ["own"])
    [asked] = store.asked
    assert asked == {"ids": event_id, "since": since_ms, "own": ["own"]}


def test_a_stored_event_counts_only_within_seven_days() -> None:
    """The search begins with the earliest of a batch; each event has its own limit."""
    row: dict[str, Any] = {
        "site_id": "s",
        "event_id": "00000000-0000-4000-8000-000000000001",
        "source": "server",
        "first_fingerprint": 7,
        "first_time": NOW_MS,
        "times": [],
        "session_ids": [],
    }
    events = [("s", row["event_id"], NOW_MS), ("s", "00000000-0000-4000-8000-000000000002", NOW_MS - DAY_MS)]
    for latest_ms, number in ((NOW_MS - DUPLICATE_WITHIN_MS, 1), (NOW_MS - DUPLICATE_WITHIN_MS - 1, 0)):
        store = Answers({**row, "latest": latest_ms})
        assert len(Lookups(store, monotonic=Clock()).arrivals(events, [])) == number


@pytest.mark.parametrize(
    ("stored", "wanted"), [(3, (1, 2)), (2, (3, 0)), (4, (3, 0))], ids=["all", "a replica lags", "some are destroyed"]
)
def test_marks_of_stored_rows_are_counted_where_all_rows_are_there(stored: int, wanted: tuple[int, int]) -> None:
    """Or unique and duplicate ones would not add up to the stored ones."""
    row = {"segment_id": "g", "site_id": "s", "minute": 60_000, "duplicates": 2, "frauds": 0, "stored": stored}
    entry = Counter(received_count=3, stored_count=3, unique_count=3)
    Lookups(Answers(row), monotonic=Clock()).read_back({("g", "s", 60_000): entry})
    assert (entry["unique_count"], entry["duplicate_count"]) == wanted
