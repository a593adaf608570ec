"""The numbers of a QR code as values that a comparison waits for."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

__all__ = ["Funnel", "Number"]

_PAUSE_SECONDS: Final = 0.05
_COUNTS: Final = ("scan_count", "visit_count", "conversion_count", "fraud_count")


class Number:
    """A number that is read again until a comparison holds, or time is up. Its text is what was read last.

    Args:
        read: the number now.
        within: seconds.
    """

    def __init__(self, read: Callable[[], int], within: float) -> None:
        self._read = read
        self._within = within
        self._last: int | None = None

    def __eq__(self, other: object) -> bool:
        return self._wait(lambda number: number == other)

    def __ge__(self, other: int) -> bool:
        return self._wait(lambda number: number >= other)

    def __gt__(self, other: int) -> bool:
        return self._wait(lambda number: number > other)

    def __int__(self) -> int:
        self._last = self._read()
        return self._last

    def __repr__(self) -> str:
        return repr(int(self) if self._last is None else self._last)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _wait(self, holds: Callable[[int], bool]) -> bool:
        deadline = time.monotonic() + self._within
        while not holds(int(self)):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        return True


class Funnel:
    """From the scans of a QR code to conversions, in the last thirty days."""

    scan_count: Number
    visit_count: Number
    conversion_count: Number
    fraud_count: Number

    def __init__(self, read: Callable[[], Mapping[str, Any]], within: float) -> None:
        for name in _COUNTS:
            setattr(self, name, Number(lambda name=name: int(read().get(name, 0)), within))  # type: ignore[misc]
        self._read = read

    def __repr__(self) -> str:
        counts = self._read()
        return f"Funnel({', '.join(f'{name}={counts.get(name, 0)}' for name in _COUNTS)})"
