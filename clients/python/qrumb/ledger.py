"""The fate of every event: counted, and told to the caller's hooks.

Invariant: sent = accepted + rejected + failed + waiting, and `waiting` is what the queue holds. There is no other way
out of a client.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc

from qrumb.buffer import Batch, QueuedEvent
from qrumb.errors import DeliveryError, QrumbError
from qrumb.events import Event
from qrumb.v1.receipt_pb2 import EventReceipt

__all__ = ["Counters", "FailureHook", "Ledger", "ReceiptHook"]

ReceiptHook = Callable[[EventReceipt], object]
FailureHook = Callable[[Event, QrumbError], object]

_log = logging.getLogger("qrumb")
# A full queue refuses many a second. Each is counted.
_SECONDS_BETWEEN_LINES: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Events since the start of a client, and calls that were repetitions."""

    sent: int
    accepted: int
    rejected: int
    failed: int
    waiting: int
    retried: int


class Ledger:
    """Counts and tells. Counting is done under the client's lock, telling outside of it."""

    def __init__(self, on_receipt: ReceiptHook | None, on_failure: FailureHook | None) -> None:
        self._on_receipt = on_receipt
        self._on_failure = on_failure
        self._silent_until = 0.0
        self.sent = self.accepted = self.rejected = self.failed = self.retried = 0

    def counters(self, waiting: int) -> Counters:
        """What was counted so far."""
        return Counters(
            sent=self.sent,
            accepted=self.accepted,
            rejected=self.rejected,
            failed=self.failed,
            waiting=waiting,
            retried=self.retried,
        )

    def count(self, receipts: Sequence[EventReceipt]) -> None:
        """Events that have their verdict."""
        accepted = sum(receipt.outcome == EventReceipt.ACCEPTED for receipt in receipts)
        self.accepted += accepted
        self.rejected += len(receipts) - accepted

    def tell(self, receipts: Sequence[EventReceipt]) -> None:
        """Show each receipt to the caller."""
        if self._on_receipt is not None:
            for receipt in receipts:
                _tell(self._on_receipt, receipt)

    def tell_loss(self, queued: QueuedEvent, error: QrumbError) -> None:
        """Hand over an event that was not taken, or log that there was one: at most a line a second."""
        if self._on_failure is not None:
            _tell(self._on_failure, queued.event(), error)
            return
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _SECONDS_BETWEEN_LINES
            _log.error("qrumb: an event was not taken, %d failed so far: %s", self.failed, error)

    def tell_failure(self, batch: Batch, error: QrumbError) -> None:
        """Hand each event to the caller, or log how many there are."""
        if self._on_failure is None:
            # Without an event's content, which may be personal.
            _log.error("qrumb: %d events failed: %s", len(batch), error)
            return
        for queued in batch:
            _tell(self._on_failure, queued.event(), error)


def check_receipts(batch: Batch, receipts: Sequence[EventReceipt]) -> DeliveryError | None:
    """The error where an answer does not say of every event what became of it; receipt i answers event i."""
    if len(receipts) == len(batch) and all(
        receipt.outcome in (EventReceipt.ACCEPTED, EventReceipt.REJECTED) for receipt in receipts
    ):
        return None
    return DeliveryError(
        grpc.StatusCode.INTERNAL, f"the answer has {len(receipts)} receipts for {len(batch)} events, or no verdicts"
    )


def _tell(hook: Callable[..., Any], *arguments: object) -> None:
    try:
        hook(*arguments)
    except Exception:  # noqa: BLE001  # the caller's code; its fault must not stop the sender
        _log.exception("qrumb: a hook raised")
