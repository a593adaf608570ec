"""Traces, where they are on: the one place that imports OpenTelemetry, and only then."""

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from qrumb_server.config import Settings, TracesSettings
from qrumb_server.errors import ConfigError
from qrumb_server.rpc.hotpath import is_built

if TYPE_CHECKING:
    from qrumb_server.loader.batch import Reading
    from qrumb_server.traces.calls import CallTraces
    from qrumb_server.traces.sending import Sending

__all__ = ["batch_reading", "call_traces", "check_traces", "end_traces", "open_traces"]

_PACKAGE: Final = "opentelemetry.exporter.otlp.proto.grpc"


def check_traces(traces: TracesSettings) -> None:
    """Refuse a start that could not trace.

    Raises:
        ConfigError: the packages are not there.
    """
    if not traces.endpoint:
        return
    try:
        is_there = find_spec(_PACKAGE) is not None
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise ConfigError(
            "traces.endpoint is set, and OpenTelemetry is not installed; pip install 'qrumb-server[traces]', "
            "or leave it out"
        )


def open_traces(settings: Settings, service: str, process: str) -> "Sending | None":
    """What sends the spans of a process; None where traces are off."""
    traces = settings.traces
    if not traces.endpoint:
        return None
    from qrumb_server.traces.sending import Sending

    return Sending(endpoint=traces.endpoint, service=service, process=process, sample_ratio=traces.sample_ratio)


async def end_traces(sending: "Sending | None") -> None:
    """Send what waits, for seconds at most."""
    if sending is not None:
        await asyncio.to_thread(sending.end)


def call_traces(sending: "Sending | None") -> "CallTraces | None":
    """What stands around calls."""
    if sending is None:
        return None
    from qrumb_server.traces.calls import CallTraces

    return CallTraces(sending.tracer)


def batch_reading(sending: "Sending | None", *, compiled: bool) -> "Reading":
    """How the loader reads batches, and what stands around their loading."""
    from qrumb_server.loader.batch import PlainReading, read_batch, read_compiled

    read = read_compiled if compiled and is_built() else read_batch
    if sending is None:
        return PlainReading(read)
    from qrumb_server.traces.batches import BatchTraces

    return BatchTraces(sending.tracer, read)
