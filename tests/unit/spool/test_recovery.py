"""What a start makes of the files that a death left behind."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from qrumb_server.spool import (
    RecoveryReport,
    SpoolWriter,
    list_sealed,
    read_segment,
    recover,
)
from qrumb_server.spool.format import encode_frames, encode_header, new_segment_id, open_name
from tests.support.faulty_filesystem import FaultyFileSystem

ROOT = Path("/spool")
FOLDER = ROOT / "1"
OpenSpool = Callable[..., Coroutine[Any, Any, SpoolWriter]]

ID = new_segment_id(1_700_000_000_000, None)
RECORDS = [b"zero" * 9, b"one" * 9, b"two" * 9, b"three" * 9]


def image_of(records: list[bytes], segment_id: UUID = ID) -> bytes:
    return encode_header(segment_id) + b"".join(encode_frames(records, 0, segment_id))


WHOLE = image_of(RECORDS)


def left_behind(image: bytes, segment_id: UUID = ID) -> FaultyFileSystem:
    """A disk with one open segment."""
    filesystem = FaultyFileSystem()
    filesystem.make_folder(FOLDER)
    if image:
        filesystem.create(FOLDER / open_name(segment_id)).write(image)
    else:
        filesystem.create(FOLDER / open_name(segment_id))
    return filesystem


def recovered(filesystem: FaultyFileSystem) -> RecoveryReport:
    report = recover(FOLDER, filesystem)
    assert report is not None
    assert [entry for entry in filesystem.list_folder(FOLDER) if entry.name.endswith(".open")] == []
    return report


def test_whole_segment_is_sealed_as_it_is() -> None:
    """A kill between two commits loses nothing."""
    filesystem = left_behind(WHOLE)
    assert recovered(filesystem) == RecoveryReport(segments_sealed=1, rows_kept=4)
    (ref,) = list_sealed(ROOT, filesystem)
    assert ref.segment_id == ID
    segment = read_segment(ref, filesystem)
    assert (segment.row_numbers, segment.records, segment.damage) == ([0, 1, 2, 3], RECORDS, None)


@pytest.mark.parametrize("size", range(len(image_of(RECORDS[:3])), len(WHOLE)))
def test_torn_tail_is_cut_at_any_byte(size: int) -> None:
    """What was not written whole was not acknowledged."""
    filesystem = left_behind(WHOLE[:size])
    whole = len(image_of(RECORDS[:3]))
    assert recovered(filesystem) == RecoveryReport(segments_sealed=1, rows_kept=3, bytes_cut=size - whole)
    (ref,) = list_sealed(ROOT, filesystem)
    assert ref.size_bytes == whole
    segment = read_segment(ref, filesystem)
    assert (segment.records, segment.damage) == (RECORDS[:3], None)


@pytest.mark.parametrize("size", range(len(image_of(RECORDS[:1]))))
def test_first_commit_cut_short_at_any_byte_leaves_nothing(size: int) -> None:
    """Nothing of such a segment was ever acknowledged."""
    filesystem = left_behind(WHOLE[:size])
    assert recovered(filesystem) == RecoveryReport(segments_removed=1)
    assert filesystem.bytes_used() == 0


def test_first_commit_that_a_power_cut_left_blank_is_removed() -> None:
    """Filesystems may show the length before the bytes."""
    assert recovered(left_behind(bytes(5000))) == RecoveryReport(segments_removed=1)
    assert recovered(left_behind(WHOLE[:32] + bytes(5000))) == RecoveryReport(segments_removed=1)


def test_damage_before_whole_frames_keeps_them() -> None:
    """Rows behind a bad spot may be acknowledged rows."""
    image = bytearray(WHOLE)
    image[image.index(b"oneone")] ^= 1
    filesystem = left_behind(bytes(image) + b"torn")
    assert recovered(filesystem) == RecoveryReport(segments_sealed=1, rows_kept=3, rows_missing=1, bytes_cut=4)
    segment = read_segment(list_sealed(ROOT, filesystem)[0], filesystem)
    assert segment.row_numbers == [0, 2, 3]
    assert segment.damage is not None
    assert segment.damage.rows_missing == 1


@pytest.mark.parametrize(
    "image",
    [b"not a segment at all" * 50, image_of(RECORDS[:1])[:-1] + b"?", b"?" * 32 + bytes(3000)],
    ids=["foreign", "the only row damaged", "header damaged"],
)
def test_file_without_a_whole_row_that_was_not_merely_cut_short_is_quarantined(image: bytes) -> None:
    """Its rows may have been acknowledged: a human should see what the disk destroyed."""
    filesystem = left_behind(image)
    assert recovered(filesystem) == RecoveryReport(segments_quarantined=1)
    shelf = ROOT / "quarantine"
    (entry,) = filesystem.list_folder(shelf)
    assert entry.name == f"1.{ID}.open"
    assert filesystem.read(shelf / entry.name) == image
    assert list_sealed(ROOT, filesystem) == []


def test_unreadable_file_is_quarantined() -> None:
    """A start does not fail for one bad file."""
    filesystem = left_behind(WHOLE)
    filesystem.unreadable.add(FOLDER / open_name(ID))
    assert recovered(filesystem) == RecoveryReport(segments_quarantined=1)


def test_file_that_the_disk_will_not_rename_is_left_for_the_next_start() -> None:
    """Recovery goes on with the others and says so."""
    other = new_segment_id(1_700_000_000_000, ID)
    filesystem = left_behind(WHOLE)
    filesystem.create(FOLDER / open_name(other)).write(image_of([b"other"], other))
    filesystem.fail("rename")
    report = recover(FOLDER, filesystem)
    assert report is not None
    assert (report.segments_left, report.segments_sealed) == (1, 1)
    assert recovered(filesystem) == RecoveryReport(segments_sealed=1, rows_kept=4)
    assert [ref.segment_id for ref in list_sealed(ROOT, filesystem)] == [ID, other]


def test_disk_that_refuses_the_cut_still_hands_the_rows_on() -> None:
    """They are durable already; the sealed name tells readers where to stop."""
    filesystem = left_behind(WHOLE[:-1])
    filesystem.fail("truncate")
    assert recovered(filesystem).rows_kept == 3
    segment = read_segment(list_sealed(ROOT, filesystem)[0], filesystem)
    assert (segment.records, segment.damage) == (RECORDS[:3], None)


def test_cut_is_durable_before_the_segment_is_sealed() -> None:
    """A sealed segment does not grow again after a power cut."""
    filesystem = left_behind(WHOLE[:-1])
    filesystem.calls.clear()
    recovered(filesystem)
    assert list(filesystem.calls) == [
        "list_folder", "lock", "read", "open_append", "truncate", "sync", "rename", "sync_folder",
    ]  # fmt: skip


def test_sealed_segments_are_not_read() -> None:
    """A start after hours of outage takes no time: the reader checks what it reads."""
    filesystem = left_behind(WHOLE)
    recovered(filesystem)
    filesystem.calls.clear()
    assert recovered(filesystem) == RecoveryReport()
    assert filesystem.calls["read"] == 0


async def test_folder_with_a_living_owner_is_left_alone(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """The supervisor may ask about any folder."""
    writer = await open_spool()
    await writer.append([b"x"])
    assert recover(FOLDER, filesystem) is None
    await writer.append([b"y"])
    await writer.close()
    assert read_segment(list_sealed(ROOT, filesystem)[0], filesystem).records == [b"x", b"y"]


def test_missing_folder_needs_no_recovery() -> None:
    """Nor does asking about it create it."""
    filesystem = FaultyFileSystem()
    assert recover(FOLDER, filesystem) == RecoveryReport()
    assert filesystem.list_folder(ROOT) == []


async def test_writer_reports_what_it_recovered(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """Opening recovers first, and new segments sort behind the recovered one."""
    writer = await open_spool()
    await writer.append([b"before"])
    filesystem.kill_process()
    successor = await open_spool()
    assert successor.recovery == RecoveryReport(segments_sealed=1, rows_kept=1)
    await successor.append([b"after"])
    await successor.close()
    records = [read_segment(ref, filesystem).records for ref in list_sealed(ROOT, filesystem)]
    assert records == [[b"before"], [b"after"]]
