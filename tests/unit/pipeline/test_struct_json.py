"""A Struct as canonical JSON: its text, its limits, and where a fault is said to be."""

from typing import Any

import orjson
import pytest
from google.protobuf.json_format import MessageToDict, Parse
from google.protobuf.struct_pb2 import Struct

from qrumb_server.pipeline.struct_json import (
    MAX_FAULTS,
    FaultKind,
    StructFault,
    StructLimits,
    StructText,
    canonical_json,
)

LIMITS = StructLimits()


def _struct(fields: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(fields)
    return struct


def _text(fields: dict[str, Any], limits: StructLimits = LIMITS) -> str:
    answer = canonical_json(_struct(fields), limits)
    assert isinstance(answer, StructText)
    return answer.text


def _faults(fields: dict[str, Any], limits: StructLimits = LIMITS) -> list[tuple[str, FaultKind]]:
    answer = canonical_json(_struct(fields), limits)
    assert isinstance(answer, StructFault)
    return [(fault.path, fault.kind) for fault in answer.faults]


def _nested(levels: int) -> dict[str, Any]:
    """An object with that many levels, itself included."""
    return {"x": 1} if levels == 1 else {"in": _nested(levels - 1)}


def test_keys_are_sorted_and_nothing_is_wasted() -> None:
    assert _text({"b": [1, "x", None, True], "a": {"d": False, "c": ""}, "A": 0.5}) == (
        '{"A":0.5,"a":{"c":"","d":false},"b":[1,"x",null,true]}'
    )


def test_an_empty_struct_is_an_empty_object() -> None:
    assert canonical_json(Struct(), LIMITS) == StructText(text="{}")


def test_text_does_not_depend_on_the_order_of_insertion() -> None:
    keys = [f"k{number}" for number in range(40)]
    assert _text(dict.fromkeys(keys, 1)) == _text(dict.fromkeys(reversed(keys), 1))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (5.0, "5"),
        (-3.0, "-3"),
        (0.0, "0"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
        (2.0**53 - 1, "9007199254740991"),
        (1 - 2.0**53, "-9007199254740991"),
        (2.0**53, "9007199254740992"),
        (1e22, "1" + "0" * 22),
        (5e-324, "5e-324"),
    ],
)
def test_a_whole_number_is_written_with_its_digits(number: float, text: str) -> None:
    assert _text({"n": number, "l": [number]}) == f'{{"l":[{text}],"n":{text}}}'


def test_a_value_without_a_kind_is_null() -> None:
    struct = Struct()
    struct.fields["a"].SetInParent()
    struct.fields["b"].list_value.values.add()
    assert canonical_json(struct, LIMITS) == StructText(text='{"a":null,"b":[null]}')


def test_text_beyond_ascii_stays_as_it_is_and_controls_are_escaped() -> None:
    assert _text({"schlüssel": "日本 \U0001f600", "c": "\0\n\x7f"}) == (
        '{"c":"\\u0000\\n\x7f","schlüssel":"日本 \U0001f600"}'
    )


def test_the_text_reads_back_as_what_protobuf_says() -> None:
    written = '{"a":[1,2.5,{"b":null,"c":[[],{}]}],"d":"x","e":true,"":0}'
    struct = Parse(written, Struct())
    answer = canonical_json(struct, LIMITS)
    assert isinstance(answer, StructText)
    assert orjson.loads(answer.text) == MessageToDict(struct) == orjson.loads(written)


def test_the_root_is_the_first_level() -> None:
    assert _text(_nested(5)) == '{"in":{"in":{"in":{"in":{"x":1}}}}}'
    assert _faults(_nested(6)) == [("metadata.in.in.in.in.in", FaultKind.TOO_DEEP)]


def test_lists_count_as_levels() -> None:
    assert _text({"a": [[[[1]]]]}) == '{"a":[[[[1]]]]}'
    assert _faults({"a": [0, [[[[]]]]]}) == [("metadata.a[1][0][0][0]", FaultKind.TOO_DEEP)]


def test_nothing_below_the_deepest_level_is_looked_at() -> None:
    below = {"mail": "ana@posteo.de", "nan": float("nan")}
    assert _faults({"a": {"b": {"c": {"d": {"e": below}}}}}) == [("metadata.a.b.c.d.e", FaultKind.TOO_DEEP)]


def test_leaves_lists_and_objects_count_but_not_the_root() -> None:
    limits = StructLimits(max_values=5)
    assert _text({"a": {"b": 1}, "c": [2, 3]}, StructLimits(max_values=5)) == '{"a":{"b":1},"c":[2,3]}'
    assert _faults({"a": {"b": 1}, "c": [2, 3, None]}, limits) == [("metadata", FaultKind.TOO_MANY_VALUES)]
    assert _faults({"a": [{}, {}, [], [], ""]}, limits) == [("metadata", FaultKind.TOO_MANY_VALUES)]


def test_the_size_is_that_of_the_json_in_bytes() -> None:
    assert len(_text({"a": "ä" * 5116}).encode()) == 10_240
    assert _faults({"a": "ä" * 5116 + "x"}) == [("metadata", FaultKind.TOO_LARGE)]
    assert _faults({"a": "\n" * 5120}) == [("metadata", FaultKind.TOO_LARGE)]


def test_a_huge_struct_is_refused_by_its_size_on_the_wire() -> None:
    assert _faults({"a": "x" * 1_000_000, "mail": "ana@posteo.de"}) == [("metadata", FaultKind.TOO_LARGE)]


def test_no_struct_within_the_limits_is_refused_by_its_size_on_the_wire() -> None:
    limits = StructLimits(max_values=10_000, max_json_bytes=10_240)
    # The most wire bytes for a byte of JSON: numbers of one digit in a list.
    assert len(_text({"": [1] * 5_000}, limits)) == 10_006
    assert len(_text({"": [[1]] * 2_500}, limits)) == 10_006


def test_numbers_that_json_does_not_know_are_refused_where_they_are() -> None:
    fields = {"a": [1, float("nan")], "b": {"c": float("inf")}, "d": -float("inf"), "e": 1.5}
    assert _faults(fields) == [
        ("metadata.a[1]", FaultKind.NOT_FINITE),
        ("metadata.b.c", FaultKind.NOT_FINITE),
        ("metadata.d", FaultKind.NOT_FINITE),
    ]


def test_an_address_is_refused_where_it_is() -> None:
    fields = {"customer": {"name": "Ana", "contacts": ["-", "x", "ana@posteo.de"]}, "url": "/?e=tom%40fastmail.com"}
    assert _faults(fields) == [
        ("metadata.customer.contacts[2]", FaultKind.CONTAINS_EMAIL),
        ("metadata.url", FaultKind.CONTAINS_EMAIL),
    ]


def test_a_key_that_is_an_address_is_shown_by_its_place() -> None:
    fields = {"a": 1, "b": 2, "c@posteo.de": {"d": "e@posteo.de"}}
    assert _faults(fields) == [
        ("metadata.<key 3>", FaultKind.CONTAINS_EMAIL),
        ("metadata.<key 3>.d", FaultKind.CONTAINS_EMAIL),
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"ana": "@posteo.de"},
        {"ana@posteo": ".de"},
        {"a": ["ana@", "posteo.de"]},
        {"a": "react@18.2.0", "b": "@ana", "c": "icon@2x.png", "d": "https://u:p@h.example.com/"},
        {"a": "hello\n@brand.me"},
        {"a": "50%", "b": "40off.com"},
    ],
)
def test_values_are_judged_one_by_one(fields: dict[str, Any]) -> None:
    assert orjson.loads(_text(fields)) == fields


@pytest.mark.parametrize(
    "value", ["\nana@posteo.de\n", '"ana@posteo.de"', "\\u0061na\\u0040posteo.de", "ana@posteo\0.de"]
)
def test_what_json_escapes_does_not_hide_an_address(value: str) -> None:
    assert _faults({"a": value}) == [("metadata.a", FaultKind.CONTAINS_EMAIL)]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("snake_case_1", "metadata.snake_case_1"),
        ("a b", 'metadata["a b"]'),
        ("", 'metadata[""]'),
        ("1st", 'metadata["1st"]'),
        ("a.b", 'metadata["a.b"]'),
        ('say "x"\n', 'metadata["say \\"x\\"\\n"]'),
        ("größe", 'metadata["größe"]'),
        ("k" * 64, "metadata." + "k" * 64),
        ("k" * 65, f'metadata["{"k" * 64}…"]'),
        ("x" * 52 + "@posteo.dep", 'metadata["' + "x" * 52 + '@posteo.dep"]'),
        ("x" * 54 + "@posteo.department", "metadata.<key 1>"),
    ],
)
def test_a_path_names_keys_so_that_they_can_be_found(key: str, path: str) -> None:
    assert _faults({key: float("nan")})[-1] == (path, FaultKind.NOT_FINITE)


def test_paths_begin_at_the_field() -> None:
    answer = canonical_json(_struct({"a": ["ana@posteo.de"]}), LIMITS, "properties")
    assert isinstance(answer, StructFault)
    assert answer.faults[0].path == "properties.a[0]"


def test_all_faults_are_told_at_once() -> None:
    fields = {"deep": _nested(5), "inf": float("inf"), "mail": "ana@posteo.de"}
    assert _faults(fields) == [
        ("metadata.deep.in.in.in.in", FaultKind.TOO_DEEP),
        ("metadata.inf", FaultKind.NOT_FINITE),
        ("metadata.mail", FaultKind.CONTAINS_EMAIL),
    ]
    assert _faults({"mail": "ana@posteo.de", "text": "x" * 20_000}) == [
        ("metadata", FaultKind.TOO_LARGE),
        ("metadata.mail", FaultKind.CONTAINS_EMAIL),
    ]


def test_the_number_of_faults_is_bounded() -> None:
    assert len(_faults({f"k{number}": "ana@posteo.de" for number in range(100)})) == MAX_FAULTS


def test_no_fault_repeats_a_value() -> None:
    answer = canonical_json(_struct({"a": "ana@posteo.de", "b@posteo.de": 1, "c": float("nan")}), LIMITS)
    assert isinstance(answer, StructFault)
    assert "posteo" not in repr(answer)
    assert all(fault.detail for fault in answer.faults)
