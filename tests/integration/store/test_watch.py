"""Rules judged over real rows while days pass on a clock of their own, told to a real receiver."""

import base64
import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from qrumb_server.loader.progress import Progress
from qrumb_server.metrics import new_registry
from qrumb_server.model import Watch, WatchKind, WatchRule
from qrumb_server.ports import ReadLimits
from qrumb_server.query.alarms import list_alarms
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.watch.watcher import Watcher
from tests.support.history import SITE, at, insert_rows, scan, visit
from tests.support.receiver import Receiver, running_receiver
from tests.support.stack import wait_until

pytestmark = pytest.mark.chdb

SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"
LIMITS = ReadLimits(max_seconds=20, max_memory_bytes=1 << 30, max_rows=0, max_threads=2)
HOUR_MS = 3_600_000
DAYS = timedelta(days=1) // timedelta(milliseconds=1)
INTERVAL = timedelta(minutes=5)
SILENT = WatchRule(
    name="silent", kind=WatchKind.SILENT, qr_code_ids=("poster-7",), usual=2, within_ms=2 * DAYS, least=20
)
SUSPECT = WatchRule(name="suspect", kind=WatchKind.SUSPECT_SHARE, over=0.6, least=5, within_ms=2 * DAYS)
LOST = WatchRule(name="lost", kind=WatchKind.UNSCANNED_VISITS, over=0.2, least=4, within_ms=DAYS)


class Site:
    """One site's watch, as a loader has it; `restart` makes it anew from what is kept.

    Args:
        turn_ms: of loaders that are several; 0: it is alone.
    """

    def __init__(self, store: EmbeddedStore, receiver: Receiver, *rules: WatchRule, turn_ms: int = 0) -> None:
        self.store, self.turn_ms = store, turn_ms
        self.watches = {SITE: Watch(url=receiver.url, secret=SECRET, rules=rules)}
        self.time_ms = 0
        self.restart()

    def now_ms(self) -> int:
        """The clock."""
        return self.time_ms

    def restart(self) -> None:
        self.progress = Progress()
        self.watcher = Watcher(
            store=self.store,
            clock=self,
            watches=lambda: self.watches,
            limits=LIMITS,
            is_alone=self.turn_ms == 0,
            turn_ms=self.turn_ms,
            progress=self.progress,
            registry=new_registry(),
        )

    def step(self, time: str | int) -> None:
        """Let the loader look at that time."""
        self.time_ms = at(time) if isinstance(time, str) else time
        self.watcher.step(INTERVAL)

    def states(self) -> dict[str, str]:
        """What each rule says now."""
        return {one.rule: str(one.state) for one, _began in self.watcher.say("")}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver(SECRET) as running:
        yield running


def kinds(receiver: Receiver) -> list[tuple[str, str]]:
    """What was taken, in order: type and rule."""
    return [(one["type"], one["data"]["rule"]) for one in receiver.taken]


def scans(store: EmbeddedStore, code: str, day: str, number: int, **values: Any) -> None:
    """That many scans at noon."""
    rows = [
        {**scan(f"{code}-{day}-{one}", code, f"{day} 12:00"), "fraud_reasons": [], **values} for one in range(number)
    ]
    insert_rows(store, "events.scan_sessions", rows)


def test_a_silent_code_is_told_once_and_ends_with_its_next_scan(store: EmbeddedStore, receiver: Receiver) -> None:
    """However long it lasts, and whatever is restarted meanwhile: after a week nothing is usual any more."""
    for day in range(1, 8):
        scans(store, "poster-7", f"03-0{day}", 3)
        scans(store, "flyer-2", f"03-0{day}", 3)  # another code, which the rule does not name
    site = Site(store, receiver, SILENT)
    site.step("03-08 12:00")
    assert (site.states(), receiver.tries) == ({"silent": "fine"}, [])
    site.step("03-09 12:01")
    [told] = receiver.taken
    assert told["type"] == "watch.began"
    assert told["data"] == {
        "site_id": SITE,
        "rule": "silent",
        "qr_code_id": "poster-7",
        "text": "poster-7: 0 scans within 2 days, 3.0 a day in the week before",
        "began_time": "2026-03-09T12:01:00Z",
    }
    site.restart()
    for later in ("03-10 12:00", "03-15 12:00", "03-30 12:00"):
        site.step(later)
        assert len(receiver.taken) == 1
    assert site.watcher.say("")[0][1] == at("03-09 12:01")
    scans(store, "poster-7", "03-30", 1)
    site.step("03-30 13:00")
    site.step("03-30 14:00")
    assert kinds(receiver) == [("watch.began", "silent"), ("watch.ended", "silent")]


def test_shares_are_judged_from_enough_on(store: EmbeddedStore, receiver: Receiver) -> None:
    """Suspect scans of all scans; visits whose scan no one registered; a rule that is taken out ends its alarm."""
    scans(store, "poster-7", "03-01", 2)
    scans(store, "flyer-2", "03-01", 2, fraud_reasons=["bot"])
    visits = [visit("03-01 12:00", f"made-up-{number}") for number in range(2)]
    visits += [visit("03-01 12:00", "poster-7-03-01-0", "poster-7"), visit("03-01 12:00", "poster-7-03-01-0")]
    insert_rows(store, "events.valid_events", visits)
    site = Site(store, receiver, SUSPECT, LOST)
    site.step("03-01 13:00")
    assert site.states() == {"suspect": "unknown", "lost": "unknown"}
    scans(store, "flyer-3", "03-01", 5, fraud_reasons=["bot"])
    insert_rows(store, "events.valid_events", [visit("03-01 12:30", f"more-{number}") for number in range(3)])
    site.step("03-01 13:06")
    assert site.states() == {"suspect": "alarm", "lost": "alarm"}
    assert kinds(receiver) == [("watch.began", "suspect"), ("watch.began", "lost")]
    texts = {one["data"]["rule"]: one["data"]["text"] for one in receiver.taken}
    assert texts == {
        "suspect": "7 of 9 scans are suspect within 2 days (78%)",
        "lost": "5 of 6 visits name a scan that no one registered within 24 hours (83%)",
    }
    scans(store, "poster-7", "03-02", 20)
    site.step("03-02 13:00")
    assert site.states() == {"suspect": "fine", "lost": "unknown"}
    site.watches[SITE] = Watch(url=receiver.url, secret=SECRET, rules=(SUSPECT,))
    site.step("03-02 13:06")
    assert kinds(receiver)[2:] == [("watch.ended", "suspect"), ("watch.ended", "lost")]


def test_what_is_not_taken_is_tried_again_noted_and_at_last_given_up(store: EmbeddedStore, receiver: Receiver) -> None:
    """Under one id, in order, across a restart; ten minutes are no reason for concern, three days are enough."""
    scans(store, "flyer-2", "03-01", 5, fraud_reasons=["bot"])
    receiver.status = 500
    unread = {"watcher": "w", "until_time": at("03-01 13:00"), "state": "{", "state_version": 1}
    insert_rows(store, "events.watchers", [unread])  # no reason to end
    site = Site(store, receiver, SUSPECT)
    site.watches["away"] = Watch(url="http://127.0.0.1:1/", secret=SECRET)
    [(_name, refused)] = site.watcher.test("away")
    assert "ConnectError" in refused
    begin = at("03-01 13:00")
    for after_ms in (0, 4_000, 5_000, 14_000, 16_000):
        site.step(begin + after_ms)
    assert len(receiver.tries) == 3
    assert len(set(receiver.tries)) == 1
    assert site.progress.reasons == []
    site.restart()
    site.step(begin + 700_000)
    assert site.progress.reasons == ["webhooks not taken by their receiver: 1; `qrumb watch` says which"]
    [waiting] = site.watcher.waiting
    assert (waiting.tries, waiting.failure) == (4, "it answered 500")
    receiver.status = 204
    site.step(begin + 700_000 + HOUR_MS)
    assert kinds(receiver) == [("watch.began", "suspect")]
    assert (site.watcher.waiting, site.progress.reasons) == ([], [])
    receiver.status = 503
    scans(store, "poster-7", "03-01", 20)
    for hour in range(2, 90, 20):
        site.step(begin + hour * HOUR_MS)
    assert site.watcher.waiting == []
    assert len(receiver.tries) == 5 + 5
    assert kinds(receiver) == [("watch.began", "suspect")]


def test_of_two_loaders_one_tells_and_the_other_goes_on_for_it(store: EmbeddedStore, receiver: Receiver) -> None:
    """Each alarm once: whoever judged it, whether the one left in order or was killed; each says what is on."""
    scans(store, "flyer-2", "03-01", 5, fraud_reasons=["bot"])
    first, second, third = (Site(store, receiver, SUSPECT, turn_ms=1_500) for _one in range(3))
    times = itertools.count(at("03-01 13:00"), 360_000)

    def is_told(number: int, *sites: Site) -> bool:
        now_ms = next(times)
        for site in sites:
            site.step(now_ms)
        return len(receiver.taken) >= number

    wait_until(lambda: is_told(1, first))
    for _again in range(3):
        is_told(1, first, second, third)
    began = {site.watcher.say("")[0][1] for site in (first, second)}
    assert began == {at(receiver.taken[0]["data"]["began_time"][5:16].replace("T", " "))}
    first.watcher.leave()
    scans(store, "poster-7", "03-01", 20)
    wait_until(lambda: is_told(2, second))
    scans(store, "flyer-3", "03-01", 80, fraud_reasons=["bot"])
    wait_until(lambda: is_told(3, third))  # the second is gone, without a word
    is_told(3, first, second, third)
    assert kinds(receiver) == [(f"watch.{kind}", "suspect") for kind in ("began", "ended", "began")]
    assert [one["data"]["text"] for one in receiver.taken[::2]] == [
        "5 of 5 scans are suspect within 2 days (100%)",
        "85 of 105 scans are suspect within 2 days (81%)",
    ]
    assert [(one.rule, one.qr_code_id) for one in list_alarms(store, SITE).alarms] == [("suspect", "")]
    assert list_alarms(store, "another").alarms == []
