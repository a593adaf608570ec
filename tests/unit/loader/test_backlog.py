"""Which segments the loader takes, and in which order."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from qrumb_server.loader import backlog
from qrumb_server.loader.backlog import Backlog
from qrumb_server.spool.format import new_segment_id, open_name, sealed_name
from qrumb_server.spool.reader import SegmentRef, list_sealed
from tests.support.patience import patient

BEGUN_MS = 1_790_000_000_000


def segment(folder: Path, time_ms: int, *, rows: int | None) -> UUID:
    """A file of a worker; without rows it is still written."""
    folder.mkdir(parents=True, exist_ok=True)
    segment_id = new_segment_id(time_ms, None)
    (folder / (open_name(segment_id) if rows is None else sealed_name(segment_id, rows))).touch()
    return segment_id


def test_what_is_begun_while_folders_are_listed_waits_for_what_was_begun_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker begins a segment just after its folder was looked at for open ones; another one begins later, fills its
    own and seals it before the sealed ones are listed. Who follows the tail would miss the first one's rows."""

    class Clock:
        def now_ms(self) -> int:
            return next(times)

    times: Iterator[int] = iter([BEGUN_MS, BEGUN_MS + 20, BEGUN_MS + 30, BEGUN_MS + 31, BEGUN_MS + 50, BEGUN_MS + 51])
    first = second = None

    def list_late(root: Path) -> list[SegmentRef]:
        nonlocal first, second
        if first is None:
            first = segment(root / "worker-0", BEGUN_MS + 5, rows=None)
            second = segment(root / "worker-1", BEGUN_MS + 10, rows=4)
        return list_sealed(root)

    monkeypatch.setattr(backlog, "list_sealed", list_late)
    waiting = Backlog(
        tmp_path, clock=Clock(), monotonic=lambda: 0.0, max_events=100, seal_after=timedelta(milliseconds=500)
    )
    assert waiting.take(wait_for_open=True) == []
    assert waiting.take(wait_for_open=True) == [], "the first is still written"
    assert first is not None
    (tmp_path / "worker-0" / open_name(first)).rename(tmp_path / "worker-0" / sealed_name(first, 4))
    assert [ref.segment_id for ref in waiting.take(wait_for_open=True)] == [first, second]


def test_the_first_segment_of_a_new_loader_ends_its_first_wait(tmp_path: Path) -> None:
    """As any later one does: the first event after a start would otherwise be stored some seconds later than others."""
    limit = patient(60)
    folder = tmp_path / "worker-0"
    folder.mkdir()

    class Clock:
        def now_ms(self) -> int:
            return BEGUN_MS

    waiting = Backlog(
        tmp_path, clock=Clock(), monotonic=lambda: 0.0, max_events=100, seal_after=timedelta(milliseconds=500)
    )
    found: list[SegmentRef] = []

    def look() -> None:
        with waiting:
            while not found:
                found.extend(waiting.take(wait_for_open=True))
                is_empty.set()
                waiting.wait(0.01, limit)

    is_empty = threading.Event()
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    assert is_empty.wait(limit)
    sealed = segment(folder, BEGUN_MS - 10, rows=1)
    looking.join(limit / 2)
    assert [ref.segment_id for ref in found] == [sealed]
