"""The queue of the client for threads, and the thread that empties it.

One lock guards the queue and the counters. Hooks and calls run outside of it, in the sender's thread, so that `put` of
other threads never waits for the network unless the queue is full.
"""

import os
import random
import threading
import time
from typing import Any, Final

import grpc

from qrumb.buffer import Batch, Buffer, QueuedEvent
from qrumb.errors import CLOSED, ClosedError, DeliveryError, QrumbError, queue_full
from qrumb.ledger import Counters, Ledger, check_receipts
from qrumb.retry import Failure, backoff, halves_of, read_failure
from qrumb.settings import Settings
from qrumb.spool import divided, is_all_kept, opened
from qrumb.transport import Calls, Way, encode_batch, receipts_of
from qrumb.v1.receipt_pb2 import EventReceipt

__all__ = ["Sender"]


class Sender:
    """Delivers what is put into it, batch after batch, until it is closed."""

    def __init__(
        self, settings: Settings, way: Way, calls: Calls, ledger: Ledger, spool_dir: str | os.PathLike[str]
    ) -> None:
        self._settings = settings
        self._way = way
        self._calls = calls
        self._ledger = ledger
        self._buffer = Buffer(settings)
        self._spool = opened(spool_dir, settings, self._buffer)
        self._collecting = 0
        self._kept = 0
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # the thread waits for it
        self._answers = threading.Condition(self._lock)  # callers wait for it: room, flush
        self._closing = False
        self._abandoned = False
        self._call_under_way: Any = None
        self._thread = threading.Thread(target=self._run, name="qrumb-sender", daemon=True)
        self.undelivered: Batch = []
        """What was left at the end."""

    def start(self) -> None:
        """Begin to send, with what others have left in the folder."""
        self._adopt()
        self._thread.start()

    @property
    def counters(self) -> Counters:
        """What became of the events so far."""
        with self._lock:
            return self._ledger.counters(len(self._buffer) + self._collecting + self._kept)

    def check_open(self) -> None:
        """Raise ClosedError where nothing is taken any more."""
        if self._closing:
            raise ClosedError(CLOSED)

    def put(self, queued: QueuedEvent, timeout: float | None) -> None:
        """Queue an event, once there is room for it; `timeout` None: whenever that is.

        Raises:
            QueueFullError: there was none.
            ClosedError: the client is closed.
        """
        with self._lock:
            if not self._buffer.admits(queued.size):
                self._wait_for_room(queued.size, timeout)
                queued.queued_at = time.monotonic()
            self.check_open()
            self._take(queued)

    def offer(self, queued: QueuedEvent) -> QrumbError | None:
        """Queue an event if there is room this moment, or count it as failed and say why."""
        with self._lock:
            if not self._closing and self._buffer.admits(queued.size):
                self._take(queued)
                return None
            self._ledger.sent += 1
            self._ledger.failed += 1
            return ClosedError(CLOSED) if self._closing else queue_full(len(self._buffer))

    def _take(self, queued: QueuedEvent) -> None:
        self._ledger.sent += 1
        if self._spool is not None:
            self._spool.keep(queued)
        if self._buffer.put(queued):
            self._work.notify()

    def collect(self, call: Any, queued: QueuedEvent, timeout: float) -> EventReceipt:
        """Send one event past the queue, in the caller's thread.

        Raises:
            DeliveryError: the server refused it, or gave no answer in time.
            ClosedError: the client is closed.
        """
        with self._lock:
            self.check_open()
            self._ledger.sent += 1
            self._collecting += 1
        receipts: list[EventReceipt] = []
        try:
            found = list(receipts_of(self.until_answered(call, encode_batch([queued]), timeout)))
            if error := check_receipts([queued], found):
                raise error
            receipts = found
        finally:
            with self._lock:
                self._collecting -= 1
                self._ledger.count(receipts)
                self._ledger.failed += not receipts
                self._ledger.raised += not receipts
        return receipts[0]

    def until_answered(self, call: Any, request: Any, timeout: float) -> Any:
        """Call until there is an answer that no repetition would change, in the caller's own thread.

        Raises:
            DeliveryError: the server refused it, or gave no answer in time.
        """
        end = time.monotonic() + timeout
        attempt = 0
        while True:
            left = min(self._settings.call_timeout, max(0.001, end - time.monotonic()))
            try:
                return call(request, timeout=left, metadata=self._way.metadata)
            except grpc.RpcError as error:
                failure = read_failure(error)
            attempt += 1
            wait = self._backoff(failure, attempt)
            if not failure.retried or time.monotonic() + wait >= end:
                raise failure.error
            with self._lock:
                self._ledger.retried += 1
            time.sleep(wait)

    def flush(self, timeout: float | None) -> bool:
        """Make everything due; whether all that was queued before is answered within `timeout`."""
        with self._lock:
            number = self._buffer.last_number
            self._buffer.make_urgent()
            self._work.notify()
            return self._answers.wait_for(lambda: self._buffer.is_settled(number), timeout)

    def close(self, timeout: float) -> bool:
        """Flush, then end; False where that was done before."""
        with self._lock:
            if self._closing and not self._thread.is_alive():
                return False
            self._closing = True
            self._buffer.make_urgent()
            self._work.notify()
            self._answers.notify_all()
        self._thread.join(timeout)
        if self._thread.is_alive():
            with self._lock:
                self._abandoned = True
                if self._call_under_way is not None:
                    self._call_under_way.cancel()
                self._work.notify()
            self._thread.join()
        return True

    def _wait_for_room(self, size: int, timeout: float | None) -> None:
        """Until an event of that size fits; the lock is held."""
        self.check_open()
        # A hook that sends must not wait for itself.
        can_wait = self._settings.when_full == "block" and threading.current_thread() is not self._thread
        if not can_wait or not self._answers.wait_for(lambda: self._buffer.admits(size) or self._closing, timeout):
            raise queue_full(len(self._buffer))

    def _backoff(self, failure: Failure, attempt: int) -> float:
        return backoff(self._settings, attempt, random.random(), failure.stated_delay)  # noqa: S311  # no secret

    def _adopt(self) -> None:
        """Queue what clients that are gone have left in the folder."""
        if self._spool is not None:
            with self._lock:
                self._spool.adopt(self._take_over)

    def _take_over(self, batch: Batch) -> bool:
        is_taken = self._buffer.put_all(batch)
        if is_taken:
            self._ledger.sent += len(batch)
        return is_taken

    def _run(self) -> None:
        """The sender thread: batch after batch, until the client is closed and nothing waits."""
        try:
            while batch := self._next_batch():
                self._deliver(batch)
        finally:
            self._end()

    def _end(self) -> None:
        """Hand back what is left; nothing is taken any more."""
        with self._lock:
            self._closing = True
            kept, left = divided(self._buffer.take_all())
            self.undelivered = left
            self._ledger.failed += len(left)
            self._kept = len(kept)
            if self._spool is not None:
                self._spool.close()
        if kept and self._spool is not None:
            self._ledger.tell_kept(len(kept), self._spool.folder)
        if left and (error := self._ledger.undelivered(left)):
            self._ledger.hand_back(left, error)
        with self._lock:
            self._answers.notify_all()

    def _next_batch(self) -> Batch:
        """Wait for a batch that is due; empty at the end."""
        with self._lock:
            while not self._abandoned:
                if batch := self._buffer.take(time.monotonic()):
                    return batch
                due_at = self._buffer.due_at()
                if due_at is None and self._closing:
                    break
                self._work.wait(None if due_at is None else due_at - time.monotonic())
        return []

    def _deliver(self, batch: Batch) -> None:
        """Call until the batch has its answer. Left behind only where the client is abandoned."""
        request = encode_batch(batch)
        attempt = 0
        while isinstance(outcome := self._attempt(batch, request), Failure) and outcome.retried:
            attempt += 1
            wait = self._backoff(outcome, attempt)
            if outcome is not _ABANDONED:
                self._ledger.tried(outcome.error, len(self._buffer), wait)
            if not self._pause(wait):
                return
        self._ledger.answered()
        if halves := halves_of(batch, outcome):
            for half in halves:
                self._deliver(half)
            return
        # Told before it is settled: after a flush the caller has seen every answer.
        receipts = [] if isinstance(outcome, Failure) else outcome
        if isinstance(outcome, Failure):
            self._ledger.tell_failure(batch, outcome.error)
        self._ledger.tell(receipts)
        with self._lock:
            self._ledger.count(receipts)
            self._ledger.failed += len(batch) - len(receipts)
            self._buffer.settle(batch)
            if self._spool is not None:
                self._spool.settle(batch)
            self._answers.notify_all()
        if self._spool is not None and self._spool.is_look_due():
            self._adopt()

    def _attempt(self, batch: Batch, request: bytes) -> list[EventReceipt] | Failure:
        with self._lock:
            if self._abandoned:
                return _ABANDONED
            call = self._calls[batch[0].kind].future(
                request, timeout=self._settings.call_timeout, metadata=self._way.metadata
            )
            self._call_under_way = call
        try:
            receipts = list(receipts_of(call.result()))
        except grpc.FutureCancelledError:
            return _ABANDONED
        except grpc.RpcError as error:
            return read_failure(error, has_spool=self._spool is not None)
        if wrong := check_receipts(batch, receipts):
            return Failure(error=wrong, retried=False, stated_delay=None)
        return receipts

    def _pause(self, seconds: float) -> bool:
        """Wait before the next attempt; False where there will be none."""
        end = time.monotonic() + seconds
        with self._lock:
            while not self._abandoned and (left := end - time.monotonic()) > 0:
                if self._closing and is_all_kept(self._spool, self._buffer):
                    self._abandoned = True  # what is on disk is not waited for
                    break
                self._work.wait(left)
            if not self._abandoned:
                self._ledger.retried += 1
            return not self._abandoned


_ABANDONED: Final = Failure(
    error=DeliveryError(grpc.StatusCode.CANCELLED, "the client was closed"), retried=True, stated_delay=None
)
