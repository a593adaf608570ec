"""The ledger against the tables: rows that are gone are named by site and minute, and what may be gone is not."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb.v1.privacy_service_pb2 import EraseSubjectRequest
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.app.clock import SystemClock
from qrumb_server.loader.progress import Progress
from qrumb_server.model import SitePolicy
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.upkeep.erase import Eraser
from qrumb_server.upkeep.retention import Retention
from qrumb_server.upkeep.verify import Difference, LedgerCheck
from qrumb_server.wire.v1.record_pb2 import DeadLetter, Record, SessionRegistration
from tests.integration.store.test_retention import records
from tests.support.rig import load_all, make_loader, spool_up

pytestmark = pytest.mark.chdb

DAY_MS = 86_400_000
NOW_MS = SystemClock().now_ms()
DAYS = (0, 3, 40)


def registrations(site_id: str, days: int, *names: str, user: str = "") -> list[bytes]:
    """Of sessions, received that many days ago."""
    made = []
    for name in names:
        session = ScanSession(site_id=site_id, scan_session_id=name, qr_code_id="a", user_id=user)
        session.scan_time.FromMilliseconds(NOW_MS - 5 * DAY_MS)
        registration = SessionRegistration(scan_session=session, received_time_ms=NOW_MS - days * DAY_MS)
        made.append(Record(session_registration=registration).SerializeToString())
    return made


class Checked:
    """A store with an event, a dead letter and a session of two sites on some days, and the check of its ledger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = EmbeddedStore.open(folder / "clickhouse")
        self.loader = make_loader(folder / "spool", self.store, max_events=10_000)
        self.progress = Progress()
        self.policy = SitePolicy()
        self.check = LedgerCheck(
            store=self.store,
            loader=self.loader,
            clock=SystemClock(),
            policy=lambda _site_id: self.policy,
            spool_root=folder / "spool",
            progress=self.progress,
            sleep=lambda _seconds: None,
        )

    def load(self, group: list[bytes]) -> None:
        """Through the spool, as everything."""
        spool_up(self.folder / "spool", [group])
        load_all(self.folder / "spool", self.store)

    def delete(self, table: str, where: str) -> None:
        """What a disk does."""
        self.store.mutate(f"ALTER TABLE events.{table} DELETE WHERE {where}")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spool and database after all was loaded, to be copied."""
    made = Checked(tmp_path_factory.mktemp("filled"))
    made.load([one for days in DAYS for site in ("shop", "blog") for one in records(site, days)])
    made.store.close()
    return made.folder


@pytest.fixture
def checked(filled: Path, tmp_path: Path) -> Iterator[Checked]:
    """All that was counted is there."""
    shutil.copytree(filled, tmp_path, symlinks=True, dirs_exist_ok=True)
    made = Checked(tmp_path)
    yield made
    made.store.close()


def minute(days: int) -> int:
    return (NOW_MS - days * DAY_MS) // 60_000 * 60_000


def test_nothing_differs_while_every_row_is_there(checked: Checked) -> None:
    """Not even where there is nothing at all, or a letter names no possible site."""
    letter = DeadLetter(site_id="no site!", event_id="x", source="browser", received_time_ms=NOW_MS)
    checked.load([Record(dead_letter=letter).SerializeToString()])
    assert checked.check.check_all() == []
    assert checked.progress.reasons == []


def test_a_session_that_was_never_counted_is_named(checked: Checked) -> None:
    """But not one that is older than the counting, which a node of an earlier version registered."""
    where = "WHERE site_id = 'shop'"
    checked.store.mutate(f"ALTER TABLE events.ledger UPDATE scan_registered_count = 0, scan_received_count = 0 {where}")
    found = checked.check.find()
    assert [(one.site_id, one.minute_ms, one.registered_count, one.session_rows) for one in found] == [
        ("shop", minute(days), 0, 1) for days in (3, 0)
    ]
    checked.store.mutate("ALTER TABLE events.ledger UPDATE scan_registered_count = 0, scan_received_count = 0 WHERE 1")
    assert checked.check.find() == []


def test_a_session_that_is_gone_is_named(checked: Checked) -> None:
    """By the minute of its row, which may be a later one than that of its first registration."""

    def lost(*, whole: bool = True) -> list[tuple[str, int, int]]:
        found = checked.check.check_all() if whole else checked.check.find(NOW_MS - DAY_MS)
        return [(one.site_id, one.minute_ms, one.lost_session_count) for one in found]

    checked.load(registrations("shop", 2, "again", "alone"))
    checked.load(registrations("shop", 1, "again", user="ann"))
    checked.load(registrations("shop", 0, "again", user="ann"))
    assert lost() == []
    checked.delete("scan_sessions", "scan_session_id = 'alone'")
    assert lost() == [("shop", minute(2), 1)]
    assert "1 row that was counted is missing" in checked.progress.reasons[0]
    checked.delete("scan_sessions", "scan_session_id IN ('again', 'shop-0')")
    assert lost() == [("shop", minute(2), 2), ("shop", minute(0), 1)]
    assert lost(whole=False) == [("shop", minute(0), 1)]


def test_an_erased_session_is_not_missed(checked: Checked) -> None:
    """It is there under another name."""
    checked.load(registrations("shop", 0, "janes", user="jane"))
    spool = checked.folder / "spool"
    eraser = Eraser(store=checked.store, loader=checked.loader, spool_root=spool, clock=SystemClock())
    assert eraser.erase(EraseSubjectRequest(site_id="shop", user_id="jane")).scan_session_count == 1
    checked.load(registrations("shop", 0, "janes", user="jane"))
    assert checked.check.find() == []


def test_rows_that_are_gone_are_named_by_site_and_minute(checked: Checked) -> None:
    """Of either table, old or new; and the node says so until they are back."""
    checked.delete("valid_events", "site_id = 'shop' AND event_name = '40'")
    checked.delete("invalid_events", "site_id = 'blog' AND event_id = '3'")
    whole = {"stored_count": 1, "stored_rows": 1, "rejected_count": 1, "rejected_rows": 1}
    whole |= {"registered_count": 1, "session_rows": 1}
    no_event = Difference(minute_ms=minute(40), site_id="shop", **whole | {"stored_rows": 0})
    no_letter = Difference(minute_ms=minute(3), site_id="blog", **whole | {"rejected_rows": 0})
    assert checked.check.find() == [no_event, no_letter]
    assert checked.check.find(NOW_MS - 4 * DAY_MS) == [no_letter]
    assert checked.progress.reasons == []
    assert checked.check.check_all() == [no_event, no_letter]
    [reason] = checked.progress.reasons
    assert "differ in 2 minutes" in reason
    assert "2 rows that were counted are missing; `qrumb ledger --verify` lists them" in reason
    assert "shop" not in reason
    assert checked.check.check_recent() == [no_event, no_letter], "what is known is looked at again, however old"
    checked.delete("ledger", "1")
    checked.delete("valid_events", "1")
    checked.delete("invalid_events", "1")
    assert checked.check.check_recent() == []
    assert checked.progress.reasons == []


def test_rows_that_were_never_counted_differ_too(checked: Checked) -> None:
    checked.delete("ledger", f"site_id = 'shop' AND minute_time = fromUnixTimestamp64Milli(toInt64({minute(3)}))")
    [found] = checked.check.find()
    assert (found.place, found.stored_count, found.stored_rows) == (("shop", minute(3)), 0, 1)


def test_what_retention_deleted_is_not_missed(checked: Checked) -> None:
    """Nor when the site keeps its rows for longer later."""
    checked.policy = SitePolicy(retention_ms=10 * DAY_MS)
    retention = Retention(
        store=checked.store,
        loader=checked.loader,
        clock=SystemClock(),
        policy=lambda _site_id: checked.policy,
        named_sites=lambda: ("blog",),
    )
    assert retention.run()["events.valid_events"] == 2
    assert checked.check.find() == []
    checked.policy = replace(checked.policy, retention_ms=SitePolicy().retention_ms)
    assert checked.check.find() == []
    checked.delete("valid_events", "site_id = 'shop' AND event_name = '3'")
    assert [one.place for one in checked.check.find()] == [("shop", minute(3))]


def test_a_letter_that_was_erased_is_not_missed(checked: Checked) -> None:
    """It is counted as rejected for ever, and known to be erased. One that went by itself is missed."""
    letters = [
        DeadLetter(site_id="shop", event_id=name, source="browser", payload=f'"{name}"', received_time_ms=NOW_MS)
        for name in ("jane", "john")
    ]
    checked.load([Record(dead_letter=letter).SerializeToString() for letter in letters])
    spool = checked.folder / "spool"
    eraser = Eraser(store=checked.store, loader=checked.loader, spool_root=spool, clock=SystemClock())
    for _ in range(2):
        erased = eraser.erase(EraseSubjectRequest(site_id="shop", user_id="jane"))
    assert erased.rejected_event_count == 0
    assert checked.check.find() == []
    checked.delete("invalid_events", "event_id = 'john'")
    [found] = checked.check.find()
    assert found.rejected_count == found.rejected_rows + 1


def test_a_minute_that_is_being_loaded_is_not_judged(checked: Checked) -> None:
    """Its rows may be stored and not yet counted, by a loader that was killed in between."""
    checked.delete("ledger", f"minute_time = fromUnixTimestamp64Milli(toInt64({minute(0)}))")
    assert len(checked.check.find()) == 2
    spool_up(checked.folder / "spool", [records("shop", 0)])
    assert [one.site_id for one in checked.check.find()] == ["blog"]


def test_a_difference_that_passes_is_none(checked: Checked) -> None:
    """Another node of a cluster stores the rows of a batch, and a moment later its entry."""
    name = f"site_id = 'shop' AND minute_time = fromUnixTimestamp64Milli(toInt64({minute(0)}))"
    checked.store.mutate(f"ALTER TABLE events.ledger UPDATE stored_count = stored_count + 1 WHERE {name}")
    looks = []

    def sleep(_seconds: float) -> None:
        looks.append(1)
        checked.store.mutate(f"ALTER TABLE events.ledger UPDATE stored_count = 1 WHERE {name}")

    check = LedgerCheck(
        store=checked.store,
        loader=checked.loader,
        clock=SystemClock(),
        policy=lambda _site_id: checked.policy,
        spool_root=checked.folder / "spool",
        progress=checked.progress,
        sleep=sleep,
    )
    assert check.find() == []
    assert looks == [1]


def test_what_the_tables_own_limit_may_have_dropped_is_not_compared(checked: Checked) -> None:
    """Dead letters go after 90 days, their counts after 400."""
    checked.load([one for days in (88, 120) for one in records("old", days)])
    checked.delete("invalid_events", "site_id = 'old'")
    found = checked.check.find()
    assert [one.place for one in found] == [("old", minute(88))]
    assert timedelta(milliseconds=NOW_MS - found[0].minute_ms) < timedelta(days=89)
