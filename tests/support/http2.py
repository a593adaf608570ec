"""An HTTP/2 caller without manners: sends whatever it is told, frame by frame, and notes how that is taken."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived
from h2.exceptions import ProtocolError

from tests.support.patience import patient

__all__ = ["POST", "Http2Caller", "frame", "http2_caller"]

RST_STREAM, GOAWAY = 3, 7
POST = ((":method", "POST"), (":path", "/collect"), (":scheme", "http"), (":authority", "x"))


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Any frame, also one that no library would make."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


@dataclass
class Http2Caller:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: H2Connection = field(default_factory=lambda: H2Connection(H2Configuration(header_encoding="utf-8")))
    statuses: dict[int, str] = field(default_factory=dict)
    resets: dict[int, int] = field(default_factory=dict)
    goaway: int | None = None
    is_closed: bool = False
    _unread: bytes = b""

    async def flush(self) -> None:
        """Send what the library has to say."""
        await self.send(self.http.data_to_send())

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    def begin(self, stream: int, headers: Iterable[tuple[str, str]] = POST, *, end: bool = False) -> None:
        """Headers of a request."""
        self.http.send_headers(stream, list(headers), end_stream=end)

    async def read_until(self, is_enough: Callable[[], bool] = lambda: False) -> None:
        """Take note of what comes until that is enough, or until the other side closes the connection."""
        for _ in range(int(patient(20))):
            await self.read(0.5)
            if self.is_closed or is_enough():
                return
        raise AssertionError(f"the connection is open; {self.statuses}, {self.resets}")

    async def read(self, seconds: float) -> None:
        """Take note of what comes within a time, or until the connection is closed."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(seconds):
                while data := await self.reader.read(1 << 16):
                    self._note(data)
                self.is_closed = True
                return
        self.is_closed = self.is_closed or self.reader.at_eof() or self.reader.exception() is not None

    def _note(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= 9 and len(self._unread) >= (end := 9 + int.from_bytes(self._unread[:3], "big")):
            kind, payload = self._unread[3], self._unread[9:end]
            if kind == RST_STREAM:
                self.resets[int.from_bytes(self._unread[5:9], "big")] = int.from_bytes(payload, "big")
            elif kind == GOAWAY:
                self.goaway = int.from_bytes(payload[4:8], "big")
            self._unread = self._unread[end:]
        with contextlib.suppress(ProtocolError):  # about streams that the library knows nothing of
            for event in self.http.receive_data(data):
                if isinstance(event, ResponseReceived):
                    self.statuses[event.stream_id] = dict(event.headers)[":status"]  # type: ignore[assignment,index]  # decoded, as the configuration says


@asynccontextmanager
async def http2_caller(port: int) -> AsyncIterator[Http2Caller]:
    """Connected, both sides' settings exchanged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    caller = Http2Caller(reader, writer)
    caller.http.initiate_connection()
    await caller.flush()
    try:
        yield caller
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
