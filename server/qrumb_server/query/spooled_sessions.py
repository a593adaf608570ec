"""Scan sessions that wait in the spool, for a dry run: the loader would have them before it takes the event."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from qrumb_server.loader.lookups import SessionKey
from qrumb_server.loader.rows import PlacedSession, RowId
from qrumb_server.spool.reader import find_records, usage
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["find_sessions"]

# What can be looked through while the caller waits; the spool is small unless the store was away.
SEARCHED_BYTES: Final = 32 * 1024 * 1024
SEARCHED_SESSIONS: Final = 20


def find_sessions(spool_root: Path, keys: Collection[SessionKey]) -> list[PlacedSession] | None:
    """Registrations of these sessions; None where it was not looked, since it would take too long or cannot be read."""
    try:
        if len(keys) > SEARCHED_SESSIONS or usage(spool_root, now_ms=0).total_bytes > SEARCHED_BYTES:
            return None
        return [placed for key in sorted(keys) for placed in _registrations(spool_root, key)]
    except OSError:
        return None


def _registrations(spool_root: Path, key: SessionKey) -> Iterator[PlacedSession]:
    for found in find_records(spool_root, key[1].encode()):
        try:
            record = Record.FromString(found.record)
        except DecodeError:
            continue  # written by a newer version: not ours to read
        sent = record.session_registration.scan_session
        if (sent.site_id, sent.scan_session_id) == key:
            place = RowId(segment_id=found.segment_id, segment_row=found.row)
            yield PlacedSession(row_id=place, registration=record.session_registration)
