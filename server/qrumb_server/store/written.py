"""Whether what is stored of a site's events is still what it was, in a store that one process writes to.

Invariant: where two moments have equal states, every statement about the site's rows of events.valid_events answers at
the second one as at the first. A write that is under way may be seen by one statement and not by the next: meanwhile
there is no state. Where two states have equal `changes`, rows of the site were added between them, and none was changed
or went; while these were few and are the last ones, they are known.
"""

import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from zlib import crc32

from qrumb_server.ports import State
from qrumb_server.store.native import decode_named

__all__ = ["VALID_EVENTS", "Written"]

VALID_EVENTS: Final = "events.valid_events"
# Sites are counted in so many places, since their names may be made up: those that share one forget more often.
_PLACES: Final = 4096
_ALL: Final = range(_PLACES)
# Of what was inserted last. Of a larger insert a statement finds the newest rows for less than reading all of it takes.
_KEPT_BYTES: Final = 2 * 1024 * 1024
_LARGE_BYTES: Final = 256 * 1024


class _Insert(NamedTuple):
    numbers: Mapping[int, int]
    """Which insert of each place it was."""
    native: bytes | bytearray


class Written:
    """Counts the writes of each site, those that failed too. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inserts = [0] * _PLACES
        self._changes = 0
        self._under_way = [0] * _PLACES
        self._last: deque[_Insert] = deque()
        self._last_bytes = 0

    @contextmanager
    def writing(self, sites: Collection[str] | None = None, native: bytes | bytearray | None = None) -> Iterator[None]:
        """Around an insert of rows of these sites; None: around a change of any rows.

        Args:
            native: what will have been inserted, no row less and none more, as one block; None: it cannot be said.
        """
        places = _ALL if sites is None else {_place(site_id) for site_id in sites}
        with self._lock:
            for place in places:
                self._under_way[place] += 1
        is_done = False
        try:
            yield
            is_done = True
        finally:
            with self._lock:
                self._changes += sites is None
                for place in places:
                    self._inserts[place] += sites is not None
                    self._under_way[place] -= 1
                if is_done and native is not None and len(native) <= _LARGE_BYTES:
                    self._keep(_Insert({place: self._inserts[place] for place in places}, native))

    def state_of(self, site_id: str) -> State | None:
        """Equal only where nothing was written in between; None while something is being written."""
        place = _place(site_id)
        with self._lock:
            return None if self._under_way[place] else State(self._inserts[place], self._changes)

    def inserted(self, site_id: str, since: State, until: State) -> list[dict[str, Any]] | None:
        """The rows of a site that were inserted between two states of it, with the columns that were sent; None where
        they are not kept."""
        place = _place(site_id)
        numbers = range(since.inserts + 1, until.inserts + 1)
        with self._lock:
            found = [one.native for one in self._last if one.numbers.get(place) in numbers]
        if since.changes != until.changes or len(found) != len(numbers) or sum(map(len, found)) > _LARGE_BYTES:
            return None
        return [row for native in found for row in _rows_of(site_id, native)]

    def _keep(self, insert: _Insert) -> None:
        self._last.append(insert)
        self._last_bytes += len(insert.native)
        while self._last_bytes > _KEPT_BYTES:
            self._last_bytes -= len(self._last.popleft().native)


def _rows_of(site_id: str, native: bytes | bytearray) -> list[dict[str, Any]]:
    columns = decode_named(native)
    places = [place for place, site in enumerate(columns["site_id"]) if site == site_id]
    return [{name: values[place] for name, values in columns.items()} for place in places]


def _place(site_id: str) -> int:
    return crc32(site_id.encode()) % _PLACES
