"""The explaining way: an event's JSON value, member by member, into its message, and all that is odd about it.

Takes what protobuf's JSON mapping takes (both spellings of names, names of enum values in any case and numbers, numbers
as texts, null for unset), and an empty text for unset wherever a text may stand.

Invariants: any value is read in time linear in its size; no violation and no warning quotes a value, nor a key that
holds an e-mail address; of a value that could not be read its field's rules say nothing more.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf import json_format, wrappers_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent
from qrumb_server.model import Reading, Source
from qrumb_server.pipeline.findings import misspelt
from qrumb_server.pipeline.struct_json import extended_path
from qrumb_server.pipeline.times import EXPECTED_TIME, read_time
from qrumb_server.pipeline.validate import MAX_VIOLATIONS
from qrumb_server.reading.form import EVENT, SCAN_SESSION, Words, fault_of_form
from qrumb_server.reading.mask import masked
from qrumb_server.reading.names import about_unknown, is_raw_identifier
from qrumb_server.reading.text import MAX_NESTING, JsonObject, LossyNumber, TooLargeNumber, read_number

__all__ = [
    "DRY_RUN",
    "MESSAGES",
    "ReadEvent",
    "ReadScan",
    "fields_of",
    "read_event",
    "read_members",
    "read_scan_session",
]

MESSAGES: Final[Mapping[Source, type[BrowserEvent] | type[ServerEvent]]] = {
    Source.BROWSER: BrowserEvent,
    Source.SERVER: ServerEvent,
}
# A member of the call that may stand in its one event.
DRY_RUN: Final = frozenset({"validate_only", "validateOnly"})
# A longer path stops at the object that it has reached, so that the answer stays small.
MAX_PATH: Final = 256
# Of one event; of a thousand events with as many an answer has 4 MB, which is all that a worker writes in one go.
MAX_WARNINGS: Final = 20

# protobuf's own reading of a JSON value as each kind of field.
_WRAPPERS: Final = {
    FieldDescriptor.TYPE_STRING: wrappers_pb2.StringValue,
    FieldDescriptor.TYPE_DOUBLE: wrappers_pb2.DoubleValue,
    FieldDescriptor.TYPE_INT32: wrappers_pb2.Int32Value,
    FieldDescriptor.TYPE_INT64: wrappers_pb2.Int64Value,
    FieldDescriptor.TYPE_UINT32: wrappers_pb2.UInt32Value,
}
_FLAGS: Final[Mapping[object, bool]] = {"true": True, "false": False}
_EXPECTED: Final = {
    FieldDescriptor.TYPE_STRING: "must be a string",
    FieldDescriptor.TYPE_DOUBLE: "must be a number",
    FieldDescriptor.TYPE_INT32: "must be a whole number of 32 bits",
    FieldDescriptor.TYPE_INT64: "must be a whole number of 64 bits",
    FieldDescriptor.TYPE_UINT32: "must be a whole number from 0 to 4294967295",
    FieldDescriptor.TYPE_BOOL: "must be true or false",
    FieldDescriptor.TYPE_ENUM: "must be the name of a value, as a string",
    FieldDescriptor.TYPE_MESSAGE: "must be an object",
}
_INEXACT: Final = "has more digits than a double keeps: was rounded; send it as text to keep them"
# Where a name is not a value of an enum: a number that is none either, so that the field's rule says what is allowed.
_NO_VALUE: Final = -1
_PLAIN: Final = frozenset({int, float, bool, type(None)})
# Doubles that protobuf's JSON writes as texts.
_QUOTED: Final = frozenset({"NaN", "Infinity", "-Infinity"})


class ReadEvent(NamedTuple):
    """An event as it was read: what a RawEvent is made of."""

    message: BrowserEvent | ServerEvent
    reading: Reading


class ReadScan(NamedTuple):
    """A registration as it was read."""

    message: ScanSession
    reading: Reading


def read_event(sent: object, source: Source) -> ReadEvent:
    """The event that a JSON value is, whatever it is.

    Args:
        sent: as `text.read_value` gives it.
    """
    message = MESSAGES[source]()
    return ReadEvent(message=message, reading=_read_into(message, sent, EVENT))


def read_scan_session(sent: object) -> ReadScan:
    """The scan session that a JSON value is, in the same way; its labels are the reading's own_fields."""
    message = ScanSession()
    return ReadScan(message=message, reading=_read_into(message, sent, SCAN_SESSION))


def read_members(sent: JsonObject, message: Message) -> tuple[Sequence[Violation], Sequence[EventWarning]]:
    """Set the fields of any message that the object has; all that is odd about it."""
    reader = _Reader("request")
    reader.read_message(sent, message, None, 1)
    return reader.violations, reader.all_warnings()


def _read_into(message: Message, sent: object, words: Words) -> Reading:
    reader = _Reader(words.what)
    fault = fault_of_form(sent, fields_of(message.DESCRIPTOR).keys(), words)
    if isinstance(sent, JsonObject):
        reader.read_message(sent, message, None, 1)
    if fault is not None:
        reader.violations.append(fault)
        reader.unread |= {known.name: None for known in message.DESCRIPTOR.fields}
    return Reading(
        masked_text="" if isinstance(sent, JsonObject) else masked(json.dumps(sent, default=str).encode()),
        own_fields=reader.own_fields,
        violations=tuple(reader.violations),
        warnings=tuple(reader.all_warnings()),
        unread=reader.unread,
        meant=reader.meant,
        unknown=reader.unknown,
    )


class _At(NamedTuple):
    """Where a value is. Made a path only for a fault, because keys may be many and long."""

    parent: "_At | None"
    holder: JsonObject | None
    """The object, where the key is one of the sender's own."""
    key: str | int

    def path(self) -> str:
        base = self.parent.path() if self.parent else ""
        if len(base) > MAX_PATH:
            return base
        if isinstance(self.key, int):
            return f"{base}[{self.key}]"
        if self.holder is None:
            return f"{base}.{self.key}" if base else self.key
        return extended_path(base, _encodable(self.key), self.holder.places[self.key]).removeprefix(".")


@dataclass(slots=True)
class _Reader:
    """Reads one event into its message and collects what is odd about it."""

    what: str
    """What is read: event or scan session."""
    violations: list[Violation] = field(default_factory=list)
    warnings: list[EventWarning] = field(default_factory=list)
    own_fields: dict[str, object] | None = None
    unread: dict[str, object] = field(default_factory=dict)
    """Paths of fields that stay unset because their values could not be read, and these values."""
    unknown: dict[str, object] = field(default_factory=dict)
    """Members that the contract does not have, and names that are none of an enum's."""
    meant: dict[str, str] = field(default_factory=dict)
    """Fields that such members were probably meant to be, and their own paths."""
    unlisted: int = 0
    """Warnings beyond `MAX_WARNINGS`."""

    def all_warnings(self) -> Sequence[EventWarning]:
        """The warnings, and how many more there are."""
        if not self.unlisted:
            return self.warnings
        more = f"{self.unlisted} more warnings of this {self.what} are not listed"
        return [*self.warnings, EventWarning(code=self.warnings[-1].code, description=more)]

    def read_message(self, sent: JsonObject, message: Message, at: _At | None, depth: int) -> None:
        """Set the fields that the object has; `depth` is the object's, 1 for the event."""
        fields = fields_of(message.DESCRIPTOR)
        spelt: set[str] = set()
        given: set[str] = set()
        for key, value in sent.items():
            known = fields.get(key)
            if known is None:
                self._read_unknown(sent, key, message.DESCRIPTOR, at, depth)
                continue
            inner = _At(at, None, known.name)
            if known.name in spelt or key in sent.repeated:
                self._fault(inner, Violation.DUPLICATE_KEY, "is there twice, in one spelling or in two: keep one")
            spelt.add(known.name)
            # A text that may be absent says something where it is empty.
            if value is not None and (value != "" or (known.has_presence and known.type == known.TYPE_STRING)):
                given.add(known.name)
                self._read_field(value, known, message, inner, depth)
        if message.DESCRIPTOR is ConversionValue.DESCRIPTOR and "amount" not in given:
            # The message cannot tell it from 0.
            self._required(_At(at, None, "amount"), "is required: what it was worth, 0 if nothing")

    def _read_unknown(self, sent: JsonObject, key: str, message: Any, at: _At | None, depth: int) -> None:
        if at is None and key in DRY_RUN:
            return
        path = _At(at, sent, key).path()
        if self._has_room():
            said = about_unknown(_encodable(key), message)
            self.warnings.append(EventWarning(field=path, code=said.code, description=said.description))
            if said.meant:
                self.meant.setdefault(_At(at, None, said.meant).path(), path)
        value = sent[key]
        plain = value if _is_plain(value) and _is_ordinary(key, sent) else self._plain_member(sent, key, at, depth)
        if not is_raw_identifier(key):
            self.unknown[path] = plain

    def _read_field(self, value: object, known: FieldDescriptor, message: Message, at: _At, depth: int) -> None:
        kind = known.message_type
        if kind is None:
            self._read_scalar(value, known, message, at, depth)
        elif kind is Timestamp.DESCRIPTOR:
            self._read_time(value, getattr(message, known.name), at, depth)
        elif not isinstance(value, JsonObject):
            self._misfit(value, _EXPECTED[known.type], at, depth)
        elif kind is Struct.DESCRIPTOR:
            plain = self._plain(value, at, depth + 1)
            self.own_fields = plain if isinstance(plain, dict) else None
        else:
            inner = getattr(message, known.name)
            inner.SetInParent()  # an empty object is there, too
            self.read_message(value, inner, at, depth + 1)

    def _read_time(self, value: object, time: Timestamp, at: _At, depth: int) -> None:
        if isinstance(value, JsonObject) and value.keys() and value.keys() <= fields_of(Timestamp.DESCRIPTOR).keys():
            time.SetInParent()
            self.read_message(value, time, at, depth + 1)  # as some libraries write a Timestamp
            return
        read = read_time(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
        if read is None:
            self._misfit(value, EXPECTED_TIME, at, depth)
            return
        time.seconds, time.nanos = read.seconds, read.nanos
        time.SetInParent()
        if read.warning:
            self._warn(at, EventWarning.TIME_INTERPRETED, read.warning)

    def _read_scalar(self, value: object, known: FieldDescriptor, message: Message, at: _At, depth: int) -> None:
        """A text, a number or the value of an enum."""
        if isinstance(value, str) and known.type != FieldDescriptor.TYPE_STRING:
            value = _unquoted(value, known)
        if isinstance(value, TooLargeNumber):
            self._leave_unread(at, value)
            self._fault(at, Violation.OUT_OF_RANGE, "is larger than any number that can be stored")
            return
        if isinstance(value, str) and not self._is_text(value, at):
            self._leave_unread(at, _encodable(value))
            return
        try:
            converted = _converted(value, known)
            setattr(message, known.name, converted)
        except (json_format.ParseError, KeyError, TypeError, ValueError):
            self._misfit(value, _EXPECTED[known.type], at, depth)
            return
        if converted == _NO_VALUE and isinstance(value, str) and known.enum_type is not None:
            self.unknown[at.path()] = value
        if isinstance(value, LossyNumber) or (isinstance(value, int) and _is_double(known) and float(value) != value):
            self._warn(at, EventWarning.INEXACT_NUMBER, _INEXACT)

    def _plain(self, value: object, at: _At, depth: int) -> object:
        """The value as JSON that can be stored, whatever it held; `depth` is its own."""
        if isinstance(value, str):
            return value if self._is_text(value, at) else _encodable(value)
        if isinstance(value, LossyNumber):
            self._warn(at, EventWarning.INEXACT_NUMBER, _INEXACT)
            return float(value)
        if isinstance(value, TooLargeNumber):
            return float("inf")
        if not isinstance(value, JsonObject | list):
            return value
        if depth > MAX_NESTING:
            self._fault(at, Violation.TOO_DEEP, f"is nested deeper than {MAX_NESTING} levels")
            return None
        if isinstance(value, list):
            return [
                item if _is_plain(item) else self._plain(item, _At(at, None, index), depth + 1)
                for index, item in enumerate(value)
            ]
        return {
            _encodable(key): item
            if _is_plain(item) and _is_ordinary(key, value)
            else self._plain_member(value, key, at, depth)
            for key, item in value.items()
        }

    def _plain_member(self, holder: JsonObject, key: str, at: _At | None, depth: int) -> object:
        inner = _At(at, holder, key)
        if key in holder.repeated:
            self._fault(inner, Violation.DUPLICATE_KEY, "is there twice: keep one")
        self._is_text(key, inner)
        return self._plain(holder[key], inner, depth + 1)

    def _is_text(self, value: str, at: _At) -> bool:
        """Whether all of it are characters; else it is a violation."""
        if _is_encodable(value):
            return True
        self._fault(at, Violation.INVALID_JSON, "holds half of a surrogate pair, which is not a character")
        return False

    def _misfit(self, value: object, expected: str, at: _At, depth: int) -> None:
        """The value is not what the field takes."""
        self._fault(at, Violation.INVALID_JSON, expected)
        self._leave_unread(at, self._plain(value, at, depth + 1))

    def _leave_unread(self, at: _At, plain: object) -> None:
        self.unread[at.path()] = plain

    def _fault(self, at: _At, reason: Violation.Reason, description: str) -> None:
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(Violation(field=at.path(), reason=reason, description=description))

    def _required(self, at: _At, description: str) -> None:
        self._fault(at, Violation.REQUIRED, description + misspelt(self.meant, at.path()))

    def _warn(self, at: _At, code: EventWarning.Code, description: str) -> None:
        if self._has_room():
            self.warnings.append(EventWarning(field=at.path(), code=code, description=description))

    def _has_room(self) -> bool:
        """Whether one more warning is listed; if not, it is counted."""
        has_room = len(self.warnings) < MAX_WARNINGS
        self.unlisted += not has_room
        return has_room


@cache
def fields_of(message: Any) -> Mapping[str, FieldDescriptor]:
    """Fields by both of their names in JSON."""
    return {name: known for known in message.fields for name in (known.json_name, known.name)}


def _converted(value: Any, known: FieldDescriptor) -> object:
    """A JSON value as protobuf reads it for a field of this type.

    Raises:
        ParseError, KeyError, TypeError, ValueError: it is of another type.
    """
    if known.enum_type is not None:
        if isinstance(value, str):
            return _number_of(value, known.enum_type)
        return json_format.ParseDict(value, wrappers_pb2.Int32Value()).value
    if known.type == FieldDescriptor.TYPE_BOOL:
        return value if isinstance(value, bool) else _FLAGS[value]
    is_text = known.type == FieldDescriptor.TYPE_STRING
    # protobuf takes true as 1, and a text as Python reads numbers; the gateway does neither.
    if isinstance(value, bool) or (isinstance(value, str) and not is_text and value not in _QUOTED):
        raise TypeError("no number")
    return json_format.ParseDict(value, _WRAPPERS[known.type]()).value


def _unquoted(text: str, known: FieldDescriptor) -> object:
    """The number that a text holds, where protobuf's JSON takes one in quotes."""
    number = read_number(text)
    return text if number is None or (isinstance(number, float) and not _is_double(known)) else number


def _is_double(known: FieldDescriptor) -> bool:
    return known.type == FieldDescriptor.TYPE_DOUBLE


def _number_of(name: str, enum: EnumDescriptor) -> int:
    """Names of enum values are taken in any case, and - for _."""
    value = enum.values_by_name.get(name.upper().replace("-", "_")) if name.isascii() else None
    return value.number if value else _NO_VALUE


def _is_plain(value: object) -> bool:
    """Whether `_Reader._plain` has nothing to say of it: the usual case, of which there may be tens of thousands."""
    kind = type(value)
    return kind in _PLAIN or (kind is str and value.isascii())  # type: ignore[attr-defined]


def _is_ordinary(key: str, holder: JsonObject) -> bool:
    """Whether there is nothing to say of a key itself."""
    return key.isascii() and key not in holder.repeated


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
