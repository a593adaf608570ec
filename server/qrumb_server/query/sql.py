"""SqlService: SQL of the node's own commands, inside the process that owns the store."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from typing import Any

import grpc

from qrumb_server.errors import StoreError
from qrumb_server.ports import EventStore
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.wire.v1 import sql_service_pb2 as pb
from qrumb_server.wire.v1.sql_service_pb2_grpc import SqlServiceServicer

__all__ = ["SqlQueries"]


class SqlQueries(SqlServiceServicer):
    """Runs read-only statements; the answers of ClickHouse, errors included, go to the command as they are."""

    def __init__(self, *, store: EventStore, executor: Executor) -> None:
        self._store = store
        self._executor = executor

    async def RunSql(
        self, request: pb.RunSqlRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.RunSqlResponse]:
        """One statement."""
        loop = asyncio.get_running_loop()
        try:
            pieces = await loop.run_in_executor(self._executor, self._store.export, request.sql, request.output_format)
            while (piece := await loop.run_in_executor(self._executor, _next_piece, pieces)) is not None:
                yield pb.RunSqlResponse(piece=piece)
        except StoreError as error:
            raise RequestFault(calls.SQL_FAILED, answer=error) from error


def _next_piece(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
