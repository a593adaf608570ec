"""A receiver that hangs or is away costs its spans, and no one else anything."""

import subprocess
import sys

import pytest
from opentelemetry.trace import Link, SpanContext, TraceFlags
from structlog.testing import capture_logs

from qrumb_server.app.tracing import check_traces, open_traces
from qrumb_server.config import Settings, TracesSettings
from qrumb_server.errors import ConfigError
from qrumb_server.traces.sending import MAX_WAITING, Sending
from tests.support.otlp import receiving_traces
from tests.support.ports import claimed_port
from tests.support.stack import wait_until

ALL = """
import sys
import qrumb_server.app.collector, qrumb_server.app.loader, qrumb_server.commands.serve
print(sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""


def sending(endpoint: str, sample_ratio: float = 1) -> Sending:
    """As a worker's."""
    return Sending(endpoint=endpoint, service="qrumb-test", process="test", sample_ratio=sample_ratio)


def test_spans_are_made_while_the_receiver_hangs() -> None:
    """More than wait for it; the receiver answers only once all are made, so none has waited for it."""
    with receiving_traces() as receiver:
        receiver.answers.clear()
        own = sending(receiver.endpoint)
        own.tracer.start_span("first").end()
        assert receiver.waiting.wait(60)
        for _ in range(2 * MAX_WAITING):
            own.tracer.start_span("later").end()
        assert receiver.spans == []
        receiver.answers.set()
        own.end()
        assert 0 < len(receiver.spans) <= MAX_WAITING + 513


def test_an_absence_is_told_once_and_its_end_once() -> None:
    """Whatever the number of tries."""
    port = claimed_port()
    with capture_logs() as logs:
        own = sending(f"http://127.0.0.1:{port}")
        own.tracer.start_span("lost").end()
        wait_until(lambda: logs, 30)
        own.tracer.start_span("lost").end()
        own.end()
    assert [line["event"] for line in logs] == ["traces_not_sent"]


def test_a_share_of_what_begins_here_is_sampled_and_all_that_is_linked() -> None:
    """The calls that a batch is linked to were sampled."""
    with receiving_traces() as receiver:
        own = sending(receiver.endpoint, sample_ratio=0)
        call = SpanContext(1, 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        own.tracer.start_span("begun here").end()
        own.tracer.start_span("linked", links=[Link(call)]).end()
        own.end()
        assert [one.span.name for one in receiver.spans] == ["linked"]


def test_without_an_endpoint_nothing_of_opentelemetry_is_imported() -> None:
    """By nothing that runs in a node."""
    done = subprocess.run([sys.executable, "-c", ALL], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert open_traces(Settings(), "qrumb-test", "test") is None


def test_a_start_without_the_packages_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any process is started; and only where traces are wanted."""
    on = TracesSettings(endpoint="http://127.0.0.1:4317")
    check_traces(on)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc", None)
    check_traces(TracesSettings())
    with pytest.raises(ConfigError, match=r"pip install 'qrumb-server\[traces\]'"):
        check_traces(on)


@pytest.mark.parametrize(
    "wrong",
    [
        "127.0.0.1:4317",
        "https://otel.example:4317",
        "http://otel.example",
        "http://a b:1",
        "http://[::1]:0",
        "http://otel:99999",
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(wrong: str) -> None:
    """With what it must be."""
    with pytest.raises(ValueError, match="must be http://HOST:PORT"):
        TracesSettings(endpoint=wrong)
