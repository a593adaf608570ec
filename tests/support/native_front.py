"""A native-protocol server in front of the embedded engine: the unmodified clickhouse-driver talks to today's SQL.

For tests alone. An INSERT becomes an INSERT SELECT from a file, a connection is a thread, and there is no progress, no
cancelling, no compression. `drop_before_commit` and `drop_after_commit` cut the connection of the next inserts.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock
from clickhouse_driver.bufferedreader import BufferedSocketReader
from clickhouse_driver.bufferedwriter import BufferedSocketWriter
from clickhouse_driver.columns.service import read_column
from clickhouse_driver.context import Context
from clickhouse_driver.defines import DBMS_MIN_REVISION_WITH_SYSTEM_KEYWORDS_TABLE as REVISION
from clickhouse_driver.protocol import ClientPacketTypes, ServerPacketTypes
from clickhouse_driver.reader import read_binary_str, read_binary_uint8, read_binary_uint64
from clickhouse_driver.streams.native import BlockOutputStream
from clickhouse_driver.varint import read_varint, write_varint
from clickhouse_driver.writer import write_binary_int32, write_binary_str, write_binary_uint8, write_binary_uint64

from qrumb_server.errors import BadRowsError
from qrumb_server.store.connection import _ExactBlocks
from qrumb_server.store.engine import EngineError, EngineSession
from qrumb_server.store.errors import error_code
from qrumb_server.store.native import _Source, encode_columns, reading
from qrumb_server.store.values import wire_type
from tests.support.patience import patient

__all__ = ["NativeFront"]

INSERT = re.compile(r"INSERT INTO (\S+) \(([^)]*)\) VALUES$")
BUFFER_BYTES = 1 << 16


class ServerError(Exception):
    """What goes back as an exception packet."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class NativeFront:
    """Listens on a free port of 127.0.0.1; `users` maps names to passwords."""

    def __init__(self, folder: Path, users: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.users = dict(users or {"default": ""})
        self.read_only_users: set[str] = set()
        self.drop_before_commit = 0
        self.drop_after_commit = 0
        self.numbers = count(1)
        # Keeps the engine open between queries.
        self.keeper = EngineSession(folder, {})
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.sockets: set[socket.socket] = set()
        self.threads: list[threading.Thread] = []
        self.acceptor = threading.Thread(target=self._accept)
        self.acceptor.start()

    def cut_connections(self) -> None:
        """Close all, as a restart would."""
        for open_socket in list(self.sockets):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """No thread, socket or session remains."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.acceptor.join(10)
        self.listener.close()
        self.cut_connections()
        for thread in self.threads:
            thread.join(patient(10))
            assert not thread.is_alive()
        self.keeper.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.add(accepted)
            thread = threading.Thread(target=self._serve, args=(accepted,))
            self.threads.append(thread)
            thread.start()

    def _serve(self, accepted: socket.socket) -> None:
        # The other side may be gone at any moment; that is what many tests are about.
        with contextlib.suppress(OSError, EOFError), accepted:
            Conversation(self, accepted).run()
        self.sockets.discard(accepted)


class Conversation:
    """One connection."""

    def __init__(self, front: NativeFront, accepted: socket.socket) -> None:
        self.front = front
        self.reader = BufferedSocketReader(accepted, BUFFER_BYTES)
        self.writer = BufferedSocketWriter(accepted, BUFFER_BYTES)
        self.context = Context()
        self.context.settings = {}
        self.context.client_settings = {"strings_as_bytes": False, "use_numpy": False, "strings_encoding": "utf-8"}
        self.context.server_info = SimpleNamespace(used_revision=REVISION, get_timezone=lambda: "UTC")
        self.blocks_in = _ExactBlocks(self.reader, self.context)
        self.blocks_out = BlockOutputStream(self.writer, self.context)
        self.user = ""

    def run(self) -> None:
        """Until the client leaves."""
        if not self._hello():
            return
        while True:
            packet = read_varint(self.reader)
            if packet == ClientPacketTypes.PING:
                write_varint(ServerPacketTypes.PONG, self.writer)
                self.writer.flush()
            elif packet == ClientPacketTypes.QUERY and not self._query():
                return

    def _hello(self) -> bool:
        assert read_varint(self.reader) == ClientPacketTypes.HELLO
        read_binary_str(self.reader)
        for _ in range(3):
            read_varint(self.reader)
        _database, user, password = (read_binary_str(self.reader) for _ in range(3))
        if self.front.users.get(user) != password:
            self._exception(516, f"{user}: Authentication failed")
            return False
        self.user = user
        write_varint(ServerPacketTypes.HELLO, self.writer)
        write_binary_str("front", self.writer)
        for number in (26, 9, REVISION):
            write_varint(number, self.writer)
        write_binary_str("UTC", self.writer)
        write_binary_str("front", self.writer)
        write_varint(1, self.writer)  # patch
        write_varint(0, self.writer)  # password rules
        write_binary_uint64(0, self.writer)  # nonce
        self.writer.flush()
        read_binary_str(self.reader)  # the addendum's quota key
        return True

    def _query(self) -> bool:
        """Answer one query; False to hang up."""
        read_binary_str(self.reader)
        self._client_info()
        settings = self._settings()
        read_binary_str(self.reader)
        read_varint(self.reader)
        assert read_varint(self.reader) == 0, "no compression"
        sql = read_binary_str(self.reader)
        parameters = {name: _unquoted(value) for name, value in self._settings().items()}
        assert self._read_block().num_rows == 0, "no external tables"
        numbers = {name: int(value) for name, value in settings.items()}
        if self.user in self.front.read_only_users:
            numbers["readonly"] = 1
        # Nothing may be set after readonly.
        ordered = dict(sorted(numbers.items(), key=lambda item: item[0] == "readonly"))
        try:
            with contextlib.closing(EngineSession(self.front.folder, ordered)) as session:
                if insert := INSERT.match(sql):
                    return self._insert(session, insert.group(1), insert.group(2).split(", "))
                self._result(session.run(sql, parameters))
        except EngineError as error:
            self._exception(error_code(str(error)), str(error))
        except ServerError as error:
            self._exception(error.code, str(error))
        else:
            self._end()
        return True

    def _insert(self, session: EngineSession, table: str, columns: list[str]) -> bool:
        described = self._rows(session.run(f"DESCRIBE TABLE {table}"))
        types = {row[0]: row[1] for row in described}
        for name in columns:
            if name not in types:
                raise ServerError(16, f"No such column {name} in table {table}")
        self._header([(name, types[name]) for name in columns])
        data: list[list[Any]] = [[] for _ in columns]
        while (block := self._read_block()).num_rows:
            for column, values in zip(data, block.get_columns(), strict=True):
                column.extend(values)
            self._profile_events()
        self._profile_events()
        if self.front.drop_before_commit:
            self.front.drop_before_commit -= 1
            return False
        try:
            native = encode_columns(columns, data, types)
        except BadRowsError as error:
            raise ServerError(27, str(error)) from None
        path = self.front.folder / f"front-{next(self.front.numbers)}.native"
        path.write_bytes(native)
        structure = ", ".join(f"{name} {wire_type(types[name])}" for name in columns).replace("'", "\\'")
        names = ", ".join(columns)
        try:
            session.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM file('{path}', 'Native', '{structure}')")
        finally:
            path.unlink()
        if self.front.drop_after_commit:
            self.front.drop_after_commit -= 1
            return False
        self._end()
        return True

    def _client_info(self) -> None:
        read_binary_uint8(self.reader)  # kind
        for _ in range(3):
            read_binary_str(self.reader)
        read_binary_uint64(self.reader)  # start time
        read_binary_uint8(self.reader)  # interface
        for _ in range(3):
            read_binary_str(self.reader)
        for _ in range(3):
            read_varint(self.reader)
        read_binary_str(self.reader)  # quota key
        read_varint(self.reader)  # depth
        read_varint(self.reader)  # patch
        assert read_binary_uint8(self.reader) == 0, "no trace"
        for _ in range(3):
            read_varint(self.reader)

    def _settings(self) -> dict[str, str]:
        found = {}
        while name := read_binary_str(self.reader):
            read_binary_uint8(self.reader)
            found[name] = read_binary_str(self.reader)
        return found

    def _read_block(self) -> ColumnOrientedBlock:
        assert read_varint(self.reader) == ClientPacketTypes.DATA
        read_binary_str(self.reader)
        return self.blocks_in.read()

    def _header(self, columns: list[tuple[str, str]]) -> None:
        """A block without rows, which the driver's writer cannot express."""
        write_varint(ServerPacketTypes.DATA, self.writer)
        write_binary_str("", self.writer)
        BlockInfo().write(self.writer)
        write_varint(len(columns), self.writer)
        write_varint(0, self.writer)
        for name, column_type in columns:
            write_binary_str(name, self.writer)
            write_binary_str(column_type, self.writer)
            write_binary_uint8(0, self.writer)
        self.writer.flush()

    def _profile_events(self) -> None:
        """The driver waits for these after each block of an insert."""
        write_varint(ServerPacketTypes.PROFILE_EVENTS, self.writer)
        write_binary_str("", self.writer)
        self.blocks_out.write(ColumnOrientedBlock())

    def _result(self, native: bytes) -> None:
        for number, (columns, data) in enumerate(self._blocks(native)):
            if number == 0:
                self._header(columns)
            if data and data[0]:
                write_varint(ServerPacketTypes.DATA, self.writer)
                write_binary_str("", self.writer)
                self.blocks_out.write(ColumnOrientedBlock(columns_with_types=columns, data=data))

    def _rows(self, native: bytes) -> list[tuple[Any, ...]]:
        return [row for _, data in self._blocks(native) for row in zip(*data, strict=True)]

    def _blocks(self, native: bytes) -> Iterator[tuple[list[tuple[str, str]], list[list[Any]]]]:
        """Columns of each block of the engine's result, times as ticks, which the driver's writer takes as they are."""
        source = _Source(native)
        while source.has_more():
            column_count, row_count = read_varint(source), read_varint(source)
            columns, data = [], []
            for _ in range(column_count):
                name, column_type = read_binary_str(source), read_binary_str(source)
                columns.append((name, column_type))
                read_as, _carry = reading(column_type)
                data.append(list(read_column(self.context, read_as, row_count, source)) if row_count else [])
            yield columns, data

    def _end(self) -> None:
        write_varint(ServerPacketTypes.END_OF_STREAM, self.writer)
        self.writer.flush()

    def _exception(self, code: int, text: str) -> None:
        write_varint(ServerPacketTypes.EXCEPTION, self.writer)
        write_binary_int32(code, self.writer)
        for part in ("DB::Exception", text, "no trace"):
            write_binary_str(part, self.writer)
        write_binary_uint8(0, self.writer)
        self.writer.flush()


def _unquoted(literal: str) -> str:
    """A parameter as it came: a quoted literal."""
    assert literal.startswith("'")
    assert literal.endswith("'")
    return re.sub(r"\\(.)", r"\1", literal[1:-1], flags=re.DOTALL)
