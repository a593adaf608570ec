"""The supervisor asks a gateway how it is on a connection that stays; what another one said counts for nothing."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from qrumb_server.gateway.process import Probe
from tests.support.patience import patient

PATIENCE = patient(20)


class Gateway:
    """Answers as Envoy does, or not at all."""

    def __init__(self) -> None:
        self.status = "200 OK"
        self.connections = 0
        self.is_frozen = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while await reader.readuntil(b"\r\n\r\n"):
                if self.is_frozen:
                    continue
                writer.write(f"HTTP/1.1 {self.status}\r\ncontent-length: 5\r\n\r\nLIVE\n".encode())


@pytest.fixture
async def gateway() -> Gateway:
    """One that serves."""
    return Gateway()


@pytest.fixture
async def probe(gateway: Gateway) -> AsyncIterator[Probe]:
    """Asks it."""
    with tempfile.TemporaryDirectory() as folder:
        socket = str(Path(folder, "admin.sock"))
        async with await asyncio.start_unix_server(gateway.serve, socket):
            asking = Probe(socket)
            yield asking
            asking.close()


async def test_one_connection_serves_for_all_questions(gateway: Gateway, probe: Probe) -> None:
    """Another process has one of its own: what was said on the old one is its predecessor's."""
    assert [await probe.is_serving(1, PATIENCE) for _ in range(3)] == [True] * 3
    assert gateway.connections == 1
    assert await probe.is_serving(2, PATIENCE)
    assert gateway.connections == 2


async def test_one_that_takes_no_requests_does_not_serve(gateway: Gateway, probe: Probe) -> None:
    """Known at the second look: each reads the answer to the question before."""
    assert await probe.is_serving(1, PATIENCE)
    gateway.status = "503 Service Unavailable"
    await probe.is_serving(1, PATIENCE)
    assert not await probe.is_serving(1, PATIENCE)
    gateway.status = "200 OK"
    await probe.is_serving(1, PATIENCE)
    assert await probe.is_serving(1, PATIENCE)


async def test_one_that_does_not_answer_does_not_serve_until_it_does(gateway: Gateway, probe: Probe) -> None:
    assert await probe.is_serving(1, PATIENCE)
    gateway.is_frozen = True
    await probe.is_serving(1, 0.1)
    assert not await probe.is_serving(1, 0.1)
    gateway.is_frozen = False
    assert await probe.is_serving(1, PATIENCE)


async def test_without_a_socket_nothing_serves() -> None:
    assert not await Probe("/nowhere/admin.sock").is_serving(1, PATIENCE)
