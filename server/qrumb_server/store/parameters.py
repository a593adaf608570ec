r"""Values for `{name:Type}` placeholders as the text that ClickHouse parses back into the same values.

The engine reads a parameter like a field of a TSV file: a backslash starts an escape, a raw tab or newline
ends the field, `\N` is NULL; inside an array or tuple strings are quoted. It wraps integers that its type
cannot hold (256 as UInt8 becomes 0), so their range is checked here.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from qrumb_server.errors import StoreRefusedError

__all__ = ["render_parameters"]

_PLACEHOLDER = re.compile(r"\{(\w+):\s*((?:[^{}'`]|'[^']*')+)\}")
_INTEGER = re.compile(r"\b(U?)Int(8|16|32|64|128|256)\b")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (the text carries no zone: the placeholder's type does)
# What DateTime64 holds, the years 1900 to 2299; a comparison with an instant outside has the same answer.
_MIN_TIME_MS = -2_208_988_800_000
_MAX_TIME_MS = 10_413_791_999_999
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
    found = set(_INTEGER.findall(kind))
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
    """Milliseconds as a date and time, UTC: of a bare number the engine takes the number of digits for its unit."""
    if not isinstance(value, int):
        return value
    return (_EPOCH + timedelta(milliseconds=max(_MIN_TIME_MS, min(value, _MAX_TIME_MS)))).isoformat(" ", "milliseconds")


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
