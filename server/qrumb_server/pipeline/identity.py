"""Who a visitor is: which of an event's identifiers names its user, and what each identifier stands for.

An external_id names its user as it is, whatever else it was seen with, so two of them are never one user. A hash names
a user of its own, until it is seen in one event with a stronger identifier: then it stands for the user of the first
such event by event_time. Strength falls from external_id over email_hash to phone_hash, so a phone may lead to an
e-mail address and that to an external_id, and no further. Nothing is joined through anything: two e-mail addresses that
share a phone stay two users.

What is kept is evidence (`Link`: this identifier was first seen with this user then), and the earliest link of an
identifier names its owner. Taking the earliest is commutative and idempotent, so the outcome depends neither on the
order in which events arrive nor on who stores them. An identifier with more than `MAX_USERS` users is shared and has no
owner, and a user with more than `MAX_HASHES` hashes is not a person and owns none. The view `events.identity_owners`
says the same in SQL. docs/attribution.md explains the rules by examples.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from qrumb.v1.server_event_pb2 import UserIdentifiers

__all__ = [
    "EMAIL",
    "ERASED_SESSION",
    "KINDS",
    "MAX_HASHES",
    "MAX_USERS",
    "NAME_OF_HASH_PATTERN",
    "PHONE",
    "SESSION",
    "SHARED",
    "IdentityBook",
    "Key",
    "Label",
    "Link",
    "identifiers_of",
    "kind_of_name",
    "label_version",
    "link_keys",
    "own_label",
    "user_name",
]

KINDS: Final = ("external_id", "email_hash", "phone_hash")
"""Kinds of identifiers, the strongest first."""
EMAIL: Final = "email"
PHONE: Final = "phone"
SESSION: Final = "scan_session"
ERASED_SESSION: Final = "erased_session"
"""What is left of a session's name; see loader/erased.py."""
MAX_USERS: Final = 10
"""Users that may share one identifier before it stops standing for the first of them: a household, not an office."""
MAX_HASHES: Final = 10
"""Hashes of e-mail addresses and phones that one user may own: a person's, not those of a desk's account."""
Key = tuple[str, str, str]
"""(site_id, kind, identifier): EMAIL and PHONE with the name of the hash's own user, SESSION with a scan_session_id."""

# A hash's own user: made by `user_name` and by nothing else.
NAME_OF_HASH_PATTERN: Final = r"(email|phone)-[0-9a-f]{32}"
_name_of_hash: Final = re.compile(NAME_OF_HASH_PATTERN).fullmatch
_TIE_BITS: Final = 22
_LATEST_MS: Final = (1 << 42) - 1


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """A user's name and when it was first seen, in milliseconds since 1970-01-01 UTC. The smaller is the owner."""

    time_ms: int
    user_id: str


@dataclass(frozen=True, slots=True)
class Link:
    """An identifier was seen with a user."""

    key: Key
    user_id: str


SHARED: Final = Label(-1, "")
"""In place of an owner: the identifier has too many users, or was split. Earlier than any label, so it stays."""


def identifiers_of(sent: UserIdentifiers) -> Mapping[str, str]:
    """Identifier by kind, the strongest first, empty ones left out."""
    return {kind: value for kind in KINDS if (value := getattr(sent, kind))}


def user_name(site_id: str, kind: str, value: str) -> str:
    """The user that an identifier names by itself."""
    if kind == "external_id":
        return value
    # Not the hash itself: it is the person's on every site, and a row should not carry it.
    digest = blake2b(f"{site_id}\0{kind}\0{value}".encode(), digest_size=16).hexdigest()
    return f"{kind.removesuffix('_hash')}-{digest}"


def kind_of_name(name: str) -> str:
    """EMAIL or PHONE for the own user of a hash, which may have an owner; empty for any other user."""
    found = _name_of_hash(name)
    return found[1] if found else ""


def own_label(site_id: str, identifiers: Mapping[str, str], time_ms: int) -> Label:
    """The user that these identifiers name where nothing else is known. There is at least one."""
    kind, value = next(iter(identifiers.items()))
    return Label(time_ms, user_name(site_id, kind, value))


def link_keys(site_id: str, identifiers: Mapping[str, str]) -> Iterator[Key]:
    """What the weaker identifiers of an event are known under, each of which may stand for its strongest."""
    for kind in list(identifiers)[1:]:
        yield site_id, kind.removesuffix("_hash"), user_name(site_id, kind, identifiers[kind])


def label_version(label: Label) -> int:
    """Rises with age, so that of two rows of one link the earlier is kept; ties are decided by name."""
    tie = int.from_bytes(blake2b(label.user_id.encode(), digest_size=4).digest()) >> (32 - _TIE_BITS)
    return (_LATEST_MS - min(max(label.time_ms, 0), _LATEST_MS)) << _TIE_BITS | tie


class IdentityBook:
    """Owners of identifiers and sessions, brought up to date by events; pure memory.

    Args:
        known: owners by key, as they are stored; `SHARED` for those that have none any more.
    """

    def __init__(self, known: Mapping[Key, Label]) -> None:
        self._owners = dict(known)
        self.learnt: dict[Link, int] = {}
        """Links that were seen and may not be stored yet, with their earliest time in milliseconds."""

    def learn(self, site_id: str, identifiers: Mapping[str, str], scan_session_id: str, own: Label) -> None:
        """Take in one event with identifiers; `own` is their `own_label` at the time of the event."""
        for key in link_keys(site_id, identifiers):
            self._link(key, own)
        if scan_session_id:
            self._link((site_id, SESSION, scan_session_id), own)

    def user_of(self, site_id: str, name: str) -> str:
        """The user that a name stands for by now: its own, or the owner's."""
        for kind in (PHONE, EMAIL):  # a phone may lead to an e-mail address, and that no further than to an external_id
            if kind_of_name(name) == kind and (owner := self._owners.get((site_id, kind, name))) and owner.user_id:
                name = owner.user_id
        return name

    def user_of_session(self, key: Key) -> str:
        """Who identified first in the session of this key, of the kind `SESSION`; empty where no user did."""
        owner = self._owners.get(key)
        return self.user_of(key[0], owner.user_id) if owner and owner.user_id else ""

    def _link(self, key: Key, label: Label) -> None:
        owner = self._owners.get(key)
        if owner and not owner.user_id:
            return  # shared: one user more says nothing new
        if owner is None or label < owner:
            self._owners[key] = label
        if owner is None or owner.user_id != label.user_id or label < owner:
            link = Link(key, label.user_id)
            self.learnt[link] = min(label.time_ms, self.learnt.get(link, label.time_ms))
