"""The sender's own fields as canonical JSON, held to their limits: what `metadata` and `properties` become.

They come as a Struct (gRPC) or as plain values (JSON). Canonical: keys sorted by code point, no spaces, UTF-8; a number
without a fraction is written with all its digits as an integer (-0.0 becomes 0); a Value without a kind is null. Equal
fields have equal text, whichever way they came.

Invariants: no recursion goes deeper than `StructLimits.max_depth`, no more than `max_values` values are read, and
no fault quotes a value, nor a key that holds an e-mail address.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from math import isfinite
from typing import Final

import orjson
from google.protobuf.struct_pb2 import Struct, Value

from qrumb_server.enrich.email import contains_email
from qrumb_server.enrich.email_signs import may_contain_email

__all__ = [
    "FaultKind",
    "StructFault",
    "StructLimits",
    "StructText",
    "ValueFault",
    "canonical_json",
    "canonical_plain",
    "extended_path",
    "plain_values",
    "usual_text",
]

# A sender fixes a few faults at a time, and a reply has to fit its limits.
MAX_FAULTS: Final = 10
# Characters of one key in a path: enough to find it.
MAX_KEY_SHOWN: Final = 64
# Bytes of a path: a reply carries all faults in its trailers, of which common clients take 8 KiB.
MAX_PATH_SHOWN: Final = 200

# Wire bytes that one byte of JSON can stand for: a number in a list takes 11 on the wire and 2 (`0,`) in JSON, and
# nothing is worse. A Struct above that ratio is too large whatever it holds, and need not be written out.
WIRE_BYTES_PER_JSON_BYTE: Final = 6
# Doubles below this hold every integer exactly; JSON readers agree on those.
_EXACT: Final = 2.0**53

# What JSON writers refuse, put where a fault is, so that the fast path needs no bookkeeping: orjson stops at it.
_TOO_DEEP: Final = object()
# More than protobuf's own limit, so that nothing is too deep.
_ANY_DEPTH: Final = 1_000
# A text that is so many times too large is not searched for what else is wrong with it.
_SEARCHED_UP_TO: Final = 2
# Larger whole numbers are handed to the writer as text.
_MAX_WRITTEN: Final = 2**63 - 1
_DIGITS_AS_ZERO: Final = bytes.maketrans(b"123456789", b"000000000")

_is_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


class _NotFinite:
    """A number that JSON does not have."""

    __slots__ = ("_number",)

    def __init__(self, number: float) -> None:
        self._number = number

    def __str__(self) -> str:
        return str(self._number)


class FaultKind(StrEnum):
    """Which rule a Struct breaks. Names are those of Violation.Reason in the contract."""

    TOO_DEEP = "TOO_DEEP"
    TOO_MANY_VALUES = "TOO_MANY_VALUES"
    TOO_LARGE = "TOO_LARGE"
    NOT_FINITE = "NOT_FINITE"
    CONTAINS_EMAIL = "CONTAINS_EMAIL"


@dataclass(frozen=True, slots=True, kw_only=True)
class StructLimits:
    """How much a Struct may hold."""

    max_depth: int = 5
    """Objects and lists inside each other; the root object is the first."""
    max_values: int = 512
    """Everything but the root counts: each leaf, list and object. Time goes by values, not bytes: 0.6 µs each."""
    max_json_bytes: int = 10_240
    """UTF-8 bytes of the canonical JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StructText:
    """The canonical JSON of fields that keep all limits and hold no e-mail address."""

    text: str
    inexact: tuple[str, ...] = ()
    """Paths of whole numbers that came as doubles and are too large for these, at most MAX_FAULTS."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFault:
    """One broken rule.

    `path` leads from the event to the value, such as `metadata.items[2]["a b"]`; a key that holds an e-mail address
    stands there as `<key 3>`, its place among the sorted keys of its object. `detail` says how to fix it.
    """

    path: str
    kind: FaultKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StructFault:
    """Why a Struct is refused: one to `MAX_FAULTS` faults, what concerns the whole of it first."""

    faults: tuple[ValueFault, ...]


def canonical_json(struct: Struct, limits: StructLimits, field: str = "metadata") -> StructText | StructFault:
    """The Struct as canonical JSON, or what is wrong with it.

    Args:
        field: name of the field that the Struct is, where every path begins.
    """
    walk = _Walk(limits)
    try:
        root = _plain_object(struct, 1, walk)
    except _TooManyValuesError:
        return _refuse(_fault(field, FaultKind.TOO_MANY_VALUES, limits))
    if struct.ByteSize() > limits.max_json_bytes * WIRE_BYTES_PER_JSON_BYTE:
        return _refuse(_fault(field, FaultKind.TOO_LARGE, limits))
    answer = _held_to_limits(root, limits, field)
    if walk.has_inexact and isinstance(answer, StructText):
        paths = (path for path, value in _leaves(root, field) if _is_large(value))
        return StructText(text=answer.text, inexact=tuple(islice(map(_shown, paths), MAX_FAULTS)))
    return answer


def canonical_plain(fields: Mapping[str, object], limits: StructLimits, field: str) -> StructText | StructFault:
    """The same of values as a JSON reader gives them, where an infinite number stands for one that is too large."""
    try:
        root = _whole_numbers(fields, 1, _Walk(limits))
    except _TooManyValuesError:
        return _refuse(_fault(field, FaultKind.TOO_MANY_VALUES, limits))
    return _held_to_limits(root, limits, field)


def usual_text(fields: Mapping[str, object], limits: StructLimits) -> str | None:
    """What `canonical_plain` gives, where a look at the text shows that it keeps all limits; None: it takes that one.

    Every value stands behind a comma or a bracket, and there is no depth without as many brackets.
    """
    try:
        written = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return None
    brackets = written.count(b"{") + written.count(b"[")
    if brackets > limits.max_depth or brackets + written.count(b",") > limits.max_values:
        return None
    # A whole number with a point or an exponent, one too small for all its digits; or a text that looks so.
    alike = written.translate(_DIGITS_AS_ZERO)
    if len(written) > limits.max_json_bytes or b".0" in written or b"0e+" in alike or b"0e-000" in alike:
        return None
    text = written.decode()
    return None if may_contain_email(text) else text


def _held_to_limits(root: dict[str, object], limits: StructLimits, field: str) -> StructText | StructFault:
    try:
        text = orjson.dumps(root, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        return _refuse(*_find_faults(root, field, limits))
    size = len(text.encode())
    faults = [_fault(field, FaultKind.TOO_LARGE, limits)] if size > limits.max_json_bytes else []
    if size > limits.max_json_bytes * _SEARCHED_UP_TO:
        return _refuse(*faults)
    if may_contain_email(text):
        # Only a sign of an @ was seen. The verdict is by value: two clean ones may look like an address in a row.
        faults += _find_faults(root, field, limits)
    return _refuse(*faults) if faults else StructText(text=text)


def plain_values(struct: Struct, max_values: int) -> dict[str, object] | None:
    """The Struct as `orjson.dumps(..., default=str)` takes it, however deep and whatever it holds.

    None where it holds more than `max_values` values; no more of them are read.
    """
    try:
        return _plain_object(struct, 1, _Walk(StructLimits(max_depth=_ANY_DEPTH, max_values=max_values)))
    except _TooManyValuesError:
        return None


class _TooManyValuesError(Exception):
    """The walk stopped before the container that would have gone over `max_values`."""


class _Walk:
    """What one walk may still read."""

    __slots__ = ("has_inexact", "max_depth", "values_left")

    def __init__(self, limits: StructLimits) -> None:
        self.max_depth = limits.max_depth
        self.values_left = limits.max_values
        self.has_inexact = False

    def enter(self, count: int) -> None:
        self.values_left -= count
        if self.values_left < 0:
            raise _TooManyValuesError


# The two loops are alike on purpose: a call per value would cost a fifth of the time. Truthiness comes first
# because asking for the kind is what takes longest.


def _plain_object(struct: Struct, depth: int, walk: _Walk) -> dict[str, object]:
    fields = struct.fields
    walk.enter(len(fields))
    plain: dict[str, object] = {}
    for key, value in fields.items():
        if text := value.string_value:
            plain[key] = text
        elif number := value.number_value:
            plain[key] = int(number) if number.is_integer() and -_EXACT < number < _EXACT else _large(number, walk)
        else:
            plain[key] = _plain_other(value, depth, walk)
    return plain


def _plain_list(values: Sequence[Value], depth: int, walk: _Walk) -> list[object]:
    walk.enter(len(values))
    plain: list[object] = []
    for value in values:
        if text := value.string_value:
            plain.append(text)
        elif number := value.number_value:
            plain.append(int(number) if number.is_integer() and -_EXACT < number < _EXACT else _large(number, walk))
        else:
            plain.append(_plain_other(value, depth, walk))
    return plain


def _plain_other(value: Value, depth: int, walk: _Walk) -> object:
    """A value that is neither a text with characters nor a number other than zero."""
    kind = value.WhichOneof("kind")
    if kind == "bool_value":
        return value.bool_value
    if kind == "string_value":
        return ""
    if kind == "number_value":
        return 0
    if kind == "struct_value":
        return _plain_object(value.struct_value, depth + 1, walk) if depth < walk.max_depth else _TOO_DEEP
    if kind == "list_value":
        return _plain_list(value.list_value.values, depth + 1, walk) if depth < walk.max_depth else _TOO_DEEP
    return None


def _large(number: float, walk: _Walk) -> object:
    """A number with a fraction, or beyond those whose digits a double keeps."""
    if number.is_integer():  # what is not finite is none
        walk.has_inexact = True
        return _whole(number)
    return number if isfinite(number) else _NotFinite(number)


def _whole(number: float) -> object:
    """A double without a fraction, by its shortest digits: those behind it were never known."""
    value = int(Decimal(repr(number)))
    return value if -_MAX_WRITTEN <= value <= _MAX_WRITTEN else orjson.Fragment(str(value))


def _whole_numbers(fields: Mapping[str, object], depth: int, walk: _Walk) -> dict[str, object]:
    walk.enter(len(fields))
    return {key: _whole_number(value, depth, walk) for key, value in fields.items()}


def _whole_number(value: object, depth: int, walk: _Walk) -> object:
    """A plain value, in which whole numbers are integers."""
    if isinstance(value, float):
        if value.is_integer():
            return int(value) if -_EXACT < value < _EXACT else _whole(value)
        return value if isfinite(value) else _NotFinite(value)
    if isinstance(value, int):
        return value if -_MAX_WRITTEN <= value <= _MAX_WRITTEN else orjson.Fragment(str(value))
    if isinstance(value, dict):
        return _whole_numbers(value, depth + 1, walk) if depth < walk.max_depth else _TOO_DEEP
    if isinstance(value, list):
        if depth >= walk.max_depth:
            return _TOO_DEEP
        walk.enter(len(value))
        return [_whole_number(item, depth + 1, walk) for item in value]
    return value


def _is_large(value: object) -> bool:
    return isinstance(value, orjson.Fragment) or (isinstance(value, int) and abs(value) >= _EXACT)


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """All values that hold no others, with their paths."""
    if isinstance(value, dict):
        for place, key in enumerate(sorted(value), 1):
            yield from _leaves(value[key], extended_path(path, key, place))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _refuse(*faults: ValueFault) -> StructFault:
    return StructFault(faults=faults[:MAX_FAULTS])


def _fault(path: str, kind: FaultKind, limits: StructLimits) -> ValueFault:
    match kind:
        case FaultKind.TOO_DEEP:
            detail = f"is nested deeper than {limits.max_depth} levels, of which the outermost object is the first"
        case FaultKind.TOO_MANY_VALUES:
            detail = f"holds more than {limits.max_values} values, counting objects and lists"
        case FaultKind.TOO_LARGE:
            detail = f"is larger than {limits.max_json_bytes} bytes as compact JSON"
        case FaultKind.NOT_FINITE:
            detail = "must be a finite number; JSON has no NaN and no infinity"
        case FaultKind.CONTAINS_EMAIL:
            detail = "contains a raw e-mail address; remove or hash it; raw e-mail addresses are never stored"
    return ValueFault(path=_shown(path), kind=kind, detail=detail)


def _find_faults(root: dict[str, object], field: str, limits: StructLimits) -> list[ValueFault]:
    found = islice(_faults_within(root, field), MAX_FAULTS)
    return [_fault(path, kind, limits) for path, kind in found]


def _faults_within(value: object, path: str) -> Iterator[tuple[str, FaultKind]]:
    """Faults of a plain value and of all that it holds, in the order of the JSON text."""
    if isinstance(value, str):
        if contains_email(value):
            yield path, FaultKind.CONTAINS_EMAIL
    elif isinstance(value, dict):
        for place, key in enumerate(sorted(value), 1):
            inner = extended_path(path, key, place)
            if contains_email(key):
                yield inner, FaultKind.CONTAINS_EMAIL
            yield from _faults_within(value[key], inner)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _faults_within(item, f"{path}[{index}]")
    elif value is _TOO_DEEP:
        yield path, FaultKind.TOO_DEEP
    elif isinstance(value, _NotFinite):
        yield path, FaultKind.NOT_FINITE


def _shown(path: str) -> str:
    """The path, cut where it is long."""
    if len(path) <= MAX_PATH_SHOWN // 4 or len(path.encode()) <= MAX_PATH_SHOWN:
        return path
    shown = path.encode()[:MAX_PATH_SHOWN].decode(errors="ignore") + "\u2026"
    # The cut can make an address out of what was none; the name of the field then has to do.
    return shown if not contains_email(shown) else path.partition(".")[0].partition("[")[0]


def extended_path(path: str, key: str, place: int) -> str:
    """The path that goes on from an object to one of its keys; `place` is the key's among all, sorted, from 1."""
    if len(key) <= MAX_KEY_SHOWN and _is_identifier(key):
        return f"{path}.{key}"
    shown = key if len(key) <= MAX_KEY_SHOWN else key[:MAX_KEY_SHOWN] + "\u2026"
    extended = f"{path}[{orjson.dumps(shown).decode()}]"
    # Cutting and quoting can make an address out of what was none.
    return f"{path}.<key {place}>" if contains_email(key) or contains_email(extended) else extended
