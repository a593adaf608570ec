"""A caller that is slow on purpose costs a connection for a bounded time, and the service nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.support.envoy_process import Gateway, running_gateway
from tests.support.patience import patient

pytestmark = pytest.mark.envoy

HEADERS = b"POST /collect HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n"


@pytest.fixture
async def impatient() -> AsyncIterator[Gateway]:
    """A gateway with all its limits of time in the range of a second."""
    async with running_gateway(
        header_timeout=timedelta(seconds=0.4),
        stall_timeout=timedelta(seconds=0.6),
        request_timeout=timedelta(seconds=1.2),
        idle_timeout=timedelta(seconds=0.4),
        collect_timeout=timedelta(seconds=0.3),
    ) as running:
        yield running


async def converse(gateway: Gateway, first: bytes, drip: bytes = b"") -> bytes:
    """Send `first`, then `drip` again and again, until the gateway closes the connection; returns its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port)
    writer.write(first)

    async def trickle() -> None:
        while drip:
            await asyncio.sleep(0.1)
            writer.write(drip)

    dripping = asyncio.create_task(trickle())
    answer = b""
    with contextlib.suppress(ConnectionError):  # a reset is a close: we wrote on
        async with asyncio.timeout(patient(15)):
            while chunk := await reader.read(65536):
                answer += chunk
    dripping.cancel()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer


@pytest.mark.parametrize(
    ("first", "drip", "status"),
    [
        (b"POST /coll", b"", b"408"),
        (b"POST /collect HTTP/1.1\r\nx-slow: ", b"x", b"408"),
        (HEADERS + b"{", b"", b"408"),
        (HEADERS + b"{", b" ", b"408"),
        (b"", b"", b""),
    ],
    ids=["headers stall", "headers drip", "body stalls", "body drips", "says nothing"],
)
async def test_a_slow_caller_is_closed(impatient: Gateway, first: bytes, drip: bytes, status: bytes) -> None:
    answer = await converse(impatient, first, drip)
    assert answer[:12].removeprefix(b"HTTP/1.1 ") == status
    if status:
        assert b'"message":"the request did not arrive in time' in answer
    assert not impatient.worker.calls


async def test_truncated_json_before_trailers_is_refused(gateway: Gateway) -> None:
    """Envoy's transcoder would never end such a request by itself; it hands the body over unread."""
    answer = await http2_with_trailers(gateway, b'{"site_id"')
    assert b'"code":3' in answer


async def test_whole_json_before_trailers_is_taken(gateway: Gateway) -> None:
    assert b'"outcome": "ACCEPTED"' in await http2_with_trailers(gateway, b'{"site_id":"demo"}')


async def http2_with_trailers(gateway: Gateway, body: bytes) -> bytes:
    """POST /collect over HTTP/2 with a trailer, which no HTTP client at hand can send."""

    def field(name: str, value: str) -> bytes:
        return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    data, headers, settings, end_headers, end_stream = 0, 1, 4, 4, 1
    pseudo = [(":method", "POST"), (":path", "/collect"), (":scheme", "http"), (":authority", "x")]
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port)
    writer.write(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + frame(settings, 0, 0)
        + frame(headers, end_headers, 1, b"".join(field(*pair) for pair in pseudo))
        + frame(data, 0, 1, body)
        + frame(headers, end_headers | end_stream, 1, field("x-trailer", "1"))
    )
    answer = b""
    async with asyncio.timeout(patient(10)):
        while b'{"code"' not in answer and b'{"receipt"' not in answer:
            chunk = await reader.read(65536)
            assert chunk, answer
            answer += chunk
    writer.close()
    await writer.wait_closed()
    return answer
