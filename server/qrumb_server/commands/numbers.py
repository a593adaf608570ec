"""What events add up to, by command: `qrumb counts`, `funnel`, `attribution` and `tail`.

The same questions and answers as over the API; a number is never rounded here.
"""

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from qrumb_server.commands.events import as_ms, check_site
from qrumb_server.commands.node import LONG_SECONDS, ask_loader
from qrumb_server.commands.options import TIME, format_option, shown_format, site_option, with_settings
from qrumb_server.commands.tables import add_line, new_table, print_whole
from qrumb_server.commands.texts import no_formula, visible
from qrumb_server.config import Settings
from qrumb_server.instants import milliseconds, timestamp

__all__ = ["attribution", "counts", "funnel", "tail"]

Row = Mapping[str, Any]
T = TypeVar("T")
BUCKETS: Final = ("hour", "day", "week", "month", "whole")
DIMENSIONS: Final = {
    "source": "source",
    "name": "name",
    "qr_code": "qr_code_id",
    "country": "country_code",
    "device": "device_type",
    "campaign": "campaign",
}
"""As the options name them, and the field of an answer."""
MODELS: Final = [name.lower() for name in pb.GetAttributionRequest.Model.keys()[1:]]
SCANS: Final = ("scan_count", "suspect_scan_count", "confirmed_scan_count")
BARS: Final = " ▁▂▃▄▅▆▇█"
TAIL_COLUMNS: Final = ("event_time", "source", "event_type", "event_name", "qr_code_id", "country_code", "user_id")

since_option = click.option("--since", type=TIME, help="From this time on (UTC).")
until_option = click.option("--until", type=TIME, help="Up to this time (UTC), exclusive; default: now.")
zone_option = click.option("--time-zone", default="", help="Time zone of the buckets, such as Europe/Vienna.")
campaign_option = click.option("--campaign-key", default="", help="Key of the metadata; default: utm_campaign.")
conversion_option = click.option("--conversion", "conversions", multiple=True, help="Only these are conversions.")
table_option = format_option("table", "json", "csv", about="json is one object per line. ")


def by_option(*names: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """The option --by, which may be given several times."""
    return click.option("--by", "dimensions", type=click.Choice(names), multiple=True, help="What is told apart.")


def _pages(settings: Settings, method: str, request: Any) -> Iterator[Any]:
    """All answers to a question of the QueryService that has pages."""
    while True:
        answer = ask_loader(
            settings, lambda channel: getattr(QueryServiceStub(channel), method)(request, timeout=LONG_SECONDS)
        )
        yield answer
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token


@click.command()
@site_option
@since_option
@until_option
@click.option("--bucket", type=click.Choice(BUCKETS), default="hour", show_default=True, help="Width of a row.")
@zone_option
@by_option(*DIMENSIONS)
@campaign_option
@conversion_option
@table_option
@with_settings
def counts(
    settings: Settings,
    site: str,
    since: datetime | None,
    until: datetime | None,
    bucket: str,
    time_zone: str,
    dimensions: Sequence[str],
    campaign_key: str,
    conversions: Sequence[str],
    output_format: str | None,
) -> None:
    """Count events over time, by source and name or what --by says; default: the last 24 hours."""
    check_site(settings, site)
    request = pb.CountEventsRequest(
        site_id=site,
        bucket=bucket.upper(),
        time_zone=time_zone,
        group_by=[name.upper() for name in dimensions],
        campaign_key=campaign_key,
        conversion_names=conversions,
    )
    _set_range(request, since, until)
    found = [one for page in _pages(settings, "CountEvents", request) for one in page.counts]
    apart = [DIMENSIONS[name] for name in dimensions or ("source", "name")]
    numbers = ("unique_count", "duplicate_count", "fraud_count", "conversion_count", *SCANS)
    rows = [_row(one, ("start_time", *apart, *numbers, "is_partial"), time_zone) for one in found]
    _show(rows, shown_format(output_format))
    if shown_format(output_format) == "table" and bucket != "whole":
        _print_lines(found, apart)


@click.command()
@site_option
@since_option
@until_option
@click.option("--bucket", type=click.Choice(BUCKETS), default="whole", show_default=True, help="Width of a row.")
@zone_option
@by_option("qr_code", "country", "device", "campaign")
@campaign_option
@conversion_option
@table_option
@with_settings
def funnel(
    settings: Settings,
    site: str,
    since: datetime | None,
    until: datetime | None,
    bucket: str,
    time_zone: str,
    dimensions: Sequence[str],
    campaign_key: str,
    conversions: Sequence[str],
    output_format: str | None,
) -> None:
    """Follow scans to conversions, by QR code or what --by says; default: the scans of the last 30 days."""
    check_site(settings, site)
    request = pb.GetFunnelRequest(
        site_id=site,
        bucket=bucket.upper(),
        time_zone=time_zone,
        group_by=[name.upper() for name in dimensions],
        campaign_key=campaign_key,
        conversion_names=conversions,
    )
    _set_range(request, since, until)
    found = [one for page in _pages(settings, "GetFunnel", request) for one in page.funnels]
    apart = [DIMENSIONS[name] for name in dimensions or ("qr_code",)]
    numbers = (*SCANS, "visit_count", "conversion_count", "fraud_count")
    shown = (*(("start_time",) if bucket != "whole" else ()), *apart, *numbers)
    rows = [_row(one, shown, time_zone) | {"suspects": _suspects(one)} for one in found]
    _show(rows, shown_format(output_format))


@click.command()
@site_option
@since_option
@until_option
@click.option("--model", "models", type=click.Choice(MODELS), multiple=True, help="Divide by this; default: all.")
@click.option(
    "--window-days", type=click.IntRange(1, 400), default=30, show_default=True, help="Oldest scan that counts."
)
@conversion_option
@table_option
@with_settings
def attribution(
    settings: Settings,
    site: str,
    since: datetime | None,
    until: datetime | None,
    models: Sequence[str],
    window_days: int,
    conversions: Sequence[str],
    output_format: str | None,
) -> None:
    """Divide conversions among the QR codes whose scans led to them; default: those of the last 30 days."""
    check_site(settings, site)
    request = pb.GetAttributionRequest(
        site_id=site,
        models=[name.upper() for name in models],
        window_days=window_days,
        conversion_names=conversions,
    )
    _set_range(request, since, until)
    answer = ask_loader(
        settings, lambda channel: QueryServiceStub(channel).GetAttribution(request, timeout=LONG_SECONDS)
    )
    rows = [
        {"model": pb.GetAttributionRequest.Model.Name(one.model).lower(), **_row(credit, _CREDIT, "")}
        for one in answer.attributions
        for credit in one.credits
    ]
    _show(rows, shown_format(output_format))


@click.command()
@site_option
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="At most this many.")
@table_option
@with_settings
def tail(settings: Settings, site: str, limit: int, output_format: str | None) -> None:
    """Show the newest events as they were stored, the newest last."""
    check_site(settings, site)
    request = pb.TailEventsRequest(site_id=site, limit=limit)
    answer = ask_loader(settings, lambda channel: QueryServiceStub(channel).TailEvents(request, timeout=LONG_SECONDS))
    if shown_format(output_format) == "json":
        for row in answer.rows:
            click.echo(json.dumps(MessageToDict(row, preserving_proto_field_name=True), ensure_ascii=False))
        return
    _show([_row(row, TAIL_COLUMNS, "") for row in answer.rows], shown_format(output_format))


_CREDIT: Final = ("qr_code_id", "conversion_credit")


def _suspects(one: pb.QrCodeFunnel) -> str:
    """Why scans are suspect, as in `bot 2, preview 1`."""
    return ", ".join(f"{found.reason} {found.count}" for found in one.suspect_reasons)


def _set_range(request: Any, since: datetime | None, until: datetime | None) -> None:
    for field, time in (("from_time", since), ("to_time", until)):
        if time is not None:
            getattr(request, field).CopyFrom(timestamp(as_ms(time)))


def _row(message: Message, names: Iterable[str], zone: str) -> dict[str, Any]:
    """Fields of an answer, and a column for each currency."""
    values = {name: getattr(message, name) for name in names}
    row = {name: _shown_time(value, zone) if isinstance(value, Timestamp) else value for name, value in values.items()}
    return row | {money.currency: money.amount for money in getattr(message, "amounts", ())}


def _shown_time(time: Timestamp, zone: str) -> str:
    """With its offset from UTC, so that a day that begins at 22:00 UTC is seen as one that begins at midnight."""
    try:
        place: Any = ZoneInfo(zone) if zone else UTC
    except ZoneInfoNotFoundError:  # this machine has no such table; the answer is right all the same
        place = UTC
    return datetime.fromtimestamp(milliseconds(time) / 1000, place).isoformat(timespec="minutes")


def _show(rows: Sequence[Row], output_format: str) -> None:
    """One object, line or row for each; a currency that a row lacks is left out, or empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if output_format == "json":
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    elif output_format == "csv":
        writer = csv.DictWriter(sys.stdout, columns, restval="", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            cells = ((name, no_formula(value) if isinstance(value, str) else value) for name, value in row.items())
            writer.writerow(dict(cells))
    elif rows:
        table = new_table()
        for name in columns:
            is_number = all(isinstance(row.get(name, 0), int) for row in rows) or name.isupper()
            table.add_column(name.removesuffix("_count"), justify="right" if is_number else "left")
        for row in rows:
            add_line(table, *(_cell(row.get(name, "")) for name in columns))
        print_whole(table)
    else:
        click.echo("nothing in this range", err=True)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:,}" if isinstance(value, int) else str(value)


def _print_lines(found: Sequence[pb.EventCount], apart: Sequence[str]) -> None:
    """A bar for each bucket in which anything was counted, one line for each of what is told apart."""
    times = sorted({milliseconds(one.start_time) for one in found})
    lines: dict[tuple[str, ...], dict[int, int]] = {}
    for one in found:
        key = tuple(getattr(one, name) for name in apart)
        lines.setdefault(key, {})[milliseconds(one.start_time)] = one.unique_count or one.scan_count
    most = max((count for line in lines.values() for count in line.values()), default=0)
    for key, line in lines.items():
        bars = "".join(BARS[-(-line.get(time, 0) * (len(BARS) - 1) // most) if most else 0] for time in times)
        click.echo(f"{bars}  {visible(' '.join(key)) or '(none)'}")
