"""The data folder of the embedded database: whether it may be opened, which process holds it, where scratch goes.

The engine locks `<folder>/status` with flock and writes its pid there. Its own complaint about a second
opener goes to stderr and says little, so the lock is tried here first. A lock dies with its process, so
waiting a moment is enough for a predecessor that was just killed.
"""

import errno
import fcntl
import os
import re
import time
from datetime import timedelta
from pathlib import Path

from qrumb_server.errors import ConfigError, StoreShortOfDiskError
from qrumb_server.store.errors import NOT_ENOUGH_SPACE

__all__ = ["check_free_bytes", "clean_scratch", "plain_path", "prepare_folder", "wait_for_lock"]

_POLL_SECONDS = 0.02
_MIB = 1024 * 1024

# The path becomes part of a connection string and of file() globs, where these have a meaning.
_ODD_CHARS = re.compile(r"""[?*{}\[\]'"\\&%\x00-\x1f]""")


def plain_path(folder: Path) -> Path:
    """`folder` as an absolute path that may stand in a statement.

    Raises:
        ConfigError: it has characters that the engine would interpret.
    """
    absolute = folder.absolute()
    if odd := _ODD_CHARS.search(str(absolute)):
        raise ConfigError(f"folder {absolute}: the character {odd.group()!r} cannot be used in its path")
    return absolute


def prepare_folder(folder: Path) -> Path:
    """`folder` as an absolute path, made if need be, readable by its owner alone.

    Raises:
        ConfigError: the path has characters that the engine would interpret, or cannot be made or written.
    """
    absolute = plain_path(folder)
    try:
        absolute.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"data folder {absolute} cannot be made: {error.strerror}") from error
    if not os.access(absolute, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(f"data folder {absolute} is not ours to write; give it to this user")
    return absolute


def wait_for_lock(folder: Path, timeout: timedelta) -> None:
    """Returns once no process holds the lock of `folder`, which the engine then takes.

    Raises:
        ConfigError: it is still held after `timeout`; names the folder and the holder.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    while (holder := _lock_holder(folder / "status")) is not None:
        if time.monotonic() >= deadline:
            raise ConfigError(f"data folder {folder} is in use by process {holder}; stop it or choose another folder")
        time.sleep(_POLL_SECONDS)


def clean_scratch(folder: Path) -> Path:
    """The folder for transfer files, empty: what a killed predecessor left there has no value."""
    scratch = folder / "qrumb-scratch"
    scratch.mkdir(exist_ok=True, mode=0o700)
    for leftover in scratch.iterdir():
        leftover.unlink()
    return scratch


def check_free_bytes(folder: Path, min_free_bytes: int) -> None:
    """Returns if the disk of `folder` has that much room.

    Raises:
        StoreShortOfDiskError: it has less; says how much it has and how much it needs.
    """
    disk = os.statvfs(folder)
    free_bytes = disk.f_bavail * disk.f_frsize
    if free_bytes < min_free_bytes:
        raise StoreShortOfDiskError(
            f"the disk of the database has {free_bytes // _MIB} MiB left, {min_free_bytes // _MIB} are needed",
            NOT_ENOUGH_SPACE,
        )


def _lock_holder(status: Path) -> str | None:
    """The pid that the lock's holder wrote down, None if the lock is free."""
    try:
        with status.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                found = re.search(rb"PID: (\d+)", file.read(200))
                return found.group(1).decode() if found else "of unknown number"
            return None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"data folder {status.parent}: its lock cannot be tried: {error.strerror}") from error
