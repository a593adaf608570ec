"""The schema files as values: numbered migrations, their statements, the columns they make.

The files keep the line rules written at the top of `001_events.sql`; this module relies on them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["SCHEMA_FOLDER", "Migration", "SchemaDatabase", "load_migrations", "table_columns", "view_names"]

SCHEMA_FOLDER = Path(__file__).parent

_FILE_NAME = re.compile(r"(\d{3})_([a-z0-9_]+)\.sql")
_COMMENT_LINE = re.compile(r"(?m)^[ \t]*--.*\n?")
_ON_CLUSTER = r"(?: ON CLUSTER '[^']*')?"
_CREATE_TABLE = re.compile(rf"CREATE TABLE IF NOT EXISTS (\w+\.\w+){_ON_CLUSTER}\n\(\n(.*?)\n\)", re.DOTALL)
_CREATE_LIKE = re.compile(rf"CREATE TABLE IF NOT EXISTS (\w+\.\w+){_ON_CLUSTER} AS (\w+\.\w+)")
_DROP_TABLE = re.compile(r"DROP TABLE IF EXISTS (\w+\.\w+)")
_VIEW = re.compile(r"(CREATE|DROP) (?:OR REPLACE )?VIEW (?:IF (?:NOT )?EXISTS )?(\w+\.\w+)")
_ALTER = re.compile(rf"ALTER TABLE (\w+\.\w+){_ON_CLUSTER}\s+(.*)", re.DOTALL)
_SET_COLUMN = re.compile(r"(?:ADD|MODIFY) COLUMN (?:IF (?:NOT )?EXISTS )?(.+)", re.DOTALL)
_DROP_COLUMN = re.compile(r"DROP COLUMN (?:IF EXISTS )?(\w+)")
_NOT_A_COLUMN = ("INDEX ", "PROJECTION ", "CONSTRAINT ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One schema file: `number` and `name` from its file name, `statements` without comments, in order."""

    number: int
    name: str
    statements: tuple[str, ...]
    checksum: str
    """SHA-256 in hex over the file's statements, so that editing a comment changes nothing, nor does a dialect."""


class SchemaDatabase(Protocol):
    """What migrations and the drift check need of a database."""

    def execute(self, sql: str) -> None:
        """Run one statement that returns nothing. Raises a `StoreError`."""
        ...

    def query(self, sql: str) -> Sequence[dict[str, Any]]:
        """Rows of a SELECT as dicts. Raises a `StoreError`."""
        ...


def load_migrations(folder: Path = SCHEMA_FOLDER) -> tuple[Migration, ...]:
    """All schema files of `folder` in the order of their numbers, which run 1, 2, 3 without a gap.

    Raises:
        ValueError: a file name or the row of numbers is not as above.
    """
    migrations = []
    for expected, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        named = _FILE_NAME.fullmatch(path.name)
        if named is None or int(named.group(1)) != expected:
            raise ValueError(f"schema file {path.name} should be named {expected:03d}_<lower_case_name>.sql")
        text = _COMMENT_LINE.sub("", path.read_text(encoding="utf-8"))
        statements = tuple(part.strip() for part in text.split(";\n") if part.strip())
        checksum = hashlib.sha256(";\n".join(statements).encode()).hexdigest()
        migrations.append(Migration(number=expected, name=named.group(2), statements=statements, checksum=checksum))
    return tuple(migrations)


def table_columns(migrations: Iterable[Migration]) -> Mapping[str, Mapping[str, str]]:
    """Type by column name, in order, by table ("events.valid_events") once all `migrations` are applied."""
    tables: dict[str, dict[str, str]] = {}
    for migration in migrations:
        for statement in migration.statements:
            if created := _CREATE_TABLE.match(statement):
                lines = (line.strip().removesuffix(",") for line in created.group(2).splitlines())
                tables[created.group(1)] = dict(_column(line) for line in lines if not line.startswith(_NOT_A_COLUMN))
            elif like := _CREATE_LIKE.match(statement):
                tables[like.group(1)] = dict(tables[like.group(2)])
            elif dropped := _DROP_TABLE.match(statement):
                tables.pop(dropped.group(1), None)
            elif altered := _ALTER.match(statement):
                for clause in _split(altered.group(2)):
                    _alter(tables[altered.group(1)], clause)
    return tables


def view_names(migrations: Iterable[Migration]) -> tuple[str, ...]:
    """Views ("events.unique_events") that are there once all `migrations` are applied."""
    there: dict[str, None] = {}
    for migration in migrations:
        for found in filter(None, map(_VIEW.match, migration.statements)):
            there.pop(found.group(2), None)
            if found.group(1) == "CREATE":
                there[found.group(2)] = None
    return tuple(there)


def _alter(columns: dict[str, str], clause: str) -> None:
    if column := _SET_COLUMN.match(clause):
        name, column_type = _column(column.group(1))
        columns[name] = column_type
    elif dropped := _DROP_COLUMN.match(clause):
        columns.pop(dropped.group(1), None)


def _column(line: str) -> tuple[str, str]:
    """Name and type of a column definition; the type ends at the first blank outside its parentheses."""
    name, _, rest = line.partition(" ")
    return name, _split(rest, at=" ")[0]


def _split(text: str, at: str = ",") -> list[str]:
    """`text` cut at each `at` outside parentheses, the pieces stripped."""
    pieces, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == at and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece.strip() for piece in pieces]
