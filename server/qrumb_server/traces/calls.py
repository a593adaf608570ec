"""A span of each call, after OpenTelemetry's conventions for RPC servers, and of its append to the spool.

The call's span goes with its records: the first of each append names it (`Record.traceparent`), so that the loader can
tell which calls a batch is of. Records are extended and not made anew, as protobuf reads a message and what is appended
to it as one; thus the compiled way knows nothing of it.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context as TraceContext
from opentelemetry.trace import Span, SpanKind, Tracer
from opentelemetry.trace import StatusCode as Outcome
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from structlog.contextvars import bind_contextvars

from qrumb_server.rpc.caller import said
from qrumb_server.rpc.durations import UNCOUNTED, code_of
from qrumb_server.rpc.metrics import AppendRecords
from qrumb_server.rpc.wrappers import Context, Method, Streams, Unary
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["CallTraces", "context_of", "traceparent_of"]

# Those of a call whose outcome is the server's fault, by the conventions.
FAULTS: Final = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
_HEADER: Final = "traceparent"
_PROPAGATOR: Final = TraceContextTextMapPropagator()


def context_of(traceparent: str) -> TraceContext:
    """With the span that a header names; without one where it names none. What belongs to it, tracestate, is not read:
    it may hold any text of a caller."""
    return _PROPAGATOR.extract({_HEADER: traceparent}, TraceContext())


def traceparent_of(span: Span) -> str:
    """The header that names a span."""
    known = span.get_span_context()
    return f"00-{known.trace_id:032x}-{known.span_id:016x}-{known.trace_flags:02x}"


class CallTraces:
    """A wrapper, as `wrappers.Wrapper` says; it belongs around all others: log lines and errors of a call name its
    trace."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def unary(self, method: Method, call: Unary) -> Unary:
        """Until its answer."""
        if method.name.startswith(UNCOUNTED):
            return call
        name = method.name.lstrip("/")

        async def traced(request: Any, context: Context) -> Any:
            with self._span(name, context):
                return await call(request, context)

        return traced

    def streams(self, method: Method, call: Streams) -> Streams:
        """Until its last answer."""
        if method.name.startswith(UNCOUNTED):
            return call
        name = method.name.lstrip("/")

        async def traced(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            with self._span(name, context):
                async for answer in call(requests, context):
                    yield answer

        return traced

    def append(self, append: AppendRecords) -> AppendRecords:
        """The same, with a span, and with the call's span in the first of the records."""

        async def traced(records: Sequence[bytes], sites: Sequence[str]) -> None:
            of_call = trace.get_current_span()
            if not records or not of_call.is_recording():
                await append(records, sites)
                return
            named = records[0] + Record(traceparent=traceparent_of(of_call)).SerializeToString()
            with self._tracer.start_as_current_span(
                "spool.append",
                attributes={"qrumb.records": len(records)},
                record_exception=False,
                set_status_on_exception=False,  # the call's span has what came of it
            ):
                await append([named, *records[1:]], sites)

        return traced

    @contextmanager
    def _span(self, name: str, context: Context) -> Iterator[None]:
        with self._tracer.start_as_current_span(
            name,
            context_of(said(context, _HEADER)),
            SpanKind.SERVER,
            {"rpc.system.name": "grpc", "rpc.method": name},
            # An exception's text could quote an event.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            bind_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}")
            try:
                yield
            except BaseException as error:
                _conclude(span, code_of(context, error))
                raise
            _conclude(span, code_of(context))


def _conclude(span: Span, code: str) -> None:
    span.set_attribute("rpc.response.status_code", code)
    if code in FAULTS:
        span.set_attribute("error.type", code)
        span.set_status(Outcome.ERROR)
