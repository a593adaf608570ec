"""How long to fuzz: one short round in the default suite, FUZZ_SECONDS in all under `make fuzz`.

Hypothesis, not a coverage-guided fuzzer: what takes the bytes apart is C (protobuf, re, orjson), of which coverage of
Python lines says little. The strategies and oracles of tests/property serve here too, and a finding arrives shrunk.
"""

import os
import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.examples import examples

T = TypeVar("T")
Fuzz = Callable[[Callable[[T], None], st.SearchStrategy[T]], None]

TARGETS = 4
SECONDS_PER_TARGET = float(os.environ.get("FUZZ_SECONDS", "0")) / TARGETS
ROUND = settings(
    max_examples=5_000 if SECONDS_PER_TARGET else examples(600),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz[T]:
    """Checks what a strategy draws, round after round until the time is up; each round begins at another seed."""

    def run(check: Callable[[T], None], inputs: st.SearchStrategy[T]) -> None:
        executions = 0

        def counted(drawn: T) -> None:
            nonlocal executions
            executions += 1
            check(drawn)

        end = time.monotonic() + SECONDS_PER_TARGET
        fuzzed = ROUND(given(inputs)(counted))
        while True:
            fuzzed()
            if time.monotonic() >= end:
                break
        print(f"{request.node.name}: {executions:,} executions")

    return run
