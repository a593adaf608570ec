"""Calls of servicers from within their process: what the gateway would call over a socket, without one.

A caller on a socket cannot choose its user-agent, as the gateway can for the browser behind it; here it can.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import grpc

from qrumb_server.reasons import calls
from qrumb_server.rpc.caller import GATEWAY_PEER
from qrumb_server.rpc.wrappers import Wrappers

__all__ = ["Aborted", "LocalAnswer", "LocalServer"]

Metadata = Sequence[tuple[str, str | bytes]]


class Aborted(grpc.aio.AbortError):
    """A call was answered with a status; not an error of the service."""

    def __init__(self, code: grpc.StatusCode, message: str, trailers: Metadata) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.trailers = trailers


class LocalAnswer:
    """What a call was answered."""

    def __init__(self, message: bytes, headers: Metadata) -> None:
        self.message = message
        self.headers = headers
        """Initial metadata, where the servicer sends some of its own."""


class LocalServer:
    """A server whose handlers can be called from within, too; for its owner it is the server that it stands before.

    Args:
        server: listens on a socket.
        wrappers: what stands around its handlers; their own, as one set serves one server.
    """

    def __init__(self, server: grpc.aio.Server, wrappers: Wrappers) -> None:
        self._server = server
        self._wrappers = wrappers
        self._handlers: list[grpc.GenericRpcHandler] = []

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """As gRPC's server."""
        self._handlers += handlers
        self._server.add_generic_rpc_handlers(handlers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def serves(self, method: str) -> bool:
        """Whether there is such a method."""
        details = _Details(method, ())
        return any(one.service(details) is not None for one in self._handlers)

    async def call(self, method: str, request: bytes, metadata: Metadata) -> LocalAnswer:
        """The answer of a unary method.

        Raises:
            Aborted: the answer is a status; that of UNKNOWN_METHOD where there is no such method.
        """
        details = _Details(method, metadata)

        async def find(_details: grpc.HandlerCallDetails) -> Any:
            return next((found for one in self._handlers if (found := one.service(details)) is not None), None)

        handler: Any = await self._wrappers.intercept_service(find, details)
        if handler is None or handler.unary_unary is None:
            raise Aborted(calls.UNKNOWN_METHOD.code, f"no unary method {method}", ())
        context = _Context(metadata)
        answer = await handler.unary_unary(request, context)
        return LocalAnswer(handler.response_serializer(answer), context.headers)


class _Details(grpc.HandlerCallDetails):
    def __init__(self, method: str, metadata: Metadata) -> None:
        self.method = method
        self.invocation_metadata = tuple(metadata)


class _Context:
    """As much of grpc.aio.ServicerContext as handlers of unary methods use."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._code = 0
        self.headers: Metadata = ()

    def code(self) -> int:
        return self._code

    def peer(self) -> str:
        return GATEWAY_PEER

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        return _NOTHING

    def invocation_metadata(self) -> Metadata:
        return self._metadata

    def time_remaining(self) -> None:
        return None

    async def send_initial_metadata(self, headers: Metadata) -> None:
        self.headers = headers

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Metadata = ()) -> None:
        self._code = code.value[0]
        raise Aborted(code, details, trailing_metadata)


_NOTHING: Final[Mapping[str, Sequence[bytes]]] = {}
