"""Who somebody is: identifiers that were seen together belong to one user, under the name of the oldest.

An event with identifiers names a user by itself: its external_id, else its e-mail hash, else its phone hash. A label
is such a name with the time of the event that brought it. What the identifiers of one event are known by, and the
event's own label, are one user: the oldest label wins. Taking the oldest is commutative and may be repeated, so the
outcome depends neither on the order in which events arrive nor on who stores them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from qrumb.v1.server_event_pb2 import UserIdentifiers

__all__ = [
    "KINDS",
    "SESSION",
    "USER",
    "IdentityBook",
    "Key",
    "Label",
    "identifiers_of",
    "label_version",
    "oldest",
    "own_label",
]

# In order of precedence.
KINDS: Final = ("external_id", "email_hash", "phone_hash")
USER: Final = "user_id"
SESSION: Final = "scan_session"
Key = tuple[str, str, str]
# Links are kept flat; after two nodes wrote at once there can be a few in a row, and no loop may hang.
_MAX_LINKS: Final = 8
_TIE_BITS: Final = 22
_LATEST_MS: Final = (1 << 42) - 1


@dataclass(frozen=True, slots=True)
class Label:
    """A user's name and since when it is known, in milliseconds since 1970-01-01 UTC."""

    user_id: str
    time_ms: int


def identifiers_of(sent: UserIdentifiers) -> Mapping[str, str]:
    """Identifier by kind, in order of precedence, empty ones left out."""
    return {kind: value for kind in KINDS if (value := getattr(sent, kind))}


def own_label(site_id: str, identifiers: Mapping[str, str], time_ms: int) -> Label:
    """The user that these identifiers name where nothing else is known. There is at least one."""
    kind, value = next(iter(identifiers.items()))
    if kind == "external_id":
        return Label(value, time_ms)
    # Not the hash itself: it is the person's on every site, and a row should not carry it.
    digest = blake2b(f"{site_id}\0{kind}\0{value}".encode(), digest_size=16).hexdigest()
    return Label(f"{kind.removesuffix('_hash')}-{digest}", time_ms)


def label_version(label: Label) -> int:
    """Rises with age, so that the highest version of a row is the oldest label; ties are decided by name."""
    tie = int.from_bytes(blake2b(label.user_id.encode(), digest_size=4).digest()) >> (32 - _TIE_BITS)
    return _age(label) << _TIE_BITS | tie


def _age(label: Label) -> int:
    return _LATEST_MS - min(max(label.time_ms, 0), _LATEST_MS)


def _has_higher_version(one: Label, other: Label) -> bool:
    """As the versions say; their hashes are made only where the ages do not tell."""
    left, right = _age(one), _age(other)
    return left > right if left != right else label_version(one) > label_version(other)


def oldest(labels: Iterable[Label]) -> Label:
    """The one that names the user."""
    found, *others = labels
    for label in others:
        left, right = _age(label), _age(found)
        if left > right or (
            left == right and (label_version(label), label.user_id) > (label_version(found), found.user_id)
        ):
            found = label
    return found


class IdentityBook:
    """Users by identifier, user and session of some sites, brought up to date by events; pure memory.

    Keys are (site_id, kind, identifier). Besides the identifiers' own kinds there are `USER` (the identifier is a
    user's name; its label is the user that it is by now, which for a user nobody merged is itself) and `SESSION` (the
    identifier is a scan_session_id; its label is who identified first in it).
    """

    def __init__(self, known: Mapping[Key, Label]) -> None:
        self._known = known
        self.changed: dict[Key, Label] = {}
        """What the events taught; to be stored."""
        self.merged: set[tuple[str, str]] = set()
        """Users, as (site_id, user_id), that were found to be an older one."""

    def learn(self, site_id: str, identifiers: Mapping[str, str], scan_session_id: str, own: Label) -> str:
        """Take in one event with identifiers; returns its user.

        Args:
            own: the identifiers' `own_label` at the time of the event.
        """
        named_by = [own.user_id]
        for kind, value in identifiers.items():
            if label := self._get((site_id, kind, value)):
                named_by.append(label.user_id)
        users = {user.user_id: user for user in (self._user(site_id, name) for name in named_by) if user}
        user = oldest([own, *users.values()])
        for name in {*named_by, *users, user.user_id}:
            self._set((site_id, USER, name), user)
        self.merged.update((site_id, name) for name in users if name != user.user_id)
        for kind, value in identifiers.items():
            self._set((site_id, kind, value), user)
        if scan_session_id:
            # By its own name, which no order of arrival changes; that leads to the user.
            self._set((site_id, SESSION, scan_session_id), own)
        return user.user_id

    def user_of(self, site_id: str, name: str) -> str:
        """The user that a name stands for by now."""
        user = self._user(site_id, name)
        return user.user_id if user else name

    def user_of_session(self, key: Key) -> str:
        """Who identified first in the session of this key, of the kind `SESSION`; empty where nobody did."""
        label = self._get(key)
        return self.user_of(key[0], label.user_id) if label else ""

    def flatten(self, links: Iterable[tuple[str, str, str]]) -> None:
        """Let every name lead to its user in one step.

        Args:
            links: stored names that lead to merged users, as (site_id, name, user_id); what was learnt is known.
        """
        learnt = [
            (site_id, name, label.user_id) for (site_id, kind, name), label in self.changed.items() if kind == USER
        ]
        for site_id, name, user_id in (*links, *learnt):
            if user := self._user(site_id, user_id):
                self._set((site_id, USER, name), user)

    def _user(self, site_id: str, name: str) -> Label | None:
        label = self._get((site_id, USER, name))
        for _ in range(_MAX_LINKS):
            if label is None or label.user_id == name:
                break
            name = label.user_id
            label = self._get((site_id, USER, name)) or label
        return label

    def _get(self, key: Key) -> Label | None:
        return self.changed.get(key) or self._known.get(key)

    def _set(self, key: Key, label: Label) -> None:
        """Keep the older of two labels, as the table does."""
        before = self._get(key)
        if before is None or (label is not before and label != before and _has_higher_version(label, before)):
            self.changed[key] = label
