"""Takes calls that carry events apart before anything of them is decoded, and decodes event by event.

Stands between the guard and the access rules, which thus see the events themselves. What is over a limit is refused by
its size alone: a call as a whole, or within a call one event, which then is its own rejection (`Opened.oversizes`).
The limits are one set, whichever way a call came; the gateway's are the same or narrower.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from google.protobuf.message import DecodeError, Message

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import Source
from qrumb_server.reasons import calls
from qrumb_server.rpc.compiled_calls import Compiled
from qrumb_server.rpc.envelope import TooManyEventsError, beginning_of, read_envelope
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.rpc.json_opening import JSON_KINDS, open_json
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.turns import SHORT_BYTES, Turns
from qrumb_server.rpc.wrappers import Context, Decoding, Method, Streams, Unary

__all__ = ["CallLimits", "Opening"]


# What stands around a text in google.api.HttpBody: the longest text that the gateway lets through still fits.
_AROUND_A_TEXT: Final = 4 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLimits:
    """What a call may hold; `rpc` of the settings says why."""

    max_event_bytes: int
    max_batch_bytes: int
    max_batch_events: int
    max_bytes_in_flight: int
    """Of all calls longer than one event may be, together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """What a method takes."""

    message: type[Message]
    is_batch: bool = False
    field: str = "events"
    source: Source | None = None
    """Of events that the compiled way may take."""

    @property
    def is_event(self) -> bool:
        """Whether one that is too large can be rejected by itself."""
        return self.field == "events"


_COLLECTOR: Final = "/qrumb.v1.CollectorService/"
_SESSIONS: Final = "/qrumb.v1.ScanSessionService/"
_KINDS: Final[Mapping[str, _Kind]] = {
    _COLLECTOR + "CollectBrowserEvent": _Kind(message=BrowserEvent, source=Source.BROWSER),
    _COLLECTOR + "BatchCollectBrowserEvents": _Kind(message=BrowserEvent, is_batch=True, source=Source.BROWSER),
    _COLLECTOR + "CollectServerEvent": _Kind(message=ServerEvent, source=Source.SERVER),
    _COLLECTOR + "BatchCollectServerEvents": _Kind(message=ServerEvent, is_batch=True, source=Source.SERVER),
    _COLLECTOR + "StreamServerEvents": _Kind(message=ServerEvent),
    _SESSIONS + "RegisterScanSession": _Kind(message=ScanSession, field="scan_sessions"),
    _SESSIONS + "BatchRegisterScanSessions": _Kind(message=ScanSession, is_batch=True, field="scan_sessions"),
}


class Around(Protocol):
    """Takes calls before they are opened, as far as they are for it; the others go the usual way."""

    def around(self, method: Method, usual: Unary) -> Unary:
        """Something around the usual way of a method."""


class Opening:
    """Wrapper, to stand behind the guard and before the access rules; other requests are decoded whole.

    Args:
        limits: of all calls.
        turns: shared with what goes on working on the events.
        may_begin: raises where the caller may not make such a call at all, whatever is in it.
        count: told the reason of each call that is refused here.
        compiled: takes the calls whose events can all be decoded, and of JSON those that it reads.
        at_once: takes ordinary calls from their bytes to their answers.
    """

    def __init__(
        self,
        limits: CallLimits,
        *,
        turns: Turns,
        may_begin: Callable[[str, Context], None] = lambda _method, _context: None,
        count: Callable[[str], None] = lambda _reason: None,
        compiled: Compiled | None = None,
        at_once: Around | None = None,
    ) -> None:
        self._limits = limits
        self._at_once = at_once
        self._compiled = compiled
        self._turns = turns
        self._may_begin = may_begin
        self._count = count
        self._bytes_in_flight = 0
        self._others = Decoding(limits.max_event_bytes + _AROUND_A_TEXT)

    def unary(self, method: Method, call: Unary) -> Unary:
        """The opening before a call that takes events, a bound of size before all others."""
        usual = self._usual(method, call)
        return self._at_once.around(method, usual) if self._at_once else usual

    def _usual(self, method: Method, call: Unary) -> Unary:
        if json_kind := JSON_KINDS.get(method.name):
            limits = self._limits
            open_body = partial(
                open_json,
                json_kind,
                turns=self._turns,
                max_events=limits.max_batch_events,
                compiled=self._compiled,
            )
            return self._opened(method.name, open_body, call)
        if kind := _KINDS.get(method.name):
            return self._opened(method.name, partial(self._open, kind), call)
        return self._others.unary(method, call)

    def streams(self, method: Method, call: Streams) -> Streams:
        """The opening of each message."""
        kind = _KINDS.get(method.name)
        return self._opened_stream(kind, call) if kind else self._others.streams(method, call)

    def _opened(self, method: str, open_request: Callable[[bytes], Awaitable[Opened]], call: Unary) -> Unary:
        async def opened(request: bytes, context: Context) -> Any:
            self._may_begin(method, context)
            size = len(request)
            if size <= SHORT_BYTES:
                with self._turns.short_call():
                    return await call(await open_request(request), context)
            if size <= self._limits.max_event_bytes:
                return await call(await open_request(request), context)
            if self._bytes_in_flight + size > self._limits.max_bytes_in_flight:
                self._count(calls.TOO_MANY_CALLS.name)
                raise RequestFault(calls.TOO_MANY_CALLS)
            self._bytes_in_flight += size
            try:
                await self._turns.take_in(size)
                return await call(await open_request(request), context)
            finally:
                self._bytes_in_flight -= size

        return opened

    def _opened_stream(self, kind: _Kind, call: Streams) -> Streams:
        async def messages(requests: AsyncIterator[bytes]) -> AsyncIterator[Opened]:
            async for request in requests:
                yield await self._open(kind, request)

        def opened(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
            return call(messages(requests), context)

        return opened

    async def _open(self, kind: _Kind, request: bytes) -> Opened:
        limits = self._limits
        if len(request) > limits.max_batch_bytes:
            self._count(calls.MESSAGE_TOO_LARGE.name)
            most = limits.max_batch_bytes if kind.is_batch else limits.max_event_bytes
            raise RequestFault(calls.MESSAGE_TOO_LARGE, size=len(request), limit=most)
        if (
            self._compiled
            and kind.source
            and (opened := await self._compiled.open(request, kind.source, is_batch=kind.is_batch))
        ):
            return Opened(size=opened.size, compiled=opened)
        try:
            envelope = read_envelope(request, max_events=limits.max_batch_events)
        except TooManyEventsError:
            raise _too_many(kind, limits.max_batch_events) from None
        except DecodeError:
            raise RequestFault(calls.UNDECODABLE) from None
        # protobuf's rule where a field that is there once comes twice: its parts are one after another.
        events = envelope.events if kind.is_batch else [b"".join(envelope.events)]
        oversizes = {index: len(event) for index, event in enumerate(events) if len(event) > limits.max_event_bytes}
        if oversizes and not kind.is_event:
            largest = max(oversizes.values())
            raise RequestFault(calls.MESSAGE_TOO_LARGE, size=largest, limit=limits.max_event_bytes)
        return Opened(
            events=await self._turns.run(_decoded(kind, events, oversizes), size=len(request)),
            size=len(request),
            validate_only=envelope.validate_only,
            oversizes=oversizes,
        )


def _too_many(kind: _Kind, most: int) -> RequestFault:
    if not kind.is_batch:
        return RequestFault(calls.UNDECODABLE)
    if kind.is_event:
        return RequestFault(calls.TOO_MANY_EVENTS, field=kind.field, limit=most)
    return RequestFault(calls.TOO_MANY_SESSIONS, field=kind.field, limit=most)


def _decoded(kind: _Kind, events: Sequence[bytes], oversizes: Mapping[int, int]) -> Iterator[Message]:
    for index, event in enumerate(events):
        try:
            yield kind.message.FromString(beginning_of(event) if index in oversizes else event)
        except DecodeError:
            if index not in oversizes:
                place = f"{kind.field}[{index}]" if kind.is_batch else ""
                raise RequestFault(calls.UNDECODABLE, field=place) from None
            yield kind.message()  # nothing of it can be read; it is rejected for its size
