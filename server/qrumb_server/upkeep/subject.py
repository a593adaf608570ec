"""Who a data subject is: everything in the store that names one person, and nothing that names a neighbour.

Whose an event is, is asked of `events.attributed_events`, which knows what became known after the event was stored: a
row may hold a user that it is no longer taken for. A browser's and a backend's copy of one event are one person's.
An identifier that others were seen with too (a household's phone, an e-mail address of two accounts) is not taken to
name the person's account; a scan session in which others identified is theirs as well. Both are counted, so that
the answer says what was left alone.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from qrumb.v1 import privacy_service_pb2 as pb
from qrumb_server.pipeline.erasure import ERASED
from qrumb_server.pipeline.identity import MAX_HASHES, SESSION, identifiers_of, kind_of_name, user_name
from qrumb_server.ports import EventStore

__all__ = ["NEEDLES", "Naming", "Subject", "find_letters", "find_subject"]

Naming = pb.EraseSubjectRequest | pb.ExportSubjectRequest
"""What names a person."""
NEEDLES: Final = 200
"""Texts to search for at a time; the engine takes at most 255."""
EVENTS: Final = 20_000
"""Events to ask for at a time."""
_NAMING_KEYS: Final = (
    *("external_id", "externalId", "user_id", "userId", "scan_session_id", "scanSessionId"),
    *("email_hash", "emailHash", "phone_hash", "phoneHash"),
)

# Rows that name the user themselves; the first schema's have no identified_user_id.
_BY_USER: Final = (
    "(identified_user_id IN {users:Array(String)} "
    "OR (identified_user_id = '' AND user_id_source = 'identifiers' AND user_id IN {users:Array(String)}))"
)
_UNNAMED: Final = "identified_user_id = '' AND user_id_source != 'identifiers'"


@dataclass(slots=True, kw_only=True)
class Subject:
    """All that names one person within a site."""

    site_id: str
    users: set[str] = field(default_factory=set)
    """Names as in the columns user_id and identified_user_id, those that hashes have of their own included."""
    given: set[str] = field(default_factory=set)
    """Texts that the request named, as they stand in events that were sent."""
    sessions: set[str] = field(default_factory=set)
    """Scan sessions of this person alone."""
    shared_sessions: set[str] = field(default_factory=set)
    """Scan sessions in which others identified too."""
    shared_identifiers: set[str] = field(default_factory=set)
    """Names of hashes that others were seen with too."""
    event_ids: set[str] = field(default_factory=set)
    """Events that are the person's by what is known now."""

    def parameters(self, sql: str) -> dict[str, Any]:
        """Those of `site`, `users`, `hashes`, `sessions` and `events` that a statement takes."""
        mine = {
            "site": self.site_id,
            "users": sorted(self.users),
            "hashes": sorted(self.users - self.shared_identifiers),
            "sessions": sorted(self.sessions),
            "events": sorted(self.event_ids),
        }
        return {name: value for name, value in mine.items() if f"{{{name}:" in sql}

    @property
    def events(self) -> str:
        """Condition on events.valid_events: rows of the person."""
        return (
            f"site_id = {{site:String}} AND user_id_source != '{ERASED}' AND ({_BY_USER} "
            "OR event_id IN {events:Array(UUID)} "
            f"OR (scan_session_id IN {{sessions:Array(String)}} AND {_UNNAMED}))"
        )

    @property
    def mistaken(self) -> str:
        """Condition on events.valid_events: rows that were stored with the person's name, and are another's by now."""
        return f"site_id = {{site:String}} AND user_id IN {{users:Array(String)}} AND NOT ({self.events})"

    @property
    def scan_sessions(self) -> str:
        """Condition on events.scan_sessions: those of the person, or registered for the person."""
        return (
            "site_id = {site:String} "
            "AND (user_id IN {users:Array(String)} OR scan_session_id IN {sessions:Array(String)})"
        )

    @property
    def links(self) -> str:
        """Condition on events.identity_links: what was seen with the person, what their own hashes were seen with, and
        who identified in their own sessions."""
        return (
            "site_id = {site:String} AND (user_id IN {users:Array(String)} "
            "OR (kind IN ('email', 'phone') AND identifier IN {hashes:Array(String)}) "
            f"OR (kind = '{SESSION}' AND identifier IN {{sessions:Array(String)}}))"
        )

    @property
    def texts(self) -> set[str]:
        """Texts by which events that were sent name the person."""
        return {*self.given, *self.sessions, *(name for name in self.users if not kind_of_name(name))}


def find_letters(store: EventStore, subject: Subject) -> list[dict[str, Any]]:
    """Dead letters of the person: those that hold a text of theirs, or a hash that names them.

    May raise a StoreError.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    needles = [orjson.dumps(text).decode() for text in sorted(subject.texts)]
    select = "SELECT * FROM events.invalid_events"
    for start in range(0, len(needles), NEEDLES):
        for row in store.query(
            f"{select} WHERE site_id = {{site:String}} "
            "AND multiSearchAnyCaseInsensitiveUTF8(payload, {texts:Array(String)})",
            {"site": subject.site_id, "texts": needles[start : start + NEEDLES]},
        ):
            if _named_by_text(row["payload"], subject.texts):
                found[row["segment_id"], row["segment_row"]] = row
    if any(map(kind_of_name, subject.users)):
        for row in store.query(
            f"{select} WHERE site_id = {{site:String}} "
            "AND (position(payload, 'email_hash') > 0 OR position(payload, 'phone_hash') > 0)",
            {"site": subject.site_id},
        ):
            if _named_by_hash(subject.site_id, row["payload"]) & subject.users:
                found[row["segment_id"], row["segment_row"]] = row
    return [found[place] for place in sorted(found)]


def find_subject(store: EventStore, request: Naming) -> Subject:
    """The person whom a request names. May raise a StoreError."""
    subject = Subject(site_id=request.site_id)
    finder = _Finder(store, subject)
    for kind, value in identifiers_of(request.user_identifiers).items():
        value = value if kind == "external_id" else value.lower()
        subject.given.add(value)
        finder.add_user(user_name(request.site_id, kind, value))
    if request.user_id:
        subject.given.add(request.user_id)
        finder.add_user(request.user_id)
    finder.add_sessions(request.scan_session_id)
    finder.add_events()
    return subject


def _named_by_text(payload: str, texts: Set[str]) -> bool:
    """Whether a dead letter names a person by one of the texts, and does not merely hold it: EUR may be an account."""
    try:
        waiting = [orjson.loads(payload)]
    except orjson.JSONDecodeError:
        return True  # cut: nothing tells what the text is
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if any(value.get(key) in texts for key in _NAMING_KEYS if isinstance(value.get(key), str)):
                return True
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return False


def _named_by_hash(site_id: str, payload: str) -> set[str]:
    """Users that the hashes in a dead letter name by themselves."""
    try:
        sent = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return set()  # cut: only texts are found in it
    identifiers = sent.get("user_identifiers") if isinstance(sent, dict) else None
    if not isinstance(identifiers, dict):
        return set()
    return {
        user_name(site_id, kind, value.lower())
        for kind in ("email_hash", "phone_hash")
        if isinstance(value := identifiers.get(kind), str)
    }


class _Finder:
    def __init__(self, store: EventStore, subject: Subject) -> None:
        self._store = store
        self._subject = subject
        self._hashes: set[str] = set()
        """Names of all hashes that the person was seen with, shared ones too."""

    def add_user(self, name: str) -> None:
        """A user with the hashes that are theirs alone; for a hash, the account that it is alone with.

        An account with more hashes than a person has stands for no person: it leads to none of them, nor they to it.
        """
        waiting = [name]
        while waiting:
            name = waiting.pop()
            if name in self._subject.users:
                continue
            self._subject.users.add(name)
            others, hashes = self._users_of(name), self._hashes_of(name)
            self._hashes.update(hashes)
            if len(others) > 1 or any(len(self._hashes_of(other)) > MAX_HASHES for other in others):
                self._subject.shared_identifiers.add(name)
            else:
                waiting.extend(others)
            for hash_name in hashes:
                if len(hashes) > MAX_HASHES or len(self._users_of(hash_name)) > 1:
                    self._subject.shared_identifiers.add(hash_name)
                else:
                    waiting.append(hash_name)

    def add_sessions(self, asked: str) -> None:
        """Sessions in which the person identified, or which a redirect registered for them, or that were asked for."""
        if asked:
            self._subject.given.add(asked)
            if len(named := self._others_in({asked}).get(asked, set())) == 1:
                self.add_user(named.pop())
        mine = {row["identifier"] for row in self._links(f"kind = '{SESSION}' AND user_id IN {{users:Array(String)}}")}
        mine |= self._registered()
        if asked:
            mine.add(asked)
        others = self._others_in(mine)
        self._subject.shared_sessions = {session for session in mine if others.get(session)}
        self._subject.sessions = mine - self._subject.shared_sessions

    def add_events(self) -> None:
        """Events that are the person's by what is known now, among those that can be."""
        subject = self._subject
        names = subject.users | self._hashes
        sessions = subject.sessions | subject.shared_sessions
        rows = self._store.query(
            "SELECT DISTINCT event_id FROM events.valid_events WHERE site_id = {site:String} AND "
            "(scan_session_id IN {sessions:Array(String)} OR user_id IN {names:Array(String)} "
            "OR identified_user_id IN {names:Array(String)})",
            {"site": subject.site_id, "sessions": sorted(sessions), "names": sorted(names)},
        )
        candidates = [row["event_id"] for row in rows]
        for start in range(0, len(candidates), EVENTS):
            rows = self._store.query(
                "SELECT DISTINCT event_id FROM events.attributed_events WHERE site_id = {site:String} "
                "AND event_id IN {events:Array(UUID)} AND user_id IN {users:Array(String)}",
                subject.parameters("{site: {users:") | {"events": candidates[start : start + EVENTS]},
            )
            subject.event_ids |= {row["event_id"] for row in rows}

    def _others_in(self, sessions: set[str]) -> dict[str, set[str]]:
        """Users besides the person who identified in sessions, or were registered for them."""
        found: dict[str, set[str]] = {}
        for table, column in (("identity_links", "identifier"), ("scan_sessions", "scan_session_id")):
            of_sessions = f"kind = '{SESSION}' AND" if table == "identity_links" else ""
            sql = (
                f"SELECT {column} AS session, user_id FROM events.{table} FINAL "  # noqa: S608
                f"WHERE site_id = {{site:String}} AND {of_sessions} {column} IN {{sessions:Array(String)}} "
                "AND user_id != '' AND user_id NOT IN {users:Array(String)}"
            )
            for row in self._store.query(sql, self._subject.parameters(sql) | {"sessions": sorted(sessions)}):
                found.setdefault(row["session"], set()).add(row["user_id"])
        return found

    def _users_of(self, name: str) -> list[str]:
        """Users that the hash of this name was seen with."""
        return [
            row["user_id"]
            for row in self._links("kind IN ('email', 'phone') AND identifier = {name:String}", name=name)
            if row["user_id"]
        ]

    def _hashes_of(self, name: str) -> list[str]:
        """Names of hashes that this user was seen with."""
        return [
            row["identifier"]
            for row in self._links("kind IN ('email', 'phone') AND user_id = {name:String}", name=name)
        ]

    def _links(self, condition: str, **parameters: str) -> Sequence[Mapping[str, Any]]:
        sql = (
            "SELECT kind, identifier, user_id FROM events.identity_links FINAL "  # noqa: S608
            f"WHERE site_id = {{site:String}} AND {condition}"
        )
        return self._store.query(sql, self._subject.parameters(sql) | parameters)

    def _registered(self) -> set[str]:
        """Sessions that a redirect registered for the person."""
        sql = (
            "SELECT scan_session_id FROM events.scan_sessions FINAL "
            "WHERE site_id = {site:String} AND user_id IN {users:Array(String)}"
        )
        return {row["scan_session_id"] for row in self._store.query(sql, self._subject.parameters(sql))}
