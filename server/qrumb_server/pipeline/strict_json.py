"""The text of an event, read strictly: text -> StampedEvent or Rejected, where nothing in the text is passed over.

Collecting leaves the reading to the gateway, which drops unknown fields, lets the last of two equal keys win and
rounds numbers; here each of these is a violation. What can be read then meets the rules of collecting, by the
same code, so that a text without such faults has the verdict and the row that collecting gives.

Invariants: any bytes get a verdict, in time linear in their number; no violation quotes a value, nor a key that
holds an e-mail address; a field that could not be read is not reported as missing too.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final, NamedTuple

from google.protobuf import json_format, wrappers_pb2
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Receipt
from qrumb_server.pipeline.strict_text import (
    MAX_NESTING,
    JsonObject,
    LossyNumber,
    NotFinite,
    NotJsonError,
    read_number,
    read_object,
)
from qrumb_server.pipeline.struct_json import MAX_KEY_SHOWN, extended_path
from qrumb_server.pipeline.validate import MAX_VIOLATIONS

__all__ = ["judge_text"]

# A longer path stops at the object that it has reached, so that the answer stays small.
MAX_PATH: Final = 256

_MESSAGES: Final = {Source.BROWSER: BrowserEvent, Source.SERVER: ServerEvent}
# protobuf's own reading of a JSON value as each kind of field.
_WRAPPERS: Final = {
    FieldDescriptor.TYPE_STRING: wrappers_pb2.StringValue,
    FieldDescriptor.TYPE_DOUBLE: wrappers_pb2.DoubleValue,
    FieldDescriptor.TYPE_INT32: wrappers_pb2.Int32Value,
    FieldDescriptor.TYPE_INT64: wrappers_pb2.Int64Value,
    FieldDescriptor.TYPE_UINT32: wrappers_pb2.UInt32Value,
}
_EXPECTED: Final = {
    FieldDescriptor.TYPE_STRING: "must be a string",
    FieldDescriptor.TYPE_DOUBLE: "must be a number",
    FieldDescriptor.TYPE_INT32: "must be a whole number of 32 bits",
    FieldDescriptor.TYPE_INT64: "must be a whole number of 64 bits",
    FieldDescriptor.TYPE_UINT32: "must be a whole number from 0 to 4294967295",
    FieldDescriptor.TYPE_ENUM: "must be the name of a value, as a string",
    FieldDescriptor.TYPE_MESSAGE: "must be an object",
}
_EXPECTED_TIME: Final = "must be an RFC 3339 time with its zone, as a string such as 2026-11-01T10:20:30Z"
# Where a name is no value of an enum: a number that is none either, so that the field's rule says what is allowed.
_NO_VALUE: Final = -1
# Doubles that protobuf's JSON writes as texts.
_QUOTED: Final = frozenset({"NaN", "Infinity", "-Infinity"})

_is_time = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:(?P<second>[0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch


def judge_text(text: bytes, source: Source, caller: Caller, receipt: Receipt) -> StampedEvent | Rejected:
    """Pass the verdict on the text of one event."""
    message = _MESSAGES[source]()
    raw = RawEvent(source=source, message=message, caller=caller, index=0)
    try:
        root = read_object(text)
    except NotJsonError as error:
        fault = Violation(reason=Violation.INVALID_JSON, description=str(error))
        return Rejected(raw=raw, event_id=receipt.make_event_id(raw), violations=[fault])
    reader = _Reader()
    reader.read_message(root, message, None, 1)
    [verdict] = judge([raw], receipt)
    if not reader.violations:
        return verdict
    found = list(reader.violations)
    if isinstance(verdict, StampedEvent):
        return Rejected(raw=raw, event_id=verdict.record.accepted_event.row.event_id, violations=found)
    found += [violation for violation in verdict.violations if violation.field not in reader.unread]
    return Rejected(raw=raw, event_id=verdict.event_id, violations=found[:MAX_VIOLATIONS])


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
        place = 1 + sum(key < self.key for key in self.holder)
        return extended_path(base, _encodable(self.key), place).removeprefix(".")


class _Reader:
    """Reads one event into its message and collects what is wrong with the text."""

    __slots__ = ("unread", "violations")

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.unread: set[str] = set()
        """Paths of fields that stay unset because their values could not be read."""

    def read_message(self, sent: JsonObject, message: Message, at: _At | None, depth: int) -> None:
        """Set the fields that the object has; `depth` is the object's, 1 for the event."""
        fields = _fields(message.DESCRIPTOR)
        spelt: set[str] = set()
        for key, value in sent.items():
            field = fields.get(key)
            if field is None:
                self._unknown(_At(at, sent, key), key, message.DESCRIPTOR)
                self._plain_member(sent, key, at, depth)
                continue
            inner = _At(at, None, field.name)
            if field.name in spelt or key in sent.repeated:
                self._fault(inner, Violation.DUPLICATE_KEY, "is there twice, in one spelling or in two: keep one")
            spelt.add(field.name)
            if value is not None:
                self._read_field(value, field, message, inner, depth)

    def _read_field(self, value: object, field: FieldDescriptor, message: Message, at: _At, depth: int) -> None:
        kind = field.message_type
        if kind is None:
            self._read_scalar(value, field, message, at, depth)
        elif kind is Timestamp.DESCRIPTOR:
            self._read_time(value, field, message, at, depth)
        elif not isinstance(value, JsonObject):
            self._misfit(value, _EXPECTED[field.type], at, depth)
        else:
            inner = getattr(message, field.name)
            inner.SetInParent()  # an empty object is there, too
            if kind is Struct.DESCRIPTOR:
                inner.update(self._plain(value, at, depth + 1))
            else:
                self.read_message(value, inner, at, depth + 1)

    def _read_time(self, value: object, field: FieldDescriptor, message: Message, at: _At, depth: int) -> None:
        time = Timestamp()
        if isinstance(value, JsonObject):  # the gateway takes {"seconds": ..., "nanos": ...}
            self.read_message(value, time, at, depth + 1)
        elif not _set_time(time, value):
            self._misfit(value, _EXPECTED_TIME, at, depth)
            return
        if _is_in_calendar(time):
            getattr(message, field.name).CopyFrom(time)
        else:
            self._misfit(None, _EXPECTED_TIME, at, depth)

    def _read_scalar(self, value: object, field: FieldDescriptor, message: Message, at: _At, depth: int) -> None:
        """A text, a number or the value of an enum."""
        if isinstance(value, str) and field.type != FieldDescriptor.TYPE_STRING:
            value = _unquoted(value, field)
        if not self._is_intact(value, at) and not (isinstance(value, LossyNumber) and _is_double(field)):
            self.unread.add(at.path())
            return
        try:
            setattr(message, field.name, _converted(value, field))
        except (json_format.ParseError, TypeError, ValueError):
            self._misfit(value, _EXPECTED[field.type], at, depth)

    def _plain(self, value: object, at: _At, depth: int) -> object:
        """The value as JSON that protobuf can take, whatever it held; `depth` is its own."""
        if not isinstance(value, JsonObject | list):
            return value if self._is_intact(value, at) else _mended(value)
        if depth > MAX_NESTING:
            self._fault(at, Violation.INVALID_JSON, f"is nested deeper than {MAX_NESTING} levels")
            return None
        if isinstance(value, list):
            return [self._plain(item, _At(at, None, index), depth + 1) for index, item in enumerate(value)]
        return {_encodable(key): self._plain_member(value, key, at, depth) for key in value}

    def _plain_member(self, holder: JsonObject, key: str, at: _At | None, depth: int) -> object:
        inner = _At(at, holder, key)
        if key in holder.repeated:
            self._fault(inner, Violation.DUPLICATE_KEY, "is there twice: keep one")
        self._is_intact(key, inner)
        return self._plain(holder[key], inner, depth + 1)

    def _is_intact(self, value: object, at: _At) -> bool:
        """Whether nothing of a text or number is lost; else it is a violation."""
        if isinstance(value, LossyNumber):
            advice = "does not fit a double without loss: round it, or send it as text in a field of your own"
            self._fault(at, Violation.PRECISION_LOSS, advice)
        elif isinstance(value, NotFinite):
            self._fault(at, Violation.INVALID_JSON, "is NaN or Infinity, which JSON does not have")
        elif isinstance(value, str) and not _is_encodable(value):
            self._fault(at, Violation.INVALID_JSON, "holds half of a surrogate pair, which is no character")
        else:
            return True
        return False

    def _unknown(self, at: _At, key: str, descriptor: Any) -> None:
        if len(self.violations) < MAX_VIOLATIONS:
            self._fault(at, Violation.UNKNOWN_FIELD, f"is not a field of the contract{_advice(key, descriptor)}")

    def _misfit(self, value: object, expected: str, at: _At, depth: int) -> None:
        """The value is not what the field takes."""
        self._fault(at, Violation.INVALID_JSON, expected)
        self.unread.add(at.path())
        if isinstance(value, JsonObject | list):
            self._plain(value, at, depth + 1)

    def _fault(self, at: _At, reason: Violation.Reason, description: str) -> None:
        if len(self.violations) < MAX_VIOLATIONS:
            self.violations.append(Violation(field=at.path(), reason=reason, description=description))


@cache
def _fields(descriptor: Any) -> Mapping[str, FieldDescriptor]:
    """Fields by both of their names in JSON."""
    return {name: field for field in descriptor.fields for name in (field.json_name, field.name)}


def _advice(key: str, descriptor: Any) -> str:
    names = [field.name for field in descriptor.fields]
    if len(key) <= MAX_KEY_SHOWN and (near := get_close_matches(key.lower(), names, 1)):
        return f"; did you mean `{near[0]}`?"
    own = next((field.name for field in descriptor.fields if field.message_type is Struct.DESCRIPTOR), None)
    return f"; fields of your own go into `{own}`" if own else ""


def _converted(value: Any, field: FieldDescriptor) -> object:
    """A JSON value as protobuf reads it for a field of this type.

    Raises:
        ParseError, TypeError, ValueError: it is of another type.
    """
    if field.enum_type is not None:
        if isinstance(value, str):
            return _number_of(value, field.enum_type)
        return json_format.ParseDict(value, wrappers_pb2.Int32Value()).value
    is_text = field.type == FieldDescriptor.TYPE_STRING
    # protobuf takes true as 1, and a text as Python reads numbers; the gateway does neither.
    if isinstance(value, bool) or (isinstance(value, str) and not is_text and value not in _QUOTED):
        raise TypeError("no number")
    return json_format.ParseDict(value, _WRAPPERS[field.type]()).value


def _unquoted(text: str, field: FieldDescriptor) -> object:
    """The number that a text holds, where protobuf's JSON takes one in quotes."""
    number = read_number(text)
    return text if number is None or (isinstance(number, float) and not _is_double(field)) else number


def _is_double(field: FieldDescriptor) -> bool:
    return field.type == FieldDescriptor.TYPE_DOUBLE


def _number_of(name: str, enum: EnumDescriptor) -> int:
    """The gateway takes the names of enum values in any case, and - for _."""
    value = enum.values_by_name.get(name.upper().replace("-", "_")) if name.isascii() else None
    return value.number if value else _NO_VALUE


def _set_time(time: Timestamp, text: object) -> bool:
    form = _is_time(text) if isinstance(text, str) else None
    if form is None:
        return False
    sent = form[0]
    if is_leap := form["second"] == "60":  # Python has no leap seconds; it is the second after
        sent = f"{sent[:17]}59{sent[19:]}"
    try:
        time.FromJsonString(sent)
    except ValueError:
        return False
    time.seconds += is_leap
    return True


def _is_in_calendar(time: Timestamp) -> bool:
    try:
        time.ToJsonString()
    except ValueError:
        return False
    return True


def _mended(value: object) -> object:
    """Stands in for a value that was reported, so that the rest can be judged."""
    if isinstance(value, str):
        return _encodable(value)
    return None if isinstance(value, NotFinite) else value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encodable(text: str) -> str:
    return text.encode(errors="replace").decode()
