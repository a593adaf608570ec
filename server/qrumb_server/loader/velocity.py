"""How many events a key had within the last minute, in memory only."""

from collections.abc import Sequence
from typing import Final

__all__ = ["WINDOW_MS", "RateCounter"]

WINDOW_MS: Final = 60_000
# Keys of one window; beyond it new ones are not counted until the next window, so memory is bounded.
MAX_KEYS: Final = 500_000


class RateCounter:
    """Counts by fixed windows of a minute; the rate is the current one plus the part of the last one that still counts.

    Time is that of the events' receipt, so that a spool that is emptied late shows the rates at which it filled.
    """

    def __init__(self) -> None:
        self._window = 0
        self._current: dict[tuple[str, str], int] = {}
        self._last: dict[tuple[str, str], int] = {}

    def count(self, key: tuple[str, str], time_ms: int) -> float:
        """Count one event and return the key's events per minute, this one included."""
        into_ms = self._begin(time_ms)
        now = self._current.get(key, 0) + 1
        if now > 1 or len(self._current) < MAX_KEYS:
            self._current[key] = now
        return now + self._last.get(key, 0) * (1 - into_ms / WINDOW_MS)

    def count_all(self, numbers: Sequence[tuple[tuple[str, str], int]], time_ms: int) -> None:
        """Count so many events of each key, all within the window of that time."""
        if numbers:
            self._begin(time_ms)
        current = self._current
        for key, number in numbers:
            if key in current or len(current) < MAX_KEYS:
                current[key] = current.get(key, 0) + number

    def standing(self, keys: Sequence[tuple[str, str]], time_ms: int) -> list[tuple[int, int]]:
        """How many events of each key are counted in the window of a time, and how many the last one had."""
        if keys:
            self._begin(time_ms)
        return [(self._current.get(key, 0), self._last.get(key, 0)) for key in keys]

    def is_late(self, time_ms: int) -> bool:
        """Whether a time is of an earlier window than is counted: then all of the last one still counts."""
        return time_ms // WINDOW_MS < self._window

    def has_room(self, number: int) -> bool:
        """Whether so many new keys are counted all."""
        return len(self._current) + number <= MAX_KEYS

    def bound(self, key: tuple[str, str], number: int) -> int:
        """No rate of the key is above this while so many events more are counted."""
        return number + self._current.get(key, 0) + self._last.get(key, 0)

    def _begin(self, time_ms: int) -> int:
        """Take up the window of a time; milliseconds since its beginning."""
        window, into_ms = divmod(time_ms, WINDOW_MS)
        if window > self._window or window < self._window - 1:  # or: the clock stepped back, or a replay
            self._last = self._current if window == self._window + 1 else {}
            self._current = {}
            self._window = window
        elif window < self._window:  # another worker's segment, a little late
            into_ms = 0
        return into_ms
