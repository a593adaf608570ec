"""What stands around every handler: tracing, timing, counting, guarding, opening, admitting, in this order and by one
mechanism.

A wrapper makes one call of another. Each knows two kinds: unary ones, and streams of requests and answers. The guard
sees to it that no failure of ours reaches a caller as an exception's text: an unexpected exception becomes INTERNAL
with the request's id, and is logged once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Final, Protocol

import grpc
import structlog
from google.protobuf.message import DecodeError

from qrumb_server.reasons import calls
from qrumb_server.rpc.caller import believe_gateways, names_of_gateways, read_caller, remember
from qrumb_server.rpc.durations import CallDurations
from qrumb_server.rpc.faults import (
    SPOOL_ANSWERS,
    BatchRefused,
    EventRejected,
    RequestFault,
    RequestRejected,
    abort,
    abort_for,
)
from qrumb_server.rpc.json_requests import JSON_REQUESTS, with_body

__all__ = ["Capacity", "Context", "Decoding", "Guard", "Method", "Streams", "Unary", "Wrapper", "Wrappers"]

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]
Unary = Callable[[Any, Context], Awaitable[Any]]
Streams = Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]  # generic for type checkers only
else:
    Handler = grpc.RpcMethodHandler

# The public methods; our own processes send each other what they like.
CONTRACT: Final = "/qrumb.v1."
DEFAULT_MAX_BYTES: Final = 128 * 1024
# Short and few; and what asks whether a worker lives must not depend on how busy it is.
UNCOUNTED: Final = "/grpc.health.v1.Health/"
EXPECTED: Final = (BatchRefused, EventRejected, RequestFault, RequestRejected, *SPOOL_ANSWERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """What a wrapper knows of the method whose call it wraps."""

    name: str
    """With its service, as in `/qrumb.v1.QueryService/GetLedger`."""
    decode: Callable[[bytes], Any]
    """Makes a request of bytes; raises DecodeError."""


class Wrapper(Protocol):
    """Puts something around the call of a method; what it is not concerned with stays as it is."""

    def unary(self, method: Method, call: Unary) -> Unary:
        """Around a call of one request."""

    def streams(self, method: Method, call: Streams) -> Streams:
        """Around a call whose answers are a stream."""


class Capacity:
    """How many calls are let in at a time, on a port that strangers can reach.

    gRPC has a limit of its own, but its answer names no delay, and a caller that knows no delay does not try again. So
    that is only the outer bound, for calls whose message has not arrived.
    """

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._under_way = 0

    def refuses(self, method: str) -> bool:
        """Whether there is no room for a call of the method."""
        return self._under_way >= self._max_calls and not method.startswith(UNCOUNTED)

    def unary(self, method: Method, call: Unary) -> Unary:
        """Counted from its message to its answer."""
        if method.name.startswith(UNCOUNTED):
            return call

        async def counted(request: Any, context: Context) -> Any:
            self._under_way += 1
            try:
                return await call(request, context)
            finally:
                self._under_way -= 1

        return counted

    def streams(self, _method: Method, call: Streams) -> Streams:
        """Counted until its last answer."""

        async def counted(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            self._under_way += 1
            try:
                async for response in call(requests, context):
                    yield response
            finally:
                self._under_way -= 1

        return counted


class Guard:
    """Makes an answer of whatever a call raises.

    Args:
        gateway_names: of gateways that call over the network, as in their certificates.
    """

    def __init__(self, *, gateway_names: Sequence[str] = ()) -> None:
        self._gateway_names = names_of_gateways(gateway_names)

    def unary(self, _method: Method, call: Unary) -> Unary:
        """Aborts with the status of what was raised."""

        async def guarded(request: Any, context: Context) -> Any:
            if self._gateway_names:
                believe_gateways(self._gateway_names)
            try:
                return await call(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001
                await _answer(context, error)

        return guarded

    def streams(self, _method: Method, call: Streams) -> Streams:
        """The same; answers that were sent before stay sent."""

        async def guarded(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            if self._gateway_names:
                believe_gateways(self._gateway_names)
            try:
                async for response in call(requests, context):
                    yield response
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001
                await _answer(context, error)

        return guarded


class Decoding:
    """The opening of requests that carry no events: whole messages, bounded in size.

    Args:
        max_bytes: of one message of a method of the contract.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._max_bytes = max_bytes

    def unary(self, method: Method, call: Unary) -> Unary:
        """Takes bytes."""

        async def decoded(request: bytes, context: Context) -> Any:
            return await call(self._decode(method, request), context)

        return decoded

    def streams(self, method: Method, call: Streams) -> Streams:
        """Takes bytes, message by message."""

        async def messages(requests: AsyncIterator[bytes]) -> AsyncIterator[Any]:
            async for request in requests:
                yield self._decode(method, request)

        def decoded(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
            return call(messages(requests), context)

        return decoded

    def _decode(self, method: Method, request: bytes) -> Any:
        if len(request) > self._max_bytes and method.name.startswith(CONTRACT):
            raise RequestFault(calls.MESSAGE_TOO_LARGE, size=len(request), limit=self._max_bytes)
        try:
            return with_body(method.name, method.decode(request))
        except DecodeError:
            raise RequestFault(calls.UNDECODABLE) from None


class Wrappers(grpc.aio.ServerInterceptor):
    """The one interceptor of a server; keeps one wrapped handler per method.

    Args:
        traces: makes a span of every call; none: calls are not traced.
        durations: measures every call; none: calls are not measured.
        capacity: bounds the calls under way; its refusal comes before any message is read.
        guard: answers for what those behind it raise.
        opening: makes requests of bytes.
        access: who may call; it sees the requests.
        arriving: told of each call before its message is read.
    """

    def __init__(
        self,
        *,
        traces: Wrapper | None = None,
        durations: CallDurations | None = None,
        capacity: Capacity | None = None,
        guard: Wrapper | None = None,
        opening: Wrapper | None = None,
        access: Wrapper | None = None,
        arriving: Callable[[], None] = lambda: None,
    ) -> None:
        self._arriving = arriving
        self._durations = durations
        self._capacity = capacity
        in_order = (traces, durations, capacity, guard or Guard(), opening or Decoding(), access)
        self._wrappers: Sequence[Wrapper] = [wrapper for wrapper in in_order if wrapper is not None]
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The wrapped handler of a known method; an unknown one stays None, which gRPC answers UNIMPLEMENTED."""
        self._arriving()
        remember(handler_call_details.invocation_metadata)
        method = str(handler_call_details.method)
        if typed := JSON_REQUESTS.get(method):
            kind: Any = type(handler_call_details)  # gRPC takes none but its own
            handler_call_details = kind(typed, handler_call_details.invocation_metadata)
            method = typed
        if self._capacity is not None and self._capacity.refuses(method):
            if self._durations is not None:
                self._durations.refused(calls.TOO_MANY_CALLS.code)
            return grpc.stream_stream_rpc_method_handler(_refuse)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = self._wrap(method, handler)
        return wrapped

    def _wrap(self, name: str, handler: Any) -> Handler:
        method = Method(name=name, decode=handler.request_deserializer or bytes)
        if handler.unary_unary:
            calls_of_kind = {"unary_unary": self._around_unary(method, handler.unary_unary)}
        elif handler.stream_stream:
            calls_of_kind = {"stream_stream": self._around_streams(method, handler.stream_stream)}
        elif iscoroutinefunction(handler.unary_stream):  # writes its answers itself: Health.Watch
            calls_of_kind = {"unary_stream": self._around_unary(method, handler.unary_stream)}
        elif handler.unary_stream:
            streams = self._around_streams(method, _taking_one(handler.unary_stream))
            calls_of_kind = {"unary_stream": _given_one(streams)}
        else:
            raise NotImplementedError("no method of ours streams requests and answers once")
        serialize = _serializer(handler.response_serializer)
        return handler._replace(  # type: ignore[no-any-return]
            request_deserializer=None, response_serializer=serialize, **calls_of_kind
        )

    def _around_unary(self, method: Method, call: Unary) -> Any:
        for wrapper in reversed(self._wrappers):
            call = wrapper.unary(method, call)
        return call

    def _around_streams(self, method: Method, call: Streams) -> Any:
        for wrapper in reversed(self._wrappers):
            call = wrapper.streams(method, call)
        return call


def _serializer(serialize: Callable[[Any], bytes] | None) -> Callable[[Any], bytes]:
    """Of answers; those of the compiled way are bytes already."""
    return lambda answer: answer if isinstance(answer, bytes) or serialize is None else serialize(answer)


def _taking_one(call: Callable[[Any, Context], AsyncIterator[Any]]) -> Streams:
    """A call of one request with many answers, as one of streams."""

    async def streams(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for request in requests:
            async for response in call(request, context):
                yield response

    return streams


def _given_one(call: Streams) -> Callable[[Any, Context], AsyncIterator[Any]]:
    """The way back: gRPC gives it one request."""

    async def one(request: Any) -> AsyncIterator[Any]:
        yield request

    async def answered(request: Any, context: Context) -> AsyncIterator[Any]:
        async for response in call(one(request), context):
            yield response

    return answered


async def _refuse(_requests: AsyncIterator[bytes], context: Context) -> None:
    await abort(context, RequestFault(calls.TOO_MANY_CALLS))


async def _answer(context: Context, error: Exception) -> None:
    request_id = ""
    if not isinstance(error, EXPECTED):
        request_id = read_caller(context).request_id  # the gateway's; a caller's own could be any text
        # The exception's text could quote an event; its type and place are enough to find the fault.
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else ""
        log.error("call_failed", error=type(error).__name__, place=place, request_id=request_id)
    await abort_for(context, error, request_id)
