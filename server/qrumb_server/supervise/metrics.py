"""The node's metrics under one port: each process keeps its own, the supervisor gathers them when asked.

Invariant: a process that does not answer is missing from the answer, and qrumb_process_up says so.
"""

import asyncio
import errno
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, Self
from wsgiref.simple_server import WSGIServer

from prometheus_client import Metric, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from qrumb.v1.status_service_pb2 import GetStatusResponse
from qrumb_server.errors import ConfigError

__all__ = ["MetricsServer", "merge", "node_metrics"]

GATHER_TIMEOUT_SECONDS: Final = 10.0
Gather = Callable[[], Awaitable[Iterable[Metric]]]


class MetricsServer(Collector):
    """Listens from `open` on; has something to say once it was told whom to ask."""

    def __init__(self, host: str, port: int) -> None:
        """Use `open`."""
        self._loop = asyncio.get_running_loop()
        self._gather: Gather | None = None
        self._server: WSGIServer
        self._thread: threading.Thread
        self._server, self._thread = start_http_server(port, host, registry=self)

    @classmethod
    def open(cls, host: str, port: int) -> Self:
        """Listen; port 0 takes any free one.

        Raises:
            ConfigError: the port is taken, or the address is not this machine's.
        """
        try:
            return cls(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise ConfigError(f"{host}:{port}: the port is taken; set METRICS_PORT to another one") from error
            raise ConfigError(f"{host}:{port}: cannot listen there: {error.strerror}; see metrics.host") from error

    @property
    def port(self) -> int:
        """The real port."""
        return int(self._server.server_port)

    def ask(self, gather: Gather) -> None:
        """From now on, answer with what `gather` finds; it runs in this event loop."""
        self._gather = gather

    def collect(self) -> Iterable[Metric]:
        """Called in a thread of the HTTP server."""
        gather = self._gather
        if gather is None:
            return []

        async def run() -> Iterable[Metric]:
            return await gather()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result(GATHER_TIMEOUT_SECONDS)
        except FutureTimeoutError:
            future.cancel()
            return []

    async def close(self) -> None:
        """Stop listening."""
        self._gather = None
        await asyncio.to_thread(self._server.shutdown)
        self._server.server_close()
        self._thread.join(1)


def merge(texts: Mapping[str, str]) -> list[Metric]:
    """The metrics of several processes as one, each sample with the label `process`."""
    merged: dict[str, Metric] = {}
    for process, text in texts.items():
        for family in text_string_to_metric_families(text):
            metric = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                metric.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
    return list(merged.values())


def node_metrics(status: GetStatusResponse) -> list[Metric]:
    """What the supervisor itself knows."""
    loading = status.loading
    gauges = {
        "qrumb_spool_bytes": ("Bytes in the spool.", status.spool_bytes),
        "qrumb_spool_limit_bytes": ("Bytes that the spool may hold.", status.spool_limit_bytes),
        "qrumb_spool_segments": ("Sealed segments in the spool.", status.spool_segments),
        "qrumb_spool_rows": ("Events in sealed segments.", status.spool_rows),
        "qrumb_spool_oldest_age_seconds": ("Age of the oldest sealed segment.", status.oldest_segment_seconds),
        "qrumb_spool_quarantined_segments": ("Damaged segments put aside.", status.quarantined_segments),
        "qrumb_disk_free_bytes": ("Bytes free on the spool's disk.", status.free_disk_bytes),
        "qrumb_store_available": ("1 while ClickHouse takes rows.", int(loading.store_available)),
        "qrumb_loader_lag_seconds": ("How far loading is behind.", loading.lag_seconds),
        "qrumb_loader_rows_per_second": ("Rows loaded per second, last minute.", loading.rows_per_second),
    }
    condition = GaugeMetricFamily("qrumb_node_condition", "1 for the condition of the node.", labels=["condition"])
    for value in (GetStatusResponse.READY, GetStatusResponse.DEGRADED, GetStatusResponse.NOT_READY):
        condition.add_metric([GetStatusResponse.Condition.Name(value)], float(status.condition == value))
    up = GaugeMetricFamily("qrumb_process_up", "1 while the process serves.", labels=["process"])
    restarts = CounterMetricFamily("qrumb_process_restarts", "Starts after the first.", labels=["process"])
    for process in status.processes:
        up.add_metric([process.name], float(process.serving))
        restarts.add_metric([process.name], process.restart_count)
    return [
        condition,
        up,
        restarts,
        *(GaugeMetricFamily(name, about, value=value) for name, (about, value) in gauges.items()),
    ]
