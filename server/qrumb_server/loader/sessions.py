"""Registered scan sessions: from registrations, in any order and any number, to one row each.

The earliest scan says which QR code it was and when, and who where it names a user; else a later one says who. Of two
at the same time the version's tie decides, so it does not matter in which order they come. What two registrations make
together has a higher version than either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, Final

from qrumb_server.instants import milliseconds
from qrumb_server.loader.lookups import KnownSession, SessionKey
from qrumb_server.loader.rows import SCAN_SESSIONS, PlacedSession
from qrumb_server.ports import TableBatch

__all__ = ["merge_sessions", "session_batch"]

_QR_BITS: Final = 12
_USER_BITS: Final = 8
_LATEST_MS: Final = (1 << 42) - 1
_HAS_USER: Final = 1 << 63


def merge_sessions(
    registrations: Sequence[PlacedSession], known: Mapping[SessionKey, KnownSession]
) -> dict[SessionKey, KnownSession]:
    """The sessions that registrations change, as they are now."""
    merged: dict[SessionKey, KnownSession] = {}
    for placed in registrations:
        sent = placed.registration.scan_session
        key = sent.site_id, sent.scan_session_id
        before = merged.get(key) or known.get(key)
        stated = KnownSession(
            qr_code_id=sent.qr_code_id, user_id=sent.user_id, scan_time_ms=milliseconds(sent.scan_time)
        )
        after = stated if before is None or before.is_foreign else _merge(before, stated)
        if after != before:
            merged[key] = after
    return merged


def session_batch(sessions: Mapping[SessionKey, KnownSession], registrations: Sequence[PlacedSession]) -> TableBatch:
    """The rows of events.scan_sessions."""
    last = {
        (placed.registration.scan_session.site_id, placed.registration.scan_session.scan_session_id): placed
        for placed in registrations
    }
    placed = [last[key] for key in sessions]
    columns: dict[str, list[Any]] = {
        "site_id": [site_id for site_id, _session_id in sessions],
        "scan_session_id": [session_id for _site_id, session_id in sessions],
        "qr_code_id": [session.qr_code_id for session in sessions.values()],
        "user_id": [session.user_id for session in sessions.values()],
        "scan_time": [session.scan_time_ms for session in sessions.values()],
        "received_time": [one.registration.received_time_ms for one in placed],
        "version": [_version(session) for session in sessions.values()],
        "segment_id": [one.row_id.segment_id for one in placed],
        "segment_row": [one.row_id.segment_row for one in placed],
    }
    return TableBatch(table=SCAN_SESSIONS, columns=list(columns), data=list(columns.values()))


def _merge(one: KnownSession, other: KnownSession) -> KnownSession:
    first, second = sorted((one, other), key=lambda session: (session.scan_time_ms or 0, -_tie(session)))
    return replace(first, user_id=first.user_id or second.user_id)


def _version(session: KnownSession) -> int:
    earliness = _LATEST_MS - min(max(session.scan_time_ms or 0, 0), _LATEST_MS)
    return (_HAS_USER if session.user_id else 0) | earliness << (_QR_BITS + _USER_BITS) | _tie(session)


def _tie(session: KnownSession) -> int:
    """Decides between scans of the same time: by the code first, so that learning the user changes no code."""
    user = _hash(session.user_id, _USER_BITS) if session.user_id else 0
    return _hash(session.qr_code_id, _QR_BITS) << _USER_BITS | user


def _hash(text: str, bits: int) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest()) >> (32 - bits)
