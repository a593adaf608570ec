"""`qrumb status`: how the running node is doing, for people and for scripts."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import click
from google.protobuf.json_format import MessageToDict

from qrumb.v1.status_service_pb2 import GetStatusResponse
from qrumb_server.commands.node import ask_supervisor
from qrumb_server.commands.options import format_option, shown_format, with_settings
from qrumb_server.config import Settings
from qrumb_server.instants import milliseconds
from qrumb_server.wire.v1.node_service_pb2 import DescribeNodeRequest, DescribeNodeResponse
from qrumb_server.wire.v1.node_service_pb2_grpc import NodeServiceStub
from qrumb_server.words import counted

__all__ = ["status"]

EXIT_CODES: Final = {GetStatusResponse.READY: 0, GetStatusResponse.DEGRADED: 1}
NOT_READY_CODE: Final = 2
TIMEOUT_SECONDS: Final = 10
MIB: Final = 1024 * 1024


@click.command()
@format_option("table", "json")
@with_settings
def status(settings: Settings, output_format: str | None) -> None:
    """Say how the running node is doing, and why.

    Exits with 0 if it is ready, 1 if it is degraded, 2 if it takes no events or does not run.
    """
    sys.exit(_show(settings, shown_format(output_format)))


def _show(settings: Settings, output_format: str) -> int:
    try:
        described = _ask(settings)
    except click.ClickException as error:
        error.show()
        return NOT_READY_CODE
    if output_format == "json":
        shown = MessageToDict(
            described.status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        own = {
            "store_error": described.store_error,
            "sites_at_share": list(described.sites_at_share),
            "sites_over_quota": list(described.sites_over_quota),
            "compiled": described.compiled,
        }
        click.echo(json.dumps({**shown, **own}, indent=2, ensure_ascii=False))
    else:
        _print(described)
    return EXIT_CODES.get(described.status.condition, NOT_READY_CODE)


def _ask(settings: Settings) -> DescribeNodeResponse:
    request = DescribeNodeRequest()
    return ask_supervisor(
        settings, lambda channel: NodeServiceStub(channel).DescribeNode(request, timeout=TIMEOUT_SECONDS)
    )


def _print(described: DescribeNodeResponse) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    found = described.status
    console = Console()
    console.print(
        f"[bold]{GetStatusResponse.Condition.Name(found.condition).replace('_', ' ')}[/bold]", highlight=False
    )
    for reason in found.reasons:
        console.print(f"- {reason}", markup=False, highlight=False)
    processes = Table("process", "state", "restarts")
    for process in found.processes:
        processes.add_row(process.name, "serving" if process.serving else "away", str(process.restart_count))
    facts = Table(show_header=False)
    for name, value in _facts(described):
        facts.add_row(name, escape(value))
    console.print(processes)
    console.print(facts)


def _facts(described: DescribeNodeResponse) -> list[tuple[str, str]]:
    found, loading = described.status, described.status.loading
    last = milliseconds(loading.last_received_time)
    shown_last = datetime.fromtimestamp(last / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if last else "none yet"
    return [
        ("spool", f"{found.spool_bytes / MIB:,.1f} of {found.spool_limit_bytes / MIB:,.0f} MiB"),
        ("waiting", f"{counted(found.spool_rows, 'event')} in {counted(found.spool_segments, 'segment')}"),
        ("oldest event", f"{found.oldest_segment_seconds:,.1f} s" if found.spool_segments else "none waits"),
        ("spool full in", f"{found.full_in_seconds / 60:,.0f} min" if found.full_in_seconds else "it does not grow"),
        ("free on the disk", f"{found.free_disk_bytes / MIB:,.0f} MiB"),
        ("quarantined segments", f"{found.quarantined_segments:,}"),
        ("loaded", f"{loading.rows_per_second:,.1f} rows/s over the last minute"),
        ("last event loaded", shown_last),
        ("lag", f"{loading.lag_seconds:,.1f} s"),
        ("sites at their share of the spool", _names(described.sites_at_share)),
        ("sites over their quota", _names(described.sites_over_quota)),
        ("events judged by", "the compiled way; unusual ones by Python" if described.compiled else "Python alone"),
        ("last error of ClickHouse", described.store_error or "none"),
        ("version", found.version),
    ]


def _names(site_ids: Iterable[str]) -> str:
    return ", ".join(site_id or "(no site's name)" for site_id in site_ids) or "none"
