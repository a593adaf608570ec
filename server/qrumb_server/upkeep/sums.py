"""The statements that add up hours of a site, out of the rows that questions count (`query/counted.py`,
`query/followed.py`). Each takes the site; those that write sums their version, and NAME_HOURS kinds and hours' numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qrumb_server.instants import EARLIEST_MS
from qrumb_server.loader.changes import EVENTS, HOUR_MS, WAITING_SESSIONS
from qrumb_server.query.counted import REPEATED, counted_rows
from qrumb_server.query.dimensions import LENT_TOLD, NAME, PATH_TOLD, PATH_WINDOW_MS, ROW_TOLD, SCANS_TOLD, TOLD_BY
from qrumb_server.query.followed import followed_scans
from qrumb_server.query.pairs import PAIRS, has_pairs
from qrumb_server.query.reads import Reader
from qrumb_server.query.rolled import Sources, pieces_of
from qrumb_server.query.scans import since_ms

__all__ = ["BRIDGED_HOURS", "NAME_HOURS", "Summing", "hour_sql", "waiting_sessions"]

# Reading so many hours for nothing costs less than a condition more.
BRIDGED_HOURS: Final = 24

_SETTINGS: Final = (
    "SETTINGS max_threads = 1, max_insert_threads = 1, async_insert = 0, insert_distributed_sync = 1, "
    "max_memory_usage = 500000000, compile_expressions = 0, compile_aggregate_expressions = 0"
)
_HOUR_TIME: Final = f"fromUnixTimestamp64Milli({{hour}} * {HOUR_MS}, 'UTC')"
_TOLD: Final = ", ".join(f"told_{column}" for column in TOLD_BY)
_TOLD_AS: Final = ", ".join(f"told_{column} AS {column}" for column in TOLD_BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """A table of sums, and the columns that it has beside site_id, hour_time and version."""

    table: str
    columns: Sequence[str]

    def insert(self, select: str) -> str:
        """The statement that makes sums; the SELECT has these columns and `hour`."""
        columns = ", ".join(self.columns)
        return f"""
INSERT INTO {self.table} (site_id, hour_time, version, {columns}) {_SETTINGS}
SELECT {{site:String}}, {_HOUR_TIME.format(hour="hour")}, {{version:UInt64}}, {columns} FROM ({select}) AS sums
"""  # noqa: S608

    def digests(self, rows: str) -> str:
        """A number by `hour` for what the sums of rows with these columns and `hour` say, in whatever order."""
        return f"SELECT hour, sum(cityHash64({', '.join(self.columns)})) AS digest FROM ({rows}) AS sums GROUP BY hour"  # noqa: S608


COUNTS: Final = Sums(
    table="events.hourly_counts",
    columns=(
        *("told_by", "source", "name", *TOLD_BY, "is_fraud", "currency"),
        *("unique_count", "duplicate_count", "earning_count", "earned"),
    ),
)
FUNNELS: Final = Sums(
    table="events.hourly_funnels",
    columns=(
        *("told_by", *TOLD_BY, "server_names", "followed_count", "scan_count", "suspect_scan_count"),
        *("confirmed_scan_count", "visit_count", "fraud_count", "reasons", "reason_counts"),
        *("earning_names", "earned", "earning_counts"),
    ),
)


_OF_EVENTS: Final = ", ".join(
    f"('{told}', {', '.join(f'toString({column})' if column == own else repr('') for column in TOLD_BY)})"
    for own, told in TOLD_BY.items()
)
_OF_SCANS: Final = f"{_OF_EVENTS}, ('{SCANS_TOLD}', '', scan_country, scan_device)"
_APART_COLUMNS: Final = ", ".join(
    f"apart.{place} AS {name}"
    for place, name in enumerate(("told_by", *(f"told_{column}" for column in TOLD_BY)), start=1)
)
NAME_HOURS: Final = f"""
INSERT INTO events.rolled_hours (site_id, kind, hour_time, version) {_SETTINGS}
SELECT {{site:String}}, arrayJoin({{kinds:Array(String)}}), {_HOUR_TIME.format(hour="arrayJoin({hours:Array(Int64)})")},
    {{version:UInt64}}
"""
"""From now on these sums count."""


def hour_sql(time: str) -> str:
    """The number of the hour of a DateTime64."""
    return f"intDiv(toUnixTimestamp64Milli({time}), {HOUR_MS})"


def waiting_sessions(condition: str, *, merges: bool) -> str:
    """Sessions of events that are counted in hours, and are not registered; condition on event_time.

    Args:
        merges: False where the site has no pairs.
    """
    counted = f"FROM events.valid_events WHERE site_id = {{site:String}} AND {condition} AND is_duplicate = 0"
    hour = hour_sql("event_time")
    told = f"SELECT scan_session_id, {hour} AS hour {counted}"
    named = f"SELECT scan_session_id {counted}"
    if merges:
        told += f"""
    UNION ALL
    SELECT scan_session_id, hour FROM
        (
            SELECT event_id, scan_session_id FROM events.valid_events
            WHERE site_id = {{site:String}} AND is_counterpart = 1
        ) AS completing GLOBAL INNER JOIN
        (SELECT event_id, {hour} AS hour {counted} AND event_id GLOBAL IN ({PAIRS})) AS completed USING (event_id)
        """  # noqa: S608
        named += f" UNION ALL {PAIRS.replace('event_id', 'scan_session_id')}"
    return f"""
INSERT INTO {WAITING_SESSIONS} (site_id, scan_session_id, hour_time) {_SETTINGS}
SELECT {{site:String}}, scan_session_id, {_HOUR_TIME.format(hour="hour")}
FROM (SELECT DISTINCT scan_session_id, hour FROM ({told}) AS told) AS told
WHERE scan_session_id != '' AND scan_session_id GLOBAL NOT IN
(
    SELECT scan_session_id FROM events.scan_sessions
    WHERE site_id = {{site:String}} AND scan_session_id GLOBAL IN ({named})
)
"""  # noqa: S608


def event_counts(condition: str, *, merges: bool) -> str:
    """A SELECT of COUNTS by `hour`; condition on event_time, `merges` as of waiting_sessions.

    What is alike in all that tells apart is counted once, before it is told apart.
    """
    keys = f"hour, source, name, {', '.join(TOLD_BY)}, is_fraud, currency"
    return f"""
SELECT hour, told_by, source, name, {_TOLD_AS}, is_fraud, currency, sum(unique_n) AS unique_count,
    sum(repeat_n) AS duplicate_count, sum(earning_n) AS earning_count, sum(earned_n) AS earned
FROM
(
    SELECT '{ROW_TOLD}' AS told_by, {", ".join(f"'' AS told_{column}" for column in TOLD_BY)}, hour, source, name,
        is_fraud, currency, {_NUMBERS}
    FROM ({_counted(counted_rows(condition, is_attributed=False), "hour, source, name, is_fraud, currency")}) AS counted
    UNION ALL
    SELECT path_told AS told_by, {_TOLD_PATH}, hour, source, name, is_fraud, currency, {_NUMBERS}
    FROM ({_counted(_with_paths(condition), "hour, path_told, source, name, path_code, is_fraud, currency")}) AS counted
    UNION ALL
    SELECT {_APART_COLUMNS}, * EXCEPT (apart, {", ".join(TOLD_BY)})
    FROM
    (
        SELECT arrayJoin([{_OF_EVENTS}]) AS apart, {keys}, {_NUMBERS}
        FROM ({_counted(_attributed(condition, merges=merges), keys)}) AS counted
    ) AS apart
) AS told
GROUP BY told_by, hour, source, name, {_TOLD}, is_fraud, currency
"""  # noqa: S608


_TOLD_PATH: Final = ", ".join(
    f"{'path_code' if column == 'qr_code_id' else repr('')} AS told_{column}" for column in TOLD_BY
)
_NUMBERS: Final = "unique_n, repeat_n, earning_n, earned_n"


def _counted(rows: str, keys: str) -> str:
    """Rows with `stands` and `repeats`, counted by keys."""
    earning = "stands AND is_fraud = 0 AND source = 'server' AND conversion_value IS NOT NULL"
    named = {
        "hour": f"{hour_sql('event_time')} AS hour",
        "name": f"{NAME} AS name",
        "currency": f"if({earning}, conversion_currency, '') AS currency",
    }
    apart = ", ".join(named.get(key, key) for key in keys.split(", "))
    return f"""
        SELECT {apart}, countIf(stands) AS unique_n, sum(repeats) AS repeat_n, countIf({earning}) AS earning_n,
            sumIf(ifNull(conversion_value, toDecimal64(0, 4)), {earning}) AS earned_n
        FROM ({rows}) AS rows GROUP BY {keys}
    """  # noqa: S608


def _with_paths(condition: str) -> str:
    """Unmarked server events, each with its `path_code`; of a site without pairs."""
    rows = f"FROM events.valid_events WHERE site_id = {{site:String}} AND event_type = '' AND {condition}"
    columns = "event_time, source, event_type, event_name, is_fraud, conversion_value, conversion_currency"
    return f"""
    SELECT {columns}, 1 AS stands, toUInt64(0) AS repeats, multiIf(scan_session_id = '', qr_code_id,
        scan_ms >= toUnixTimestamp64Milli(event_time) - {PATH_WINDOW_MS}, session_code, '') AS path_code,
        if(user_id_source != 'identifiers' AND scan_session_id != '' AND path_code = '', '{LENT_TOLD}', '{PATH_TOLD}')
            AS path_told
    FROM
    (
        SELECT {columns}, scan_session_id, qr_code_id, user_id_source {rows}
            AND source = 'server' AND is_fraud = 0 AND is_duplicate = 0
    ) AS events
    GLOBAL ANY LEFT JOIN
    (
        SELECT scan_session_id, qr_code_id AS session_code, toUnixTimestamp64Milli(scan_time) AS scan_ms
        FROM events.scan_sessions FINAL
        WHERE site_id = {{site:String}} AND scan_session_id != ''
            AND scan_session_id GLOBAL IN (SELECT scan_session_id {rows} AND source = 'server')
    ) AS sessions USING (scan_session_id)
    """  # noqa: S608


def _attributed(condition: str, *, merges: bool) -> str:
    """As counted_rows has attributed ones; only pairs take the way through the view, which joins much more."""
    rows = f"site_id = {{site:String}} AND {condition}"
    columns = "event_id, event_time, source, event_type, event_name, is_fraud, conversion_value, conversion_currency"
    columns += ", country_code, device_type"
    told = f"""
    SELECT {columns}, if(session_code = '', own_code, session_code) AS qr_code_id
    FROM
    (
        SELECT {columns}, qr_code_id AS own_code, scan_session_id FROM events.valid_events
        WHERE {rows} AND is_duplicate = 0{f" AND event_id GLOBAL NOT IN ({PAIRS})" if merges else ""}
    ) AS events
    GLOBAL ANY LEFT JOIN
    (
        SELECT scan_session_id, qr_code_id AS session_code FROM events.scan_sessions FINAL
        WHERE site_id = {{site:String}} AND scan_session_id != ''
            AND scan_session_id GLOBAL IN (SELECT scan_session_id FROM events.valid_events WHERE {rows})
    ) AS sessions USING (scan_session_id)
    """  # noqa: S608
    if merges:
        told += f"""
    UNION ALL
    SELECT {columns}, qr_code_id FROM events.attributed_events WHERE {rows} AND event_id GLOBAL IN ({PAIRS})
    """  # noqa: S608
    return f"SELECT *, 1 AS stands FROM ({told}) AS told {REPEATED}"  # noqa: S608


def funnels(on_scan: str, on_event: str, *, merges: bool) -> str:
    """A SELECT of FUNNELS by `hour`; conditions on scan_time and on event_time of what has no session, `since` as
    since_ms, `merges` as of events_once."""
    measures = "server_names, scans, visited, suspicious, reasons, earning_names, earned, earning_counts"
    return f"""
SELECT hour, told_by, {_TOLD_AS}, server_names, followed AS followed_count, scan_n AS scan_count,
    suspect_n AS suspect_scan_count, confirmed_n AS confirmed_scan_count, visit_n AS visit_count,
    fraud_n AS fraud_count, why.1 AS reasons, why.2 AS reason_counts, money.1 AS earning_names, money.2 AS earned,
    money.3 AS earning_counts
FROM
(
    SELECT told_by, hour, {_TOLD}, server_names, count() AS followed, countIf(scans AND empty(reasons)) AS scan_n,
        countIf(scans AND notEmpty(reasons)) AS suspect_n, countIf(scans AND visited AND empty(reasons)) AS confirmed_n,
        sum(visited) AS visit_n, sum(suspicious) AS fraud_n,
        sumMap(reasons, arrayMap(one -> toUInt64(1), reasons)) AS why,
        sumMap(earning_names, earned, earning_counts) AS money
    FROM
    (
        SELECT {_APART_COLUMNS}, hour, {measures}
        FROM
        (
            SELECT arrayJoin([{_OF_SCANS}]) AS apart, {hour_sql("time")} AS hour, {measures}
            FROM ({followed_scans(on_scan, on_event, merges=merges, has_campaign=False)}) AS rows
        ) AS apart
    ) AS told
    GROUP BY told_by, hour, {_TOLD}, server_names
) AS summed
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Summing:
    """Hours of a site that are added up, by events or by scans."""

    kind: str
    pieces: Sources
    merges: bool
    values: Mapping[str, Any]
    """All that the statements name but a version."""

    @classmethod
    def of(cls, store: Reader, kind: str, site_id: str, hours: Sequence[int]) -> "Summing":
        """Raises StoreError."""
        ranges = [(first * HOUR_MS, end * HOUR_MS) for first, end in pieces_of(hours, BRIDGED_HOURS)]
        pieces = Sources(kind=kind, rows=ranges, sums=ranges)
        # A pair is one event wherever its halves lie; to a session it is told by those of its time.
        since = EARLIEST_MS if kind == EVENTS else since_ms(pieces.begin_ms)
        values = {"site": site_id, "hours": list(hours), "since": since, **pieces.parameters}
        return cls(kind=kind, pieces=pieces, merges=has_pairs(store, site_id, since), values=values)

    @property
    def sums(self) -> Sums:
        """Where they stand."""
        return COUNTS if self.kind == EVENTS else FUNNELS

    @property
    def select(self) -> str:
        """Made anew of rows."""
        if self.kind == EVENTS:
            return event_counts(self.within("event_time"), merges=self.merges)
        return funnels(self.within("scan_time"), self.within("event_time"), merges=self.merges)

    @property
    def stored(self) -> str:
        """As they were made."""
        columns = ", ".join(self.sums.columns)
        return f"""
SELECT {hour_sql("hour_time")} AS hour, {columns} FROM {self.sums.table}
WHERE site_id = {{site:String}} AND {self.pieces.sums_sql} AND {hour_sql("hour_time")} IN {{hours:Array(Int64)}}
"""  # noqa: S608

    def within(self, time: str) -> str:
        """Whether a DateTime64 lies in these hours."""
        return f"{self.pieces.rows_sql(time)} AND {hour_sql(time)} IN {{hours:Array(Int64)}}"
