"""Long work gives way: to the loop after each slice, and to calls that had less."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest

from qrumb_server.rpc.turns import SHORT_BYTES, Turns
from tests.support.patience import patient

LONG = SHORT_BYTES + 1


class Clock:
    """Goes on only with work."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Work:
    """Steps of a millisecond each, noted in the order in which they are done."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.done: list[str] = []

    def steps(self, name: str, number: int, *, fails_at: int = -1) -> Iterator[int]:
        """Of one call."""
        for step in range(number):
            if step == fails_at:
                raise ValueError
            self.clock.now += 0.001
            self.done.append(name)
            yield step


@pytest.fixture
def work() -> Work:
    """Nothing done yet."""
    return Work(Clock())


@pytest.fixture
def turns(work: Work) -> Turns:
    """Slices of three steps."""
    return Turns(slice_seconds=0.0025, clock=work.clock, processor_clock=work.clock)


async def test_between_two_slices_the_loop_takes_a_round(turns: Turns, work: Work) -> None:
    rounds: list[int] = []

    async def others() -> None:
        while len(work.done) < 30:
            rounds.append(len(work.done))
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    assert await turns.run(work.steps("a", 30), size=LONG) == list(range(30))
    await other
    held = [after - before for before, after in pairwise(rounds)]
    assert max(held) <= 3


async def test_many_long_calls_together_hold_no_round_for_longer_than_one_slice(turns: Turns, work: Work) -> None:
    rounds: list[int] = []

    async def others() -> None:
        while len(work.done) < 600:
            rounds.append(len(work.done))
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    await asyncio.gather(*(turns.run(work.steps(str(call), 30), size=LONG) for call in range(20)))
    await other
    # The one who looks may come first in one round and last in the next: two slices at most.
    assert max(after - before for before, after in pairwise(rounds)) <= 6


async def test_who_had_least_comes_first(turns: Turns, work: Work) -> None:
    """A call of two slices is done long before those of ten that were there before it."""
    long = [asyncio.create_task(turns.run(work.steps("long", 30), size=LONG)) for _ in range(3)]
    while work.done.count("long") < 40:
        await asyncio.sleep(0)
    await turns.run(work.steps("short", 6), size=LONG)
    assert work.done.count("long") < 50
    await asyncio.gather(*long)
    assert len(work.done) == 96


async def test_what_is_short_waits_for_no_other(turns: Turns, work: Work) -> None:
    long = asyncio.create_task(turns.run(work.steps("long", 30), size=LONG))
    await asyncio.sleep(0)
    assert await turns.run(work.steps("short", 1), size=SHORT_BYTES) == [0]
    assert work.done == ["long"] * 3 + ["short"]
    await long


async def test_a_call_that_fails_or_is_given_up_passes_its_turn_on(turns: Turns, work: Work) -> None:
    failing = asyncio.create_task(turns.run(work.steps("fails", 30, fails_at=4), size=LONG))
    given_up = [asyncio.create_task(turns.run(work.steps("given up", 30), size=LONG)) for _ in range(3)]
    last = asyncio.create_task(turns.run(work.steps("last", 9), size=LONG))
    for round_ in range(12):
        await asyncio.sleep(0)
        if round_ in (2, 5, 8):
            given_up.pop().cancel()
    assert await asyncio.wait_for(last, 5) == list(range(9))
    with pytest.raises(ValueError):
        await failing
    assert await turns.run(work.steps("after", 3), size=LONG) == [0, 1, 2]


async def test_long_work_waits_for_short_calls_and_goes_on_once_there_are_none(work: Work) -> None:
    turns = Turns(slice_seconds=0.001, clock=work.clock, processor_clock=work.clock)

    def steps() -> Iterator[int]:
        for step in range(3):
            work.clock.now += 100.0  # a pause after it would outlast the test
            work.done.append("long")
            yield step

    with turns.short_call():
        with turns.short_call():
            long = asyncio.create_task(turns.run(steps(), size=LONG))
            for _ in range(50):
                await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert work.done == ["long"]
    work.clock.now += 1_000.0  # the last short call was long ago
    async with asyncio.timeout(patient(5)):
        assert await long == [0, 1, 2]


async def test_long_work_goes_on_however_many_short_calls_there_are(turns: Turns, work: Work) -> None:
    with turns.short_call():
        async with asyncio.timeout(patient(10)):
            assert await turns.run(work.steps("a", 9), size=LONG) == list(range(9))


async def test_work_of_costly_steps_rests_where_short_calls_come_and_others_wait_for_a_lull(work: Work) -> None:
    """A thousand steps of some microseconds, then two that are long: those have a tenth of the time."""
    turns = Turns(slice_seconds=0.001, clock=work.clock, processor_clock=work.clock)
    turns.arriving()
    with turns.short_call():
        pass

    def steps(seconds: float, number: int) -> Iterator[int]:
        for step in range(number):
            work.clock.now += seconds
            yield step

    async with asyncio.timeout(patient(20)):
        assert len(await turns.run(steps(0.00001, 1_000), size=LONG)) == 1_000
    costly = asyncio.create_task(turns.run(steps(0.5, 2), size=LONG))
    await asyncio.sleep(0.1)
    assert not costly.done()
    work.clock.now += 10.0  # no short call was here lately
    async with asyncio.timeout(patient(5)):
        assert await costly == [0, 1]


async def test_long_messages_wait_for_each_other_where_short_calls_come(work: Work) -> None:
    """Were they only refused: to take in 4 MiB holds the loop for some ms, and nothing else would slow their sender."""
    turns = Turns(clock=work.clock, processor_clock=work.clock)
    async with asyncio.timeout(patient(5)):
        await turns.take_in(1 << 40)
        await turns.take_in(1 << 40)  # no short call was here lately
    with turns.short_call():
        second = asyncio.create_task(turns.take_in(1))
        await asyncio.sleep(0.05)
        assert not second.done()
    work.clock.now += 1_000_000.0
    async with asyncio.timeout(patient(5)):
        await second


def test_work_at_once_is_a_slice_like_any() -> None:
    """Beside short calls it owes the pause of one; alone it owes none."""
    now = 0.0
    turns = Turns(clock=lambda: now)
    assert turns.is_free()
    begun, now = turns.clock(), 0.001
    turns.has_worked(begun)
    assert turns.is_free(), "no short calls come in"
    with turns.short_call():
        assert not turns.is_free()
        now = 0.004
        assert not turns.is_free()
        now = 0.006
        assert turns.is_free()
