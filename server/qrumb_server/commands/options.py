"""Options that several commands take, so that each is spelled and explained the same everywhere."""

from pathlib import Path
from typing import Final

import click

__all__ = ["TIME", "config_option", "data_dir_option"]

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

TIME: Final = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])
