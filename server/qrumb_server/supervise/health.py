"""Health checks of the node's processes."""

from typing import Final

import grpc
from grpc_health.v1 import health_pb2

__all__ = ["check"]

SERVING: Final = health_pb2.HealthCheckResponse.SERVING
CHECK_TIMEOUT_SECONDS: Final = 2.0


async def check(target: str, service: str = "", *, patience: float = CHECK_TIMEOUT_SECONDS) -> bool:
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
