"""A Struct as canonical JSON, held to its limits: what `metadata` and `properties` become.

Canonical: keys sorted by code point, no spaces, UTF-8; a number without a fraction below 2**53 is written as an
integer, so that JSON in and JSON out agree (-0.0 becomes 0); a Value without a kind is null. Equal Structs have
equal text.

Invariants: no recursion goes deeper than `StructLimits.max_depth`, no more than `max_values` values are read, and
no fault quotes a value, nor a key that holds an e-mail address.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

import orjson
from google.protobuf.struct_pb2 import Struct, Value

from qrumb_server.enrich.email import contains_email, may_contain_email

__all__ = ["FaultKind", "StructFault", "StructLimits", "StructText", "ValueFault", "canonical_json"]

# A sender mends a few faults at a time, and a reply has to fit its limits.
MAX_FAULTS: Final = 10
# Characters of one key in a path: enough to find it.
MAX_KEY_SHOWN: Final = 64

# Wire bytes that one byte of JSON can stand for: a number in a list takes 11 on the wire and 2 (`0,`) in JSON, and
# nothing is worse. A Struct above that ratio is too large whatever it holds, and need not be walked.
_WIRE_BYTES_PER_JSON_BYTE: Final = 6
# Doubles below this hold every integer exactly; JSON readers agree on those.
_EXACT: Final = 2.0**53

# What JSON writers refuse, put where a fault is, so that the fast path needs no bookkeeping: orjson stops at it.
_TOO_DEEP: Final = object()
_NOT_FINITE: Final = object()

_is_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch


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
    """The canonical JSON of a Struct that keeps all limits and holds no e-mail address."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueFault:
    """One broken rule.

    `path` leads from the event to the value, such as `metadata.items[2]["a b"]`; a key that holds an e-mail address
    stands there as `<key 3>`, its place among the sorted keys of its object. `detail` says how to mend it.
    """

    path: str
    kind: FaultKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StructFault:
    """Why a Struct is refused: one to `MAX_FAULTS` faults, ordered by path within a kind of check."""

    faults: tuple[ValueFault, ...]


def canonical_json(struct: Struct, limits: StructLimits, field: str = "metadata") -> StructText | StructFault:
    """The Struct as canonical JSON, or what is wrong with it.

    Args:
        field: name of the field that the Struct is, where every path begins.
    """
    if struct.ByteSize() > limits.max_json_bytes * _WIRE_BYTES_PER_JSON_BYTE:
        return _refuse(_fault(field, FaultKind.TOO_LARGE, limits))
    try:
        root = _plain_object(struct, 1, _Budget(values_left=limits.max_values, max_depth=limits.max_depth))
    except _TooManyValuesError:
        return _refuse(_fault(field, FaultKind.TOO_MANY_VALUES, limits))
    try:
        json = orjson.dumps(root, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return _refuse(*_find_faults(root, field, limits))
    text = json.decode()
    faults = [_fault(field, FaultKind.TOO_LARGE, limits)] if len(json) > limits.max_json_bytes else []
    if may_contain_email(text):
        # Only a sign of an @ was seen. The verdict is by value: two clean ones may look like an address in a row.
        faults += _find_faults(root, field, limits)
    return _refuse(*faults) if faults else StructText(text=text)


class _TooManyValuesError(Exception):
    """The walk met more values than allowed."""


@dataclass(slots=True, kw_only=True)
class _Budget:
    """What one walk may still read."""

    values_left: int
    max_depth: int

    def spend(self, values: int) -> None:
        self.values_left -= values
        if self.values_left < 0:
            raise _TooManyValuesError


def _plain_object(struct: Struct, depth: int, budget: _Budget) -> Any:
    if depth > budget.max_depth:
        return _TOO_DEEP
    fields = struct.fields
    budget.spend(len(fields))
    return {key: _plain_value(fields[key], depth, budget) for key in fields}


def _plain_value(value: Value, depth: int, budget: _Budget) -> Any:
    # The two most frequent kinds are told by truth alone, which is cheaper than asking for the kind.
    if text := value.string_value:
        return text
    if number := value.number_value:
        return _plain_number(number)
    match value.WhichOneof("kind"):
        case "struct_value":
            return _plain_object(value.struct_value, depth + 1, budget)
        case "list_value":
            if depth + 1 > budget.max_depth:
                return _TOO_DEEP
            members = value.list_value.values
            budget.spend(len(members))
            return [_plain_value(member, depth + 1, budget) for member in members]
        case "bool_value":
            return value.bool_value
        case "string_value":
            return ""
        case "number_value":
            return 0
        case _:
            return None


def _plain_number(number: float) -> Any:
    if -_EXACT < number < _EXACT:
        return int(number) if number.is_integer() else number
    return number if math.isfinite(number) else _NOT_FINITE


def _refuse(*faults: ValueFault) -> StructFault:
    return StructFault(faults=faults[:MAX_FAULTS])


def _fault(path: str, kind: FaultKind, limits: StructLimits) -> ValueFault:
    match kind:
        case FaultKind.TOO_DEEP:
            detail = f"is nested too deep: at most {limits.max_depth} objects and lists inside each other"
        case FaultKind.TOO_MANY_VALUES:
            detail = f"has too many values: at most {limits.max_values}, objects and lists included"
        case FaultKind.TOO_LARGE:
            detail = f"is too large: at most {limits.max_json_bytes} bytes as compact JSON"
        case FaultKind.NOT_FINITE:
            detail = "must be a finite number"
        case FaultKind.CONTAINS_EMAIL:
            detail = "contains a raw e-mail address; remove or hash it, raw e-mail addresses are never stored"
    return ValueFault(path=path, kind=kind, detail=detail)


def _find_faults(root: Any, field: str, limits: StructLimits) -> list[ValueFault]:
    """The first faults of single values, by path."""
    return list(islice(_faults_below(root, field, limits), MAX_FAULTS))


def _faults_below(plain: Any, path: str, limits: StructLimits) -> Iterator[ValueFault]:
    if plain is _TOO_DEEP:
        yield _fault(path, FaultKind.TOO_DEEP, limits)
    elif plain is _NOT_FINITE:
        yield _fault(path, FaultKind.NOT_FINITE, limits)
    elif isinstance(plain, str):
        if contains_email(plain):
            yield _fault(path, FaultKind.CONTAINS_EMAIL, limits)
    elif isinstance(plain, list):
        for index, member in enumerate(plain):
            yield from _faults_below(member, f"{path}[{index}]", limits)
    elif isinstance(plain, dict):
        for place, key in enumerate(sorted(plain)):
            if contains_email(key):
                below = f"{path}.<key {place}>"
                yield _fault(below, FaultKind.CONTAINS_EMAIL, limits)
            else:
                below = path + _step(key)
            yield from _faults_below(plain[key], below, limits)


def _step(key: str) -> str:
    """One step of a path: `.name`, or the key as a JSON string in brackets."""
    shown = key[:MAX_KEY_SHOWN]
    return f".{shown}" if _is_identifier(shown) else f"[{orjson.dumps(shown).decode()}]"
