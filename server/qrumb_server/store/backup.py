"""Copies of the embedded database: the engine's own BACKUP in a folder, with a note of what is in it, and beside it the
other files that a node needs: its sites, their secrets, its keys.

The note is written last, so a folder without one is not a whole backup. It holds the digest of every file, the engine's
own included: the engine restores a part without reading it, so a torn one would be found by some later question.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from qrumb_server.errors import ConfigError, StoreError, StoreRefusedError
from qrumb_server.store.engine import EngineError, EngineSession
from qrumb_server.store.errors import NOT_ENOUGH_SPACE, error_code, query_error
from qrumb_server.store.folder import plain_path
from qrumb_server.store.native import decode_rows

__all__ = ["NOTE", "check_files", "count_rows", "restore_backup", "restore_files", "write_backup"]

NOTE: Final = "qrumb-backup.json"
COPY: Final = "events"
FILES: Final = "node"

_FRESH: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

_TABLES: Final = (
    "SELECT name, engine FROM system.tables WHERE database = 'events' AND engine LIKE '%MergeTree' ORDER BY name"
)


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
    try:
        return _write(session, folder, files)
    except BaseException:
        for begun in (COPY, FILES):
            shutil.rmtree(folder / begun, ignore_errors=True)
        raise


def _write(session: EngineSession, folder: Path, files: Mapping[str, Path]) -> Mapping[str, int]:
    try:
        [done] = decode_rows(_run(session, f"BACKUP DATABASE events TO File('{folder / COPY}/')"))
    except StoreError as error:
        raise ConfigError(
            f"{folder}: ClickHouse cannot write the copy there (its code {error.code}); see that its disk has room"
        ) from error
    counts = count_rows(session)
    sizes = "SELECT compressed_size AS size FROM system.backups WHERE id = {id:String}"
    [noted] = decode_rows(session.run(sizes, {"id": done["id"]}))
    try:
        copied = dict(_digests(folder / COPY))
        # The engine calls a copy done of which the disk took a part.
        size = sum((folder / COPY / name).stat().st_size for name in copied)
        if size != noted["size"]:
            raise ConfigError(f"{folder}: its disk took {size:,} of {noted['size']:,} bytes; make room, and begin anew")
        digests = {name: _copy(path, folder / FILES / name) for name, path in files.items()}
        note = orjson.dumps({"row_counts": counts, "is_final": True, "files": digests, "copy": copied})
        with (folder / NOTE).open("xb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # Of a read and of a write the system says not where.
        where = error.filename or folder
        raise ConfigError(f"{where}: cannot be copied into the backup: {error.strerror}") from error
    return counts


def check_files(source: Path, places: Mapping[str, Path], data_dir: Path) -> dict[str, Path]:
    """Where the files of a backup go, after a look at every byte of it; nothing is written, and nothing written over.

    Args:
        places: of those that do not lie in the data folder under their own name.

    Raises:
        ConfigError: there is no whole backup, it is damaged, or another file is there already; names all.
    """
    folder = plain_path(source)
    note = _note(folder)
    targets = {name: places.get(name, data_dir / name) for name in note.get("files", {})}
    copies = {folder / FILES / name: digest for name, digest in note.get("files", {}).items()}
    # Backups of earlier versions name no files of the engine.
    copies |= {folder / COPY / name: digest for name, digest in note.get("copy", {}).items()}
    problems = [
        f"{copy}: is not what was copied; the backup is damaged, take another one"
        for copy, digest in copies.items()
        if not copy.is_file() or _digest(copy) != digest
    ]
    for name, digest in note.get("files", {}).items():
        target = targets[name]
        if target.exists() and (not target.is_file() or _digest(target) != digest):
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
        StoreError: the engine could not restore.
        StoreRefusedError: what came back is not what was copied.
    """
    folder = plain_path(source)
    note = _note(folder)
    noted: dict[str, int] = note["row_counts"]
    if decode_rows(_run(session, "SELECT 1 AS one FROM system.databases WHERE name = 'events'")):
        raise ConfigError("the data folder has a database already; choose another DATA_DIR, or move that away")
    try:
        _run(session, f"RESTORE DATABASE events FROM File('{folder / COPY}/')")
    except StoreError as error:
        why = "is damaged or of another version: take another one"
        if error.code == NOT_ENOUGH_SPACE:
            why = "does not fit on the data folder's disk: make room"
        raise StoreRefusedError(
            f"{folder}: ClickHouse cannot restore it (its code {error.code}); the backup {why}; nothing was restored",
            error.code,
        ) from error
    # Backups of before counted rows that a merge takes away.
    counts = count_rows(session, is_final=note.get("is_final", False))
    if counts != noted:
        raise StoreRefusedError(f"restored {counts}, but the backup was of {noted}; nothing was kept of it")
    for name in counts:
        # Every byte is read: the engine calls a part restored of which the disk took the beginning alone.
        [check] = decode_rows(_run(session, f"CHECK TABLE events.{name} SETTINGS check_query_single_value_result = 1"))
        if not check["result"]:
            raise StoreRefusedError(f"events.{name} is not on the disk as it was restored; make room, and begin anew")
    return counts


def count_rows(session: EngineSession, *, is_final: bool = True) -> dict[str, int]:
    """Rows by table; `is_final`: as they are once all is merged, which may happen at any time."""
    counts = {}
    for row in decode_rows(_run(session, _TABLES)):
        final = " FINAL" if is_final and row["engine"] != "MergeTree" else ""
        # Names of tables of our own schema files.
        [counted] = decode_rows(_run(session, f"SELECT count() AS n FROM events.{row['name']}{final}"))  # noqa: S608
        counts[row["name"]] = counted["n"]
    return counts


def _note(folder: Path) -> dict[str, Any]:
    try:
        note: dict[str, Any] = orjson.loads((folder / NOTE).read_bytes())
        note["row_counts"]
    except (OSError, orjson.JSONDecodeError, KeyError) as error:
        raise ConfigError(f"{folder}: no whole backup of qrumb is there ({NOTE} cannot be read)") from error
    return note


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    """Of every file in it, by relative name."""
    for place, _folders, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            yield str(path.relative_to(folder)), _digest(path)


def _copy(source: Path, target: Path) -> str:
    """Copy a file, for its owner alone; returns its digest."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with source.open("rb") as file, open(os.open(target, _FRESH, 0o600), "wb") as copy:  # noqa: PTH123
        shutil.copyfileobj(file, copy)
        copy.flush()
        os.fsync(copy.fileno())
    return _digest(target)


def _digest(path: Path) -> str:
    """Of what is on the disk: what is not written yet is, or the disk says why not."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(session: EngineSession, sql: str) -> bytes:
    try:
        return session.run(sql)
    except EngineError as error:
        raise query_error(error_code(str(error)), str(error)) from None
