"""Connections to servers: what was sent is always known, a dead host stalls no caller, secrets stay out of errors."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import OutcomeUnknownError, StoreRefusedError, StoreUnavailableError
from qrumb_server.ports import TableBatch
from qrumb_server.store.server import ServerStore
from tests.support.native_front import NativeFront
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.server_options import options_for

pytestmark = pytest.mark.chdb

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

SHORT = timedelta(seconds=patient(0.5))
SECRET = "s3cr3t"


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NativeFront]:
    """A server that speaks today's SQL."""
    monkeypatch.setattr("qrumb_server.store.server._SETTLE_SECONDS", 0.0)
    opened = NativeFront(tmp_path / "clickhouse", {"default": "", "me": SECRET})
    yield opened
    opened.close()


@pytest.fixture
def open_store(front: NativeFront) -> Iterator[Callable[..., ServerStore]]:
    """Stores on it, by default; closed at the end."""
    opened: list[ServerStore] = []

    def open_one(**changes: Any) -> ServerStore:
        short: dict[str, Any] = {"connect_timeout": SHORT, "ping_timeout": SHORT}
        opened.append(ServerStore(options_for(front.port, **(short | changes))))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A host that takes connections and says nothing, as a frozen one does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refused_port() -> int:
    """A port where no server listens."""
    return claimed_port()


def count(store: ServerStore) -> int:
    [row] = store.query("SELECT count() AS n FROM events.valid_events")
    return int(row["n"])


@pytest.mark.parametrize(("moment", "there"), [("drop_before_commit", 0), ("drop_after_commit", 3)])
def test_a_connection_that_breaks_during_an_insert_is_an_unknown_outcome(
    front: NativeFront, open_store: Callable[..., ServerStore], batch_of: Batch, event: Row, moment: str, there: int
) -> None:
    """Whether the rows are there or not, `insert_missing` makes it exactly once."""
    store = open_store()
    batch = batch_of([event(segment_row=row) for row in range(3)])
    assert count(store) == 0
    setattr(front, moment, 1)
    with pytest.raises(OutcomeUnknownError):
        store.insert(batch)
    assert count(store) == there
    for _ in range(2):
        store.insert_missing(batch)
        assert count(store) == 3


def test_connections_that_ended_while_idle_are_replaced_unnoticed(
    front: NativeFront, open_store: Callable[..., ServerStore], batch_of: Batch, event: Row
) -> None:
    store = open_store()
    threads = [threading.Thread(target=count, args=(store,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        front.cut_connections()
        store.insert(batch_of([event(segment_row=number)]))
        front.cut_connections()
        assert count(store) == number + 1


def test_a_refused_connection_means_nothing_was_written(
    open_store: Callable[..., ServerStore], batch_of: Batch, event: Row
) -> None:
    port = refused_port()
    store = open_store(hosts=[("127.0.0.1", port), ("localhost", port)])
    for call in (store.insert, store.insert_missing):
        with pytest.raises(StoreUnavailableError, match=rf"127\.0\.0\.1:{port}"):
            call(batch_of([event()]))


def test_a_dead_or_silent_host_stalls_the_others_once_at_most(
    front: NativeFront, open_store: Callable[..., ServerStore], silent_port: int
) -> None:
    others = [("127.0.0.1", refused_port()), ("127.0.0.1", silent_port)]
    store = open_store(hosts=[*others, ("127.0.0.1", front.port)])
    assert count(store) == 0
    for _ in range(3):
        front.cut_connections()
        # The first of these may meet the silent host.
        assert count(store) == 0
    began = time.monotonic()
    for _ in range(3):
        front.cut_connections()
        assert count(store) == 0
    assert time.monotonic() - began < SHORT.total_seconds()


def test_a_silent_host_alone_is_unavailable_after_the_connect_timeout(
    open_store: Callable[..., ServerStore], silent_port: int
) -> None:
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        open_store(hosts=[("127.0.0.1", silent_port)]).query("SELECT 1")
    assert SHORT.total_seconds() <= time.monotonic() - began


def test_a_wrong_password_is_refused_and_appears_nowhere(
    open_store: Callable[..., ServerStore], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    store = open_store(user="me", password=f"wrong-{SECRET}")
    with pytest.raises(StoreRefusedError) as caught:
        store.query("SELECT 1")
    assert caught.value.code == 516
    assert open_store(user="me", password=SECRET).query("SELECT 1 AS one") == [{"one": 1}]
    captured = capfd.readouterr()
    for text in (str(caught.value), repr(caught.value), caplog.text, captured.out, captured.err):
        assert SECRET not in text


def test_a_user_without_rights_is_refused_and_may_still_export(
    front: NativeFront, open_store: Callable[..., ServerStore], batch_of: Batch, event: Row
) -> None:
    writer = open_store()
    writer.insert(batch_of([event()]))
    front.read_only_users = {"me"}
    reader = open_store(user="me", password=SECRET)
    with pytest.raises(StoreRefusedError) as caught:
        reader.insert(batch_of([event()]))
    assert caught.value.code == 164
    sql = "SELECT count() AS n FROM events.valid_events"
    assert b"".join(reader.export(sql, "JSONEachRow")) == b'{"n":1}\n'
    assert count(writer) == 1


def test_two_nodes_may_migrate_at_once_and_the_second_time_nothing_is_pending(
    open_store: Callable[..., ServerStore],
) -> None:
    stores = [open_store() for _ in range(3)]
    assert [migration.number for migration in stores[0].pending()] == list(range(1, len(stores[0].pending()) + 1))
    failures: list[BaseException] = []

    def migrate(store: ServerStore) -> None:
        try:
            store.migrate()
        except BaseException as error:  # noqa: BLE001  (told to the test's own thread)
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert stores[0].pending() == []
    assert stores[0].migrate() == []


def test_drift_is_refused_by_every_call_until_it_is_corrected(
    front: NativeFront, open_store: Callable[..., ServerStore], batch_of: Batch, event: Row
) -> None:
    open_store().migrate()
    front.keeper.run("ALTER TABLE events.valid_events RENAME COLUMN city TO town")
    store = open_store()
    for call in (lambda: store.insert(batch_of([event()])), lambda: count(store)):
        with pytest.raises(StoreRefusedError, match=r"valid_events\.city: should be LowCardinality.*town"):
            call()
    front.keeper.run("ALTER TABLE events.valid_events RENAME COLUMN town TO city")
    store.insert(batch_of([event()]))
    assert count(store) == 1


def test_a_result_of_many_blocks_and_odd_types_is_exact(open_store: Callable[..., ServerStore]) -> None:
    store = open_store()
    rows = store.query("SELECT number AS n, toString(number) AS text FROM numbers(200000) ORDER BY n")
    assert rows == [{"n": number, "text": str(number)} for number in range(200_000)]
    assert store.query("SELECT number FROM numbers(0)") == []
    [row] = store.query(
        "SELECT toDateTime64('2299-12-31 23:59:59.999', 3, 'UTC') AS late, toDateTime(1700000000, 'UTC') AS plain, "
        "CAST(NULL AS Nullable(DateTime64(3, 'UTC'))) AS none, CAST('x' AS LowCardinality(Nullable(String))) AS low, "
        "map('a', toUInt64(1)) AS map, tuple('a', 2) AS pair, toDecimal128('-1.5', 10) AS money, unhex('ff') AS bytes"
    )
    assert row["late"] == 10_413_791_999_999
    assert (row["plain"], row["none"], row["low"]) == (1_700_000_000_000, None, "x")
    assert (row["map"], row["pair"], str(row["money"]), row["bytes"]) == ({"a": 1}, ("a", 2), "-1.5", b"\xff")
