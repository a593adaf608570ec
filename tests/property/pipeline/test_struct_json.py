"""Promises of canonical JSON for every Struct."""

import json
import math
from collections.abc import Iterator
from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import ListValue, Struct
from hypothesis import given
from hypothesis import strategies as st

from qrumb_server.enrich.email import contains_email
from qrumb_server.pipeline.struct_json import (
    MAX_FAULTS,
    FaultKind,
    StructFault,
    StructLimits,
    StructText,
    canonical_json,
)

_PIECES = [
    "@",
    "a",
    "b.co",
    "ana@posteo.de",
    "%40",
    "&#64;",
    "\\",
    "u0040",
    "\n",
    '"',
    "\0",
    "＠",
    "\u200b",
    ".",
    " ",
    "é",
]
_texts = st.text(max_size=8) | st.lists(st.sampled_from(_PIECES), max_size=5).map("".join)
_numbers = st.floats() | st.integers(-(2**60), 2**60).map(float)
_values = st.recursive(
    st.none() | st.booleans() | _numbers | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=15,
)
objects = st.dictionaries(_texts, _values, max_size=5)
_limits = st.builds(
    StructLimits,
    max_depth=st.integers(1, 6),
    max_values=st.integers(0, 30),
    max_json_bytes=st.integers(2, 200),
)
WIDE = StructLimits(max_depth=30, max_values=10_000, max_json_bytes=1_000_000)


def as_struct(fields: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(fields)
    return struct


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)


def _count(value: Any) -> int:
    """Values in a value, itself not counted."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(1 + _count(each) for each in inner)


def _leaves(value: Any) -> Iterator[Any]:
    """Every text, number, ... and every key."""
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _has_email(value: Any) -> bool:
    return any(isinstance(leaf, str) and contains_email(leaf) for leaf in _leaves(value))


def _has_non_finite(value: Any) -> bool:
    return any(isinstance(leaf, float) and not math.isfinite(leaf) for leaf in _leaves(value))


@given(objects)
def test_the_text_reads_back_as_what_protobuf_says(fields: dict[str, Any]) -> None:
    struct = as_struct(fields)
    answer = canonical_json(struct, WIDE)
    if isinstance(answer, StructText):
        # A Struct has only doubles; of a large one the text has the digits that JSON writers give it.
        assert json.loads(answer.text, parse_int=float) == MessageToDict(struct)


@given(objects)
def test_the_text_is_a_fixed_point(fields: dict[str, Any]) -> None:
    answer = canonical_json(as_struct(fields), WIDE)
    if isinstance(answer, StructText):
        assert canonical_json(as_struct(orjson.loads(answer.text)), WIDE) == answer


@given(objects, _limits)
def test_the_verdict_is_that_of_the_rules_one_by_one(fields: dict[str, Any], limits: StructLimits) -> None:
    answer = canonical_json(as_struct(fields), limits)
    kinds = {fault.kind for fault in answer.faults} if isinstance(answer, StructFault) else set()
    too_many = _count(fields) > limits.max_values
    too_deep = _depth(fields) > limits.max_depth
    if too_many and not too_deep and FaultKind.TOO_LARGE not in kinds:
        assert kinds == {FaultKind.TOO_MANY_VALUES}
    if not too_deep and not too_many and FaultKind.TOO_LARGE not in kinds:
        assert (FaultKind.NOT_FINITE in kinds) is _has_non_finite(fields)
        assert (FaultKind.CONTAINS_EMAIL in kinds) is _has_email(fields)
    if isinstance(answer, StructText):
        assert not too_deep
        assert not too_many
        assert len(answer.text.encode()) <= limits.max_json_bytes
    else:
        assert 1 <= len(answer.faults) <= MAX_FAULTS


@given(objects)
def test_an_address_in_any_key_or_value_is_found_and_never_repeated(fields: dict[str, Any]) -> None:
    answer = canonical_json(as_struct(fields), WIDE)
    kinds = {fault.kind for fault in answer.faults} if isinstance(answer, StructFault) else set()
    if _has_email(fields) and isinstance(answer, StructFault) and len(answer.faults) < MAX_FAULTS:
        assert FaultKind.CONTAINS_EMAIL in kinds
    assert isinstance(answer, StructText) is not (_has_email(fields) or _has_non_finite(fields))
    if isinstance(answer, StructFault):
        assert not any(contains_email(fault.path) or contains_email(fault.detail) for fault in answer.faults)


@given(objects)
def test_wire_size_alone_refuses_nothing_that_the_text_does_not(fields: dict[str, Any]) -> None:
    struct = as_struct(fields)
    answer = canonical_json(struct, WIDE)
    if isinstance(answer, StructText):
        exact = StructLimits(max_depth=30, max_values=10_000, max_json_bytes=len(answer.text.encode()))
        assert canonical_json(struct, exact) == answer


def _nested(levels: int) -> Struct:
    struct = Struct()
    inner: ListValue = struct.fields["a"].list_value
    for _ in range(levels):
        inner = inner.values.add().list_value
    inner.SetInParent()
    return struct


@given(st.integers(0, 90), st.integers(1, 10))
def test_any_depth_is_refused_without_following_it(levels: int, max_depth: int) -> None:
    # The object, its list, and the lists in it.
    is_within = levels + 2 <= max_depth
    answer = canonical_json(_nested(levels), StructLimits(max_depth=max_depth))
    assert isinstance(answer, StructText) is is_within
