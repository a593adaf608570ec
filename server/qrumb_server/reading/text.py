"""JSON text read by Python's own reader, made to keep what it would pass over, and the place of what is not JSON.

Invariants: any bytes give a value or NotJsonError, in time linear in their number; no message quotes the text.
"""

import json
import re
from collections import Counter
from functools import cached_property
from math import isfinite
from typing import Final, NoReturn

import msgspec

from qrumb.v1.receipt_pb2 import Violation

__all__ = [
    "MAX_NESTING",
    "JsonObject",
    "LossyNumber",
    "NotFiniteError",
    "NotJsonError",
    "TooLargeError",
    "TooLargeNumber",
    "TooManyValuesError",
    "check_values",
    "has_surrogate_escape",
    "not_json",
    "read_number",
    "read_value",
    "without_mark",
]

# Objects and lists inside each other, the event included: more than any rule allows, less than any reader's stack.
MAX_NESTING: Final = 50

# Values of one event, its own fields and unknown members alike: twenty times what metadata may hold. Each takes a µs or
# two where it is to be explained.
MAX_VALUES: Final = 10_240

# A number in quotes: as JSON has it, or with a sign, zeros or a point more, which protobuf takes as well.
_is_number = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_is_integer = re.compile(r"[+-]?[0-9]+").fullmatch
# Half of a pair may stand in the text of JSON, and is not a character; the compiled reader calls such a text no JSON.
_has_surrogate_escape = re.compile(rb"\\u[dD][89a-fA-F]").search
_find_offset = re.compile(r"\(byte ([0-9]+)\)$").search
# No integer above it has a double near it, so that no reader of the stored text could take it.
_MAX_DIGITS: Final = 309
_MARK: Final = b"\xef\xbb\xbf"
# Encodings by how a text in them begins: with its mark, or with the NULs that an ASCII character has there.
_ENCODINGS: Final = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\x00\x00\x00", "UTF-32"),
    (b"\x00", "UTF-16"),
    (b"\x1f\x8b", "gzip"),
)
_texts = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)', re.DOTALL).sub
_validate: Final = msgspec.json.Decoder(msgspec.Raw).decode


class NotJsonError(Exception):
    """The text as a whole cannot be read; the message is for the sender and goes on after "the body"."""

    reason: Violation.Reason = Violation.INVALID_JSON


class TooLargeError(NotJsonError):
    """The text is longer than any event that could be accepted, and was not looked at."""

    reason = Violation.TOO_LARGE


class TooManyValuesError(NotJsonError):
    """The text holds more values than could be accepted, and was not read."""

    reason = Violation.TOO_MANY_VALUES


class JsonObject(dict[str, object]):
    """An object of the text; the last of equal keys counts."""

    repeated: frozenset[str] = frozenset()
    """Keys that came more than once."""

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each key among all of them, sorted, from 1; worked out once, as there may be thousands."""
        return {key: place for place, key in enumerate(sorted(self), 1)}


class LossyNumber(float):
    """A number whose digits a double does not keep: the nearest one."""


class TooLargeNumber:
    """A number that no double comes near."""


class NotFiniteError(Exception):
    """NaN, Infinity or -Infinity, which Python reads and JSON does not have."""


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    read = JsonObject(pairs)
    if len(read) < len(pairs):
        read.repeated = frozenset(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
    return read


def _integer(text: str) -> int | TooLargeNumber:
    return int(text) if len(text) < _MAX_DIGITS or isfinite(float(text)) else TooLargeNumber()


def _decimal(text: str) -> float | TooLargeNumber:
    """A number with a fraction or an exponent: kept if its double, written again, has the same digits."""
    number = float(text)
    if not isfinite(number):
        return TooLargeNumber()
    digits = _significant(text)
    # Written as short as can be, which is how most senders write; or with as many digits, as C's printf does. Where
    # the double lies halfway between two texts, the two ways differ, and each is right.
    if digits == _significant(repr(number)):
        return number
    # No double keeps more than 17 digits.
    if len(digits) <= 17 and digits == _significant(f"{number:.{max(len(digits) - 1, 0)}e}"):
        return number
    return LossyNumber(number)


def _significant(text: str) -> str:
    return text.lower().partition("e")[0].lstrip("+-").replace(".", "").strip("0")


def _refuse_constant(_name: str) -> NoReturn:
    raise NotFiniteError


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_refuse_constant,
)


def without_mark(text: bytes) -> bytes:
    """The text without the byte order mark that some senders put before UTF-8."""
    return text.removeprefix(_MARK)


def check_values(text: bytes) -> None:
    """Refuse an event's text by the number of its values, before any of them is read.

    Raises:
        TooManyValuesError: there are more than `MAX_VALUES`.
        NotJsonError: there are, and the text is not JSON.
    """
    if _count(text) <= MAX_VALUES or _count(_texts(b"", text)) <= MAX_VALUES:
        return
    try:
        _validate(text)
    except (ValueError, RecursionError) as error:
        if not has_surrogate_escape(text):
            raise not_json(text, error) from None
    raise TooManyValuesError(f"holds more than {MAX_VALUES:,} values, and was not read")


def _count(text: bytes) -> int:
    """No fewer than there are values: each stands behind a comma or a bracket."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def read_value(text: bytes) -> object:
    """The JSON value that a text holds; objects are JsonObject.

    Raises:
        NotJsonError: it holds none.
    """
    try:
        return _DECODER.decode(without_mark(text).decode())
    except (ValueError, RecursionError, NotFiniteError) as error:
        raise not_json(text, error) from None


def not_json(text: bytes, error: Exception) -> NotJsonError:
    """What is wrong with a text that a reader has refused with `error`, and where."""
    text = without_mark(text)
    if not text or text.isspace():
        return NotJsonError("is empty: send JSON")
    if encoding := next((name for beginning, name in _ENCODINGS if text.startswith(beginning)), ""):
        return NotJsonError(f"is {encoding}: send plain UTF-8")
    if text[1:2] == b"\x00":
        return NotJsonError("is UTF-16 or UTF-32: send plain UTF-8")
    try:
        text.decode()
    except UnicodeDecodeError as undecodable:
        place = _place(text, undecodable.start)
        return NotJsonError(f"is not UTF-8: see {place}; it may be Latin-1 or Windows-1252")
    if isinstance(error, RecursionError):
        return NotJsonError("is nested too deep: hundreds of objects and lists inside each other")
    if isinstance(error, json.JSONDecodeError):
        offset = len(error.doc[: error.pos].encode())
        hint = next((hint for said, hint in _SAID if error.msg.startswith(said)), "") or _hint(text, offset)
    else:
        offset = _offset_of_fault(text)
        hint = _hint(text, offset)
    return NotJsonError(f"is not JSON: see {_place(text, offset)}{': ' if hint else ''}{hint}")


def has_surrogate_escape(text: bytes) -> bool:
    """Whether the compiled reader may have refused a text that is JSON."""
    return _has_surrogate_escape(text) is not None


def _offset_of_fault(text: bytes) -> int:
    """Where the compiled reader stops; the end of the text where it wants more."""
    try:
        _validate(text)
    except (ValueError, RecursionError) as error:
        found = _find_offset(str(error))
        return int(found[1]) if found else len(text)
    return 0


def _place(text: bytes, offset: int) -> str:
    before = text[:offset]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
    return f"line {line}, column {column} (byte {offset})"


# Of Python's reader, where what stands in the place does not say it.
_SAID: Final = (
    ("Extra data", "the JSON has ended before it"),
    ("Unterminated string", "this text has no end"),
)
_HINTS: Final = (
    (re.compile(rb"[\]}]"), "a comma before it is one too many, or something is missing"),
    (re.compile(rb",\s*[\]}]"), "this comma is one too many"),
    (re.compile(rb"'"), "names and texts stand in double quotes"),
    (re.compile(rb"\\"), "JSON does not know this escape"),
    (re.compile(rb"[-+]?(?:NaN|Infinity)"), "JSON has neither NaN nor Infinity"),
    (re.compile(rb"0?[xX][0-9a-fA-F]"), "JSON has decimal numbers only"),
    (re.compile(rb"(?<=[^0-9.]0)[0-9]"), "a number does not begin with 0"),
    (re.compile(rb"(?:True|False|None)\b"), "JSON writes true, false and null"),
    (re.compile(rb"/[/*]|#"), "JSON has no comments"),
    (re.compile(rb"[A-Za-z_$]"), "names stand in double quotes"),
    (re.compile(rb"[\x00-\x1f]"), "inside a text, a control character is written as an escape such as \\n"),
)


def _hint(text: bytes, offset: int) -> str:
    """The likely mistake at this place; empty where there is no good guess."""
    if offset >= len(text):
        return "the end, where more was expected"
    return next((hint for form, hint in _HINTS if form.match(text, offset)), "")


def read_number(text: str) -> int | float | TooLargeNumber | None:
    """The number that a string holds; None where it holds something else."""
    if not _is_number(text):
        return None
    return _integer(text) if _is_integer(text) else _decimal(text)
