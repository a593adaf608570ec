"""A call's span, and what its log lines, its error and its records say of it."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import structlog
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from structlog.testing import ReturnLogger

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.errors import SpoolFullError
from qrumb_server.rpc.wrappers import Wrappers
from qrumb_server.traces.calls import CallTraces
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, Record

SERVICE = "qrumb.v1.TestService"
TRACE_ID, PARENT = "a1" * 16, "b2" * 8
SAMPLED = (("traceparent", f"00-{TRACE_ID}-{PARENT}-01"),)
RECORDS = [Record(accepted_event=AcceptedEvent(row=EventRow(event_id=str(index)))) for index in range(3)]


class Node:
    """A server whose calls append three records, and what became of them."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.traces = CallTraces(provider.get_tracer("test"))
        self.append = self.traces.append(self._append)
        self.appended: list[bytes] = []

    async def _append(self, records: Sequence[bytes], _sites: Sequence[str]) -> None:
        self.appended += records

    async def answer(self, request: bytes, context: Any) -> bytes:
        """As its request asks."""
        if request == b"full":
            raise SpoolFullError("no room")
        if request == b"fail":
            raise KeyError("jane@mail.example")
        await self.append([one.SerializeToString() for one in RECORDS], ())
        return b""

    async def stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """The same, one by one."""
        async for request in requests:
            yield await self.answer(request, context)

    def ended(self) -> list[ReadableSpan]:
        """Its spans so far."""
        return list(self.spans.get_finished_spans())


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged meanwhile, with what every line of a call has."""
    caught: list[dict[str, Any]] = []

    def keep(_logger: object, _name: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
        caught.append(dict(line))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, keep],
        logger_factory=ReturnLogger,
        cache_logger_on_first_use=False,
    )
    yield caught
    structlog.configure(**before)


@contextlib.asynccontextmanager
async def serving(node: Node, folder: Path) -> AsyncIterator[Any]:
    """A channel to it."""
    server = grpc.aio.server(interceptors=[Wrappers(traces=node.traces)])
    handlers: dict[str, Any] = {
        "Answer": grpc.unary_unary_rpc_method_handler(node.answer),
        "Stream": grpc.stream_stream_rpc_method_handler(node.stream),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    target = f"unix:{folder}/s"
    server.add_insecure_port(target)
    await server.start()
    async with grpc.aio.insecure_channel(target) as channel:
        yield channel
    await server.stop(0)


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_a_traced_call_is_named_in_the_first_of_its_records(tmp_path: Path, kind: str) -> None:
    """By its own span; a reader that knows no traces reads what it always read."""
    node = Node()
    async with serving(node, tmp_path) as channel:
        if kind == "unary":
            await channel.unary_unary(f"/{SERVICE}/Answer")(b"", metadata=SAMPLED)
        else:
            call = channel.stream_stream(f"/{SERVICE}/Stream")([b""], metadata=SAMPLED)
            assert [_ async for _ in call] == [b""]
    append, call = node.ended()
    assert call.context is not None
    assert call.parent is not None
    assert (f"{call.context.trace_id:032x}", f"{call.parent.span_id:016x}") == (TRACE_ID, PARENT)
    assert append.parent == call.context
    found = [Record.FromString(one) for one in node.appended]
    assert [one.traceparent for one in found] == [f"00-{TRACE_ID}-{call.context.span_id:016x}-01", "", ""]
    assert [one.accepted_event for one in found] == [one.accepted_event for one in RECORDS]


@pytest.mark.parametrize(
    "metadata",
    [(), (("traceparent", f"00-{TRACE_ID}-{PARENT}-00"),), (("traceparent", "jane@mail.example"),)],
    ids=["none", "not sampled", "malformed"],
)
async def test_a_call_that_is_not_traced_leaves_its_records_alone(tmp_path: Path, metadata: Any) -> None:
    """Byte for byte."""
    node = Node()
    async with serving(node, tmp_path) as channel:
        await channel.unary_unary(f"/{SERVICE}/Answer")(b"", metadata=metadata)
    assert node.ended() == []
    assert node.appended == [one.SerializeToString() for one in RECORDS]


@pytest.mark.parametrize("flags", ["01", "00"], ids=["sampled", "not sampled"])
async def test_errors_and_log_lines_name_the_trace(tmp_path: Path, lines: list[dict[str, Any]], flags: str) -> None:
    """Of a call that is not sampled too: its caller knows the id."""
    node = Node()
    metadata = (("traceparent", f"00-{TRACE_ID}-{PARENT}-{flags}"),)
    async with serving(node, tmp_path) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Answer")
        for request in (b"full", b"fail"):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(request, metadata=metadata)
            status, info = rpc_status.from_call(cast(Any, refused.value)), ErrorInfo()
            assert status is not None
            assert [info.metadata["trace_id"] for one in status.details if one.Unpack(info)] == [TRACE_ID]
    assert [(line["event"], line["trace_id"]) for line in lines] == [("call_failed", TRACE_ID)]
    codes = [(span.attributes or {})["rpc.response.status_code"] for span in node.ended()]
    assert codes == (["RESOURCE_EXHAUSTED", "INTERNAL"] if flags == "01" else [])
    assert "jane" not in "".join(span.to_json() for span in node.ended())
    assert [span.status.is_ok for span in node.ended()] == ([True, False] if flags == "01" else [])
