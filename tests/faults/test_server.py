"""A ClickHouse server that dies, freezes, refuses or loses its tables under the real loader.

What the spool acknowledged is stored exactly once in the end; meanwhile the loader says what is wrong, and it recovers
by itself.
"""

import contextlib
import os
import random
import re
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.store.schema.files import load_migrations
from qrumb_server.store.schema.render import render
from qrumb_server.store.server import ServerStore
from tests.support.native_front import NativeFront
from tests.support.old_server import BINARY, OldConnection, old_dialect, old_store, running_server
from tests.support.rig import IMPATIENT, assert_exactly_once, running_rig
from tests.support.server_options import options_for
from tests.support.stack import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

no_server = pytest.mark.skipif(BINARY is None, reason="no clickhouse-server: apt-get install clickhouse-server")


def server_test(test: Any) -> Any:
    """Needs Debian's server."""
    return pytest.mark.clickhouse_server(no_server(test))


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
    """The user may read only; then an operator fixes that, and nothing is restarted."""
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
        for migration in render(load_migrations(), old_dialect):
            for statement in migration.statements:
                if re.match(r"(CREATE|ALTER) TABLE .*\bevents\.valid_events\b", statement):
                    server.statement(statement)
        rig.wait_until_well()
        rig.finish()
        # The batch under way at that moment was not found in the new table and was stored again.
        server.statement(
            "INSERT INTO events.valid_events SELECT * FROM events.moved WHERE (segment_id, segment_row) "
            "NOT IN (SELECT segment_id, segment_row FROM events.valid_events)"
        )
        assert_exactly_once(server.statement, rig.feeder.acknowledged)


@pytest.mark.chdb
def test_connections_cut_before_and_after_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qrumb_server.store.server._SETTLE_SECONDS", 0.05)
    with contextlib.closing(NativeFront(tmp_path / "front")) as front:
        store = ServerStore(options_for(front.port))
        with running_rig(tmp_path, store) as rig:
            for moment in ("drop_before_commit", "drop_after_commit") * 3:
                rig.wait_until_well()
                setattr(front, moment, 1)
                rig.wait_for_error("broke")
            rig.wait_until_well()
            rig.finish()
            checker = ServerStore(options_for(front.port))
            assert_exactly_once(checker.query, rig.feeder.acknowledged)
            checker.close()
