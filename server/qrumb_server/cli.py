"""The command `qrumb`: which commands there are. Each module of commands/ has the options of its own."""

import os
import sys
from importlib import import_module
from types import MappingProxyType
from typing import Final

import click

from qrumb_server import __version__
from qrumb_server.errors import EXIT_CONFIG, EXIT_LATER, ConfigError, StartError
from qrumb_server.imports import left_out

__all__ = ["cli", "main"]

COMMANDS: Final = MappingProxyType(
    {
        "serve": "serve",
        "restart": "serve",
        "micro": "micro",
        "status": "status",
        "doctor": "doctor",
        "send": "send",
        "query": "store",
        "receipt": "events",
        "rejected": "events",
        "replay": "events",
        "rescore": "events",
        "erase": "subjects",
        "export-subject": "subjects",
        "identities": "subjects",
        "ledger": "ledger",
        "counts": "numbers",
        "funnel": "numbers",
        "attribution": "numbers",
        "tail": "numbers",
        "watch": "watch",
        "export": "export",
        "sites": "sites",
        "plan": "plan",
        "config": "config",
        "gateway-config": "config",
        "schema": "store",
        "migrate": "store",
        "backup": "store",
        "restore": "store",
        "worker": "children",
        "loader": "children",
    }
)
"""The module of commands/ that has each command."""


class _Commands(click.Group):
    """Imports only the module of the command that is called: all of them together take seconds, and the memory of each
    worker."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # structlog and httpx would take rich along, a tenth of each start; what prints tables imports it when it does.
        with left_out("rich"):
            module = import_module(f"qrumb_server.commands.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="qrumb")
def cli() -> None:
    """qrumb collects web and server events and ties them to the QR code that was scanned.

    Start a node with `qrumb serve`, send it events with `qrumb send` or curl, read them back with `qrumb query`.
    """


def main() -> None:
    """Run the command; a problem with the configuration or the surroundings is a sentence, without a traceback."""
    # gRPC writes plain lines between those of our log, some for each hostile caller; what matters it raises. To be set
    # before its first import.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # The ClickHouse driver would make two tables of 146,000 dates at its import, and we read none.
    os.environ.setdefault("CLICKHOUSE_DRIVER_LASY_DATE_LUT", "1")
    # pydantic would look through all installed packages for plugins to validate with; it has none of ours.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        cli(prog_name="qrumb")
    except (ConfigError, StartError) as error:
        for line in str(error).splitlines():
            click.echo(f"qrumb: {line}", err=True)
        sys.exit(EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_LATER)
