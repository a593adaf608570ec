"""What a client raises. A rejected event is not an error: it is a receipt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from qrumb.events import Event

__all__ = ["ClosedError", "DeliveryError", "FieldViolation", "QrumbError", "QueueFullError", "UndeliveredError"]

CLOSED: Final = "the client is closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """A rule that a request breaks, as the server said it."""

    field: str
    reason: str
    description: str


class QrumbError(Exception):
    """Base of all errors of a client."""


class QueueFullError(QrumbError):
    """The queue is at its limit; the event was not taken."""


class ClosedError(QrumbError):
    """The client is closed, or was made in another process; the event was not taken."""


def queue_full(waiting: int) -> QueueFullError:
    """The error of a queue that holds so many events."""
    return QueueFullError(f"{waiting} events wait for an answer; the queue takes no more")


def counted(count: int) -> str:
    """The number of events in words."""
    return "1 event" if count == 1 else f"{count} events"


class DeliveryError(QrumbError):
    """The server refused a call for good, or gave no answer in the time that the caller had."""

    def __init__(self, code: grpc.StatusCode, message: str, violations: Sequence[FieldViolation] = ()) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message
        self.violations = tuple(violations)


class UndeliveredError(QrumbError):
    """`close` ran out of time, or events failed of which no hook was told.

    `events` are those that were left at the end; they may be sent again: their ids make that harmless. `count` includes
    those that had failed before.
    """

    def __init__(self, events: Sequence[Event], count: int = 0, url: str = "", cause: QrumbError | None = None) -> None:
        self.events = tuple(events)
        self.count = max(count, len(self.events))
        self.cause = cause
        super().__init__(f"{counted(self.count)} not delivered to {url}: {cause or 'no answer yet'}")
