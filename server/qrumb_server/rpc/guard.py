"""The guard around every call: no failure of ours reaches a caller as an exception's text.

Bytes that are no message of the right type become INVALID_ARGUMENT; an unexpected exception becomes INTERNAL with
the request's id, and is logged once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import grpc
import structlog
from google.protobuf.message import DecodeError

from qrumb_server.reasons import calls
from qrumb_server.rpc.caller import believe_gateways, read_caller
from qrumb_server.rpc.faults import SPOOL_ANSWERS, EventRejected, RequestFault, RequestRejected, abort, abort_for

__all__ = ["Guard"]

log = structlog.get_logger()

Context = grpc.aio.ServicerContext[Any, Any]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]  # generic for type checkers only
else:
    Handler = grpc.RpcMethodHandler
# The public methods; our own processes send each other what they like.
CONTRACT = "/qrumb.v1."
DEFAULT_MAX_BYTES = 128 * 1024
EXPECTED = (EventRejected, RequestFault, RequestRejected, *SPOOL_ANSWERS)


class _Undecodable:
    """Stands in for a request whose bytes could not be decoded."""


_UNDECODABLE = _Undecodable()


class _Oversize:
    """Stands in for a request that is too large to be decoded."""

    def __init__(self, size: int, most: int) -> None:
        self.size = size
        self.most = most


class Guard(grpc.aio.ServerInterceptor):
    """Server interceptor; keeps one wrapped handler per method.

    Args:
        gateway_names: of gateways that call over the network, as in their certificates.
        max_bytes: of one message of a method of the contract that carries no events; those have limits of their own.
    """

    def __init__(self, *, gateway_names: Sequence[str] = (), max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self._gateway_names = gateway_names
        self._max_bytes = max_bytes
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wrap the handler of a known method; an unknown one stays None, which gRPC answers UNIMPLEMENTED."""
        believe_gateways(self._gateway_names)
        method = str(handler_call_details.method)
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = _wrap(handler, self._max_bytes if method.startswith(CONTRACT) else None)
        return wrapped


def _wrap(handler: Any, max_bytes: int | None) -> Handler:
    decode = handler.request_deserializer or bytes  # none: what follows takes the bytes, and has limits of its own
    most = None if handler.request_deserializer is None else max_bytes

    def decode_or_stand_in(data: bytes) -> Any:
        if most is not None and len(data) > most:
            return _Oversize(len(data), most)
        try:
            return decode(data)
        except DecodeError:
            return _UNDECODABLE

    if handler.unary_unary:
        return handler._replace(  # type: ignore[no-any-return]
            unary_unary=_guard_unary(handler.unary_unary), request_deserializer=decode_or_stand_in
        )
    if handler.unary_stream and iscoroutinefunction(handler.unary_stream):  # writes its answers itself: Health.Watch
        return handler._replace(  # type: ignore[no-any-return]
            unary_stream=_guard_unary(handler.unary_stream), request_deserializer=decode_or_stand_in
        )
    if handler.unary_stream:
        return handler._replace(  # type: ignore[no-any-return]
            unary_stream=_guard_unary_stream(handler.unary_stream), request_deserializer=decode_or_stand_in
        )
    if handler.stream_stream:
        return handler._replace(  # type: ignore[no-any-return]
            stream_stream=_guard_streams(handler.stream_stream), request_deserializer=decode_or_stand_in
        )
    raise NotImplementedError("no method of the contract streams requests and answers once")


def _guard_unary(call: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
    async def guarded(request: Any, context: Context) -> Any:
        if request is _UNDECODABLE:
            await abort(context, RequestFault(calls.UNDECODABLE))
        try:
            if isinstance(request, _Oversize):
                raise RequestFault(calls.MESSAGE_TOO_LARGE, size=request.size, limit=request.most)
            return await call(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001
            await _answer(context, error)

    return guarded


def _guard_unary_stream(
    call: Callable[[Any, Context], AsyncIterator[Any]],
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
        if request is _UNDECODABLE:
            await abort(context, RequestFault(calls.UNDECODABLE))
        try:
            if isinstance(request, _Oversize):
                raise RequestFault(calls.MESSAGE_TOO_LARGE, size=request.size, limit=request.most)
            async for response in call(request, context):
                yield response
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001
            await _answer(context, error)

    return guarded


def _guard_streams(
    call: Callable[[Any, Context], AsyncIterator[Any]],
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    async def decoded(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            if request is _UNDECODABLE:
                raise RequestFault(calls.UNDECODABLE)
            yield request

    async def guarded(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        try:
            async for response in call(decoded(requests), context):
                yield response
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001
            await _answer(context, error)

    return guarded


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
