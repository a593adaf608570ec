"""A loaded batch is linked to the calls that brought it, as far as they are traced, and ends each of their traces."""

from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.spool.reader import list_sealed
from qrumb_server.traces.batches import MAX_LINKS, BatchTraces
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter, Record
from tests.support.rig import spool_up


def event(traceparent: str = "") -> bytes:
    """A record of an accepted event."""
    row = EventRow(event_id="00000000-0000-4000-8000-000000000001", site_id="s")
    return Record(accepted_event=AcceptedEvent(row=row), traceparent=traceparent).SerializeToString()


def traceparent(number: int) -> str:
    """Of a call."""
    return f"00-{number:032x}-{number:016x}-01"


@pytest.fixture
def ended() -> InMemorySpanExporter:
    """All spans."""
    return InMemorySpanExporter()


@pytest.fixture
def traces(ended: InMemorySpanExporter) -> BatchTraces:
    """What keeps them there."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(ended))
    return BatchTraces(provider.get_tracer("test"))


def named(ended: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """Those of a name."""
    return [span for span in ended.get_finished_spans() if span.name == name]


def test_each_traced_call_is_linked_and_its_trace_ends_with_the_batch(
    tmp_path: Path, traces: BatchTraces, ended: InMemorySpanExporter
) -> None:
    """Of events and dead letters alike; the batch has a trace of its own."""
    letter = Record(dead_letter=DeadLetter(event_id="letter", source="browser"), traceparent=traceparent(2))
    spool_up(tmp_path, [[event(traceparent(1)), event()], [letter.SerializeToString()]])
    batch = traces.read(list_sealed(tmp_path))
    with traces.loading(batch):
        assert named(ended, "stored") == []
    [load] = named(ended, "load")
    assert load.parent is None
    assert load.attributes == {"qrumb.events": 2, "qrumb.segments": 2}
    assert [link.context.trace_id for link in load.links] == [1, 2]
    assert load.context is not None
    stored = named(ended, "stored")
    assert [(span.parent.span_id if span.parent else 0, span.context and span.context.trace_id) for span in stored] == [
        (1, 1),
        (2, 2),
    ]
    assert [[link.context for link in span.links] for span in stored] == [[load.context], [load.context]]


def test_the_links_of_a_batch_are_bounded(tmp_path: Path, traces: BatchTraces, ended: InMemorySpanExporter) -> None:
    """The calls after them are loaded without a word."""
    spool_up(tmp_path, [[event(traceparent(number + 1)) for number in range(MAX_LINKS + 10)]])
    batch = traces.read(list_sealed(tmp_path))
    with traces.loading(batch):
        pass
    assert len(batch.events) == MAX_LINKS + 10
    [load] = named(ended, "load")
    assert len(load.links) == len(named(ended, "stored")) == MAX_LINKS


def test_a_batch_of_calls_that_are_not_traced_has_no_span(
    tmp_path: Path, traces: BatchTraces, ended: InMemorySpanExporter
) -> None:
    """Nor has one of workers that trace nothing."""
    spool_up(tmp_path, [[event()]])
    batch = traces.read(list_sealed(tmp_path))
    with traces.loading(batch):
        pass
    assert len(batch.events) == 1
    assert ended.get_finished_spans() == ()


def test_what_was_not_stored_is_not_called_stored(
    tmp_path: Path, traces: BatchTraces, ended: InMemorySpanExporter
) -> None:
    """A stop while the store is away: the next loader takes the batch."""
    spool_up(tmp_path, [[event(traceparent(1))]])
    batch = traces.read(list_sealed(tmp_path))
    with pytest.raises(KeyError), traces.loading(batch):
        raise KeyError("jane@mail.example")
    [load] = named(ended, "load")
    assert not load.status.is_ok
    assert "jane" not in load.to_json()
    assert named(ended, "stored") == []
