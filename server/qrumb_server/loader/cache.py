"""What is kept in memory of the store's answers.

What is known is kept within a bound and for a while, since other nodes write too; that something is not there yet for a
much shorter while, since sessions are often registered just after their first events.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final, Generic, TypeVar

__all__ = ["Cache"]

_K = TypeVar("_K")
_V = TypeVar("_V")

CACHED_ENTRIES: Final = 200_000
FOUND_FOR: Final = timedelta(seconds=60)
MISSING_FOR: Final = timedelta(seconds=2)


class _Remembered(Generic[_K, _V]):
    """A dict of two generations: an entry is kept for half the given time at least, and never for longer.

    Ages are looked at once per batch and not per entry, which costs a quarter of a TTLCache.
    """

    def __init__(self, keep_for: timedelta, monotonic: Callable[[], float]) -> None:
        self._generation_seconds = keep_for.total_seconds() / 2
        self._monotonic = monotonic
        self._began = monotonic()
        self.young: dict[_K, _V] = {}
        self.old: dict[_K, _V] = {}

    def age(self) -> None:
        """Let go of what is too old, or too much."""
        generations = int((self._monotonic() - self._began) / self._generation_seconds)
        if generations or len(self.young) > CACHED_ENTRIES // 2:
            self.old = self.young if generations < 2 else {}
            self.young = {}
            self._began += generations * self._generation_seconds

    def forget(self, key: _K) -> None:
        """As if it had never been there."""
        self.young.pop(key, None)
        self.old.pop(key, None)


class Cache(Generic[_K, _V]):
    """What was found, and for a short time what was not."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self.clear()

    def clear(self) -> None:
        """Know nothing any more."""
        self._found: _Remembered[_K, _V] = _Remembered(FOUND_FOR, self._monotonic)
        self._missing: _Remembered[_K, bool] = _Remembered(MISSING_FOR, self._monotonic)

    def split(self, keys: Iterable[_K]) -> tuple[dict[_K, _V], list[_K]]:
        """What is known of `keys`, and which of them have to be asked for."""
        self._found.age()
        self._missing.age()
        young, old = self._found.young, self._found.old
        missing = (self._missing.young, self._missing.old)
        known: dict[_K, _V] = {}
        unknown: list[_K] = []
        for key in keys:
            value = young.get(key) or old.get(key)
            if value is not None:
                known[key] = value
            elif key not in missing[0] and key not in missing[1]:
                unknown.append(key)
        return known, unknown

    def forget(self, key: _K) -> None:
        """Ask again for one key."""
        self._found.forget(key)
        self._missing.forget(key)

    def put(self, asked: Iterable[_K], answers: Mapping[_K, _V]) -> None:
        """Keep the answers to what was asked."""
        self._found.young.update(answers)
        self._missing.young.update((key, True) for key in asked if key not in answers)

    def learn(self, news: Mapping[_K, _V]) -> None:
        """Keep what was just stored."""
        self._found.young.update(news)
        for key in news:
            self._missing.forget(key)
