"""JSON text read by Python's own reader, made to keep what it would pass over.

Invariants: any bytes give an object or NotJsonError, in time linear in their number; no message quotes the text.
"""

import json
import re
from collections import Counter
from math import isfinite
from typing import Final

__all__ = [
    "MAX_BYTES",
    "MAX_NESTING",
    "JsonObject",
    "LossyNumber",
    "NotFinite",
    "NotJsonError",
    "read_number",
    "read_object",
]

# What the gateway takes as the body of one event.
MAX_BYTES: Final = 64 * 1024
# Objects and lists inside each other, the event included. The gateway and protobuf give up at about this depth.
MAX_NESTING: Final = 50

# A number in quotes: as JSON has it, or with a sign, zeros or a point more, which the gateway takes as well.
_is_number = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_is_integer = re.compile(r"[+-]?[0-9]+").fullmatch


class NotJsonError(Exception):
    """The text as a whole cannot be read; the message is for the sender."""


class JsonObject(dict[str, object]):
    """An object of the text; the last of equal keys counts."""

    repeated: frozenset[str] = frozenset()
    """Keys that came more than once."""


class LossyNumber(float):
    """A number whose digits a double does not keep: the nearest finite one."""


class NotFinite:
    """NaN, Infinity or -Infinity without quotes, which Python reads and JSON does not have."""


def _object(pairs: list[tuple[str, object]]) -> JsonObject:
    read = JsonObject(pairs)
    if len(read) < len(pairs):
        read.repeated = frozenset(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
    return read


def _integer(text: str) -> int | LossyNumber:
    if len(text) <= 15:
        return int(text)
    number = float(text)
    if not isfinite(number):
        return LossyNumber(0)
    return int(number) if int(number) == int(text) else LossyNumber(number)


def _decimal(text: str) -> float:
    """A number with a fraction or an exponent: kept if its double, written again, has the same digits."""
    number = float(text)
    if not isfinite(number):
        return LossyNumber(0)
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


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=lambda _: NotFinite(),
)


def read_object(text: bytes) -> JsonObject:
    """The JSON object that a body holds.

    Raises:
        NotJsonError: it holds none.
    """
    if len(text) > MAX_BYTES:
        raise NotJsonError(f"is larger than {MAX_BYTES:,} bytes")
    if not text or text.isspace():
        raise NotJsonError("is empty: send the event as a JSON object")
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise NotJsonError(f"is not UTF-8: see {_place(text[: error.start])}") from None
    if decoded.startswith("\ufeff"):
        raise NotJsonError("begins with a byte order mark: leave it out")
    try:
        root = _DECODER.decode(decoded)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"is not JSON: see line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJsonError(f"is nested deeper than {MAX_NESTING} levels") from None
    if not isinstance(root, JsonObject):
        raise NotJsonError("is not an object: send the event as a JSON object")
    return root


def _place(before: bytes) -> str:
    lines = before.decode().split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def read_number(text: str) -> int | float | None:
    """The number that a string holds; None where it holds something else."""
    if not _is_number(text):
        return None
    return _integer(text) if _is_integer(text) else _decimal(text)
