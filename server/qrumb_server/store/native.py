"""Columns to bytes in ClickHouse's `Native` format, and such bytes back to rows.

Both directions use clickhouse-driver's column code, which also speaks to servers, so that a value looks the
same whichever way it travels. Two types go round it: times are carried as their raw ticks, which is what int
milliseconds are, and UUIDs are packed in one go (the driver's way costs as much as all other columns
together). LowCardinality is sent as the plain type; the insert converts.
"""

import re
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

# clickhouse-driver has neither stubs nor a py.typed.
from clickhouse_driver.bufferedreader import BufferedReader  # type: ignore[import-untyped]
from clickhouse_driver.bufferedwriter import BufferedSocketWriter  # type: ignore[import-untyped]
from clickhouse_driver.columns.service import read_column, write_column  # type: ignore[import-untyped]
from clickhouse_driver.context import Context  # type: ignore[import-untyped]
from clickhouse_driver.reader import read_binary_str  # type: ignore[import-untyped]
from clickhouse_driver.varint import read_varint, write_varint  # type: ignore[import-untyped]
from clickhouse_driver.writer import write_binary_str  # type: ignore[import-untyped]

from qrumb_server.store.values import check_columns, inner_type, wire_type

__all__ = ["decode_columns", "decode_named", "decode_rows", "encode_columns", "reading"]

_BUFFER_BYTES = 1 << 20

_TIME_MS = re.compile(r"DateTime64\(3(?:, ?'[^']*')?\)")
_TIME_S = re.compile(r"DateTime(?:\('[^']*'\))?")


def encode_columns(columns: Sequence[str], data: Sequence[Sequence[Any]], types: Mapping[str, str]) -> bytearray:
    """One Native block of all rows; the values are as `ports.TableBatch` says, `types` is the table's.

    Raises:
        BadRowsError: a value cannot be stored exactly; names column and row.
        StoreRefusedError: the table has no such column.
        ValueError: the lists differ in length, which is a bug of the caller and no fault of a row.
    """
    check_columns(columns, data, types)
    row_count = len(data[0]) if data else 0
    sink = _Sink()
    out = BufferedSocketWriter(sink, _BUFFER_BYTES)
    context = _context()
    write_varint(len(columns), out)
    write_varint(row_count, out)
    for name, values in zip(columns, data, strict=True):
        sent_as = wire_type(types[name])
        write_binary_str(name, out)
        write_binary_str(sent_as, out)
        if sent_as == "UUID":
            out.write(_uuid_bytes(values))
        elif sent_as == "String" and not any(values):
            out.write(bytes(row_count))  # each text its length; most columns of most batches
        else:
            # A copy: the driver converts in place, and the batch may be needed again.
            write_column(context, name, _TIME_MS.sub("Int64", sent_as), list(values), out)
    out.flush()
    return sink.written


def decode_rows(native: bytes) -> list[dict[str, Any]]:
    """Rows of a Native result as dicts, in the carriers of `ports.TableBatch`.

    DateTime64(3) and DateTime are int milliseconds, UUIDs str, Decimals Decimal, integers exact at any width;
    a Date is a `datetime.date`, an Array or Tuple a list or tuple, and a String that is not UTF-8 bytes.
    """
    return [dict(zip(names, row, strict=True)) for names, lists in _blocks(native) for row in zip(*lists, strict=True)]


def decode_columns(native: bytes) -> list[list[Any]]:
    """The same as one list per column; no lists where there is no row."""
    blocks = [lists for _names, lists in _blocks(native) if lists and lists[0]]
    return [list(chain.from_iterable(pieces)) for pieces in zip(*blocks, strict=True)]


def decode_named(native: bytes | bytearray) -> dict[str, Sequence[Any]]:
    """The columns of one block by their names."""
    names, lists = next(_blocks(native))
    return dict(zip(names, lists, strict=True))


def _blocks(native: bytes | bytearray) -> Iterator[tuple[list[str], list[Sequence[Any]]]]:
    source = _Source(native)
    context = _context()
    while source.has_more():
        column_count, row_count = read_varint(source), read_varint(source)
        names: list[str] = []
        lists: list[Sequence[Any]] = []
        for _ in range(column_count):
            names.append(read_binary_str(source))
            read_as, carry = reading(read_binary_str(source))
            values = read_column(context, read_as, row_count, source) if row_count else ()
            lists.append(values if carry is None else [None if value is None else carry(value) for value in values])
        yield names, lists


def reading(column_type: str) -> tuple[str, Callable[[Any], Any] | None]:
    """The type to decode a result column as, and what makes our carrier of a value."""
    plain = inner_type(column_type, "Nullable") or column_type
    if _TIME_S.fullmatch(plain):
        return column_type.replace(plain, "UInt32"), lambda seconds: seconds * 1000
    return _TIME_MS.sub("Int64", column_type), str if plain == "UUID" else None


def _uuid_bytes(values: Sequence[str]) -> bytes:
    """Two little-endian 64-bit halves each, the high one first. The spelling was checked: 36 characters, all
    hex."""
    halves = array("Q", bytes.fromhex("".join(values).replace("-", "")))
    if sys.byteorder == "little":
        halves.byteswap()
    return halves.tobytes()


def _context() -> Any:
    """The little that the driver's column code wants to know of a connection."""
    context = Context()
    context.settings = {}
    context.client_settings = {"strings_as_bytes": False, "use_numpy": False}
    return context


class _Sink:
    """Takes the place of the socket that the driver's writer sends to."""

    __slots__ = ("written",)

    def __init__(self) -> None:
        self.written = bytearray()

    def sendall(self, piece: bytes) -> None:
        self.written += piece


class _Source(BufferedReader):  # type: ignore[misc]  # untyped base, see the imports
    """Takes the place of the socket that the driver's reader reads from: all bytes are there from the
    start."""

    def __init__(self, native: bytes | bytearray) -> None:
        super().__init__(1)
        self.buffer = bytearray(native)
        self.current_buffer_size = len(native)

    def has_more(self) -> bool:
        return bool(self.position < self.current_buffer_size)

    def read_into_buffer(self) -> None:
        raise EOFError("a Native block ended before its rows did")
