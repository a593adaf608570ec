"""The loader stores every row of the spool exactly once, whatever the store answers."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.errors import BadRowsError, OutcomeUnknownError, StoreRefusedError, StoreUnavailableError
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.rows import INVALID_EVENTS, LEDGER, VALID_EVENTS
from qrumb_server.model import SitePolicy
from qrumb_server.ports import Clock, TableBatch
from qrumb_server.spool.reader import list_sealed
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter, Record
from tests.support.faulty_store import FaultyStore
from tests.support.loading import usual_reading
from tests.support.patience import patient
from tests.support.spool_limits import spool_limits
from tests.support.stack import wait_until


class FixedClock:
    """A clock that stands."""

    def now_ms(self) -> int:
        """Always the same."""
        return 1_790_000_000_000


def event(number: int) -> bytes:
    """A record of an accepted event."""
    row = EventRow(event_id=f"00000000-0000-4000-8000-{number:012d}", site_id="s", metadata="{}")
    return Record(accepted_event=AcceptedEvent(row=row)).SerializeToString()


def letter(number: int) -> bytes:
    """A record of a dead letter."""
    violations = [Violation(field="site_id", reason=Violation.REQUIRED, description="is required")]
    return Record(
        dead_letter=DeadLetter(event_id=str(number), source="browser", violations=violations)
    ).SerializeToString()


def spool_up(root: Path, groups: list[list[bytes]]) -> None:
    """Seal one segment per group."""

    async def write() -> None:
        with ThreadPoolExecutor(1) as executor:
            limits = spool_limits(min_free_bytes=0)
            writer = await SpoolWriter.open(root / "worker-0", limits=limits, executor=executor, clock=FixedClock())
            for group in groups:
                await writer.append(group)
                await writer.seal()
            await writer.close()

    asyncio.run(write())


def new_loader(root: Path, store: FaultyStore, max_events: int, clock: Clock | None = None) -> Loader:
    """A loader that waits for nothing."""
    return Loader(
        spool_root=root,
        store=store,
        clock=clock or FixedClock(),
        monotonic=lambda: 0.0,
        policy=lambda _site_id: SitePolicy(),
        seal_after=timedelta(milliseconds=500),
        max_events=max_events,
        poll_interval=timedelta(milliseconds=1),
        retry_max_delay=timedelta(milliseconds=2),
        refused_delay=timedelta(milliseconds=2),
        reading=usual_reading(),
    )


def drain(root: Path, store: FaultyStore, max_events: int = 10_000) -> Loader:
    """Run a loader until the spool is empty."""
    loader = new_loader(root, store, max_events)
    loader.drain()
    loader.run()
    return loader


def stored_ids(store: FaultyStore) -> list[int]:
    """Numbers of the stored events, in order of storing."""
    return [int(row["event_id"][-12:]) for row in store.tables.get(VALID_EVENTS, [])]


def test_rows_and_dead_letters_reach_their_tables_and_the_segments_go(tmp_path: Path) -> None:
    """One identity per row, counted through accepted events and dead letters alike."""
    spool_up(tmp_path, [[event(1), letter(2), event(3)], [event(4)]])
    store = FaultyStore()
    drain(tmp_path, store)
    assert stored_ids(store) == [1, 3, 4]
    assert [row["segment_row"] for row in store.tables[VALID_EVENTS]] == [0, 2, 0]
    [dead] = store.tables[INVALID_EVENTS]
    assert (dead["segment_row"], dead["stage"], dead["reasons"]) == (1, "collector", ["REQUIRED"])
    assert list_sealed(tmp_path) == []


def test_segments_that_were_there_at_the_start_are_sent_as_missing(tmp_path: Path) -> None:
    """A predecessor may have stored them and died before it could let go of them."""
    spool_up(tmp_path, [[event(1), event(2)]])
    store = FaultyStore()
    [ref] = list_sealed(tmp_path)
    kept = ref.path.read_bytes()
    drain(tmp_path, store)
    ref.path.write_bytes(kept)
    drain(tmp_path, store)
    assert store.calls == ["insert_missing", "insert_missing"]
    assert stored_ids(store) == [1, 2]


@pytest.mark.parametrize("stores", [True, False], ids=["stored", "not stored"])
def test_unknown_outcome_is_sent_again_as_missing(tmp_path: Path, stores: bool) -> None:
    """Whether the broken insert had happened or not: once."""
    spool_up(tmp_path, [[event(1), event(2)]])
    store = FaultyStore()
    store.faults = [(OutcomeUnknownError("connection lost"), stores), (OutcomeUnknownError("again"), stores)]
    drain(tmp_path, store)
    assert stored_ids(store) == [1, 2]
    assert set(store.calls) == {"insert_missing"}


@pytest.mark.parametrize("error", [StoreUnavailableError("down", 210), StoreRefusedError("no such table", 60)])
def test_refused_and_unavailable_keep_the_spool_until_it_works(tmp_path: Path, error: Exception) -> None:
    """Nothing is dropped; afterwards the last error is forgotten."""
    spool_up(tmp_path, [[event(1)]])
    store = FaultyStore()
    store.faults = [(error, False)] * 5  # type: ignore[list-item]
    loader = drain(tmp_path, store)
    assert stored_ids(store) == [1]
    assert loader.last_error == ""


def test_poison_rows_become_dead_letters_and_the_rest_goes_in(tmp_path: Path) -> None:
    """Found by bisection; the reason holds nothing of the event."""
    poison = {3, 700}
    spool_up(tmp_path, [[event(number) for number in range(1000)]])
    store = FaultyStore()
    store.refuse = lambda row: (
        BadRowsError("cannot parse 'secret'", 27) if "metadata" in row and int(row["event_id"][-3:]) in poison else None
    )
    drain(tmp_path, store)
    assert stored_ids(store) == [number for number in range(1000) if number not in poison]
    dead = store.tables[INVALID_EVENTS]
    assert sorted(row["segment_row"] for row in dead) == sorted(poison)
    assert {(row["stage"], *row["reasons"]) for row in dead} == {("loader", "STORE_REFUSED")}
    assert "secret" not in str(dead)
    assert len(store.calls) < 100


def test_batches_take_several_segments_but_no_more_than_allowed(tmp_path: Path) -> None:
    """Small segments are stored together; one that is larger than a batch goes alone."""
    spool_up(tmp_path, [[event(1)], [event(2)], [event(number) for number in range(3, 9)], [event(9)]])
    store = FaultyStore()
    drain(tmp_path, store, max_events=3)
    assert stored_ids(store) == list(range(1, 10))
    assert len(store.calls) == 3


def test_damaged_segment_gives_what_it_has_and_is_quarantined(tmp_path: Path) -> None:
    """Only what the disk destroyed is lost."""
    spool_up(tmp_path, [[event(1), event(2), event(3)]])
    [ref] = list_sealed(tmp_path)
    content = bytearray(ref.path.read_bytes())
    content[content.index(b"000000000002")] ^= 0xFF
    ref.path.write_bytes(content)
    store = FaultyStore()
    drain(tmp_path, store)
    assert stored_ids(store) == [1, 3]
    assert [row["segment_row"] for row in store.tables[VALID_EVENTS]] == [0, 2]
    assert list_sealed(tmp_path) == []
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_unreadable_record_is_kept_in_quarantine(tmp_path: Path) -> None:
    """A record of a newer version is not thrown away, and does not hold up the rest."""
    spool_up(tmp_path, [[event(1), b"\x9a\x3f\x03abc", event(2)]])
    store = FaultyStore()
    drain(tmp_path, store)
    assert stored_ids(store) == [1, 2]
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_event_without_a_uuid_is_kept_in_quarantine_and_holds_up_no_other(tmp_path: Path) -> None:
    """A look-up by its id would be refused by the store for ever."""
    strange = Record(accepted_event=AcceptedEvent(row=EventRow(event_id="x" * 36, site_id="s", metadata="{}")))
    spool_up(tmp_path, [[event(1), strange.SerializeToString(), event(3)]])
    store = FaultyStore()
    drain(tmp_path, store)
    assert stored_ids(store) == [1, 3]
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_segment_that_comes_back_later_is_sent_as_missing(tmp_path: Path) -> None:
    """After a power cut a released segment can reappear when its worker recovers, behind the loader's first look."""
    spool_up(tmp_path, [[event(1), event(2)]])
    store = FaultyStore()
    [ref] = list_sealed(tmp_path)
    kept = ref.path.read_bytes()
    drain(tmp_path, store)
    spool_up(tmp_path, [[event(3)]])

    class ReturningStore(FaultyStore):
        def insert_missing(self, batch: TableBatch) -> None:
            if not self.calls:
                ref.path.write_bytes(kept)
            super().insert_missing(batch)

    later = ReturningStore()
    later.tables = store.tables
    drain(tmp_path, later)
    assert sorted(stored_ids(later)) == [1, 2, 3]
    assert later.calls == ["insert_missing", "insert_missing"]


def test_segment_begun_after_the_start_is_simply_inserted(tmp_path: Path) -> None:
    """The usual case pays for no look-up."""
    store = FaultyStore()

    class EarlyClock:
        def now_ms(self) -> int:
            if not store.calls and not list_sealed(tmp_path):
                spool_up(tmp_path, [[event(1)]])
            return FixedClock().now_ms() - 1000

    loader = new_loader(tmp_path, store, 10, EarlyClock())
    loader.drain()
    loader.run()
    assert store.calls == ["insert"]


def test_a_change_of_rows_gets_its_turn_between_two_batches(tmp_path: Path) -> None:
    """However much there is to load: a busy loader does not keep the turn to itself."""
    spool_up(tmp_path, [[event(number)] for number in range(200)])

    class SlowStore(FaultyStore):
        def insert_missing(self, batch: TableBatch) -> None:
            time.sleep(0.005)
            super().insert_missing(batch)

    store = SlowStore()
    loader = new_loader(tmp_path, store, max_events=1)
    loader.drain()
    loading = threading.Thread(target=loader.run)
    loading.start()
    wait_until(lambda: store.calls)
    meanwhile = []
    for _ in range(5):
        before = len(store.calls)
        with loader.exclusively(timedelta(seconds=patient(5))):
            stored = len(store.calls)
            meanwhile.append(stored - before)
            time.sleep(0.02)
            assert len(store.calls) == stored
    # The least: a busy machine may stop this thread before it has asked for its turn.
    assert min(meanwhile) <= 2
    loading.join(patient(30))
    assert len(store.tables[VALID_EVENTS]) == 200


def test_the_letter_of_a_refused_event_keeps_no_key_of_an_address(tmp_path: Path) -> None:
    """It is counted by in memory only; the rest is there, to be replayed."""
    record = Record.FromString(event(1))
    record.accepted_event.ip_key = "key-of-an-address"
    spool_up(tmp_path, [[record.SerializeToString()]])
    store = FaultyStore()
    store.refuse = lambda row: BadRowsError("no", 1) if "event_time" in row else None
    drain(tmp_path, store)
    [letter] = store.tables[INVALID_EVENTS]
    assert letter["event_id"] in letter["payload"]
    assert "key" not in letter["payload"]


def test_the_last_error_quotes_nothing_of_a_statement() -> None:
    """The engine's text does: it would bring sessions and hashes into log and status."""
    said = "Code: 47. Unknown identifier `x`. In scope SELECT x WHERE id IN _CAST(['s-1', 'it\\'s'], 'Array(Str"
    assert StoreRefusedError(said, 47).loggable == (
        "Code: 47. Unknown identifier `x`. In scope SELECT x WHERE id IN _CAST(['...', '...'], '...'"
    )


@pytest.mark.parametrize("table", [VALID_EVENTS, INVALID_EVENTS, LEDGER])
def test_rows_that_cannot_be_read_back_are_written_again_before_the_segment_goes(tmp_path: Path, table: str) -> None:
    """The store said that they were stored, twice, and they were not."""
    spool_up(tmp_path, [[event(1), letter(2), event(3)]])
    waiting: list[int] = []

    class ForgetfulStore(FaultyStore):
        def confirm(self, batches: Sequence[TableBatch]) -> None:
            waiting.append(len(list_sealed(tmp_path)))
            super().confirm(batches)

    store = ForgetfulStore()
    store.torn = [table, table]
    drain(tmp_path, store)
    assert stored_ids(store) == [1, 3]
    assert len(store.tables[INVALID_EVENTS]) == 1
    assert sum(row["received_count"] for row in store.tables[LEDGER]) == 3
    assert waiting == [1, 1, 1]
    assert list_sealed(tmp_path) == []
