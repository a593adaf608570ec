"""`qrumb migrate`: bring the schema up to date ahead of a start, or with another account's rights."""

import click

from qrumb_server.app.stores import migrate_store
from qrumb_server.config import Settings
from qrumb_server.errors import StoreError

__all__ = ["migrate"]


def migrate(settings: Settings, *, is_dry_run: bool) -> None:
    """Apply what is pending, or print its statements.

    Raises:
        click.ClickException: with what stands in the way.
    """
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
