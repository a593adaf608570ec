"""`qrumb backup` and `qrumb restore`: an embedded node as a folder that can be put away: its rows, sites and keys."""

from collections.abc import Mapping
from pathlib import Path

import click

from qrumb_server.commands.calls import ask_loader
from qrumb_server.commands.events import LONG_SECONDS
from qrumb_server.config import Settings
from qrumb_server.errors import StoreError
from qrumb_server.supervise.surroundings import is_data_dir_in_use
from qrumb_server.wire.v1 import upkeep_service_pb2 as pb
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceStub

__all__ = ["backup", "restore"]


def backup(settings: Settings, folder: Path) -> None:
    """Ask the running node for a backup and print what it copied.

    Raises:
        click.ClickException: with what stands in the way.
    """
    request = pb.BackupRequest(folder=str(folder.absolute()))
    done: pb.BackupResponse = ask_loader(
        settings, lambda channel: UpkeepServiceStub(channel).Backup(request, timeout=LONG_SECONDS)
    )
    _print(done.row_counts, f"copied to {folder.absolute()}")


def restore(settings: Settings, folder: Path) -> None:
    """Bring a backup into the data folder of a node that does not run, and print what came back.

    Raises:
        ConfigError: there is no backup, or the data folder is not empty.
        click.ClickException: with what the engine said.
    """
    from qrumb_server.app.stores import restore_store  # the engine takes half a second to import

    if settings.clickhouse.url is not None:
        raise click.ClickException("a ClickHouse server is restored by its own means, not by qrumb")
    if is_data_dir_in_use(settings.data_dir):
        raise click.ClickException(f"a node runs in {settings.data_dir}; stop it first")
    try:
        counts = restore_store(settings, folder)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    _print(counts, f"restored into {settings.data_dir}, as many rows as were copied")
    if not settings.sites_path.exists():
        click.echo("The backup holds no sites.toml: no key is known until `qrumb sites add` has made one.", err=True)


def _print(row_counts: Mapping[str, int], what: str) -> None:
    for table, count in sorted(row_counts.items()):
        click.echo(f"{table}: {count:,}")
    click.echo(what)
