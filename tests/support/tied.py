"""Processes that die with the test that started them, even where that is killed.

The kernel tells a child of its parent's death (PR_SET_PDEATHSIG), which it takes for that of the thread that started
the child: so processes are started from a test's main thread.
"""

import shutil
from typing import Final

__all__ = ["TIED"]

TIED: Final = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
"""Stands before a command; the process keeps its pid."""
