"""The outer shape of a call that carries events: where each event's bytes are, read without decoding any of them.

Invariants: the work is bounded by the limits, not by the message: reading stops at the first event or field too many.
What protobuf would make of the whole message is what it makes of these parts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import DecodeError

__all__ = ["Envelope", "TooManyEventsError", "beginning_of", "read_envelope"]

# Fields of a request beside its events: a later version of the contract may add some.
MAX_OTHER_FIELDS: Final = 16
# Of an event that is too large: what is looked at, and what of it is kept. The contract has a dozen fields; the long
# ones that are allowed at all, URLs, take a few KiB.
MAX_FIELDS_SEEN: Final = 64
MAX_FIELD_KEPT: Final = 8 * 1024

_EVENT: Final = 1
_VALIDATE_ONLY: Final = 2
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES: Final = 10


class TooManyEventsError(Exception):
    """There are more events than allowed; how many more was not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A call in parts."""

    events: Sequence[bytes]
    """Each event as protobuf, not decoded."""
    validate_only: bool = False


def read_envelope(message: bytes, *, max_events: int) -> Envelope:
    """Take a request of the form `event(s) = 1, validate_only = 2` apart.

    Raises:
        TooManyEventsError: it holds more than `max_events`.
        DecodeError: it is not a message, or one of very many fields that are none of the contract's.
    """
    events: list[bytes] = []
    validate_only = False
    others = 0
    for number, kind, start, end in _fields(message):
        if number == _EVENT and kind == _LENGTH:
            if len(events) == max_events:
                raise TooManyEventsError
            events.append(message[start:end])
            continue
        others += 1
        if others > MAX_OTHER_FIELDS:
            raise DecodeError("too many fields")
        if number == _VALIDATE_ONLY and kind == _VARINT:
            validate_only = any(message[start:end].strip(b"\x80"))
    return Envelope(events=events, validate_only=validate_only)


def beginning_of(event: bytes) -> bytes:
    """An event that is too large, as a message of its short fields: enough to say whose it is and which."""
    kept: list[bytes] = []
    before = 0
    try:
        for seen, (_number, _kind, _start, end) in enumerate(_fields(event), 1):
            if end - before <= MAX_FIELD_KEPT:
                kept.append(event[before:end])
            before = end
            if seen == MAX_FIELDS_SEEN:
                break
    except DecodeError:
        pass  # what came before can still be told
    return b"".join(kept)


def _fields(message: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, and begin and end of the content of each field."""
    at, size = 0, len(message)
    while at < size:
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _LENGTH:
            length, at = _varint(message, at)
            end = at + length
        elif kind == _VARINT:
            _value, end = _varint(message, at)
        elif kind == _FIXED64:
            end = at + 8
        elif kind == _FIXED32:
            end = at + 4
        else:  # groups, which no version of the contract can have
            raise DecodeError("not a field")
        if end > size or not tag >> 3:
            raise DecodeError("cut off")
        yield tag >> 3, kind, at, end
        at = end


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number and the place behind it."""
    value = 0
    for place, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise DecodeError("not a number")
