"""Parts of the embedded database whose files a full disk left empty: noticed, set aside, replaced.

Here the files are emptied by hand, each in turn; tests/faults/test_full_disk.py shows that a real full disk does it.
"""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import OutcomeUnknownError, StoreError, StoreUnavailableError
from qrumb_server.ports import SetAside, TableBatch
from qrumb_server.store.backup import count_rows
from qrumb_server.store.embedded import EmbeddedStore

pytestmark = pytest.mark.chdb

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

EVENTS = "events.valid_events"
# A folder of the keys by event_id, whose files are proved with the part's.
KEYS = "fine_event_id.proj"
FILES = (
    "checksums.txt", "columns.txt", "columns_substreams.txt", "count.txt", "data.bin", "data.cmrk4",
    "default_compression_codec.txt", "metadata_version.txt", "minmax_received_time.idx", "partition.dat",
    "primary.cidx", "serialization.json", "skp_idx.packed", "ttl.txt", f"{KEYS}/data.bin", f"{KEYS}/primary.cidx",
)  # fmt: skip


@pytest.fixture
def reports() -> list[SetAside]:
    """What the store says of parts that it set aside."""
    return []


@pytest.fixture
def store(database: Path, reports: list[SetAside]) -> Iterator[EmbeddedStore]:
    """A fresh one; nothing merges by itself."""
    with contextlib.closing(EmbeddedStore.open(database, report=reports.append)) as opened:
        opened._writer.run("SYSTEM STOP MERGES")
        yield opened


def parts(store: EmbeddedStore) -> dict[str, Path]:
    """Folders of the events' active parts by name."""
    rows = store.query("SELECT name, path FROM system.parts WHERE active AND table = 'valid_events'")
    return {row["name"]: Path(row["path"]) for row in rows}


def events(event: Row, batch_of: Batch, segment_id: str, rows: int = 50) -> TableBatch:
    """Rows of one segment."""
    made = [event(segment_id=segment_id, segment_row=number, fingerprint=number + 1) for number in range(rows)]
    return batch_of(made)


def count(store: EmbeddedStore) -> int:
    """Rows that can be read, every column of them."""
    [answer] = store.query(f"SELECT count() AS n FROM {EVENTS} WHERE NOT ignore(*)")
    return int(answer["n"])


def test_each_file_that_a_part_needs_is_noticed_when_it_is_empty(
    store: EmbeddedStore, reports: list[SetAside], event: Row, batch_of: Batch, tmp_path: Path
) -> None:
    """Before the segment goes: the rows are not confirmed, and are there once after they were sent again."""
    rows = events(event, batch_of, "s-0")
    store.insert(rows)
    store.confirm([rows])
    [folder] = parts(store).values()
    assert {file.name for file in folder.iterdir()} == {name.partition("/")[0] for name in FILES}, (
        "a file of a new kind: is it noticed?"
    )
    for number, name in enumerate(FILES, 1):
        rows = events(event, batch_of, f"s-{number}")
        store._writer.run("SYSTEM STOP MERGES")  # a table that was attached anew merges again
        before = parts(store)
        store.insert(rows)
        # A merge that was at work may end meanwhile.
        [(part, folder)] = [new for new in parts(store).items() - before.items() if new[0].endswith("_0")]
        (folder / name).write_bytes(b"")
        with pytest.raises(OutcomeUnknownError, match=part):
            store.confirm([rows])
        assert reports[-1] == SetAside(table=EVENTS, parts=[part], lost_rows=0), name
        store.insert_missing(rows)
        store.confirm([rows])
        assert count(store) == 50 * (number + 1)
    store.close()
    with contextlib.closing(EmbeddedStore.open(tmp_path / "clickhouse")) as again:
        assert count(again) == 50 * (len(FILES) + 1)


def test_rows_that_never_came_are_missed(store: EmbeddedStore, event: Row, batch_of: Batch) -> None:
    """Some of a batch, all of it, or another content under the same name."""
    here, there = events(event, batch_of, "here"), events(event, batch_of, "there", 3)
    store.insert(here)
    with pytest.raises(OutcomeUnknownError, match="3 of 53 rows"):
        store.confirm([here, there])
    other = batch_of([event(segment_id="here", segment_row=7, fingerprint=99)])
    with pytest.raises(OutcomeUnknownError, match="1 of 1 rows"):
        store.confirm([other])
    store.confirm([here])
    store.confirm([])


@pytest.mark.parametrize("damage", ["empty", "flipped"])
def test_a_merged_part_that_cannot_be_read_gives_way_to_those_it_was_made_of(
    store: EmbeddedStore, reports: list[SetAside], event: Row, batch_of: Batch, damage: str
) -> None:
    """Whichever statement meets it first: the next one works again, and no row is lost."""
    for number in range(4):
        store.insert(events(event, batch_of, f"s-{number}"))
    store._writer.run("SYSTEM START MERGES")
    store._writer.run(f"OPTIMIZE TABLE {EVENTS} FINAL")
    [(part, folder)] = parts(store).items()
    image = bytearray((folder / "data.bin").read_bytes())
    image[len(image) // 2] ^= 1
    (folder / "data.bin").write_bytes(image if damage == "flipped" else b"")
    store._writer.run("SYSTEM STOP MERGES")
    with pytest.raises(StoreUnavailableError):
        count(store)
    assert count(store) == 200
    assert reports == [SetAside(table=EVENTS, parts=[part], lost_rows=0)]
    assert len(parts(store)) == 4


def test_merged_parts_are_proved_before_anybody_reads_them(
    store: EmbeddedStore, reports: list[SetAside], event: Row, batch_of: Batch
) -> None:
    """By the look of every few seconds; at most once each."""
    for number in range(4):
        store.insert(events(event, batch_of, f"s-{number}"))
    store._writer.run("SYSTEM START MERGES")
    store._writer.run(f"OPTIMIZE TABLE {EVENTS} FINAL")
    [(part, folder)] = parts(store).items()
    (folder / "columns_substreams.txt").write_bytes(b"")
    store._writer.run("SYSTEM STOP MERGES")
    store.prove_parts()
    assert reports == [SetAside(table=EVENTS, parts=[part], lost_rows=0)]
    assert count(store) == 200
    store.prove_parts()
    assert len(reports) == 1


def test_a_loss_that_nothing_heals_is_told_by_its_number(
    store: EmbeddedStore, reports: list[SetAside], event: Row, batch_of: Batch
) -> None:
    """A part that was proved once and whose sources are long gone."""
    for number in range(2):
        store.insert(events(event, batch_of, f"s-{number}"))
    store._writer.run(f"ALTER TABLE {EVENTS} MODIFY SETTING old_parts_lifetime = 0")
    store._writer.run("SYSTEM START MERGES")
    store._writer.run(f"OPTIMIZE TABLE {EVENTS} FINAL")
    store.prove_parts()
    [(_part, folder)] = parts(store).items()
    for other in folder.parent.iterdir():
        if other.is_dir() and other.name.endswith("_0"):
            shutil.rmtree(other)
    (folder / "data.bin").write_bytes(b"")
    with pytest.raises(StoreError):
        count(store)
    assert count(store) == 0
    assert reports[-1].lost_rows == 100


def test_a_part_that_the_engine_does_not_load_at_its_start_is_reported(
    store: EmbeddedStore, reports: list[SetAside], event: Row, batch_of: Batch, tmp_path: Path
) -> None:
    """By the name it had; once. How many rows went with it the engine does not say."""
    store.insert(events(event, batch_of, "s-0"))
    [(part, folder)] = parts(store).items()
    store.close()
    (folder / "data.bin").write_bytes(b"")
    for expected in ([SetAside(table=EVENTS, parts=[part], lost_rows=None)], []):
        reports.clear()
        with contextlib.closing(EmbeddedStore.open(tmp_path / "clickhouse", report=reports.append)) as again:
            assert count(again) == 0
        assert reports == expected


def test_what_the_engine_does_not_load_beside_a_torn_part_is_reported_with_it(
    store: EmbeddedStore, reports: list[SetAside], event: Row, batch_of: Batch
) -> None:
    """A part that was proved once and is damaged since; its rows are lost, those of the new part are not."""
    old, new = events(event, batch_of, "s-0"), events(event, batch_of, "s-1")
    store.insert(old)
    store.confirm([old])
    store.insert(new)
    torn = parts(store)
    for folder in torn.values():
        (folder / "data.bin").write_bytes(b"")
    with pytest.raises(OutcomeUnknownError):
        store.confirm([new])
    [report] = reports
    assert sorted(report.parts) == sorted(torn)
    assert report.lost_rows == 50


def test_an_inserted_part_is_told_from_a_merged_one_in_every_table(store: EmbeddedStore, batch_of: Batch) -> None:
    """Also where the insert itself merges rows of one key, and after a merge: the dear look at the table is spared."""
    for number in range(3):
        link = {"site_id": "s", "kind": "k", "identifier": f"i{number}", "user_id": "u", "version": 1}
        store.insert(batch_of([link], table="events.identity_links"))
    store._writer.run("SYSTEM START MERGES")
    store._writer.run("OPTIMIZE TABLE events.identity_links FINAL")
    found = [part for part in store._parts.prove_new() if part.table == "events.identity_links"]
    assert sorted((part.last_block, part.row_count()) for part in found) == [(1, 1), (2, 1), (3, 1)]


def test_damage_where_no_question_looks_is_found_by_reading_again(
    store: EmbeddedStore, event: Row, batch_of: Batch, reports: list[SetAside]
) -> None:
    """A bit of one column's bytes flips long after the part was proved: counts go on being answered until then."""
    store.insert(events(event, batch_of, "0192f0c1-7e1a-7c3d-9b1e-000000000001", rows=40))
    store.insert(events(event, batch_of, "0192f0c1-7e1a-7c3d-9b1e-000000000002", rows=2))
    store.prove_parts()
    damaged = max(parts(store).values(), key=lambda part: (part / "data.bin").stat().st_size)
    image = bytearray((damaged / "data.bin").read_bytes())
    image[len(image) // 2] ^= 0x10
    (damaged / "data.bin").write_bytes(image)
    store.prove_parts()
    assert not reports
    store.prove_again()
    assert [(found.table, found.lost_rows) for found in reports] == [(EVENTS, 40)]
    assert store.query(f"SELECT count() AS number FROM {EVENTS}") == [{"number": 2}]


def test_a_backup_counts_rows_as_they_are_once_merged(store: EmbeddedStore) -> None:
    """The engine merges a restored table when it likes: rows that replace each other may be fewer at once."""
    for _ in range(2):
        store._writer.run("INSERT INTO events.watchers (watcher) SELECT 'one'")
    assert count_rows(store._writer, is_final=False)["watchers"] == 2
    assert count_rows(store._writer)["watchers"] == 1
