"""ProcessService: what the supervisor asks of a worker and of the loader, and how it asks; and their health checks.

Invariants: a process that does not answer is a missing answer, never an error; a connection is kept for as long as it
answers, since a new one costs ten times the question.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2

from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.supervise.pulse import Pulses
from qrumb_server.supervise.sockets import CHANNEL_OPTIONS
from qrumb_server.wire.v1 import process_service_pb2 as pb
from qrumb_server.wire.v1.process_service_pb2_grpc import ProcessServiceServicer

__all__ = ["Peer", "Process", "Vitals"]

TIMEOUT_SECONDS: Final = 2.0
# What a process says by itself does not go through its server.
CALL_INTERVAL_SECONDS: Final = 60.0
SERVICE: Final = pb.DESCRIPTOR.services_by_name["ProcessService"].full_name
# The node's own sockets; a worker serves a public port as well.
OWN_PEER: Final = "unix:"
# A process that comes back is found soon; gRPC would wait longer from one try to the next.
_OPTIONS: Final = (
    *CHANNEL_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
)
SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_M = TypeVar("_M", bound=Message)


async def _collects_nothing() -> pb.GetCollectingResponse:
    return pb.GetCollectingResponse()


class Process(ProcessServiceServicer):
    """Answers for one process.

    Args:
        metrics: all of them as text.
        loading: how loading goes; the loader has it.
        collecting: whom it turns away; a worker has it.
    """

    def __init__(
        self,
        *,
        metrics: Callable[[], str],
        loading: Callable[[], pb.GetLoadingResponse] = pb.GetLoadingResponse,
        collecting: Callable[[], Awaitable[pb.GetCollectingResponse]] = _collects_nothing,
    ) -> None:
        self._metrics = metrics
        self._loading = loading
        self._collecting = collecting

    async def GetMetrics(
        self, request: pb.GetMetricsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetMetricsResponse:
        """What the process has counted."""
        _refuse_strangers(context)
        return pb.GetMetricsResponse(text=self._metrics())

    async def GetLoading(
        self, request: pb.GetLoadingRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetLoadingResponse:
        """How loading goes."""
        _refuse_strangers(context)
        return self._loading()

    async def GetCollecting(
        self, request: pb.GetCollectingRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetCollectingResponse:
        """Whom the process turns away."""
        _refuse_strangers(context)
        return await self._collecting()


def _refuse_strangers(context: grpc.aio.ServicerContext[Any, Any]) -> None:
    if not context.peer().startswith(OWN_PEER):
        raise RequestFault(calls.NOT_PUBLIC)


class Peer:
    """A process of this node, as the supervisor asks it. Belongs to one event loop.

    Args:
        target: where it listens, as gRPC writes addresses.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        self._channel: grpc.aio.Channel | None = None

    async def check(self, *, patience: float = TIMEOUT_SECONDS) -> bool:
        """One grpc.health.v1 check; False for any failure.

        Args:
            patience: seconds after which no answer is one.
        """
        request = health_pb2.HealthCheckRequest()
        answer = await self._ask("grpc.health.v1.Health/Check", request, health_pb2.HealthCheckResponse, patience)
        return answer is not None and bool(answer.status == SERVING)

    async def loading(self) -> pb.GetLoadingResponse | None:
        """How loading goes; None where the loader does not answer."""
        return await self._ask(f"{SERVICE}/GetLoading", pb.GetLoadingRequest(), pb.GetLoadingResponse)

    async def collecting(self) -> pb.GetCollectingResponse | None:
        """Whom a worker turns away; None where it does not answer."""
        return await self._ask(f"{SERVICE}/GetCollecting", pb.GetCollectingRequest(), pb.GetCollectingResponse)

    async def metrics(self) -> str | None:
        """The metrics of a process; None where it does not answer."""
        answer = await self._ask(f"{SERVICE}/GetMetrics", pb.GetMetricsRequest(), pb.GetMetricsResponse)
        return None if answer is None else answer.text

    async def close(self) -> None:
        """End the connection, and what is being asked on it; ask nothing afterwards."""
        if self._channel is not None:
            await self._channel.close()

    async def _ask(
        self, method: str, request: Message, answer: type[_M], patience: float = TIMEOUT_SECONDS
    ) -> _M | None:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._target, options=_OPTIONS)
        ask = self._channel.unary_unary(
            f"/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            return await ask(request, timeout=patience)
        except grpc.aio.AioRpcError:
            return None


class Vitals:
    """Whether one process of this node serves: by its own word each second, and by its answer to a call once a minute.

    Args:
        name: of the process.
    """

    def __init__(self, name: str, peer: Peer, pulses: Pulses) -> None:
        self._name = name
        self._peer = peer
        self._pulses = pulses
        self._called_pid = 0
        self._next_call = 0.0

    async def is_serving(self, pid: int, patience: float) -> bool:
        """One health check, as `ChildSpec` has it."""
        if not await self._pulses.is_serving(self._name, pid, patience):
            return False
        if pid != self._called_pid or time.monotonic() >= self._next_call:
            if not await self._peer.check(patience=patience):
                return False
            # All processes in the same second: a call keeps gRPC's threads awake for a while, in the caller too.
            self._next_call = (time.monotonic() // CALL_INTERVAL_SECONDS + 1) * CALL_INTERVAL_SECONDS
            self._called_pid = pid
        return True
