"""`qrumb query` against the store: which statements it may run, and results as text where ClickHouse makes none.

A statement reads, and says nothing of where its result goes. The native protocol knows no output formats, so the three
that the command offers are written here; JSON and CSV mean what the engine itself would write.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from qrumb_server.errors import StoreRefusedError
from qrumb_server.store.connection import Result
from qrumb_server.store.errors import READ_ONLY

__all__ = ["ONLY_READS", "check_reading", "render_result"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS_PER_PIECE = 1000


def render_result(result: Result, output_format: str) -> Iterator[bytes]:
    """The result in one of ClickHouse's formats, piece by piece. Raises `StoreRefusedError` for an unknown one."""
    renderers: dict[str, Callable[[Result, list[Sequence[Any]]], Iterable[str]]] = {
        "JSONEachRow": _json_lines,
        "CSVWithNames": _csv_lines,
        "PrettyCompactMonoBlock": _table_lines,
    }
    render = renderers.get(output_format)
    if render is None:
        raise StoreRefusedError(f"from a server, the formats are {', '.join(renderers)}")
    columns = [
        [_plain(value, kind) for value in values] for kind, values in zip(result.types, result.columns, strict=True)
    ]
    return _pieces(render(result, list(zip(*columns, strict=True))))


def _pieces(lines: Iterable[str]) -> Iterator[bytes]:
    rest = iter(lines)
    while piece := list(islice(rest, _ROWS_PER_PIECE)):
        yield "".join(f"{line}\n" for line in piece).encode("utf-8", "replace")


def _plain(value: Any, kind: str) -> Any:
    """A value as the formats write it: an instant, a date or bytes as text."""
    if isinstance(value, int) and "DateTime" in kind:
        return _time(value, "DateTime64" in kind)
    if isinstance(value, list):
        return [_plain(item, kind) for item in value]
    if isinstance(value, tuple):
        return tuple(_plain(item, kind) for item in value)
    if isinstance(value, dict):
        return {name: _plain(item, kind) for name, item in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or isinstance(value, str | bool | int | float | Decimal):
        return value
    return str(value)


def _time(milliseconds: int, has_fraction: bool) -> str:
    text = (_EPOCH + timedelta(milliseconds=milliseconds)).strftime("%Y-%m-%d %H:%M:%S")
    return f"{text}.{milliseconds % 1000:03d}" if has_fraction else text


def _json_lines(result: Result, rows: list[Sequence[Any]]) -> Iterator[str]:
    names = [json.dumps(name, ensure_ascii=False) for name in result.names]
    for row in rows:
        yield "{" + ",".join(f"{name}:{_json(value)}" for name, value in zip(names, row, strict=True)) + "}"


def _json(value: Any) -> str:
    """Numbers of any size and scale are written digit by digit."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{_json(item)}" for name, item in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _csv_lines(result: Result, rows: list[Sequence[Any]]) -> Iterator[str]:
    yield ",".join(map(_quoted, result.names))
    for row in rows:
        yield ",".join("\\N" if value is None else _csv(value) for value in row)


def _csv(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return _quoted(_literal(value)) if isinstance(value, list | tuple | dict) else _text(value)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _table_lines(result: Result, rows: list[Sequence[Any]]) -> Iterator[str]:
    if not rows:
        return
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(len(name), *(len(row[at]) for row in cells)) for at, name in enumerate(result.names)]
    is_number = [all(isinstance(row[at], int | float | Decimal) for row in rows) for at in range(len(widths))]
    head = [f"─{name}" + "─" * (width - len(name) + 1) for name, width in zip(result.names, widths, strict=True)]
    yield "┌" + "┬".join(head) + "┐"
    for row in cells:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, is_number, strict=True)
        ]
        yield "│ " + " │ ".join(padded) + " │"
    yield "└" + "┴".join("─" * (width + 2) for width in widths) + "┘"


def _text(value: Any) -> str:
    """A cell of its own; inside a list a text is quoted."""
    if value is None:
        return "ᴺᵁᴸᴸ"
    return value if isinstance(value, str) else _literal(value)


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, list):
        return "[" + ",".join(map(_literal, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ",".join(map(_literal, value)) + ")"
    if isinstance(value, dict):
        return "{" + ",".join(f"{_literal(name)}:{_literal(item)}" for name, item in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


ONLY_READS: Final = "qrumb query only reads: one SELECT, SHOW, DESCRIBE, EXISTS or EXPLAIN"

_READING: Final = re.compile(r"\(*(SELECT|WITH|SHOW|DESCRIBE|EXISTS|EXPLAIN)\b").match
# Literals and quoted names may hold anything.
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_DIRECTED: Final = re.compile(r" (INTO OUTFILE|FORMAT \w+$)").search


def check_reading(statement: str) -> None:
    """Look at a statement as the engine's parser wrote it.

    Raises:
        StoreRefusedError: it would change something, or names a file or a format of its own.
    """
    if not _READING(statement):
        raise StoreRefusedError(
            f"{ONLY_READS}; {statement.partition(' ')[0]} is none of them, and nothing was done", READ_ONLY
        )
    if _DIRECTED(_QUOTED.sub("''", statement)):
        raise StoreRefusedError("leave INTO OUTFILE and FORMAT out: --format says how the result is printed")
