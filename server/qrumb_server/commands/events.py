"""What became of events: `qrumb receipt`, `rejected`, `replay`, `rescore`, `erase` and `ledger`.

All of them ask the running node: only its loader may read the store and the spool together, or change them.
"""

import contextlib
import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Final

import click
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from qrumb.hashing import email_hash, phone_hash
from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1 import query_service_pb2 as query_pb
from qrumb.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.commands.calls import ask_loader
from qrumb_server.commands.query import FORMATS
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.instants import milliseconds, timestamp
from qrumb_server.wire.v1 import sql_service_pb2 as sql_pb
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from qrumb_server.wire.v1.sql_service_pb2_grpc import SqlServiceStub
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub

__all__ = ["LONG_SECONDS", "erase", "ledger", "receipt", "rejected", "replay", "rescore", "verify"]

# Names of reasons as the commands take them.
REASONS: Final = [name.lower() for name in Violation.Reason.keys() if name != "REASON_UNSPECIFIED"]  # noqa: SIM118
PAGE: Final = 1_000
# A replay or an erasure of much may take minutes.
LONG_SECONDS: Final = 3_600.0
SHORT_SECONDS: Final = 60.0
# All of them are ordered by site, so that a site is found in moments.
_HAS_ROWS: Final = (
    "SELECT toUInt8(count() > 0) AS number FROM ("
    "SELECT 1 FROM events.ledger WHERE site_id = {name} LIMIT 1 "
    "UNION ALL SELECT 1 FROM events.invalid_events WHERE site_id = {name} LIMIT 1 "
    "UNION ALL SELECT 1 FROM events.scan_sessions WHERE site_id = {name} LIMIT 1 "
    "UNION ALL SELECT 1 FROM events.identity_links WHERE site_id = {name} LIMIT 1)"
)
# What is compared, in pairs: as counted, and as rows.
VERIFIED: Final = ("stored_count", "stored_rows", "rejected_count", "rejected_rows")


def receipt(settings: Settings, site_id: str, event_id: str) -> None:
    """Print what became of one event, as JSON."""
    _check_site(settings, site_id)
    request = query_pb.GetReceiptRequest(site_id=site_id, event_id=event_id)
    _print(ask_loader(settings, lambda channel: QueryServiceStub(channel).GetReceipt(request, timeout=SHORT_SECONDS)))


def rejected(settings: Settings, site_id: str, reason: str | None, since: datetime | None, limit: int) -> None:
    """Print dead letters, the newest first, one JSON object per line."""
    _check_site(settings, site_id)
    request = query_pb.ListRejectedEventsRequest(site_id=site_id, reason=_reason(reason))
    if since is not None:
        request.since_time.CopyFrom(timestamp(_as_ms(since)))
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


def replay(
    settings: Settings, site_id: str, reason: str | None, since: datetime | None, event_id: str, *, dry_run: bool
) -> None:
    """Send dead letters through the pipeline again and print what became of them."""
    _check_site(settings, site_id)
    request = upkeep_pb.ReplayRequest(
        site_id=site_id,
        reason=_reason(reason),
        since_time_ms=_as_ms(since) if since else 0,
        event_id=event_id.lower(),
        validate_only=dry_run,
    )
    done: upkeep_pb.ReplayResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).Replay(request, timeout=LONG_SECONDS)
    )
    verb = "would be accepted" if dry_run else "accepted"
    click.echo(f"{verb}: {done.accepted_count}, still rejected: {done.rejected_count}, "
               f"not whole: {done.unreadable_count}")  # fmt: skip


def rescore(settings: Settings, site_id: str, since: datetime) -> None:
    """Mark stored rows anew and print how many changed."""
    _check_site(settings, site_id)
    request = upkeep_pb.RescoreRequest(site_id=site_id, since_time_ms=_as_ms(since))
    done: upkeep_pb.RescoreResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).Rescore(request, timeout=LONG_SECONDS)
    )
    click.echo(f"examined: {done.examined_count}, changed: {done.changed_count}")


def hash_of_email(raw: str) -> str:
    """The hash under which events carry an e-mail address; the address is in no message."""
    try:
        return email_hash(raw)
    except ValueError:
        raise click.ClickException("--email is no e-mail address") from None


def hash_of_phone(raw: str) -> str:
    """The hash under which events carry a phone number; the number is in no message."""
    try:
        return phone_hash(raw)
    except ValueError:
        raise click.ClickException("--phone is no number with + and country code, such as +436601234567") from None


def erase(
    settings: Settings,
    site_id: str,
    user_id: str,
    scan_session_id: str,
    identifiers: UserIdentifiers,
    *,
    dry_run: bool,
) -> None:
    """Erase a person, or on a dry run only look, and print what was found, as JSON."""
    _check_site(settings, site_id)
    request = privacy_pb.EraseSubjectRequest(
        site_id=site_id,
        user_id=user_id,
        scan_session_id=scan_session_id,
        user_identifiers=identifiers,
        validate_only=dry_run,
    )
    _print(
        ask_loader(settings, lambda channel: PrivacyServiceStub(channel).EraseSubject(request, timeout=LONG_SECONDS))
    )


def ledger(settings: Settings, site_id: str, since: datetime | None, output_format: str) -> bool:
    """Print the ledger of a site, minute by minute; True if it balances."""
    _check_site(settings, site_id)
    request = query_pb.GetLedgerRequest(site_id=site_id)
    if since is not None:
        request.from_time.CopyFrom(timestamp(_as_ms(since)))
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


def verify(settings: Settings, site_id: str, since: datetime | None, output_format: str) -> bool:
    """Print the minutes in which the ledger is not what the tables hold; True if there is none."""
    _check_site(settings, site_id)
    request = upkeep_pb.VerifyLedgerRequest(site_id=site_id, since_time_ms=_as_ms(since) if since else 0)
    found: upkeep_pb.VerifyLedgerResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).VerifyLedger(request, timeout=LONG_SECONDS)
    )
    rows = [(_shown_time(one.minute_time_ms), one) for one in found.differences]
    if output_format == "json":
        for time, one in rows:
            counts = {name: getattr(one, name) for name in VERIFIED}
            click.echo(json.dumps({"minute_time": time, "site_id": one.site_id, **counts}))
    elif rows:
        table = Table("minute", "site", "stored", "rows", "rejected", "rows", box=SIMPLE_HEAD, pad_edge=False)
        for time, one in rows:
            table.add_row(time, one.site_id or "(none)", *(f"{getattr(one, name):,}" for name in VERIFIED))
        _print_whole(table)
    if left := found.difference_count - len(rows):
        click.echo(f"and {left:,} more", err=True)
    summary = f"the ledger and the tables differ in {found.difference_count:,} minute(s)"
    click.echo(summary if found.difference_count else "the ledger is what the tables hold", err=True)
    return not found.difference_count


def _balances(row: dict[str, int]) -> bool:
    handled = row["stored_count"] + row["rejected_count"] + row["spooled_count"]
    return row["received_count"] == handled and row["stored_count"] == row["unique_count"] + row["duplicate_count"]


def _print_table(columns: list[str], times: list[str], rows: list[dict[str, int]]) -> None:
    headers = ["minute", *(name.removesuffix("_count") for name in columns)]
    # Narrow enough for a terminal of 80 columns.
    table = Table(*headers, show_footer=bool(rows), box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.columns[0].footer = "all"
    for index, name in enumerate(columns, 1):
        table.columns[index].justify = "right"
        table.columns[index].footer = f"{sum(row[name] for row in rows):,}"
    for time, row in zip(times, rows, strict=True):
        table.add_row(time[5:16].replace("T", " "), *(f"{row[name]:,}" for name in columns))
    _print_whole(table)


def _print_whole(table: Table) -> None:
    console = Console()
    # In a narrow terminal lines wrap; numbers that are cut off would be worse.
    console.width = max(console.width, Console(width=1_000).measure(table).maximum)
    console.print(table)


def _check_site(settings: Settings, site_id: str) -> None:
    """Refuse a site that is neither served nor was ever: zeros for a mistyped name would pass for an answer.

    Raises:
        click.ClickException: names those that there are.
    """
    served: Collection[str] = ()
    with contextlib.suppress(ConfigError):  # a broken file is told by `sites check`; its sites may have rows
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


def _print(message: Message) -> None:
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


def _as_ms(time: datetime) -> int:
    """A time as it was typed; without a zone it is UTC."""
    return round((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)


def _shown_time(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
