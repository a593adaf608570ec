"""One connection to a ClickHouse server: clickhouse-driver, one statement at a time, results in our own carriers.

The driver reconnects and retries by itself in places where it is unknown afterwards what was sent. Here it
does not: connecting is a step of its own that writes nothing, a connection that proves stale says so before
anything is sent, and whatever breaks later has an unknown outcome.
"""

import contextlib
import logging
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

# clickhouse-driver has neither stubs nor a py.typed.
from clickhouse_driver import Client, errors  # type: ignore[import-untyped]
from clickhouse_driver.block import BlockInfo, ColumnOrientedBlock  # type: ignore[import-untyped]
from clickhouse_driver.columns.service import read_column  # type: ignore[import-untyped]
from clickhouse_driver.defines import (  # type: ignore[import-untyped]
    DBMS_MIN_REVISION_WITH_BLOCK_INFO,
    DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION,
)
from clickhouse_driver.reader import read_binary_str, read_binary_uint8  # type: ignore[import-untyped]
from clickhouse_driver.streams.native import BlockInputStream  # type: ignore[import-untyped]
from clickhouse_driver.varint import read_varint  # type: ignore[import-untyped]

from qrumb_server.store.errors import CANCELLED
from qrumb_server.store.native import reading

__all__ = [
    "ConnectError",
    "Host",
    "Result",
    "ServerConnection",
    "ServerOptions",
    "StaleError",
    "StatementError",
    "TooOldError",
]

Host = tuple[str, int]

# Parameters beside the statement came with 22.8, much that the views need later; older lines get no fixes any more.
OLDEST_VERSION: Final = (24, 8)

# What the driver raises for a reply that does not come, comes torn or means nothing to it.
_BROKEN = (errors.Error, OSError, EOFError, ValueError, TypeError, AttributeError, IndexError, struct.error)

# A peer whose machine is gone is noticed after 10 s + 3 x 5 s, also during a statement that may take long.
_KEEPALIVE = (10, 5, 3)


# Times that a server is asked to end a statement, before its connection is given up.
_ASKED_TO_END = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where the servers are and how to reach them. Defaults are those of the settings alone."""

    hosts: Sequence[Host]
    user: str
    password: str = field(repr=False)
    secure: bool
    ca_file: Path | None
    """Certificates that the servers' must lead to; None: the usual authorities."""
    compression: str | None
    """"lz4", or None."""
    connect_timeout: timedelta
    reply_timeout: timedelta
    """Longest silence of a server that works on a statement."""
    ping_timeout: timedelta
    cluster: str | None
    """Name of the cluster; None: a single server."""


class ConnectError(Exception):
    """No connection; nothing was sent. `code` is ClickHouse's number, 0 where there is none."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class TooOldError(ConnectError):
    """The server let us in, and is of a version that qrumb cannot work with; nothing was sent."""


class StaleError(Exception):
    """The connection ended while it was idle; nothing was sent."""


class StatementError(Exception):
    """A statement failed. `code` is the server's own, or None if the connection broke: then anything may be."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Columns of a result; values as `native.decode_rows` carries them."""

    names: Sequence[str]
    types: Sequence[str]
    columns: Sequence[Sequence[Any]]

    def rows(self) -> list[dict[str, Any]]:
        """The same as dicts."""
        return [dict(zip(self.names, row, strict=True)) for row in zip(*self.columns, strict=True)]


class ServerConnection:
    """Connected from the start, to one host. For one thread at a time; after an error it is of no use."""

    oldest_version: ClassVar[tuple[int, ...]] = OLDEST_VERSION
    """For servers that speak another SQL than the schema files it is another one."""

    def __init__(self, host: Host, options: ServerOptions) -> None:
        """Connect and log in.

        Raises:
            ConnectError: it cannot be done.
            TooOldError: the server is older than `oldest_version`.
        """
        self.host = host
        self._break_offs = 0
        self._reply_timeout = options.reply_timeout
        # The driver logs each failure with a traceback, and statements; all that matters is raised.
        logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)
        self._client = Client(
            host=host[0],
            port=host[1],
            user=options.user,
            password=options.password,
            client_name="qrumb",
            secure=options.secure,
            ca_certs=str(options.ca_file) if options.ca_file else None,
            compression=options.compression or False,
            connect_timeout=options.connect_timeout.total_seconds(),
            # The first answer comes at once or the server is not well.
            send_receive_timeout=options.connect_timeout.total_seconds(),
            sync_request_timeout=options.ping_timeout.total_seconds(),
            tcp_keepalive=_KEEPALIVE,
            disable_reconnect=True,
            settings={"server_side_params": True},
        )
        connection = self._client.connection
        try:
            connection.connect()
        except errors.ServerException as error:
            self.close()
            raise ConnectError(_server_text(error), error.code) from None
        except _BROKEN as error:
            self.close()
            raise ConnectError(f"cannot connect to {_named(host)}: {_text(error)}", 0) from None
        found = connection.server_info.version_tuple()
        if found < self.oldest_version:
            self.close()
            wanted = ".".join(map(str, self.oldest_version))
            raise TooOldError(
                f"ClickHouse {'.'.join(map(str, found))} is too old: qrumb needs version {wanted} or newer", 0
            )
        connection.block_in = _ExactBlocks(connection.block_in.fin, connection.context)

    def execute(
        self,
        sql: str,
        *,
        parameters: Mapping[str, str] | None = None,
        settings: Mapping[str, int | str] | None = None,
        timeout: timedelta | None = None,
    ) -> Result:
        """Run one statement; `parameters` are rendered as by `values.render_parameters`.

        Raises:
            StaleError: nothing was sent.
            StatementError: it failed.
        """
        self._client.connection.socket.settimeout((timeout or self._reply_timeout).total_seconds())
        literals = {name: _Literal(value) for name, value in (parameters or {}).items()}
        columns, types = self._run(sql, literals, settings, with_column_types=True)
        names = [name for name, _ in types]
        return Result(names=names, types=[kind for _, kind in types], columns=columns or [()] * len(names))

    def insert(self, sql: str, data: Sequence[Sequence[Any]], settings: Mapping[str, int]) -> None:
        """Run `INSERT INTO t (columns) VALUES` with these columns as one block.

        Raises:
            StaleError: nothing was sent.
            StatementError: it failed.
        """
        self._client.connection.socket.settimeout(self._reply_timeout.total_seconds())
        self._run(sql, [list(values) for values in data], settings)

    @property
    def is_broken_off(self) -> bool:
        """Whether its statement was told to end; then it must run no other one."""
        return self._break_offs > 0

    def break_off(self) -> None:
        """End the statement that another thread runs: it fails as cancelled. To be repeated until it has.

        The server is asked to end it, which needs no right of the user's; one that does not answer is left. A
        connection that only breaks would leave the statement running: an old server does not look for its client.
        """
        self._break_offs += 1
        with contextlib.suppress(*_BROKEN):  # it has ended meanwhile
            if self._break_offs <= _ASKED_TO_END:
                self._client.connection.send_cancel()
            else:
                self._client.connection.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Safe to call twice."""
        self._client.disconnect()

    def _run(self, sql: str, params: Any, settings: Mapping[str, int | str] | None, **options: Any) -> Any:
        try:
            result = self._client.execute(sql, params, settings=dict(settings or {}), columnar=True, **options)
            if self._break_offs:  # its result ends where it was, without a word
                raise StatementError("the caller has left", CANCELLED)
            return result
        except errors.ServerException as error:
            raise StatementError(_server_text(error), error.code) from None
        except errors.NetworkError as error:
            # The one place left that raises this is the driver's ping before each statement.
            raise StaleError(_text(error)) from None
        except _BROKEN as error:
            if self._break_offs:
                raise StatementError("the caller has left", CANCELLED) from None
            raise StatementError(f"the connection to {_named(self.host)} broke: {_text(error)}", None) from None


class _Literal:
    """A rendered parameter as the wire wants it: a quoted literal. No str, or the driver would escape it as well."""

    def __init__(self, rendered: str) -> None:
        self._escaped = rendered.replace("\\", "\\\\").replace("'", "\\'")

    def __str__(self) -> str:
        return self._escaped


class _ExactBlocks(BlockInputStream):  # type: ignore[misc]  # untyped base, see the imports
    """Reads result columns as `native.py` does: the driver's datetimes lose ticks and depend on time zones."""

    def read(self, use_numpy: bool | None = None) -> Any:  # noqa: ARG002  (the driver's signature)
        revision = self.context.server_info.used_revision
        info = BlockInfo()
        if revision >= DBMS_MIN_REVISION_WITH_BLOCK_INFO:
            info.read(self.fin)
        column_count, row_count = read_varint(self.fin), read_varint(self.fin)
        columns_with_types, data = [], []
        for _ in range(column_count):
            name, column_type = read_binary_str(self.fin), read_binary_str(self.fin)
            columns_with_types.append((name, column_type))
            is_custom = revision >= DBMS_MIN_REVISION_WITH_CUSTOM_SERIALIZATION and bool(read_binary_uint8(self.fin))
            if row_count:
                read_as, carry = reading(column_type)
                values = read_column(self.context, read_as, row_count, self.fin, has_custom_serialization=is_custom)
                data.append(values if carry is None else [None if value is None else carry(value) for value in values])
        return ColumnOrientedBlock(columns_with_types=columns_with_types, data=data, info=info)


def _server_text(error: errors.ServerException) -> str:
    """What the server said, without its stack trace."""
    said = str(error.message).split(" Stack trace:", 1)[0].strip()
    return f"Code: {error.code}. {said}"


def _text(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _named(host: Host) -> str:
    return f"{host[0]}:{host[1]}"
