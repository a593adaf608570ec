"""What can only be known at the receipt of an event: ValidEvent -> StampedEvent.

Fills every column of the row that needs no look-up. An address is used here and dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.receipt_pb2 import EventWarning
from qrumb_server.model import RawEvent, StampedEvent, ValidEvent
from qrumb_server.spool.v1.record_pb2 import Record

__all__ = ["CONSENT_NAMES", "MAX_AHEAD", "Receipt", "set_time", "stamp"]

# Clocks of phones are off by minutes; what is further ahead cannot be true.
MAX_AHEAD: Final = timedelta(minutes=10)
_MAX_AHEAD_MS: Final = MAX_AHEAD // timedelta(milliseconds=1)
CONSENT_NAMES: Final = {
    Consent.CONSENT_UNSPECIFIED: "",
    Consent.GRANTED: "granted",
    Consent.DENIED: "denied",
    Consent.PENDING: "pending",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The circumstances under which an event was received."""

    received_time_ms: int
    retention_ms: int
    make_event_id: Callable[[RawEvent], str]
    """Names an event whose sender did not."""


def stamp(event: ValidEvent, receipt: Receipt) -> StampedEvent:
    """Fill the row as far as it can be filled here."""
    sent = event.raw.message
    record = Record()
    accepted = record.accepted_event
    row = accepted.row
    if event.event_id:
        row.event_id = event.event_id
    else:
        row.event_id = receipt.make_event_id(event.raw)
        accepted.event_id_generated = True
    warnings = list(event.warnings)
    received_ms = receipt.received_time_ms
    event_ms = received_ms if event.event_time_ms is None else event.event_time_ms
    if not received_ms - receipt.retention_ms <= event_ms <= received_ms + _MAX_AHEAD_MS:
        row.client_event_time.CopyFrom(sent.event_time)
        event_ms = received_ms
        warnings.append(
            EventWarning(
                field="event_time",
                code=EventWarning.CLOCK_CORRECTED,
                description="cannot be true (in the future, or too old): the time of receipt is used, yours is kept",
            )
        )
    set_time(row.event_time, event_ms)
    set_time(row.received_time, received_ms)
    row.site_id = sent.site_id
    row.scan_session_id = sent.scan_session_id
    row.source = event.raw.source.value
    row.consent = CONSENT_NAMES[sent.consent]
    row.metadata = event.metadata
    if isinstance(sent, BrowserEvent):
        row.event_type = sent.event_type
        row.page_url = sent.page_url
        row.page_title = sent.page_title
        row.referrer = sent.referrer
    else:
        row.event_name = sent.event_name
        if event.conversion is not None:
            row.conversion_value = event.conversion.amount
            row.conversion_currency = event.conversion.currency
        if event.user_identifiers is not None:
            accepted.user_identifiers.CopyFrom(event.user_identifiers)
    digest = blake2b(sent.SerializeToString(deterministic=True), digest_size=8).digest()
    row.fingerprint = int.from_bytes(digest, "little")
    return StampedEvent(record=record, warnings=warnings)


def set_time(target: Timestamp, milliseconds: int) -> None:
    """Set a Timestamp from milliseconds since 1970-01-01 UTC."""
    target.seconds, rest = divmod(milliseconds, 1000)
    target.nanos = rest * 1_000_000
