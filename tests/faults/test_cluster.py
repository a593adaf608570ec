"""Shards of two replicas under the real loader: split by session, equal on replicas, once through any death."""

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import OutcomeUnknownError, StoreError, StoreUnavailableError
from qrumb_server.ports import TableBatch
from qrumb_server.store.connection import Result, StatementError
from qrumb_server.store.server import ServerStore
from tests.support.old_cluster import (
    CAN_RUN,
    DDL_TIMEOUT,
    NAME,
    Cluster,
    dialect,
    empty,
    running_cluster_with_tables,
    wait_until_replicas_agree,
)
from tests.support.old_server import OldConnection
from tests.support.rig import assert_exactly_once, running_rig
from tests.support.rows import EMPTY_ROW
from tests.support.stack import wait_until

pytestmark = [
    pytest.mark.clickhouse_server,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not CAN_RUN, reason="no cluster: apt-get install clickhouse-server zookeeper"),
]

PLACES = "SELECT segment_id, segment_row FROM events.valid_events_local ORDER BY segment_id, segment_row"


# It takes its time over each batch: less is sent to it than to others.
PAUSE_SECONDS = 0.5


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two shards of two replicas, and a ZooKeeper."""
    with running_cluster_with_tables(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def cluster(servers: Cluster) -> Cluster:
    """The same without an event; each test leaves all of them running."""
    empty(servers)
    return servers


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two servers and a ZooKeeper, migrated by two nodes at once."""
    with running_cluster_with_tables(tmp_path_factory.mktemp("shard"), shards=1, migrate=migrate_twice) as running:
        yield running


def test_a_session_is_on_one_shard_and_every_host_answers_for_all(cluster: Cluster, tmp_path: Path) -> None:
    with running_rig(tmp_path / "spool", cluster.store(), pause_seconds=PAUSE_SECONDS) as rig:
        for _ in range(5):
            rig.wait_until_well()
        rig.finish()
        wait_until_replicas_agree(cluster)
        for server in cluster.servers:
            assert_exactly_once(server.statement, rig.feeder.acknowledged)
        sessions = "SELECT DISTINCT scan_session_id AS id FROM events.valid_events_local WHERE id != ''"
        first, second = ({row["id"] for row in cluster.servers[at].statement(sessions)} for at in (0, 2))
        assert first.isdisjoint(second)
        assert first | second == {"a", "b"}
        # Without a session, events are spread.
        for at in (0, 2):
            assert cluster.servers[at].statement(f"SELECT 1 AS one FROM ({PLACES}) LIMIT 1") == [{"one": 1}]


def test_killed_replicas_lose_and_double_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """One of a shard, so that it still takes rows; then both, so that it does not."""
    with running_rig(tmp_path / "spool", cluster.store(), pause_seconds=PAUSE_SECONDS) as rig:
        for victims in ([0], [3], [1], [2], [0, 1], [2, 3]):
            rig.wait_until_well()
            time.sleep(random.uniform(0, 0.2))
            for at in victims:
                cluster.servers[at].kill()
            if len(victims) == 1:
                rig.wait_until_well()
            else:
                rig.wait_for_error("")
            for at in victims:
                cluster.servers[at].start()
        rig.finish()
        wait_until_replicas_agree(cluster)
        assert_exactly_once(cluster.servers[0].statement, rig.feeder.acknowledged)


def test_an_unknown_outcome_is_settled_though_the_other_replica_lags(cluster: Cluster, tmp_path: Path) -> None:
    """The look-up meets a replica that has not fetched the rows yet: their block is recognised when it comes again."""
    store = cluster.store()
    with running_rig(tmp_path / "spool", store, pause_seconds=PAUSE_SECONDS) as rig:
        for _ in range(3):
            rig.wait_until_well()
            for server in cluster.servers:
                server.statement("SYSTEM STOP FETCHES")
            # Everything that is inserted now is sent again, to whichever replica.
            insert, missing = store.insert, store.insert_missing
            sent: list[Any] = []

            def twice(batch: Any, insert: Any = insert, missing: Any = missing, sent: list[Any] = sent) -> None:
                insert(batch)
                missing(batch)
                sent.append(batch)

            store.insert = twice  # type: ignore[method-assign]
            wait_until(lambda sent=sent: any(batch.table == "events.valid_events" for batch in sent), 30, 0.01)
            store.insert = insert  # type: ignore[method-assign]
            for server in cluster.servers:
                server.statement("SYSTEM START FETCHES")
        rig.finish()
        wait_until_replicas_agree(cluster)
        assert_exactly_once(cluster.servers[0].statement, rig.feeder.acknowledged)


@pytest.mark.parametrize("is_killed", [False, True], ids=["lags", "and the other is dead"])
def test_rows_of_a_killed_loader_are_found_though_a_replica_lags(shard: Cluster, *, is_killed: bool) -> None:
    """They come again in another batch, which replicas cannot recognise as equal: one that lags may not answer."""
    empty(shard)
    segment_id = f"killed: {is_killed}"  # what was once in a replicated table is recognised though it is gone
    first, second = shard.servers
    with (
        contextlib.closing(shard.store(hosts=[("127.0.0.1", first.port)])) as killed,
        contextlib.closing(shard.store(hosts=[("127.0.0.1", second.port)])) as later,
    ):
        second.statement("SYSTEM STOP FETCHES")
        killed.insert(batch_of(segment_id, 10))
        if is_killed:
            first.kill()
            second.statement("SYSTEM START FETCHES")
            for _ in range(3):
                assert not has_stored(later, batch_of(segment_id, 20))
            first.start()
        # Where it lags only, it asks the other replica by itself.
        wait_until(lambda: has_stored(later, batch_of(segment_id, 20)), 30)
    second.statement("SYSTEM START FETCHES")
    wait_until_replicas_agree(shard)
    for server in shard.servers:
        places = server.statement("SELECT segment_row AS place FROM events.valid_events_local ORDER BY place")
        assert [row["place"] for row in places] == list(range(20))


@pytest.mark.parametrize("is_other_dead", [False, True], ids=["while the other is there", "where it is alone"])
def test_rows_that_one_replica_has_alone_are_not_believed(shard: Cluster, *, is_other_dead: bool) -> None:
    """It lost ZooKeeper in the middle of an insert and shows its rows for five minutes: this is played here."""
    empty(shard)
    segment_id = f"alone: {is_other_dead}"
    batch = batch_of(segment_id, 5)
    # Its port, from its insert on until it lets go of the rows.
    alone: list[int] = []

    class Connection(OldConnection):
        def insert(self, sql: str, columns: Any, settings: Any) -> None:
            if not alone:
                alone.append(self.host[1])
                raise StatementError("Unknown status, client must retry.", 319)
            super().insert(sql, columns, settings)

        def execute(self, sql: str, **more: Any) -> Result:
            result = super().execute(sql, **more)
            if self.host[1] in alone and sql.startswith("SELECT segment_id, segment_row "):
                return Result(names=result.names, types=result.types, columns=[[segment_id] * 5, list(range(5))])
            return result

    options = shard.servers[0].options(hosts=[("127.0.0.1", server.port) for server in shard.servers], cluster=NAME)
    with contextlib.closing(ServerStore(options, connect=Connection, dialect=dialect)) as store:
        with pytest.raises(OutcomeUnknownError):
            store.insert(batch)
        [other] = [server for server in shard.servers if server.port not in alone]
        if is_other_dead:
            other.kill()
        else:
            assert not has_stored(store, batch)
            alone[:] = [0]
        wait_until(lambda: has_stored(store, batch), 30)
    if is_other_dead:
        other.start()
    wait_until_replicas_agree(shard)
    for server in shard.servers:
        places = server.statement("SELECT segment_row AS place FROM events.valid_events_local ORDER BY place")
        assert [row["place"] for row in places] == list(range(5))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_keeper_that_dies_in_inserts_loses_and_doubles_nothing(shard: Cluster) -> None:
    """Fourteen times: about each seventh leaves rows of an insert with one replica alone."""
    empty(shard)
    stopping = threading.Event()
    stored: set[str] = set()
    threads = [threading.Thread(target=load, args=(shard, f"kept {name}", stopping, stored)) for name in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(14):
        time.sleep(random.uniform(2, 4))
        shard.zookeeper.kill()
        time.sleep(random.uniform(0.5, 2))
        shard.zookeeper.start()
        goal = len(stored) + 8
        wait_until(lambda goal=goal: len(stored) > goal, 120)
    stopping.set()
    for thread in threads:
        thread.join()
    wait_until_replicas_agree(shard)
    for server in shard.servers:
        rows = server.statement("SELECT segment_id, count() AS n FROM events.valid_events_local GROUP BY segment_id")
        assert {str(row["segment_id"]): row["n"] for row in rows} == dict.fromkeys(stored, 3)


def load(cluster: Cluster, name: str, stopping: threading.Event, stored: set[str]) -> None:
    """Insert batch after batch, as a loader does: each until it is stored and read back."""
    with contextlib.closing(cluster.store()) as store:
        for number in itertools.count():
            if stopping.is_set():
                return
            batch = batch_of(f"{name}, {number}", 3)
            insert = store.insert
            while True:
                try:
                    insert(batch)
                    store.confirm([batch])
                    break
                except StoreError:
                    insert = store.insert_missing
                    time.sleep(0.3)
            stored.add(f"{name}, {number}")


def batch_of(segment_id: str, number: int) -> TableBatch:
    """The first rows of a segment."""
    rows = [{**EMPTY_ROW, "segment_id": segment_id, "segment_row": row} for row in range(number)]
    columns = list(EMPTY_ROW)
    return TableBatch(
        table="events.valid_events", columns=columns, data=[[row[name] for row in rows] for name in columns]
    )


def has_stored(store: ServerStore, batch: TableBatch) -> bool:
    """Whether it did; False if it is to be tried again."""
    try:
        store.insert_missing(batch)
    except StoreUnavailableError:
        return False
    return True


def test_a_shard_that_refuses_while_the_other_takes_its_part(cluster: Cluster, tmp_path: Path) -> None:
    """The part that was taken is not sent again when its cause is fixed."""
    with running_rig(tmp_path / "spool", cluster.store(), pause_seconds=PAUSE_SECONDS) as rig:
        rig.wait_until_well()
        cluster.servers[2].statement("ALTER TABLE events.valid_events_local DROP COLUMN city")
        rig.wait_for_error("city")
        cluster.servers[2].statement("ALTER TABLE events.valid_events_local ADD COLUMN city String AFTER country_code")
        rig.wait_until_well()
        rig.finish()
        wait_until_replicas_agree(cluster)
        assert_exactly_once(cluster.servers[0].statement, rig.feeder.acknowledged)


def test_two_nodes_migrate_at_once(shard: Cluster) -> None:
    """They have by now, see `migrate_twice`; what either asks for is there, whichever host answers."""
    for server in shard.servers:
        with contextlib.closing(shard.store(hosts=[("127.0.0.1", server.port)])) as store:
            # Another host may answer than the one that recorded the last of them.
            wait_until(lambda store=store: store.pending() == [], 20)


def migrate_twice(cluster: Cluster) -> bool:
    """As two nodes that start at the same moment; whether both came to an end."""
    failures: list[BaseException] = []
    with contextlib.closing(cluster.store()) as one, contextlib.closing(cluster.store()) as other:
        threads = [threading.Thread(target=migrate, args=(store, failures)) for store in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    unexpected = [failure for failure in failures if DDL_TIMEOUT not in str(failure)]
    assert unexpected == []
    return not failures


def migrate(store: ServerStore, failures: list[BaseException]) -> None:
    """Again where it fails, as a loader does; what it failed with in the end is kept."""

    def is_migrated() -> bool:
        try:
            store.migrate()
        except StoreError as error:
            # The old dialect drops and remakes what today's engine alters: the other node can look in between.
            last[:] = [error]
            return False
        return True

    last: list[BaseException] = []
    try:
        wait_until(is_migrated, 60)
    except BaseException as error:  # noqa: BLE001  (told to the test's own thread)
        failures += last or [error]


def test_an_erasure_reaches_every_shard(cluster: Cluster, tmp_path: Path) -> None:
    store = cluster.store()
    with running_rig(tmp_path / "spool", store, pause_seconds=PAUSE_SECONDS) as rig:
        rig.wait_until_well()
        rig.finish()
        store.mutate(
            "ALTER TABLE events.valid_events DELETE WHERE scan_session_id IN {ids:Array(String)}", {"ids": ["a", ""]}
        )
        left = "SELECT DISTINCT scan_session_id AS id FROM events.valid_events_local"
        for server in cluster.servers:
            wait_until(lambda server=server: {row["id"] for row in server.statement(left)} <= {"b"}, 20)
