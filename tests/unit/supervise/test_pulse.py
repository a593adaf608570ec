"""A process is well for as long as it says so; what another said, or said long ago, counts for nothing."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator

import pytest

from qrumb_server.supervise.process import Peer, Vitals
from qrumb_server.supervise.pulse import FRESH_SECONDS, Pulses, beating
from qrumb_server.wire.v1.process_service_pb2 import GetCollectingResponse, Pulse
from tests.support.patience import patient

NAME = "worker-7"
PID = os.getpid()


@pytest.fixture
async def pulses() -> AsyncIterator[Pulses]:
    """Hears what this process says."""
    heard = Pulses()
    yield heard
    heard.close()


async def fill(pulse: Pulse) -> None:
    pulse.collecting.forecast_factor = 2.0


def line_of(pulses: Pulses) -> int:
    """As a child inherits it."""
    return os.dup(pulses.descriptor)


async def test_a_process_says_that_it_serves_and_what_it_would_answer(pulses: Pulses) -> None:
    """Until it says itself that it does no longer."""
    with beating(line_of(pulses), NAME, fill):
        assert await pulses.is_serving(NAME, PID, patient(10))
        said = pulses.last(NAME)
        assert said is not None
        assert said.collecting.forecast_factor == 2.0
    assert await said_last(pulses, is_serving=False)
    assert not await pulses.is_serving(NAME, PID, patient(10))


async def said_last(pulses: Pulses, *, is_serving: bool) -> bool:
    async with asyncio.timeout(patient(10)):
        while (said := pulses.last(NAME)) is None or said.is_serving != is_serving:
            await asyncio.sleep(0.01)
    return True


async def test_a_predecessor_s_word_counts_for_no_successor(pulses: Pulses) -> None:
    with beating(line_of(pulses), NAME, fill):
        assert await pulses.is_serving(NAME, PID, patient(10))
        assert not await pulses.is_serving(NAME, PID + 1, 0.1)


async def test_one_that_has_fallen_silent_does_not_serve(pulses: Pulses) -> None:
    """Its last word is no longer fresh."""
    with beating(line_of(pulses), NAME, fill):
        assert await pulses.is_serving(NAME, PID, patient(10))

        async def frozen(_pulse: Pulse) -> None:
            await asyncio.Event().wait()

    with beating(line_of(pulses), NAME, frozen):
        await asyncio.sleep(FRESH_SECONDS)
        assert pulses.last(NAME) is None
        assert not await pulses.is_serving(NAME, PID, 0.1)


async def test_a_full_line_and_rubbish_on_it_hold_nothing_up(pulses: Pulses) -> None:
    """Nothing waits for the supervisor; what it did not read is lost, the next word counts."""
    with socket.socket(fileno=line_of(pulses)) as line:
        line.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                line.send(b"\xff\xff")
        with beating(line_of(pulses), NAME, fill):
            assert await pulses.is_serving(NAME, PID, patient(10))


async def test_a_server_that_does_not_answer_a_call_does_not_serve(pulses: Pulses) -> None:
    """Its own word alone would not tell."""
    vitals = Vitals(NAME, Peer("unix:/nowhere"), pulses)
    with beating(line_of(pulses), NAME, fill):
        assert not await vitals.is_serving(PID, patient(10))


async def test_what_a_process_answers_is_newer_than_what_it_said(pulses: Pulses) -> None:
    """Of one that has said nothing yet, there is nothing to correct."""
    pulses.learn(NAME, GetCollectingResponse(forecast_factor=3.0))
    assert pulses.last(NAME) is None
    with beating(line_of(pulses), NAME, fill):
        assert await pulses.is_serving(NAME, PID, patient(10))
        pulses.learn(NAME, GetCollectingResponse(forecast_factor=3.0))
        said = pulses.last(NAME)
        assert said is not None
        assert said.collecting.forecast_factor == 3.0
