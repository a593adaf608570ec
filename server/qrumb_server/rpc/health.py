"""grpc.health.v1 of one process, List included; watches end when the process stops, so that none holds the stop up."""

import asyncio
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer

from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault

__all__ = ["Health"]


class Health(HealthServicer):
    """The package's servicer, with an end, and with List, which the package leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self._watches: set[asyncio.Task[None]] = set()
        self._ended = False

    async def end(self) -> None:
        """Everything is NOT_SERVING from now on, and open watches end with UNAVAILABLE."""
        self._ended = True
        await self.enter_graceful_shutdown()
        for watch in self._watches:
            watch.cancel()

    async def List(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        """Tell the health of every service that has one; the package's type stub does not know the messages."""
        told = {name: health_pb2.HealthCheckResponse(status=status) for name, status in self._server_status.items()}  # type: ignore[attr-defined]
        return health_pb2.HealthListResponse(statuses=told)  # type: ignore[attr-defined]

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Tell the health of a service and each change of it."""
        watch = asyncio.create_task(super().Watch(request, context))
        self._watches.add(watch)
        try:
            await watch
        except asyncio.CancelledError:
            if not self._ended:
                raise
            raise RequestFault(calls.STOPPING) from None
        finally:
            self._watches.discard(watch)
            watch.cancel()
