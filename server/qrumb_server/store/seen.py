"""What the tables of an embedded database certainly do not hold, so that receipts need not look for it.

Most events were never rejected, of most sites no redirect names users, and where customers have accounts no hash is a
user; looking for any of these costs a statement.
Invariant: a value that a table holds is among those that were seen. They are read once, at the first question, and
added to before each insert; what is erased or has left by its age stays among them, and costs a statement that finds
nothing.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from qrumb_server.ports import TableBatch

__all__ = ["Seen"]

# Of more it is not known which: some megabytes.
_MOST: Final = 100_000
_LETTERS: Final = "events.invalid_events"
_SESSIONS: Final = "events.scan_sessions"
_REJECTED_IDS: Final = f"SELECT DISTINCT event_id AS value FROM {_LETTERS} LIMIT {_MOST + 1}"  # noqa: S608
_NAMING_SITES: Final = f"SELECT DISTINCT site_id AS value FROM {_SESSIONS} WHERE user_id != ''"  # noqa: S608
# What users are called that nothing else than a hash names, as `pipeline/identity.py` makes them.
_OF_HASHES: Final = ("email-", "phone-")
_LINKS: Final = "events.identity_links"
_IS_HASH: Final = " OR ".join(f"startsWith(user_id, '{beginning}')" for beginning in _OF_HASHES)
_HASHED_USERS: Final = f"SELECT DISTINCT user_id AS value FROM {_LINKS} WHERE {_IS_HASH} LIMIT {_MOST + 1}"  # noqa: S608
Query = Callable[[str], list[dict[str, Any]]]


class Seen:
    """`ports.Seen`. Safe to share between threads."""

    def __init__(self, query: Query) -> None:
        self._rejected = _Values(lambda: query(_REJECTED_IDS))
        self._naming = _Values(lambda: query(_NAMING_SITES))
        self._hashed = _Values(lambda: query(_HASHED_USERS))

    def may_be_rejected(self, event_id: str) -> bool:
        """See `ports.Seen`."""
        return self._rejected.may_have(event_id)

    def may_name_users(self, site_id: str) -> bool:
        """See `ports.Seen`."""
        return self._naming.may_have(site_id)

    def may_go_by_hash(self, user_id: str) -> bool:
        """See `ports.Seen`."""
        return self._hashed.may_have(user_id)

    def add(self, batch: TableBatch) -> None:
        """Rows that are about to be inserted."""
        if batch.table == _LETTERS:
            self._rejected.add(_column(batch, "event_id"))
        elif batch.table == _SESSIONS:
            named = zip(_column(batch, "site_id"), _column(batch, "user_id"), strict=True)
            self._naming.add({site_id for site_id, user_id in named if user_id})
        elif batch.table == _LINKS:
            self._hashed.add(user_id for user_id in _column(batch, "user_id") if user_id.startswith(_OF_HASHES))


class _Values:
    """Hashes of those that a table holds or held."""

    def __init__(self, read: Callable[[], list[dict[str, Any]]]) -> None:
        self._read = read
        self._reading = threading.Lock()
        self._is_read = False
        self._changing = threading.Lock()
        self._hashes: set[int] = set()
        self._are_many = False

    def may_have(self, value: str) -> bool:
        with self._reading:
            if not self._is_read:
                self.add(row["value"] for row in self._read())
                self._is_read = True
        with self._changing:
            return self._are_many or hash(value) in self._hashes

    def add(self, values: Iterable[str]) -> None:
        hashes = set(map(hash, values))
        with self._changing:
            self._hashes |= hashes
            if len(self._hashes) > _MOST:
                self._are_many = True
            if self._are_many:
                self._hashes.clear()


def _column(batch: TableBatch, name: str) -> Iterable[str]:
    return batch.data[list(batch.columns).index(name)]
