"""The cluster's statements in the words of today's engine, as far as one process can run them."""

from pathlib import Path

import pytest
from chdb.session import Session

from qrumb_server.store.schema.files import load_migrations
from qrumb_server.store.schema.render import cluster_dialect, render
from tests.support.two_shards import for_one_process

pytestmark = pytest.mark.chdb

CONFIG = """<clickhouse><remote_servers><main><shard><replica><host>127.0.0.1</host><port>9</port></replica></shard>
</main></remote_servers></clickhouse>"""
ALTERS = [
    "ALTER TABLE events.valid_events ADD COLUMN IF NOT EXISTS note String CODEC(ZSTD(1)) AFTER city",
    "ALTER TABLE events.valid_events ADD PROJECTION IF NOT EXISTS by_user (SELECT user_id, count() GROUP BY user_id)",
    "ALTER TABLE events.valid_events ADD INDEX IF NOT EXISTS by_note note TYPE bloom_filter(0.01) GRANULARITY 1",
]


def test_todays_engine_parses_all_and_makes_the_tables(tmp_path: Path) -> None:
    (tmp_path / "config.xml").write_text(CONFIG)
    session = Session(f"{tmp_path}/data?config-file={tmp_path}/config.xml")
    try:
        dialect = cluster_dialect("main")
        statements = [said for migration in render(load_migrations(), dialect) for said in migration.statements]
        statements += [said for alter in ALTERS for said in dialect(alter)]
        for statement in statements:
            session.query(f"EXPLAIN AST {statement}")
            if not statement.startswith("INSERT INTO "):  # there is no other server to read from
                session.query(for_one_process(statement))
        found = session.query("SELECT table FROM system.columns WHERE name = 'note' ORDER BY 1")
        assert str(found).split() == ['"valid_events"', '"valid_events_local"']
    finally:
        session.close()
