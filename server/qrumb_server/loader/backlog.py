"""What waits in the spool, batch by batch, the oldest first.

The order is part of exactness: of several events with one id the first received is the original, so none may be loaded
before one that was received earlier. New events therefore wait for a backlog, as long as its loading takes.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from qrumb_server.loader.batch import take
from qrumb_server.ports import Clock
from qrumb_server.spool.news import SpoolNews
from qrumb_server.spool.reader import SegmentRef, Stillness, list_sealed, open_times_ms

__all__ = ["Backlog"]

# Beyond every seal_after that makes sense, and longer than a worker takes to start again.
OPEN_PATIENCE_MS: Final = 5_000
# A list of what waits serves for twenty times what making it took: a day of outage leaves 100,000 files.
LIST_SHARE: Final = 20
# Of the pauses between two looks, while no worker writes and the kernel does not tell when one does: less than a worker
# leaves a segment open.
BLIND_PAUSES: Final = 5


class Backlog:
    """Hands out sealed segments. Used by one thread; within its context, where that waits for more.

    Args:
        monotonic: seconds.
        max_events: rows of one batch.
        seal_after: stretch of time after which workers seal.
    """

    def __init__(
        self,
        spool_root: Path,
        *,
        clock: Clock,
        monotonic: Callable[[], float],
        max_events: int,
        seal_after: timedelta,
    ) -> None:
        self._spool_root = spool_root
        self._clock = clock
        self._monotonic = monotonic
        self._max_events = max_events
        self._window_ms = seal_after // timedelta(milliseconds=1)
        self._listed: Sequence[SegmentRef] = ()
        self._still = Stillness(spool_root)
        self._news = SpoolNews()
        self._next_list = monotonic()
        self.is_quiet = False
        """No worker was writing at the last look, so nothing is sealed before a segment was open for a while."""

    def __enter__(self) -> Self:
        self._news.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._news.__exit__(*error)

    def wait(self, seconds: float, quiet_seconds: float) -> None:
        """Between two looks at an empty spool: so many `seconds`; while no worker writes, until one does."""
        if self.is_quiet:
            self._news.wait(self._still.folders, quiet_seconds, blind_seconds=BLIND_PAUSES * seconds)
        else:
            self._news.sleep(seconds)

    def wake(self) -> None:
        """End the wait under way, or the next one; from any thread."""
        self._news.wake()

    def take(self, *, wait_for_open: bool) -> Sequence[SegmentRef]:
        """The next batch, empty if nothing waits; what is taken must be let go before the list is made anew."""
        if not self._listed or self._monotonic() >= self._next_list:
            begun = self._monotonic()
            self._listed = self._list_complete(wait_for_open=wait_for_open)
            ended = self._monotonic()
            self._next_list = ended + LIST_SHARE * (ended - begun)
        taken = take(self._listed, self._max_events)
        self._listed = self._listed[len(taken) :]
        return taken

    def _list_complete(self, *, wait_for_open: bool) -> Sequence[SegmentRef]:
        """Sealed segments of those stretches of time of which no worker still writes one.

        So that an event and its repetition at another worker come in one batch, and the first is the first. A segment
        that stays open, since its worker is away, holds up the others for a moment only. One of the future, the clock
        having stepped back, holds nothing up: with all that follows it stands in one stretch until then.
        """
        now_ms = self._clock.now_ms()
        # Asked in any case: it also says which folders `wait` watches, from the first wait of a loader on.
        if self._still.goes_on(now_ms) and self.is_quiet:
            return ()
        self.is_quiet = False  # what cannot be listed now is listed again, though nothing changes
        # Before the sealed ones are listed: what is sealed in between is then waited for or seen, never missed.
        open_ms = open_times_ms(self._spool_root) if wait_for_open else []
        refs = list_sealed(self._spool_root)
        self.is_quiet = wait_for_open and not open_ms and not refs
        if wait_for_open:
            # Begun while folders were listed: of one that was begun before it, at another worker, nothing was seen yet.
            ended_ms = self._clock.now_ms()
            refs = [ref for ref in refs if not now_ms < ref.begun_time_ms <= ended_ms]
        if not open_ms or not refs:
            return refs
        waited_for = [begun_ms for begun_ms in open_ms if abs(now_ms - begun_ms) < OPEN_PATIENCE_MS]
        earliest = min((begun_ms // self._window_ms for begun_ms in waited_for), default=None)
        return [ref for ref in refs if earliest is None or ref.begun_time_ms // self._window_ms < earliest]
