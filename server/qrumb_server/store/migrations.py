"""Applies the schema files that a database has not seen yet, and records each with its checksum.

The record is written last and every statement can be run again (IF NOT EXISTS), so a start that dies in the
middle is completed by the next one, and two nodes may do the same at once: both record it, which says nothing new.
A file that was applied and has changed since, or that this program does not know, is refused: it would be
unknown what the tables look like.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from qrumb_server.errors import StoreRefusedError
from qrumb_server.store.ddl import Migration

__all__ = ["SchemaDatabase", "apply_migrations", "pending_migrations"]


class SchemaDatabase(Protocol):
    """What migrations and the drift check need of a database."""

    def execute(self, sql: str) -> None:
        """Run one statement that returns nothing. Raises a `StoreError`."""
        ...

    def query(self, sql: str) -> Sequence[dict[str, Any]]:
        """Rows of a SELECT as dicts. Raises a `StoreError`."""
        ...


def pending_migrations(migrations: Iterable[Migration], database: SchemaDatabase) -> list[Migration]:
    """Those that `database` has not seen, in order.

    Raises:
        StoreRefusedError: an applied file changed, or the database is newer than this program; names all.
    """
    known = {migration.number: migration for migration in migrations}
    applied = _applied_checksums(database)
    _refuse_strangers(known, applied)
    return [known[number] for number in sorted(known.keys() - applied.keys())]


def apply_migrations(migrations: Iterable[Migration], database: SchemaDatabase) -> list[Migration]:
    """Bring `database` up to date; returns what was applied now, in order.

    Raises:
        StoreRefusedError: as `pending_migrations`.
    """
    pending = pending_migrations(migrations, database)
    for migration in pending:
        for statement in migration.statements:
            database.execute(statement)
        # Both values are of our own making: a file name of [a-z0-9_] and a hash in hex.
        database.execute(
            "INSERT INTO events.schema_migrations (number, name, checksum, applied_time) "
            f"SELECT {migration.number}, '{migration.name}', '{migration.checksum}', now64(3)"
        )
    return pending


def _applied_checksums(database: SchemaDatabase) -> dict[int, str]:
    there = database.query("SELECT name FROM system.tables WHERE database = 'events' AND name = 'schema_migrations'")
    if not there:
        return {}
    rows = database.query("SELECT number, checksum FROM events.schema_migrations")
    return {row["number"]: row["checksum"] for row in rows}


def _refuse_strangers(known: Mapping[int, Migration], applied: Mapping[int, str]) -> None:
    problems = []
    for number, checksum in sorted(applied.items()):
        if number not in known:
            problems.append(f"migration {number} was applied by a newer version of this program")
        elif known[number].checksum != checksum:
            problems.append(f"migration {number} ({known[number].name}) has changed since it was applied")
    if problems:
        raise StoreRefusedError("the schema files do not fit this database: " + "; ".join(problems))
