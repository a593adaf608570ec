"""Byte layout of a segment and names of segment files.

Invariant: what `scan_segment` returns was written by `encode_frames` for that very segment and row, whatever
the file holds. The work of a scan is linear in the size of the file, whatever the file holds.
"""

import re
import secrets
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

__all__ = [
    "FRAME_HEAD_BYTES",
    "HEADER_BYTES",
    "MAX_RECORD_BYTES",
    "Layout",
    "Scan",
    "SegmentName",
    "encode_frames",
    "encode_header",
    "frame_is_torn",
    "framed_bytes",
    "layout",
    "new_segment_id",
    "open_name",
    "parse_name",
    "scan_segment",
    "sealed_name",
    "segment_text",
    "segment_time_ms",
]

MAX_RECORD_BYTES = 4 * 1024 * 1024
"""gRPC's default bound on a whole request: no event can be longer, nor may a damaged length claim more."""

_MAGIC = b"qrumbseg"
_VERSION = 1
_MARKER = b"\xf1qr\x01"
"""Starts every frame. Not valid UTF-8, so text cannot hold it; its last byte is the layout's version."""

_HEADER = struct.Struct("<8sI16s")
_HEAD = struct.Struct("<4sIII")
_CHECK = struct.Struct("<I")
_FULL_HEAD = struct.Struct("<4sIIII")

HEADER_BYTES = _HEADER.size + _CHECK.size
FRAME_HEAD_BYTES = _FULL_HEAD.size

_MAX_TIME_MS = (1 << 48) - 1
_NAME = re.compile(
    r"(?P<id>[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
    r"\.(?:open|(?P<rows>[0-9]{1,10})\.sealed)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentName:
    """What a file name says. `rows` is None while the segment is open."""

    segment_id: UUID
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The whole frames of a segment: `records[i]` is row `row_numbers[i]`, and row numbers rise strictly."""

    has_header: bool
    row_numbers: list[int]
    records: list[bytes]
    end_bytes: int
    """Where the last whole frame ends; 0 if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the compiled reader of a segment looks for."""

    header: bytes
    marker: bytes
    seed: int
    max_record_bytes: int


def new_segment_id(now_ms: int, previous: UUID | None) -> UUID:
    """A UUIDv7 that sorts behind `previous` even if the clock stepped back.

    The random bits are always fresh: counting up from `previous` could repeat an id whose segment is
    already loaded and gone, and the loader would take the new rows for rows that it has.
    """
    time_ms = now_ms if previous is None else max(now_ms, segment_time_ms(previous) + 1)
    random_bits = secrets.randbits(74)
    head = min(max(time_ms, 0), _MAX_TIME_MS) << 80 | 0x7 << 76 | (random_bits >> 62) << 64
    return UUID(int=head | 0b10 << 62 | random_bits & ((1 << 62) - 1))


def segment_time_ms(segment_id: UUID) -> int:
    """When the segment was begun, by its worker's clock, in milliseconds since 1970."""
    return segment_id.int >> 80


def open_name(segment_id: UUID) -> str:
    """File name while the worker writes."""
    return f"{segment_id}.open"


def sealed_name(segment_id: UUID, rows: int) -> str:
    """File name once the content is final. The count makes a shortened file, or a lost end, visible."""
    return f"{segment_id}.{rows}.sealed"


def parse_name(name: str) -> SegmentName | None:
    """None if this is not a segment's name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    rows = match["rows"]
    return SegmentName(segment_id=UUID(match["id"]), rows=None if rows is None else int(rows))


def segment_text(name: str) -> str:
    """The segment id of a file's name as text; empty if this is not a segment's. Cheap: folders can be large."""
    match = _NAME.fullmatch(name)
    return "" if match is None else match["id"]


def encode_header(segment_id: UUID) -> bytes:
    """The first bytes of a segment."""
    header = _HEADER.pack(_MAGIC, _VERSION, segment_id.bytes)
    return header + _CHECK.pack(crc32(header))


def layout(segment_id: UUID) -> Layout:
    """Of one segment."""
    header = encode_header(segment_id)
    return Layout(header=header, marker=_MARKER, seed=_seed(segment_id), max_record_bytes=MAX_RECORD_BYTES)


def framed_bytes(records: Sequence[bytes]) -> int:
    """Bytes that these records take in a segment."""
    return sum(map(len, records)) + FRAME_HEAD_BYTES * len(records)


def encode_frames(records: Iterable[bytes], first_row: int, segment_id: UUID) -> list[bytes]:
    """Frames as pieces to be joined: row `first_row` upwards."""
    seed = _seed(segment_id)
    pieces: list[bytes] = []
    for row, record in enumerate(records, first_row):
        head = _HEAD.pack(_MARKER, len(record), row, crc32(record))
        pieces += (head, _CHECK.pack(crc32(head, seed)), record)
    return pieces


def scan_segment(image: bytes, segment_id: UUID) -> Scan:
    """Find every whole frame of this segment in `image`. Raises nothing.

    A frame head that passes its check is trusted for its length: the search goes on behind the frame even
    if its payload is damaged. So no byte is summed twice, and payloads that imitate frames are not entered.
    """
    row_numbers: list[int] = []
    records: list[bytes] = []
    seed, size = _seed(segment_id), len(image)
    position, end, last_row = HEADER_BYTES, 0, -1
    while position >= 0:
        head = _read_head(image, position, seed)
        if head is None or position + FRAME_HEAD_BYTES + head[0] > size:
            position = image.find(_MARKER, position + 1)
            continue
        length, row, check = head
        start = position + FRAME_HEAD_BYTES
        position = start + length
        record = image[start:position]
        if row > last_row and crc32(record) == check:
            row_numbers.append(row)
            records.append(record)
            last_row, end = row, position
    has_header = image[:HEADER_BYTES] == encode_header(segment_id)
    return Scan(has_header=has_header, row_numbers=row_numbers, records=records, end_bytes=end)


def frame_is_torn(image: bytes, position: int, segment_id: UUID) -> bool:
    """Whether the frame at `position` was begun but runs past the end of `image`."""
    if len(image) < position + FRAME_HEAD_BYTES:
        return True
    head = _read_head(image, position, _seed(segment_id))
    return head is not None and position + FRAME_HEAD_BYTES + head[0] > len(image)


def _read_head(image: bytes, position: int, seed: int) -> tuple[int, int, int] | None:
    """Length, row and payload checksum of this segment's frame at `position`; None if none starts there."""
    if position + FRAME_HEAD_BYTES > len(image):
        return None
    marker, length, row, check, head_check = _FULL_HEAD.unpack_from(image, position)
    if marker != _MARKER or length > MAX_RECORD_BYTES:
        return None
    if crc32(image[position : position + _HEAD.size], seed) != head_check:
        return None
    return length, row, check


def _seed(segment_id: UUID) -> int:
    """Start value of the head checksums: ties a frame to its segment.

    A sender cannot know it, so a payload that contains a frame is not mistaken for one; nor is a block of an
    older segment that the disk shows after a power cut.
    """
    return crc32(segment_id.bytes)
