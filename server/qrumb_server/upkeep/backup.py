"""Backups of the embedded database while the node runs: between two batches, so that all tables fit together.

Loading pauses meanwhile, and the spool grows; senders notice nothing.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from qrumb_server.loader.loop import Loader

__all__ = ["Backup"]

LOADER_PATIENCE: Final = timedelta(seconds=20)


class Backup:
    """Makes backups in the loader's process. Calls block.

    Args:
        write: copies the database into a folder and counts its rows.
    """

    def __init__(self, *, loader: Loader, write: Callable[[Path], Mapping[str, int]]) -> None:
        self._loader = loader
        self._write = write

    def run(self, folder: Path) -> Mapping[str, int]:
        """Copy everything that is loaded. Raises a StoreError, or a ConfigError that names what is wrong with it."""
        with self._loader.exclusively(LOADER_PATIENCE):
            return self._write(folder)
