"""`qrumb restart`: ask the running node to start its processes anew, one after another."""

import os

import click

from qrumb_server.config import Settings
from qrumb_server.supervise.child import RESTART_SIGNAL
from qrumb_server.supervise.surroundings import holder_of

__all__ = ["restart"]


def restart(settings: Settings) -> None:
    """Signal the supervisor.

    Raises:
        click.ClickException: none runs.
    """
    supervisor = holder_of(settings.data_dir)
    if supervisor is None:
        raise click.ClickException(
            f"no node runs in {settings.data_dir}; start one with `qrumb serve`, or set DATA_DIR"
        )
    os.kill(supervisor, RESTART_SIGNAL)
    click.echo("restarting, one process after another; the node's log says restart_done")
