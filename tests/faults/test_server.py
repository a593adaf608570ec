"""A ClickHouse server that dies, freezes, refuses or loses its tables under the real loader.

What the spool acknowledged is stored exactly once in the end; meanwhile the loader says what is wrong, and it recovers
by itself.
"""

import asyncio
import contextlib
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.app import SystemClock
from qrumb_server.loader.loop import Loader
from qrumb_server.ports import EventStore
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.reader import list_sealed
from qrumb_server.spool.v1.record_pb2 import AcceptedEvent, Record
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.store.connection import ServerOptions
from qrumb_server.store.ddl import load_migrations
from qrumb_server.store.render import render
from qrumb_server.store.server import ServerStore
from tests.support.native_front import NativeFront
from tests.support.old_server import BINARY, OldConnection, old_dialect, old_store, running_server
from tests.support.stack import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

needs_server = [
    pytest.mark.clickhouse_server,
    pytest.mark.skipif(BINARY is None, reason="no clickhouse-server: apt-get install clickhouse-server"),
]
server_test = lambda test: needs_server[0](needs_server[1](test))  # noqa: E731

# Short, so that a frozen server is given up soon.
IMPATIENT: dict[str, Any] = {
    "connect_timeout": timedelta(milliseconds=500),
    "reply_timeout": timedelta(seconds=1),
    "ping_timeout": timedelta(milliseconds=500),
}


class Feeder:
    """A worker's spool that grows until told to stop; `acknowledged` are the ids that it holds durably."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.acknowledged: list[str] = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._write()))

    async def _write(self) -> None:
        with ThreadPoolExecutor(1) as executor:
            limits = SpoolLimits(min_free_bytes=0)
            clock = SystemClock()
            writer = await SpoolWriter.open(self.root / "worker-0", limits=limits, executor=executor, clock=clock)
            while not self.stopping.is_set():
                ids = [str(uuid.uuid4()) for _ in range(random.choice([1, 20, 500]))]
                await writer.append([record(event_id, clock.now_ms()) for event_id in ids])
                self.acknowledged += ids
                await writer.seal()
                await asyncio.sleep(0.02)
            await writer.close()


def record(event_id: str, now_ms: int) -> bytes:
    """An accepted event; every third belongs to last month, so that most inserts are over two partitions."""
    time_ms = now_ms - (31 * 86_400_000 if random.random() < 0.3 else 0)
    moment = Timestamp(seconds=time_ms // 1000)
    row = EventRow(event_id=event_id, site_id="s", metadata="{}", event_time=moment, received_time=moment)
    return Record(accepted_event=AcceptedEvent(row=row)).SerializeToString()


class Rig:
    """A feeder, a loader and what the loader said on the way."""

    def __init__(self, root: Path, store: EventStore) -> None:
        self.feeder = Feeder(root)
        self.loader = Loader(
            spool_root=root,
            store=store,
            clock=SystemClock(),
            max_events=1000,
            poll_interval=timedelta(milliseconds=5),
            retry_max_delay=timedelta(milliseconds=300),
            refused_delay=timedelta(milliseconds=200),
        )
        self.thread = threading.Thread(target=self.loader.run)

    def wait_for_error(self, text: str) -> None:
        """Until the loader's last error has `text` in it."""
        wait_until(lambda: text in self.loader.last_error, 30, 0.01)

    def wait_until_well(self) -> None:
        """Until the loader has stored what is in the spool now, and something is."""
        wait_until(lambda: list_sealed(self.feeder.root), 30, 0.001)
        waiting = {ref.path for ref in list_sealed(self.feeder.root)}
        wait_until(lambda: not any(path.exists() for path in waiting) and not self.loader.last_error, 30, 0.01)

    def finish(self) -> None:
        """Load all there is."""
        self.feeder.stopping.set()
        self.feeder.thread.join(30)
        self.loader.drain()
        self.thread.join(60)
        assert not self.thread.is_alive(), self.loader.last_error
        assert self.loader.last_error == ""
        assert list_sealed(self.feeder.root) == []


@contextlib.contextmanager
def running_rig(root: Path, store: EventStore) -> Iterator[Rig]:
    """Feeding and loading at once."""
    rig = Rig(root, store)
    rig.feeder.thread.start()
    rig.thread.start()
    try:
        yield rig
    finally:
        rig.feeder.stopping.set()
        rig.feeder.thread.join(30)
        rig.loader.stop()
        rig.thread.join(60)
        store.close()
        assert not rig.thread.is_alive()


def assert_exactly_once(ask: Callable[[str], Sequence[dict[str, Any]]], acknowledged: Sequence[str]) -> None:
    """Each id in one row, and no other rows."""
    rows = ask("SELECT toString(event_id) AS id FROM events.valid_events")
    assert sorted(row["id"] for row in rows) == sorted(acknowledged)


@server_test
def test_kill_9_of_the_server_under_load(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server, running_rig(tmp_path, old_store(server, **IMPATIENT)) as rig:
        for _ in range(8):
            rig.wait_until_well()
            time.sleep(random.uniform(0, 0.15))
            server.kill()
            rig.wait_for_error("127.0.0.1")
            server.start()
        rig.finish()
        assert len(rig.feeder.acknowledged) > 1000
        assert_exactly_once(server.statement, rig.feeder.acknowledged)


@server_test
def test_a_server_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server:
        server.kill()
        with running_rig(tmp_path, old_store(server)) as rig:
            rig.wait_for_error("cannot connect")
            server.start()
            rig.wait_until_well()
            rig.finish()
            assert_exactly_once(server.statement, rig.feeder.acknowledged)


@server_test
def test_a_frozen_server_under_load(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server, running_rig(tmp_path, old_store(server, **IMPATIENT)) as rig:
        for _ in range(3):
            rig.wait_until_well()
            time.sleep(random.uniform(0, 0.1))
            server.signal(signal.SIGSTOP)
            rig.wait_for_error("127.0.0.1")
            time.sleep(1)
            server.signal(signal.SIGCONT)
        rig.finish()
        assert_exactly_once(server.statement, rig.feeder.acknowledged)


@server_test
def test_a_server_that_freezes_with_a_whole_insert_in_its_hands(tmp_path: Path) -> None:
    """It stores those rows when it thaws, after the loader has given them up, and while that asks for them again."""
    freezes = 3

    class FreezingConnection(OldConnection):
        def insert(self, sql: str, data: Sequence[Sequence[Any]], settings: Any) -> None:
            send = self._client.send_data

            def freeze_and_send(*arguments: Any, **options: Any) -> Any:
                nonlocal freezes
                if freezes and "valid_events" in sql:
                    freezes -= 1
                    server.signal(signal.SIGSTOP)
                    threading.Timer(2.5, server.signal, [signal.SIGCONT]).start()
                return send(*arguments, **options)

            self._client.send_data = freeze_and_send
            try:
                super().insert(sql, data, settings)
            finally:
                self._client.send_data = send

    with running_server(tmp_path / "server") as server:
        store = ServerStore(server.options(**IMPATIENT), connect=FreezingConnection, dialect=old_dialect)
        with running_rig(tmp_path, store) as rig:
            wait_until(lambda: freezes == 0, 60)
            rig.wait_until_well()
            rig.finish()
            assert_exactly_once(server.statement, rig.feeder.acknowledged)


@server_test
def test_lost_rights_keep_the_spool_until_they_are_back(tmp_path: Path) -> None:
    """The user may read only; then an operator mends that, and nobody restarts anything."""
    with running_server(tmp_path / "server") as server:
        with contextlib.closing(old_store(server)) as operator:
            operator.migrate()
        with running_rig(tmp_path, old_store(server, user="reader")) as rig:
            rig.wait_for_error("code 164")
            users = server.folder / "users.xml"
            users.write_text(users.read_text().replace("<readonly>2</readonly>", ""))
            # The server compares whole seconds.
            os.utime(users, (time.time() + 5, time.time() + 5))
            rig.wait_until_well()
            rig.finish()
            assert_exactly_once(server.statement, rig.feeder.acknowledged)


@server_test
def test_a_dropped_table_and_a_missing_column_are_named_and_waited_for(tmp_path: Path) -> None:
    with running_server(tmp_path / "server") as server, running_rig(tmp_path, old_store(server)) as rig:
        rig.wait_until_well()
        server.statement("ALTER TABLE events.valid_events DROP COLUMN city")
        rig.wait_for_error("city")
        assert "code 16" in rig.loader.last_error
        server.statement("ALTER TABLE events.valid_events ADD COLUMN city String AFTER country_code")
        rig.wait_until_well()
        rig.finish()
        assert_exactly_once(server.statement, rig.feeder.acknowledged)
    with running_server(tmp_path / "other") as server, running_rig(tmp_path / "spool", old_store(server)) as rig:
        rig.wait_until_well()
        server.statement("RENAME TABLE events.valid_events TO events.moved")
        rig.wait_for_error("code 60")
        for statement in render(load_migrations(), old_dialect)[0].statements:
            server.statement(statement)
        rig.wait_until_well()
        rig.finish()
        server.statement("INSERT INTO events.valid_events SELECT * FROM events.moved")
        assert_exactly_once(server.statement, rig.feeder.acknowledged)


@pytest.mark.chdb
def test_connections_cut_before_and_after_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qrumb_server.store.server._SETTLE_SECONDS", 0.05)
    with contextlib.closing(NativeFront(tmp_path / "front")) as front:
        store = ServerStore(ServerOptions(hosts=[("127.0.0.1", front.port)]))
        with running_rig(tmp_path, store) as rig:
            for moment in ("drop_before_commit", "drop_after_commit") * 3:
                rig.wait_until_well()
                setattr(front, moment, 1)
                rig.wait_for_error("broke")
            rig.wait_until_well()
            rig.finish()
            checker = ServerStore(ServerOptions(hosts=[("127.0.0.1", front.port)]))
            assert_exactly_once(checker.query, rig.feeder.acknowledged)
            checker.close()
