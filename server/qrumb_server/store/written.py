"""Whether what is stored of a site's events is still what it was, in a store that one process writes to.

Invariant: where two moments have equal states, every statement about the site's rows of events.valid_events answers at
the second one as at the first. A write that is under way may be seen by one statement and not by the next: meanwhile
there is no state.
"""

import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["VALID_EVENTS", "Written"]

VALID_EVENTS: Final = "events.valid_events"
# Stands for all sites; none has this name.
_ALL: Final = ""


class Written:
    """Counts the writes of each site, those that failed too. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: Counter[str] = Counter()
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def writing(self, sites: Collection[str] = (_ALL,)) -> Iterator[None]:
        """Around a write to rows of these sites."""
        with self._lock:
            self._under_way.update(sites)
        try:
            yield
        finally:
            with self._lock:
                self._times.update(sites)
                self._under_way.subtract(sites)

    def state_of(self, site_id: str) -> object | None:
        """Equal only where nothing was written in between; None while something is being written."""
        with self._lock:
            if self._under_way[site_id] or self._under_way[_ALL]:
                return None
            return self._times[site_id], self._times[_ALL]
