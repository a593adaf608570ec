"""Damaged segments: only what was hit is lost, it is counted, and nothing is invented."""

import time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qrumb_server.spool import list_sealed, read_segment
from qrumb_server.spool.format import (
    FRAME_HEAD_BYTES,
    HEADER_BYTES,
    MAX_RECORD_BYTES,
    encode_frames,
    encode_header,
    new_segment_id,
    parse_name,
    scan_segment,
    sealed_name,
    segment_time_ms,
)
from tests.support.patience import patient

ID = new_segment_id(1_700_000_000_000, None)
records_lists = st.lists(st.binary(max_size=60), min_size=1, max_size=12)


def image_of(records: list[bytes]) -> bytes:
    return encode_header(ID) + b"".join(encode_frames(records, 0, ID))


def extents(records: list[bytes]) -> list[range]:
    """Which bytes of the file each row occupies."""
    found, start = [], HEADER_BYTES
    for record in records:
        end = start + FRAME_HEAD_BYTES + len(record)
        found.append(range(start, end))
        start = end
    return found


@settings(deadline=None, max_examples=300)
@given(records=records_lists, hits=st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=6))
def test_flipped_bytes_cost_only_the_rows_they_hit(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], hits: list[tuple[int, int]]
) -> None:
    """On a real sealed file; the report counts exactly the rows that were hit."""
    whole = image_of(records)
    image = bytearray(whole)
    for position, mask in hits:
        image[position % len(image)] ^= mask
    hit = {position for position, (old, new) in enumerate(zip(whole, image, strict=True)) if old != new}
    root = tmp_path_factory.mktemp("spool")
    (root / "1").mkdir()
    (root / "1" / sealed_name(ID, len(records))).write_bytes(image)

    segment = read_segment(list_sealed(root)[0])

    rows = extents(records)
    expected = [row for row, extent in enumerate(rows) if hit.isdisjoint(extent)]
    assert segment.row_numbers == expected
    assert segment.records == [records[row] for row in expected]
    if not hit:
        assert segment.damage is None
        return
    assert segment.damage is not None
    assert segment.damage.rows_missing == len(records) - len(expected)
    assert segment.damage.header_lost == any(position < HEADER_BYTES for position in hit)
    lost_bytes = sum(len(extent) for row, extent in enumerate(rows) if row not in expected)
    assert segment.damage.bytes_skipped == lost_bytes


@settings(deadline=None, max_examples=300)
@given(
    records=records_lists,
    cut=st.tuples(st.integers(0), st.integers(0)),
    filler=st.binary(max_size=80),
)
def test_replaced_stretch_never_invents_or_changes_a_row(
    records: list[bytes], cut: tuple[int, int], filler: bytes
) -> None:
    """Bytes may also be missing or added; the rows before the stretch survive."""
    whole = image_of(records)
    start, end = sorted(place % (len(whole) + 1) for place in cut)
    scan = scan_segment(whole[:start] + filler + whole[end:], ID)
    found = dict(zip(scan.row_numbers, scan.records, strict=True))
    assert all(records[row] == record for row, record in found.items())
    before = [row for row, extent in enumerate(extents(records)) if extent.stop <= start]
    assert set(before) <= set(found)


@settings(deadline=None, max_examples=300)
@given(image=st.binary(max_size=400))
def test_any_bytes_are_scanned_without_an_error(image: bytes) -> None:
    """No file crashes a reader, and none yields a row that was not written for this segment."""
    assert scan_segment(image, ID).records == []


@given(now_ms=st.integers(-10, 1 << 49), earlier_ms=st.none() | st.integers(0, (1 << 48) - 2))
def test_segment_ids_are_uuid7_and_rise(now_ms: int, earlier_ms: int | None) -> None:
    """Whatever the clock says."""
    previous = None if earlier_ms is None else new_segment_id(earlier_ms, None)
    segment_id = new_segment_id(now_ms, previous)
    assert (segment_id.version, segment_id.variant) == (7, UUID(int=0x8 << 60).variant)
    assert previous is None or segment_id > previous
    name = parse_name(sealed_name(segment_id, 7))
    assert name is not None
    assert (name.segment_id, name.rows) == (segment_id, 7)
    if previous is None and 0 <= now_ms < 1 << 48:
        assert segment_time_ms(segment_id) == now_ms


def hostile_images(size: int) -> dict[str, bytes]:
    """Bytes made to keep a scan busy by one who knows the layout and even the segment's id."""
    head = b"".join(encode_frames([b""], 0, ID))[:16]
    forged = b"".join(encode_frames([bytes(1000)], 3, ID))[:FRAME_HEAD_BYTES]
    longest = b"".join(encode_frames([bytes(MAX_RECORD_BYTES)], 3, ID))[:FRAME_HEAD_BYTES]
    return {
        "markers": b"\xf1qr\x01" * (size // 4),
        "heads with a wrong check": head * (size // 16),
        "true heads, short": forged * (size // FRAME_HEAD_BYTES),
        "true heads, longest": longest * (size // FRAME_HEAD_BYTES),
        "first byte of a marker": b"\xf1" * size,
    }


@pytest.mark.parametrize("kind", hostile_images(0))
def test_hostile_content_is_scanned_in_linear_time(kind: str) -> None:
    """Twice the bytes take about twice the time, and a whole segment of them takes no more than a moment."""
    seconds = []
    for size in (2 << 20, 8 << 20):
        image = encode_header(ID) + hostile_images(size)[kind]
        begun = time.process_time()
        assert scan_segment(image, ID).records == []
        seconds.append(time.process_time() - begun)
    assert seconds[1] < 4 * 4 * max(seconds[0], 0.01)
    assert seconds[1] < patient(2)
