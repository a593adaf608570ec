"""Questions to the loader of a running node, through its own socket, as `qrumb query` asks them."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc

from qrumb_server.supervise import sockets
from qrumb_server.wire.v1.sql_service_pb2 import RunSqlRequest
from qrumb_server.wire.v1.sql_service_pb2_grpc import SqlServiceStub
from tests.support.patience import patient

__all__ = ["run_sql"]

OPTIONS: Final = (
    *sockets.CHANNEL_OPTIONS,
    ("grpc.use_local_subchannel_pool", 1),  # another node's socket may have had the same path
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
AWAY: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
# How long a loader that was killed may stay away.
PATIENCE_SECONDS: Final = 20


def run_sql(run_dir: Path, sql: str) -> str:
    """The result, one JSON object a line; a loader that is away is waited for."""
    deadline = time.monotonic() + patient(PATIENCE_SECONDS)
    request = RunSqlRequest(sql=sql, output_format="JSONEachRow")
    while True:
        try:
            with _channel(run_dir) as channel:
                answers = SqlServiceStub(channel).RunSql(
                    request, wait_for_ready=True, timeout=patient(PATIENCE_SECONDS)
                )
                return b"".join(answer.piece for answer in answers).decode()
        except (FileNotFoundError, grpc.RpcError) as error:
            is_away = isinstance(error, FileNotFoundError) or error.code() in AWAY
            if not is_away or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


@contextlib.contextmanager
def _channel(run_dir: Path) -> Iterator[grpc.Channel]:
    # A socket's path has some hundred characters at most, which a test's folder may have alone.
    folder = os.open(run_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        with grpc.insecure_channel(f"unix:/proc/self/fd/{folder}/{sockets.LOADER}", options=OPTIONS) as channel:
            yield channel
    finally:
        os.close(folder)
