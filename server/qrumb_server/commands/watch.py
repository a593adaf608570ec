"""`qrumb watch`: what the sites' own rules say now, and whether their receivers take what they are told."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from qrumb_server.commands.events import check_site
from qrumb_server.commands.node import LONG_SECONDS, ask_loader
from qrumb_server.commands.options import any_site_option, format_option, shown_format, with_settings
from qrumb_server.commands.tables import add_line, new_table, print_whole
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.instants import timestamp
from qrumb_server.wire.v1 import upkeep_service_pb2 as pb
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub

__all__ = ["watch"]


@click.command()
@any_site_option
@click.option("--test", "is_test", is_flag=True, help="Send each receiver a message that says that it is a test.")
@format_option("table", "json", about="json is one object per line. ")
@with_settings
def watch(settings: Settings, site: str, is_test: bool, output_format: str | None) -> None:
    """Say what the rules of sites.toml's `watch` say now, and what their receivers have not taken yet.

    The running node judges them by itself and tells what begins and ends; this command changes nothing. Exits with 1
    if a test message was not taken.
    """
    try:
        settings.site_file.sites()
    except ConfigError as error:
        if is_test:
            raise
        click.echo(f"{error}\nThe node goes by the rules that it read before:", err=True)
    check_site(settings, site)
    request = pb.WatchRequest(site_id=site, is_test=is_test)
    answer = ask_loader(settings, lambda channel: UpkeepServiceStub(channel).Watch(request, timeout=LONG_SECONDS))
    rows = [*map(_verdict, answer.verdicts), *(_message("waiting", one) for one in answer.waiting)]
    rows += [_message("test", one) for one in answer.tests]
    if not rows:
        click.echo("no rules: a site's `watch` in sites.toml has them, see docs/watch.md", err=True)
    elif shown_format(output_format) == "table":
        _print(rows)
    else:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    if any(one.failure for one in answer.tests):
        raise click.exceptions.Exit(1)


def _verdict(one: pb.WatchVerdict) -> dict[str, Any]:
    since = timestamp(one.began_time_ms).ToJsonString() if one.began_time_ms else ""
    about = {"site_id": one.site_id, "rule": one.rule, "qr_code_id": one.qr_code_id}
    return {**about, "state": one.state, "since": since, "text": one.text}


def _message(state: str, one: pb.WatchMessage) -> dict[str, Any]:
    text = f"not taken: {one.failure}" if one.failure else "taken" if state == "test" else "not sent yet"
    since = timestamp(one.made_time_ms).ToJsonString() if one.made_time_ms else ""
    return {"site_id": one.site_id, "message": one.id, "state": state, "since": since, "tries": one.tries, "text": text}


def _print(rows: Iterable[Mapping[str, Any]]) -> None:
    table = new_table("site", "rule or message", "code", "state", "since", "what")
    for row in rows:
        name = row.get("rule") or row.get("message", "")
        add_line(table, row["site_id"], name, row.get("qr_code_id", ""), row["state"], row["since"], row["text"])
    print_whole(table)
