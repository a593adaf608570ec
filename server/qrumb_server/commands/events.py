"""Events by command: `qrumb receipt`, `rejected`, `replay` and `rescore`.

All of them ask the running node: only its loader may read the store and the spool together, or change them.
"""

import contextlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from qrumb.v1 import query_service_pb2 as query_pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.commands.node import LONG_SECONDS, SHORT_SECONDS, ask_loader
from qrumb_server.commands.options import TIME, any_site_option, as_utc, site_option, with_settings
from qrumb_server.commands.store import FORMATS
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.instants import timestamp
from qrumb_server.wire.v1 import sql_service_pb2 as sql_pb
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from qrumb_server.wire.v1.sql_service_pb2_grpc import SqlServiceStub
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub

__all__ = ["as_ms", "check_site", "print_message", "receipt", "rejected", "replay", "rescore"]

# Names of reasons as the commands take them.
REASONS: Final = [name.lower() for name in Violation.Reason.keys() if name != "REASON_UNSPECIFIED"]  # noqa: SIM118
PAGE: Final = 1_000
# All of them are ordered by site, so that a site is found in moments.
_HAS_ROWS: Final = (
    "SELECT toUInt8(count() > 0) AS number FROM ("
    "SELECT 1 FROM events.ledger WHERE site_id = {name} LIMIT 1 "
    "UNION ALL SELECT 1 FROM events.invalid_events WHERE site_id = {name} LIMIT 1 "
    "UNION ALL SELECT 1 FROM events.scan_sessions WHERE site_id = {name} LIMIT 1 "
    "UNION ALL SELECT 1 FROM events.identity_links WHERE site_id = {name} LIMIT 1)"
)

since_option = click.option("--since", type=TIME, help="Only those received at or after this time (UTC).")
reason_option = click.option(
    "--reason",
    metavar="REASON",
    help="Only those that break this kind of rule, such as invalid_url or contains_email.",
)


@click.command()
@click.argument("event_id")
@site_option
@with_settings
def receipt(settings: Settings, event_id: str, site: str) -> None:
    """Say what became of one event: spooled, stored, duplicate, rejected (with the reasons), or not seen."""
    check_site(settings, site)
    request = query_pb.GetReceiptRequest(site_id=site, event_id=event_id)
    print_message(
        ask_loader(settings, lambda channel: QueryServiceStub(channel).GetReceipt(request, timeout=SHORT_SECONDS))
    )


@click.command()
@any_site_option
@reason_option
@since_option
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most this many.")
@with_settings
def rejected(settings: Settings, site: str, reason: str | None, since: datetime | None, limit: int) -> None:
    """List rejected events, the newest first, one JSON object per line."""
    check_site(settings, site)
    request = query_pb.ListRejectedEventsRequest(site_id=site, reason=_reason(reason))
    if since is not None:
        request.since_time.CopyFrom(timestamp(as_ms(since)))
    left = limit
    while left > 0:
        request.page_size = min(left, PAGE)
        asked = upkeep_pb.ListRejectedRequest(selection=request)
        answer: upkeep_pb.ListRejectedResponse = ask_loader(
            settings,
            lambda channel, asked=asked: UpkeepServiceStub(channel).ListRejected(asked, timeout=SHORT_SECONDS),  # type: ignore[misc]
        )
        page = answer.page
        for event in page.rejected_events:
            click.echo(json.dumps(MessageToDict(event, preserving_proto_field_name=True), ensure_ascii=False))
        left -= len(page.rejected_events)
        request.page_token = page.next_page_token
        if not request.page_token:
            break


@click.command()
@any_site_option
@reason_option
@since_option
@click.option("--event-id", default="", help="Only this event.")
@click.option("--dry-run", is_flag=True, help="Judge them and change nothing.")
@with_settings
def replay(
    settings: Settings, site: str, reason: str | None, since: datetime | None, event_id: str, dry_run: bool
) -> None:
    """Send rejected events through the pipeline again, after a rule was fixed. Each is stored once, however often
    this is run.

    Where an e-mail address stood, the mark [email] is stored; addresses and agents of visitors were not kept.
    """
    check_site(settings, site)
    request = upkeep_pb.ReplayRequest(
        site_id=site,
        reason=_reason(reason),
        since_time_ms=as_ms(since) if since else 0,
        event_id=event_id.lower(),
        validate_only=dry_run,
    )
    done: upkeep_pb.ReplayResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).Replay(request, timeout=LONG_SECONDS)
    )
    verb = "would be accepted" if dry_run else "accepted"
    click.echo(f"{verb}: {done.accepted_count}, still rejected: {done.rejected_count}, "
               f"not whole: {done.unreadable_count}")  # fmt: skip


@click.command()
@any_site_option
@click.option("--since", type=TIME, required=True, help="Events received at or after this time (UTC).")
@with_settings
def rescore(settings: Settings, site: str, since: datetime) -> None:
    """Mark stored events and scans anew by the fraud rules of today, as far as their inputs are still known: device
    class, times, session, method, and the reasons that a site ignores."""
    check_site(settings, site)
    request = upkeep_pb.RescoreRequest(site_id=site, since_time_ms=as_ms(since))
    done: upkeep_pb.RescoreResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).Rescore(request, timeout=LONG_SECONDS)
    )
    click.echo(f"examined: {done.examined_count}, changed: {done.changed_count}")
    if done.examined_scan_count:
        click.echo(f"scans examined: {done.examined_scan_count}, changed: {done.changed_scan_count}")


def check_site(settings: Settings, site_id: str) -> None:
    """Refuse a site that is neither served nor was ever: zeros for a mistyped name would pass for an answer.

    Raises:
        click.ClickException: names those that there are.
    """
    served: Collection[str] = ()
    with contextlib.suppress(ConfigError):  # `sites check` reports a broken file; its sites may have rows
        served = settings.site_file.sites()
    if not site_id or site_id in served:
        return
    # Any text may stand in a dead letter; as digits it needs no quoting.
    name = f"unhex('{site_id.encode(errors='replace').hex()}')"
    request = sql_pb.RunSqlRequest(sql=_HAS_ROWS.format(name=name), output_format=FORMATS["json"])
    found = ask_loader(
        settings,
        lambda channel: b"".join(each.piece for each in SqlServiceStub(channel).RunSql(request, timeout=SHORT_SECONDS)),
    )
    if not json.loads(found)["number"]:
        known = ", ".join(sorted(served)) or "none"
        raise click.ClickException(
            f"{site_id}: no such site is in {settings.sites_path} (there are: {known}), and nothing of it is stored; "
            "a site's id has 1 to 64 characters of A-Z, a-z, 0-9, _ and -"
        )


def as_ms(time: datetime) -> int:
    """A time as it was typed, in milliseconds since 1970."""
    return round(as_utc(time).timestamp() * 1000)


def print_message(message: Message) -> None:
    """Print an answer as JSON."""
    shown: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    click.echo(json.dumps(shown, indent=2, ensure_ascii=False))


def _reason(name: str | None) -> str:
    """The reason's name in the contract."""
    if not name:
        return "REASON_UNSPECIFIED"
    if name.lower() not in REASONS:
        raise click.ClickException(f"{name}: no such reason; the reasons are {', '.join(REASONS)}")
    return name.upper()
