"""The node's ClickHouse by command: `qrumb query`, `schema`, `migrate`, `backup` and `restore`."""

import codecs
import contextlib
import re
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import click

from qrumb_server.commands.node import LONG_SECONDS, ask_loader, is_running, stream_from_loader
from qrumb_server.commands.options import format_option, shown_format, with_settings
from qrumb_server.commands.texts import visible
from qrumb_server.config import Settings
from qrumb_server.errors import StoreError
from qrumb_server.supervise.surroundings import is_data_dir_in_use
from qrumb_server.wire.v1 import sql_service_pb2 as sql_pb
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from qrumb_server.wire.v1.sql_service_pb2_grpc import SqlServiceStub
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub

__all__ = ["FORMATS", "backup", "migrate", "query", "restore", "run_sql", "schema"]

# As it is written without quotes.
READER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
FORMATS: Final = {"table": "PrettyCompactMonoBlock", "json": "JSONEachRow", "csv": "CSVWithNames"}


@click.command()
@click.argument("sql")
@format_option(*FORMATS, about="json is one object per line. ")
@with_settings
def query(settings: Settings, sql: str, output_format: str | None) -> None:
    """Run one read-only SQL statement on the node's ClickHouse.

    \b
    The tables are in the database `events`; the main one is valid_events:
      qrumb query "SELECT event_type, count() FROM events.valid_events GROUP BY 1"
    """
    shown = shown_format(output_format)
    # A character may be in two pieces.
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    with contextlib.closing(run_sql(settings, sql, FORMATS[shown])) as pieces:
        for piece in pieces:
            text = visible(decode(piece), has_lines=True).encode() if shown == "table" else piece
            sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


@click.command()
@click.option("--grants", "reader", metavar="USER", help="Print what makes USER a reader of the database, no more.")
@with_settings
def schema(settings: Settings, reader: str | None) -> None:
    """Print the statements that make all tables and views, for the ClickHouse of the settings; run none of them."""
    from qrumb_server.app.stores import grants, schema_of  # the drivers take half a second to import

    if reader is None:
        for migration in schema_of(settings.clickhouse):
            click.echo(f"-- {migration.number:03d}_{migration.name}")
            for statement in migration.statements:
                click.echo(f"{statement};\n")
        return
    if not READER.fullmatch(reader):
        raise click.UsageError("a user's name has 1 to 64 characters of A-Z, a-z, 0-9 and _, and starts with no digit")
    for statement in grants(settings.clickhouse, reader):
        click.echo(f"{statement};")


@click.command()
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Print the statements; change nothing.")
@with_settings
def migrate(settings: Settings, is_dry_run: bool) -> None:
    """Bring the tables in ClickHouse up to date; a node does so itself when it starts.

    For a server whose everyday user may not change tables: run it with another CLICKHOUSE_URL, before the nodes
    are updated. It may be run any number of times, on several machines at once.
    """
    from qrumb_server.app.stores import migrate_store  # the drivers take half a second to import

    try:
        migrations = migrate_store(settings, is_dry_run=is_dry_run)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    for migration in migrations:
        name = f"{migration.number:03d}_{migration.name}"
        if not is_dry_run:
            click.echo(f"applied {name}")
            continue
        click.echo(f"-- would apply {name}")
        for statement in migration.statements:
            click.echo(f"{statement};\n")
    if not migrations:
        click.echo("nothing to apply; all tables are as they should be")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@with_settings
def backup(settings: Settings, folder: Path) -> None:
    """Copy the running node into FOLDER, which is empty or not there yet: rows, sites, keys and their secrets.

    All tables as of one moment, and what else lies in the data folder. Loading pauses meanwhile; events are taken all
    the same and wait in the spool. The spool itself is not part of the backup: what waits there is loaded by this node,
    and is in the next backup. FOLDER holds secrets and belongs to you alone.
    """
    request = upkeep_pb.BackupRequest(folder=str(folder.absolute()))
    done: upkeep_pb.BackupResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).Backup(request, timeout=LONG_SECONDS)
    )
    _print_counts(done.row_counts, f"copied to {folder.absolute()}")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@with_settings
def restore(settings: Settings, folder: Path) -> None:
    """Bring the backup in FOLDER into a data folder that has no database yet, while no node runs there. It then answers
    the same keys.

    Prints the rows of each table and fails unless they are those that were copied. Then start the node: what waits in
    the data folder's spool is loaded, each event once.
    """
    from qrumb_server.app.stores import restore_store  # the drivers take half a second to import

    if settings.clickhouse.url is not None:
        raise click.ClickException("a ClickHouse server is restored by its own means, not by qrumb")
    if is_data_dir_in_use(settings.data_dir):
        raise click.ClickException(f"a node runs in {settings.data_dir}; stop it first")
    try:
        counts = restore_store(settings, folder)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    _print_counts(counts, f"restored into {settings.data_dir}, as many rows as were copied")
    if not settings.sites_path.exists():
        click.echo("The backup holds no sites.toml: no key is known until `qrumb sites add` has made one.", err=True)


def run_sql(settings: Settings, sql: str, clickhouse_format: str) -> Generator[bytes]:
    """The result of a reading statement in one of ClickHouse's formats, from the running node, else from its data.

    To be closed where it is not read to its end: a call that is still open when the program ends holds it up for ever.

    Raises:
        ClickException: it failed, or there is no data.
    """
    if is_running(settings):
        return _ask_node(settings, sql, clickhouse_format)
    if settings.clickhouse.url is not None or settings.clickhouse_dir.is_dir():
        return _ask_store(settings, sql, clickhouse_format)
    raise click.ClickException(f"{settings.data_dir}: no data there; start qrumb first, or set DATA_DIR")


def _ask_node(settings: Settings, sql: str, clickhouse_format: str) -> Generator[bytes]:
    request = sql_pb.RunSqlRequest(sql=sql, output_format=clickhouse_format)
    responses = stream_from_loader(settings, lambda channel: SqlServiceStub(channel).RunSql(request))
    with contextlib.closing(responses):
        for response in responses:
            yield response.piece


def _ask_store(settings: Settings, sql: str, clickhouse_format: str) -> Generator[bytes]:
    from qrumb_server.app.stores import open_store  # the drivers take half a second to import

    try:
        with contextlib.closing(open_store(settings)) as store:
            yield from store.export(sql, clickhouse_format)
    except StoreError as error:
        raise click.ClickException(str(error)) from error


def _print_counts(row_counts: Mapping[str, int], what: str) -> None:
    for table, count in sorted(row_counts.items()):
        click.echo(f"{table}: {count:,}")
    click.echo(what)
