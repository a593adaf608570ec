"""Reading: parameters arrive as they are, results are exact, nothing can be written, views count once."""

import re
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrumb_server.errors import StoreRefusedError, StoreUnavailableError
from qrumb_server.pipeline.identity import MAX_HASHES, MAX_USERS
from qrumb_server.ports import BY_KEY, Asking, ReadLimits, TableBatch
from qrumb_server.store.embedded import EmbeddedStore

pytestmark = pytest.mark.chdb

# As the own users of two hashes are named.
EMAIL, PHONE = "email-" + "0a" * 16, "phone-" + "0b" * 16

LOADING = "qrumb_server.store.embedded._LOADING_SECONDS"

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

nasty_text = st.text() | st.text(alphabet="\\'\"\t\n\r\0\b\f`NtnrabX01{}:$-;%🧀")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=nasty_text, texts=st.lists(nasty_text, max_size=4), pair=st.tuples(nasty_text, st.integers(0, 2**64 - 1)))
def test_any_text_arrives_as_a_parameter_unchanged(
    store: EmbeddedStore, text: str, texts: list[str], pair: tuple[str, int]
) -> None:
    rows = store.query(
        "SELECT {text:String} AS text, {texts:Array(String)} AS texts, {pairs:Array(Tuple(String, UInt64))} AS pairs, "
        "{maybe:Nullable(String)} AS maybe",
        {"text": text, "texts": texts, "pairs": [pair], "maybe": text},
    )
    assert rows == [{"text": text, "texts": texts, "pairs": [pair], "maybe": text}]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("UInt64", 2**64 - 1),
        ("Int64", -(2**63)),
        ("UInt256", 2**256 - 1),
        ("Decimal(18, 4)", Decimal("-99999999999999.9999")),
        ("Decimal(38, 10)", Decimal("1234567890123456789012345678.0123456789")),
        ("UUID", str(uuid.UUID(int=2**127 + 1))),
        ("Array(UUID)", []),
        ("Nullable(String)", None),
        ("Nullable(UUID)", None),
        ("Float64", 0.1),
        ("Bool", True),
        ("DateTime64(3, 'UTC')", 1_700_000_000_123),
        ("Array(UInt32)", [0, 2**32 - 1]),
        ("Tuple(String, UInt8)", ("a", 255)),
    ],
)
def test_parameters_and_results_are_exact(store: EmbeddedStore, kind: str, value: Any) -> None:
    assert store.query(f"SELECT {{value:{kind}}} AS value", {"value": value}) == [{"value": value}]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("toDateTime(1700000000, 'UTC')", 1_700_000_000_000),
        ("CAST(NULL AS Nullable(DateTime))", None),
        ("toStartOfHour(toDateTime64('2026-01-01 10:20:30.5', 3, 'UTC'))", 1_767_261_600_000),
        ("[toUUID('01936b2f-7c1e-7e6d-8a4b-0123456789ab')][1]", "01936b2f-7c1e-7e6d-8a4b-0123456789ab"),
        ("CAST('x' AS LowCardinality(Nullable(String)))", "x"),
        ("map('a', toUInt64(1))", {"a": 1}),
        ("unhex('ff')", b"\xff"),
        ("NULL", None),
    ],
)
def test_results_come_in_the_carriers_of_a_batch(store: EmbeddedStore, expression: str, value: Any) -> None:
    assert store.query(f"SELECT {expression} AS value") == [{"value": value}]


def test_a_result_of_many_blocks_is_complete(store: EmbeddedStore) -> None:
    rows = store.query("SELECT number, toString(number) AS text FROM numbers(200000) ORDER BY number")
    assert [(row["number"], row["text"]) for row in rows] == [(number, str(number)) for number in range(200_000)]
    assert store.query("SELECT number FROM numbers(0)") == []


def test_an_overflowing_or_missing_parameter_is_refused(store: EmbeddedStore) -> None:
    """The engine itself would take 256 for a UInt8 and make it 0."""
    for parameters in ({"n": 256}, {"n": -1}, {}, {"n": 1, "m": 2}):
        with pytest.raises(StoreRefusedError):
            store.query("SELECT {n:UInt8}", parameters)


@pytest.mark.parametrize("sql", ["SELECT nope", "SELEC 1", "SELECT * FROM events.nothing", "INSERT INTO x SELECT 1"])
def test_a_wrong_query_is_refused_with_its_code(store: EmbeddedStore, sql: str) -> None:
    with pytest.raises(StoreRefusedError) as caught:
        store.query(sql)
    assert caught.value.code != 0


@pytest.mark.parametrize(
    "failing", ["SELECT 1; DROP TABLE events.ledger", "SELECT throwIf(number = 999999) FROM numbers(1000000)"]
)
def test_a_failed_query_leaves_no_rows_to_the_next_one(store: EmbeddedStore, failing: str) -> None:
    for _ in range(5):
        with pytest.raises(StoreRefusedError):
            store.query(failing)
        assert store.query("SELECT 7 AS n") == [{"n": 7}]


def test_a_query_that_runs_too_long_is_unavailable(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qrumb_server.store.readers._SETTINGS", {"max_execution_time": 1, "readonly": 1})
    with pytest.raises(StoreUnavailableError):
        store.query("SELECT sum(cityHash64(number)) AS x FROM numbers(1000000000000)")


WRITES = [
    "INSERT INTO events.ledger (site_id) SELECT 'x'",
    "DROP TABLE events.ledger",
    "ALTER TABLE events.ledger DELETE WHERE 1",
    "TRUNCATE TABLE events.ledger",
    "CREATE TABLE default.x (a UInt8) ENGINE = Memory",
    "SET readonly = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1; DROP TABLE events.ledger",
    "SELECT 1); DROP TABLE events.ledger; SELECT * FROM (SELECT 1",
    "SHOW TABLES; KILL QUERY WHERE 1",
    "KILL QUERY WHERE 1",
    "SELECT * FROM file('/etc/hostname', LineAsString)",
]


@pytest.mark.parametrize("sql", [*WRITES, "SELECT 1 INTO OUTFILE '/dev/null'", "SELECT 1 FORMAT CSV", "SELECT 1 /* x"])
def test_an_export_that_is_more_than_one_reading_statement_is_refused(store: EmbeddedStore, sql: str) -> None:
    with pytest.raises(StoreRefusedError):
        store.export(sql, "CSV")
    assert store.query("SELECT count() AS rows FROM events.ledger") == [{"rows": 0}]


@pytest.mark.parametrize("sql", [sql for sql in WRITES if "KILL" not in sql])
def test_a_query_that_writes_is_refused(store: EmbeddedStore, sql: str) -> None:
    with pytest.raises(StoreRefusedError):
        store.query(sql)
    assert store.query("SELECT count() AS rows FROM events.ledger") == [{"rows": 0}]


@pytest.mark.parametrize("bad_format", ["CSV SETTINGS x", "", "NoSuchFormat", "CSV;"])
def test_an_unknown_export_format_is_refused(store: EmbeddedStore, bad_format: str) -> None:
    with pytest.raises(StoreRefusedError):
        store.export("SELECT 1", bad_format)


@pytest.mark.parametrize(
    ("sql", "result"),
    [
        ("SELECT 1 AS a;", b"1\n"),
        ("WITH 1 AS a SELECT a -- why", b"1\n"),
        ("SELECT 'a;b'", b"a;b\n"),
        ("SELECT 1 UNION ALL SELECT 2 ORDER BY 1", b"1\n2\n"),
        ("(SELECT 1)", b"1\n"),
        ("SELECT 'INTO OUTFILE', 'FORMAT CSV'", b"INTO OUTFILE\tFORMAT CSV\n"),
        ("EXISTS TABLE events.ledger", b"1\n"),
        ("show tables from events like 'led%'", b"ledger\n"),
    ],
)
def test_reading_statements_are_exported(store: EmbeddedStore, sql: str, result: bytes) -> None:
    assert b"".join(store.export(sql, "TSV")) == result


@pytest.mark.parametrize(
    ("output_format", "start", "end"),
    [("CSVWithNames", b'"n"\n0\n', b"299999\n"), ("Parquet", b"PAR1", b"PAR1"), ("JSONEachRow", b'{"n":0}', b"99}\n")],
)
def test_a_large_export_is_one_file_in_bounded_pieces(
    store: EmbeddedStore, output_format: str, start: bytes, end: bytes
) -> None:
    """The engine's own streaming would repeat headers and footers in the middle."""
    pieces = list(store.export("SELECT toInt64(number) AS n FROM numbers(300000)", output_format))
    whole = b"".join(pieces)
    assert max(map(len, pieces)) <= 1 << 20
    assert whole.startswith(start)
    assert whole.endswith(end)
    assert whole.count(b'"n"\n') <= 1
    if output_format != "Parquet":
        assert whole.count(b"\n") in (300_000, 300_001)


def test_an_export_that_fails_halfway_yields_nothing(store: EmbeddedStore) -> None:
    with pytest.raises(StoreRefusedError, match="throwIf"):
        store.export("SELECT throwIf(number = 299999) FROM numbers(300000)", "CSV")


def session_row(now_ms: int, **values: Any) -> dict[str, Any]:
    plain = {
        "site_id": "shop",
        "scan_session_id": "s1",
        "qr_code_id": "qr-1",
        "user_id": "",
        "scan_time": now_ms,
        "received_time": now_ms,
        "version": 1,
        "segment_id": "sessions",
        "segment_row": 0,
    }
    return plain | values


def identity_row(now_ms: int, **values: Any) -> dict[str, Any]:
    plain = {
        "site_id": "shop",
        "kind": "scan_session",
        "identifier": "s1",
        "user_id": "u1",
        "first_time": now_ms,
        "version": 1,
        "segment_id": "links",
        "segment_row": 0,
    }
    return plain | values


def attributed(store: EmbeddedStore) -> list[tuple[str, str]]:
    rows = store.query("SELECT qr_code_id, user_id FROM events.attributed_events ORDER BY segment_row")
    return [(row["qr_code_id"], row["user_id"]) for row in rows]


def test_a_session_registered_late_attributes_its_events(
    store: EmbeddedStore, batch_of: Batch, event: Row, now_ms: int
) -> None:
    """Registered twice, which must not double an event; another site's session and '' attribute nothing.

    The session's QR code of today counts, whatever was known at loading; the event's own user stays.
    """
    store.insert(
        batch_of(
            [
                event(segment_row=0, scan_session_id="s1"),
                event(
                    segment_row=1,
                    scan_session_id="s1",
                    qr_code_id="qr-known",
                    user_id="u-known",
                    user_id_source="identifiers",
                ),
                event(segment_row=2, scan_session_id="s1", site_id="other"),
                event(segment_row=3, scan_session_id=""),
            ]
        )
    )
    assert attributed(store) == [("", ""), ("qr-known", "u-known"), ("", ""), ("", "")]
    for version, qr_code_id in enumerate(["qr-1", "qr-2"]):
        row = session_row(now_ms, version=version, qr_code_id=qr_code_id, user_id="u-scan")
        store.insert(batch_of([row, row | {"scan_session_id": ""}], "events.scan_sessions"))
    assert attributed(store) == [("qr-2", "u-scan"), ("qr-2", "u-known"), ("", ""), ("", "")]


def test_a_session_lends_its_user_only_where_consent_permits(
    store: EmbeddedStore, batch_of: Batch, event: Row, now_ms: int
) -> None:
    consents = ["granted", "", "pending", "denied"]
    store.insert(
        batch_of(
            [event(segment_row=row, scan_session_id="s1", consent=consent) for row, consent in enumerate(consents)]
        )
    )
    store.insert(batch_of([session_row(now_ms, user_id="u-scan")], "events.scan_sessions"))
    assert attributed(store) == [("qr-1", "u-scan"), ("qr-1", "u-scan"), ("qr-1", ""), ("qr-1", "")]
    store.insert(batch_of([identity_row(now_ms)], "events.identity_links"))
    assert attributed(store) == [("qr-1", "u1"), ("qr-1", "u1"), ("qr-1", ""), ("qr-1", "")]


def test_a_hash_that_was_seen_with_an_account_is_the_account_everywhere(
    store: EmbeddedStore, batch_of: Batch, event: Row, now_ms: int
) -> None:
    store.insert(
        batch_of(
            [
                event(segment_row=0, user_id=PHONE, identified_user_id=PHONE, user_id_source="identifiers"),
                event(segment_row=1, scan_session_id="s1", identified_user_id=""),
                event(segment_row=2, identified_user_id=""),
            ]
        )
    )
    links = [
        identity_row(now_ms, user_id=PHONE),
        identity_row(now_ms, kind="phone", identifier=PHONE, user_id=EMAIL),
        identity_row(now_ms + 1, kind="phone", identifier=PHONE, user_id="later"),
        identity_row(now_ms, kind="email", identifier=EMAIL, user_id="u0"),
    ]
    store.insert(batch_of(links[:1], "events.identity_links"))
    assert attributed(store) == [("", PHONE), ("", PHONE), ("", "")]
    store.insert(batch_of(links[1:], "events.identity_links"))
    assert attributed(store) == [("", "u0"), ("", "u0"), ("", "")]
    split = identity_row(now_ms, kind="phone", identifier=PHONE, user_id="")
    store.insert(batch_of([split], "events.identity_links"))
    assert attributed(store) == [("", PHONE), ("", PHONE), ("", "")]


def test_the_views_limit_is_the_loaders(store: EmbeddedStore, batch_of: Batch, now_ms: int) -> None:
    """Who may share an identifier is said once in Python and once in SQL."""
    for number in range(MAX_USERS + 1):
        owners = store.query("SELECT owner FROM events.identity_owners")
        assert [row["owner"] for row in owners] == ["u00"] * bool(number)
        store.insert(batch_of([identity_row(now_ms, user_id=f"u{number:02}")], "events.identity_links"))
    assert store.query("SELECT owner FROM events.identity_owners") == []


def test_the_views_limit_of_hashes_is_the_loaders(store: EmbeddedStore, batch_of: Batch, now_ms: int) -> None:
    """Of a user with one hash too many none is owned, whatever sessions it identified in."""
    store.insert(batch_of([identity_row(now_ms, user_id="u")], "events.identity_links"))
    for number in range(MAX_HASHES + 1):
        owners = store.query("SELECT kind, owner FROM events.identity_owners ORDER BY kind")
        assert [row["owner"] for row in owners] == ["u"] * (number + 1)
        row = identity_row(now_ms, kind="email", identifier=f"email-{number:02}", user_id="u")
        store.insert(batch_of([row], "events.identity_links"))
    assert store.query("SELECT kind, owner FROM events.identity_owners") == [{"kind": "scan_session", "owner": "u"}]


def test_a_backends_copy_completes_a_browsers_and_the_other_way_round(
    store: EmbeddedStore, batch_of: Batch, event: Row
) -> None:
    """One event with the conversion of the one and the page of the other, whichever came first."""
    empty: dict[str, Any] = {
        "conversion_value": None,
        "conversion_currency": "",
        "identified_user_id": "",
        "is_counterpart": 0,
    }
    empty |= {"event_name": ""}
    browser = empty | {"source": "browser", "event_type": "purchase", "page_url": "https://shop.example/thanks"}
    server = empty | {"source": "server", "event_type": "", "event_name": "purchase", "page_url": ""}
    server |= {"conversion_value": Decimal("49.9"), "conversion_currency": "EUR", "user_id": "ann"}
    server |= {"identified_user_id": "ann", "user_id_source": "identifiers"}
    second = {"is_duplicate": 1, "is_counterpart": 1}
    for number, (first, other) in enumerate([(browser, server), (server, browser)]):
        name = str(UUID(int=number))
        rows = [event(event_id=name, segment_row=2 * number, **first)]
        rows.append(event(event_id=name, segment_row=2 * number + 1, **{**other, **second}))
        store.insert(batch_of(rows))
    found = store.query(
        "SELECT source, event_type, event_name, page_url, conversion_value, conversion_currency, user_id "
        "FROM events.attributed_events"
    )
    assert len(found) == 2
    assert (
        found[0]
        == found[1]
        == {
            "source": "server",
            "event_type": "purchase",
            "event_name": "purchase",
            "page_url": "https://shop.example/thanks",
            "conversion_value": Decimal("49.9"),
            "conversion_currency": "EUR",
            "user_id": "ann",
        }
    )


def test_a_question_has_one_thread_while_events_come_in(
    store: EmbeddedStore, batch_of: Batch, event: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = ReadLimits(max_seconds=600, max_memory_bytes=1 << 30, max_rows=0, max_threads=2)
    threads = "SELECT toUInt64(getSetting('max_threads')) AS threads"
    assert store.query(threads, None, Asking(limits)) == [{"threads": 2}]
    monkeypatch.setattr(LOADING, 3600.0)
    store.insert(batch_of([event()]))
    assert store.query(threads, None, Asking(limits)) == [{"threads": 1}]
    monkeypatch.setattr(LOADING, 0.0)
    assert store.query(threads, None, Asking(limits)) == [{"threads": 2}]


def test_a_view_filtered_by_site_reads_that_site_alone(store: EmbeddedStore, batch_of: Batch, event: Row) -> None:
    """The filter has to get through the one-row-per-event rule and every join, or each chart reads all sites."""
    store.insert(batch_of([event(segment_row=row, site_id=f"site-{row % 20}") for row in range(40_000)]))
    plan = "\n".join(
        row["explain"]
        for row in store.query(
            "EXPLAIN indexes = 1 SELECT count() FROM events.attributed_events WHERE site_id = 'site-3'"
        )
    )
    assert re.search(r"site-3'\]\).*\n.*Parts: 1/1.*\n.*Granules: [12]/5", plan)


def test_a_look_up_by_key_is_planned_as_one(store: EmbeddedStore) -> None:
    limits = ReadLimits(max_seconds=600, max_memory_bytes=1 << 30, max_rows=0, max_threads=2)
    settings = "SELECT toUInt64(getSetting('max_threads')) AS threads, getSetting('use_skip_indexes') AS filters"
    assert store.query(settings, None, Asking(limits)) == [{"threads": 2, "filters": 1}]
    for asking in (None, Asking(limits)):
        assert store.query(f"{BY_KEY} {settings}", None, asking) == [{"threads": 1, "filters": 0}]


def test_scans_take_turns_while_rows_come_in(
    store: EmbeddedStore, event: Row, batch_of: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second begins when the first has ended; other questions do not wait, nor does any where nothing comes in."""
    store.insert(batch_of([event()]))
    slow = "SELECT sleepEachRow(0.05) AS slept FROM numbers(20)"
    limits = ReadLimits(max_seconds=60, max_memory_bytes=1 << 30, max_rows=0, max_threads=2)

    def most_at_once(*, is_scan: bool = True) -> int:
        running = "SELECT count() AS number FROM system.processes WHERE query LIKE '%question%sleepEachRow%'"
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(store.query, slow, None, Asking(limits, is_scan=is_scan)) for _ in range(2)]
            seen = 0
            while not all(one.done() for one in asked):
                seen = max(seen, store.query(running)[0]["number"] - 1)  # without this one
            for one in asked:
                one.result()
        return seen

    monkeypatch.setattr("qrumb_server.store.readers._SCAN_PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(LOADING, 600.0)
    assert most_at_once() == 1
    assert most_at_once(is_scan=False) == 2
    monkeypatch.setattr(LOADING, 0.0)
    assert most_at_once() == 2
