"""Events in the spool are counted by site and minute, a sealed segment once."""

from collections import Counter
from pathlib import Path

import pytest

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.instants import timestamp
from qrumb_server.query import spool_counts
from qrumb_server.query.spool_counts import SpoolCounts
from qrumb_server.spool.format import encode_frames, encode_header, new_segment_id, open_name, sealed_name
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter, Record, RegistrationRefusal, SessionRegistration

MINUTE = 60_000
RECORDS = [
    Record(accepted_event=AcceptedEvent(row=EventRow(site_id="a", received_time=timestamp(MINUTE)))),
    Record(accepted_event=AcceptedEvent(row=EventRow(site_id="a", received_time=timestamp(2 * MINUTE - 1)))),
    Record(dead_letter=DeadLetter(site_id="b", received_time_ms=2 * MINUTE)),
    Record(session_registration=SessionRegistration(received_time_ms=MINUTE)),
    Record(registration_refusal=RegistrationRefusal(site_id="b", received_time_ms=MINUTE, number=7)),
]
COUNTS = Counter({("a", MINUTE, False): 2, ("b", 2 * MINUTE, False): 1, ("", MINUTE, True): 1, ("b", MINUTE, True): 7})


def write(root: Path, time_ms: int, *, is_sealed: bool) -> tuple[str, Path]:
    """A segment; its id and its file."""
    segment_id = new_segment_id(time_ms, None)
    name = sealed_name(segment_id, len(RECORDS)) if is_sealed else open_name(segment_id)
    path = root / "worker-0" / name
    path.parent.mkdir(exist_ok=True)
    records = [record.SerializeToString() for record in RECORDS]
    path.write_bytes(encode_header(segment_id) + b"".join(encode_frames(records, 0, segment_id)))
    return str(segment_id), path


def test_open_and_sealed_segments_are_counted(tmp_path: Path) -> None:
    one, _path = write(tmp_path, 1_000, is_sealed=True)
    two, _path = write(tmp_path, 2_000, is_sealed=False)
    assert SpoolCounts(tmp_path).by_segment() == {one: COUNTS, two: COUNTS}


def test_a_sealed_segment_is_read_once_and_forgotten_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    find = spool_counts.find_records

    def watched(*arguments: object, **options: object) -> object:
        for found in find(*arguments, **options):  # type: ignore[arg-type]
            read.append(found.segment_id)
            yield found

    monkeypatch.setattr(spool_counts, "find_records", watched)
    one, path = write(tmp_path, 1_000, is_sealed=True)
    two, _path = write(tmp_path, 2_000, is_sealed=False)
    counts = SpoolCounts(tmp_path)
    for _ in range(3):
        assert counts.by_segment() == {one: COUNTS, two: COUNTS}
    assert Counter(read) == {one: 5, two: 15}
    path.unlink()
    assert counts.by_segment() == {two: COUNTS}
