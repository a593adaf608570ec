"""HTTP/3 is the same gateway over UDP: same answers, same limits, and announced where callers come over TCP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent

from tests.support.certificates import Authority
from tests.support.envoy_process import Gateway, running_gateway
from tests.support.patience import patient

pytestmark = pytest.mark.envoy


class Http3Client(QuicConnectionProtocol):
    """Just enough of a client for one request at a time."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)
        self._headers: dict[str, str] = {}
        self._body = b""
        self._done = asyncio.Event()

    async def request(
        self, method: str, path: str, body: bytes = b"", **more: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        self._headers, self._body = {}, b""
        self._done.clear()
        stream = self._quic.get_next_available_stream_id()
        pseudo = {":method": method, ":scheme": "https", ":authority": "localhost", ":path": path}
        headers = [(name.encode(), value.encode()) for name, value in {**pseudo, **more}.items()]
        self._http.send_headers(stream, headers)
        self._http.send_data(stream, body, end_stream=True)
        self.transmit()
        async with asyncio.timeout(patient(10)):
            await self._done.wait()
        return int(self._headers[":status"]), self._headers, self._body

    def quic_event_received(self, event: QuicEvent) -> None:
        """Collect the answer."""
        for found in self._http.handle_event(event):
            if isinstance(found, HeadersReceived):
                self._headers |= {name.decode(): value.decode() for name, value in found.headers}
            elif isinstance(found, DataReceived):
                self._body += found.data
            if isinstance(found, HeadersReceived | DataReceived) and found.stream_ended:
                self._done.set()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
async def gateway(authority: Authority) -> AsyncIterator[Gateway]:
    """One with HTTP/3."""
    async with running_gateway(authority=authority, http3=True, requests_per_second=1, request_burst=50) as running:
        yield running


@pytest.fixture
async def client(gateway: Gateway, authority: Authority) -> AsyncIterator[Http3Client]:
    """Connected."""
    trusted = str(authority.certificate)
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, cafile=trusted, server_name="localhost")
    port = gateway.options.http_port
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Http3Client) as opened:
        yield opened


async def test_events_are_taken_over_http3(gateway: Gateway, client: Http3Client) -> None:
    status, headers, body = await client.request("POST", "/collect", b'{"site_id": "demo"}')
    assert (status, json.loads(body)["receipt"]["outcome"]) == (200, "ACCEPTED")
    assert gateway.worker.last.metadata["x-client-ip"] == "127.0.0.1"
    assert headers["x-request-id"] == gateway.worker.last.metadata["x-request-id"]


async def test_limits_and_errors_are_the_same(gateway: Gateway, client: Http3Client) -> None:
    assert (await client.request("GET", "/nope"))[0] == 404
    assert (await client.request("POST", "/collect", b" " * (128 * 1024 + 1)))[0] == 413
    status, _headers, body = await client.request("POST", "/collect", b"{")
    assert (status, json.loads(body)["code"]) == (400, 3)
    statuses = [(await client.request("GET", "/healthz"))[0] for _ in range(60)]
    assert 429 in statuses


async def test_http3_is_announced_over_tcp(gateway: Gateway) -> None:
    reply = await gateway.http.get("/healthz")
    assert reply.headers["alt-svc"] == f'h3=":{gateway.options.http_port}"; ma=86400'
