"""Registered scan sessions: from registrations, in any order and any number, to one row each.

The earliest scan says which QR code it was, when, and what is known of its visitor; the earliest that names a user says
who, unless that user was erased: then none does any more, or a repeat would bring the person back. Each is a maximum of
ranks, so it does not matter in which order registrations come. A merged row has a higher version than those before.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

from qrumb_server.instants import milliseconds
from qrumb_server.loader.changes import HOUR_MS, SCANS, ChangedHours, Hour
from qrumb_server.loader.erased import without_person
from qrumb_server.loader.lookups import KnownSession, Lookups, ScanRow, SessionKey
from qrumb_server.loader.rows import SCAN_SESSIONS, PlacedSession
from qrumb_server.loader.velocity import RateCounter
from qrumb_server.model import FraudReason, SitePolicy
from qrumb_server.pipeline.mark import kept_reasons
from qrumb_server.ports import TableBatch
from qrumb_server.wire.v1.record_pb2 import SessionRegistration

__all__ = [
    "ScanRates",
    "keys_of",
    "lost_codes",
    "merge_sessions",
    "new_sessions",
    "session_batch",
    "session_hours",
    "take_sessions",
]

_TIE_BITS: Final = 20
_TIES: Final = (1 << _TIE_BITS) - 1
_LATEST_MS: Final = (1 << 42) - 1
_HAS_USER: Final = 1 << 63


class ScanRates:
    """Marks scans of an address that has more of them within a minute than a crowd; belongs to the loader's thread."""

    def __init__(self, policy: Callable[[str], SitePolicy]) -> None:
        self._policy = policy
        self._rates = RateCounter()

    def marked(self, registrations: Sequence[PlacedSession]) -> Sequence[PlacedSession]:
        """The same registrations, the mark in those that it is for."""
        for placed in registrations:
            registration = placed.registration
            if not (ip_key := registration.facts.ip_key):
                continue
            site_id = registration.scan_session.site_id
            rules = self._policy(site_id).fraud
            rate = self._rates.count((site_id, ip_key), registration.received_time_ms)
            if rate > rules.address_scans_per_minute:
                found = {*registration.facts.fraud_reasons, *kept_reasons([FraudReason.ADDRESS_VELOCITY], rules)}
                registration.facts.fraud_reasons[:] = sorted(found)
        return registrations


def keys_of(registrations: Iterable[PlacedSession]) -> set[SessionKey]:
    """The sessions that registrations are of."""
    return {
        (placed.registration.scan_session.site_id, placed.registration.scan_session.scan_session_id)
        for placed in registrations
    }


def take_sessions(
    registrations: Sequence[PlacedSession], lookups: Lookups
) -> tuple[Sequence[PlacedSession], dict[SessionKey, KnownSession], dict[SessionKey, KnownSession]]:
    """Registrations without erased persons; their sessions as they were, and those that change. Raises a StoreError."""
    kept = without_person(registrations, lookups.erased.names(keys_of(registrations)))
    known = lookups.whole_sessions(keys_of(kept))
    return kept, known, merge_sessions(kept, known)


def session_hours(
    changes: ChangedHours,
    keys: Collection[SessionKey],
    merged: Mapping[SessionKey, KnownSession],
    known: Mapping[SessionKey, KnownSession],
) -> set[Hour]:
    """Hours that change with sessions: those of their scans, before and now, and of events that were counted without
    them or by another code. Raises a StoreError.

    Args:
        merged: those that are not as they were.
        known: as they were.
    """
    hours = {
        (SCANS, key[0], session.scan_time_ms // HOUR_MS)
        for key in keys
        for session in (merged.get(key), known.get(key))
        if session is not None and session.scan_time_ms is not None
    }
    moved = [key for key, session in merged.items() if _place(session) != _place(known.get(key, session))]
    return hours | changes.waiting_hours(keys) | changes.events_hours(moved)


def merge_sessions(
    registrations: Sequence[PlacedSession], known: Mapping[SessionKey, KnownSession]
) -> dict[SessionKey, KnownSession]:
    """The sessions that registrations change, as they are now."""
    merged: dict[SessionKey, KnownSession] = {}
    for placed in registrations:
        sent = placed.registration.scan_session
        key = sent.site_id, sent.scan_session_id
        before = merged.get(key) or known.get(key)
        scan_time_ms = milliseconds(sent.scan_time)
        stated = KnownSession(
            qr_code_id=sent.qr_code_id,
            scan_time_ms=scan_time_ms,
            user_id=sent.user_id,
            user_time_ms=scan_time_ms if sent.user_id else 0,
            is_of_flood=FraudReason.ADDRESS_VELOCITY in placed.registration.facts.fraud_reasons,
            scan=_scan_row(placed.registration),
        )
        after = stated if before is None or before.is_foreign else _merge(before, stated)
        if after != before:
            merged[key] = after
    return merged


def new_sessions(
    registrations: Iterable[PlacedSession],
    known: Mapping[SessionKey, KnownSession],
    merged: Iterable[SessionKey],
) -> list[PlacedSession]:
    """Of each session that was not there before, the registration that its row is made of."""
    last = _last_of(registrations)
    return [last[key] for key in merged if key not in known or known[key].is_foreign]


def lost_codes(
    registrations: Iterable[PlacedSession],
    known: Mapping[SessionKey, KnownSession],
    merged: Mapping[SessionKey, KnownSession],
) -> Counter[str]:
    """How many registrations of each site named a code that is not their session's, since an earlier scan's is."""
    numbers = Counter[str]()
    for placed in registrations:
        sent = placed.registration.scan_session
        key = sent.site_id, sent.scan_session_id
        numbers[sent.site_id] += sent.qr_code_id != (merged.get(key) or known[key]).qr_code_id
    for (site_id, session_id), session in merged.items():
        before = known.get((site_id, session_id))
        numbers[site_id] += before is not None and before.qr_code_id != session.qr_code_id and not before.is_foreign
    return numbers


def session_batch(sessions: Mapping[SessionKey, KnownSession], registrations: Sequence[PlacedSession]) -> TableBatch:
    """The rows of events.scan_sessions."""
    last = _last_of(registrations)
    placed = [last[key] for key in sessions]
    columns: dict[str, list[Any]] = {
        "site_id": [site_id for site_id, _session_id in sessions],
        "scan_session_id": [session_id for _site_id, session_id in sessions],
        "qr_code_id": [session.qr_code_id for session in sessions.values()],
        "user_id": [session.user_id for session in sessions.values()],
        "scan_time": [session.scan_time_ms for session in sessions.values()],
        "user_time": [session.user_time_ms for session in sessions.values()],
        "received_time": [one.registration.received_time_ms for one in placed],
        "version": [_version(session) for session in sessions.values()],
        **{
            name: [getattr(session.scan, name) for session in sessions.values()]
            for name in ScanRow._fields
            if name != "fraud_reasons"
        },
        "fraud_reasons": [list(session.scan.fraud_reasons) for session in sessions.values()],
        "segment_id": [one.row_id.segment_id for one in placed],
        "segment_row": [one.row_id.segment_row for one in placed],
    }
    return TableBatch(table=SCAN_SESSIONS, columns=list(columns), data=list(columns.values()))


def _place(session: KnownSession) -> tuple[str, int | None]:
    """What sums of its events say of a session."""
    return session.qr_code_id, session.scan_time_ms


def _last_of(registrations: Iterable[PlacedSession]) -> dict[SessionKey, PlacedSession]:
    """The registration of each session that gives its row a place and a time of receipt."""
    return {
        (placed.registration.scan_session.site_id, placed.registration.scan_session.scan_session_id): placed
        for placed in registrations
    }


def _scan_row(registration: SessionRegistration) -> ScanRow:
    sent, facts = registration.scan_session, registration.facts
    return ScanRow(
        consent=facts.consent,
        device_type=facts.device_type,
        browser_family=facts.browser_family,
        os_family=facts.os_family,
        country_code=facts.country_code,
        city=facts.city,
        referrer=sent.referrer,
        landing_page_url=sent.landing_page_url,
        labels=facts.labels,
        request_method=sent.request_method.upper(),
        is_prefetch=int(sent.is_prefetch),
        fraud_reasons=tuple(facts.fraud_reasons),
    )


def _merge(one: KnownSession, other: KnownSession) -> KnownSession:
    scan = max(one, other, key=lambda session: (_scan_rank(session), session.qr_code_id, session.scan))
    named = max(one, other, key=lambda session: (_is_erased(session), _user_rank(session), session.user_id))
    return scan._replace(user_id=named.user_id, user_time_ms=named.user_time_ms)


def _version(session: KnownSession) -> int:
    """Rises with either rank."""
    return (_HAS_USER if session.user_id or _is_erased(session) else 0) | (_scan_rank(session) + _user_rank(session))


def _scan_rank(session: KnownSession) -> int:
    return _rank(session.scan_time_ms or 0, session.qr_code_id)


def _user_rank(session: KnownSession) -> int:
    if _is_erased(session):
        return _rank(session.user_time_ms, None)
    return _rank(session.user_time_ms, session.user_id) if session.user_id else 0


def _is_erased(session: KnownSession) -> bool:
    """Whether it had a user, who was erased."""
    return session.user_time_ms != 0 and not session.user_id


def _rank(time_ms: int, name: str | None) -> int:
    """Rises with age; ties are decided by name, and None comes before all names."""
    tie = _TIES if name is None else int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) >> (32 - _TIE_BITS)
    return (_LATEST_MS - min(max(time_ms, 0), _LATEST_MS)) << _TIE_BITS | tie
