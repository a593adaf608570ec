"""What a worker's death left behind, made ready for the loader.

Invariant: afterwards every acknowledged row that the disk still has is in a sealed segment. No state of a
file makes it fail: what it cannot judge it moves to quarantine, what it cannot move it leaves.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from qrumb_server.spool.filesystem import FileSystem
from qrumb_server.spool.format import (
    HEADER_BYTES,
    Scan,
    encode_header,
    frame_is_torn,
    parse_name,
    scan_segment,
    sealed_name,
)

__all__ = ["LOCK_NAME", "RecoveryReport", "quarantine_file", "recover", "recover_locked"]

LOCK_NAME = "lock"
"""Held by the folder's owner. Never removed: a second file of that name would be a second lock."""

QUARANTINE_FOLDER = "quarantine"

_Fate = Literal["sealed", "removed", "quarantined", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryReport:
    """What was found. All zero after an orderly end."""

    segments_sealed: int = 0
    segments_removed: int = 0
    """They held no whole record: the worker died in the segment's first commit."""
    segments_quarantined: int = 0
    segments_left: int = 0
    """The disk refused even the rename; the next start tries again."""
    rows_kept: int = 0
    rows_missing: int = 0
    """Known holes between kept rows. The reader of the segment reports the rows again."""
    bytes_cut: int = 0


def recover(folder: Path, filesystem: FileSystem) -> RecoveryReport | None:
    """Recover a folder whose worker is gone for good; None if it has an owner.

    Raises:
        OSError: the folder cannot be locked or listed.
    """
    if not filesystem.list_folder(folder):
        return RecoveryReport()
    release = filesystem.lock(folder / LOCK_NAME)
    if release is None:
        return None
    try:
        return recover_locked(folder, filesystem)
    finally:
        release()


def recover_locked(folder: Path, filesystem: FileSystem) -> RecoveryReport:
    """Recover a folder whose lock the caller holds. Reads open segments only; sealed ones are checked when
    read.

    Raises:
        OSError: the folder cannot be listed or synced.
    """
    counts: Counter[str] = Counter()
    for entry in sorted(filesystem.list_folder(folder), key=lambda entry: entry.name):
        name = parse_name(entry.name)
        if name is None or name.rows is not None:
            continue
        fate = _recover_segment(folder / entry.name, name.segment_id, filesystem, counts)
        counts[f"segments_{fate}"] += 1
    if counts:
        filesystem.sync_folder(folder)
    return RecoveryReport(**counts)


def quarantine_file(path: Path, filesystem: FileSystem) -> None:
    """Move a worker's file out of the way, for a human to look at. Raises OSError.

    Not synced: if a power cut undoes the move, the segment is met and moved again.
    """
    shelf = path.parent.parent / QUARANTINE_FOLDER
    filesystem.make_folder(shelf)
    filesystem.rename(path, shelf / f"{path.parent.name}.{path.name}")


def _recover_segment(path: Path, segment_id: UUID, filesystem: FileSystem, counts: Counter[str]) -> _Fate:
    try:
        try:
            image = filesystem.read(path)
        except OSError:
            quarantine_file(path, filesystem)
            return "quarantined"
        scan = scan_segment(image, segment_id)
        if scan.row_numbers:
            _cut(path, scan, len(image), filesystem, counts)
            rows = scan.row_numbers[-1] + 1
            filesystem.rename(path, path.with_name(sealed_name(segment_id, rows)))
            counts["rows_kept"] += len(scan.row_numbers)
            counts["rows_missing"] += rows - len(scan.row_numbers)
            return "sealed"
        if _was_never_acknowledged(image, segment_id):
            filesystem.unlink(path)
            return "removed"
        quarantine_file(path, filesystem)
    except OSError:
        return "left"
    return "quarantined"


def _cut(path: Path, scan: Scan, size_bytes: int, filesystem: FileSystem, counts: Counter[str]) -> None:
    """Cut what follows the last whole frame, and make the rest durable.

    Nothing is lost if the disk refuses: acknowledged rows are durable already, and readers stop at the count
    in the sealed name.
    """
    try:
        file = filesystem.open_append(path)
        try:
            if scan.end_bytes < size_bytes:
                file.truncate(scan.end_bytes)
                counts["bytes_cut"] += size_bytes - scan.end_bytes
            file.sync()
        finally:
            file.close()
    except OSError:
        return


def _was_never_acknowledged(image: bytes, segment_id: UUID) -> bool:
    """Whether a file without a whole frame looks like a first commit cut short, not like damage."""
    if _is_blank(image):
        return True
    header, body = image[:HEADER_BYTES], image[HEADER_BYTES:]
    if not encode_header(segment_id).startswith(header):
        return False
    return _is_blank(body) or frame_is_torn(image, HEADER_BYTES, segment_id)


def _is_blank(image: bytes) -> bool:
    return image.count(0) == len(image)
