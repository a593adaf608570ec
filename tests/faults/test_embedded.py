"""The embedded ClickHouse without a table, with a renamed column, on a full disk, and with rows that it cannot take.

The rows of tests/faults/test_server.py, for the store that most nodes have.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.app.clock import SystemClock
from qrumb_server.errors import StoreShortOfDiskError
from qrumb_server.ports import EventStore
from qrumb_server.spool.reader import list_sealed
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.store.server import ServerStore
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, Record
from tests.support.native_front import NativeFront
from tests.support.rig import assert_exactly_once, load_all, record, running_rig, spool_up
from tests.support.server_options import options_for

pytestmark = [pytest.mark.chdb, pytest.mark.slow, pytest.mark.timeout(240)]

POISON = 7_777
NOW_MS = SystemClock().now_ms()


def test_a_renamed_column_and_a_missing_table_are_named_and_waited_for(tmp_path: Path) -> None:
    """Nothing is lost meanwhile; nothing is restarted."""
    store = EmbeddedStore.open(tmp_path / "clickhouse")
    with running_rig(tmp_path / "spool", store) as rig:
        rig.wait_until_well()
        for broken, fixed, code in (
            ("ALTER TABLE events.valid_events RENAME COLUMN city TO town", "RENAME COLUMN town TO city", "16"),
            ("RENAME TABLE events.valid_events TO events.moved", "", "60"),
        ):
            store.mutate(broken)
            rig.wait_for_error(f"code {code}")
            store.mutate(
                f"ALTER TABLE events.valid_events {fixed}"
                if fixed
                else "RENAME TABLE events.moved TO events.valid_events"
            )
            rig.wait_until_well()
        rig.finish()
        assert_exactly_once(store.query, rig.feeder.acknowledged)


@pytest.fixture(params=["embedded", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventStore]:
    """Both stores."""
    if request.param == "embedded":
        with contextlib.closing(EmbeddedStore.open(tmp_path / "clickhouse")) as embedded:
            yield embedded
    else:
        with (
            contextlib.closing(NativeFront(tmp_path / "front")) as front,
            contextlib.closing(ServerStore(options_for(front.port))) as server,
        ):
            yield server


def test_one_poison_row_of_ten_thousand_is_a_dead_letter_and_the_rest_is_stored(
    store: EventStore, tmp_path: Path
) -> None:
    """Found by halving, not one by one; its dead letter says why, and the ledger counts it."""
    ids = [f"00000000-0000-4000-8000-{number:012d}" for number in range(10_000)]
    records = [record(event_id, NOW_MS) for event_id in ids]
    # Money beyond the column's 14 digits: no collector lets it through.
    records[POISON] = record(ids[POISON], NOW_MS, conversion_value="9" * 18)
    spool_up(tmp_path / "spool", [records])
    load_all(tmp_path / "spool", store)
    assert_exactly_once(store.query, ids[:POISON] + ids[POISON + 1 :])
    [letter] = store.query("SELECT event_id, stage, segment_row, reasons, descriptions FROM events.invalid_events")
    assert (letter["event_id"], letter["stage"], letter["segment_row"]) == (ids[POISON], "loader", POISON)
    assert letter["reasons"]
    assert "cannot be stored as a row" in letter["descriptions"][0]
    [sums] = store.query(
        "SELECT sum(received_count) AS received, sum(stored_count) AS stored, sum(rejected_count) AS rejected "
        "FROM events.ledger"
    )
    assert sums == {"received": 10_000, "stored": 9_999, "rejected": 1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 64 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a full disk takes root that may mount a tmpfs: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_under_the_database_is_waited_for(small_disk: Path, tmp_path: Path) -> None:
    """The spool is on another disk here: it grows, and is stored once there is room."""
    store = EmbeddedStore.open(small_disk / "clickhouse")
    ballast = small_disk / "ballast"
    with running_rig(tmp_path / "spool", store) as rig:
        rig.wait_until_well()
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(bytes(64 * 1024))
                file.flush()
        rig.wait_for_error("pace")
        time.sleep(1)
        ballast.unlink()
        rig.wait_until_well()
        rig.finish()
        assert_exactly_once(store.query, rig.feeder.acknowledged)


def test_on_a_full_disk_a_result_is_whole_or_refused(small_disk: Path) -> None:
    """The engine itself calls an empty file a result, and a query that answers nothing is believed."""
    with contextlib.closing(EmbeddedStore.open(small_disk / "clickhouse")) as store:
        with contextlib.suppress(OSError), (small_disk / "ballast").open("wb", 0) as file:
            while True:
                file.write(bytes(4096))
        assert b"".join(store.export("SELECT 1 AS one", "JSONEachRow")) == b'{"one":1}\n'
        with pytest.raises(StoreShortOfDiskError):
            store.export("SELECT number FROM numbers(1000000)", "JSONEachRow")


def test_what_was_stored_as_the_first_arrival_stays_the_only_one(tmp_path: Path) -> None:
    """A later arrival is loaded, its loader dies before it lets go, and only then the earlier one turns up (its worker
    was frozen): both are in one batch then, and the later is the first for good."""

    def arrival(received_ms: int) -> bytes:
        row = EventRow(event_id="00000000-0000-4000-8000-000000000001", site_id="s", metadata="{}")
        row.received_time.FromMilliseconds(received_ms)
        row.event_time.FromMilliseconds(received_ms)
        return Record(accepted_event=AcceptedEvent(row=row)).SerializeToString()

    spool = tmp_path / "spool"
    spool_up(spool, [[arrival(NOW_MS - 9_000)], [arrival(NOW_MS)]])
    earlier, later = (ref.path for ref in list_sealed(spool))
    images = {path: path.read_bytes() for path in (earlier, later)}
    earlier.unlink()
    with contextlib.closing(EmbeddedStore.open(tmp_path / "clickhouse")) as store:
        load_all(spool, store)
        for path, image in images.items():
            path.write_bytes(image)
        load_all(spool, store)
        rows = store.query("SELECT received_time, is_duplicate FROM events.valid_events ORDER BY received_time")
        assert [(row["received_time"], row["is_duplicate"]) for row in rows] == [(NOW_MS - 9_000, 1), (NOW_MS, 0)]
        [sums] = store.query("SELECT sum(unique_count) AS firsts, sum(duplicate_count) AS others FROM events.ledger")
        assert sums == {"firsts": 1, "others": 1}
