"""The schema files as programs read them, migrations and the drift check without a database."""

from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import StoreRefusedError
from qrumb_server.store.schema.files import Migration, load_migrations, table_columns, view_names
from qrumb_server.store.schema.migrations import apply_migrations, check_drift

# The columns that users were promised, in their order; ours follow.
PROMISED_COLUMNS = [
    "event_id",
    "event_time",
    "received_time",
    "site_id",
    "scan_session_id",
    "qr_code_id",
    "user_id",
    "event_type",
    "event_name",
    "source",
    "page_url",
    "referrer",
    "device_type",
    "browser_family",
    "os_family",
    "country_code",
    "city",
    "conversion_value",
    "conversion_currency",
    "metadata",
    "is_duplicate",
    "is_fraud",
]

FIRST = """-- a comment; ends so;
CREATE TABLE IF NOT EXISTS events.t
(
    a LowCardinality(String),
    -- b is money
    b Nullable(Decimal(18, 4)) CODEC(ZSTD(1)),
    c DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX by_a a TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY a;

CREATE VIEW IF NOT EXISTS events.v AS
SELECT 1;
"""
SECOND = """ALTER TABLE events.t ADD COLUMN IF NOT EXISTS d Array(String) CODEC(ZSTD(1));
ALTER TABLE events.t MODIFY COLUMN a String;
"""


class FakeDatabase:
    """Remembers statements; answers the three questions that are asked of it."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.applied: list[dict[str, Any]] | None = None
        self.columns: list[dict[str, str]] = []
        self.fail_at: int | None = None

    def execute(self, sql: str) -> None:
        if len(self.statements) == self.fail_at:
            raise StoreRefusedError("broken")
        self.statements.append(sql)

    def query(self, sql: str) -> list[dict[str, Any]]:
        if "system.columns" in sql:
            return list(self.columns)
        if "system.tables" in sql:
            return [] if self.applied is None else [{"name": "schema_migrations"}]
        return list(self.applied or [])


# Of their own past, and of other tables' rows.
MADE_BY_STATEMENTS = {
    "events.schema_migrations",
    "events.hourly_counts",
    "events.hourly_funnels",
    "events.rolled_hours",
    "events.waiting_sessions",
}


@pytest.fixture
def migrations(tmp_path: Path) -> tuple[Migration, ...]:
    (tmp_path / "001_first.sql").write_text(FIRST)
    (tmp_path / "002_second.sql").write_text(SECOND)
    return load_migrations(tmp_path)


def test_valid_events_has_the_promised_columns_first_and_in_order() -> None:
    columns = table_columns(load_migrations())["events.valid_events"]
    assert list(columns)[: len(PROMISED_COLUMNS)] == PROMISED_COLUMNS
    assert columns["is_duplicate"] == columns["is_fraud"] == "UInt8"
    assert columns["conversion_value"] == "Nullable(Decimal(18, 4))"


def test_every_table_that_takes_batches_names_its_rows() -> None:
    for table, columns in table_columns(load_migrations()).items():
        if table not in MADE_BY_STATEMENTS:
            assert (columns["segment_id"], columns["segment_row"]) == ("String", "UInt32"), table


def test_every_clause_that_a_dialect_may_drop_is_one_line() -> None:
    for migration in load_migrations():
        for statement in migration.statements:
            for line in statement.splitlines():
                if line.lstrip().startswith(("INDEX ", "TTL ", "SETTINGS ")):
                    assert line.count("(") == line.count(")"), line
                    assert not line.rstrip().endswith(("+", "=", "(")), line


def test_statements_columns_and_views_are_read_from_the_text(migrations: tuple[Migration, ...]) -> None:
    assert [(migration.number, migration.name, len(migration.statements)) for migration in migrations] == [
        (1, "first", 2),
        (2, "second", 2),
    ]
    first = {"a": "LowCardinality(String)", "b": "Nullable(Decimal(18, 4))", "c": "DateTime64(3, 'UTC')"}
    assert table_columns(migrations[:1]) == {"events.t": first}
    assert table_columns(migrations) == {"events.t": first | {"a": "String", "d": "Array(String)"}}
    assert view_names(migrations) == ("events.v",)


def test_a_comment_does_not_change_the_checksum_and_a_statement_does(tmp_path: Path) -> None:
    checksums = []
    for text in (FIRST, FIRST.replace("-- b is money", "-- b is an amount"), FIRST.replace("18, 4", "18, 2")):
        (tmp_path / "001_first.sql").write_text(text)
        checksums.append(load_migrations(tmp_path)[0].checksum)
    assert checksums[0] == checksums[1] != checksums[2]


@pytest.mark.parametrize("name", ["003_gap.sql", "1_short.sql", "002_Upper.sql", "001_twice.sql"])
def test_a_gap_or_an_odd_name_among_the_files_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "001_first.sql").write_text(FIRST)
    (tmp_path / name).write_text(SECOND)
    with pytest.raises(ValueError, match="should be named"):
        load_migrations(tmp_path)


def test_only_pending_migrations_are_applied_and_each_is_recorded_last(migrations: tuple[Migration, ...]) -> None:
    database = FakeDatabase()
    assert apply_migrations(migrations, database) == list(migrations)
    assert database.statements[:2] == list(migrations[0].statements)
    assert migrations[0].checksum in database.statements[2]
    database = FakeDatabase()
    database.applied = [{"number": 1, "checksum": migrations[0].checksum}]
    assert apply_migrations(migrations, database) == [migrations[1]]
    assert database.statements[:2] == list(migrations[1].statements)


def test_a_failed_migration_is_not_recorded(migrations: tuple[Migration, ...]) -> None:
    database = FakeDatabase()
    database.fail_at = 1
    with pytest.raises(StoreRefusedError, match="broken"):
        apply_migrations(migrations, database)
    assert database.statements == [migrations[0].statements[0]]


def test_all_strange_migrations_are_named_and_nothing_is_run(migrations: tuple[Migration, ...]) -> None:
    database = FakeDatabase()
    database.applied = [{"number": 1, "checksum": "x"}, {"number": 7, "checksum": "y"}]
    with pytest.raises(StoreRefusedError, match=r"migration 1 \(first\) has changed.*migration 7 was"):
        apply_migrations(migrations, database)
    assert database.statements == []


def test_drift_names_every_difference_and_leaves_strange_tables_alone(
    migrations: tuple[Migration, ...],
) -> None:
    database = FakeDatabase()
    found = {"a": "String", "c": "DateTime", "d": "Array(String)", "z": "UInt8"}
    database.columns = [{"table": "t", "name": name, "type": kind} for name, kind in found.items()]
    database.columns.append({"table": "stranger", "name": "a", "type": "UInt8"})
    with pytest.raises(StoreRefusedError) as caught:
        check_drift(migrations, database)
    assert str(caught.value).split(": ", 1)[1].split("; ") == [
        "events.v: the view is missing",
        "events.t.b: should be Nullable(Decimal(18, 4)), is absent",
        "events.t.c: should be DateTime64(3, 'UTC'), is DateTime",
        "events.t.z: should be absent, is UInt8",
    ]


def test_no_drift_is_silent(migrations: tuple[Migration, ...]) -> None:
    database = FakeDatabase()
    database.columns = [
        {"table": "t", "name": name, "type": kind} for name, kind in table_columns(migrations)["events.t"].items()
    ]
    database.columns.append({"table": "v", "name": "1", "type": "UInt8"})
    check_drift(migrations, database)
