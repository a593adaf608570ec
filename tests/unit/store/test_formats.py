"""Results as text, value by value."""

from decimal import Decimal
from typing import Any

import pytest

from qrumb_server.errors import StoreRefusedError
from qrumb_server.store.connection import Result
from qrumb_server.store.export import render_result


def rendered(kind: str, value: Any, output_format: str) -> str:
    result = Result(names=["x"], types=[kind], columns=[[value]])
    return b"".join(render_result(result, output_format)).decode()


@pytest.mark.parametrize(
    ("kind", "value", "as_json", "as_csv"),
    [
        ("String", 'a"b\n🧀', '"a\\"b\\n🧀"', '"a""b\n🧀"'),
        ("UInt64", 2**64 - 1, "18446744073709551615", "18446744073709551615"),
        ("Decimal(18, 4)", Decimal("12.3400"), "12.34", "12.34"),
        ("Decimal(18, 4)", Decimal("100.0000"), "100", "100"),
        ("Decimal(18, 4)", Decimal("0E-4"), "0", "0"),
        ("Float64", float("inf"), "null", "inf"),
        ("Bool", True, "true", "true"),
        ("DateTime64(3, 'UTC')", -1, '"1969-12-31 23:59:59.999"', '"1969-12-31 23:59:59.999"'),
        ("DateTime", 1_700_000_000_000, '"2023-11-14 22:13:20"', '"2023-11-14 22:13:20"'),
        ("Nullable(DateTime64(3, 'UTC'))", None, "null", "\\N"),
        ("Array(DateTime64(3, 'UTC'))", [0], '["1970-01-01 00:00:00.000"]', "\"['1970-01-01 00:00:00.000']\""),
        ("Tuple(String, UInt8)", ("a", 1), '["a",1]', "\"('a',1)\""),
        ("Map(String, UInt8)", {"a": 1}, '{"a":1}', "\"{'a':1}\""),
        ("String", b"\xff", '"\ufffd"', '"\ufffd"'),
    ],
)
def test_a_value_is_written_as_the_engine_writes_it(kind: str, value: Any, as_json: str, as_csv: str) -> None:
    assert rendered(kind, value, "JSONEachRow") == f'{{"x":{as_json}}}\n'
    assert rendered(kind, value, "CSVWithNames") == f'"x"\n{as_csv}\n'


def test_an_empty_result_has_no_lines_but_its_csv_names() -> None:
    empty = Result(names=["a", "b"], types=["String", "String"], columns=[[], []])
    texts = {name: b"".join(render_result(empty, name)) for name in ("JSONEachRow", "CSVWithNames")}
    assert texts == {"JSONEachRow": b"", "CSVWithNames": b'"a","b"\n'}
    assert b"".join(render_result(empty, "PrettyCompactMonoBlock")) == b""


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(StoreRefusedError, match="JSONEachRow, CSVWithNames"):
        rendered("String", "x", "Parquet")
