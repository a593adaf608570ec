"""Opening, closing, being killed; schema differences; one folder, one process."""

import pickle
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import ConfigError, StoreRefusedError, StoreUnavailableError
from qrumb_server.pipeline.identity import user_name
from qrumb_server.ports import TableBatch
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.store.engine import EngineSession, Statements
from qrumb_server.store.native import decode_rows
from qrumb_server.store.schema.files import load_migrations
from qrumb_server.store.schema.migrations import apply_migrations
from tests.support.stack import wait_until

pytestmark = pytest.mark.chdb

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

SOON = timedelta(milliseconds=200)
MONTH_MS = 31 * 86_400_000

# Opens the folder, says so, then inserts the pickled batches one after the other and says which one is in.
OTHER_PROCESS = """
import pickle, sys, time
from pathlib import Path
from qrumb_server.store.embedded import EmbeddedStore
store = EmbeddedStore.open(Path(sys.argv[1]))
print("open", flush=True)
for number, batch in enumerate(pickle.loads(Path(sys.argv[2]).read_bytes())):
    store.insert(batch)
    print(number, flush=True)
time.sleep(60)
"""


def start_other_process(folder: Path, batches: list[TableBatch]) -> subprocess.Popen[str]:
    pickled = folder.with_suffix(".pickle")
    pickled.write_bytes(pickle.dumps(batches))
    process = subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, folder, pickled], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def kill(process: subprocess.Popen[str]) -> list[int]:
    """Batches that were in before the process died."""
    process.kill()
    output, _ = process.communicate()
    return [int(line) for line in output.splitlines()]


def test_kill_9_during_an_insert_and_insert_missing_store_each_row_once(
    folder: Path, batch_of: Batch, event: Row, now_ms: int
) -> None:
    """Two rounds on one folder, each batch over three partitions, so that a part of one may be there."""
    for round_number in range(2):
        batches = [
            batch_of(
                [
                    event(
                        segment_id=f"{round_number}-{batch}",
                        segment_row=row,
                        received_time=now_ms - row % 3 * MONTH_MS,
                    )
                    for row in range(90)
                ]
            )
            for batch in range(400)
        ]
        process = start_other_process(folder, batches)
        time.sleep(random.uniform(0.1, 0.4))
        acknowledged = kill(process)
        assert len(acknowledged) < len(batches)
        store = EmbeddedStore.open(folder)
        try:
            store.insert_missing(batches[len(acknowledged)])
            counted = store.query(
                "SELECT segment_id, count() AS rows, uniqExact(segment_row) AS names FROM events.valid_events "
                "WHERE startsWith(segment_id, {round:String}) GROUP BY segment_id",
                {"round": f"{round_number}-"},
            )
        finally:
            store.close()
        assert {row["segment_id"] for row in counted} == {
            f"{round_number}-{batch}" for batch in range(len(acknowledged) + 1)
        }
        assert {(row["rows"], row["names"]) for row in counted} == {(90, 90)}


def test_a_folder_in_use_is_a_config_error_that_names_folder_and_process(folder: Path) -> None:
    process = start_other_process(folder, [])
    try:
        with pytest.raises(ConfigError) as caught:
            EmbeddedStore.open(folder, lock_timeout=SOON)
        assert str(folder) in str(caught.value)
        assert str(process.pid) in str(caught.value)
    finally:
        kill(process)


def test_a_dying_predecessor_is_waited_for(folder: Path) -> None:
    process = start_other_process(folder, [])
    killer = threading.Timer(0.3, process.kill)
    killer.start()
    try:
        EmbeddedStore.open(folder, lock_timeout=timedelta(seconds=20)).close()
    finally:
        killer.join()
        kill(process)


def test_a_second_store_in_one_process_is_a_config_error(store: EmbeddedStore, folder: Path) -> None:
    with pytest.raises(ConfigError, match="in use"):
        EmbeddedStore.open(folder, lock_timeout=SOON)
    with pytest.raises(ConfigError, match="one folder at a time"):
        EmbeddedStore.open(folder.with_name("other"), lock_timeout=SOON)
    assert store.query("SELECT 1 AS one") == [{"one": 1}]


@pytest.mark.parametrize("name", ["what?", "a*b", "it's", "{x}"])
def test_a_path_that_the_engine_would_interpret_is_a_config_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be used in its path"):
        EmbeddedStore.open(tmp_path / name)


def test_a_folder_that_cannot_be_made_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be made"):
        EmbeddedStore.open(tmp_path / "file" / "folder")


def test_opening_again_applies_nothing_and_keeps_the_rows(folder: Path, batch_of: Batch, event: Row) -> None:
    for expected in (1, 2):
        store = EmbeddedStore.open(folder)
        store.insert(batch_of([event(segment_id=str(expected))]))
        assert store.query("SELECT count() AS rows FROM events.valid_events") == [{"rows": expected}]
        applied = store.query("SELECT number, name, checksum FROM events.schema_migrations ORDER BY number")
        store.close()
        assert applied == [
            {"number": migration.number, "name": migration.name, "checksum": migration.checksum}
            for migration in load_migrations()
        ]


def test_a_migration_that_was_interrupted_is_finished_by_the_next_start(folder: Path) -> None:
    session = EngineSession(folder, {})
    for statement in load_migrations()[0].statements[:3]:
        session.run(statement)
    session.close()
    EmbeddedStore.open(folder).close()


@pytest.mark.parametrize("last_file", [3, 4])
def test_the_first_table_of_identities_goes_and_leaves_what_is_still_true(folder: Path, last_file: int) -> None:
    """Hashes keep leading to stronger users, merged users come apart, and what was erased does not return."""
    hashes = {name: sha256(name.encode()).hexdigest() for name in "abcd"}
    names = {name: user_name("shop", "email_hash", value) for name, value in hashes.items()}
    old = [
        ("shop", "external_id", "alice", "alice"),
        ("shop", "external_id", "bob", "alice"),
        ("shop", "user_id", "bob", "alice"),
        ("shop", "email_hash", hashes["a"], "alice"),
        ("shop", "user_id", names["b"], "it's {x}"),
        ("shop", "email_hash", hashes["b"], "it's {x}"),
        ("shop", "phone_hash", hashes["c"], names["c"]),
        ("shop", "email_hash", hashes["c"], names["c"]),
        ("shop", "email_hash", hashes["d"], user_name("shop", "phone_hash", hashes["d"])),
        ("shop", "scan_session", "visit", "alice"),
        ("other", "email_hash", hashes["a"], "erased"),
    ]
    database = EngineSession(folder, {})
    apply_migrations(load_migrations()[:3], Statements(database))
    for number, row in enumerate(old):
        values = ", ".join(f"'{value.replace(chr(39), chr(39) * 2)}'" for value in row)
        time_sql = f"fromUnixTimestamp64Milli({number})"
        database.run(f"INSERT INTO events.identities VALUES ({values}, {time_sql}, {number}, 'old', {number})")
    if last_file == 4:
        apply_migrations(load_migrations()[:4], Statements(database))
        database.run("INSERT INTO events.erasures (site_id) VALUES ('other')")
    database.close()
    assert len(list(folder.glob("store/*/*/all_*"))) > len(old)
    store = EmbeddedStore.open(folder)
    try:
        links = {
            (row["site_id"], row["kind"], row["identifier"], row["user_id"], row["first_time"])
            for row in store.query("SELECT * FROM events.identity_links FINAL")
        }
        tables = store.query("SELECT uuid FROM system.tables WHERE database = 'events' AND engine LIKE '%MergeTree'")
    finally:
        store.close()
    of_other = {link for link in links if link[0] == "other"}
    assert {link[3] for link in of_other} == ({"erased"} if last_file == 3 else set())
    assert links - of_other == {
        ("shop", "email", names["a"], "alice", 3),
        ("shop", "email", names["b"], "it's {x}", 5),
        ("shop", "phone", user_name("shop", "phone_hash", hashes["c"]), names["c"], 6),
        ("shop", "scan_session", "visit", "alice", 9),
    }
    assert {path.parent.name for path in folder.glob("store/*/*/format_version.txt")} == {
        str(row["uuid"]) for row in tables
    }
    assert not list(folder.glob("**/*identities*"))


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("ALTER TABLE events.schema_migrations UPDATE checksum = 'x' WHERE number = 1", "migration 1 .* has changed"),
        ("INSERT INTO events.schema_migrations VALUES (99, 'later', 'x', now64(3))", "migration 99 .* newer version"),
    ],
    ids=["changed", "newer"],
)
def test_an_unknown_or_changed_migration_is_refused(folder: Path, statement: str, complaint: str) -> None:
    EmbeddedStore.open(folder).close()
    session = EngineSession(folder, {"mutations_sync": 1})
    session.run(statement)
    session.close()
    with pytest.raises(StoreRefusedError, match=complaint):
        EmbeddedStore.open(folder)


def test_drift_is_refused_and_every_difference_is_named(folder: Path) -> None:
    EmbeddedStore.open(folder).close()
    session = EngineSession(folder, {"mutations_sync": 1})
    for statement in (
        "ALTER TABLE events.valid_events MODIFY COLUMN city String",
        "ALTER TABLE events.valid_events DROP COLUMN page_title",
        "ALTER TABLE events.ledger ADD COLUMN extra UInt8",
        "DROP TABLE events.identity_links",
        "DROP VIEW events.unique_events",
    ):
        session.run(statement)
    session.close()
    with pytest.raises(StoreRefusedError) as caught:
        EmbeddedStore.open(folder)
    for difference in (
        "events.valid_events.city: should be LowCardinality(String), is String",
        "events.valid_events.page_title: should be String, is absent",
        "events.ledger.extra: should be absent, is UInt8",
        "events.identity_links: the table is missing",
        "events.unique_events: the view is missing",
    ):
        assert difference in str(caught.value)


def test_inserts_are_synchronous_and_tables_sync_to_disk(store: EmbeddedStore) -> None:
    """A default of the engine would answer an insert before its rows are durable."""
    setting = store._writer.run("SELECT toUInt8(getSetting('async_insert')) AS value")
    assert decode_rows(setting) == [{"value": 0}]
    tables = store.query(
        "SELECT name, create_table_query AS text FROM system.tables "
        "WHERE database = 'events' AND engine LIKE '%MergeTree'"
    )
    assert len(tables) == 14
    for table in tables:
        assert "fsync_after_insert = 1, fsync_part_directory = 1" in table["text"], table["name"]
        assert "deduplication_window" not in table["text"], table["name"]


def test_transfer_files_are_removed_also_those_of_a_killed_predecessor(
    folder: Path, batch_of: Batch, event: Row
) -> None:
    scratch = folder / "qrumb-scratch"
    scratch.mkdir(parents=True)
    (scratch / "1.bin").write_bytes(b"left behind")
    store = EmbeddedStore.open(folder)
    try:
        assert list(scratch.iterdir()) == []
        store.insert(batch_of([event()]))
        assert b"".join(store.export("SELECT 1", "TSV")) == b"1\n"
        assert list(scratch.iterdir()) == []
    finally:
        store.close()


def test_queries_from_many_threads_while_one_inserts(store: EmbeddedStore, batch_of: Batch, event: Row) -> None:
    def look(number: int) -> list[dict[str, Any]]:
        return store.query("SELECT {n:UInt32} AS n, count() >= 0 AS there FROM events.valid_events", {"n": number})

    with ThreadPoolExecutor(max_workers=9) as executor:
        looks = [executor.submit(look, number) for number in range(200)]
        for number in range(20):
            store.insert(batch_of([event(segment_row=number)]))
        assert [future.result() for future in looks] == [[{"n": number, "there": 1}] for number in range(200)]
    assert store.query("SELECT count() AS rows FROM events.valid_events") == [{"rows": 20}]


def test_a_closed_store_says_so_and_closes_again(store: EmbeddedStore, batch_of: Batch, event: Row) -> None:
    store.close()
    store.close()
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.query("SELECT 1")
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.insert(batch_of([event()]))
    with pytest.raises(StoreUnavailableError, match="closed"):
        store.export("SELECT 1", "TSV")


def test_close_waits_for_running_queries(store: EmbeddedStore) -> None:
    with ThreadPoolExecutor(max_workers=8) as executor:
        looks = [executor.submit(store.query, "SELECT sleep(2) AS slept") for _ in range(4)]
        under_way = "SELECT count() AS n FROM system.processes WHERE startsWith(query, 'SELECT sleep')"
        wait_until(lambda: store.query(under_way) == [{"n": 4}], interval=0.01)
        store.close()
        assert [future.result() for future in looks] == [[{"slept": 0}]] * 4
