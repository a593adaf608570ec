"""ProcessService: what the supervisor asks of a worker and of the loader, and how it asks; and their health checks.

Invariant: a process that does not answer is a missing answer, never an error.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
from grpc_health.v1 import health_pb2

from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.wire.v1 import process_service_pb2 as pb
from qrumb_server.wire.v1.process_service_pb2_grpc import ProcessServiceServicer, ProcessServiceStub

__all__ = ["Process", "ask_collecting", "ask_loading", "ask_metrics", "check"]

TIMEOUT_SECONDS: Final = 2.0
# The node's own sockets; a worker serves a public port as well.
OWN_PEER: Final = "unix:"
SERVING: Final = health_pb2.HealthCheckResponse.SERVING


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


async def ask_loading(target: str) -> pb.GetLoadingResponse | None:
    """How loading goes; None where the loader does not answer."""
    async with grpc.aio.insecure_channel(target) as channel:
        try:
            answer: pb.GetLoadingResponse = await ProcessServiceStub(channel).GetLoading(
                pb.GetLoadingRequest(), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError:
            return None
    return answer


async def ask_collecting(target: str) -> pb.GetCollectingResponse | None:
    """Whom a worker turns away; None where it does not answer."""
    async with grpc.aio.insecure_channel(target) as channel:
        try:
            answer: pb.GetCollectingResponse = await ProcessServiceStub(channel).GetCollecting(
                pb.GetCollectingRequest(), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError:
            return None
    return answer


async def ask_metrics(target: str) -> str | None:
    """The metrics of a process; None where it does not answer."""
    async with grpc.aio.insecure_channel(target, options=[("grpc.max_receive_message_length", -1)]) as channel:
        try:
            answer: pb.GetMetricsResponse = await ProcessServiceStub(channel).GetMetrics(
                pb.GetMetricsRequest(), timeout=TIMEOUT_SECONDS
            )
        except grpc.aio.AioRpcError:
            return None
    return answer.text


async def check(target: str, service: str = "", *, patience: float = TIMEOUT_SECONDS) -> bool:
    """One grpc.health.v1 check; False for any failure.

    Args:
        patience: seconds after which no answer is one.
    """
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            # By hand: the package's type stub leaves the methods out.
            ask = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = await ask(health_pb2.HealthCheckRequest(service=service), timeout=patience)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == SERVING)
