"""The client for threads: `send` queues, one sender thread delivers.

One lock guards the queue and the counters. Hooks and calls run outside of it, in the sender thread, so that `send` of
other threads never waits for the network unless the queue is full.
"""

import atexit
import logging
import os
import random
import threading
import time
import weakref
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

import grpc

from qrumb.buffer import Batch, Buffer, Kind, QueuedEvent, as_queued
from qrumb.errors import CLOSED, ClosedError, DeliveryError, QrumbError, UndeliveredError, queue_full
from qrumb.events import Event, complete, scan_session
from qrumb.ledger import Counters, FailureHook, Ledger, ReceiptHook, check_receipts
from qrumb.retry import Failure, backoff, halves_of, read_failure
from qrumb.settings import Settings
from qrumb.transport import METHODS, Tls, Way, encode_batch, receipts_of
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2 import RegisterScanSessionRequest
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub

__all__ = ["Client"]

# What a caller waits for an answer unless it says otherwise, and what the end of a program waits for its events.
ANSWER_TIMEOUT: Final = 30.0
CLOSE_TIMEOUT: Final = 30.0
_BEFORE_A_FORK: Final = "the client was made before a fork: make one in each process"

_log = logging.getLogger("qrumb")


class Client:
    """Sends events to a collector over gRPC. Any number of threads may use one.

    A process that forks makes its client in the child: gRPC's threads do not survive a fork, and a client that was made
    in another process refuses every event.

    Args:
        url: `grpc://host:port`, or `grpcs://host:port` for TLS.
        key: the site's key; empty: none.
        tls: certificates.
        settings: limits and times.
        on_receipt: called with every receipt, in the order of the events of a batch. Hooks run in the sender thread and
            must not call flush or close. Without it rejections are logged.
        on_failure: called with every event that has no receipt and will get none, and with the reason. Without it such
            events are logged as a number, and `close` raises.

    Raises:
        ValueError: an argument cannot be meant.
    """

    def __init__(
        self,
        url: str = "grpc://127.0.0.1:9090",
        *,
        key: str = "",
        tls: Tls | None = None,
        settings: Settings | None = None,
        on_receipt: ReceiptHook | None = None,
        on_failure: FailureHook | None = None,
    ) -> None:
        self._settings = settings or Settings()
        self._way = Way(url, key, tls, self._settings)
        self._channel = self._way.channel()
        self._calls: dict[Kind, Any] = {
            kind: self._channel.unary_unary(method.path, None, method.response.FromString)
            for kind, method in METHODS.items()
        }
        self._buffer = Buffer(self._settings)
        self._ledger = Ledger(url, on_receipt, on_failure)
        self._collecting = 0
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # the sender waits for it
        self._answers = threading.Condition(self._lock)  # callers wait for it: room, flush
        self._closing = False
        self._abandoned = False
        self._call_under_way: Any = None
        self._undelivered: Batch = []
        self._process_id = os.getpid()
        self._sender = threading.Thread(target=self._run, name="qrumb-sender", daemon=True)
        self._sender.start()
        _open_clients.add(self)

    @classmethod
    def from_env(cls, **arguments: Any) -> Self:
        """A client whose `url` and `key` are QRUMB_URL and QRUMB_KEY, where these are set."""
        found = {"url": os.environ.get("QRUMB_URL"), "key": os.environ.get("QRUMB_KEY")}
        return cls(**{**{name: value for name, value in found.items() if value}, **arguments})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def counters(self) -> Counters:
        """What became of the events so far."""
        with self._lock:
            return self._ledger.counters(len(self._buffer) + self._collecting)

    def send(self, event: Event, *, timeout: float | None = None) -> str:
        """Queue an event and return its id.

        Args:
            event: of `server_event` or `browser_event`, or a message of one's own, a ScanSession too.
            timeout: seconds to wait for room where the queue is full and blocks; None: for ever.

        Raises:
            QueueFullError: the queue is full; the event was not taken.
            ClosedError: the client is closed.
        """
        queued = as_queued(complete(event), time.monotonic())
        self._check_process()
        with self._lock:
            if not self._buffer.admits(queued.size):
                self._wait_for_room(queued.size, timeout)
                queued.queued_at = time.monotonic()
            self._check_open()
            self._ledger.sent += 1
            if self._buffer.put(queued):
                self._work.notify()
        return queued.event_id

    def offer(self, event: Event) -> bool:
        """Queue an event if there is room this very moment; never waits and never raises for want of it.

        An event that was not taken has failed: it is counted so, and `on_failure` is called with it, here in the
        caller's thread.

        Returns:
            Whether it was taken.
        """
        queued = as_queued(complete(event), time.monotonic())
        error = self._refusal(queued)
        if error is not None:
            self._ledger.tell_loss(queued, error)
        return error is None

    def _refusal(self, queued: QueuedEvent) -> QrumbError | None:
        """Put the event into the queue, or count it as failed and say why."""
        if os.getpid() != self._process_id:  # in the child of a fork the lock may never be released
            return ClosedError(_BEFORE_A_FORK)
        with self._lock:
            self._ledger.sent += 1
            if not self._closing and self._buffer.admits(queued.size):
                if self._buffer.put(queued):
                    self._work.notify()
                return None
            self._ledger.failed += 1
            return ClosedError(CLOSED) if self._closing else queue_full(len(self._buffer))

    def collect(self, event: Event, *, timeout: float = ANSWER_TIMEOUT) -> EventReceipt:
        """Send an event in a call of its own and return its receipt, which may be REJECTED.

        Raises:
            DeliveryError: the server refused the call, or gave no answer within `timeout`.
            ClosedError: the client is closed.
        """
        queued = as_queued(complete(event), time.monotonic())
        self._check_process()
        with self._lock:
            self._check_open()
            self._ledger.sent += 1
            self._collecting += 1
        receipts: list[EventReceipt] = []
        try:
            answer = self._until_answered(self._calls[queued.kind], encode_batch([queued]), timeout)
            found = list(receipts_of(answer))
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

    def register_scan_session(
        self,
        *,
        site_id: str,
        scan_session_id: str,
        qr_code_id: str,
        scan_time: datetime | None = None,
        user_id: str = "",
        timeout: float = ANSWER_TIMEOUT,
    ) -> ScanSession:
        """Register a scan, before or after its events; the same one again changes nothing.

        Raises:
            DeliveryError: the server refused it (`violations` says why), or gave no answer within `timeout`.
            ValueError: the time has no zone.
            ClosedError: the client is closed.
        """
        session = scan_session(
            site_id=site_id,
            scan_session_id=scan_session_id,
            qr_code_id=qr_code_id,
            scan_time=scan_time,
            user_id=user_id,
        )
        self._check_process()
        self._check_open()
        call = ScanSessionServiceStub(self._channel).RegisterScanSession
        answer = self._until_answered(call, RegisterScanSessionRequest(scan_session=session), timeout)
        kept: ScanSession = answer.scan_session
        return kept

    def flush(self, timeout: float | None = None) -> bool:
        """Send what waits at once; whether all that was queued before is answered within `timeout` (None: for ever)."""
        with self._lock:
            number = self._buffer.last_number
            self._buffer.make_urgent()
            self._work.notify()
            return self._answers.wait_for(lambda: self._buffer.is_settled(number), timeout)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Flush, then end. What has no answer after `timeout` seconds is failed and handed back.

        Raises:
            UndeliveredError: has the events without an answer; or events had failed before, and there is no on_failure.
        """
        if os.getpid() != self._process_id:  # the parent's, which closes it
            return
        with self._lock:
            if self._closing and not self._sender.is_alive():
                return
            self._closing = True
            self._buffer.make_urgent()
            self._work.notify()
            self._answers.notify_all()
        self._sender.join(timeout)
        if self._sender.is_alive():
            with self._lock:
                self._abandoned = True
                if self._call_under_way is not None:
                    self._call_under_way.cancel()
                self._work.notify()
            self._sender.join()
        _open_clients.discard(self)
        self._channel.close()
        if error := self._ledger.undelivered(self._undelivered):
            raise error

    def close_at_exit(self) -> None:
        """What the end of a program does to a client that is still open."""
        if self._process_id == os.getpid():  # else it belongs to the parent of a fork
            try:
                self.close()
            except UndeliveredError as error:
                _log.error("qrumb: at the end of the program %s", error)

    def _check_open(self) -> None:
        if self._closing:
            raise ClosedError(CLOSED)

    def _check_process(self) -> None:
        # Before the lock is taken: in the child of a fork it may never be released.
        if os.getpid() != self._process_id:
            raise ClosedError(_BEFORE_A_FORK)

    def _wait_for_room(self, size: int, timeout: float | None) -> None:
        """Until an event of that size fits; the lock is held."""
        self._check_open()
        # A hook that sends must not wait for itself.
        can_wait = self._settings.when_full == "block" and threading.current_thread() is not self._sender
        if not can_wait or not self._answers.wait_for(lambda: self._buffer.admits(size) or self._closing, timeout):
            raise queue_full(len(self._buffer))

    def _until_answered(self, call: Any, request: Any, timeout: float) -> Any:
        """Call until there is an answer that no repetition would change, in the caller's own thread."""
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

    def _backoff(self, failure: Failure, attempt: int) -> float:
        return backoff(self._settings, attempt, random.random(), failure.stated_delay)  # noqa: S311  # no secret

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
            self._undelivered = left = self._buffer.take_all()
            self._ledger.failed += len(left)
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
            self._answers.notify_all()

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
            return read_failure(error)
        if wrong := check_receipts(batch, receipts):
            return Failure(error=wrong, retried=False, stated_delay=None)
        return receipts

    def _pause(self, seconds: float) -> bool:
        """Wait before the next attempt; False where there will be none."""
        end = time.monotonic() + seconds
        with self._lock:
            while not self._abandoned and (left := end - time.monotonic()) > 0:
                self._work.wait(left)
            if not self._abandoned:
                self._ledger.retried += 1
            return not self._abandoned


_ABANDONED: Final = Failure(
    error=DeliveryError(grpc.StatusCode.CANCELLED, "the client was closed"), retried=True, stated_delay=None
)
_open_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


@atexit.register
def _close_open_clients() -> None:
    """A program that ends without close() still delivers what it sent."""
    for client in list(_open_clients):
        client.close_at_exit()
