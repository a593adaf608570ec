"""Applies the schema files that a database has not seen yet, and records each with its checksum.

The record is written last and every statement can be run again (IF NOT EXISTS), so a start that dies in the
middle is completed by the next one, and two nodes may do the same at once: both record it, which says nothing new.
A file that was applied and has changed since, or that this program does not know, is refused: it would be
unknown what the tables look like.

`check_drift` compares the tables that are there with the ones that the files make: `IF NOT EXISTS` says nothing about a
table that exists and differs; an insert into it fails later, or worse, does not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from qrumb_server.errors import StoreRefusedError
from qrumb_server.store.schema.files import Migration, SchemaDatabase, table_columns, view_names
from qrumb_server.store.schema.old_identities import take_over_hashes

__all__ = ["apply_migrations", "check_drift", "pending_migrations"]

_BEFORE: Final[Mapping[str, Callable[[SchemaDatabase], None]]] = MappingProxyType({"old_identities": take_over_hashes})
"""What SQL cannot do and a file relies on, by the file's name. Like its statements, it may run twice."""


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
        if migration.name in _BEFORE:
            _BEFORE[migration.name](database)
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


def check_drift(migrations: Iterable[Migration], database: SchemaDatabase) -> None:
    """Raises a `StoreRefusedError` that names every missing, unknown or differently typed column or view.

    Tables of other names are ignored; an additional column in one of ours is a difference.
    """
    applied = tuple(migrations)
    there: dict[str, dict[str, str]] = defaultdict(dict)
    for row in database.query("SELECT table, name, type FROM system.columns WHERE database = 'events'"):
        there[f"events.{row['table']}"][row["name"]] = row["type"]
    differences = [f"{view}: the view is missing" for view in view_names(applied) if view not in there]
    for table, wanted in table_columns(applied).items():
        differences.extend(_differences(table, wanted, there.get(table, {})))
    if differences:
        raise StoreRefusedError("the database differs from its schema files: " + "; ".join(differences))


def _differences(table: str, wanted: Mapping[str, str], there: Mapping[str, str]) -> list[str]:
    if not there:
        return [f"{table}: the table is missing"]
    return [
        f"{table}.{name}: should be {wanted.get(name, 'absent')}, is {there.get(name, 'absent')}"
        for name in [*wanted, *(extra for extra in there if extra not in wanted)]
        if _plain(wanted.get(name)) != _plain(there.get(name))
    ]


def _plain(column_type: str | None) -> str | None:
    """Versions differ in their blanks; nothing else may differ."""
    return column_type and column_type.replace(" ", "")
