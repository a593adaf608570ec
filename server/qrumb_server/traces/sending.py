"""Where spans go: in groups, by a thread of their own, to the OTLP receiver of the settings.

Invariant: a receiver that is away, slow or broken costs its spans and one line of the log, and no call anything. What
waits for it is bounded.
"""

import logging
from collections.abc import Sequence
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, Tracer, TraceState
from opentelemetry.util.types import Attributes

from qrumb_server import __version__

__all__ = ["Sending"]

log = structlog.get_logger()

# Spans that wait; more are dropped, the oldest first.
MAX_WAITING: Final = 2_048
SEND_INTERVAL_MS: Final = 1_000
# For one group, with all tries of it.
SEND_SECONDS: Final = 3


class Sending:
    """Makes spans of one process, and sends them.

    Args:
        service: what the process is, such as qrumb-collector.
        process: its name within the node.
        sample_ratio: of traces that begin here.
    """

    def __init__(self, *, endpoint: str, service: str, process: str, sample_ratio: float) -> None:
        # Its lines would stand between ours, one for each failure; `_Exporter` says what there is to say.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        logging.getLogger("opentelemetry").propagate = False
        self._exporter = _Exporter(OTLPSpanExporter(endpoint=endpoint, insecure=True, timeout=SEND_SECONDS), endpoint)
        about = {"service.name": service, "service.version": __version__, "service.instance.id": process}
        self._provider = TracerProvider(
            sampler=ParentBased(_Beginning(sample_ratio)),
            resource=Resource.create(about),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(self._exporter, max_queue_size=MAX_WAITING, schedule_delay_millis=SEND_INTERVAL_MS)
        )
        self.tracer: Tracer = self._provider.get_tracer("qrumb", __version__)

    def end(self) -> None:
        """Send what waits, and end. Blocks, for seconds at most; not at all where the receiver was away before."""
        self._exporter.begin_end()
        self._provider.shutdown()


class _Beginning(Sampler):
    """Of spans without a parent: a share; all that are linked to others, which were sampled."""

    def __init__(self, ratio: float) -> None:
        self._share = TraceIdRatioBased(ratio)

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if links:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return self._share.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return f"linked, or {self._share.get_description()}"


class _Exporter(SpanExporter):
    """Says once that the receiver does not take spans, and once that it does again."""

    def __init__(self, inner: SpanExporter, endpoint: str) -> None:
        self._inner = inner
        self._endpoint = endpoint
        self._is_failing = self._is_ending = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._is_failing and self._is_ending:
            return SpanExportResult.FAILURE
        result = self._inner.export(spans)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            log.warning("traces_not_sent", endpoint=self._endpoint)
        elif self._is_failing and not is_failing:
            log.info("traces_sent_again", endpoint=self._endpoint)
        self._is_failing = is_failing
        return result

    def begin_end(self) -> None:
        """Try no longer where nothing was taken last."""
        self._is_ending = True
        if self._is_failing:
            self._inner.shutdown()

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)
