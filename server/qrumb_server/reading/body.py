"""The body of a call: its events, and whether it is a dry run. What the JSON edges call.

Invariant: every event of a body becomes one RawEvent, in order; or the whole body is refused.
"""

from dataclasses import dataclass
from typing import Final

from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.model import Caller, RawEvent, Reading, Rejected, Source
from qrumb_server.pipeline.stamp import Receipt
from qrumb_server.reading.event import DRY_RUN, MESSAGES, read_event
from qrumb_server.reading.mask import masked, stated_site
from qrumb_server.reading.text import JsonObject, NotJsonError, TooLargeError, read_value
from qrumb_server.reading.usual import read_usual

__all__ = ["MAX_EVENT_BYTES", "SingleBody", "read_single", "refused"]


# Bytes of one event's JSON: several times the largest one that could be accepted.
MAX_EVENT_BYTES: Final = 128 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleBody:
    """A body that is one event."""

    event: RawEvent
    is_dry_run: bool = False
    """The sender asked within the event to keep nothing."""


def read_single(text: bytes, source: Source, caller: Caller) -> SingleBody:
    """The event that a body is.

    Raises:
        NotJsonError: the body is no JSON, or too long to be looked at.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise TooLargeError(f"is larger than {MAX_EVENT_BYTES:,} bytes")
    if usual := read_usual(text, source, caller, 0):
        return SingleBody(event=usual)
    sent = read_value(text)
    is_dry_run = isinstance(sent, JsonObject) and any(read_flag(sent[name]) for name in DRY_RUN & sent.keys())
    return SingleBody(event=read_event(sent, source, caller, 0), is_dry_run=is_dry_run)


def refused(text: bytes, error: NotJsonError, source: Source, caller: Caller, receipt: Receipt) -> Rejected:
    """The verdict on a body that is no JSON: one for all that may be in it."""
    message = MESSAGES[source](site_id=stated_site(text))
    reading = Reading(masked_text=masked(text))
    raw = RawEvent(source=source, message=message, caller=caller, index=0, reading=reading)
    fault = Violation(reason=error.reason, description=str(error))
    return Rejected(raw=raw, event_id=receipt.make_event_id(raw), violations=[fault])


def read_flag(value: object) -> bool:
    """What is written for validate_only. Whoever writes anything but no may mean a dry run, and gets one."""
    return value not in (None, False, "", "false")
