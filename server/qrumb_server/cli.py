"""The command `qrumb`: the only module that reads the command line. Of the environment it reads QRUMB_KEY alone;
settings come from config/settings.py."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from qrumb_server import __version__
from qrumb_server.commands.demo import DEMO
from qrumb_server.commands.options import TIME, config_option, data_dir_option
from qrumb_server.commands.sites import sites
from qrumb_server.config import Settings, load_settings
from qrumb_server.errors import ConfigError
from qrumb_server.supervise.child import EXIT_CONFIG

__all__ = ["cli", "main"]

site_option = click.option("--site", default=DEMO, show_default=True, help="Site.")
any_site_option = click.option("--site", default="", help="Only this site, as it was sent; default: all.")
since_option = click.option("--since", type=TIME, help="Only those received at or after this time (UTC).")
reason_option = click.option(
    "--reason",
    metavar="REASON",
    help="Only those that break this kind of rule, such as invalid_url or contains_email.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="qrumb")
def cli() -> None:
    """qrumb collects web and server events and ties them to the QR code that was scanned.

    Start a node with `qrumb serve`, send it events with `qrumb send` or curl, read them back with `qrumb query`.
    """


@cli.command()
@config_option
@data_dir_option
@click.option("--http-port", type=int, help="Port of the gateway; else HTTP_PORT, else 8080. 0: any free one.")
@click.option("--grpc-port", type=int, help="Port of direct gRPC; else GRPC_PORT, else 9090. 0: any free one.")
@click.option("--workers", type=int, help="Collector processes; default: one per core.")
def serve(
    config_file: Path | None,
    data_dir: Path | None,
    http_port: int | None,
    grpc_port: int | None,
    workers: int | None,
) -> None:
    """Run a node in the foreground: gateway, collector workers, loader, embedded ClickHouse.

    Prints `ready: URL URL` when it takes events. Ctrl-C or SIGTERM stops it in order and loses nothing.
    """
    from qrumb_server.commands.serve import serve as run

    settings = load_settings(
        file=config_file, data_dir=data_dir, http_port=http_port, grpc_port=grpc_port, workers=workers
    )
    sys.exit(run(settings))


@cli.command()
@config_option
@data_dir_option
def restart(config_file: Path | None, data_dir: Path | None) -> None:
    """Start the processes of the running node anew, one after another, while it takes events: after an update of its
    packages, for example. Its settings stay as they are; for others, stop and start it.

    `kill -HUP` of a supervisor without a terminal does the same.
    """
    from qrumb_server.commands.restart import restart as run

    run(load_settings(file=config_file, data_dir=data_dir))


@cli.command("gateway-config")
@click.argument("folder", type=click.Path(path_type=Path))
@config_option
def gateway_config(folder: Path, config_file: Path | None) -> None:
    """Make what Envoy needs as a gateway on a machine of its own, into FOLDER, and print the command that runs it.

    The nodes are named in gateway.upstream. Run it again when a certificate was renewed: Envoy takes that over while
    it runs. FOLDER holds the keys and belongs to you alone.
    """
    from qrumb_server.commands.gateway_config import gateway_config as run

    run(load_settings(file=config_file), folder)


@cli.command()
@click.argument("sql")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "csv"]),
    help="json is one object per line. Default: table on a terminal, else json.",
)
@config_option
@data_dir_option
def query(sql: str, output_format: str | None, config_file: Path | None, data_dir: Path | None) -> None:
    """Run one read-only SQL statement on the node's ClickHouse.

    \b
    The tables are in the database `events`; the main one is valid_events:
      qrumb query "SELECT event_type, count() FROM events.valid_events GROUP BY 1"
    """
    from qrumb_server.commands.query import query as run

    run(
        load_settings(file=config_file, data_dir=data_dir),
        sql,
        output_format or ("table" if sys.stdout.isatty() else "json"),
    )


@cli.command()
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Print the statements; change nothing.")
@config_option
@data_dir_option
def migrate(is_dry_run: bool, config_file: Path | None, data_dir: Path | None) -> None:
    """Bring the tables in ClickHouse up to date; a node does so itself when it starts.

    For a server whose everyday user may not change tables: run it with another CLICKHOUSE_URL, before the nodes
    are updated. It may be run any number of times, on several machines at once.
    """
    from qrumb_server.commands.migrate import migrate as run

    run(load_settings(file=config_file, data_dir=data_dir), is_dry_run=is_dry_run)


@cli.command()
@click.argument("events_file", type=click.File("r"), required=False)
@click.option("--count", type=click.IntRange(min=1), default=10, show_default=True, help="Sample events to make.")
@click.option("--site", default="demo", show_default=True, help="Site of the sample events.")
@click.option("--seed", type=int, help="Make the same sample events each time.")
@click.option("--url", envvar="QRUMB_URL", help="Gateway; else the node of the data folder.")
@config_option
@data_dir_option
def send(
    events_file: Any,
    count: int,
    site: str,
    seed: int | None,
    url: str | None,
    config_file: Path | None,
    data_dir: Path | None,
) -> None:
    """Send events: those of EVENTS_FILE (JSON array, or one object per line; - for stdin), else made-up ones.

    An event with an event_name goes to /server-events, any other one to /collect. Server events need the site's key in
    QRUMB_KEY; for the site demo of a node here, its demo.key is taken. Exits with 1 if one is rejected.
    """
    from qrumb_server.commands.demo import demo_key
    from qrumb_server.commands.node import running_url
    from qrumb_server.commands.send import read_events, sample_events
    from qrumb_server.commands.send import send as run

    settings = load_settings(file=config_file, data_dir=data_dir)
    target = url or running_url(settings)
    collect_path = settings.gateway.collect_paths[0]
    secret = os.environ.get("QRUMB_KEY") or ("" if url else demo_key(settings))
    if events_file is None:
        all_accepted = run(target, sample_events(count, site, seed), count, secret, collect_path)
    else:
        events = list(read_events(events_file))
        all_accepted = run(target, events, len(events), secret, collect_path)
    sys.exit(0 if all_accepted else 1)


@cli.command()
@click.argument("event_id")
@site_option
@config_option
@data_dir_option
def receipt(event_id: str, site: str, config_file: Path | None, data_dir: Path | None) -> None:
    """Say what became of one event: spooled, stored, duplicate, rejected (with the reasons), or not seen."""
    from qrumb_server.commands.events import receipt as run

    run(load_settings(file=config_file, data_dir=data_dir), site, event_id)


@cli.command()
@any_site_option
@reason_option
@since_option
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most this many.")
@config_option
@data_dir_option
def rejected(
    site: str, reason: str | None, since: datetime | None, limit: int, config_file: Path | None, data_dir: Path | None
) -> None:
    """List rejected events, the newest first, one JSON object per line."""
    from qrumb_server.commands.events import rejected as run

    run(load_settings(file=config_file, data_dir=data_dir), site, reason, since, limit)


@cli.command()
@any_site_option
@reason_option
@since_option
@click.option("--event-id", default="", help="Only this event.")
@click.option("--dry-run", is_flag=True, help="Judge them and change nothing.")
@config_option
@data_dir_option
def replay(
    site: str,
    reason: str | None,
    since: datetime | None,
    event_id: str,
    dry_run: bool,
    config_file: Path | None,
    data_dir: Path | None,
) -> None:
    """Send rejected events through the pipeline again, after a rule was fixed. Each is stored once, however often
    this is run.

    Where an e-mail address stood, the mark [email] is stored; addresses and agents of visitors were not kept.
    """
    from qrumb_server.commands.events import replay as run

    run(load_settings(file=config_file, data_dir=data_dir), site, reason, since, event_id, dry_run=dry_run)


@cli.command()
@any_site_option
@click.option("--since", type=TIME, required=True, help="Events received at or after this time (UTC).")
@config_option
@data_dir_option
def rescore(site: str, since: datetime, config_file: Path | None, data_dir: Path | None) -> None:
    """Mark stored events anew by the fraud rules of today, as far as their inputs are still known: device class,
    times, session, and the reasons that a site ignores."""
    from qrumb_server.commands.events import rescore as run

    run(load_settings(file=config_file, data_dir=data_dir), site, since)


@cli.command()
@site_option
@click.option("--user-id", default="", help="The user, as in the column user_id.")
@click.option("--external-id", default="", help="The site's own id of the user.")
@click.option("--email-hash", default="", help="SHA-256 of the e-mail address, 64 hex digits.")
@click.option("--phone-hash", default="", help="SHA-256 of the phone number, 64 hex digits.")
@click.option("--email", default="", help="The e-mail address itself: it is normalised and hashed here, and forgotten.")
@click.option(
    "--phone", default="", help="The phone number itself, with + and country code: hashed here, and forgotten."
)
@click.option("--scan-session-id", default="", help="One scan session.")
@click.option("--dry-run", is_flag=True, help="Only count what would be erased.")
@config_option
@data_dir_option
def erase(
    site: str,
    user_id: str,
    external_id: str,
    email_hash: str,
    phone_hash: str,
    email: str,
    phone: str,
    scan_session_id: str,
    dry_run: bool,
    config_file: Path | None,
    data_dir: Path | None,
) -> None:
    """Erase one person from every table, the dead letters and the spool. Events stay counted, without what could lead
    to the person. What others share with the person, a session or a phone, is counted and stays theirs."""
    from qrumb.v1.server_event_pb2 import UserIdentifiers
    from qrumb_server.commands.events import erase as run
    from qrumb_server.commands.events import hash_of_email, hash_of_phone

    identifiers = UserIdentifiers(
        external_id=external_id,
        email_hash=hash_of_email(email) if email else email_hash,
        phone_hash=hash_of_phone(phone) if phone else phone_hash,
    )
    settings = load_settings(file=config_file, data_dir=data_dir)
    run(settings, site, user_id, scan_session_id, identifiers, dry_run=dry_run)


@cli.command()
@click.option("--site", help="Site; default: demo, and with --verify all of them.")
@click.option(
    "--since",
    type=TIME,
    help="From this minute on (UTC); default: the last 24 hours, and with --verify all that is kept.",
)
@click.option("--verify", "is_verified", is_flag=True, help="Compare with the tables; print the minutes that differ.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    help="json is one object per line. Default: table on a terminal, else json.",
)
@config_option
@data_dir_option
def ledger(
    site: str | None,
    since: datetime | None,
    is_verified: bool,
    output_format: str | None,
    config_file: Path | None,
    data_dir: Path | None,
) -> None:
    """Balance a site's events by the minute of their receipt.

    received = stored + rejected + spooled, and stored = unique + duplicate. Exits with 1 where it does not balance.

    With --verify the rows themselves are counted: each minute's stored and rejected events must be in their tables.
    Exits with 1 where they are not. A running node does so at its start and each hour.
    """
    from qrumb_server.commands import events

    settings = load_settings(file=config_file, data_dir=data_dir)
    shown = output_format or ("table" if sys.stdout.isatty() else "json")
    is_well = (
        events.verify(settings, site or "", since, shown)
        if is_verified
        else events.ledger(settings, site or DEMO, since, shown)
    )
    sys.exit(0 if is_well else 1)


@cli.command()
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json"]),
    help="Default: table on a terminal, else json.",
)
@config_option
@data_dir_option
def status(output_format: str | None, config_file: Path | None, data_dir: Path | None) -> None:
    """Say how the running node is doing, and why.

    Exits with 0 if it is ready, 1 if it is degraded, 2 if it takes no events or does not run.
    """
    from qrumb_server.commands.status import status as run

    settings = load_settings(file=config_file, data_dir=data_dir)
    sys.exit(run(settings, output_format or ("table" if sys.stdout.isatty() else "json")))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@config_option
@data_dir_option
def backup(folder: Path, config_file: Path | None, data_dir: Path | None) -> None:
    """Copy the running node into FOLDER, which is empty or not there yet: rows, sites, keys and their secrets.

    All tables as of one moment, and what else lies in the data folder. Loading pauses meanwhile; events are taken all
    the same and wait in the spool. The spool itself is not part of the backup: what waits there is loaded by this node,
    and is in the next backup. FOLDER holds secrets and belongs to you alone.
    """
    from qrumb_server.commands.backup import backup as run

    run(load_settings(file=config_file, data_dir=data_dir), folder)


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@config_option
@data_dir_option
def restore(folder: Path, config_file: Path | None, data_dir: Path | None) -> None:
    """Bring the backup in FOLDER into a data folder that has no database yet, while no node runs there. It then answers
    the same keys.

    Prints the rows of each table and fails unless they are those that were copied. Then start the node: what waits in
    the data folder's spool is loaded, each event once.
    """
    from qrumb_server.commands.backup import restore as run

    run(load_settings(file=config_file, data_dir=data_dir), folder)


cli.add_command(sites)


@cli.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@config_option
@data_dir_option
@click.option("--commented", is_flag=True, help="As a qrumb.toml that explains every setting; without secrets.")
def show(config_file: Path | None, data_dir: Path | None, commented: bool) -> None:
    """Print the settings in force, as JSON, secrets masked."""
    from qrumb_server.config.describe import commented_settings

    settings = load_settings(file=config_file, data_dir=data_dir)
    click.echo(commented_settings(settings) if commented else settings.model_dump_json(indent=2))


@config.command("sites")
def explain_sites() -> None:
    """Print a commented sites.toml, with everything that a site may state."""
    from qrumb_server.config.describe import commented_sites

    click.echo(commented_sites())


@cli.command(hidden=True)
@click.argument("index", type=int)
@click.argument("settings_file", type=click.Path(path_type=Path))
@click.option("--address-secret", type=int, help="Descriptor of the secret that addresses are hashed with.")
def worker(index: int, settings_file: Path, address_secret: int | None) -> None:
    """One collector worker; started by the supervisor."""
    from qrumb_server.app.collector import run_collector
    from qrumb_server.enrich.address import KEY_BYTES

    secret = secrets.token_bytes(KEY_BYTES) if address_secret is None else os.pread(address_secret, KEY_BYTES, 0)
    _run_child(f"worker-{index}", settings_file, lambda settings: run_collector(settings, index, secret))


@cli.command(hidden=True)
@click.argument("settings_file", type=click.Path(path_type=Path))
def loader(settings_file: Path) -> None:
    """The loader; started by the supervisor."""
    from qrumb_server.app.loader import run_loader

    _run_child("loader", settings_file, run_loader)


def _run_child(process: str, settings_file: Path, run: Callable[[Settings], Coroutine[Any, Any, int]]) -> None:
    from qrumb_server.supervise.logs import configure_logging

    settings = Settings.model_validate_json(settings_file.read_bytes())
    configure_logging(settings.log_level, process)
    sys.exit(asyncio.run(run(settings)))


def main() -> None:
    """Run the command; a problem with the configuration or the surroundings is told, not traced."""
    try:
        cli(prog_name="qrumb")
    except ConfigError as error:
        for line in str(error).splitlines():
            click.echo(f"qrumb: {line}", err=True)
        sys.exit(EXIT_CONFIG)
