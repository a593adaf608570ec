"""The schema files as values: numbered migrations, their statements, the columns they make.

The files keep the line rules written at the top of `schema/001_events.sql`; this module relies on them.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SCHEMA_FOLDER", "Migration", "load_migrations", "table_columns", "view_names"]

SCHEMA_FOLDER = Path(__file__).with_name("schema")

_FILE_NAME = re.compile(r"(\d{3})_([a-z0-9_]+)\.sql")
_COMMENT_LINE = re.compile(r"(?m)^[ \t]*--.*\n?")
_CREATE_TABLE = re.compile(r"CREATE TABLE IF NOT EXISTS (\w+\.\w+)\n\(\n(.*?)\n\)", re.DOTALL)
_CREATE_VIEW = re.compile(r"CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?(\w+\.\w+)\b")
_ALTER_COLUMN = re.compile(r"ALTER TABLE (\w+\.\w+) (?:ADD|MODIFY) COLUMN (?:IF NOT EXISTS )?(.+)")
_NOT_A_COLUMN = ("INDEX ", "PROJECTION ", "CONSTRAINT ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One schema file: `number` and `name` from its file name, `statements` without comments, in order."""

    number: int
    name: str
    statements: tuple[str, ...]

    @property
    def checksum(self) -> str:
        """SHA-256 in hex over the statements, so that mending a comment changes nothing."""
        return hashlib.sha256(";\n".join(self.statements).encode()).hexdigest()


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
        migrations.append(Migration(number=expected, name=named.group(2), statements=statements))
    return tuple(migrations)


def table_columns(migrations: Iterable[Migration]) -> Mapping[str, Mapping[str, str]]:
    """Type by column name, in order, by table ("events.valid_events") once all `migrations` are applied."""
    tables: dict[str, dict[str, str]] = {}
    for migration in migrations:
        for statement in migration.statements:
            if created := _CREATE_TABLE.match(statement):
                lines = (line.strip().removesuffix(",") for line in created.group(2).splitlines())
                tables[created.group(1)] = dict(_column(line) for line in lines if not line.startswith(_NOT_A_COLUMN))
            elif altered := _ALTER_COLUMN.match(statement):
                name, column_type = _column(altered.group(2))
                tables[altered.group(1)][name] = column_type
    return tables


def view_names(migrations: Iterable[Migration]) -> tuple[str, ...]:
    """Views ("events.unique_events") that `migrations` create, in order."""
    found = (_CREATE_VIEW.match(statement) for migration in migrations for statement in migration.statements)
    return tuple(match.group(1) for match in found if match)


def _column(line: str) -> tuple[str, str]:
    """Name and type of a column definition; the type ends at the first blank outside its parentheses."""
    name, _, rest = line.partition(" ")
    depth = 0
    for at, char in enumerate(rest):
        depth += (char == "(") - (char == ")")
        if char == " " and depth == 0:
            return name, rest[:at]
    return name, rest
