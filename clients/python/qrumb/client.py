"""The client for threads: `send` queues, the thread of `Sender` delivers."""

import atexit
import logging
import os
import time
import weakref
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

from qrumb.address import DEFAULT_URL, from_environment
from qrumb.buffer import as_queued
from qrumb.errors import ClosedError, QrumbError, UndeliveredError
from qrumb.events import Event, complete, scan_session
from qrumb.ledger import Counters, FailureHook, Ledger, ReceiptHook
from qrumb.sender import Sender
from qrumb.settings import Settings
from qrumb.transport import Tls, Way
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
        url: `grpc://host:port` or `http://host:port`; `grpcs://host:port` or `https://host:port` for TLS.
        key: the site's key; empty: none.
        tls: certificates.
        settings: limits and times.
        spool_dir: a folder in which what is queued survives this process; empty: none. Processes may share one.
        on_receipt: called with every receipt, in the order of the events of a batch. Hooks run in the sender thread and
            must not call flush or close. Without it rejections are logged.
        on_failure: called with every event that has no receipt and will get none, and with the reason. Without it such
            events are logged as a number, and `close` raises.

    Raises:
        ValueError: an argument cannot be meant.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str = "",
        tls: Tls | None = None,
        settings: Settings | None = None,
        spool_dir: str | os.PathLike[str] = "",
        on_receipt: ReceiptHook | None = None,
        on_failure: FailureHook | None = None,
    ) -> None:
        settings = settings or Settings()
        self._way = Way(url, key, tls, settings)
        self._channel = self._way.channel()
        self._calls = self._way.calls(self._channel)
        self._ledger = Ledger(url, on_receipt, on_failure)
        self._process_id = os.getpid()
        self._sender = Sender(settings, self._way, self._calls, self._ledger, spool_dir)
        self._sender.start()
        _open_clients.add(self)

    @classmethod
    def from_env(cls, **arguments: Any) -> Self:
        """A client of QRUMB_URL, QRUMB_KEY and QRUMB_SPOOL_DIR, where these are not empty; arguments count more.

        Raises:
            ValueError: a variable or an argument cannot be meant.
        """
        return cls(**{**from_environment(), **arguments})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def counters(self) -> Counters:
        """What became of the events so far."""
        return self._sender.counters

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
        self._sender.put(queued, timeout)
        return queued.event_id

    def offer(self, event: Event) -> bool:
        """Queue an event if there is room this very moment; never waits and never raises for want of it.

        An event that was not taken has failed: it is counted so, and `on_failure` is called with it, here in the
        caller's thread.

        Returns:
            Whether it was taken.
        """
        queued = as_queued(complete(event), time.monotonic())
        is_own = os.getpid() == self._process_id  # in the child of a fork the lock may never be released
        error: QrumbError | None = self._sender.offer(queued) if is_own else ClosedError(_BEFORE_A_FORK)
        if error is not None:
            self._ledger.tell_loss(queued, error)
        return error is None

    def collect(self, event: Event, *, timeout: float = ANSWER_TIMEOUT) -> EventReceipt:
        """Send an event in a call of its own and return its receipt, which may be REJECTED.

        Raises:
            DeliveryError: the server refused the call, or gave no answer within `timeout`.
            ClosedError: the client is closed.
        """
        queued = as_queued(complete(event), time.monotonic())
        self._check_process()
        return self._sender.collect(self._calls[queued.kind], queued, timeout)

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
        self._sender.check_open()
        call = ScanSessionServiceStub(self._channel).RegisterScanSession
        answer = self._sender.until_answered(call, RegisterScanSessionRequest(scan_session=session), timeout)
        kept: ScanSession = answer.scan_session
        return kept

    def flush(self, timeout: float | None = None) -> bool:
        """Send what waits at once; whether all that was queued before is answered within `timeout` (None: for ever)."""
        return self._sender.flush(timeout)

    def close(self, timeout: float = CLOSE_TIMEOUT) -> None:
        """Flush, then end. What has no answer after `timeout` seconds is failed and handed back.

        With a `spool_dir` it ends at the first failure that a retry might cure: what is in the folder is sent at the
        next start. It still counts as waiting.

        Raises:
            UndeliveredError: has the events without an answer; or events had failed before, and there is no on_failure.
        """
        if os.getpid() != self._process_id:  # the parent's, which closes it
            return
        if not self._sender.close(timeout):
            return
        _open_clients.discard(self)
        self._channel.close()
        if error := self._ledger.undelivered(self._sender.undelivered):
            raise error

    def close_at_exit(self) -> None:
        """What the end of a program does to a client that is still open."""
        if self._process_id == os.getpid():  # else it belongs to the parent of a fork
            try:
                self.close()
            except UndeliveredError as error:
                _log.error("qrumb: at the end of the program %s", error)

    def _check_process(self) -> None:
        # Before the lock is taken: in the child of a fork it may never be released.
        if os.getpid() != self._process_id:
            raise ClosedError(_BEFORE_A_FORK)


_open_clients: "weakref.WeakSet[Client]" = weakref.WeakSet()


@atexit.register
def _close_open_clients() -> None:
    """A program that ends without close() still delivers what it sent."""
    for client in list(_open_clients):
        client.close_at_exit()
