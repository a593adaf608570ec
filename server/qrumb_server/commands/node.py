"""The running node as the other commands find it: through its run folder."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from qrumb_server.config import Settings
from qrumb_server.supervise import sockets
from qrumb_server.supervise.node import SETTINGS_FILE
from qrumb_server.supervise.surroundings import enter_run_dir, is_data_dir_in_use

__all__ = ["inside_run_dir", "is_running", "reachable", "running_url"]


def is_running(settings: Settings) -> bool:
    """Whether a node works in this data folder."""
    return is_data_dir_in_use(settings.data_dir) and (settings.run_dir / sockets.LOADER).exists()


@contextlib.contextmanager
def inside_run_dir(settings: Settings) -> Iterator[None]:
    """Work in the run folder, where the sockets' short names mean something."""
    before = Path.cwd()
    enter_run_dir(settings.run_dir)
    try:
        yield
    finally:
        os.chdir(before)


def running_url(settings: Settings) -> str:
    """Where the gateway listens: of the node in this data folder, else as configured."""
    host, port, scheme = settings.http_host, settings.http_port, "https" if settings.gateway.tls else "http"
    if is_running(settings):
        said = json.loads((settings.run_dir / SETTINGS_FILE).read_text(encoding="utf-8"))
        host, port, scheme = said["http_host"], said["http_port"], "https" if said["gateway"]["tls"] else "http"
    return f"{scheme}://{reachable(host)}:{port}"


def reachable(host: str) -> str:
    """An address to connect to for one to listen on."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
