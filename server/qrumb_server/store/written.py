"""Whether what is stored of a site's events is still what it was, in a store that one process writes to.

Invariant: where two moments have equal states, every statement about the site's rows of events.valid_events answers at
the second one as at the first. A write that is under way may be seen by one statement and not by the next: meanwhile
there is no state. Where two states have equal `changes`, rows of the site were added between them, and none was changed
or went.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final
from zlib import crc32

from qrumb_server.ports import State

__all__ = ["VALID_EVENTS", "Written"]

VALID_EVENTS: Final = "events.valid_events"
# Sites are counted in so many places, since their names may be made up: those that share one forget more often.
_PLACES: Final = 4096
_ALL: Final = range(_PLACES)


class Written:
    """Counts the writes of each site, those that failed too. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inserts = [0] * _PLACES
        self._changes = 0
        self._under_way = [0] * _PLACES

    @contextmanager
    def writing(self, sites: Collection[str] | None = None) -> Iterator[None]:
        """Around an insert of rows of these sites; None: around a change of any rows."""
        places = _ALL if sites is None else {_place(site_id) for site_id in sites}
        with self._lock:
            for place in places:
                self._under_way[place] += 1
        try:
            yield
        finally:
            with self._lock:
                self._changes += sites is None
                for place in places:
                    self._inserts[place] += sites is not None
                    self._under_way[place] -= 1

    def state_of(self, site_id: str) -> State | None:
        """Equal only where nothing was written in between; None while something is being written."""
        place = _place(site_id)
        with self._lock:
            return None if self._under_way[place] else State(self._inserts[place], self._changes)


def _place(site_id: str) -> int:
    return crc32(site_id.encode()) % _PLACES
