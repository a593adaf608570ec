"""Backups of an embedded node while it runs: between two batches, so that all tables fit together.

Loading pauses meanwhile, and the spool grows; senders notice nothing. Beside the database a backup holds whatever else
lies in the data folder, which is what makes the node answer the same keys: sites.toml with its secrets, demo.key.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from qrumb_server.errors import ConfigError
from qrumb_server.loader.loop import Loader

__all__ = ["SITES", "Backup"]

LOADER_PATIENCE: Final = timedelta(seconds=20)
# The spool is loaded by its own node, the database is copied by the engine, the rest belongs to a node that runs.
LEFT_OUT: Final = frozenset({"spool", "clickhouse", "run", "lock"})
# The name that the sites file has in a backup, wherever the settings say that it lies.
SITES: Final = "sites.toml"


class Backup:
    """Makes backups in the loader's process. Calls block.

    Args:
        write: copies the database and the files into a folder and counts its rows.
        data_dir: whose files are copied.
        sites_path: of the sites file, which may lie elsewhere.
        is_backup: whether a folder is a backup: those in the data folder are not copied into the next one.
    """

    def __init__(
        self,
        *,
        loader: Loader,
        write: Callable[[Path, Mapping[str, Path]], Mapping[str, int]],
        data_dir: Path,
        sites_path: Path,
        is_backup: Callable[[Path], bool],
    ) -> None:
        self._loader = loader
        self._write = write
        self._data_dir = data_dir
        self._sites_path = sites_path
        self._is_backup = is_backup

    def run(self, folder: Path) -> Mapping[str, int]:
        """Copy everything that is loaded. Raises a StoreError, or a ConfigError that names what is wrong with it."""
        if kept := next((name for name in LEFT_OUT if folder.is_relative_to(self._data_dir / name)), None):
            raise ConfigError(f"{folder}: lies in the node's own {self._data_dir / kept}; choose a folder elsewhere")
        with self._loader.exclusively(LOADER_PATIENCE):
            return self._write(folder, dict(self._files(folder)))

    def _files(self, target: Path) -> Iterator[tuple[str, Path]]:
        for place, folders, names in os.walk(self._data_dir):
            top = Path(place) == self._data_dir
            folders[:] = [
                name
                for name in folders
                if not (top and name in LEFT_OUT)
                and Path(place, name) != target
                and not self._is_backup(Path(place, name))
            ]
            for name in names:
                path = Path(place, name)
                if path.is_file() and not (top and name in LEFT_OUT):
                    yield str(path.relative_to(self._data_dir)), path
        if self._sites_path.is_file():
            yield SITES, self._sites_path
