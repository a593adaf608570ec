"""Scan sessions whose person was erased, for what names them later: a refund, a registration that is sent again.

An erasure gives a session a random name, and `events.identity_links` keeps a hash of the old one with it for
`REMEMBERED_MS`. Until then what names the session gets its new name and loses its person: it counts under the session's
QR code, and the person does not come back by it. The hash says of no one who it was.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.loader.cache import Cache
from qrumb_server.loader.rows import IDENTITY_LINKS, PlacedSession
from qrumb_server.pipeline.identity import ERASED_SESSION, Key, Link
from qrumb_server.ports import Reader, among, as_one_text
from qrumb_server.wire.v1.record_pb2 import ScanFacts, SessionRegistration

__all__ = ["REMEMBERED_MS", "ErasedSessions", "erased_link", "without_person"]

REMEMBERED_MS: Final = 180 * 86_400_000
"""Longer than a payment can be charged back; then `upkeep.retention` deletes the hash."""
_Session = tuple[str, str]
"""(site_id, scan_session_id)"""


class ErasedSessions:
    """Reads for one loader; belongs to its thread. Every call may raise a StoreError."""

    def __init__(self, store: Reader, *, monotonic: Callable[[], float]) -> None:
        self._store = store
        # Few sites ever erase anyone: the others' sessions are not hashed.
        self._sites: Cache[str, bool] = Cache(monotonic)
        self._names: Cache[_Session, str] = Cache(monotonic)

    def forget(self) -> None:
        """Ask again for everything: a person was erased."""
        self._sites.clear()
        self._names.clear()

    def names(self, sessions: Collection[_Session]) -> dict[_Session, str]:
        """The new names of those of the sessions that were erased."""
        sites = self._erasing({site_id for site_id, _session_id in sessions})
        known, unknown = self._names.split([session for session in sessions if session[0] in sites])
        if unknown:
            asked = {_key(session): session for session in unknown}
            rows = self._store.query(
                "SELECT site_id, kind, identifier, argMin(user_id, (first_time, user_id)) AS name "  # noqa: S608
                f"FROM {IDENTITY_LINKS} WHERE site_id IN {{sites:Array(String)}} AND kind = '{ERASED_SESSION}' "
                f"AND identifier IN {among('identifiers')} GROUP BY site_id, kind, identifier",
                {"sites": sorted(sites), "identifiers": as_one_text(identifier for _site, _kind, identifier in asked)},
            )
            found = {(row["site_id"], row["kind"], row["identifier"]): row["name"] for row in rows}
            answers = {session: found[key] for key, session in asked.items() if key in found}
            self._names.put(unknown, answers)
            known |= answers
        return known

    def _erasing(self, site_ids: Collection[str]) -> Collection[str]:
        """Those of the sites that have erased sessions."""
        known, unknown = self._sites.split(site_ids)
        if unknown:
            rows = self._store.query(
                f"SELECT DISTINCT site_id FROM {IDENTITY_LINKS} "  # noqa: S608
                f"WHERE site_id IN {{sites:Array(String)}} AND kind = '{ERASED_SESSION}'",
                {"sites": sorted(unknown)},
            )
            answers = {row["site_id"]: True for row in rows}
            self._sites.put(unknown, answers)
            known |= answers
        return known.keys()


def erased_link(site_id: str, scan_session_id: str, name: str) -> Link:
    """What is kept of a session that got another name; since when is the time of the erasure."""
    return Link(_key((site_id, scan_session_id)), name)


def without_person(registrations: Sequence[PlacedSession], names: Mapping[_Session, str]) -> Sequence[PlacedSession]:
    """Registrations with erased sessions by their new names, and without the users whom they name."""
    if not names:
        return registrations
    return [_renamed(placed, name) if (name := names.get(_session_of(placed))) else placed for placed in registrations]


def _session_of(placed: PlacedSession) -> _Session:
    sent = placed.registration.scan_session
    return sent.site_id, sent.scan_session_id


def _renamed(placed: PlacedSession, name: str) -> PlacedSession:
    sent = placed.registration
    # Named one by one: what a registration may say besides could lead to the person.
    registration = SessionRegistration(
        scan_session=ScanSession(
            site_id=sent.scan_session.site_id,
            scan_session_id=name,
            qr_code_id=sent.scan_session.qr_code_id,
            scan_time=sent.scan_session.scan_time,
        ),
        received_time_ms=sent.received_time_ms,
        facts=ScanFacts(
            consent=sent.facts.consent,
            device_type=sent.facts.device_type,
            browser_family=sent.facts.browser_family,
            os_family=sent.facts.os_family,
            country_code=sent.facts.country_code,
            fraud_reasons=sent.facts.fraud_reasons,
        ),
    )
    return PlacedSession(row_id=placed.row_id, registration=registration)


def _key(session: _Session) -> Key:
    digest = blake2b("\0".join(session).encode(), digest_size=16, person=b"erased-session").hexdigest()
    return session[0], ERASED_SESSION, digest
