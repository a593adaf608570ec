"""`qrumb ledger`: whether everything that was received is accounted for, minute by minute."""

import json
import sys
from datetime import UTC, datetime
from typing import Final

import click

from qrumb.v1 import query_service_pb2 as query_pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from qrumb_server.commands.demo import DEMO
from qrumb_server.commands.events import as_ms, check_site
from qrumb_server.commands.node import LONG_SECONDS, SHORT_SECONDS, ask_loader
from qrumb_server.commands.options import TIME, format_option, shown_format, with_settings
from qrumb_server.commands.tables import add_line, new_table, print_whole
from qrumb_server.config import Settings
from qrumb_server.instants import milliseconds, timestamp
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub
from qrumb_server.words import counted

__all__ = ["ledger"]

# What is compared, in pairs: as counted, and as rows. Of sessions also how many have no row any more.
VERIFIED: Final = (
    *("stored_count", "stored_rows", "rejected_count", "rejected_rows"),
    *("registered_count", "session_rows"),
    "lost_session_count",
)


@click.command()
@click.option("--site", help="Site; default: demo, and with --verify all of them.")
@click.option(
    "--since",
    type=TIME,
    help="From this minute on (UTC); default: the last 24 hours, and with --verify all that is kept.",
)
@click.option("--verify", "is_verified", is_flag=True, help="Compare with the tables; print the minutes that differ.")
@format_option("table", "json", about="json is one object per line. ")
@with_settings
def ledger(
    settings: Settings, site: str | None, since: datetime | None, is_verified: bool, output_format: str | None
) -> None:
    """Balance a site's events and scans by the minute of their receipt.

    received = stored + rejected + spooled, and stored = unique + duplicate; of registered scan sessions received =
    registered + rejected + spooled. Exits with 1 where it does not balance.

    With --verify the rows themselves are counted: each minute's stored and rejected events must be in their tables, no
    session may be there that was not counted, and, with the embedded database, none be gone. Exits with 1 where that is
    not so. Sums of hours are looked at, too: where they are wrong, rows answer and `qrumb status` says so. A running
    node does this at its start and each hour. With the embedded database the command reads every file from the disk
    besides, some seconds per GB: rows of a damaged one are set aside, and missing.
    """
    if site == "":
        raise click.ClickException(
            "give a site, or leave --site away; what names no site is counted under '': "
            "`qrumb query \"SELECT * FROM events.ledger WHERE site_id = ''\"` shows it"
        )
    show, default = (_verify, "") if is_verified else (_balance, DEMO)
    sys.exit(0 if show(settings, site or default, since, shown_format(output_format)) else 1)


def _balance(settings: Settings, site_id: str, since: datetime | None, output_format: str) -> bool:
    """Print the ledger of a site, minute by minute; True if it balances."""
    check_site(settings, site_id)
    request = query_pb.GetLedgerRequest(site_id=site_id)
    if since is not None:
        request.from_time.CopyFrom(timestamp(as_ms(since)))
    found: query_pb.GetLedgerResponse = ask_loader(
        settings, lambda channel: QueryServiceStub(channel).GetLedger(request, timeout=SHORT_SECONDS)
    )
    columns = [field.name for field in query_pb.LedgerEntry.DESCRIPTOR.fields if field.name.endswith("_count")]
    rows = [{name: getattr(entry, name) for name in columns} for entry in found.entries]
    times = [_shown_time(milliseconds(entry.minute_time)) for entry in found.entries]
    if output_format == "json":
        for time, row in zip(times, rows, strict=True):
            click.echo(json.dumps({"minute_time": time, **row}))
    else:
        _print_table(columns, times, rows)
    return all(_balances(row) for row in rows)


def _verify(settings: Settings, site_id: str, since: datetime | None, output_format: str) -> bool:
    """Print the minutes in which the ledger is not what the tables hold; True if there is none."""
    check_site(settings, site_id)
    request = upkeep_pb.VerifyLedgerRequest(site_id=site_id, since_time_ms=as_ms(since) if since else 0)
    found: upkeep_pb.VerifyLedgerResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).VerifyLedger(request, timeout=LONG_SECONDS)
    )
    rows = [(_shown_time(one.minute_time_ms), one) for one in found.differences]
    if output_format == "json":
        for time, one in rows:
            counts = {name: getattr(one, name) for name in VERIFIED}
            click.echo(json.dumps({"minute_time": time, "site_id": one.site_id, **counts}))
    elif rows:
        kinds = ("stored", "rows", "rejected", "rows", "registered", "rows", "lost sessions")
        table = new_table("minute", "site", *kinds)
        for time, one in rows:
            add_line(table, time, one.site_id or "(none)", *(f"{getattr(one, name):,}" for name in VERIFIED))
        print_whole(table)
    if left := found.difference_count - len(rows):
        click.echo(f"and {left:,} more", err=True)
    summary = f"the ledger and the tables differ in {counted(found.difference_count, 'minute')}"
    click.echo(summary if found.difference_count else "the ledger is what the tables hold", err=True)
    return not found.difference_count


def _balances(row: dict[str, int]) -> bool:
    handled = row["stored_count"] + row["rejected_count"] + row["spooled_count"]
    scans = row["scan_registered_count"] + row["scan_rejected_count"] + row["scan_spooled_count"]
    return (
        row["received_count"] == handled
        and row["stored_count"] == row["unique_count"] + row["duplicate_count"]
        and row["scan_received_count"] == scans
    )


def _print_table(columns: list[str], times: list[str], rows: list[dict[str, int]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    headers = ["minute", *(name.removesuffix("_count") for name in columns)]
    # Narrow enough for a terminal of 80 columns.
    table = Table(*headers, show_footer=bool(rows), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.columns[0].footer = "all"
    for index, name in enumerate(columns, 1):
        table.columns[index].justify = "right"
        table.columns[index].footer = f"{sum(row[name] for row in rows):,}"
    for time, row in zip(times, rows, strict=True):
        table.add_row(time[5:16].replace("T", " "), *(f"{row[name]:,}" for name in columns))
    print_whole(table)


def _shown_time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
