"""The schema in a cluster: every statement of the files, and of files to come, goes where it belongs."""

from pathlib import Path

import pytest

from qrumb_server.store.schema.files import load_migrations, table_columns, view_names
from qrumb_server.store.schema.render import cluster_dialect, render, single_dialect
from tests.support.old_server import old_dialect

CLUSTER = "ON CLUSTER 'main'"

# What later files may hold.
LATER = """ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS note String CODEC(ZSTD(1)) AFTER city, ADD COLUMN IF NOT EXISTS more Array(Tuple(String, UInt8));
ALTER TABLE events.valid_events DROP COLUMN IF EXISTS referrer;
ALTER TABLE events.valid_events ADD PROJECTION IF NOT EXISTS by_user (SELECT * ORDER BY user_id);
ALTER TABLE events.ledger ADD INDEX IF NOT EXISTS by_site site_id TYPE bloom_filter GRANULARITY 1;
CREATE OR REPLACE VIEW events.unique_events AS SELECT * FROM events.valid_events;
DROP VIEW IF EXISTS events.attributed_events;
CREATE VIEW IF NOT EXISTS events.attributed_events AS SELECT * FROM events.unique_events;
DROP VIEW IF EXISTS events.unique_events;
DROP TABLE IF EXISTS events.ledger SYNC;
"""  # noqa: E501


def test_a_single_server_gets_the_files_as_they_are_but_for_what_is_of_the_embedded_database() -> None:
    rendered = render(load_migrations(), single_dialect)
    lost = [
        statement
        for migration, of_server in zip(load_migrations(), rendered, strict=True)
        for statement in migration.statements
        if statement not in of_server.statements
    ]
    said = [" ".join(statement.split()[3:5]) for statement in lost]
    projections = ["ADD PROJECTION", "MATERIALIZE PROJECTION", "DROP PROJECTION"]
    assert said == [*projections, "MATERIALIZE COLUMN", "MATERIALIZE COLUMN"]
    assert [m.checksum for m in rendered] == [m.checksum for m in load_migrations()]


def test_in_a_cluster_the_plain_name_is_the_whole_and_checksums_stay() -> None:
    rendered = render(load_migrations(), cluster_dialect("main"))
    assert [m.checksum for m in rendered] == [m.checksum for m in load_migrations()]
    columns = table_columns(load_migrations())
    of_cluster = table_columns(rendered)
    for table, wanted in columns.items():
        assert of_cluster[table] == wanted
        if table != "events.schema_migrations":
            assert of_cluster[f"{table}_local"] == wanted
    assert view_names(rendered) == view_names(load_migrations())
    statements = [statement for migration in rendered for statement in migration.statements]
    # Rows go through the Distributed table.
    assert all(CLUSTER in statement for statement in statements if not statement.startswith("INSERT INTO "))
    text = "\n".join(statements)
    assert (
        "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/events/identity_links', '{replica}', version)" in text
    )
    assert "ReplicatedMergeTree('/clickhouse/tables/{shard}/events/valid_events', '{replica}')" in text
    assert "ReplicatedMergeTree('/clickhouse/tables/events/schema_migrations', '{shard}-{replica}')" in text
    assert text.count("ENGINE = Distributed('main', events, ") == len(columns) - 1 + text.count(
        "_local ON CLUSTER 'main' SYNC"
    )
    assert not {"events.identities", "events.identities_local"} & of_cluster.keys()
    assert "\nENGINE = MergeTree" not in text


@pytest.mark.parametrize(
    ("statement", "rendered"),
    [
        (
            "ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS a String",
            (
                f"ALTER TABLE events.valid_events_local {CLUSTER} ADD COLUMN IF NOT EXISTS a String",
                f"ALTER TABLE events.valid_events {CLUSTER} ADD COLUMN IF NOT EXISTS a String",
            ),
        ),
        (
            "ALTER TABLE events.valid_events ADD PROJECTION p (SELECT a ORDER BY a)",
            (f"ALTER TABLE events.valid_events_local {CLUSTER} ADD PROJECTION p (SELECT a ORDER BY a)",),
        ),
        (
            "alter table events.identity_links\nDELETE WHERE user_id = {user:String}",
            (f"ALTER TABLE events.identity_links_local {CLUSTER}\nDELETE WHERE user_id = {{user:String}}",),
        ),
        ("DELETE FROM events.ledger WHERE 1", (f"DELETE FROM events.ledger_local {CLUSTER} WHERE 1",)),
        (
            "CREATE OR REPLACE VIEW events.v AS\nSELECT 1",
            (f"CREATE OR REPLACE VIEW events.v {CLUSTER} AS\nSELECT 1",),
        ),
        ("DROP VIEW IF EXISTS events.v", (f"DROP VIEW IF EXISTS events.v {CLUSTER}",)),
        (
            "DROP TABLE IF EXISTS events.identities SYNC",
            (
                f"DROP TABLE IF EXISTS events.identities {CLUSTER} SYNC",
                f"DROP TABLE IF EXISTS events.identities_local {CLUSTER} SYNC",
            ),
        ),
        ("INSERT INTO events.ledger SELECT 1", ("INSERT INTO events.ledger SELECT 1",)),
    ],
)
def test_a_statement_goes_to_the_tables_that_it_can_change(statement: str, rendered: tuple[str, ...]) -> None:
    assert cluster_dialect("main")(statement) == rendered


@pytest.mark.parametrize(
    "dialect", [single_dialect, cluster_dialect("main"), old_dialect], ids=["one", "cluster", "old"]
)
def test_later_files_are_understood_in_every_dialect(tmp_path: Path, dialect: object) -> None:
    first = next(iter(load_migrations()))
    (tmp_path / "001_events.sql").write_text(";\n".join(first.statements) + ";\n")
    (tmp_path / "002_later.sql").write_text(LATER)
    migrations = render(load_migrations(tmp_path), dialect)  # type: ignore[arg-type]
    tables = table_columns(migrations)
    assert not {"events.ledger", "events.ledger_local"} & tables.keys()
    columns = tables["events.valid_events"]
    assert (columns["note"], columns["more"]) == ("String", "Array(Tuple(String, UInt8))")
    assert "referrer" not in columns
    assert view_names(migrations) == (() if dialect is old_dialect else ("events.attributed_events",))
