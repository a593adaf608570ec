"""The loader's steps in the spool, each repeated until the disk allows it.

A folder that may not be read, or a disk that is read-only, holds loading up and is said; it ends no process. Steps wait
in their place: going on with other segments would load events before others that were received earlier.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import structlog
from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_exponential

from qrumb_server.loader.progress import Progress
from qrumb_server.spool.filesystem import fault_text

__all__ = ["SpoolAccess"]

log = structlog.get_logger()

T = TypeVar("T")
TOPIC: Final = "spool"
FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 2.0


class SpoolAccess:
    """Runs steps in the spool for one thread.

    Args:
        sleep: seconds; may raise to end the waiting.
    """

    def __init__(self, spool_root: Path, *, progress: Progress, sleep: Callable[[float], None]) -> None:
        self._spool_root = spool_root
        self._progress = progress
        self._waits = False
        # Made once: that takes longer than a look at an empty spool.
        self._retrying = Retrying(
            retry=retry_if_exception_type(OSError),
            wait=wait_exponential(multiplier=FIRST_PAUSE_SECONDS, max=LONGEST_PAUSE_SECONDS),
            sleep=sleep,
            before_sleep=self._note,
        )

    def until_allowed(self, step: Callable[[], T]) -> T:
        """What `step` returns, once it raises no OSError; it must bear to be run again after one."""
        try:
            answer = step()
        except OSError:
            answer = self._retrying(step)
        if self._waits:
            self._waits = False
            self._progress.clear(TOPIC)
        return answer

    def _note(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, OSError)
        text = fault_text(error, self._spool_root)
        if not self._waits:
            log.error("spool_not_accessible", error=text)
        self._waits = True
        self._progress.note(TOPIC, f"the loader waits, since it cannot use {text}; events are kept meanwhile")
