"""Persons by command: `qrumb erase` and `export-subject`; and `identities`, what joins them.

All of them ask the running node: only its loader may read the store and the spool together, or change them. A raw
e-mail address or phone number is hashed here and is in no message.
"""

import json
from collections.abc import Callable
from functools import reduce
from typing import Any, Final, TypeVar

import click

from qrumb.hashing import email_hash, phone_hash
from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1 import query_service_pb2 as query_pb
from qrumb.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.commands.events import check_site, print_message
from qrumb_server.commands.node import LONG_SECONDS, SHORT_SECONDS, ask_loader
from qrumb_server.commands.options import format_option, shown_format, site_option, with_settings
from qrumb_server.commands.tables import add_line, new_table, print_whole
from qrumb_server.config import Settings
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub
from qrumb_server.words import counted

__all__ = ["erase", "export_subject", "identities"]

F = TypeVar("F", bound=Callable[..., Any])
# Kinds of identifiers as the command takes and prints them: email_hash, phone_hash, external_id, scan_session.
KINDS: Final = {kind: name.lower() for name, kind in query_pb.SuspiciousIdentifier.Kind.items() if kind}
_NAMING: Final = (
    click.option("--user-id", default="", help="The user, as in the column user_id."),
    click.option("--external-id", default="", help="The site's own id of the user."),
    click.option("--email-hash", default="", help="SHA-256 of the e-mail address, 64 hex digits."),
    click.option("--phone-hash", default="", help="SHA-256 of the phone number, 64 hex digits."),
    click.option(
        "--email", default="", help="The e-mail address itself: it is normalised and hashed here, and forgotten."
    ),
    click.option(
        "--phone", default="", help="The phone number itself, with + and country code: hashed here, and forgotten."
    ),
    click.option("--scan-session-id", default="", help="One scan session."),
)


def naming_options(command: F) -> F:
    """Adds the ways to name a person, which the command gets as `named`."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(_NAMING), command)


@click.command()
@site_option
@naming_options
@click.option("--dry-run", is_flag=True, help="Only count what would be erased.")
@with_settings
def erase(settings: Settings, /, site: str, dry_run: bool, **named: str) -> None:
    """Erase one person from every table, the dead letters and the spool. Events stay counted, without what could lead
    to the person. What others share with the person, a session or a phone, is counted and stays theirs."""
    identifiers = _identifiers(named)
    check_site(settings, site)
    request = privacy_pb.EraseSubjectRequest(
        site_id=site,
        user_id=named["user_id"],
        scan_session_id=named["scan_session_id"],
        user_identifiers=identifiers,
        validate_only=dry_run,
    )
    print_message(
        ask_loader(settings, lambda channel: PrivacyServiceStub(channel).EraseSubject(request, timeout=LONG_SECONDS))
    )


@click.command("export-subject")
@site_option
@naming_options
@with_settings
def export_subject(settings: Settings, /, site: str, **named: str) -> None:
    """Print what is stored of one person, as one JSON object: the rows that an erasure would touch, by table."""
    identifiers = _identifiers(named)
    check_site(settings, site)
    request = privacy_pb.ExportSubjectRequest(
        site_id=site,
        user_id=named["user_id"],
        scan_session_id=named["scan_session_id"],
        user_identifiers=identifiers,
    )
    tables: dict[str, list[Any]] = {}
    while True:
        page: privacy_pb.ExportSubjectResponse = ask_loader(
            settings, lambda channel: PrivacyServiceStub(channel).ExportSubject(request, timeout=LONG_SECONDS)
        )
        for record in page.records:
            tables.setdefault(record.table, []).append(json.loads(record.row))
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    found = {
        "site_id": site,
        "user_ids": list(page.user_ids),
        "shared_identifier_count": page.shared_identifier_count,
        "shared_session_count": page.shared_session_count,
        "tables": tables,
    }
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


@click.command()
@site_option
@click.option("--suspicious", is_flag=True, help="List identifiers that were seen with more others than a person has.")
@click.option(
    "--more-than", type=click.IntRange(min=1), default=10, show_default=True, help="With more others than this."
)
@click.option("--split", "split", metavar="KIND:NAME", help="Let an identifier join nothing any more, as it is listed.")
@click.option("--join", "join", metavar="KIND:NAME", help="Undo a split.")
@format_option("table", "json", about="json is one object per line. ")
@with_settings
def identities(
    settings: Settings,
    site: str,
    suspicious: bool,
    more_than: int,
    split: str | None,
    join: str | None,
    output_format: str | None,
) -> None:
    """Find and split identifiers that join people who have nothing in common: an office's phone, a kiosk's session, an
    external_id that a template made. Hashes are listed by the user that they name, never as they are."""
    if sum((suspicious, split is not None, join is not None)) != 1:
        raise click.UsageError("one of --suspicious, --split and --join is needed")
    check_site(settings, site)
    if suspicious:
        _list_suspicious(settings, site, more_than, shown_format(output_format))
    else:
        _split(settings, site, split or join or "", is_undone=join is not None)


def _list_suspicious(settings: Settings, site_id: str, more_than: int, output_format: str) -> None:
    request = query_pb.ListSuspiciousIdentifiersRequest(site_id=site_id, more_than=more_than, limit=1_000)
    found: query_pb.ListSuspiciousIdentifiersResponse = ask_loader(
        settings,
        lambda channel: QueryServiceStub(channel).ListSuspiciousIdentifiers(request, timeout=SHORT_SECONDS),
    )
    rows = [
        {
            "identifier": f"{KINDS[one.kind]}:{one.name}",
            "other_count": one.other_count,
            "first_time": one.first_time.ToJsonString(),
            "last_time": one.last_time.ToJsonString(),
            "is_split": one.is_split,
        }
        for one in found.identifiers
    ]
    if output_format == "json":
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
        return
    table = new_table("identifier", "others", "since", "until", "split")
    for row in rows:
        first, last = (str(row[name])[:16].replace("T", " ") for name in ("first_time", "last_time"))
        is_split = "yes" if row["is_split"] else ""
        add_line(table, str(row["identifier"]), f"{row['other_count']:,}", first, last, is_split)
    print_whole(table)
    if not rows:
        click.echo(f"no identifier of {site_id} was seen with more than {more_than} others", err=True)


def _split(settings: Settings, site_id: str, identifier: str, *, is_undone: bool) -> None:
    kind, _, name = identifier.partition(":")
    if kind not in KINDS.values() or not name:
        known = ", ".join(KINDS.values())
        raise click.UsageError(f"an identifier is written as --suspicious lists it, KIND:NAME; kinds are {known}")
    request = upkeep_pb.SplitIdentifierRequest(site_id=site_id, kind=kind.upper(), name=name, is_undone=is_undone)
    done: upkeep_pb.SplitIdentifierResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).SplitIdentifier(request, timeout=LONG_SECONDS)
    )
    if not done.identifier_count:
        raise click.ClickException(f"{site_id} has seen no {kind} of this name with a user")
    click.echo(f"{'joins again' if is_undone else 'split'}: {counted(done.identifier_count, 'identifier')}")


def _identifiers(named: dict[str, str]) -> UserIdentifiers:
    return UserIdentifiers(
        external_id=named["external_id"],
        email_hash=_hash_of_email(email) if (email := named["email"]) else named["email_hash"],
        phone_hash=_hash_of_phone(phone) if (phone := named["phone"]) else named["phone_hash"],
    )


def _hash_of_email(raw: str) -> str:
    """The hash under which events carry an e-mail address; the address is in no message."""
    try:
        return email_hash(raw)
    except ValueError as refused:
        raise click.ClickException(f"--{refused}") from None


def _hash_of_phone(raw: str) -> str:
    """The hash under which events carry a phone number; the number is in no message."""
    try:
        return phone_hash(raw)
    except ValueError as refused:
        raise click.ClickException(f"--{refused}") from None
