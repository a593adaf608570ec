"""What questions cost in a large embedded store: python bench/reads.py [MILLIONS ...] (1 and 10; 100 is the long form).

For each size: rows of one site over 400 days, made by the engine itself; then each question, several times, by the
processor time of the whole process: as rows answer it, and as the sums of whole hours do, once these were made.
BENCH_ROUNDS sets how often; with --write the figures of sums go to bench/results.json. Stops by itself; its data lies
in a temporary folder (TMPDIR) and goes with it, or under BENCH_STORES, where a later run asks it by its sums again.
"""

import json
import math
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.app.clock import SystemClock
from qrumb_server.errors import StoreError
from qrumb_server.loader.changes import ChangedHours
from qrumb_server.ports import Asking, ReadLimits, TableBatch
from qrumb_server.query.charts import Charts
from qrumb_server.query.reports import Reports
from qrumb_server.spool.format import new_segment_id
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.upkeep.rollups import Rollups

RESULTS = Path(__file__).resolve().parent / "results.json"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SITE = "shop"
DAYS, CODES = 390, 40
EVENTS_OF_A_SESSION = 8
DAY_MS = 86_400_000
# Each time a row has arrived.
RENEWED = "tail"
# As the node has them by default.
LIMITS = ReadLimits(max_seconds=60, max_memory_bytes=1 << 30, max_rows=0, max_threads=2)
# One after another, a second apart, at which no merge was under way.
QUIET_LOOKS = 3
# Of one statement, which may write up to a hundred partitions.
ROWS_AT_ONCE = 2_000_000

# A session's events follow its scan within minutes: seven page views, then a purchase in one of four sessions.
SESSION = f"intDiv(number, {EVENTS_OF_A_SESSION})"
SCAN_MS = "({begin:Int64} + intDiv(toInt64(session) * {span:Int64}, {sessions:Int64}))"
# As the clients make them: UUIDv7 for sessions, which are signed, and for a page's events; those of orders are UUIDv5.
CHANCE = "leftPad(lower(hex(cityHash64({chance}))), 16, '0')"
UUID7 = "concat(substring(lower(hex(toUInt64({ms}))), 1, 8), '-', substring(lower(hex(toUInt64({ms}))), 9, 4), '-7"
UUID7 = f"{UUID7}000-8000-', substring({CHANCE}, 1, 12))"
SESSION_ID = (
    f"concat({UUID7.format(ms=SCAN_MS, chance='session')}, '.', {CHANCE.format(chance='session + 1')}, 'abcdef')"
)
EVENT_MS = f"({SCAN_MS} + 1000 * (1 + place * 20))"
SCANS = f"""
INSERT INTO events.scan_sessions (site_id, scan_session_id, qr_code_id, scan_time, received_time, version, segment_id)
SELECT '{SITE}', {SESSION_ID}, concat('code-', toString(session % {CODES})), fromUnixTimestamp64Milli({SCAN_MS}, 'UTC'),
    fromUnixTimestamp64Milli({SCAN_MS}, 'UTC'), 1, 'bench'
FROM (SELECT number AS session FROM numbers({{from:UInt64}}, {{count:UInt64}}))
"""
# As of a segment that was begun at that time.
REST = "-7000-8000-000000000000"
EVENTS = f"""
INSERT INTO events.valid_events (event_id, event_time, received_time, site_id, scan_session_id, qr_code_id, event_type,
    event_name, source, device_type, country_code, conversion_value, conversion_currency, metadata, consent, segment_id,
    segment_row, fingerprint, user_id, user_id_source, identified_user_id)
SELECT
    if(is_server, reinterpretAsUUID(toUInt128(cityHash64(number)) * 18446744073709551557 + number),
        toUUID({UUID7.format(ms=EVENT_MS, chance="number")})),
    fromUnixTimestamp64Milli({EVENT_MS}, 'UTC') AS event_time, event_time, '{SITE}',
    {SESSION_ID}, concat('code-', toString(session % {CODES})), is_server ? '' : 'pageview',
    is_server ? 'purchase' : '', is_server ? 'server' : 'browser', ['mobile', 'desktop', 'tablet'][1 + session % 3],
    ['AT', 'DE', 'CH', 'FR'][1 + session % 4], is_server ? toDecimal64(9.9, 4) : NULL, is_server ? 'EUR' : '', '{{}}',
    'granted', segment, number, cityHash64(number),
    is_server ? concat('user-', toString(session % 100003)) : '' AS user,
    is_server ? 'identifiers' : '', user
FROM
(
    SELECT number, {SESSION} AS session, number % {EVENTS_OF_A_SESSION} AS place,
        place = {EVENTS_OF_A_SESSION - 1} AND session % 32 = 0 AS is_server,
        leftPad(lower(hex(toUInt64({SCAN_MS}))), 16, '0') AS ms,
        concat(substring(ms, 5, 8), '-', substring(ms, 13, 4), '{REST}') AS segment
    FROM numbers({{from:UInt64}}, {{count:UInt64}})
)
"""
# As the loader keeps them: each buyer identified in that session, by an account with an e-mail address.
HASH = "concat('email-', lower(hex(cityHash64(user_id))), lower(hex(cityHash64(user_id, 1))))"
LINKS = f"""
INSERT INTO events.identity_links (site_id, kind, identifier, user_id, first_time, version, segment_id)
SELECT site_id, pair.1, pair.2, user_id, event_time, 1, 'bench'
FROM
(
    SELECT site_id, event_time, user_id, arrayJoin([('scan_session', scan_session_id), ('email', {HASH})]) AS pair
    FROM events.valid_events WHERE site_id = '{SITE}' AND event_type = ''
)
"""
USER_SCANS = f"""
INSERT INTO events.user_scans (site_id, scan_time, user_id, scan_session_id, segment_id)
SELECT site_id, event_time - {EVENTS_OF_A_SESSION * 20 - 19}, user_id, scan_session_id, 'bench' FROM events.valid_events
WHERE site_id = '{SITE}' AND event_type = ''
"""
# A worker's segment holds half a second, so there is an entry for each.
LEDGER = f"""
INSERT INTO events.ledger (minute_time, site_id, received_count, stored_count, unique_count, segment_id)
SELECT toStartOfMinute(received_time) AS minute, site_id, count(), count(), count(), segment_id
FROM events.valid_events WHERE site_id = '{SITE}' AND received_time >= {{since:DateTime64(3, 'UTC')}}
GROUP BY minute, site_id, segment_id
"""
LEDGER_DAYS = 40
SOME_EVENTS = """
SELECT toString(event_id) AS id FROM events.valid_events WHERE site_id = {site:String} AND event_type = {type:String}
ORDER BY cityHash64(segment_row) LIMIT 50
"""


class Questions:
    """The reading half of the store, within a question's limits."""

    def __init__(self, store: EmbeddedStore, *, is_scan: bool = False) -> None:
        self._store, self._is_scan = store, is_scan

    def query(self, sql: str, parameters: Any = None) -> list[dict[str, Any]]:
        """As the port says."""
        return self._store.query(sql, parameters, Asking(LIMITS, is_scan=self._is_scan))


def fill(store: EmbeddedStore, rows: int, now_ms: int) -> None:
    """Sessions and events, evenly over the days until yesterday."""
    sessions = rows // EVENTS_OF_A_SESSION
    times = {"begin": now_ms - (DAYS + 1) * DAY_MS, "span": DAYS * DAY_MS, "sessions": sessions}
    for sql, number in ((SCANS, sessions), (EVENTS, rows)):
        for first in range(0, number, ROWS_AT_ONCE):
            store.mutate(sql, {**times, "from": first, "count": min(ROWS_AT_ONCE, number - first)})
    for sql in (LINKS, USER_SCANS):
        store.mutate(sql)
    store.mutate(LEDGER, {"since": now_ms - LEDGER_DAYS * DAY_MS})


def settle(store: EmbeddedStore) -> None:
    """Let the engine merge what it would have merged as the rows came."""
    quiet = 0
    while quiet < QUIET_LOOKS:
        time.sleep(1)
        [row] = store.query("SELECT count() AS merges FROM system.merges")
        quiet = 0 if row["merges"] else quiet + 1


def questions(store: EmbeddedStore, now_ms: int) -> dict[str, Callable[[], Any]]:
    """By name. Ranges end at midnight, as a chart's do."""
    reader = Questions(store)
    clock, tail = SystemClock(), pb.TailEventsRequest(site_id=SITE)
    charts = Charts(store=reader, clock=clock, writes=store.written)
    reports = Reports(store=reader, spool_root=Path("/nonexistent"), clock=SystemClock(), seen=store.seen)
    midnight = now_ms // DAY_MS * DAY_MS
    # Not one and the same: the engine remembers which granules a condition held for.
    orders, views = (
        cycle([row["id"] for row in reader.query(SOME_EVENTS, {"site": SITE, "type": kind})])
        for kind in ("", "pageview")
    )

    def times(days: int) -> dict[str, Any]:
        return {"from_time": moment(midnight - days * DAY_MS), "to_time": moment(midnight), "site_id": SITE}

    day: dict[str, Any] = {"bucket": "DAY", "page_size": 10_000}
    return {
        "counts, 400 days by day": lambda: charts.count(pb.CountEventsRequest(**times(400), **day)),
        "counts, 400 days by week and code": lambda: charts.count(
            pb.CountEventsRequest(**times(400), **{**day, "bucket": "WEEK"}, group_by=["QR_CODE"])
        ),
        "funnel, 30 days": lambda: charts.funnel(pb.GetFunnelRequest(**times(30))),
        "attribution, linear, 30 days": lambda: charts.attribution(
            pb.GetAttributionRequest(**times(30), models=["LINEAR"])
        ),
        "tail, first after a start": lambda: Charts(store=reader, clock=clock).tail(tail),
        "tail, nothing new": lambda: charts.tail(tail),
        "receipt, conversion": lambda: reports.get_receipt(SITE, next(orders)),
        "receipt, page view": lambda: reports.get_receipt(SITE, next(views)),
        RENEWED: lambda: charts.tail(tail),  # last, since each row is a part of its own until parts are merged
    }


def arrival() -> TableBatch:
    """A row as the loader stores it."""
    now_ms = SystemClock().now_ms()
    row: dict[str, Any] = {"event_id": str(uuid4()), "event_time": now_ms, "received_time": now_ms, "site_id": SITE}
    row |= {"event_type": "pageview", "source": "browser", "segment_id": str(new_segment_id(now_ms, None))}
    row["segment_row"] = 0
    return TableBatch(table="events.valid_events", columns=list(row), data=[[value] for value in row.values()])


def moment(time_ms: int) -> datetime:
    """For a request."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


@contextmanager
def timed(label: str) -> Iterator[None]:
    """Says how long a step took."""
    begun, used = time.monotonic(), time.process_time()
    yield
    print(f"  {label}: {time.monotonic() - begun:.1f} s, {time.process_time() - used:.1f} s of processor", flush=True)


def measure(rows: int) -> dict[str, list[float]]:
    """Milliseconds of processor time by question, of each time."""
    now_ms = SystemClock().now_ms()
    found: dict[str, list[float]] = {}
    with folder_of(rows) as folder:
        is_kept = folder.exists()
        store = EmbeddedStore.open(folder)
        try:
            print(f"{rows:,} rows", flush=True)
            if not is_kept:
                with timed("rows"):
                    fill(store, rows, now_ms)
            with timed("merges"):
                settle(store)
            store.mutate("SYSTEM STOP MERGES")  # theirs is not the questions' time
            if not is_kept:
                found = {f"{name}, rows": spent for name, spent in ask_all(store, now_ms).items()}
                begun = time.process_time()
                add_up(store)
                print(f"  sums: {(time.process_time() - begun) / rows * 1e6:.1f} µs an event", flush=True)
            found |= {f"{name}, sums": spent for name, spent in ask_all(store, now_ms).items()}
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(f"  most memory of the process so far, making the rows included: {peak / 1024:,.0f} MiB", flush=True)
            return found
        finally:
            store.close()


@contextmanager
def folder_of(rows: int) -> Iterator[Path]:
    """Where the store is, or is to be made."""
    if kept := os.environ.get("BENCH_STORES"):
        yield Path(kept) / str(rows) / "clickhouse"
        return
    with TemporaryDirectory(prefix="qrumb-bench-") as folder:
        yield Path(folder) / "clickhouse"


def ask_all(store: EmbeddedStore, now_ms: int) -> dict[str, list[float]]:
    """Milliseconds of processor time by question, of some times after the first; what takes more than its limits is
    refused, and infinite."""
    found: dict[str, list[float]] = {}
    for name, ask in questions(store, now_ms).items():
        try:
            ask()
            found[name] = []
            for _ in range(ROUNDS):
                if name == RENEWED:
                    store.insert(arrival())
                found[name].append(round(_once(ask), 1))
        except StoreError as error:
            print(f"  {name}: refused, {error.code}", flush=True)
            found[name] = [math.inf]
    return found


def add_up(store: EmbeddedStore) -> None:
    """All hours, as the loader does in its time: what takes too much memory at once it tries again with fewer."""
    changes = ChangedHours(store, clock=SystemClock(), monotonic=time.monotonic, is_alone=True)
    rollups = Rollups(
        store=store,
        changes=changes,
        clock=SystemClock(),
        monotonic=time.monotonic,
        rest_of=lambda _age: float("-inf"),
        fewest_hours=1,
    )
    while True:
        try:
            return rollups.run_all()
        except StoreError as error:
            print(f"  sums: {error.code}, again with fewer hours", flush=True)


def _once(ask: Callable[[], Any]) -> float:
    begun = time.process_time()
    ask()
    return (time.process_time() - begun) * 1000


def write(measured: dict[int, dict[str, list[float]]], load: float) -> None:
    """Into bench/results.json; `python -m bench.page` then writes the page."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    sizes = {
        str(rows): {name: values for name, values in found.items() if name.endswith(", sums")}
        for rows, found in measured.items()
    }
    said = f"{ROUNDS} times each on {datetime.now(UTC):%Y-%m-%d}, beside a load of {load:.0f} on {os.cpu_count()} cores"
    results["reads"] = {"said": said, "sizes": sizes}
    RESULTS.write_text(_in_lines(results), encoding="utf-8")


def _in_lines(results: dict[str, Any]) -> str:
    """As JSON, the values of a figure on one line, as side_by_side.py has them."""
    text = json.dumps(results, indent=1)
    return re.sub(r"\[\s+([^\[\]{}]+?)\s+\]", lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


def main() -> None:
    """The table."""
    asked = [one for one in sys.argv[1:] if one != "--write"]
    sizes = [int(float(one) * 1_000_000) for one in asked] or [1_000_000, 10_000_000]
    load = os.getloadavg()[0]
    measured = [measure(rows) for rows in sizes]
    if "--write" in sys.argv:
        write(dict(zip(sizes, measured, strict=True)), load)
    results = [{name: median(values) for name, values in one.items()} for one in measured]
    head = "".join(f"{rows // 1000:>12,} k" for rows in sizes)
    print(f"\n{'processor time, ms':44}{head}{'ratio':>8}")
    for name in results[0]:
        values = [result[name] for result in results]
        print(f"{name:44}{''.join(f'{value:>14.1f}' for value in values)}{values[-1] / values[0]:>8.2f}")


if __name__ == "__main__":
    main()
