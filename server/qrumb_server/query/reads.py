"""Questions are answered by a few threads at once, each within limits, and only for as long as the caller waits.

What answers a question sees this as its store: every statement is bounded, and ended when the caller has left.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog

from qrumb_server.errors import StoreError
from qrumb_server.ports import Asking, EventStore, Reader, ReadLimits
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault

__all__ = ["Reader", "Reads"]

log = structlog.get_logger()

T = TypeVar("T")
# The engine's numbers for its limits, and what of theirs was reached.
LIMITS: Final[Mapping[int, str]] = {158: "rows", 159: "time", 160: "time", 241: "memory"}
# The limit that all statements share, not one of ours.
_SHARED_MEMORY: Final = "(total)"
_UNKNOWN_ZONE: Final = "Cannot load time zone"
_asking: ContextVar[Asking | None] = ContextVar("asking", default=None)


class Reads:
    """The one place where questions of callers meet the store.

    Args:
        max_concurrent: questions at once.
        max_wait: how long a further one waits for its turn.
        limits: of each statement.
    """

    def __init__(self, store: EventStore, *, max_concurrent: int, max_wait: timedelta, limits: ReadLimits) -> None:
        self._store = store
        self._max_wait = max_wait
        self._limits = limits
        self._executor = ThreadPoolExecutor(max_concurrent, thread_name_prefix="ask")
        # End what callers have left; apart, since all of the others may be at work, and as many, since a statement may
        # take its time to end.
        self._endings = ThreadPoolExecutor(max_concurrent, thread_name_prefix="end")
        self._places = asyncio.Semaphore(max_concurrent)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """A statement of the question that this thread answers. Raises StoreError."""
        return self._store.query(sql, parameters, _asking.get())

    async def run(self, answer: Callable[[], T], *, is_scan: bool = False) -> T:
        """Answer a question by a blocking function, in its turn.

        Args:
            is_scan: it reads much: while rows come in, one after another.

        Raises:
            RequestFault: there was no turn, it took too much, or store or spool cannot be read.
        """
        try:
            async with asyncio.timeout(self._max_wait.total_seconds()):
                await self._places.acquire()
        except TimeoutError:
            raise RequestFault(calls.QUERIES_BUSY) from None
        asking = Asking(self._limits, is_scan=is_scan)
        work = self._begin(answer, asking)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            self._endings.submit(_end, asking)
            raise
        except StoreError as error:
            raise _fault(error) from error
        except OSError as error:
            raise RequestFault(calls.SPOOL_UNREADABLE) from error

    def close(self) -> None:
        """Waits for the questions that are being answered."""
        self._executor.shutdown()
        self._endings.shutdown()

    def _begin(self, answer: Callable[[], T], asking: Asking) -> "Future[T]":
        loop = asyncio.get_running_loop()
        context = copy_context()
        context.run(_asking.set, asking)
        work = self._executor.submit(context.run, answer)

        def free_place(_work: "Future[T]") -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all waiting
                loop.call_soon_threadsafe(self._places.release)

        # When the thread is free, which is later than the caller's leaving.
        work.add_done_callback(free_place)
        return work


def _fault(error: StoreError) -> RequestFault:
    if error.code in LIMITS and _SHARED_MEMORY not in str(error):
        return RequestFault(calls.QUERY_TOO_LARGE, what=LIMITS[error.code])
    if _UNKNOWN_ZONE in str(error):
        return RequestFault(calls.TIME_ZONE_UNKNOWN, field="time_zone")
    return RequestFault(calls.STORE_UNAVAILABLE)


def _end(asking: Asking) -> None:
    try:
        asking.end()
    except Exception as error:  # noqa: BLE001  (its own limit of time ends it)
        log.warning("question_not_ended", error=type(error).__name__)
