"""How long calls take, by method and outcome: OpenTelemetry's stable convention for RPC servers.

Invariant: a label is a method that is served, or OTHER; a caller's text never is one. Health checks and questions of
the supervisor are not counted: they are the most frequent calls and say nothing of senders.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc
from prometheus_client import CollectorRegistry

from qrumb_server.metrics import Timings

__all__ = ["UNCOUNTED", "CallDurations", "code_of"]

# The convention's own.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
OTHER: Final = "_OTHER"
UNCOUNTED: Final = ("/grpc.health.v1.Health/", "/qrumb_server.wire.v1.ProcessService/")
CODES: Final = {code.value[0]: code.name for code in grpc.StatusCode}
OK: Final = 0
SUCCESS: Final = CODES[OK]
CANCELLED: Final = "CANCELLED"
UNKNOWN: Final = "UNKNOWN"
Context = grpc.aio.ServicerContext[Any, Any]


class CallDurations:
    """A wrapper, as `wrappers.Wrapper` says; it belongs around all others, to see what they answer."""

    def __init__(self, registry: CollectorRegistry, *, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._timings = Timings(
            "rpc_server_call_duration_seconds",
            "Time of a call from its message to its last answer.",
            BUCKETS,
            registry,
            labels=("rpc_method", "rpc_response_status_code"),
        )
        self._monotonic = monotonic

    def unary(self, method: Any, call: Callable[[Any, Context], Any]) -> Callable[[Any, Context], Any]:
        """Timed until its answer."""
        if method.name.startswith(UNCOUNTED):
            return call
        name, monotonic = method.name.lstrip("/"), self._monotonic

        async def timed(request: Any, context: Context) -> Any:
            begun = monotonic()
            try:
                answer = await call(request, context)
            except BaseException as error:
                self._observe(name, code_of(context, error), begun)
                raise
            stated: Any = context.code()
            code = code_of(context) if stated else SUCCESS  # most calls are such
            self._timings.of(name, code).observe(monotonic() - begun)
            return answer

        return timed

    def streams(
        self, method: Any, call: Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]
    ) -> Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]]:
        """Timed until its last answer."""
        if method.name.startswith(UNCOUNTED):
            return call
        name = method.name.lstrip("/")

        async def timed(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            begun = self._monotonic()
            try:
                async for answer in call(requests, context):
                    yield answer
            except BaseException as error:
                self._observe(name, code_of(context, error), begun)
                raise
            self._observe(name, code_of(context), begun)

        return timed

    def refused(self, code: grpc.StatusCode) -> None:
        """Count a call that was refused before its message was read; its method may be any text."""
        self._timings.of(OTHER, code.name).observe(0)

    def _observe(self, method: str, code: str, begun: float) -> None:
        self._timings.of(method, code).observe(self._monotonic() - begun)


def code_of(context: Context, error: BaseException | None = None) -> str:
    """The name of the status that the caller gets."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return CANCELLED  # the caller has left, or its deadline has passed
    code: Any = context.code()
    number = code.value[0] if isinstance(code, grpc.StatusCode) else code or OK
    if error is not None and number == OK:
        return UNKNOWN
    return CODES.get(number, UNKNOWN)
