"""The loader's side of the spool: find sealed segments, read them, let them go, and search what is there now.

Invariant: a `Segment` holds only rows that the worker appended, each under the number it will always have. Damage takes
away rows and says so; it never changes one and never raises.

A search looks into open segments too, without disturbing their owners: a record that was durable before the search
began, and is not released during it, is found. No index is kept: a segment is searched as bytes first, and read frame
by frame only where that hits.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from qrumb_server.spool.filesystem import DISK, FileSystem, FolderEntry, fault_text
from qrumb_server.spool.format import (
    HEADER_BYTES,
    Layout,
    SegmentName,
    framed_bytes,
    layout,
    parse_name,
    scan_segment,
    segment_time_ms,
)
from qrumb_server.spool.recovery import QUARANTINE_FOLDER, quarantine_file

__all__ = [
    "Damage",
    "FoundRecord",
    "Segment",
    "SegmentRef",
    "SpoolUsage",
    "Stillness",
    "find_records",
    "list_sealed",
    "open_times_ms",
    "quarantine",
    "read_segment",
    "read_whole",
    "release",
    "remove_quarantined",
    "segment_ids",
    "usage",
    "worker_folders",
]

_Taken = TypeVar("_Taken")

# Longer than the steps in which any filesystem counts time, two seconds of FAT's left out.
STILL_AFTER_MS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRef:
    """A sealed segment as its name describes it; nothing was read yet."""

    path: Path
    segment_id: UUID
    rows: int
    """As sealed: a damaged segment yields fewer."""
    size_bytes: int

    @property
    def begun_time_ms(self) -> int:
        """When its first record arrived, by its worker's clock."""
        return segment_time_ms(self.segment_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What the disk destroyed of a segment."""

    rows_missing: int
    bytes_skipped: int
    """Bytes that belong to no surviving row."""
    header_lost: bool
    """Alone it costs no row: the name says which segment this is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Rows of a segment: `records[i]` is row `row_numbers[i]`; numbers rise, with holes for lost rows."""

    segment_id: str
    row_numbers: list[int]
    records: list[bytes]
    damage: Damage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolUsage:
    """What waits for the loader. How many rows the open segments hold, only their workers know."""

    total_bytes: int
    """All files of all worker folders, open segments included."""
    folder_bytes: Mapping[str, int]
    """The same by folder."""
    sealed_segments: int
    sealed_rows: int
    quarantined_segments: int
    oldest_age: timedelta | None
    faults: Sequence[str] = ()
    """What could not be looked at and is missing in the numbers, in words for everybody."""


def list_sealed(spool_root: Path, filesystem: FileSystem = DISK) -> list[SegmentRef]:
    """Sealed segments of all worker folders, oldest first. Files may come and go meanwhile.

    Raises:
        OSError: a folder cannot be listed. A missing one is empty.
    """
    found = [
        ref
        for folder in worker_folders(spool_root, filesystem)
        for ref in _sealed_of(folder, filesystem.list_folder(folder))
    ]
    return sorted(found, key=lambda ref: ref.segment_id)


def open_times_ms(spool_root: Path, filesystem: FileSystem = DISK) -> list[int]:
    """When the segments that workers still write were begun, by the workers' clocks. Raises OSError."""
    names = (
        parse_name(entry.name)
        for folder in worker_folders(spool_root, filesystem)
        for entry in filesystem.list_folder(folder)
    )
    return [segment_time_ms(name.segment_id) for name in names if name is not None and name.rows is None]


def read_segment(ref: SegmentRef, filesystem: FileSystem = DISK) -> Segment:
    """Read every surviving row.

    Rows behind the sealed count were never acknowledged (a failed commit that could not be cut off): left
    out.

    Raises:
        OSError: the file is gone or may not be read; what it holds raises nothing.
    """
    image = filesystem.read(ref.path)
    scan = scan_segment(image, ref.segment_id)
    count = bisect_left(scan.row_numbers, ref.rows)
    row_numbers, records = scan.row_numbers[:count], scan.records[:count]
    rows_missing = ref.rows - count
    damage = None
    if rows_missing or not scan.has_header:
        bytes_skipped = len(image) - HEADER_BYTES - framed_bytes(records) if rows_missing else 0
        damage = Damage(rows_missing=rows_missing, bytes_skipped=max(bytes_skipped, 0), header_lost=not scan.has_header)
    return Segment(segment_id=str(ref.segment_id), row_numbers=row_numbers, records=records, damage=damage)


def read_whole(
    ref: SegmentRef, take: Callable[[bytes, str, Layout, int], _Taken], filesystem: FileSystem = DISK
) -> _Taken:
    """What another reader makes of a segment's bytes, its name, how it is laid out and its number of rows.

    Raises:
        OSError: the file is gone or may not be read.
    """
    return take(filesystem.read(ref.path), str(ref.segment_id), layout(ref.segment_id), ref.rows)


def release(ref: SegmentRef, filesystem: FileSystem = DISK) -> None:
    """Remove a segment whose rows are all stored. Releasing twice is fine. Raises OSError.

    The folder is not synced, so after a power cut a released segment may be back, under its sealed name or
    found open and sealed again. A sync here would only narrow that window: the loader can also die between
    the insert and the unlink. So the loader must send every segment that may be older than its own start
    with `insert_missing`, and only segments begun after it with `insert`.
    """
    with contextlib.suppress(FileNotFoundError):
        filesystem.unlink(ref.path)


def quarantine(ref: SegmentRef, filesystem: FileSystem = DISK) -> None:
    """Put a damaged segment aside once its surviving rows are stored. Twice is fine. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        quarantine_file(ref.path, filesystem)


def remove_quarantined(spool_root: Path, needles: Sequence[bytes], filesystem: FileSystem = DISK) -> int:
    """Remove the quarantined files that hold one of the needles; returns how many. Raises OSError.

    What could be read of them was stored before they were put aside.
    """
    folder = spool_root / QUARANTINE_FOLDER
    removed = 0
    for entry in filesystem.list_folder(folder):
        if entry.is_folder:
            continue
        with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
            image = filesystem.read(folder / entry.name)
            if any(needle in image for needle in needles):
                filesystem.unlink(folder / entry.name)
                removed += 1
    return removed


def usage(spool_root: Path, filesystem: FileSystem = DISK, *, now_ms: int) -> SpoolUsage:
    """How much waits, and for how long the oldest has. Never raises an OSError: what cannot be looked at is named."""
    faults: list[str] = []

    def entries(folder: Path) -> list[FolderEntry]:
        try:
            return filesystem.list_folder(folder)
        except OSError as error:
            faults.append(fault_text(error, spool_root))
            return []

    folder_bytes: dict[str, int] = {}
    sealed_segments = sealed_rows = quarantined_segments = 0
    oldest: UUID | None = None
    for folder in entries(spool_root):
        if folder.name == QUARANTINE_FOLDER:
            quarantined_segments = len(entries(spool_root / folder.name))
            continue
        for entry in entries(spool_root / folder.name) if folder.is_folder else ():
            folder_bytes[folder.name] = folder_bytes.get(folder.name, 0) + entry.size_bytes
            name = parse_name(entry.name)
            if name is not None and name.rows is not None:
                sealed_segments += 1
                sealed_rows += name.rows
                oldest = name.segment_id if oldest is None else min(oldest, name.segment_id)
    # a clock that stepped back would make ages negative
    oldest_age = None if oldest is None else timedelta(milliseconds=max(now_ms - segment_time_ms(oldest), 0))
    return SpoolUsage(
        total_bytes=sum(folder_bytes.values()),
        folder_bytes=folder_bytes,
        sealed_segments=sealed_segments,
        sealed_rows=sealed_rows,
        quarantined_segments=quarantined_segments,
        oldest_age=oldest_age,
        faults=faults,
    )


class Stillness:
    """Whether files came or went in the folders of a spool, by the folders' own times: a twentieth of listing them."""

    def __init__(self, spool_root: Path) -> None:
        self._spool_root = spool_root
        self.folders: Sequence[Path] = ()
        """That were looked at last."""
        self._seen: Sequence[tuple[int, ...]] = ()

    def goes_on(self, now_ms: int) -> bool:
        """True where nothing came or went since the last call; its answer is for those who looked after that call.

        What changed within the last second may change again without another time. Raises OSError.
        """
        try:
            seen = [_state_of(folder) for folder in self.folders]
        except OSError:  # listing says which folder it is that may not be used, or is gone
            seen = []
        if seen and seen == self._seen and max(state[0] for state in seen) < (now_ms - STILL_AFTER_MS) * 1_000_000:
            return True
        self.folders = [self._spool_root, *worker_folders(self._spool_root)]
        self._seen = [_state_of(folder) for folder in self.folders]
        return False


def _state_of(folder: Path) -> tuple[int, ...]:
    """Its time changes with its entries and with its rights."""
    found = folder.stat()
    return found.st_ctime_ns, found.st_ino, found.st_dev


def _sealed_of(folder: Path, entries: Sequence[FolderEntry]) -> list[SegmentRef]:
    named = ((entry, parse_name(entry.name)) for entry in entries)
    return [
        SegmentRef(path=folder / entry.name, segment_id=name.segment_id, rows=name.rows, size_bytes=entry.size_bytes)
        for entry, name in named
        if name is not None and name.rows is not None
    ]


def worker_folders(spool_root: Path, filesystem: FileSystem = DISK) -> list[Path]:
    """Folders of the workers, living and gone. Raises OSError."""
    return [
        spool_root / entry.name
        for entry in filesystem.list_folder(spool_root)
        if entry.is_folder and entry.name != QUARANTINE_FOLDER
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRecord:
    """One record of the spool and its place."""

    segment_id: str
    row: int
    record: bytes
    is_sealed: bool
    """Its segment never changes again."""


def find_records(
    spool_root: Path, needle: bytes, filesystem: FileSystem = DISK, *, leave_out: Container[UUID] = ()
) -> Iterator[FoundRecord]:
    """Records that contain `needle` in their bytes. Files may come and go meanwhile. Raises OSError.

    Args:
        leave_out: segments that are not read.
    """
    for folder in worker_folders(spool_root, filesystem):
        for entry in filesystem.list_folder(folder):
            name = parse_name(entry.name)
            if name is not None and name.segment_id not in leave_out:
                yield from _find_in(folder, entry.name, name, needle, filesystem)


def segment_ids(spool_root: Path, filesystem: FileSystem = DISK) -> set[UUID]:
    """The segments that are there, the open ones included. Raises OSError."""
    names = (
        parse_name(entry.name)
        for folder in worker_folders(spool_root, filesystem)
        for entry in filesystem.list_folder(folder)
    )
    return {name.segment_id for name in names if name is not None}


def _find_in(
    folder: Path, file_name: str, name: SegmentName, needle: bytes, filesystem: FileSystem
) -> Iterator[FoundRecord]:
    try:
        image = filesystem.read(folder / file_name)
    except FileNotFoundError:
        # Sealed since it was listed: there under its new name, or loaded already.
        for entry in filesystem.list_folder(folder):
            renamed = parse_name(entry.name)
            if renamed is not None and renamed.segment_id == name.segment_id and entry.name != file_name:
                yield from _find_in(folder, entry.name, renamed, needle, filesystem)
        return
    if needle not in image:
        return
    scan = scan_segment(image, name.segment_id)
    for row, record in zip(scan.row_numbers, scan.records, strict=True):
        if needle in record and (name.rows is None or row < name.rows):
            yield FoundRecord(segment_id=str(name.segment_id), row=row, record=record, is_sealed=name.rows is not None)
