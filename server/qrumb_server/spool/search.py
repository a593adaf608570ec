"""Looks through what is in the spool now, open segments included, without disturbing its owners.

Invariant: a record that was durable before the search began, and is not released during it, is found. No index is
kept: a segment is searched as bytes first, and read frame by frame only where that hits.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from qrumb_server.spool.filesystem import DISK, FileSystem
from qrumb_server.spool.format import SegmentName, parse_name, scan_segment
from qrumb_server.spool.reader import worker_folders

__all__ = ["FoundRecord", "find_records", "segment_ids"]


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
