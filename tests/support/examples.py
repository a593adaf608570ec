"""How many examples properties are tried with, with one factor for all of them: TEST_EXAMPLES, a quarter unless set.

The number in a test is what `make full` tries. Examples are drawn anew in each run, so that few in each become many.
"""

import os
import random
from typing import Final

__all__ = ["costly_examples", "examples", "is_drawn"]

SHARE: Final = float(os.environ.get("TEST_EXAMPLES", "0.25"))
# Of what costs seconds of a processor each; `make full` takes all of it too.
COSTLY_SHARE: Final = SHARE if SHARE >= 1 else SHARE / 2


def examples(number: int) -> int:
    """For Hypothesis' `max_examples`."""
    return max(1, round(number * SHARE))


def costly_examples(number: int) -> int:
    """Half as many, where each takes seconds of a processor."""
    return max(1, round(number * COSTLY_SHARE))


def is_drawn() -> bool:
    """Whether an example is among those for which a costly question is asked in this run; `make full` asks for all.

    Half as many as examples are tried, since a question costs a tenth of a second of a processor to plan; the days of
    scenarios/ ask all of them in each run. By the system's own chance: pytest-randomly lets `random` begin anew with
    each test.
    """
    return random.SystemRandom().random() < COSTLY_SHARE
