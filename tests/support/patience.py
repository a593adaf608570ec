"""How long tests wait, with one factor for all of them: TEST_PATIENCE, 4 unless set.

A limit in a test says how long something takes at worst on an idle machine. Tests wait by a condition, so a
large factor costs time only where a test fails.
"""

import os
from typing import Final

__all__ = ["PATIENCE", "patient"]

PATIENCE: Final = float(os.environ.get("TEST_PATIENCE", "4"))


def patient(seconds: float) -> float:
    """A limit for a machine that is slower, or shared."""
    return seconds * PATIENCE
