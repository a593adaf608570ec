"""What the loader finds, on real files."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from qrumb_server.spool import (
    Damage,
    SegmentRef,
    list_sealed,
    quarantine,
    read_segment,
    release,
    usage,
)
from qrumb_server.spool.format import (
    FRAME_HEAD_BYTES,
    HEADER_BYTES,
    encode_frames,
    encode_header,
    new_segment_id,
    sealed_name,
)
from qrumb_server.spool.reader import Stillness

RECORDS = [b"row %d " % row + b"x" * row for row in range(20)]


def write_sealed(root: Path, worker: str, segment_id: UUID, records: list[bytes]) -> Path:
    folder = root / worker
    folder.mkdir(exist_ok=True)
    path = folder / sealed_name(segment_id, len(records))
    path.write_bytes(encode_header(segment_id) + b"".join(encode_frames(records, 0, segment_id)))
    return path


@pytest.fixture
def ref(tmp_path: Path) -> SegmentRef:
    """A sealed segment of 20 rows in worker 1's folder."""
    write_sealed(tmp_path, "1", new_segment_id(1000, None), RECORDS)
    return list_sealed(tmp_path)[0]


def test_segments_of_all_workers_come_oldest_first(tmp_path: Path) -> None:
    """No worker's backlog starves another's."""
    for time_ms, worker in [(3000, "1"), (1000, "2"), (4000, "2"), (2000, "10")]:
        write_sealed(tmp_path, worker, new_segment_id(time_ms, None), [b"x"])
    assert [(ref.begun_time_ms, ref.path.parent.name) for ref in list_sealed(tmp_path)] == [
        (1000, "2"),
        (2000, "10"),
        (3000, "1"),
        (4000, "2"),
    ]


def test_only_sealed_segments_of_workers_are_listed(tmp_path: Path, ref: SegmentRef) -> None:
    """Other files in the folder are not segments."""
    stray = ref.path.read_bytes()
    (tmp_path / "quarantine").mkdir()
    for name in [
        f"1/{new_segment_id(1, None)}.open",
        "1/lock",
        "1/notes.sealed",
        f"1/{ref.segment_id}.sealed",
        f"1/{ref.segment_id}.20.sealed.bak",
        f"1/{str(ref.segment_id).upper()}.20.sealed",
        f"quarantine/{ref.path.name}",
        ref.path.name,
    ]:
        (tmp_path / name).write_bytes(stray)
    assert list_sealed(tmp_path) == [ref]


def test_spool_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    """The loader may start before the first worker."""
    assert list_sealed(tmp_path / "none") == []
    assert usage(tmp_path / "none", now_ms=0).sealed_segments == 0


def test_rows_are_read_under_their_numbers(ref: SegmentRef) -> None:
    """The id is the canonical text form, as the table stores it."""
    segment = read_segment(ref)
    assert segment.segment_id == str(ref.segment_id)
    assert (segment.row_numbers, segment.records) == (list(range(20)), RECORDS)
    assert segment.damage is None


def test_segment_that_is_gone_raises_file_not_found(ref: SegmentRef) -> None:
    """The caller learns that it was released before."""
    release(ref)
    with pytest.raises(FileNotFoundError):
        read_segment(ref)


def test_releasing_and_quarantining_twice_is_fine(tmp_path: Path, ref: SegmentRef) -> None:
    """A loader that repeats its last step after a restart does no harm."""
    quarantine(ref)
    quarantine(ref)
    release(ref)
    assert list_sealed(tmp_path) == []
    assert [path.name for path in (tmp_path / "quarantine").iterdir()] == [f"1.{ref.path.name}"]
    assert usage(tmp_path, now_ms=0).quarantined_segments == 1


def test_shortened_file_misses_the_rows_behind_its_end(ref: SegmentRef) -> None:
    """A file that lost its last rows cleanly is not taken for whole: its name knows how many there were."""
    kept = HEADER_BYTES + sum(len(record) + FRAME_HEAD_BYTES for record in RECORDS[:15])
    os.truncate(ref.path, kept)
    segment = read_segment(ref)
    assert segment.records == RECORDS[:15]
    assert segment.damage == Damage(rows_missing=5, bytes_skipped=0, header_lost=False)


def test_lost_header_costs_no_row(ref: SegmentRef) -> None:
    """The name says which segment this is."""
    ref.path.write_bytes(bytes(HEADER_BYTES) + ref.path.read_bytes()[HEADER_BYTES:])
    segment = read_segment(ref)
    assert segment.records == RECORDS
    assert segment.damage == Damage(rows_missing=0, bytes_skipped=0, header_lost=True)


@pytest.mark.parametrize("image", [b"", bytes(4096), b"\xf1qr\x01" * 999], ids=["empty", "blank", "markers"])
def test_segment_with_nothing_left_says_how_much_is_missing(ref: SegmentRef, image: bytes) -> None:
    """All rows lost is still a report, not an error."""
    ref.path.write_bytes(image)
    segment = read_segment(ref)
    assert segment.records == []
    assert segment.damage is not None
    assert segment.damage.rows_missing == 20


def test_frames_of_another_segment_are_not_read(ref: SegmentRef) -> None:
    """After a power cut a disk may show blocks of a file that used them before."""
    other = new_segment_id(1, None)
    image = ref.path.read_bytes()
    ref.path.write_bytes(encode_header(other) + b"".join(encode_frames(RECORDS, 0, other)))
    assert read_segment(ref).records == []
    ref.path.write_bytes(image)
    assert read_segment(ref).records == RECORDS


def test_frame_inside_a_payload_is_not_entered(tmp_path: Path) -> None:
    """Not even if a sender knew the segment's id, as long as the outer frame's head is whole."""
    segment_id = new_segment_id(1, None)
    forged = b"".join(encode_frames([b"forged"], 1, segment_id))
    path = write_sealed(tmp_path, "1", segment_id, [b"before", b"outer" + forged, b"after"])
    image = bytearray(path.read_bytes())
    image[image.index(b"outer")] ^= 1
    path.write_bytes(image)
    segment = read_segment(list_sealed(tmp_path)[0])
    assert (segment.row_numbers, segment.records) == ([0, 2], [b"before", b"after"])


def test_stale_frame_behind_a_later_row_is_not_read(tmp_path: Path) -> None:
    """A row number is given once: the first whole frame has it."""
    segment_id = new_segment_id(1, None)
    path = write_sealed(tmp_path, "1", segment_id, [b"a", b"b"])
    path.write_bytes(path.read_bytes() + b"".join(encode_frames([b"stale"], 1, segment_id)))
    path = path.rename(path.with_name(sealed_name(segment_id, 3)))
    segment = read_segment(list_sealed(tmp_path)[0])
    assert (segment.row_numbers, segment.records) == ([0, 1], [b"a", b"b"])


def test_bad_sector_costs_only_its_own_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses one block does not take the rest of the segment with it."""
    records = [b"%05d" % row + b"x" * 300 for row in range(100)]
    path = write_sealed(tmp_path, "1", new_segment_id(1, None), records)
    read_block = os.pread

    def refuse(*args: object) -> bytes:
        raise OSError(errno.EIO, "bad sector")

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        return refuse() if offset == 8192 else read_block(descriptor, length, offset)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(os, "pread", pread)
    (ref,) = list_sealed(tmp_path)
    segment = read_segment(ref)
    frame = 305 + FRAME_HEAD_BYTES
    lost = {row for row in range(100) if HEADER_BYTES + (row + 1) * frame > 8192 and HEADER_BYTES + row * frame < 12288}
    assert segment.row_numbers == [row for row in range(100) if row not in lost]
    assert segment.records == [record for row, record in enumerate(records) if row not in lost]
    assert segment.damage == Damage(rows_missing=len(lost), bytes_skipped=len(lost) * frame, header_lost=False)
    assert path.exists()


def test_files_that_vanish_while_listing_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader, the worker and an operator share the folder."""
    paths = [write_sealed(tmp_path, "1", new_segment_id(time_ms, None), [b"x"]) for time_ms in (1, 2, 3)]
    scan = os.scandir

    class Vanishing:
        def __init__(self, path: Path) -> None:
            self._scan = scan(path)

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            entries = list(self._scan)
            paths[1].unlink(missing_ok=True)
            return iter(entries)

        def __exit__(self, *_: object) -> None:
            self._scan.close()

    monkeypatch.setattr(os, "scandir", Vanishing)
    assert [ref.path for ref in list_sealed(tmp_path)] == [paths[0], paths[2]]


def test_usage_counts_bytes_rows_and_the_age_of_the_oldest(tmp_path: Path) -> None:
    """What the console and the ledger call "spooled"; an open segment counts with its bytes."""
    first = write_sealed(tmp_path, "1", new_segment_id(60_000, None), RECORDS)
    second = write_sealed(tmp_path, "2", new_segment_id(90_000, None), RECORDS[:5])
    (tmp_path / "2" / f"{new_segment_id(95_000, None)}.open").write_bytes(b"12345")
    found = usage(tmp_path, now_ms=100_000)
    assert found.total_bytes == first.stat().st_size + second.stat().st_size + 5
    assert (found.sealed_segments, found.sealed_rows, found.quarantined_segments) == (2, 25, 0)
    assert found.oldest_age == timedelta(seconds=40)
    assert usage(tmp_path, now_ms=0).oldest_age == timedelta(0)


def test_stillness_is_believed_only_until_anything_comes_goes_or_may_not_be_read(tmp_path: Path) -> None:
    """And not before the last change is old enough for the next one to have another time."""
    (tmp_path / "worker-0").mkdir()
    later = int(time.time() * 1000) + 60_000
    still = Stillness(tmp_path)
    changes: list[Callable[[], object]] = [
        lambda: (tmp_path / "worker-0" / "a").touch(),
        lambda: (tmp_path / "worker-0" / "a").unlink(),
        lambda: (tmp_path / "worker-0").chmod(0o500),
        lambda: (tmp_path / "worker-1").mkdir(),
        lambda: (tmp_path / "worker-1" / "a").touch(),
    ]
    assert not still.goes_on(later)
    for change in changes:
        assert still.goes_on(later)
        assert not still.goes_on(later - 60_000)
        time.sleep(0.02)  # longer than the steps of this filesystem's clock
        change()
        assert not still.goes_on(later)
