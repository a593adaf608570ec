"""The body of a call that is neither events nor scan sessions: JSON into the method's own request, or what is wrong.

Invariant: each member of the body is a field of the request and was read, or there is a violation. Such calls erase and
replay: a misspelt `validate_only` must not become a call without one.
"""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.pipeline.struct_json import extended_path
from qrumb_server.pipeline.times import EXPECTED_TIME
from qrumb_server.reading.event import fields_of, read_members
from qrumb_server.reading.names import MAX_NAME_READ
from qrumb_server.reading.text import JsonObject, NotJsonError, check_values, read_value

__all__ = ["read_request"]

# All that are wrong at once are told at once; more than so many say nothing new.
MAX_TOLD: Final = 20
_TWICE: Final = "says something else in the address: keep one"
# What the explaining reader only warns of where it is an event's.
_SAID: Final = {EventWarning.TIME_INTERPRETED: EXPECTED_TIME}
# These are found here, at whatever place.
_FOUND: Final = frozenset({EventWarning.UNKNOWN_FIELD, EventWarning.MISPLACED_FIELD})


def read_request(text: bytes, message: Message) -> Sequence[Violation]:
    """What is wrong with a body; where nothing is, its members are in the message.

    Args:
        message: what the address says of the request. No body at all is an empty one.
    """
    if not text:
        return ()
    try:
        check_values(text)
        sent = read_value(text)
    except NotJsonError as error:
        return (Violation(reason=error.reason, description=f"the body {error}"),)
    if not isinstance(sent, JsonObject):
        return (Violation(reason=Violation.INVALID_JSON, description="the body is not a JSON object"),)
    read = type(message)()
    violations, warnings = read_members(sent, read)
    found = [*_unknown(sent, message.DESCRIPTOR, ""), *violations]
    found += [
        Violation(field=one.field, reason=Violation.INVALID_JSON, description=_SAID.get(one.code, one.description))
        for one in warnings
        if one.code not in _FOUND
    ]
    if not found:  # what could not be read is unset, and differs from whatever it is compared with
        found += [*_no_values(read), *_in_both(sent, message, read, "")]
    message.MergeFrom(read)
    return found[:MAX_TOLD]


def _unknown(sent: JsonObject, message: Any, base: str) -> Iterator[Violation]:
    fields = fields_of(message)
    for key, value in sent.items():
        known = fields.get(key)
        if known is None:
            shown = key.encode(errors="replace").decode()
            path = extended_path(base, shown, sent.places[key]).removeprefix(".")
            yield Violation(field=path, reason=Violation.UNKNOWN_FIELD, description=_about(shown, message))
        elif isinstance(value, JsonObject) and known.message_type not in {None, Timestamp.DESCRIPTOR}:
            yield from _unknown(value, known.message_type, _joined(base, known.name))


def _about(name: str, message: Any) -> str:
    names = [field.name for field in message.fields]
    near = get_close_matches(name.lower(), names, 1) if len(name) <= MAX_NAME_READ else []
    if near:
        return f"is not a field here; did you mean `{near[0]}`?"
    return f"is not a field here; there are {', '.join(names)}"


def _in_both(sent: JsonObject, stated: Message, read: Message, base: str) -> Iterator[Violation]:
    """What the address and the body say differently; as in Envoy's transcoder, the same may stand in both."""
    fields = fields_of(stated.DESCRIPTOR)
    given = {fields[key].name: value for key, value in sent.items() if key in fields and value is not None}
    for field, value in stated.ListFields():
        if field.name not in given or value == (other := getattr(read, field.name)):
            continue
        path, inner = _joined(base, field.name), given[field.name]
        if isinstance(inner, JsonObject) and field.message_type is not Timestamp.DESCRIPTOR:
            yield from _in_both(inner, value, other, path)
        else:
            yield Violation(field=path, reason=Violation.DUPLICATE_KEY, description=_TWICE)


def _no_values(message: Message) -> Iterator[Violation]:
    for field, value in message.ListFields():
        if field.enum_type is not None and value not in field.enum_type.values_by_number:
            names = ", ".join(one.name for one in field.enum_type.values)
            yield Violation(field=field.name, reason=Violation.INVALID_ENUM, description=f"must be one of {names}")


def _joined(base: str, name: str) -> str:
    return f"{base}.{name}" if base else name
