"""Long work on an event loop that must stay free for others: done in short slices, one call's at a time.

Invariants: between any two slices the loop takes one round, and where short calls come at all it has half of the time
to itself: taking a call in is some rounds of the loop before anything is known of it, each of which would wait for a
slice. The next slice goes to the call that had least so far, so that a long call delays a shorter one by a slice or
two, however many long ones there are.
"""

import asyncio
import heapq
import math
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar

__all__ = ["SHORT_BYTES", "SLICE_SECONDS", "Turns"]

T = TypeVar("T")

# A slice ends with the first step beyond it.
SLICE_SECONDS: Final = 0.001
# While calls come in and short ones are under way, long ones wait after each slice until there is a lull, but no longer
# than so many times what the slice took: however many short ones there are, long calls have a fifth of the loop. A call
# through gRPC takes some five rounds of the loop and a sync of the disk, so that most are through in one pause.
PAUSE_SHARE: Final = 4.0
# So long nothing came in; or as long as the slice took if that was longer, as it is where processors are scarce. The
# loop sleeps meanwhile: the thread that hands it calls needs the interpreter, too.
LULL_SECONDS: Final = 0.001
MAX_LULL_SECONDS: Final = 0.02
# Of the processor's time: what most senders send takes a third of it for a step. Work of longer steps is what attacks
# are made of: beside short calls it has a tenth of the loop, whether these are under way or only may be.
COSTLY_STEP_SECONDS: Final = 0.0003
COSTLY_PAUSE_SHARE: Final = 9.0
# gRPC copies a message on the loop: 4 MiB take 5 ms.
TAKE_IN_SECONDS_PER_BYTE: Final = 1.2e-9
# After the last short call long ones pause no more: a node that takes in batches alone loses no time.
RECENT_SECONDS: Final = 1.0
# No event of this size takes more than a part of a slice, and most single events are shorter.
SHORT_BYTES: Final = 2 * 1024


class Turns:
    """One for a whole process; not for threads.

    Args:
        slice_seconds: when a slice ends.
        clock: seconds of a clock that never goes back.
        processor_clock: seconds that the thread has worked.
    """

    def __init__(
        self,
        *,
        slice_seconds: float = SLICE_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
        processor_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._slice_seconds = slice_seconds
        self._clock = clock
        self._processor_clock = processor_clock
        self._is_taken = False
        # By what each has had; the number keeps equal ones in order.
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0
        self._short_calls = 0
        self._no_short_calls = asyncio.Event()
        self._no_short_calls.set()
        self._arrivals = 0
        self._last_short = -math.inf
        self._short_call = _ShortCall(self.begin_short_call, self.end_short_call)
        # When the last slice of any call ended, and what it took.
        self._slice_ended = -math.inf
        self._slice_took = 0.0
        self._was_costly = False

    def arriving(self) -> None:
        """A call has come, of which nothing is known yet."""
        self._arrivals += 1

    def short_call(self) -> "_ShortCall":
        """Around a short call that is under way: long ones pause for it."""
        return self._short_call

    def begin_short_call(self) -> None:
        """What `short_call` does first; for those whose every call counts."""
        if not self._short_calls:
            self._no_short_calls.clear()
        self._short_calls += 1
        self._arrivals += 1

    def end_short_call(self) -> None:
        """What it does last."""
        self._last_short = self._clock()
        self._short_calls -= 1
        if not self._short_calls:
            self._no_short_calls.set()

    def is_free(self) -> bool:
        """Whether a slice may be worked at once: no one's turn is due, and no pause is owed."""
        return not self._is_taken and not (self._has_short_calls and self._owed() > 0)

    def has_worked(self, begun: float) -> None:
        """Since that moment of `clock` one slice was worked at once: others pause for it as for one of `run`."""
        self._slice_ended = self._clock()
        self._slice_took = self._slice_ended - begun
        self._was_costly = False

    def clock(self) -> float:
        """Seconds, as `has_worked` takes them."""
        return self._clock()

    async def take_in(self, size: int) -> None:
        """Before a long message is looked at, were it only to refuse it: to take it in has held the loop unsliced.

        Args:
            size: bytes of the message.
        """
        await self._take(0.0)
        try:
            await self._pause()
            self._slice_ended = self._clock()
            self._slice_took = size * TAKE_IN_SECONDS_PER_BYTE
            self._was_costly = True
        finally:
            self._pass_on()

    async def run(self, steps: Iterable[T], *, size: int) -> list[T]:
        """Everything that the steps yield. Each step should take far less than a slice.

        Args:
            size: bytes that are worked on; what is short is done at once.
        """
        if size <= SHORT_BYTES:
            return list(steps)
        results: list[T] = []
        rest = iter(steps)
        used = 0.0
        await self._take(used)
        while True:
            try:
                await self._pause()
                begun = self._clock()
                before, begun_processor = len(results), self._processor_clock()
                is_done = self._slice(rest, results, begun)
            except BaseException:
                self._pass_on()
                raise
            self._slice_ended = self._clock()
            self._slice_took = self._slice_ended - begun
            worked = self._processor_clock() - begun_processor
            self._was_costly = worked > COSTLY_STEP_SECONDS * (len(results) - before + 1)
            if is_done:
                self._pass_on()
                return results
            used += self._slice_took
            await self._give_way(used)

    def _slice(self, rest: Iterator[T], results: list[T], begun: float) -> bool:
        """Work until the slice is over; whether nothing is left."""
        for result in rest:
            results.append(result)
            if self._clock() - begun > self._slice_seconds:
                return False
        return True

    async def _take(self, used: float) -> None:
        """Wait for one's turn."""
        if self._is_taken:
            await self._queue(used)
        self._is_taken = True

    async def _pause(self) -> None:
        """Wait for a lull, as far as the last slice of whichever call still owes it."""
        owed = self._owed()
        if owed <= 0 or not self._has_short_calls:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(owed):
                is_lull = False
                while self._has_short_calls and not is_lull:
                    await self._no_short_calls.wait()
                    arrivals = self._arrivals
                    await asyncio.sleep(min(max(self._slice_took, LULL_SECONDS), MAX_LULL_SECONDS))
                    is_lull = self._arrivals == arrivals and not self._was_costly

    def _owed(self) -> float:
        share = COSTLY_PAUSE_SHARE if self._was_costly else PAUSE_SHARE
        return share * self._slice_took - (self._clock() - self._slice_ended)

    @property
    def _has_short_calls(self) -> bool:
        return self._short_calls > 0 or self._clock() - self._last_short < RECENT_SECONDS

    async def _give_way(self, used: float) -> None:
        """Let the loop take a round, and others their turns."""
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self._pass_on()
            raise
        if self._waiting:
            turn = self._queue(used)
            self._pass_on()
            await turn

    def _queue(self, used: float) -> Coroutine[Any, Any, None]:
        """Stand in line at once; the coroutine waits until it is one's turn."""
        turn = asyncio.get_running_loop().create_future()
        self._number += 1
        heapq.heappush(self._waiting, (used, self._number, turn))

        async def wait() -> None:
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # it came together with the cancellation
                    self._pass_on()
                raise

        return wait()

    def _pass_on(self) -> None:
        """The next one has the turn; `_is_taken` stays while there is one."""
        while self._waiting:
            _used, _number, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False


class _ShortCall:
    """For all calls the same one, because a generator's context takes longer than a call may."""

    __slots__ = ("_begin", "_end")

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._begin = begin
        self._end = end

    def __enter__(self) -> None:
        self._begin()

    def __exit__(self, *_error: object) -> None:
        self._end()
