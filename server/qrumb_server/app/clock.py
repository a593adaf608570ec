"""Clocks: the only place that asks the machine what time it is."""

import time
from collections.abc import Callable

from qrumb_server.ports import Clock

__all__ = ["SteadyClock", "SystemClock"]


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


class SteadyClock:
    """A clock that never goes back: where the machine's does, it goes on at half its pace until that has caught up.

    It does not stand still: all events of an hour would then be of one moment, and no rate would be true.
    """

    def __init__(self, clock: Clock, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._monotonic_ns = monotonic_ns
        self._latest_ns = 0
        self._read_ns = monotonic_ns()

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC, never less than before."""
        read_ns = self._monotonic_ns()
        slowed_ns = self._latest_ns + (read_ns - self._read_ns) // 2
        now_ms = self._clock.now_ms()
        self._latest_ns = now_ns if (now_ns := now_ms * 1_000_000) > slowed_ns else slowed_ns
        self._read_ns = read_ns
        return self._latest_ns // 1_000_000
