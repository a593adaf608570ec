"""Options that several commands take, so that each is spelled and explained the same everywhere."""

import functools
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import click

from qrumb_server.commands.demo import DEMO
from qrumb_server.config import Settings, load_settings

__all__ = [
    "TIME",
    "any_site_option",
    "as_utc",
    "config_option",
    "data_dir_option",
    "format_option",
    "shown_format",
    "site_option",
    "with_settings",
]

P = ParamSpec("P")
R = TypeVar("R")

TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])

data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder of the data; else DATA_DIR, else ./data."
)
config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    envvar="QRUMB_CONFIG",
    help="TOML file with settings; else qrumb.toml here, where there is one.",
)
site_option = click.option("--site", default=DEMO, show_default=True, help="Site.")
any_site_option = click.option("--site", default="", help="Only this site, as it was sent; default: all.")


def with_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[..., R]:
    """Adds --config and --data-dir to a command, which gets the settings that they lead to as its first argument."""

    @config_option
    @data_dir_option
    @functools.wraps(command)
    def run(*args: Any, config_file: Path | None, data_dir: Path | None, **options: Any) -> R:
        return command(load_settings(file=config_file, data_dir=data_dir), *args, **options)

    return run


def format_option(*formats: str, about: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """The option --format, for its command `output_format`; see `shown_format` for its default."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats),
        help=f"{about}Default: {'table on a terminal, else json' if 'table' in formats else formats[0]}.",
    )


def shown_format(output_format: str | None) -> str:
    """The format that was asked for; else a table for people and JSON for programs."""
    return output_format or ("table" if sys.stdout.isatty() else "json")


def as_utc(time: datetime) -> datetime:
    """A time as it was typed; without a zone it is UTC."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
