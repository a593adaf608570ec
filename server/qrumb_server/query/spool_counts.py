"""How many events and registrations wait in the spool, by site and minute. A sealed segment never changes: it is
counted once."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

from google.protobuf.message import DecodeError

from qrumb_server.instants import milliseconds
from qrumb_server.spool.reader import find_records, segment_ids
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["MINUTE_MS", "SpoolCounts", "received_ms", "site_of"]

MINUTE_MS: Final = 60_000
Place = tuple[str, int, bool]
"""Site, start of the minute in milliseconds, and whether registrations of scan sessions are counted, or events."""


class SpoolCounts:
    """Counts of one node's spool; may be asked by several threads at once."""

    def __init__(self, spool_root: Path) -> None:
        self._spool_root = spool_root
        self._sealed: Mapping[UUID, Counter[Place]] = {}

    def by_segment(self) -> dict[str, Counter[Place]]:
        """What was accepted or rejected, by segment. Raises OSError."""
        present = segment_ids(self._spool_root)
        known = {segment: counts for segment, counts in self._sealed.items() if segment in present}
        counted: dict[str, Counter[Place]] = {}
        sealed = set()
        for found in find_records(self._spool_root, b"", leave_out=known):
            if found.is_sealed:
                sealed.add(found.segment_id)
            try:
                record = Record.FromString(found.record)
            except DecodeError:
                continue  # written by a newer version: not ours to report
            if record.WhichOneof("kind"):  # else: a newer version's
                counts = counted.setdefault(found.segment_id, Counter())
                number = record.registration_refusal.number or 1
                counts[site_of(record), received_ms(record) // MINUTE_MS * MINUTE_MS, _is_scan(record)] += number
        self._sealed = known | {UUID(segment): counted.get(segment, Counter()) for segment in sealed}
        return counted | {str(segment): counts for segment, counts in known.items()}


def site_of(record: Record) -> str:
    """The site of what was received, as it was sent."""
    match record.WhichOneof("kind"):
        case "accepted_event":
            return record.accepted_event.row.site_id
        case "session_registration":
            return record.session_registration.scan_session.site_id
        case "registration_refusal":
            return record.registration_refusal.site_id
        case _:
            return record.dead_letter.site_id


def received_ms(record: Record) -> int:
    """When it was received, in milliseconds since 1970-01-01 UTC."""
    match record.WhichOneof("kind"):
        case "accepted_event":
            return milliseconds(record.accepted_event.row.received_time)
        case "session_registration":
            return record.session_registration.received_time_ms
        case "registration_refusal":
            return record.registration_refusal.received_time_ms
        case _:
            return record.dead_letter.received_time_ms


def _is_scan(record: Record) -> bool:
    return record.WhichOneof("kind") in {"session_registration", "registration_refusal"}
