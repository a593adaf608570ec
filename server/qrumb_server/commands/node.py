"""The running node as the other commands find it: through its run folder."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import click

from qrumb_server.config import Settings
from qrumb_server.supervise.folders import SETTINGS_FILE
from qrumb_server.supervise.surroundings import enter_run_dir, is_data_dir_in_use

__all__ = ["inside_run_dir", "is_running", "reachable", "running_url"]


def is_running(settings: Settings) -> bool:
    """Whether a node works in this data folder; what it lost of its run folder does not matter."""
    return is_data_dir_in_use(settings.data_dir)


@contextlib.contextmanager
def inside_run_dir(settings: Settings) -> Iterator[None]:
    """Work in the run folder, where the sockets' short names mean something.

    Raises:
        click.ClickException: it is not there: the node starts or stops at this moment.
    """
    before = Path.cwd()
    if not settings.run_dir.is_dir():
        raise click.ClickException(f"the node in {settings.data_dir} is starting or stopping at the moment; try again")
    enter_run_dir(settings.run_dir)
    try:
        yield
    finally:
        os.chdir(before)


def running_url(settings: Settings) -> str:
    """Where the gateway listens: of the node in this data folder, else as configured."""
    host, port, scheme = settings.http_host, settings.http_port, "https" if settings.gateway.tls else "http"
    file = settings.run_dir / SETTINGS_FILE
    if is_running(settings) and file.exists():
        said = json.loads(file.read_text(encoding="utf-8"))
        host, port, scheme = said["http_host"], said["http_port"], "https" if said["gateway"]["tls"] else "http"
    return f"{scheme}://{reachable(host)}:{port}"


def reachable(host: str) -> str:
    """An address to connect to for one to listen on."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
