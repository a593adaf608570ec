"""Writes deploy/grafana/dashboards/: `python tools/dashboards.py`.

One page for an operator, in the order in which an event travels; each panel is a query, a unit and a sentence that says
what to look for. The names are those of docs/metrics.md.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["NODE", "Panel", "Query", "Row", "dashboard"]

TARGET: Final = Path(__file__).resolve().parent.parent / "deploy" / "grafana" / "dashboards"
SOURCE: Final = {"type": "prometheus", "uid": "${source}"}
# Grafana's grid.
COLUMNS: Final = 24
HEIGHT: Final = 8
HEADLINE: Final = 4
# Of Grafana's own; dashboards of it open in all later versions.
SCHEMA_VERSION: Final = 39
ACCEPTED: Final = "qrumb_events_accepted_total"
REJECTED: Final = "qrumb_events_rejected_total"
# Of calls whose failure is ours or the node's, not the sender's.
OURS: Final = "INTERNAL|UNAVAILABLE|UNKNOWN|DATA_LOSS|DEADLINE_EXCEEDED"
CALLS: Final = "rpc_server_call_duration_seconds"
COLLECTING: Final = ".*Collect.*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One line, or one for each set of labels."""

    promql: str
    """In which `{n}` stands for the chosen nodes, alone or before further conditions."""
    legend: str

    @property
    def expr(self) -> str:
        """The query as Grafana takes it."""
        return self.promql.replace("{n}", '{instance=~"$instance"}').replace("{n,", '{instance=~"$instance",')


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A chart, or a number where `is_number`."""

    title: str
    about: str
    unit: str
    queries: Sequence[Query]
    is_number: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels side by side."""

    title: str
    panels: Sequence[Panel]


def one(promql: str, legend: str = "{{instance}}") -> Sequence[Query]:
    """A single query."""
    return (Query(promql=promql, legend=legend),)


def rate(metric: str, *by: str, condition: str = "") -> str:
    """Per second, over as long as Grafana finds right, summed by labels."""
    return f"sum by ({', '.join(('instance', *by))}) (rate({metric}{{n{condition}}}[$__rate_interval]))"


def quantile(share: float, metric: str, *by: str, condition: str = "") -> str:
    """Of a histogram."""
    inner = rate(f"{metric}_bucket", "le", *by, condition=condition)
    return f"histogram_quantile({share}, {inner})"


NODE: Final = (
    Row(
        title="At a glance",
        panels=(
            Panel(
                title="Condition",
                about="1: ready. 0: `qrumb status` on the node says why.",
                unit="none",
                queries=one('qrumb_node_condition{n, condition="READY"}'),
                is_number=True,
            ),
            Panel(
                title="Events per second",
                about="Accepted and durable, all sites.",
                unit="cps",
                queries=one(rate(ACCEPTED)),
                is_number=True,
            ),
            Panel(
                title="Behind",
                about="Age of the event loaded last, while others wait.",
                unit="s",
                queries=one("qrumb_loader_lag_seconds{n}"),
                is_number=True,
            ),
            Panel(
                title="Spool",
                about="Share of its room that is taken; at 100 % senders are turned away.",
                unit="percentunit",
                queries=one("qrumb_spool_bytes{n} / qrumb_spool_limit_bytes{n}"),
                is_number=True,
            ),
            Panel(
                title="Processes away",
                about="Started again by the node itself; more than a few an hour are worth a look at its log.",
                unit="none",
                queries=one("count by (instance) (qrumb_process_up{n}) - sum by (instance) (qrumb_process_up{n})"),
                is_number=True,
            ),
        ),
    ),
    Row(
        title="Way in",
        panels=(
            Panel(
                title="Accepted events",
                about="By site. A site that falls silent has a broken tag or backend more often than no visitors.",
                unit="cps",
                queries=one(rate(ACCEPTED, "site_id"), "{{site_id}} {{instance}}"),
            ),
            Panel(
                title="Rejected events",
                about="By what is wrong; `qrumb rejected` shows them, docs/errors.md explains each reason.",
                unit="cps",
                queries=one(rate("qrumb_event_violations_total", "reason"), "{{reason}} {{instance}}"),
            ),
            Panel(
                title="Events with warnings",
                about="Accepted, but changed or odd. UNKNOWN_FIELD is a typo: its data is lost; receipts name it.",
                unit="cps",
                queries=one(rate("qrumb_event_warnings_total", "site_id", "code"), "{{site_id}} {{code}} {{instance}}"),
            ),
            Panel(
                title="Calls turned away",
                about="By key, origin, site or quota, and by a spool without room.",
                unit="cps",
                queries=(
                    Query(promql=rate("qrumb_calls_refused_total", "reason"), legend="{{reason}} {{instance}}"),
                    Query(
                        promql=f"{rate('qrumb_spool_refusals_total', 'reason')} or vector(0)",
                        legend="{{reason}} {{instance}}",
                    ),
                ),
            ),
        ),
    ),
    Row(
        title="Calls",
        panels=(
            Panel(
                title="Calls per second",
                about="By method; those of JsonCollectorService are events as JSON.",
                unit="cps",
                queries=one(rate(f"{CALLS}_count", "rpc_method"), "{{rpc_method}} {{instance}}"),
            ),
            Panel(
                title="Time of a collecting call",
                about="Half of them, and all but one in a hundred, are answered within.",
                unit="s",
                queries=(
                    Query(
                        promql=quantile(0.5, CALLS, condition=f', rpc_method=~"{COLLECTING}"'),
                        legend="half {{instance}}",
                    ),
                    Query(
                        promql=quantile(0.99, CALLS, condition=f', rpc_method=~"{COLLECTING}"'),
                        legend="99 % {{instance}}",
                    ),
                ),
            ),
            Panel(
                title="Failed calls",
                about="By status: what the sender did wrong, and what failed here.",
                unit="cps",
                queries=one(
                    rate(
                        f"{CALLS}_count",
                        "rpc_response_status_code",
                        condition=', rpc_response_status_code!="OK"',
                    ),
                    "{{rpc_response_status_code}} {{instance}}",
                ),
            ),
        ),
    ),
    Row(
        title="Gateway",
        panels=(
            Panel(
                title="Answers",
                about="By class of their HTTP status.",
                unit="cps",
                queries=one(
                    rate("envoy_http_downstream_rq_xx_total", "envoy_response_code_class"),
                    "{{envoy_response_code_class}}xx {{instance}}",
                ),
            ),
            Panel(
                title="Connections",
                about="Open ones; beyond gateway.max_connections further ones are closed.",
                unit="none",
                queries=one("envoy_http_downstream_cx_active{n}"),
            ),
            Panel(
                title="Requests under way",
                about="Beyond gateway.max_concurrent_requests further ones are answered 503.",
                unit="none",
                queries=one("envoy_http_downstream_rq_active{n}"),
            ),
        ),
    ),
    Row(
        title="Spool",
        panels=(
            Panel(
                title="Bytes",
                about="Taken, and the room there is.",
                unit="bytes",
                queries=(
                    Query(promql="qrumb_spool_bytes{n}", legend="taken {{instance}}"),
                    Query(promql="qrumb_spool_limit_bytes{n}", legend="room {{instance}}"),
                    Query(promql="qrumb_disk_free_bytes{n}", legend="free on the disk {{instance}}"),
                ),
            ),
            Panel(
                title="Until events are durable",
                about="The disk's sync. Tens of milliseconds are a slow or a shared disk.",
                unit="s",
                queries=(
                    Query(promql=quantile(0.5, "qrumb_spool_append_seconds"), legend="half {{instance}}"),
                    Query(promql=quantile(0.99, "qrumb_spool_append_seconds"), legend="99 % {{instance}}"),
                ),
            ),
            Panel(
                title="Waiting events",
                about="In sealed segments; and how old the oldest is, in seconds.",
                unit="none",
                queries=(
                    Query(promql="qrumb_spool_rows{n}", legend="events {{instance}}"),
                    Query(promql="qrumb_spool_oldest_age_seconds{n}", legend="oldest, s {{instance}}"),
                    Query(promql="qrumb_spool_quarantined_segments{n}", legend="damaged segments {{instance}}"),
                ),
            ),
        ),
    ),
    Row(
        title="Loader and store",
        panels=(
            Panel(
                title="Loaded rows",
                about="Events and dead letters.",
                unit="cps",
                queries=one(rate("qrumb_loader_rows_total")),
            ),
            Panel(
                title="Time of a batch",
                about="From reading to release, ClickHouse included.",
                unit="s",
                queries=one(quantile(0.99, "qrumb_loader_batch_seconds"), "99 % {{instance}}"),
            ),
            Panel(
                title="Duplicates and fraud",
                about="As the ledger counts them at loading.",
                unit="cps",
                queries=(
                    Query(promql=rate("qrumb_ledger_duplicate_total"), legend="duplicates {{instance}}"),
                    Query(promql=rate("qrumb_ledger_conflict_total"), legend="conflicts {{instance}}"),
                    Query(promql=rate("qrumb_ledger_fraud_total"), legend="marked {{instance}}"),
                ),
            ),
            Panel(
                title="ClickHouse",
                about="1 while it takes rows; and its errors by kind.",
                unit="none",
                queries=(
                    Query(promql="qrumb_store_available{n}", legend="available {{instance}}"),
                    Query(promql=f"{rate('qrumb_store_errors_total', 'kind')} or vector(0)", legend="{{kind}}"),
                ),
            ),
        ),
    ),
)


def dashboard(rows: Sequence[Row]) -> dict[str, Any]:
    """The rows as Grafana's model."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": row.title,
                "collapsed": False,
                "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
                "panels": [],
            }
        )
        top += 1
        width = COLUMNS // len(row.panels)
        height = HEADLINE if row.panels[0].is_number else HEIGHT
        for place, panel in enumerate(row.panels):
            position = {"h": height, "w": width, "x": place * width, "y": top}
            panels.append(_panel(panel, len(panels) + 1, position))
        top += height
    return {
        "uid": "qrumb-node",
        "title": "qrumb: nodes",
        "tags": ["qrumb"],
        "editable": False,
        "schemaVersion": SCHEMA_VERSION,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "templating": {"list": [_source(), _instances()]},
        "panels": panels,
    }


def _panel(panel: Panel, number: int, position: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend}
        for place, query in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": "stat" if panel.is_number else "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}} if not panel.is_number else {},
        "gridPos": position,
        "targets": targets,
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _instances() -> dict[str, Any]:
    query = "label_values(qrumb_node_condition, instance)"
    return {
        "name": "instance",
        "label": "Node",
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": "instances"},
        "definition": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }


def main() -> None:
    """Write them."""
    TARGET.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dashboard(NODE), indent=2, ensure_ascii=False) + "\n"
    (TARGET / "qrumb-node.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
