"""The client for asyncio: the same behaviour as `Client`, in one task of the running loop.

Everything happens in the loop's thread, so there is no lock; hooks are called there and must not block.
"""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import grpc

from qrumb.address import DEFAULT_URL, from_environment
from qrumb.buffer import Batch, Buffer, QueuedEvent, as_queued
from qrumb.client import ANSWER_TIMEOUT, CLOSE_TIMEOUT
from qrumb.errors import CLOSED, ClosedError, queue_full
from qrumb.events import Event, complete, scan_session
from qrumb.ledger import Counters, FailureHook, Ledger, ReceiptHook, check_receipts
from qrumb.retry import Failure, backoff, halves_of, read_failure
from qrumb.settings import Settings
from qrumb.spool import divided, is_all_kept, opened
from qrumb.transport import Tls, Way, encode_batch, receipts_of
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2 import RegisterScanSessionRequest
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub

__all__ = ["AsyncClient"]


class AsyncClient:
    """Sends events to a collector over gRPC. It is made and used within one running loop.

    Arguments and errors are those of `Client`.
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
        self._settings = settings or Settings()
        self._way = Way(url, key, tls, self._settings)
        self._channel = self._way.aio_channel()
        self._calls = self._way.calls(self._channel)
        self._buffer = Buffer(self._settings)
        self._spool = opened(spool_dir, self._settings, self._buffer)
        self._ledger = Ledger(url, on_receipt, on_failure)
        self._collecting = 0
        self._kept = 0
        self._work = asyncio.Event()  # the sender waits for it
        self._answers = asyncio.Condition()  # callers wait for it: room, flush
        self._closing = False
        self._undelivered: Batch = []
        self._adopt()
        self._sender = asyncio.get_running_loop().create_task(self._run(), name="qrumb-sender")

    @classmethod
    def from_env(cls, **arguments: Any) -> Self:
        """As `Client.from_env`."""
        return cls(**{**from_environment(), **arguments})

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def counters(self) -> Counters:
        """What became of the events so far."""
        return self._ledger.counters(len(self._buffer) + self._collecting + self._kept)

    async def send(self, event: Event, *, timeout: float | None = None) -> str:  # noqa: ASYNC109  # as Client's
        """Queue an event and return its id; waits only for room, where the queue is full and blocks.

        Raises:
            QueueFullError: the queue is full; the event was not taken.
            ClosedError: the client is closed.
        """
        queued = as_queued(complete(event), time.monotonic())
        if not self._buffer.admits(queued.size):
            await self._wait_for_room(queued.size, timeout)
            queued.queued_at = time.monotonic()
        self._check_open()
        self._ledger.sent += 1
        self._put(queued)
        return queued.event_id

    def offer(self, event: Event) -> bool:
        """Queue an event if there is room this very moment; as `Client.offer`. Called in the loop's thread."""
        queued = as_queued(complete(event), time.monotonic())
        self._ledger.sent += 1
        if not self._closing and self._buffer.admits(queued.size):
            self._put(queued)
            return True
        self._ledger.failed += 1
        self._ledger.tell_loss(queued, ClosedError(CLOSED) if self._closing else queue_full(len(self._buffer)))
        return False

    async def collect(self, event: Event, *, timeout: float = ANSWER_TIMEOUT) -> EventReceipt:  # noqa: ASYNC109
        """Send an event in a call of its own and return its receipt, which may be REJECTED.

        Raises:
            DeliveryError: the server refused the call, or gave no answer within `timeout`.
            ClosedError: the client is closed.
        """
        queued = as_queued(complete(event), time.monotonic())
        self._check_open()
        self._ledger.sent += 1
        self._collecting += 1
        receipts: list[EventReceipt] = []
        try:
            answer = await self._until_answered(self._calls[queued.kind], encode_batch([queued]), timeout)
            found = list(receipts_of(answer))
            if error := check_receipts([queued], found):
                raise error
            receipts = found
        finally:
            self._collecting -= 1
            self._ledger.count(receipts)
            self._ledger.failed += not receipts
            self._ledger.raised += not receipts
        return receipts[0]

    async def register_scan_session(
        self,
        *,
        site_id: str,
        scan_session_id: str,
        qr_code_id: str,
        scan_time: datetime | None = None,
        user_id: str = "",
        timeout: float = ANSWER_TIMEOUT,  # noqa: ASYNC109
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
        self._check_open()
        call: Any = ScanSessionServiceStub(self._channel).RegisterScanSession
        answer = await self._until_answered(call, RegisterScanSessionRequest(scan_session=session), timeout)
        kept: ScanSession = answer.scan_session
        return kept

    async def flush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109
        """Send what waits at once; whether all that was queued before is answered within `timeout` (None: for ever)."""
        number = self._buffer.last_number
        self._buffer.make_urgent()
        self._work.set()
        return await self._wait_until(lambda: self._buffer.is_settled(number), timeout)

    async def close(self, timeout: float = CLOSE_TIMEOUT) -> None:  # noqa: ASYNC109
        """Flush, then end. What has no answer after `timeout` seconds is failed and handed back.

        Raises:
            UndeliveredError: has the events without an answer; or events had failed before, and there is no on_failure.
        """
        if self._sender.done():
            return
        self._closing = True
        self._buffer.make_urgent()
        self._work.set()
        async with self._answers:
            self._answers.notify_all()
        await asyncio.wait([self._sender], timeout=timeout)
        self._sender.cancel()
        await asyncio.wait([self._sender])
        await self._channel.close()
        if error := self._ledger.undelivered(self._undelivered):
            raise error

    def _put(self, queued: QueuedEvent) -> None:
        if self._spool is not None:
            self._spool.keep(queued)
        if self._buffer.put(queued):
            self._work.set()

    def _adopt(self) -> None:
        """Queue what clients that are gone have left in the folder."""
        if self._spool is not None:
            self._spool.adopt(self._take_over)

    def _take_over(self, batch: Batch) -> bool:
        is_taken = self._buffer.put_all(batch)
        if is_taken:
            self._ledger.sent += len(batch)
        return is_taken

    def _check_open(self) -> None:
        if self._closing:
            raise ClosedError(CLOSED)

    async def _wait_for_room(self, size: int, timeout: float | None) -> None:  # noqa: ASYNC109
        """Until an event of that size fits."""
        self._check_open()
        if self._settings.when_full == "block":
            await self._wait_until(lambda: self._buffer.admits(size) or self._closing, timeout)
        if not self._closing and not self._buffer.admits(size):
            raise queue_full(len(self._buffer))

    async def _wait_until(self, is_so: Callable[[], bool], timeout: float | None) -> bool:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout), self._answers:
                await self._answers.wait_for(is_so)
        except TimeoutError:
            return is_so()
        return True

    async def _until_answered(self, call: Any, request: Any, timeout: float) -> Any:  # noqa: ASYNC109
        """Call until there is an answer that no repetition would change."""
        end = time.monotonic() + timeout
        attempt = 0
        while True:
            left = min(self._settings.call_timeout, max(0.001, end - time.monotonic()))
            try:
                return await call(request, timeout=left, metadata=self._way.metadata)
            except grpc.aio.AioRpcError as error:
                failure = read_failure(error)
            attempt += 1
            wait = self._backoff(failure, attempt)
            if not failure.retried or time.monotonic() + wait >= end:
                raise failure.error
            self._ledger.retried += 1
            await asyncio.sleep(wait)

    def _backoff(self, failure: Failure, attempt: int) -> float:
        return backoff(self._settings, attempt, random.random(), failure.stated_delay)  # noqa: S311  # no secret

    async def _run(self) -> None:
        """The sender task: batch after batch, until the client is closed and nothing waits. close may cancel it."""
        try:
            while batch := await self._next_batch():
                await self._deliver(batch)
        finally:
            self._closing = True
            kept, left = divided(self._buffer.take_all())
            self._undelivered = left
            self._ledger.failed += len(left)
            self._kept = len(kept)
            if self._spool is not None:
                self._spool.close()
                if kept:
                    self._ledger.tell_kept(len(kept), self._spool.folder)
            if left and (error := self._ledger.undelivered(left)):
                self._ledger.hand_back(left, error)
            async with self._answers:
                self._answers.notify_all()

    async def _next_batch(self) -> Batch:
        """Wait for a batch that is due; empty at the end."""
        while True:
            if batch := self._buffer.take(time.monotonic()):
                return batch
            due_at = self._buffer.due_at()
            if due_at is None and self._closing:
                return []
            self._work.clear()
            left = None if due_at is None else max(0.0, due_at - time.monotonic())
            try:
                async with asyncio.timeout(left):
                    await self._work.wait()
            except TimeoutError:
                continue

    async def _deliver(self, batch: Batch) -> None:
        """Call until the batch has its answer."""
        request = encode_batch(batch)
        attempt = 0
        while isinstance(outcome := await self._attempt(batch, request), Failure) and outcome.retried:
            attempt += 1
            wait = self._backoff(outcome, attempt)
            self._ledger.tried(outcome.error, len(self._buffer), wait)
            await self._pause(wait)
            self._ledger.retried += 1
        self._ledger.answered()
        if halves := halves_of(batch, outcome):
            for half in halves:
                await self._deliver(half)
            return
        # Told before it is settled: after a flush the caller has seen every answer.
        receipts = [] if isinstance(outcome, Failure) else outcome
        if isinstance(outcome, Failure):
            self._ledger.tell_failure(batch, outcome.error)
        self._ledger.tell(receipts)
        self._ledger.count(receipts)
        self._ledger.failed += len(batch) - len(receipts)
        self._buffer.settle(batch)
        if self._spool is not None:
            self._spool.settle(batch)
            if self._spool.is_look_due():
                self._adopt()
        async with self._answers:
            self._answers.notify_all()

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt; at the end what is in the folder is not waited for."""
        if self._spool is None:
            await asyncio.sleep(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._closing and is_all_kept(self._spool, self._buffer):
                raise asyncio.CancelledError
            self._work.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._work.wait()

    async def _attempt(self, batch: Batch, request: bytes) -> list[EventReceipt] | Failure:
        try:
            answer = await self._calls[batch[0].kind](
                request, timeout=self._settings.call_timeout, metadata=self._way.metadata
            )
        except grpc.aio.AioRpcError as error:
            return read_failure(error, has_spool=self._spool is not None)
        receipts = list(receipts_of(answer))
        if wrong := check_receipts(batch, receipts):
            return Failure(error=wrong, retried=False, stated_delay=None)
        return receipts
