"""The metrics of several processes as one page, with few labels."""

import asyncio
import re
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import Counter, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb.v1.status_service_pb2 import GetStatusResponse
from qrumb_server.errors import ConfigError, SiteShareError
from qrumb_server.loader.progress import Progress
from qrumb_server.metrics import MAX_SITES, OTHER_SITE, SiteLabels, metrics_text, new_registry
from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.rpc.metrics import CollectorMetrics
from qrumb_server.supervise.metrics import MetricsServer, merge, node_metrics
from qrumb_server.watch.watcher import Watcher
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, Record
from tests.support.plain_http import NO_TLS


def text_of(number: int) -> str:
    """Metrics of one process."""
    registry = new_registry()
    Counter("qrumb_things", "Things.", ["site_id"], registry=registry).labels(site_id='a"b').inc(number)
    Histogram("qrumb_seconds", "Seconds.", buckets=(1.0,), registry=registry).observe(0.5)
    return metrics_text(registry)


class Page:
    """What a registry would collect."""

    def __init__(self, metrics: list[object]) -> None:
        self.metrics = metrics

    def collect(self) -> list[object]:
        """All of them."""
        return self.metrics


def test_processes_are_told_apart_and_each_metric_has_one_head() -> None:
    """The merged page can be read back, sample by sample."""
    page = generate_latest(Page(merge({"one": text_of(1), "two": text_of(2)}))).decode()  # type: ignore[arg-type]
    assert page.count("# TYPE qrumb_things_total counter") == page.count("# TYPE qrumb_seconds histogram") == 1
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    things = {s.labels["process"]: s.value for s in samples if s.name == "qrumb_things_total"}
    assert things == {"one": 1, "two": 2}
    assert {s.labels["site_id"] for s in samples if s.name == "qrumb_things_total"} == {'a"b'}
    assert len([s for s in samples if s.name == "qrumb_seconds_bucket"]) == 4


def test_site_labels_are_bounded() -> None:
    """Made-up sites make no time series, and no text of a sender becomes a label."""
    labels = SiteLabels()
    assert labels.label("jane@example.org") == labels.label("") == OTHER_SITE
    given = [labels.label(f"site-{number}") for number in range(MAX_SITES + 500)]
    assert given[:2] == ["site-0", "site-1"]
    assert set(given[MAX_SITES:]) == {OTHER_SITE}
    assert labels.label("site-7") == "site-7"


async def test_a_worker_counts_refusals_and_broken_rules_by_their_names() -> None:
    """Each reason once for an event, however many fields break it."""
    registry = new_registry()
    metrics = CollectorMetrics(registry)

    async def refuse(records: object, sites: object) -> None:
        raise SiteShareError("full", "loud")

    with pytest.raises(SiteShareError):
        await metrics.metered(refuse)([b"x"], ["s"])
    raw = RawEvent(source=Source.SERVER, message=ServerEvent(site_id="jane@example.org"), caller=Caller(), index=0)
    violations = [Violation(reason=Violation.REQUIRED), Violation(reason=Violation.REQUIRED)]
    metrics.count([Rejected(raw=raw, event_id="", violations=violations)], {"demo": 2})
    said = metrics_text(registry)
    assert 'qrumb_spool_refusals_total{reason="SITE_SPOOL_SHARE"} 1.0' in said
    assert 'qrumb_event_violations_total{reason="REQUIRED"} 1.0' in said
    assert 'qrumb_events_rejected_total{site_id="other"} 1.0' in said
    assert 'qrumb_events_accepted_total{site_id="demo"} 2.0' in said
    assert "jane" not in said


def test_a_worker_counts_accepted_events_by_their_warnings() -> None:
    """Each code once for an event, however many fields have it."""
    registry = new_registry()
    row = EventRow(site_id="demo")
    said = [EventWarning(field=name, code=EventWarning.UNKNOWN_FIELD) for name in ("jane@example.org", "b")]
    event = StampedEvent(record=Record(accepted_event=AcceptedEvent(row=row)), warnings=said)
    CollectorMetrics(registry).count([event, event], {"demo": 1})
    text = metrics_text(registry)
    assert 'qrumb_event_warnings_total{code="UNKNOWN_FIELD",site_id="demo"} 2.0' in text
    assert 'qrumb_events_accepted_total{site_id="demo"} 3.0' in text
    assert "jane" not in text


async def test_the_port_answers_from_its_opening_to_its_close() -> None:
    """Empty at first; then with what the node knows; a taken port is refused in one line."""
    server = MetricsServer.open("127.0.0.1", 0)
    try:
        url = f"http://127.0.0.1:{server.port}/metrics"
        with pytest.raises(ConfigError, match=f"{server.port}: the port is taken; set METRICS_PORT"):
            MetricsServer.open("127.0.0.1", server.port)
        async with httpx.AsyncClient(verify=NO_TLS) as client:
            assert (await client.get(url)).text.strip() == ""

            async def gather() -> list[object]:
                await asyncio.sleep(0)
                return list(node_metrics(GetStatusResponse(condition=GetStatusResponse.DEGRADED, spool_bytes=7)))

            server.ask(gather)  # type: ignore[arg-type]
            said = (await client.get(url)).text
            assert 'qrumb_node_condition{condition="DEGRADED"} 1.0' in said
            assert "qrumb_spool_bytes 7.0" in said
    finally:
        await server.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_every_metric_is_documented_and_nothing_else_is() -> None:
    """docs/metrics.md names what there is."""
    registry = new_registry()
    CollectorMetrics(registry)
    unasked: Any = None
    Watcher(
        store=unasked,
        clock=unasked,
        watches=dict,
        limits=unasked,
        is_alone=True,
        progress=Progress(registry),
        registry=registry,
    )
    families = [*registry.collect(), *node_metrics(GetStatusResponse())]
    there = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    text = (Path(__file__).resolve().parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"qrumb_\w+", rows)) == there
