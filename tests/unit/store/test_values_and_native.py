"""A value is stored as itself or refused; the encoder and the decoder are inverse."""

from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb_server.errors import BadRowsError, StoreRefusedError
from qrumb_server.store.native import decode_rows, encode_columns, wire_type
from qrumb_server.store.values import check_values

MONEY = "Nullable(Decimal(18, 4))"
TIME = "DateTime64(3, 'UTC')"


class Color(StrEnum):
    RED = "red"


class Level(IntEnum):
    TWO = 2


GOOD = [
    ("String", ["", "ä\0\n", Color.RED]),
    ("LowCardinality(String)", ["x"]),
    ("UUID", ["01936b2f-7c1e-7e6d-8a4b-0123456789ab"]),
    ("UInt8", [0, 255, Level.TWO]),
    ("Int8", [-128, 127]),
    ("UInt32", [2**32 - 1]),
    ("UInt64", [2**64 - 1]),
    ("Int64", [-(2**63), 2**63 - 1]),
    (TIME, [-2_208_988_800_000, 10_413_791_999_999]),
    (f"Nullable({TIME})", [None, 0]),
    (MONEY, [None, Decimal("-99999999999999.9999"), Decimal("1.20000000000000000000"), Decimal("1E+3"), Decimal("-0")]),
    ("Array(String)", [[], ["a", ""], ("b",)]),
    ("Array(Nullable(UInt8))", [[None, 1]]),
    ("UInt8", []),
]
BAD = [
    ("String", None),
    ("String", b"x"),
    ("String", 1),
    ("String", "\ud83e"),
    ("LowCardinality(String)", None),
    ("UUID", "01936b2f7c1e7e6d8a4b0123456789ab"),
    ("UUID", "01936B2F-7C1E-7E6D-8A4B-0123456789AB"),  # would come back in lower case
    ("UUID", "{1936b2f-7c1e-7e6d-8a4b-0123456789ab"),
    ("UUID", "01936b2f-7c1e-7e6d-8a4b-01234567_9ab"),
    ("UUID", "01936b2f-7c1e-7e6d-8a4b-0123456789ab\n"),
    ("UUID", "٠1936b2f-7c1e-7e6d-8a4b-0123456789ab"),
    ("UUID", ""),
    ("UUID", 0),
    ("UUID", None),
    ("UInt8", -1),
    ("UInt8", 256),
    ("UInt8", True),
    ("UInt8", 1.0),
    ("UInt8", "1"),
    ("UInt32", 2**32),
    ("UInt64", 2**64),
    ("Int8", -129),
    (TIME, 10_413_792_000_000),
    (TIME, -2_208_988_800_001),
    (TIME, 1.5),
    (TIME, None),
    (MONEY, Decimal("0.00001")),
    (MONEY, Decimal(100000000000000)),
    (MONEY, Decimal("1E+40")),
    (MONEY, Decimal("1E-400000")),
    (MONEY, Decimal("NaN")),
    (MONEY, Decimal("sNaN")),
    (MONEY, Decimal("Infinity")),
    (MONEY, 1.5),
    (MONEY, 1),
    (MONEY, "1.5"),
    ("Array(String)", "text"),
    ("Array(String)", None),
    ("Array(String)", ["a", None]),
    ("Array(String)", ["\ud800"]),
]


@pytest.mark.parametrize(("column_type", "values"), GOOD)
def test_values_of_a_type_pass_and_come_back(column_type: str, values: list[Any]) -> None:
    given_values = list(values)
    encoded = encode_columns(["x"], [values], {"x": column_type})
    back = [row["x"] for row in decode_rows(bytes(encoded))]
    assert values == given_values
    assert [tuple(value) if isinstance(value, list) else value for value in back] == [
        tuple(value) if isinstance(value, list) else value for value in values
    ]


@pytest.mark.parametrize(("column_type", "value"), BAD)
def test_a_value_that_would_become_another_is_refused_by_column_and_row(column_type: str, value: Any) -> None:
    values: Any = next(values for kind, values in GOOD if kind == column_type)
    good = values[0]
    with pytest.raises(BadRowsError, match="column x, row 2:") as caught:
        encode_columns(["x"], [[good, good, value, value]], {"x": column_type})
    if isinstance(value, str) and len(value) > 3:
        assert value not in str(caught.value), "the text may be personal"


@pytest.mark.parametrize("column_type", ["JSON", "Map(String, String)", "Array(Date)", "Nullable(Float64)"])
def test_a_type_without_a_rule_is_refused(column_type: str) -> None:
    with pytest.raises(StoreRefusedError, match="knows no column type"):
        check_values("x", column_type, [])


def test_unknown_columns_are_refused_all_at_once() -> None:
    with pytest.raises(StoreRefusedError, match="no column b, c"):
        encode_columns(["a", "b", "c"], [["x"], ["y"], ["z"]], {"a": "String"})


@pytest.mark.parametrize("data", [[["x"], ["y", "z"]], [["x"]], []])
def test_lists_of_different_lengths_are_a_bug_and_no_bad_row(data: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="one list per column"):
        encode_columns(["a", "b"], data, {"a": "String", "b": "String"})


def test_low_cardinality_travels_as_the_plain_type() -> None:
    assert wire_type("LowCardinality(String)") == "String"
    assert wire_type(MONEY) == MONEY


def test_a_torn_result_is_an_error() -> None:
    encoded = bytes(encode_columns(["x"], [["abc", "def"]], {"x": "String"}))
    with pytest.raises(EOFError):
        decode_rows(encoded[:-1])


@given(
    st.lists(
        st.tuples(
            st.text(),
            st.uuids(),
            st.integers(0, 2**64 - 1),
            st.none() | st.decimals(min_value=-(10**13), max_value=10**13, places=4),
            st.lists(st.text(), max_size=3),
            st.none() | st.integers(-2_208_988_800_000, 10_413_791_999_999),
        ),
        max_size=20,
    )
)
def test_any_rows_survive_the_journey(rows: list[tuple[Any, ...]]) -> None:
    types = {
        "s": "String",
        "u": "UUID",
        "n": "UInt64",
        "d": MONEY,
        "a": "Array(String)",
        "t": f"Nullable({TIME})",
    }
    carried = [(s, str(u), n, d, a, t) for s, u, n, d, a, t in rows]
    encoded = encode_columns(list(types), [[row[at] for row in carried] for at in range(6)], types)
    back = decode_rows(bytes(encoded))
    assert [(*list(row.values())[:4], list(row["a"]), row["t"]) for row in back] == carried
