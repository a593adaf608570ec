"""Every call is measured by its method and the status that its caller gets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc

from qrumb_server.metrics import metrics_text, new_registry
from qrumb_server.rpc.durations import CallDurations
from qrumb_server.rpc.health import Health
from qrumb_server.rpc.wrappers import Capacity, Wrappers
from qrumb_server.supervise.process import Peer

SERVICE = "qrumb.v1.TestService"


async def answer(request: bytes, context: Any) -> bytes:
    """As its request asks."""
    if request == b"refuse":
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no")
    if request == b"fail":
        raise KeyError
    if request == b"wait":
        await asyncio.sleep(60)
    return b""


async def stream(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    """The same, one by one."""
    async for request in requests:
        yield await answer(request, context)


def counts(text: str) -> dict[tuple[str, str], int]:
    """How many calls by method and status."""
    found = {}
    for line in text.splitlines():
        if line.startswith("rpc_server_call_duration_seconds_count"):
            method, status = (part.split('"')[1] for part in line.split(","))
            found[method, status] = int(float(line.rpartition(" ")[2]))
    return found


async def test_calls_are_counted_by_method_and_status(tmp_path: Path) -> None:
    """Those that are refused, fail, are given up and stream too; health checks and unknown methods are not."""
    registry = new_registry()
    durations = CallDurations(registry)
    server = grpc.aio.server(interceptors=[Wrappers(durations=durations, capacity=Capacity(2))])
    handlers: dict[str, Any] = {
        "Answer": grpc.unary_unary_rpc_method_handler(answer),
        "Stream": grpc.stream_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    health = Health()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    target = f"unix:{tmp_path}/s"
    server.add_insecure_port(target)
    await server.start()
    peer = Peer(target)
    await peer.check()
    await peer.close()
    opened: Any = grpc.aio.insecure_channel(target)  # the package's stub knows no calls of bytes
    async with opened as channel:
        call = channel.unary_unary(f"/{SERVICE}/Answer")
        for request in (b"", b"", b"refuse", b"fail"):
            with contextlib.suppress(grpc.aio.AioRpcError):
                await call(request)
        waiting, answered = [call(b"wait"), call(b"wait")], 2
        while True:
            try:
                await call(b"", timeout=10)
                answered += 1  # before those that wait had come
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    break
            await asyncio.sleep(0.01)
        for one in waiting:
            one.cancel()
        while counts(metrics_text(registry)).get((f"{SERVICE}/Answer", "CANCELLED")) != 2:
            await asyncio.sleep(0.01)
        told = channel.stream_stream(f"/{SERVICE}/Stream")([b"", b"refuse"])
        with pytest.raises(grpc.aio.AioRpcError):
            [_ async for _ in told]
        with pytest.raises(grpc.aio.AioRpcError):
            await channel.unary_unary("/made.up/Method")(b"")
    await health.end()
    await server.stop(0)
    found = counts(metrics_text(registry))
    assert found.pop((f"{SERVICE}/Answer", "OK")) == answered
    assert found.pop(("_OTHER", "RESOURCE_EXHAUSTED")) == 1
    assert found == {
        (f"{SERVICE}/Answer", "PERMISSION_DENIED"): 1,
        (f"{SERVICE}/Answer", "INTERNAL"): 1,
        (f"{SERVICE}/Answer", "CANCELLED"): 2,
        (f"{SERVICE}/Stream", "PERMISSION_DENIED"): 1,
    }
