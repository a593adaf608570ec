"""Erasure of a person: from every table, the dead letters and the spool.

Rows of events stay, so that what was counted stays counted; what could lead to the person is blanked in them. What is
in the spool is loaded first, so that there is one place to erase from. The statements name a state, so an erasure
that was cut off is ended by the next.
"""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from google.protobuf.message import DecodeError

from qrumb.v1 import privacy_service_pb2 as pb
from qrumb_server.errors import StoreUnavailableError
from qrumb_server.loader.ledger import erased_ledger_batch
from qrumb_server.loader.loop import Loader
from qrumb_server.pipeline.identity import KINDS, SESSION, USER, identifiers_of
from qrumb_server.ports import EventStore
from qrumb_server.spool.reader import remove_quarantined
from qrumb_server.spool.search import find_records, segment_ids
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["Eraser"]

# Segments are sealed after half a second and loaded in moments; longer means that the store is away.
SPOOL_PATIENCE: Final = timedelta(seconds=20)
POLL_SECONDS: Final = 0.05
# The engine takes at most 255 texts to search for at a time.
NEEDLES: Final = 200

_THEIRS: Final = (
    "site_id = {site:String} AND (user_id IN {users:Array(String)} OR scan_session_id IN {sessions:Array(String)})"
)

_NAMED: Final = "(kind, identifier) IN {keys:Array(Tuple(String, String))}"


@dataclass(slots=True)
class _Subject:
    """All that names one person within a site."""

    site_id: str
    users: set[str] = field(default_factory=set)
    identifiers: set[tuple[str, str]] = field(default_factory=set)
    """(kind, identifier)"""
    sessions: set[str] = field(default_factory=set)

    @property
    def names(self) -> list[str]:
        """Every text by which the person could be found."""
        return sorted({*self.users, *self.sessions, *(value for _kind, value in self.identifiers)} - {""})

    @property
    def parameters(self) -> dict[str, Any]:
        return {"site": self.site_id, "users": sorted(self.users - {""}), "sessions": sorted(self.sessions - {""})}


class Eraser:
    """Erases in the loader's process. Calls block; every one may raise a StoreError."""

    def __init__(self, *, store: EventStore, loader: Loader, spool_root: Path) -> None:
        self._store = store
        self._loader = loader
        self._spool_root = spool_root

    def erase(self, request: pb.EraseSubjectRequest) -> pb.EraseSubjectResponse:
        """Erase all that leads to the person, and count it. The request names at least one thing."""
        given = _given(request)
        spooled = self._count_spooled(given)
        self._wait_for_spool()
        with self._loader.exclusively(SPOOL_PATIENCE):
            subject = self._complete(given)
            response = pb.EraseSubjectResponse(
                spooled_event_count=spooled,
                event_count=self._erase_events(subject),
                rejected_event_count=self._erase_letters(subject),
                scan_session_count=self._erase_sessions(subject, asked=given.sessions),
                identity_count=self._erase_identities(subject),
            )
            self._loader.forget()
        remove_quarantined(self._spool_root, [name.encode() for name in subject.names])
        return response

    def _count_spooled(self, subject: _Subject) -> int:
        places = set()
        for name in subject.names:
            for found in find_records(self._spool_root, name.encode()):
                if _is_event_of(found.record, subject.site_id):
                    places.add((found.segment_id, found.row))
        return len(places)

    def _wait_for_spool(self) -> None:
        """Until everything is loaded that was in the spool when this began."""
        waited_for = segment_ids(self._spool_root)  # by name: a clock that stepped back tells nothing of their age
        deadline = time.monotonic() + SPOOL_PATIENCE.total_seconds()
        while waited_for & segment_ids(self._spool_root):
            if time.monotonic() > deadline:
                raise StoreUnavailableError(self._loader.last_error or "the spool is not loaded yet")
            time.sleep(POLL_SECONDS)

    def _complete(self, given: _Subject) -> _Subject:
        """The person with all names that are one with those given, and the sessions that were theirs."""
        subject = _Subject(
            site_id=given.site_id,
            users=set(given.users),
            identifiers=set(given.identifiers),
            sessions=set(given.sessions),
        )
        labels = self._identities(
            "(kind, identifier) IN {keys:Array(Tuple(String, String))}", subject, given.identifiers
        )
        subject.users |= {row["user_id"] for row in labels}
        known = -1
        while len(subject.users) > known:
            known = len(subject.users)
            keys = {(USER, user) for user in subject.users}
            links = self._identities(
                f"{_NAMED} OR (kind = 'user_id' AND user_id IN {{users:Array(String)}})",
                subject,
                keys,
            )
            subject.users |= {name for row in links for name in (row["identifier"], row["user_id"])}
        for row in self._identities("user_id IN {users:Array(String)}", subject, None):
            if row["kind"] == SESSION:
                subject.sessions.add(row["identifier"])
            elif row["kind"] in KINDS:
                subject.identifiers.add((row["kind"], row["identifier"]))
        # Those that the QR redirect named for: their events may have come first, and then do not hold the user.
        subject.sessions |= {
            row["scan_session_id"]
            for row in self._store.query(
                "SELECT scan_session_id FROM events.scan_sessions FINAL "
                "WHERE site_id = {site:String} AND user_id IN {users:Array(String)}",
                {"site": subject.site_id, "users": sorted(subject.users - {""})},
            )
        }
        return subject

    def _identities(
        self, condition: str, subject: _Subject, keys: Collection[tuple[str, str]] | None
    ) -> list[dict[str, Any]]:
        parameters: dict[str, Any] = {"site": subject.site_id}
        if keys is not None:
            parameters["keys"] = sorted(keys)
        if "{users:" in condition:
            parameters["users"] = sorted(subject.users)
        return self._store.query(
            "SELECT kind, identifier, user_id FROM events.identities FINAL "  # noqa: S608
            f"WHERE site_id = {{site:String}} AND ({condition})",
            parameters,
        )

    def _erase_events(self, subject: _Subject) -> int:
        count = self._count(f"events.valid_events WHERE {_THEIRS}", subject.parameters)
        if count:
            self._store.mutate(
                "ALTER TABLE events.valid_events UPDATE user_id = '', user_id_source = '', scan_session_id = '', "
                "page_url = '', page_title = '', referrer = '', metadata = '{}', city = '', fingerprint = 0 "
                f"WHERE {_THEIRS}",
                subject.parameters,
            )
        return count

    def _erase_letters(self, subject: _Subject) -> int:
        """Dead letters are text as it was sent: those that hold a name of the person go as a whole."""
        needles = [orjson.dumps(name).decode() for name in subject.names]
        total = 0
        for start in range(0, len(needles), NEEDLES):
            parameters = {"site": subject.site_id, "names": needles[start : start + NEEDLES]}
            condition = "site_id = {site:String} AND multiSearchAnyCaseInsensitiveUTF8(payload, {names:Array(String)})"
            letters = self._store.query(
                "SELECT site_id, received_time, segment_id, segment_row FROM events.invalid_events "  # noqa: S608
                f"WHERE {condition}",
                parameters,
            )
            if letters:
                # First, so that an erasure that is cut off is ended by the next without a letter that nobody misses.
                self._store.insert_missing(erased_ledger_batch(letters))
                self._store.mutate(f"ALTER TABLE events.invalid_events DELETE WHERE {condition}", parameters)
            total += len(letters)
        return total

    def _erase_sessions(self, subject: _Subject, *, asked: Collection[str]) -> int:
        """A session that was named goes; of one that only was the person's, the user is blanked."""
        mine = {"site": subject.site_id, "users": sorted(subject.users), "sessions": sorted(asked)}
        count = self._count(f"events.scan_sessions FINAL WHERE {_THEIRS}", mine)
        if asked:
            self._store.mutate(
                "ALTER TABLE events.scan_sessions DELETE "
                "WHERE site_id = {site:String} AND scan_session_id IN {sessions:Array(String)}",
                {"site": subject.site_id, "sessions": sorted(asked)},
            )
        if subject.users:
            self._store.mutate(
                "ALTER TABLE events.scan_sessions UPDATE user_id = '' "
                "WHERE site_id = {site:String} AND user_id IN {users:Array(String)}",
                {"site": subject.site_id, "users": sorted(subject.users)},
            )
        return count

    def _erase_identities(self, subject: _Subject) -> int:
        keys = {
            *subject.identifiers,
            *((USER, user) for user in subject.users),
            *((SESSION, session) for session in subject.sessions),
        }
        condition = (
            "site_id = {site:String} AND (user_id IN {users:Array(String)} "
            "OR (kind, identifier) IN {keys:Array(Tuple(String, String))})"
        )
        parameters = {"site": subject.site_id, "users": sorted(subject.users), "keys": sorted(keys)}
        count = self._count(f"events.identities FINAL WHERE {condition}", parameters)
        if count:
            self._store.mutate(f"ALTER TABLE events.identities DELETE WHERE {condition}", parameters)
        return count

    def _count(self, selection: str, parameters: Mapping[str, Any]) -> int:
        [row] = self._store.query(f"SELECT count() AS number FROM {selection}", parameters)  # noqa: S608
        return int(row["number"])


def _given(request: pb.EraseSubjectRequest) -> _Subject:
    identifiers = dict(identifiers_of(request.user_identifiers))
    for kind in ("email_hash", "phone_hash"):
        if kind in identifiers:
            identifiers[kind] = identifiers[kind].lower()
    users = {request.user_id} - {""}
    # An external_id names its user, whether or not an event brought it.
    users |= {value for kind, value in identifiers.items() if kind == "external_id"}
    return _Subject(
        site_id=request.site_id,
        users=users,
        identifiers=set(identifiers.items()),
        sessions={request.scan_session_id} - {""},
    )


def _is_event_of(data: bytes, site_id: str) -> bool:
    try:
        record = Record.FromString(data)
    except DecodeError:
        return False
    if record.WhichOneof("kind") == "accepted_event":
        return record.accepted_event.row.site_id == site_id
    return record.WhichOneof("kind") == "dead_letter" and record.dead_letter.site_id == site_id
