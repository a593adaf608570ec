"""How many calls are let in at a time, on a port that strangers can reach.

gRPC has a limit of its own, but its answer names no delay, and a caller that knows no delay does not try again. So it
is only the outer bound, for calls whose message has not arrived.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import grpc

from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault, abort

__all__ = ["Capacity"]

Context = grpc.aio.ServicerContext[Any, Any]
if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]  # generic for type checkers only
else:
    Handler = grpc.RpcMethodHandler

# Short and few; and what asks whether a worker lives must not depend on how busy it is.
UNCOUNTED: Final = "/grpc.health.v1.Health/"


class Capacity(grpc.aio.ServerInterceptor):
    """Server interceptor, to stand before the others: refuses calls while `max_calls` are being served."""

    def __init__(self, max_calls: int) -> None:
        self._max_calls = max_calls
        self._in_work = 0
        self._counted: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The method's handler, or one that refuses before any message is read."""
        method = str(handler_call_details.method)
        if self._in_work >= self._max_calls and not method.startswith(UNCOUNTED):
            return grpc.stream_stream_rpc_method_handler(_refuse)
        # Asked each time, since those behind may note something of each call.
        handler = await continuation(handler_call_details)
        if handler is None or method.startswith(UNCOUNTED):
            return handler
        counted = self._counted.get(method)
        if counted is None:
            counted = self._counted[method] = self._count(handler)
        return counted

    def _count(self, handler: Any) -> Handler:
        if handler.unary_unary:
            return handler._replace(unary_unary=self._unary(handler.unary_unary))  # type: ignore[no-any-return]
        if handler.stream_stream:
            return handler._replace(stream_stream=self._streams(handler.stream_stream))  # type: ignore[no-any-return]
        raise NotImplementedError("no other kind of method is counted")

    def _unary(self, call: Callable[[Any, Context], Awaitable[Any]]) -> Callable[[Any, Context], Awaitable[Any]]:
        async def counted(request: Any, context: Context) -> Any:
            self._in_work += 1
            try:
                return await call(request, context)
            finally:
                self._in_work -= 1

        return counted

    def _streams(
        self, call: Callable[[Any, Context], AsyncIterator[Any]]
    ) -> Callable[[Any, Context], AsyncIterator[Any]]:
        async def counted(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            self._in_work += 1
            try:
                async for response in call(requests, context):
                    yield response
            finally:
                self._in_work -= 1

        return counted


async def _refuse(_requests: AsyncIterator[bytes], context: Context) -> None:
    await abort(context, RequestFault(calls.TOO_MANY_CALLS))
