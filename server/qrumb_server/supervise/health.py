"""Health of the node: asks its processes over grpc.health.v1, answers for the whole."""

import asyncio
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
from grpc_health.v1 import health_pb2

from qrumb.v1 import status_service_pb2 as pb
from qrumb.v1.status_service_pb2_grpc import StatusServiceServicer
from qrumb_server import __version__
from qrumb_server.ports import Clock
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.spool.reader import usage
from qrumb_server.supervise.child import Child

__all__ = ["LOADER_STORE_SERVICE", "NodeStatus", "check", "check_gateway"]

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
# The loader's health service that says whether ClickHouse takes rows.
LOADER_STORE_SERVICE: Final = "clickhouse"
CHECK_TIMEOUT_SECONDS: Final = 2.0


async def check(target: str, service: str = "") -> bool:
    """One grpc.health.v1 check; False for any failure."""
    try:
        async with grpc.aio.insecure_channel(target) as channel:
            # By hand: the package's type stub leaves the methods out.
            ask = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = await ask(health_pb2.HealthCheckRequest(service=service), timeout=CHECK_TIMEOUT_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == SERVING)


async def check_gateway(admin_socket: str) -> bool:
    """Whether Envoy takes requests; False for any failure."""
    transport = httpx.AsyncHTTPTransport(uds=admin_socket)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=CHECK_TIMEOUT_SECONDS) as client:
            answer = await client.get("http://envoy/ready")
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK


class NodeStatus(StatusServiceServicer):
    """StatusService for the node: READY, DEGRADED with reasons, or NOT_READY (UNAVAILABLE)."""

    def __init__(
        self,
        *,
        collectors: list[Child],
        others: list[Child],
        loader_target: str,
        spool_dir: Path,
        clock: Clock,
    ) -> None:
        self._collectors = collectors
        self._others = others
        self._loader_target = loader_target
        self._spool_dir = spool_dir
        self._clock = clock
        self.is_stopping = False

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetStatusResponse:
        """How this node is doing."""
        if self.is_stopping:
            raise RequestFault(grpc.StatusCode.UNAVAILABLE, "STOPPING", "the node is stopping")
        if not any(child.serving for child in self._collectors):
            raise RequestFault(grpc.StatusCode.UNAVAILABLE, "NO_COLLECTOR", "no collector process is serving")
        children = [*self._collectors, *self._others]
        reasons = [
            f"{child.spec.name} is not serving; it is being restarted" for child in children if not child.serving
        ]
        if not reasons and not await check(self._loader_target, LOADER_STORE_SERVICE):
            reasons.append("ClickHouse does not take rows; events are kept in the spool meanwhile")
        # In a thread: after a long outage of ClickHouse there are many files.
        used = await asyncio.to_thread(usage, self._spool_dir, now_ms=self._clock.now_ms())
        if used.quarantined_segments:
            reasons.append(
                f"{used.quarantined_segments} damaged segments are in spool/quarantine; what could be read of them is "
                "stored: look at the log, then move them away"
            )
        return pb.GetStatusResponse(
            condition=pb.GetStatusResponse.DEGRADED if reasons else pb.GetStatusResponse.READY,
            reasons=reasons,
            processes=[
                pb.ProcessStatus(name=child.spec.name, serving=child.serving, restart_count=child.restart_count)
                for child in children
            ],
            spool_bytes=used.total_bytes,
            oldest_segment_seconds=used.oldest_age.total_seconds() if used.oldest_age else 0.0,
            version=__version__,
        )
