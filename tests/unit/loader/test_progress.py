"""What the loader says of itself, and the order in which it takes a backlog."""

import itertools
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from qrumb_server.errors import BadRowsError, StoreRefusedError, StoreUnavailableError
from qrumb_server.loader.backlog import Backlog
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.progress import Progress
from qrumb_server.metrics import metrics_text, new_registry
from qrumb_server.model import SitePolicy
from qrumb_server.ports import SetAside
from qrumb_server.spool.reader import list_sealed
from tests.support.faulty_store import FaultyStore
from tests.support.patience import patient
from tests.support.stack import wait_until
from tests.unit.loader.test_loop import FixedClock, event, letter, spool_up, stored_ids


def loader_of(root: Path, store: FaultyStore, progress: Progress) -> Loader:
    """A loader that asks an idle store at every turn."""
    ticks = itertools.count()
    return Loader(
        spool_root=root,
        store=store,
        clock=FixedClock(),
        monotonic=lambda: float(next(ticks)),
        policy=lambda _site_id: SitePolicy(),
        seal_after=timedelta(milliseconds=500),
        max_events=10,
        poll_interval=timedelta(milliseconds=1),
        retry_max_delay=timedelta(milliseconds=2),
        refused_delay=timedelta(milliseconds=2),
        progress=progress,
    )


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[tuple[Loader, FaultyStore]]:
    """A loader with nothing to load."""
    store = FaultyStore()
    loader = loader_of(tmp_path, store, Progress())
    thread = threading.Thread(target=loader.run)
    thread.start()
    yield loader, store
    loader.stop()
    thread.join(patient(10))
    assert not thread.is_alive()


@pytest.mark.parametrize("error", [StoreUnavailableError("cannot connect"), StoreRefusedError("no such table", 60)])
def test_an_idle_loader_knows_that_the_store_is_away(
    idle: tuple[Loader, FaultyStore], error: StoreUnavailableError
) -> None:
    """Before an event has to wait; and it forgets as soon as the store is back."""
    loader, store = idle
    store.away = error
    wait_until(lambda: loader.last_error)
    assert str(error) in loader.last_error
    store.away = None
    wait_until(lambda: not loader.last_error)


def test_what_was_loaded_is_counted_once_by_site(tmp_path: Path) -> None:
    """Rows, the ledger's counters and the errors on the way."""
    spool_up(tmp_path, [[event(1), letter(2), event(1)], [event(3)]])
    store, registry = FaultyStore(), new_registry()
    store.faults = [(StoreUnavailableError("down"), False)] * 2
    store.refuse = lambda row: BadRowsError("no") if "metadata" in row and row["event_id"].endswith("3") else None
    progress = Progress(registry)
    loader = loader_of(tmp_path, store, progress)
    loader.drain()
    loader.run()
    said = metrics_text(registry)
    for line in (
        "qrumb_loader_rows_total 4.0",
        'qrumb_ledger_received_total{site_id="s"} 3.0',
        'qrumb_ledger_stored_total{site_id="s"} 2.0',
        'qrumb_ledger_duplicate_total{site_id="s"} 1.0',
        'qrumb_ledger_rejected_total{site_id="s"} 1.0',
        'qrumb_ledger_rejected_total{site_id="other"} 1.0',
        'qrumb_store_errors_total{kind="unavailable"} 2.0',
        "qrumb_loader_batch_seconds_count 1.0",
    ):
        assert f"\n{line}\n" in said, f"{line} is not in {said}"
    assert "_created" not in said


def test_the_rate_is_of_the_last_minute() -> None:
    """A burst of an hour ago says nothing about now."""
    now = 1_000.0
    progress = Progress(monotonic=lambda: now)
    now += 30
    progress.batch_loaded(600, 0.1, 5)
    assert progress.rows_per_second() == 20
    now += 59
    progress.batch_loaded(60, 0.1, 0)
    assert progress.rows_per_second() == 11
    assert progress.last_received_ms == 5
    now += 3_600
    assert progress.rows_per_second() == 0


def test_a_slow_listing_serves_for_several_batches_in_order(tmp_path: Path) -> None:
    """Oldest first, what comes meanwhile after what was there; and the folders are not listed for each batch."""
    spool_up(tmp_path, [[event(number)] for number in range(5)])
    ticks = itertools.count()
    backlog = Backlog(
        tmp_path,
        clock=FixedClock(),
        monotonic=lambda: float(next(ticks)),
        max_events=1,
        seal_after=timedelta(milliseconds=500),
    )
    known = list_sealed(tmp_path)
    [first] = backlog.take(wait_for_open=False)
    spool_up(tmp_path, [[event(5)]])
    rest = [backlog.take(wait_for_open=False)[0] for _ in range(4)]
    assert [first, *rest] == known
    for ref in known:
        ref.path.unlink()
    [last] = backlog.take(wait_for_open=False)
    assert last.segment_id > known[-1].segment_id
    last.path.unlink()
    assert not backlog.take(wait_for_open=False)


def test_a_backlog_is_loaded_in_the_order_of_arrival(tmp_path: Path) -> None:
    """So that the first of several events with one id is the original, however many wait."""
    spool_up(tmp_path, [[event(number)] for number in range(100)])
    store = FaultyStore()
    loader = loader_of(tmp_path, store, Progress())
    loader.drain()
    loader.run()
    assert stored_ids(store) == list(range(100))


def test_a_failure_that_goes_on_is_told_once_a_minute() -> None:
    """Another one at once, and the same again after the store has answered."""
    now = 0.0
    progress = Progress(new_registry(), monotonic=lambda: now)
    away, refused = StoreUnavailableError("away"), StoreRefusedError("no", 497)
    with structlog.testing.capture_logs() as lines:
        for seconds, error in ((0, away), (1, away), (59, away), (60, away), (61, refused), (62, refused)):
            now = seconds
            progress.tell_failure(error, str(error), 1.0)
        assert [line["error"] for line in lines] == ["away", "away", "no"]
        progress.store_answered()
        progress.tell_failure(refused, str(refused), 1.0)
        assert len(lines) == 4


def test_what_was_noted_is_said_until_it_is_cleared() -> None:
    """One sentence per topic, the latest; clearing what was never noted is nothing."""
    progress = Progress()
    progress.note("disk", "the disk has no room")
    progress.note("disk", "the disk has 3 MiB of room")
    progress.note("ledger", "the ledger differs from the tables")
    assert progress.reasons == ["the disk has 3 MiB of room", "the ledger differs from the tables"]
    progress.clear("disk")
    progress.clear("engine")
    assert progress.reasons == ["the ledger differs from the tables"]


def test_parts_that_the_engine_did_not_load_are_a_reason_and_counted() -> None:
    """Whether rows went with them is not known; who knows it is said. Nothing is called lost."""
    registry = new_registry()
    progress = Progress(registry)
    progress.parts_set_aside(SetAside(table="events.valid_events", parts=["all_1_1_0"], lost_rows=None))
    [reason] = progress.reasons
    assert "a part of events.valid_events could not be read and was set aside" in reason
    assert reason.endswith("the check of the ledger says so")
    text = metrics_text(registry)
    assert 'qrumb_store_parts_set_aside_total{table="events.valid_events"} 1.0' in text
