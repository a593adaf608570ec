"""Compares the tables that are there with the ones that the schema files make.

`IF NOT EXISTS` says nothing about a table that exists and differs; an insert into it fails later, or worse,
does not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from qrumb_server.errors import StoreRefusedError
from qrumb_server.store.ddl import Migration, table_columns, view_names
from qrumb_server.store.migrations import SchemaDatabase

__all__ = ["check_drift"]


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
