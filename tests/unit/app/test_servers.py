"""The direct gRPC port bounds what one caller can take, and says so in a way that callers understand."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from h2.connection import H2Connection

from qrumb.retry import read_failure
from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import (
    CollectorServiceServicer,
    CollectorServiceStub,
    add_CollectorServiceServicer_to_server,
)
from qrumb_server.app.servers import add_direct_port, direct_server
from qrumb_server.config import RpcSettings, RpcTls
from qrumb_server.model import Caller
from qrumb_server.rpc.caller import read_caller
from tests.support.certificates import Authority, Files
from tests.support.patience import patient
from tests.support.ports import claimed_port


class Slow(CollectorServiceServicer):
    """Answers once it is released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.begun = 0
        self.caller = Caller()

    async def CollectServerEvent(self, request: Any, context: Any) -> Any:
        self.begun += 1
        self.caller = read_caller(context)
        await self.release.wait()
        return pb.CollectServerEventResponse()

    async def StreamServerEvents(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:
        self.begun += 1
        async for _ in request_iterator:
            yield pb.StreamServerEventsResponse()


@asynccontextmanager
async def direct(**settings: Any) -> AsyncIterator[tuple[int, Slow]]:
    """A direct port with these RpcSettings."""
    rpc = RpcSettings(**settings)
    server, slow, port = direct_server(rpc), Slow(), claimed_port()
    add_CollectorServiceServicer_to_server(slow, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    add_direct_port(server, rpc, "127.0.0.1", port)
    await server.start()
    try:
        yield port, slow
    finally:
        slow.release.set()
        await server.stop(0)


def plain(port: int) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])


async def until_closed(port: int, *sent: bytes) -> None:
    """Wait until the server closes a raw connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(patient(10)):
            for data in sent:
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0.02)
            while await reader.read(65536):
                pass
    writer.close()


async def test_calls_beyond_the_limit_are_told_when_to_come_back() -> None:
    async with direct(max_concurrent_calls=2) as (port, slow), plain(port) as channel:
        stub = CollectorServiceStub(channel)
        stream = stub.StreamServerEvents()
        await stream.write(pb.StreamServerEventsRequest())
        await stream.read()
        first = asyncio.create_task(asyncio.wait_for(stub.CollectServerEvent(pb.CollectServerEventRequest()), 10))
        while slow.begun < 2:
            await asyncio.sleep(0.01)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.CollectServerEvent(pb.CollectServerEventRequest())
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        status = rpc_status.from_call(refused.value)  # type: ignore[arg-type]
        assert status is not None
        assert any(detail.Is(RetryInfo.DESCRIPTOR) for detail in status.details)
        failure = read_failure(refused.value)
        assert (failure.retried, failure.stated_delay) == (True, 1.0), "our own client must come back"
        # Whether the worker lives can be asked all the same.
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        slow.release.set()
        await first
        await stream.done_writing()
        assert await stream.code() is grpc.StatusCode.OK
        for _ in range(5):
            await stub.CollectServerEvent(pb.CollectServerEventRequest())


async def test_calls_without_a_message_are_bounded_too() -> None:
    """Headers alone, which no handler ever sees."""
    async with direct(max_concurrent_calls=1, max_concurrent_streams=50) as (port, _slow), plain(port) as channel:
        raw: Any = channel.stream_unary("/qrumb.v1.CollectorService/CollectServerEvent")
        waiting = [raw() for _ in range(8)]
        async with asyncio.timeout(patient(5)):
            while (codes := [await ended(call) for call in waiting]).count(grpc.StatusCode.RESOURCE_EXHAUSTED) < 4:
                pass
        assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 4
        for call in waiting:
            call.cancel()


async def ended(call: Any) -> grpc.StatusCode | None:
    """The status of a call that was refused, None for one that waits on."""
    try:
        async with asyncio.timeout(0.1):
            code: grpc.StatusCode = await call.code()
            return code
    except TimeoutError:
        return None


async def test_connections_beyond_the_limit_are_closed_and_the_others_go_on() -> None:
    async with direct(max_connections=3) as (port, slow):
        slow.release.set()
        async with plain(port) as channel:
            await CollectorServiceStub(channel).CollectServerEvent(pb.CollectServerEventRequest())
            held = [socket.create_connection(("127.0.0.1", port)) for _ in range(6)]
            for connection in held:
                connection.settimeout(0.02)
            async with asyncio.timeout(patient(5)):
                while [is_open(connection) for connection in held] != [True] * 2 + [False] * 4:
                    await asyncio.sleep(0.01)
            await CollectorServiceStub(channel).CollectServerEvent(pb.CollectServerEventRequest())
            for connection in held:
                connection.close()


def is_open(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):
            pass
    except TimeoutError:
        return True
    except ConnectionError:
        pass
    return False


async def test_a_connection_that_does_not_begin_or_does_nothing_is_closed() -> None:
    hello = H2Connection()
    hello.initiate_connection()
    short = timedelta(seconds=0.4)
    async with direct(handshake_timeout=short, max_connection_idle=short) as (port, _slow):
        await until_closed(port)
        await until_closed(port, b"PRI * HTTP")
        await until_closed(port, hello.data_to_send())


async def test_a_flood_of_pings_is_cut_off() -> None:
    async with direct() as (port, _slow):
        connection = H2Connection()
        connection.initiate_connection()
        sent = [connection.data_to_send()]
        for number in range(10):
            connection.ping(number.to_bytes(8, "big"))
            sent.append(connection.data_to_send())
        await until_closed(port, *sent)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings_for(files: Files, authority: Path | None = None) -> RpcTls:
    return RpcTls(certificate_file=files.certificate, key_file=files.key, client_ca_file=authority)


async def call_with(port: int, authority: Authority, client: Files | None = None, **metadata: str) -> grpc.StatusCode:
    """The status of one call over TLS, with or without a certificate of the caller's own."""
    credentials = grpc.ssl_channel_credentials(
        authority.certificate.read_bytes(),
        client.key.read_bytes() if client else None,
        client.certificate.read_bytes() if client else None,
    )
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        try:
            sent = tuple((key.replace("_", "-"), value) for key, value in metadata.items())
            request = pb.CollectServerEventRequest()
            await CollectorServiceStub(channel).CollectServerEvent(request, timeout=patient(5), metadata=sent)
        except grpc.aio.AioRpcError as error:
            return error.code()
    return grpc.StatusCode.OK


async def test_only_callers_with_a_certificate_are_let_in_where_that_is_asked_for(authority: Authority) -> None:
    stranger = Authority(authority.folder).issue("stranger")
    tls = settings_for(authority.issue("server"), authority.certificate)
    async with direct(tls=tls) as (port, slow):
        slow.release.set()
        assert await call_with(port, authority, authority.issue("caller", "backend.example")) is grpc.StatusCode.OK
        assert await call_with(port, authority) is grpc.StatusCode.UNAVAILABLE
        assert await call_with(port, authority, stranger) is grpc.StatusCode.UNAVAILABLE
        assert slow.begun == 1


async def test_a_renewed_certificate_is_shown_to_new_callers_while_an_old_call_goes_on(authority: Authority) -> None:
    async with direct(tls=settings_for(authority.issue("server"))) as (port, slow):
        old = asyncio.create_task(call_with(port, authority))
        while not slow.begun:
            await asyncio.sleep(0.01)
        other = Authority(authority.folder)
        renewed = other.issue("server")
        renewed.key.write_text("half of a renewal")
        slow.release.set()
        assert await call_with(port, authority) is grpc.StatusCode.OK
        other.issue("server")
        assert await call_with(port, other) is grpc.StatusCode.OK
        assert await call_with(port, authority) is grpc.StatusCode.UNAVAILABLE
        assert await old is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("names", "is_believed"),
    [
        (("gateway.example",), True),
        (("other.example", "gateway.example"), True),
        (("backend.example",), False),
        (("gateway.example.evil",), False),
        (("gateway.example@evil.example",), False),
        (("203.0.113.7",), False),
    ],
    ids=lambda value: str(value),
)
async def test_a_callers_word_counts_only_with_a_gateways_certificate(
    authority: Authority, names: tuple[str, ...], is_believed: bool
) -> None:
    files = authority.issue("server")
    tls = settings_for(files, authority.certificate).model_copy(update={"gateway_names": ("Gateway.example",)})
    async with direct(tls=tls) as (port, slow):
        slow.release.set()
        for _ in range(2):
            client = authority.issue("client", *names)
            code = await call_with(port, authority, client, x_client_ip="6.6.6.6", x_request_id="mine")
            assert code is grpc.StatusCode.OK
            said = (slow.caller.client_ip, slow.caller.request_id)
            assert said == (("6.6.6.6", "mine") if is_believed else ("", ""))


async def test_a_caller_without_a_certificate_is_never_a_gateway(authority: Authority) -> None:
    async with direct(tls=settings_for(authority.issue("server"))) as (port, slow):
        slow.release.set()
        assert await call_with(port, authority, x_client_ip="6.6.6.6") is grpc.StatusCode.OK
        assert slow.caller.client_ip == ""
    async with direct() as (port, slow), plain(port) as channel:
        slow.release.set()
        metadata = (("x-client-ip", "6.6.6.6"),)
        await CollectorServiceStub(channel).CollectServerEvent(pb.CollectServerEventRequest(), metadata=metadata)
        assert slow.caller.client_ip == ""
