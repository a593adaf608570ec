r"""Which Python values ClickHouse takes exactly: as the values of a column, and as parameters of a statement.

Columns: the encoders further down convert without asking: they cut decimals, parse odd spellings of a UUID, drop what
does not fit. A value passes here only if what ends up in the table is that very value; everything else is a
`BadRowsError` that names column and row but never the value, which may be personal.

Parameters: the engine reads one like a field of a TSV file: a backslash starts an escape, a raw tab or newline ends the
field, `\N` is NULL; inside an array or tuple strings are quoted. It wraps integers that its type cannot hold (256 as
UInt8 becomes 0), so their range is checked here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import chain
from typing import Any
from uuid import UUID

from qrumb_server.errors import BadRowsError, StoreRefusedError
from qrumb_server.instants import EARLIEST_MS, LATEST_MS
from qrumb_server.model import is_uuid
from qrumb_server.ports import BY_KEY, ReadLimits

__all__ = [
    "check_columns",
    "check_values",
    "inner_type",
    "key_settings",
    "known_table",
    "limit_settings",
    "render_parameters",
    "wire_type",
]

_DECIMAL = re.compile(r"Decimal\((\d+), (\d+)\)")
_INTEGER = re.compile(r"(U?)Int(8|16|32|64)")

_PLACEHOLDER = re.compile(r"\{(\w+):\s*((?:[^{}'`]|'[^']*')+)\}")
_INTEGERS_WITHIN = re.compile(r"\b(U?)Int(8|16|32|64|128|256)\b")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (the text carries no zone: the placeholder's type does)
_ESCAPES = str.maketrans(
    {
        "\\": "\\\\",
        "\t": "\\t",
        "\n": "\\n",
        "\r": "\\r",
        "\0": "\\0",
        "\b": "\\b",
        "\f": "\\f",
        "'": "\\'",
    }
)
# Stands between texts while they are escaped together; no text of ours holds it, and one that does is rendered apart.
_BETWEEN = "\x01"


def limit_settings(limits: ReadLimits) -> dict[str, int]:
    """Limits as the engine's settings. readonly comes last: it forbids every later change of a setting."""
    return {
        "max_execution_time": limits.max_seconds,
        "max_memory_usage": limits.max_memory_bytes,
        "max_rows_to_read": limits.max_rows,
        "max_threads": limits.max_threads,
        "readonly": 1,
    }


def key_settings(sql: str) -> dict[str, int]:
    """Of a statement BY_KEY, to stand before others: a second thread costs more than it reads, and the filters of all
    granules more than the few that it looks into."""
    return {"use_skip_indexes": 0, "max_threads": 1} if sql.startswith(BY_KEY) else {}


def inner_type(column_type: str, wrapper: str) -> str | None:
    """`T` if `column_type` is `wrapper(T)`, else None."""
    return column_type[len(wrapper) + 1 : -1] if column_type.startswith(wrapper + "(") else None


def wire_type(column_type: str) -> str:
    """The type whose rules a column's values follow: LowCardinality(T) as T, all others as themselves."""
    return inner_type(column_type, "LowCardinality") or column_type


def known_table(types: Mapping[str, Mapping[str, str]], table: str) -> Mapping[str, str]:
    """Column types of `table`. Raises `StoreRefusedError` for one that the schema files do not make."""
    if table not in types:
        raise StoreRefusedError(f"there is no table {table}")
    return types[table]


def check_columns(columns: Sequence[str], data: Sequence[Sequence[Any]], types: Mapping[str, str]) -> None:
    """Can all of `data` be stored exactly, `types` being the table's?

    Raises:
        BadRowsError: a value cannot; names column and row.
        StoreRefusedError: the table has no such column.
        ValueError: the lists differ in length, which is a bug of the caller and no fault of a row.
    """
    unknown = [name for name in columns if name not in types]
    if unknown:
        raise StoreRefusedError(f"the table has no column {', '.join(unknown)}")
    row_count = len(data[0]) if data else 0
    if len(data) != len(columns) or any(len(values) != row_count for values in data):
        raise ValueError("a batch needs one list per column, all of one length")
    for name, values in zip(columns, data, strict=True):
        check_values(name, wire_type(types[name]), values)


def check_values(column: str, column_type: str, values: Sequence[Any]) -> None:
    """Raises `BadRowsError` for the first of `values` (one per row) that `column_type` cannot hold exactly.

    Raises:
        StoreRefusedError: there is no rule for this type.
    """
    all_fit = _rule(column_type)
    if all_fit(values):
        return
    row = next((at for at, value in enumerate(values) if not all_fit([value])), 0)
    kind = type(values[row]).__name__
    raise BadRowsError(f"column {column}, row {row}: this {kind} cannot be stored as {column_type}")


def _rule(column_type: str) -> Callable[[Sequence[Any]], bool]:
    """Do all values fit? Written for whole columns, because a Python call per value costs more than the
    encoding."""
    if column_type == "String":
        return _all_text
    if column_type == "UUID":
        return lambda values: _all_of(values, str) and all(map(is_uuid, values))
    if column_type.startswith("DateTime64(3"):
        return _integer_rule(EARLIEST_MS, LATEST_MS)
    if number := _INTEGER.fullmatch(column_type):
        bits = int(number.group(2))
        return _integer_rule(*((0, 2**bits - 1) if number.group(1) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)))
    if decimal := _DECIMAL.fullmatch(column_type):
        return _decimal_rule(int(decimal.group(1)), int(decimal.group(2)))
    return _wrapped_rule(column_type)


def _wrapped_rule(column_type: str) -> Callable[[Sequence[Any]], bool]:
    if inner := inner_type(column_type, "LowCardinality"):
        return _rule(inner)
    if inner := inner_type(column_type, "Nullable"):
        some_fit = _rule(inner)
        return lambda values: some_fit([value for value in values if value is not None])
    if inner := inner_type(column_type, "Array"):
        items_fit = _rule(inner)
        return lambda values: _all_of(values, (list, tuple)) and items_fit(list(chain.from_iterable(values)))
    raise StoreRefusedError(f"the encoder knows no column type {column_type}")


def _all_of(values: Sequence[Any], kinds: type | tuple[type, ...]) -> bool:
    return all(issubclass(kind, kinds) for kind in set(map(type, values)))


def _all_text(values: Sequence[Any]) -> bool:
    """Lone surrogates, which UTF-8 has no bytes for, are the one thing a str may hold and a String may
    not."""
    if not _all_of(values, str):
        return False
    text = "".join(values)
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer_rule(low: int, high: int) -> Callable[[Sequence[Any]], bool]:
    def all_fit(values: Sequence[Any]) -> bool:
        kinds = set(map(type, values))
        if bool in kinds or not all(issubclass(kind, int) for kind in kinds):
            return False
        return not values or (min(values) >= low and max(values) <= high)

    return all_fit


def _decimal_rule(precision: int, scale: int) -> Callable[[Sequence[Any]], bool]:
    exact = Context(prec=precision, traps=[Inexact, InvalidOperation])
    step = Decimal(1).scaleb(-scale)

    def all_fit(values: Sequence[Any]) -> bool:
        try:
            return _all_of(values, Decimal) and all(exact.quantize(value, step).is_finite() for value in values)
        except (Inexact, InvalidOperation):
            return False

    return all_fit


def render_parameters(sql: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Text by name for each placeholder in `sql`.

    Values are str, int, bool, float, Decimal, UUID, None, and lists (Array) or tuples (Tuple) of these.
    Instants are int milliseconds for a `DateTime64(3)`.

    Raises:
        StoreRefusedError: a placeholder has no value, a value has no placeholder or does not fit its type.
    """
    types = {name: kind.strip() for name, kind in _PLACEHOLDER.findall(sql)}
    if types.keys() != parameters.keys():
        odd = ", ".join(sorted(types.keys() ^ parameters.keys()))
        raise StoreRefusedError(f"the statement's placeholders and its parameters differ: {odd}")
    for name, kind in types.items():
        _check_integers(name, kind, parameters[name])
    return {
        name: _field(name, _instant(value) if types[name].startswith("DateTime64(3") else value)
        for name, value in parameters.items()
    }


def _check_integers(name: str, kind: str, value: Any) -> None:
    """A type with one integer type in it, like Array(UInt32), bounds every integer of the value."""
    found = set(_INTEGERS_WITHIN.findall(kind))
    if len(found) != 1:
        return
    unsigned, bits = found.pop()
    low, high = (0, 2 ** int(bits)) if unsigned else (-(2 ** (int(bits) - 1)), 2 ** (int(bits) - 1))
    for number in _integers(value):
        if not low <= number < high:
            raise StoreRefusedError(f"parameter {name}: an integer is out of the range of {kind}")


def _integers(value: Any) -> list[int]:
    if isinstance(value, list | tuple):
        return [number for item in value for number in _integers(item)]
    return [value] if isinstance(value, int) else []


def _instant(value: Any) -> Any:
    """Milliseconds as a date and time, UTC: of a bare number the engine takes the number of digits for its unit.

    A comparison with an instant that DateTime64 does not hold has the same answer as one with the nearest.
    """
    if not isinstance(value, int):
        return value
    return (_EPOCH + timedelta(milliseconds=max(EARLIEST_MS, min(value, LATEST_MS)))).isoformat(" ", "milliseconds")


def _field(name: str, value: Any) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str | UUID):
        return str(value).translate(_ESCAPES)
    return _nested(name, value)


def _nested(name: str, value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return f"'{value.translate(_ESCAPES)}'"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case Decimal():
            return format(value, "f")
        case UUID():
            return f"'{value}'"
        case list() if value and all(type(item) is str for item in value):
            return _texts(value)
        case list():
            return "[" + ",".join(_nested(name, item) for item in value) + "]"
        case tuple():
            return "(" + ",".join(_nested(name, item) for item in value) + ")"
    raise StoreRefusedError(f"parameter {name}: {type(value).__name__} has no form in SQL")


def _texts(items: list[str]) -> str:
    """A list of texts, escaped as a whole: the loader asks for thousands of ids at once."""
    joined = _BETWEEN.join(items)
    if joined.count(_BETWEEN) >= len(items):  # one of them holds the mark itself
        return "[" + ",".join(f"'{item.translate(_ESCAPES)}'" for item in items) + "]"
    return "['" + joined.translate(_ESCAPES).replace(_BETWEEN, "','") + "']"
