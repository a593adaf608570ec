"""How many events wait in the spool, by site and minute. A sealed segment never changes, so it is counted once."""

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
Place = tuple[str, int]
"""Site and start of the minute, in milliseconds."""


class SpoolCounts:
    """Counts of one node's spool; may be asked by several threads at once."""

    def __init__(self, spool_root: Path) -> None:
        self._spool_root = spool_root
        self._sealed: Mapping[UUID, Counter[Place]] = {}

    def by_segment(self) -> dict[str, Counter[Place]]:
        """Events that were accepted or rejected, by segment. Raises OSError."""
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
            if record.WhichOneof("kind") in {"accepted_event", "dead_letter"}:
                place = site_of(record), received_ms(record) // MINUTE_MS * MINUTE_MS
                counted.setdefault(found.segment_id, Counter())[place] += 1
        self._sealed = known | {UUID(segment): counted.get(segment, Counter()) for segment in sealed}
        return counted | {str(segment): counts for segment, counts in known.items()}


def site_of(record: Record) -> str:
    """The site of an event, as it was sent."""
    if record.WhichOneof("kind") == "accepted_event":
        return record.accepted_event.row.site_id
    return record.dead_letter.site_id


def received_ms(record: Record) -> int:
    """When an event was received, in milliseconds since 1970-01-01 UTC."""
    if record.WhichOneof("kind") == "accepted_event":
        return milliseconds(record.accepted_event.row.received_time)
    return record.dead_letter.received_time_ms
