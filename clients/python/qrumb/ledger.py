"""The fate of every event: counted, and told to the caller's hooks.

Invariant: sent = accepted + rejected + failed + waiting, and `waiting` is what the queue holds. There is no other way
out of a client.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from qrumb.buffer import Batch, QueuedEvent
from qrumb.errors import DeliveryError, QrumbError, UndeliveredError, counted
from qrumb.events import Event
from qrumb.v1.receipt_pb2 import EventReceipt

__all__ = ["Counters", "FailureHook", "Ledger", "ReceiptHook"]

ReceiptHook = Callable[[EventReceipt], object]
FailureHook = Callable[[Event, QrumbError], object]

_log = logging.getLogger("qrumb")
# A full queue refuses many a second, and so does a rule that every event breaks. Each is counted.
_SECONDS_BETWEEN_LINES: Final = 1.0
# A server that has not answered for so long is told of, once, while it is tried again.
_SILENCE_SECONDS: Final = 5.0


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

    def __init__(self, url: str, on_receipt: ReceiptHook | None, on_failure: FailureHook | None) -> None:
        self._url = url
        self._on_receipt = on_receipt
        self._on_failure = on_failure
        self._quiet_until = {"loss": 0.0, "rejection": 0.0}
        self._cause: QrumbError | None = None
        self._silent_since: float | None = None
        self._is_silence_told = False
        self.sent = self.accepted = self.rejected = self.failed = self.retried = 0
        self.raised = 0
        """Those of the failed whose callers got an error."""

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
        """Show each receipt to the caller, or log that some are rejections: at most a line a second."""
        if self._on_receipt is not None:
            for receipt in receipts:
                _tell(self._on_receipt, receipt)
            return
        rejected = [receipt for receipt in receipts if receipt.outcome == EventReceipt.REJECTED]
        if rejected and self._may_say("rejection"):
            _log.error(
                "qrumb: %s rejected %d of %s: %s", self._url, len(rejected), counted(len(receipts)), _why(rejected[0])
            )

    def tried(self, error: QrumbError, waiting: int, wait: float) -> None:
        """A call failed and is repeated in `wait` seconds. A silence that will then have lasted 5 s is logged, once."""
        self._cause = error
        now = time.monotonic()
        if self._silent_since is None:
            self._silent_since = now
        silence = now - self._silent_since
        if silence + wait >= _SILENCE_SECONDS and not self._is_silence_told:
            self._is_silence_told = True
            _log.warning(
                "qrumb: %s has not answered for %.0f s, %s waiting for the next try in %.0f s: %s",
                self._url, silence, counted(waiting), wait, error,
            )  # fmt: skip

    def answered(self) -> None:
        """The server said something, if only a refusal."""
        self._silent_since = None
        if self._is_silence_told:
            self._is_silence_told = False
            _log.warning("qrumb: %s answers again", self._url)

    def undelivered(self, left: Batch) -> UndeliveredError | None:
        """What the end of the client has to say: of the events that are left, and of those that no hook was told of."""
        untold = 0 if self._on_failure is not None else self.failed - self.raised
        if not left and not untold:
            return None
        return UndeliveredError([queued.event() for queued in left], untold, self._url, self._cause)

    def tell_loss(self, queued: QueuedEvent, error: QrumbError) -> None:
        """Hand over an event that was not taken, or log that there was one: at most a line a second."""
        if self._on_failure is not None:
            _tell(self._on_failure, queued.event(), error)
            return
        self._cause = error
        if self._may_say("loss"):
            _log.error("qrumb: an event was not taken, %d failed so far: %s", self.failed, error)

    def tell_failure(self, batch: Batch, error: QrumbError) -> None:
        """Hand each event to the caller, or log how many there are."""
        if self._on_failure is None:
            self._cause = error
            # Without an event's content, which may be personal.
            _log.error("qrumb: %s not delivered to %s: %s", counted(len(batch)), self._url, error)
            return
        for queued in batch:
            _tell(self._on_failure, queued.event(), error)

    def hand_back(self, left: Batch, error: UndeliveredError) -> None:
        """The events that are left at the end, to the caller's hook; without one, `close` raises the error itself."""
        if self._on_failure is not None:
            for queued in left:
                _tell(self._on_failure, queued.event(), error)

    def tell_kept(self, count: int, folder: Path) -> None:
        """What the end of the client leaves in the folder, and why."""
        _log.warning(
            "qrumb: %s not delivered to %s: %s; kept in %s, sent at the next start",
            counted(count), self._url, self._cause or "no answer yet", folder,
        )  # fmt: skip

    def _may_say(self, what: str) -> bool:
        now = time.monotonic()
        if now < self._quiet_until[what]:
            return False
        self._quiet_until[what] = now + _SECONDS_BETWEEN_LINES
        return True


def _why(rejected: EventReceipt) -> str:
    """The first broken rule. Its text never quotes what was sent."""
    first = rejected.violations[0] if rejected.violations else None
    return "no reason was given" if first is None else f"{first.field}: {first.description}"


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
