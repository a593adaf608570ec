"""The folders of a node: made at its start, the run folder also later where it was lost."""

import shutil
from pathlib import Path
from typing import Final

import structlog

from qrumb_server.config import REVEAL, Settings
from qrumb_server.errors import ConfigError
from qrumb_server.spool.filesystem import DISK
from qrumb_server.spool.recovery import recover
from qrumb_server.supervise.surroundings import enter_run_dir, keep_lock, make_folder

__all__ = ["SETTINGS_FILE", "keep_folders", "prepare_folders", "recover_orphans", "write_private"]

log = structlog.get_logger()

SETTINGS_FILE: Final = "settings.json"


def prepare_folders(settings: Settings) -> None:
    """Make the folders; the run folder is empty at each start and opens to its owner alone.

    Raises:
        ConfigError: one cannot be made, or a link stands in the run folder's place.
    """
    if settings.run_dir.is_symlink():
        raise ConfigError(f"{settings.run_dir}: is a symbolic link, which is not followed; remove it")
    shutil.rmtree(settings.run_dir, ignore_errors=True)
    for folder in settings.own_dirs:
        make_folder(folder)
    _write_settings(settings)


def _write_settings(settings: Settings) -> None:
    """Write what the other processes and the commands read into the run folder, made if need be. Raises OSError."""
    settings.run_dir.mkdir(exist_ok=True, mode=0o700)
    write_private(settings.run_dir / SETTINGS_FILE, settings.model_dump_json(context=REVEAL))


def keep_folders(settings: Settings, lock: int) -> None:
    """What must stay while the node runs: its lock, and the run folder as the working folder, made anew if need be.

    Raises:
        OSError, ConfigError: something stands in the way.
    """
    if not (settings.run_dir / SETTINGS_FILE).exists():
        _write_settings(settings)
    enter_run_dir(settings.run_dir)
    keep_lock(settings.data_dir, lock)


def recover_orphans(settings: Settings) -> None:
    """Seal what workers left behind that no longer exist because there are fewer now."""
    current = {f"worker-{index}" for index in range(settings.workers)}
    for folder in sorted(settings.spool_dir.glob("worker-*")):
        if folder.name not in current:
            report = recover(folder, DISK)
            log.info("orphan_spool_recovered", folder=folder.name, report=report)


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner's eyes only, whole at once."""
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(text, encoding="utf-8")
    new.rename(path)
