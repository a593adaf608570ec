"""A receiver of traces: OTLP over gRPC, by the generated service of opentelemetry-proto."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.patience import patient
from tests.support.stack import wait_until

__all__ = ["Received", "Receiver", "receiving_traces"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A span, and who sent it."""

    service: str
    span: Span

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def attributes(self) -> dict[str, Any]:
        return _plain(self.span.attributes)


@dataclass(slots=True)
class Receiver(TraceServiceServicer):
    """Keeps all spans that it is sent, while it answers."""

    endpoint: str = ""
    spans: list[Received] = field(default_factory=list)
    image: bytes = b""
    """All of it, as it was sent."""
    answers: threading.Event = field(default_factory=threading.Event)
    """Cleared: callers wait for their answer."""
    waiting: threading.Event = field(default_factory=threading.Event)
    """Set once one does."""
    stop: Callable[[], object] = lambda: None
    """Be away from now on."""

    def Export(self, request: Any, context: Any) -> ExportTraceServiceResponse:
        self.waiting.set()
        self.answers.wait(patient(60))
        self.image += request.SerializeToString()
        for of_resource in request.resource_spans:
            service = _plain(of_resource.resource.attributes)["service.name"]
            for of_scope in of_resource.scope_spans:
                self.spans += [Received(service=service, span=span) for span in of_scope.spans]
        return ExportTraceServiceResponse()

    def wait_for(self, service: str, trace_id: str, *names: str) -> list[Received]:
        """The spans of a service in a trace, in the order in which they began, once all of these names are there."""
        wait_until(lambda: {one.span.name for one in self.of(service, trace_id)} >= set(names), 30)
        return sorted(self.of(service, trace_id), key=lambda one: one.span.start_time_unix_nano)

    def of(self, service: str, trace_id: str) -> list[Received]:
        """The spans of a service in a trace."""
        return [one for one in self.spans if (one.service, one.trace_id) == (service, trace_id)]


def _plain(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


@contextmanager
def receiving_traces() -> Iterator[Receiver]:
    """One that listens on a free port."""
    server = grpc.server(ThreadPoolExecutor(4))
    receiver = Receiver()
    receiver.answers.set()
    add_TraceServiceServicer_to_server(receiver, server)
    receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    receiver.stop = lambda: server.stop(None).wait()
    server.start()
    try:
        yield receiver
    finally:
        receiver.answers.set()
        receiver.stop()
