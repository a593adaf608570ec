"""What the port promises, of every store alike: in memory, embedded, Debian's server, today's SQL behind the driver."""

import contextlib
import csv
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import BadRowsError, OutcomeUnknownError, StoreRefusedError, StoreUnavailableError
from qrumb_server.ports import EventStore, TableBatch
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.store.server import ServerStore
from tests.support.faulty_store import FaultyStore
from tests.support.native_front import NativeFront
from tests.support.old_server import BINARY, old_store, running_server
from tests.support.rows import AWKWARD, EMPTY_ROW, FULL_ROW, other_rows
from tests.support.server_options import options_for

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

DAY_MS = 86_400_000

no_server = pytest.mark.skipif(BINARY is None, reason="no clickhouse-server: apt-get install clickhouse-server")
REAL = [
    pytest.param("embedded", marks=pytest.mark.chdb),
    pytest.param("front", marks=pytest.mark.chdb),
    pytest.param("server", marks=[pytest.mark.clickhouse_server, no_server]),
]
every_store = pytest.mark.parametrize("store", ["memory", *REAL], indirect=True)
real_store = pytest.mark.parametrize("store", REAL, indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EventStore]:
    """A fresh store of the kind that the test names."""
    # What it waits for is shown by the fault tests.
    monkeypatch.setattr("qrumb_server.store.server._SETTLE_SECONDS", 0.0)
    with contextlib.ExitStack() as stack:
        match request.param:
            case "memory":
                opened: EventStore = FaultyStore()
            case "embedded":
                opened = EmbeddedStore.open(request.getfixturevalue("database"))
            case "front":
                front = stack.enter_context(contextlib.closing(NativeFront(request.getfixturevalue("database"))))
                opened = ServerStore(options_for(front.port))
            case _:
                opened = old_store(stack.enter_context(running_server(tmp_path)))
        stack.callback(opened.close)
        yield opened


def stored(store: EventStore, table: str, columns: list[str]) -> list[dict[str, Any]]:
    """The rows of a table, in the order of their places."""
    if isinstance(store, FaultyStore):
        rows = [{name: row[name] for name in columns} for row in store.tables.get(table, [])]
        return sorted(rows, key=lambda row: (row["segment_id"], row["segment_row"]))
    return store.query(f"SELECT {', '.join(columns)} FROM {table} ORDER BY segment_id, segment_row")


@every_store
def test_every_column_comes_back_as_it_was_sent(store: EventStore, batch_of: Batch, now_ms: int) -> None:
    rows = [row | {"received_time": now_ms, "event_time": now_ms - 5} for row in (EMPTY_ROW, FULL_ROW)]
    store.insert(batch_of(rows))
    assert stored(store, "events.valid_events", list(FULL_ROW)) == rows


@every_store
def test_every_table_takes_a_batch(store: EventStore, batch_of: Batch, now_ms: int) -> None:
    for table, row in other_rows(now_ms).items():
        store.insert(batch_of([row], table))
        store.insert_missing(batch_of([row], table))
        assert stored(store, table, list(row)) == [row]


@every_store
def test_insert_missing_adds_only_the_rows_that_are_not_there(
    store: EventStore, batch_of: Batch, event: Row, now_ms: int
) -> None:
    """Of several partitions a part arrived; another segment has the same row numbers; the batch itself is kept."""
    rows = [event(segment_row=number, received_time=now_ms - number % 3 * 31 * DAY_MS) for number in range(90)]
    stranger = [row | {"segment_id": "it's \\another\n"} for row in rows]
    store.insert(batch_of([row for row in rows if row["segment_row"] % 3]))
    whole = batch_of(rows + stranger)
    for _ in range(2):
        store.insert_missing(whole)
        places = stored(store, "events.valid_events", ["segment_id", "segment_row"])
        assert places == [
            {"segment_id": name, "segment_row": row} for name in ("it's \\another\n", "worker-1/7") for row in range(90)
        ]
    assert whole == batch_of(rows + stranger)


@every_store
def test_what_is_there_is_confirmed_and_what_is_not_is_missed(
    store: EventStore, batch_of: Batch, event: Row, now_ms: int
) -> None:
    """Of each table; over several partitions; rows that came by another insert count as well."""
    rows = [
        event(segment_row=number, fingerprint=2**64 - 1 - number, received_time=now_ms - number % 3 * 31 * DAY_MS)
        for number in range(90)
    ]
    batches = [batch_of(rows), *(batch_of([row], table) for table, row in other_rows(now_ms).items())]
    for batch in batches:
        with pytest.raises(OutcomeUnknownError):
            store.confirm([batch])
        store.insert(batch)
    store.confirm(batches)
    store.confirm([batch_of(rows[:40]), batch_of(rows[40:])])
    more = event(segment_row=90, fingerprint=1)
    with pytest.raises(OutcomeUnknownError):
        store.confirm([*batches, batch_of([more])])
    store.insert_missing(batch_of([*rows, more]))
    store.confirm([batch_of([*rows, more])])


@every_store
@pytest.mark.parametrize(
    "poison",
    [
        {"page_url": "\ud800"},
        {"page_url": None},
        {"conversion_value": Decimal("0.00001")},
        {"is_fraud": 256},
        {"event_id": "not-a-uuid"},
        {"fraud_reasons": ["ok", 1]},
    ],
    ids=lambda poison: "-".join(poison),
)
def test_a_poison_row_is_bad_rows_and_nothing_is_written(
    store: EventStore, batch_of: Batch, event: Row, poison: dict[str, Any]
) -> None:
    good: dict[str, Any] = {"page_url": "", "conversion_value": None, "is_fraud": 0, "fraud_reasons": []}
    rows = [event(segment_row=number, **good) for number in range(3)]
    (column,) = poison
    for insert in (store.insert, store.insert_missing):
        with pytest.raises(BadRowsError, match=f"column {column}, row 1"):
            insert(batch_of([rows[0], rows[1] | poison, rows[2]]))
    assert stored(store, "events.valid_events", ["segment_id", "segment_row"]) == []
    store.insert(batch_of([rows[0], rows[2]]))


@every_store
@pytest.mark.parametrize("change", [{"table": "events.nothing"}, {"columns": ["segment_id", "segment_row", "nope"]}])
def test_an_unknown_table_or_column_is_refused(store: EventStore, change: dict[str, Any]) -> None:
    plain = {"table": "events.ledger", "columns": ["segment_id", "segment_row", "site_id"]}
    with pytest.raises(StoreRefusedError, match=r"nothing|nope"):
        store.insert(TableBatch(**(plain | change), data=[["s"], [1], ["shop"]]))


@every_store
def test_an_empty_batch_writes_nothing(store: EventStore, event: Row) -> None:
    empty = TableBatch(table="events.valid_events", columns=list(event()), data=[[] for _ in event()])
    store.insert(empty)
    store.insert_missing(empty)
    assert stored(store, "events.valid_events", ["segment_id", "segment_row"]) == []


@real_store
def test_parameters_arrive_as_they_are(store: EventStore, batch_of: Batch, event: Row) -> None:
    store.insert(batch_of([event(segment_row=1, user_id=AWKWARD), event(segment_row=2, user_id="plain")]))
    sql = (
        "SELECT user_id FROM events.valid_events WHERE user_id IN {users:Array(String)} AND segment_row < {row:UInt32}"
    )
    assert store.query(sql, {"users": [AWKWARD, "x"], "row": 2**32 - 1}) == [{"user_id": AWKWARD}]
    sql = "SELECT count() AS n FROM events.valid_events WHERE user_id = {user:String}"
    assert store.query(sql, {"user": "' OR 1 = 1 -- "}) == [{"n": 0}]
    for parameters in ({}, {"user": "x", "more": 1}):
        with pytest.raises(StoreRefusedError):
            store.query(sql, parameters)


@real_store
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nope",
        "SELEC 1",
        "SELECT * FROM events.nothing",
        "INSERT INTO events.ledger (site_id) SELECT 'x'",
        "DROP TABLE events.ledger",
        "ALTER TABLE events.ledger DELETE WHERE 1",
        "SELECT 1; DROP TABLE events.ledger",
    ],
)
def test_a_query_that_is_wrong_or_writes_is_refused_with_its_code(store: EventStore, sql: str) -> None:
    for ask in (store.query, lambda sql: store.export(sql, "JSONEachRow")):
        with pytest.raises(StoreRefusedError) as caught:
            ask(sql)
        assert caught.value.code != 0
    assert store.query("SELECT count() AS n FROM events.ledger") == [{"n": 0}]


@real_store
def test_a_mutation_is_visible_when_it_returns_and_may_be_repeated(
    store: EventStore, batch_of: Batch, event: Row
) -> None:
    for number in range(4):
        store.insert(batch_of([event(segment_row=number, user_id=AWKWARD if number % 2 else "u1")]))
    for _ in range(2):
        store.mutate(
            "ALTER TABLE events.valid_events UPDATE user_id = {new:String} WHERE user_id = {old:String}",
            {"new": "it's", "old": AWKWARD},
        )
        store.mutate("ALTER TABLE events.valid_events DELETE WHERE segment_row = {row:UInt32}", {"row": 0})
        users = [row["user_id"] for row in stored(store, "events.valid_events", ["user_id"])]
        assert users == ["it's", "u1", "it's"]
    with pytest.raises(StoreRefusedError):
        store.mutate("ALTER TABLE events.nothing DELETE WHERE 1")


@pytest.mark.parametrize("store", REAL[:2], indirect=True)
def test_a_mutation_that_fails_on_its_rows_does_not_hold_up_later_ones(
    store: EventStore, batch_of: Batch, event: Row
) -> None:
    """The engine itself would try it again for ever, and everything else after it."""
    store.insert(batch_of([event(segment_row=row) for row in range(2)]))
    with pytest.raises(StoreUnavailableError) as caught:
        store.mutate("ALTER TABLE events.valid_events UPDATE user_id = toString(throwIf(segment_row = 1)) WHERE 1")
    assert caught.value.code == 341
    store.mutate("ALTER TABLE events.valid_events DELETE WHERE segment_row = 1")
    assert stored(store, "events.valid_events", ["segment_row", "user_id"]) == [{"segment_row": 0, "user_id": ""}]


@pytest.mark.parametrize("store", REAL[:2], indirect=True)
def test_the_text_of_a_mutation_is_forgotten_with_it(store: EventStore, batch_of: Batch, event: Row) -> None:
    """It names whom an erasure erased."""
    store.insert(batch_of([event(user_id="erased")]))
    store.mutate(
        "ALTER TABLE events.valid_events UPDATE user_id = '' WHERE user_id = {user:String}", {"user": "erased"}
    )
    assert store.query("SELECT command FROM system.mutations WHERE database = 'events'") == []


@real_store
def test_the_formats_of_the_query_command_say_the_same(store: EventStore) -> None:
    sql = (
        "SELECT number AS n, concat('it''s \"', toString(number)) AS text, [n, 2] AS list, "
        "CAST(NULL AS Nullable(String)) AS no FROM system.numbers LIMIT 2;"
    )
    lines = b"".join(store.export(sql, "JSONEachRow")).decode().splitlines()
    rows = [{"n": n, "text": f"it's \"{n}", "list": [n, 2], "no": None} for n in range(2)]
    assert [json.loads(line) for line in lines] == rows
    table = list(csv.reader(io.StringIO(b"".join(store.export(sql, "CSVWithNames")).decode())))
    assert table == [["n", "text", "list", "no"], *([str(n), f"it's \"{n}", f"[{n},2]", "\\N"] for n in range(2))]
    assert "│ 1 │ it's \"1 │ [1,2] │" in b"".join(store.export(sql, "PrettyCompactMonoBlock")).decode()
    with pytest.raises(StoreRefusedError):
        store.export(sql, "NoSuchFormat")


@real_store
def test_many_threads_at_once(store: EventStore, batch_of: Batch, event: Row) -> None:
    """Inserts, look-ups and readers do not disturb each other."""

    def work(number: int) -> None:
        rows = [event(segment_id=f"s{number}", segment_row=row) for row in range(20)]
        store.insert(batch_of(rows))
        sql = "SELECT count() AS n FROM events.valid_events WHERE segment_id = {segment:String}"
        assert store.query(sql, {"segment": f"s{number}"}) == [{"n": 20}]
        store.insert_missing(batch_of(rows))

    with ThreadPoolExecutor(6) as executor:
        list(executor.map(work, range(24)))
    assert len(stored(store, "events.valid_events", ["segment_id", "segment_row"])) == 24 * 20


@real_store
def test_a_closed_store_says_so_and_closes_again(store: EventStore, batch_of: Batch, event: Row) -> None:
    store.insert(batch_of([event()]))
    store.close()
    store.close()
    for call in (
        lambda: store.query("SELECT 1"),
        lambda: store.insert(batch_of([event()])),
        lambda: store.insert_missing(batch_of([event()])),
        lambda: store.mutate("ALTER TABLE events.ledger DELETE WHERE 1"),
        lambda: store.export("SELECT 1", "JSONEachRow"),
    ):
        with pytest.raises(StoreUnavailableError, match="closed"):
            call()
