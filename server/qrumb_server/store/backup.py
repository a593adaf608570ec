"""Copies of the embedded database: the engine's own BACKUP in a folder, with a note of what is in it.

The note is written last, so a folder without one is no whole backup. What a restore brings back is compared with it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from qrumb_server.errors import ConfigError, StoreRefusedError
from qrumb_server.store.engine import EngineError, EngineSession
from qrumb_server.store.errors import error_code, query_error
from qrumb_server.store.folder import plain_path
from qrumb_server.store.native import decode_rows

__all__ = ["count_rows", "restore_backup", "write_backup"]

NOTE: Final = "qrumb-backup.json"
COPY: Final = "events"

_TABLES: Final = "SELECT name FROM system.tables WHERE database = 'events' AND engine LIKE '%MergeTree' ORDER BY name"


def write_backup(session: EngineSession, target: Path) -> Mapping[str, int]:
    """Copy the database into `target`, which is made; returns the rows by table. Nothing may be inserted meanwhile.

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
    (folder / NOTE).write_bytes(orjson.dumps({"row_counts": counts}))
    return counts


def restore_backup(session: EngineSession, source: Path) -> Mapping[str, int]:
    """Bring a backup into a folder that has no database `events` yet; returns the rows by table.

    Raises:
        ConfigError: there is no whole backup in `source`, or a database is there already.
        StoreError: the engine could not restore; the folder is as before.
        StoreRefusedError: what came back is not what was copied.
    """
    folder = plain_path(source)
    try:
        noted: dict[str, int] = orjson.loads((folder / NOTE).read_bytes())["row_counts"]
    except (OSError, orjson.JSONDecodeError, KeyError) as error:
        raise ConfigError(f"{folder}: no whole backup of qrumb is there ({NOTE} cannot be read)") from error
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


def _run(session: EngineSession, sql: str) -> bytes:
    try:
        return session.run(sql)
    except EngineError as error:
        raise query_error(error_code(str(error)), str(error)) from None
