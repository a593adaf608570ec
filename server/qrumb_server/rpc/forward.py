"""What a worker's direct port answers in the name of others, passed on as bytes: of the loader what needs the store, of
the supervisor how the node is doing.

Through the gateway such calls reach those by themselves; this is for callers that speak gRPC to a worker.
"""

from collections.abc import Callable
from typing import Any, Final

import grpc

from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import STATUS_DETAILS_KEY, RequestFault

__all__ = ["FORWARDED", "FORWARDED_STATUS", "Forwarding"]

Context = grpc.aio.ServicerContext[Any, Any]

# Whole services; of one that the worker has itself, gRPC never asks here for a method.
FORWARDED: Final = ("/qrumb.v1.QueryService/", "/qrumb.v1.PrivacyService/", "/qrumb.v1.ReplayService/")
# To the supervisor, in the same way.
FORWARDED_STATUS: Final = ("/qrumb.v1.StatusService/",)
# Without the caller's deadline; as long as the gateway waits.
LONGEST_SECONDS: Final = 30.0


class Forwarding(grpc.GenericRpcHandler):
    """Handler for `add_generic_rpc_handlers`, asked before the worker's own services.

    Args:
        open_channel: to the process that answers; called once, at the first call.
        services: beginnings of the methods that it answers.
    """

    def __init__(self, open_channel: Callable[[], grpc.aio.Channel], services: tuple[str, ...] = FORWARDED) -> None:
        self._open_channel = open_channel
        self._services = services
        self._channel: grpc.aio.Channel | None = None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """A handler for the methods that are passed on; None for all others."""
        method = str(handler_call_details.method)
        if not method.startswith(self._services):
            return None

        async def forward(request: bytes, context: Context) -> bytes:
            return await self.forward(method, request, context)

        return grpc.unary_unary_rpc_method_handler(forward, request_deserializer=bytes, response_serializer=bytes)

    async def forward(self, method: str, request: bytes, context: Context) -> bytes:
        """The loader's answer to a call, or its error."""
        if self._channel is None:
            self._channel = self._open_channel()
        remaining = context.time_remaining()
        timeout = min(remaining, LONGEST_SECONDS) if remaining is not None else LONGEST_SECONDS
        try:
            call: Any = self._channel.unary_unary(method)
            # The loader looks at the key itself, and may trace the call.
            passed_on = {"authorization", "traceparent"}
            said = [(key, value) for key, value in context.invocation_metadata() or () if key in passed_on]
            return bytes(await call(request, timeout=timeout, metadata=said))
        except grpc.aio.AioRpcError as error:
            await _answer(context, error)
            raise AssertionError("abort returns never") from error


async def _answer(context: Context, error: grpc.aio.AioRpcError) -> None:
    """The loader's error as it is; where the loader cannot be reached, ours."""
    trailers = error.trailing_metadata()
    said = tuple(
        (key, value) for key, value in trailers or () if key in {STATUS_DETAILS_KEY, "retry-after", "www-authenticate"}
    )
    if not said and error.code() is calls.QUERY_UNAVAILABLE.code:
        raise RequestFault(calls.QUERY_UNAVAILABLE) from error
    await context.abort(error.code(), error.details() or "", said)
