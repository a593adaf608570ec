"""The processes that the supervisor starts by hidden commands: `qrumb worker` and `qrumb loader`."""

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from qrumb_server.config import Settings
from qrumb_server.supervise.logs import configure_logging

try:  # a quarter of what a call costs a worker is its event loop
    from uvloop import run as run_fast
except ImportError:  # where uvloop is not built for the interpreter
    run_fast = asyncio.run  # type: ignore[assignment]  # its own argument loop_factory

__all__ = ["loader", "worker"]

PULSE_HELP = "Descriptor on which the supervisor hears each second that the process is well."


@click.command(hidden=True)
@click.argument("index", type=int)
@click.argument("settings_file", type=click.Path(path_type=Path))
@click.option("--address-secret", type=int, help="Descriptor of the secret that addresses are hashed with.")
@click.option("--pulse", type=int, help=PULSE_HELP)
def worker(index: int, settings_file: Path, address_secret: int | None, pulse: int | None) -> None:
    """One collector worker; started by the supervisor."""
    from qrumb_server.app.collector import run_collector  # the loader needs none of it
    from qrumb_server.enrich.address_key import KEY_BYTES

    secret = secrets.token_bytes(KEY_BYTES) if address_secret is None else os.pread(address_secret, KEY_BYTES, 0)
    _run(
        f"worker-{index}", settings_file, lambda settings: run_collector(settings, index, secret, pulse=pulse), run_fast
    )


@click.command(hidden=True)
@click.argument("settings_file", type=click.Path(path_type=Path))
@click.option("--pulse", type=int, help=PULSE_HELP)
def loader(settings_file: Path, pulse: int | None) -> None:
    """The loader; started by the supervisor."""
    from qrumb_server.app.loader import run_loader  # a worker needs none of it

    _run("loader", settings_file, lambda settings: run_loader(settings, pulse=pulse))


def _run(
    process: str,
    settings_file: Path,
    run: Callable[[Settings], Coroutine[Any, Any, int]],
    run_loop: Callable[[Coroutine[Any, Any, int]], int] = asyncio.run,
) -> None:
    settings = Settings.model_validate_json(settings_file.read_bytes())
    configure_logging(settings.log_level, process)
    sys.exit(run_loop(run(settings)))
