"""The carriers that an event passes through, each a type of its own: RawEvent -> ValidEvent -> StampedEvent.

The words for verdicts (Violation, EventWarning) are the contract's own messages, so that what a stage says is
what the sender reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.server_event_pb2 import ServerEvent, UserIdentifiers
from qrumb_server.spool.v1.record_pb2 import Record

__all__ = ["Caller", "Conversion", "RawEvent", "Rejected", "Source", "StampedEvent", "ValidEvent"]


class Source(StrEnum):
    """Where an event came from; the value of the column `source`."""

    BROWSER = "browser"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What is known of a request as a whole. Empty strings: not known."""

    request_id: str = ""
    """The gateway's id of the request, the same on its retries. Empty without a gateway."""
    client_ip: str = ""
    """The visitor's address as the gateway saw it. Never stored or logged."""
    user_agent: str = ""
    referrer: str = ""
    """The page that the request came from (the header Referer), where the gateway passed it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEvent:
    """An event as it was sent."""

    source: Source
    message: BrowserEvent | ServerEvent
    caller: Caller
    index: int
    """Place in the request, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """An amount of money, exact: `amount` is a decimal text with at most four decimals."""

    amount: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidEvent:
    """An event that breaks no rule, with its values in their normal form."""

    raw: RawEvent
    event_id: str
    """Lower case; empty where the sender gave none."""
    event_time_ms: int | None
    """The sender's time; None where the sender gave none."""
    conversion: Conversion | None
    user_identifiers: UserIdentifiers | None
    metadata: str
    """Canonical JSON text of metadata or properties."""
    warnings: Sequence[EventWarning]


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedEvent:
    """An event with all that can only be known at its receipt: ready for the spool."""

    record: Record
    """A spool record of the kind accepted_event."""
    warnings: Sequence[EventWarning]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """An event that breaks at least one rule."""

    raw: RawEvent
    event_id: str
    """As sent, cut and without e-mail addresses; made by the service where none was sent."""
    violations: Sequence[Violation]
