"""`qrumb query`: SQL against the node's ClickHouse, whether or not the node runs."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Final

import click

from qrumb_server.commands.calls import stream_from_loader
from qrumb_server.commands.node import is_running
from qrumb_server.config import Settings
from qrumb_server.errors import StoreError
from qrumb_server.wire.v1 import sql_service_pb2 as pb
from qrumb_server.wire.v1.sql_service_pb2_grpc import SqlServiceStub

__all__ = ["FORMATS", "query"]

FORMATS: Final = {"table": "PrettyCompactMonoBlock", "json": "JSONEachRow", "csv": "CSVWithNames"}


def query(settings: Settings, sql: str, output_format: str) -> None:
    """Print the result of one read-only statement.

    Raises:
        click.ClickException: with what ClickHouse said.
    """
    clickhouse_format = FORMATS[output_format]
    if is_running(settings):
        pieces = _ask_node(settings, sql, clickhouse_format)
    elif settings.clickhouse.url is not None or settings.clickhouse_dir.is_dir():
        pieces = _ask_store(settings, sql, clickhouse_format)
    else:
        raise click.ClickException(f"{settings.data_dir}: no data there; start qrumb first, or set DATA_DIR")
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def _ask_node(settings: Settings, sql: str, clickhouse_format: str) -> Iterator[bytes]:
    request = pb.RunSqlRequest(sql=sql, output_format=clickhouse_format)
    for response in stream_from_loader(settings, lambda channel: SqlServiceStub(channel).RunSql(request)):
        yield response.piece


def _ask_store(settings: Settings, sql: str, clickhouse_format: str) -> Iterator[bytes]:
    from qrumb_server.app.stores import open_store  # the engine takes half a second to import

    try:
        with contextlib.closing(open_store(settings)) as store:
            yield from store.export(sql, clickhouse_format)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
