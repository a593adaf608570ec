"""The thread that touches the disk: one job after another, handed over by a queue.

What a job costs beside its work counts, because a group commit is short: ThreadPoolExecutor's hand-over, with its locks
and its count of idle threads, takes longer than the disk.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

__all__ = ["DiskThread"]

_P = ParamSpec("_P")
_T = TypeVar("_T")


class DiskThread(Executor):
    """Does jobs in the order in which they come, from any thread, until it is shut down."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._is_shut = False
        self._thread = Thread(target=self._work, name="disk", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """The future of a job.

        Raises:
            RuntimeError: the thread was shut down.
        """
        if self._is_shut:
            raise RuntimeError("the disk's thread was shut down")
        future: Future[_T] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """End it after the jobs that it has; `cancel_futures` is not known here."""
        if not self._is_shut:
            self._is_shut = True
            self._jobs.put(None)
        if wait:
            self._thread.join()

    def _work(self) -> None:
        while given := self._jobs.get():
            future, job = given
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001  it is the job's owner that answers it
                future.set_exception(error)
            else:
                future.set_result(result)
            del given, future, job  # nothing of a job stays while there is none
