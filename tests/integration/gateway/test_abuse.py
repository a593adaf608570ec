"""Whatever one caller does, the gateway stays small and answers the next one promptly."""

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import psutil
import pytest
from h2.exceptions import ProtocolError

from tests.support.envoy_process import Gateway, running_gateway, until
from tests.support.http2 import POST, Http2Caller, frame, http2_caller
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS

pytestmark = pytest.mark.envoy

MIB = 1024 * 1024
CONNECTIONS = 10_000
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4


def memory(gateway: Gateway) -> int:
    """Bytes that Envoy holds."""
    return int(psutil.Process(gateway.process.pid).memory_info().rss)


@asynccontextmanager
async def abused(max_growth: int = 64 * MIB, **changes: Any) -> AsyncIterator[Gateway]:
    """A gateway that must be well after the abuse: alive, prompt, and not much larger."""
    async with running_gateway(**changes) as gateway:
        await gateway.http.post("/collect", json={})
        before = memory(gateway)
        yield gateway
        await assert_prompt(gateway)
        assert memory(gateway) - before < max_growth, f"{(memory(gateway) - before) // MIB} MiB more"
        assert gateway.process.returncode is None


async def assert_prompt(gateway: Gateway, seconds: float = 2) -> None:
    """A newcomer's request is answered."""
    async with httpx.AsyncClient(base_url=gateway.http.base_url, timeout=patient(seconds), verify=NO_TLS) as newcomer:
        reply = await newcomer.post("/collect", json={"site_id": "demo"})
    assert reply.status_code == 200, reply.text


# --- Many connections


async def test_a_thousand_slow_senders_cost_other_senders_nothing() -> None:
    """Slowloris: half of them never end their headers, half never their body."""
    short = timedelta(seconds=1)
    async with abused(header_timeout=short, stall_timeout=short, request_timeout=2 * short) as gateway:
        port = gateway.options.http_port
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(1000)]

        async def drip(number: int, writer: asyncio.StreamWriter) -> None:
            length = b"content-length: 1000\r\n\r\n" if number % 2 else b""
            with contextlib.suppress(ConnectionError):
                writer.write(b"POST /collect HTTP/1.1\r\nhost: x\r\n" + length)
                for _ in range(40):
                    writer.write(b" " if number % 2 else b"x-a: b\r\n")
                    await writer.drain()
                    await asyncio.sleep(0.25)

        dripping = [asyncio.create_task(drip(number, writer)) for number, (_, writer) in enumerate(opened)]
        for _ in range(4):
            await assert_prompt(gateway)
            await asyncio.sleep(0.2)
        await gateway.until_stat("http.public.downstream_cx_active", lambda active: active <= 2)
        for task in dripping:
            task.cancel()
        for _, writer in opened:
            writer.close()
        assert len(gateway.worker.calls) < 10, "the service saw nothing of it"


async def test_ten_thousand_idle_connections_leave_room_for_the_next_caller() -> None:
    """As many as the limit allows, all from one address: the nearer the limit, the sooner idle ones are closed."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    number = min(CONNECTIONS, hard - 500)
    async with abused(max_growth=500 * MIB, max_connections=number) as gateway:
        address = ("127.0.0.1", gateway.options.http_port)
        held = []
        for _ in range(number + 100):
            connection = socket.socket()
            connection.setblocking(False)
            held.append(connection)
            await asyncio.get_running_loop().sock_connect(connection, address)
            if len(held) == number // 2:
                await gateway.until_stat("http.public.downstream_cx_active", lambda active: active >= number // 2)
                await assert_prompt(gateway)
        try:
            await gateway.until_stat("http.public.downstream_cx_active", lambda active: active <= number)
            await gateway.until_stat("http.public.downstream_cx_active", lambda active: active < 0.9 * number)
            await assert_prompt(gateway)
        finally:
            for connection in held:
                connection.close()


async def test_callers_that_do_not_read_are_closed() -> None:
    """An answer that was not fetched counts as idle, and is thrown away with its connection."""
    async with abused(max_growth=256 * MIB, idle_timeout=timedelta(seconds=0.5)) as gateway:
        receipts = gateway.worker.receipts
        gateway.worker.receipts = [type(receipts[0])(event_id="x" * 1000)] * 10_000
        writers = []
        for _ in range(4):
            _reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port, limit=1024)
            writer.write(b'POST /collect/batch HTTP/1.1\r\nhost: x\r\ncontent-length: 13\r\n\r\n{"events":[]}')
            writers.append(writer)
        await gateway.until_stat("http.public.downstream_rq_2xx", lambda answered: answered >= 4)
        gateway.worker.receipts = receipts
        await gateway.until_stat("http.public.downstream_cx_active", lambda active: active <= 1)
        for writer in writers:
            writer.transport.abort()


# --- HTTP/2


async def test_rapid_reset_ends_with_the_connection() -> None:
    """Requests that are taken back at once (CVE-2023-44487)."""
    async with abused() as gateway, http2_caller(gateway.options.http_port) as caller:
        for stream in range(1, 20_001, 2):
            caller.begin(stream)
            caller.http.reset_stream(stream)
            if stream % 200 == 1:
                await caller.flush()
        await caller.flush()
        await caller.read_until()
        assert await gateway.stat("http.public.downstream_rq_too_many_premature_resets") == 1
        assert len(gateway.worker.calls) < 200


async def test_more_streams_than_allowed_are_refused_one_by_one() -> None:
    async with abused() as gateway, http2_caller(gateway.options.http_port) as caller:
        gateway.worker.answer = gateway.worker.wait_until_released
        headers = caller.http.encoder.encode(POST)
        for stream in range(1, 401, 2):
            await caller.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, headers))
        refused_stream, refused = 7, 200 - 128
        await caller.read_until(lambda: len(caller.resets) >= refused)
        assert list(caller.resets.values()) == [refused_stream] * refused
        gateway.worker.release.set()


FLOODS = {
    "pings": lambda number: frame(PING, 0, 0, number.to_bytes(8, "big")),
    "settings": lambda _number: frame(SETTINGS, 0, 0),
    "priorities": lambda number: frame(PRIORITY, 0, 2 * number + 1001, bytes([0, 0, 0, 0, 1])),
    "resets of nothing": lambda _number: frame(RST_STREAM, 0, 1, bytes(4)),
    "empty data": lambda _number: frame(DATA, 0, 1),
    "window updates": lambda _number: frame(WINDOW_UPDATE, 0, 0, bytes([0, 0, 0, 1])),
}


async def test_floods_of_frames_end_with_the_connection() -> None:
    async with abused() as gateway:
        for flood in FLOODS.values():
            async with http2_caller(gateway.options.http_port) as caller:
                caller.begin(1)
                await caller.flush()
                for start in range(0, 200_000, 1000):
                    await caller.send(b"".join(flood(number) for number in range(start, start + 1000)))
                    if caller.reader.at_eof() or caller.writer.is_closing():
                        break
                await caller.read_until()


async def test_headers_without_end_are_cut_off() -> None:
    """CONTINUATION frames that never end the headers (CVE-2024-27316)."""
    async with abused() as gateway, http2_caller(gateway.options.http_port) as caller:
        await caller.send(frame(HEADERS, 0, 1, caller.http.encoder.encode([(":method", "POST")])))
        field = bytes([0, 3]) + b"x-a" + bytes([127, 128, 62]) + b"v" * 8063
        for _ in range(2000):
            await caller.send(frame(CONTINUATION, 0, 1, field))
        await caller.read_until(lambda: bool(caller.statuses))


async def test_a_header_bomb_is_refused() -> None:
    """One large entry of the table, named again and again: kilobytes that unfold to megabytes."""
    async with abused() as gateway, http2_caller(gateway.options.http_port) as caller:
        start = caller.http.encoder.encode(
            [(":method", "POST"), (":path", "/collect"), (":scheme", "http"), (":authority", "x")]
        )
        entry = bytes([0x40, 3]) + b"x-a" + bytes([127, 128 + (3800 - 127) % 128, (3800 - 127) // 128]) + b"v" * 3800
        bomb = start + entry + bytes([0x80 | 62]) * 10_000
        await caller.send(frame(HEADERS, END_HEADERS, 1, bomb))
        await caller.read_until(lambda: bool(caller.statuses or caller.resets))
        assert "200" not in caller.statuses.values()
        assert len(gateway.worker.calls) == 1, "the service saw it"


# --- Bodies


async def endless(caller: Http2Caller, stream: int, size: int) -> None:
    """As much of a body as the other side's windows allow."""
    sent = 0
    while sent < size and not caller.is_closed and is_open(caller, stream):
        room = min(caller.http.local_flow_control_window(stream), caller.http.max_outbound_frame_size)
        if room > 0:
            caller.http.send_data(stream, b" " * room)
            sent += room
            await caller.flush()
        else:
            await caller.read(0.05)


async def test_an_endless_body_is_cut_off() -> None:
    async def pour(gateway: Gateway, path: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port)
        writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            assert (await reader.read()).startswith(b"HTTP/1.1 413")
        writer.close()

    async with abused() as gateway:
        paths = ["/collect", "/collect/batch", "/server-events", "/validate/browser-event"]
        await asyncio.gather(*(pour(gateway, path) for path in paths))
        assert len(gateway.worker.calls) == 1, "the service saw one of them"


async def test_a_grpc_message_reaches_the_service_once_it_is_whole_and_not_if_it_is_too_large() -> None:
    grpc_call = dict(POST) | {":path": "/qrumb.v1.CollectorService/CollectServerEvent", "te": "trailers"}
    grpc_call["content-type"] = "application/grpc"
    short = timedelta(seconds=1)
    async with (
        abused(max_batch_bytes=1 * MIB, stall_timeout=short, max_growth=96 * MIB) as gateway,
        http2_caller(gateway.options.http_port) as caller,
    ):
        for stream in (1, 3):
            caller.begin(stream, grpc_call.items())
        caller.http.send_data(1, bytes([0, 0, 0, 0, 10]))
        await caller.flush()
        await endless(caller, 3, 20 * MIB)
        await caller.read_until(lambda: sorted(caller.statuses | caller.resets) == [1, 3])
        assert sorted(caller.statuses | caller.resets) == [1, 3], "both have ended"
        assert len(gateway.worker.calls) == 1
        assert await gateway.stat("cluster.collector.upstream_rq_active") == 0


async def test_unfinished_bodies_on_all_streams_do_not_fill_the_memory() -> None:
    """128 times just below the limit of a batch is half a gigabyte, from one connection; the largest are given up."""
    async with (
        abused(max_heap_bytes=96 * MIB, max_growth=256 * MIB) as gateway,
        http2_caller(gateway.options.http_port) as caller,
    ):
        batch = dict(POST) | {":path": "/collect/batch"}
        streams = range(1, 257, 2)
        for stream in streams:
            caller.begin(stream, batch.items())
        await caller.flush()
        deadline = time.monotonic() + patient(10)
        with contextlib.suppress(ProtocolError):  # the connection was ended
            while len(caller.resets) < len(streams) and not caller.is_closed and time.monotonic() < deadline:
                for stream in streams:
                    room = min(caller.http.local_flow_control_window(stream), 16384) if is_open(caller, stream) else 0
                    if room > 0:
                        caller.http.send_data(stream, b" " * room)
                await caller.flush()
                await caller.read(0.001)
        assert await gateway.stat("envoy.overload_actions.reset_high_memory_stream.count") > 0

        async def has_room() -> bool:
            return (await gateway.http.get("/healthz")).status_code == 200

        await until(has_room)


def is_open(caller: Http2Caller, stream: int) -> bool:
    """Whether more of the request may be sent."""
    return stream not in caller.resets and stream not in caller.statuses


# --- Texts that mean two things


SMUGGLED = {
    "two lengths": b"content-length: 2\r\ncontent-length: 40\r\n\r\n{}",
    "a length and chunks": b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in disguise": b"transfer-encoding: xchunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"content-length : 2\r\n\r\n{}",
    "a nul": b"x-a: b\0c\r\ncontent-length: 2\r\n\r\n{}",
    "a negative length": b"content-length: -2\r\n\r\n{}",
    "a chunk of a strange size": b"transfer-encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
}
HIDDEN = b"POST /server-events HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


async def converse(gateway: Gateway, sent: bytes) -> bytes:
    """Everything that is answered, until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port)
    writer.write(sent)
    async with asyncio.timeout(patient(10)):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_request_that_could_be_read_in_two_ways_is_none(gateway: Gateway) -> None:
    """And what follows it on the connection is not read as a request of its own."""
    head = b"POST /collect HTTP/1.1\r\nhost: x\r\n"
    answers = await asyncio.gather(*(converse(gateway, head + text + HIDDEN) for text in SMUGGLED.values()))
    for fault, answer in zip(SMUGGLED, answers, strict=True):
        assert answer.startswith(b"HTTP/1.1 400"), (fault, answer)
        assert answer.count(b"HTTP/1.1") == 1, fault
    assert not gateway.worker.calls


async def test_no_header_comes_out_of_anothers_value(gateway: Gateway) -> None:
    """Envoy takes a lone CR and a folded line, as HTTP allows it to, as part of the value."""
    head = b"POST /collect HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\nx-a: b"
    separators = [b"\r", b"\r\n ", b"\r\n\t", b"%0d%0a", b"\x85", b"\xe5\x98\x8a\xe5\x98\x8d"]
    sent = [head + separator + b"x-client-ip: 6.6.6.6\r\n\r\n{}" for separator in separators]
    await asyncio.gather(*(converse(gateway, text) for text in sent))
    assert gateway.worker.calls
    assert {call.metadata["x-client-ip"] for call in gateway.worker.calls} == {"127.0.0.1"}


PATHS = [
    *("/collect/../collect", "/./collect", "//collect", "/%63ollect", "/collect%2fbatch", "/collect%5cbatch"),
    *("/collect%00", "/collect;x=1", "/collect/%2e%2e/v1/sites/a/tail", "/v1/sites/..%2f..%2fcollect/tail"),
    *("/collect\\..\\admin", "/collect#x", "/collect?a=%0d%0ax-client-ip:6.6.6.6", "/collect%0d%0aset-cookie:a=b"),
    *("/qrumb.v1.CollectorService/../qrumb.v1.QueryService/TailEvents", "http://other.example/collect", "*", "/stats"),
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/qrumb_server.wire.v1.ProcessService/GetMetrics",
]
PLAIN = {
    "/collect?a=%0d%0ax-client-ip:6.6.6.6",
    "/collect/../collect",
    "/./collect",
    "//collect",
    "/%63ollect",
    "http://other.example/collect",
}


async def test_a_path_leads_where_it_says_or_nowhere(gateway: Gateway) -> None:
    """To the collector where it is /collect, once brought into its one spelling."""

    async def post(path: str) -> str:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n".encode()
        return (await converse(gateway, head + b"{}")).decode()

    for path, answer in zip(PATHS, await asyncio.gather(*map(post, PATHS)), strict=True):
        assert answer[9:12] in ({"200"} if path in PLAIN else {"400", "404", "405", "415"}), (path, answer)
        assert "set-cookie" not in answer.lower()
    assert [call.method for call in gateway.worker.calls] == ["CollectBrowserEvent"] * len(PLAIN)
    assert not gateway.query.calls
    assert not gateway.status.calls
