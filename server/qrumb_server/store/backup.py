"""Copies of the embedded database: the engine's own BACKUP in a folder, with a note of what is in it, and beside it the
other files that a node needs: its sites, their secrets, its keys.

The note is written last, so a folder without one is no whole backup. What a restore brings back is compared with it.
"""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from qrumb_server.errors import ConfigError, StoreRefusedError
from qrumb_server.store.engine import EngineError, EngineSession
from qrumb_server.store.errors import error_code, query_error
from qrumb_server.store.folder import plain_path
from qrumb_server.store.native import decode_rows

__all__ = ["NOTE", "check_files", "count_rows", "restore_backup", "restore_files", "write_backup"]

NOTE: Final = "qrumb-backup.json"
COPY: Final = "events"
FILES: Final = "node"

_FRESH: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

_TABLES: Final = "SELECT name FROM system.tables WHERE database = 'events' AND engine LIKE '%MergeTree' ORDER BY name"


def write_backup(session: EngineSession, target: Path, files: Mapping[str, Path]) -> Mapping[str, int]:
    """Copy the database into `target`, which is made; returns the rows by table. Nothing may be inserted meanwhile.

    Args:
        files: what else is copied, by the relative name that a restore gives it.

    Raises:
        ConfigError: the folder is not empty, or cannot be used.
        StoreError: the engine could not copy.
    """
    folder = plain_path(target)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_empty = next(folder.iterdir(), None) is None
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be used for a backup: {error.strerror}") from error
    if not is_empty:
        raise ConfigError(f"{folder}: not empty; a backup takes a folder of its own")
    _run(session, f"BACKUP DATABASE events TO File('{folder / COPY}/')")
    counts = count_rows(session)
    try:
        digests = {name: _copy(path, folder / FILES / name) for name, path in files.items()}
        (folder / NOTE).write_bytes(orjson.dumps({"row_counts": counts, "files": digests}))
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be copied into the backup: {error.strerror}") from error
    return counts


def check_files(source: Path, places: Mapping[str, Path], data_dir: Path) -> dict[str, Path]:
    """Where the files of a backup go; none of them is written over.

    Args:
        places: of those that do not lie in the data folder under their own name.

    Raises:
        ConfigError: there is no whole backup, or another file is there already; names all.
    """
    folder = plain_path(source)
    targets = {name: places.get(name, data_dir / name) for name in _note(folder).get("files", {})}
    problems = []
    for name, digest in _note(folder).get("files", {}).items():
        copy, target = folder / FILES / name, targets[name]
        if not copy.is_file() or _digest(copy) != digest:
            problems.append(f"{copy}: is not what was copied; the backup is damaged")
        elif target.exists() and (not target.is_file() or _digest(target) != digest):
            problems.append(f"{target}: is there already and differs from the backup's; move it away")
    if problems:
        raise ConfigError("\n".join(problems))
    return targets


def restore_files(source: Path, targets: Mapping[str, Path]) -> None:
    """Bring the files back to where `check_files` said. Raises ConfigError where one cannot be written."""
    try:
        for name, target in targets.items():
            _copy(plain_path(source) / FILES / name, target)
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be restored: {error.strerror}") from error


def restore_backup(session: EngineSession, source: Path) -> Mapping[str, int]:
    """Bring a backup into a folder that has no database `events` yet; returns the rows by table.

    Raises:
        ConfigError: there is no whole backup in `source`, or a database is there already.
        StoreError: the engine could not restore; the folder is as before.
        StoreRefusedError: what came back is not what was copied.
    """
    folder = plain_path(source)
    noted: dict[str, int] = _note(folder)["row_counts"]
    if decode_rows(_run(session, "SELECT 1 AS one FROM system.databases WHERE name = 'events'")):
        raise ConfigError("the data folder has a database already; choose another DATA_DIR, or move that away")
    try:
        _run(session, f"RESTORE DATABASE events FROM File('{folder / COPY}/')")
        counts = count_rows(session)
        if counts != noted:
            raise StoreRefusedError(f"restored {counts}, but the backup was of {noted}")
    except BaseException:
        _run(session, "DROP DATABASE IF EXISTS events SYNC")
        raise
    return counts


def count_rows(session: EngineSession) -> dict[str, int]:
    """Rows by table."""
    names = [row["name"] for row in decode_rows(_run(session, _TABLES))]
    # Names of tables of our own schema files.
    return {name: decode_rows(_run(session, f"SELECT count() AS n FROM events.{name}"))[0]["n"] for name in names}  # noqa: S608


def _note(folder: Path) -> dict[str, Any]:
    try:
        note: dict[str, Any] = orjson.loads((folder / NOTE).read_bytes())
        note["row_counts"]
    except (OSError, orjson.JSONDecodeError, KeyError) as error:
        raise ConfigError(f"{folder}: no whole backup of qrumb is there ({NOTE} cannot be read)") from error
    return note


def _copy(source: Path, target: Path) -> str:
    """Copy a file, for its owner alone; returns its digest."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with source.open("rb") as file, open(os.open(target, _FRESH, 0o600), "wb") as copy:  # noqa: PTH123
        shutil.copyfileobj(file, copy)
        copy.flush()
        os.fsync(copy.fileno())
    return _digest(target)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(session: EngineSession, sql: str) -> bytes:
    try:
        return session.run(sql)
    except EngineError as error:
        raise query_error(error_code(str(error)), str(error)) from None
