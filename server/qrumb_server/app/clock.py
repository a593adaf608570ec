"""Clocks: the only place that asks the machine what time it is."""

import time

from qrumb_server.ports import Clock

__all__ = ["SteadyClock", "SystemClock"]


class SystemClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000


class SteadyClock:
    """A clock that never goes back: where the machine's does, it stands still until that has caught up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest_ms = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC, never less than before."""
        self._latest_ms = max(self._latest_ms, self._clock.now_ms())
        return self._latest_ms
