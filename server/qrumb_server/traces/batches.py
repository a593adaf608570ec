"""Spans of loaded batches: one of the batch, linked to the calls that brought it, and one in the trace of each of them.

A batch belongs to many traces. Its own span has the links; the short ones let each trace end where its events were
stored.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanKind, Tracer
from opentelemetry.trace import StatusCode as Outcome
from structlog.contextvars import bound_contextvars

from qrumb_server.loader.batch import Batch, Read, decode_record, read_batch
from qrumb_server.spool.reader import SegmentRef
from qrumb_server.traces.calls import context_of
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["MAX_LINKS", "BatchTraces"]

# Of a batch; also as many as OpenTelemetry keeps of a span. Further calls are left out.
MAX_LINKS: Final = 128


class BatchTraces:
    """As `loader.batch.Reading`: notes which traced calls a batch is of, and tells how its loading went."""

    def __init__(self, tracer: Tracer, read: Read = read_batch) -> None:
        self._tracer = tracer
        self._read = read

    def read(self, refs: Sequence[SegmentRef]) -> Batch:
        """With its calls."""
        traceparents: list[str] = []

        def decode(data: bytes) -> Record:
            record = decode_record(data)
            if record.traceparent and len(traceparents) < MAX_LINKS:
                traceparents.append(record.traceparent)
            return record

        batch = self._read(refs, decode)
        return replace(batch, traceparents=list(dict.fromkeys((*batch.traceparents, *traceparents)))[:MAX_LINKS])

    @contextmanager
    def loading(self, batch: Batch) -> Iterator[None]:
        """The spans; none where no call of it was traced."""
        calls = [context_of(one) for one in batch.traceparents]
        links = [Link(trace.get_current_span(call).get_span_context()) for call in calls]
        if not links:
            yield
            return
        about = {"qrumb.events": len(batch.events), "qrumb.segments": len(batch.segment_ids)}
        with (
            self._tracer.start_as_current_span(
                "load",
                Context(),
                SpanKind.CONSUMER,
                about,
                links,
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            bound_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}"),
        ):
            try:
                yield
            except BaseException as error:
                # A stop, while the store is away: the next loader takes the batch.
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(Outcome.ERROR)
                raise
        begun = span.start_time if isinstance(span, ReadableSpan) else None
        for call in calls:
            kept = self._tracer.start_span(
                "stored", call, SpanKind.CONSUMER, links=[Link(span.get_span_context())], start_time=begun
            )
            kept.end()
