"""The body of a call: its events, and whether it is a dry run. What the JSON edges call.

Invariant: every event of a body is read, in order; or the whole body is refused.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.model import Reading, Source
from qrumb_server.reading.event import DRY_RUN, MESSAGES, ReadEvent, read_event
from qrumb_server.reading.mask import masked, stated_site
from qrumb_server.reading.pieces import Pieces
from qrumb_server.reading.text import (
    JsonObject,
    NotJsonError,
    TooLargeError,
    check_values,
    has_surrogate_escape,
    not_json,
    read_value,
    without_mark,
)
from qrumb_server.reading.usual import read_usual

__all__ = [
    "MAX_EVENT_BYTES",
    "BatchBody",
    "SingleBody",
    "batch_of",
    "pieces_of",
    "read_batch",
    "read_flag",
    "read_item",
    "read_items",
    "read_single",
    "read_usual_batch",
    "unread",
]

# Bytes of one event's JSON: several times the largest one that could be accepted.
MAX_EVENT_BYTES: Final = 128 * 1024
EVENTS: Final = "events"
_BESIDE_EVENTS: Final = (
    "the batch, not this event, has a member beside events and validate_only, which was not looked at"
)
# Commas in a text that is split into events at once: a few ms of work, since no list has many more items than commas.
MAX_SPLIT_AT_ONCE: Final = 20_000
_FLAGS: Final = {None: False, "": False, "false": False, "true": True}


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """What a batch is, its events unread."""

    events: list[msgspec.Raw]
    validate_only: bool = False


_split: Final = msgspec.json.Decoder(_Envelope).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleBody:
    """A body that is one event."""

    event: ReadEvent
    is_dry_run: bool = False
    """The sender asked within the event to keep nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchBody:
    """A body that is a list of events."""

    items: Sequence[bytes]
    """The text of each."""
    is_dry_run: bool = False
    unknown: Sequence[str] = ()
    """Members of the body that a batch does not have."""


def read_single(text: bytes, source: Source) -> SingleBody:
    """The event that a body is.

    Raises:
        NotJsonError: the body is not JSON, or too long to be looked at.
    """
    if len(text) > MAX_EVENT_BYTES:
        raise TooLargeError(f"is larger than {MAX_EVENT_BYTES:,} bytes")
    check_values(text)
    if usual := read_usual(text, source):
        return SingleBody(event=usual)
    sent = read_value(text)
    is_dry_run = isinstance(sent, JsonObject) and any(read_flag(sent[name]) for name in DRY_RUN & sent.keys())
    return SingleBody(event=read_event(sent, source), is_dry_run=is_dry_run)


def read_batch(text: bytes, *, most: int = sys.maxsize) -> BatchBody:
    """The events that a body is, each still to be read.

    Args:
        most: events; of a longer list there are more than so many, but not all.

    Raises:
        NotJsonError: the body is not JSON, or none that has a list of events.
    """
    if usual := read_usual_batch(text):
        return usual
    pieces = pieces_of(text, most=most)
    for _ in pieces.steps():
        pass
    return batch_of(pieces)


def read_usual_batch(text: bytes) -> BatchBody | None:
    """The same of a body that is as most are, by the compiled reader; None: it takes `pieces_of`.

    Raises:
        NotJsonError: the body is not JSON.
    """
    if text.count(b",") > MAX_SPLIT_AT_ONCE:
        return None
    try:
        text.decode()  # what is only taken apart is not decoded
        envelope = _split(text)
    except (ValueError, RecursionError) as error:
        # Well-formed or not, it is to be explained; where nothing can be read, the compiled reader knows the place.
        if isinstance(error, msgspec.ValidationError) or has_surrogate_escape(text):
            return None
        if without_mark(text) is text:
            raise not_json(text, error) from None
        return read_usual_batch(without_mark(text))
    # Of equal names the last would count; each name has a colon, and so has each of the events' own.
    if text.count(b":") - sum(bytes(item).count(b":") for item in envelope.events) > 1 + (b"validate_only" in text):
        return None
    return BatchBody(items=[bytes(item) for item in envelope.events], is_dry_run=envelope.validate_only)


def pieces_of(text: bytes, *, most: int, name: str = EVENTS) -> Pieces:
    """A body to be taken apart step by step, for `batch_of`."""
    return Pieces(text, name=name, max_length=MAX_EVENT_BYTES, most=most)


def batch_of(pieces: Pieces, name: str = EVENTS) -> BatchBody:
    """The events of a body that was taken apart; or the scan sessions, by the name of their list.

    Raises:
        NotJsonError: it has no such list, or one of its members twice.
    """
    form = f'{{"{name}": [{{...}}, ...]}}'
    if not pieces.is_object:
        raise NotJsonError(f"is not a batch: send {form}")
    if twice := sorted((DRY_RUN | {name}) & pieces.repeated):
        raise NotJsonError(f"has {twice[0]} twice: keep one")
    if pieces.items is None:
        raise NotJsonError(f"has no list of {name.replace('_', ' ')}: send {form}")
    return BatchBody(
        items=pieces.items,
        is_dry_run=any(read_flag(pieces.others[name]) for name in DRY_RUN & pieces.others.keys()),
        unknown=tuple(pieces.others.keys() - DRY_RUN),
    )


def read_item(item: bytes, source: Source) -> ReadEvent:
    """One event of a batch, whatever it is."""
    if len(item) > MAX_EVENT_BYTES:
        description = f"has {len(item):,} bytes, far more than its fields need within their limits"
        return unread(item, TooLargeError(description), source, "the event")
    try:
        check_values(item)
        return read_usual(item, source) or read_event(read_value(item), source)
    except NotJsonError as error:  # for its depth or its values: for all else the batch would have been no JSON
        return unread(item, error, source, "the event")


def read_items(body: BatchBody, source: Source) -> Iterator[ReadEvent]:
    """The events of a batch one after another. What is odd about the batch is said with its first."""
    for index, item in enumerate(body.items):
        read = read_item(item, source)
        if index == 0 and body.unknown:
            said = EventWarning(code=EventWarning.UNKNOWN_FIELD, description=_BESIDE_EVENTS)
            read = ReadEvent(read.message, replace(read.reading, warnings=(said, *read.reading.warnings)))
        yield read


def unread(text: bytes, error: NotJsonError, source: Source, what: str = "the body") -> ReadEvent:
    """Stands for a text that could not be read: one rejected event for all that may be in it."""
    fault = Violation(reason=error.reason, description=f"{what} {error}")
    message = MESSAGES[source](site_id=stated_site(text))
    untold = {known.name: None for known in message.DESCRIPTOR.fields}
    return ReadEvent(message=message, reading=Reading(violations=(fault,), unread=untold, masked_text=masked(text)))


def read_flag(value: object) -> bool:
    """What is written for validate_only. What is neither yes nor no may mean a dry run, and is one."""
    if isinstance(value, bool):
        return value
    return _FLAGS.get(value, True) if value is None or isinstance(value, str) else True
