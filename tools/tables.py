"""docs/tables.md: the tables of ClickHouse with their columns, out of the schema files and their comments.

What the contract says of a row's fields is said of its columns where the schema itself says nothing.
"""

import re
import sys
from collections.abc import Iterator
from typing import Final

from descriptor_sets import for_page

from qrumb_server.store.schema.files import SCHEMA_FOLDER, load_migrations, table_columns, view_names

__all__ = ["document"]

INTRODUCTION: Final = """\
<!-- Generated from server/qrumb_server/store/schema/ by: make generate -->

# Tables

What a node keeps in the database `events`, as the [schema](../server/qrumb_server/store/schema) says it. Read the
views, as [analysts.md](analysts.md) does: the tables hold repetitions, and what is known later is not in their rows.
Times are in UTC, in milliseconds; an empty text means that it is not known. On a cluster each table is Distributed over
one of the same name with `_local`.
"""
_CREATE: Final = re.compile(r"CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?(events\.\w+)")
_COLUMN: Final = re.compile(r"    (\w+) [A-Z]")
_ADDED: Final = re.compile(r"ALTER TABLE (events\.\w+) ADD COLUMN IF NOT EXISTS (\w+) ")
_KEPT: Final = re.compile(r"TTL toDateTime\(received_time\) \+ INTERVAL (\d+) DAY")


def document() -> str:
    """The whole page."""
    migrations = load_migrations()
    said = {**_contract_comments(), **_comments()}
    kept = _kept_days()
    parts = [INTRODUCTION, "## Views\n"]
    parts += [f"### {name}\n\n{said[name]}\n" for name in sorted(view_names(migrations)) if name in said]
    parts.append("## Stored tables\n")
    for table, columns in sorted(table_columns(migrations).items()):
        days = f" Rows are deleted {kept[table]} days after their receipt at the latest." if table in kept else ""
        parts.append(f"### {table}\n\n{said.get(table, '')}{days}\n")
        rows = [f"| {name} | `{kind}` | {said.get(f'{table}.{name}', '')} |" for name, kind in columns.items()]
        parts.append("\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows, ""]))
    return "\n".join(parts)


def _contract_comments() -> dict[str, str]:
    """Of EventRow's fields, by the columns that have their names."""
    [file] = (file for file in for_page().file if file.name == "qrumb/v1/event_row.proto")
    comments = {tuple(location.path): location.leading_comments for location in file.source_code_info.location}
    fields = file.message_type[0].field
    return {
        f"events.valid_events.{field.name}": _cell(" ".join(comments.get((4, 0, 2, index), "").split()))
        for index, field in enumerate(fields)
    }


def _cell(text: str) -> str:
    return text.replace("|", "&#124;").replace("<", "&lt;")


def _lines() -> Iterator[str]:
    for path in sorted(SCHEMA_FOLDER.glob("*.sql")):
        yield from path.read_text(encoding="utf-8").splitlines()


def _comments() -> dict[str, str]:
    """The comment right before each table, view and column; the last one where a view is made anew."""
    said: dict[str, str] = {}
    table, comment = "", list[str]()
    for line in _lines():
        if line.strip().startswith("--"):
            comment.append(line.strip().removeprefix("--").strip())
            continue
        if created := _CREATE.match(line):
            table = created[1]
            name = table
        elif added := _ADDED.match(line):
            name = f"{added[1]}.{added[2]}"
        else:
            column = _COLUMN.match(line)
            name = f"{table}.{column[1]}" if column else ""
        if name and comment:
            said[name] = _cell(" ".join(comment))
        comment = []
    return said


def _kept_days() -> dict[str, str]:
    kept, table = {}, ""
    for line in _lines():
        if created := _CREATE.match(line):
            table = created[1]
        elif found := _KEPT.match(line):
            kept[table] = found[1]
    return kept


if __name__ == "__main__":
    sys.stdout.write(document())
