"""The loader takes a stretch of time once no worker still writes one of it: an event and its repetition together."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.loader import backlog as backlog_module
from qrumb_server.loader.backlog import OPEN_PATIENCE_MS, Backlog
from qrumb_server.loader.batch import MAX_BYTES, take
from qrumb_server.ports import Clock
from qrumb_server.spool.format import encode_frames, encode_header, new_segment_id, open_name, sealed_name
from qrumb_server.spool.reader import SegmentRef

WINDOW_MS = 500
NOW_MS = 1_790_000_000_000


class FixedClock:
    """A clock that stands."""

    def now_ms(self) -> int:
        """Always the same."""
        return NOW_MS


def segment(root: Path, worker: str, begun_ms: int, *, is_open: bool = False) -> None:
    """A segment of one row that was begun at `begun_ms`."""
    segment_id = new_segment_id(begun_ms, None)
    folder = root / worker
    folder.mkdir(exist_ok=True)
    name = open_name(segment_id) if is_open else sealed_name(segment_id, 1)
    (folder / name).write_bytes(encode_header(segment_id) + b"".join(encode_frames([b"x"], 0, segment_id)))


def backlog_of(root: Path, clock: Clock) -> Backlog:
    """Over a spool's folder."""
    return Backlog(
        root, clock=clock, monotonic=lambda: 0.0, max_events=10, seal_after=timedelta(milliseconds=WINDOW_MS)
    )


def listed(root: Path, *, wait_for_open: bool = True) -> list[int]:
    """When the segments that would be loaded now were begun, before now."""
    backlog = backlog_of(root, FixedClock())
    return [NOW_MS - ref.begun_time_ms for ref in backlog.take(wait_for_open=wait_for_open)]


def test_nothing_open_leaves_nothing_to_wait_for(tmp_path: Path) -> None:
    """Oldest first."""
    segment(tmp_path, "worker-0", NOW_MS - 10)
    segment(tmp_path, "worker-1", NOW_MS - 900)
    assert listed(tmp_path) == [900, 10]


@pytest.mark.parametrize(("open_ago", "expected"), [(499, [900]), (500, [900]), (501, []), (900, []), (1_400, [])])
def test_an_open_segment_holds_up_its_stretch_and_later_ones(
    tmp_path: Path, open_ago: int, expected: list[int]
) -> None:
    """NOW_MS begins a stretch; earlier stretches go on."""
    assert NOW_MS % WINDOW_MS == 0
    segment(tmp_path, "worker-0", NOW_MS - 900)
    segment(tmp_path, "worker-0", NOW_MS - 400)
    segment(tmp_path, "worker-1", NOW_MS - open_ago, is_open=True)
    assert listed(tmp_path) == expected


def test_a_worker_that_is_away_holds_up_the_others_for_a_moment_only(tmp_path: Path) -> None:
    """Then its segment comes late, by itself."""
    segment(tmp_path, "worker-0", NOW_MS - 400)
    segment(tmp_path, "worker-1", NOW_MS - OPEN_PATIENCE_MS, is_open=True)
    assert listed(tmp_path) == [400]
    segment(tmp_path, "worker-1", NOW_MS - OPEN_PATIENCE_MS + 1, is_open=True)
    assert listed(tmp_path) == []


def test_a_loader_that_drains_waits_for_no_worker(tmp_path: Path) -> None:
    """The workers have gone; what is open is sealed at their next start."""
    segment(tmp_path, "worker-0", NOW_MS - 400)
    segment(tmp_path, "worker-1", NOW_MS - 400, is_open=True)
    assert listed(tmp_path) == []
    assert listed(tmp_path, wait_for_open=False) == [400]


def test_segments_of_the_future_hold_up_nothing(tmp_path: Path) -> None:
    """After the clock stepped back, all that workers write stands in one stretch, and one of it is always open."""
    segment(tmp_path, "worker-0", NOW_MS + 3_600_000)
    segment(tmp_path, "worker-1", NOW_MS + 3_600_000, is_open=True)
    assert listed(tmp_path) == [-3_600_000]


def test_a_batch_is_bounded_by_rows_and_by_bytes_and_is_never_empty() -> None:
    def refs(*sizes: int) -> list[SegmentRef]:
        made = new_segment_id(NOW_MS, None)
        return [SegmentRef(path=Path("x"), segment_id=made, rows=3, size_bytes=size) for size in sizes]

    assert len(take(refs(1, 1, 1, 1), 9)) == 3
    assert len(take(refs(1), 1)) == 1
    assert len(take(refs(MAX_BYTES - 1, 1, 1), 9)) == 2
    assert len(take(refs(MAX_BYTES + 1, 1), 9)) == 1


def test_a_folder_that_cannot_be_listed_is_tried_again_though_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader would say that all is well, from the second look on."""

    class LaterClock:
        """As the loader's: a minute after whatever the folders know."""

        def now_ms(self) -> int:
            return int(time.time() * 1000) + 60_000

    backlog = backlog_of(tmp_path, LaterClock())
    (tmp_path / "worker-0").mkdir()
    assert [backlog.take(wait_for_open=True) for _ in range(3)] == [[], (), ()]
    (tmp_path / "worker-0" / "new").touch()

    def refuse(_root: Path) -> None:
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(backlog_module, "list_sealed", refuse)
        for _ in range(3):
            with pytest.raises(PermissionError):
                backlog.take(wait_for_open=True)
    assert backlog.take(wait_for_open=True) == []
