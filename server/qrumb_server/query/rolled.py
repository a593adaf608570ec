"""Which hours of a range are answered by their sums (`events.hourly_counts`, `hourly_funnels`), and which by rows.

Invariant: sums stand for an hour only where they were made and no mark says that its rows may have changed since
(`loader/changes.py`). So an answer is the same as that of rows alone at every moment; sums decide how much is read for
it. Rows answer for what no whole hour is: the ends of a range, and zones that are half an hour off.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from qrumb.v1.query_service_pb2 import CountEventsRequest
from qrumb_server.loader.changes import EVENTS, HOUR_MS, SCANS
from qrumb_server.model import TABLE_RETENTION_MS
from qrumb_server.query.reads import Reader
from qrumb_server.query.scans import since_ms
from qrumb_server.query.spans import DAY_MS, Span

__all__ = [
    "PATHS",
    "SUMS_KEPT_MS",
    "Sources",
    "have_changed",
    "of_rows",
    "path_sources",
    "pieces_of",
    "sources_of",
    "summed_hours",
]

Range = tuple[int, int]
"""From and up to, in milliseconds."""
PATHS: Final = "paths"
"""In events.rolled_hours: sums of events of this version have those of paths with them, those of older nodes not."""
SUMS_KEPT_MS: Final = TABLE_RETENTION_MS - 2 * DAY_MS
"""Rows of older days may be deleted by their table, whenever it likes."""
# As many conditions as a statement may bear; of more pieces the longest are kept.
MAX_PIECES: Final = 30
# Rows of scans that lie further apart are read apart, since with scans all later events of their sessions are read.
FAR_MS: Final = 14 * DAY_MS

_CLEAN: Final = f"""
SELECT kind, groupUniqArray(intDiv(toUnixTimestamp64Milli(hour_time), {HOUR_MS})) AS hours FROM events.rolled_hours
WHERE site_id = {{site:String}} AND kind IN ('{EVENTS}', '{SCANS}')
    AND hour_time >= {{first:DateTime64(3, 'UTC')}} AND hour_time < {{end:DateTime64(3, 'UTC')}}
    AND (kind, hour_time) GLOBAL NOT IN
    (
        SELECT kind, hour_time FROM
        (
            SELECT kind, hour_time, marker FROM events.changed_hours
            WHERE site_id = {{site:String}}
                AND hour_time >= {{first:DateTime64(3, 'UTC')}} AND hour_time < {{end:DateTime64(3, 'UTC')}}
            GROUP BY kind, hour_time, marker HAVING argMax(is_settled, version) = 0
        ) AS marked
    )
GROUP BY kind
"""  # noqa: S608
# An hour of which no events were ever summed has no such version.
_CLEAN_PATHS: Final = f"""
SELECT groupUniqArray(intDiv(toUnixTimestamp64Milli(hour_time), {HOUR_MS})) AS hours, max(latest) AS newest FROM
(
    SELECT hour_time, max(version) AS latest FROM events.rolled_hours
    WHERE site_id = {{site:String}} AND kind IN ('{EVENTS}', '{PATHS}')
        AND hour_time >= {{first:DateTime64(3, 'UTC')}} AND hour_time < {{end:DateTime64(3, 'UTC')}}
    GROUP BY hour_time
    HAVING countIf(kind = '{EVENTS}') > 0 AND countIf(kind = '{PATHS}') > 0
        AND maxIf(version, kind = '{EVENTS}') = maxIf(version, kind = '{PATHS}')
) AS paths
WHERE hour_time GLOBAL NOT IN
(
    SELECT hour_time FROM
    (
        SELECT hour_time, marker FROM events.changed_hours
        WHERE site_id = {{site:String}} AND kind = '{EVENTS}'
            AND hour_time >= {{first:DateTime64(3, 'UTC')}} AND hour_time < {{end:DateTime64(3, 'UTC')}}
        GROUP BY hour_time, marker HAVING argMax(is_settled, version) = 0
    ) AS marked
)
"""  # noqa: S608
_ODD_DAYS: Final = f"""
SELECT count() AS odd_days FROM numbers({{days:UInt64}})
WHERE timeZoneOffset(toTimeZone(toDateTime({{first:Int64}} + number * {DAY_MS // 1000}), {{zone:String}})) % 3600 != 0
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Of what a range is answered, by events or by scans; together it is the range, and nothing twice."""

    kind: str
    rows: Sequence[Range]
    sums: Sequence[Range] = ()
    run: int = 0
    """Tells apart what `runs` made of one."""
    newest: int = 0
    """No version of sums that stood for these hours is higher."""

    @property
    def begin_ms(self) -> int:
        """From when on rows answer."""
        return min((first for first, _end in self.rows), default=0)

    @property
    def parameters(self) -> dict[str, Any]:
        """The values that the conditions below name."""
        return {self._since: since_ms(self.begin_ms)} | {
            f"{self._name}_{source}_{end}{place}": value
            for source, ranges in (("rows", self.rows), ("sums", self.sums))
            for place, pair in enumerate(ranges)
            for end, value in zip(("from", "to"), pair, strict=True)
        }

    def runs(self) -> list["Sources"]:
        """The rows in stretches, such as the days before the oldest sums and the hours after the newest."""
        runs: list[list[Range]] = []
        for one in self.rows:
            if runs and one[0] - runs[-1][-1][1] <= FAR_MS:
                runs[-1].append(one)
            else:
                runs.append([one])
        return [replace(self, rows=rows, sums=(), run=number) for number, rows in enumerate(runs, 1)]

    def with_since(self, sql: str) -> str:
        """A statement about scans of these rows, whose `{since:...}` is then their own."""
        return sql.replace("{since:", f"{{{self._since}:")

    def rows_sql(self, time: str) -> str:
        """Whether rows answer for the DateTime64 `time`."""
        return self._within("rows", self.rows, time)

    def summed_rows_sql(self, time: str) -> str:
        """Whether sums answer for the DateTime64 `time`."""
        return self._within("sums", self.sums, time)

    @property
    def sums_sql(self) -> str:
        """Whether a row of sums by `hour_time` counts."""
        return f"""{self._within("sums", self.sums, "hour_time")} AND (hour_time, version) GLOBAL IN
(
    SELECT hour_time, max(version) FROM events.rolled_hours
    WHERE site_id = {{site:String}} AND kind = '{self.kind}' AND {self._within("sums", self.sums, "hour_time")}
    GROUP BY hour_time
)"""  # noqa: S608

    @property
    def changed_sql(self) -> str:
        """Of these hours those that were marked since, or whose sums were made anew."""
        within = (
            f"site_id = {{site:String}} AND kind = '{self.kind}' AND {self._within('sums', self.sums, 'hour_time')}"
        )
        return f"""
SELECT hour_time FROM events.rolled_hours WHERE {within} AND version > {{newest:UInt64}} LIMIT 1
UNION ALL
SELECT hour_time FROM events.changed_hours WHERE {within}
GROUP BY hour_time, marker HAVING argMax(is_settled, version) = 0 LIMIT 1
"""  # noqa: S608

    @property
    def _name(self) -> str:
        return f"{self.kind}{self.run or ''}"

    @property
    def _since(self) -> str:
        return f"{self._name}_since"

    def _within(self, source: str, ranges: Sequence[Range], time: str) -> str:
        begins, ends = (f"{{{self._name}_{source}_{end}%d:DateTime64(3, 'UTC')}}" for end in ("from", "to"))
        pieces = (f"{time} >= {begins % place} AND {time} < {ends % place}" for place in range(len(ranges)))
        return f"({' OR '.join(pieces) or '0'})"


def of_rows(span: Span) -> dict[str, Sources]:
    """Everything by rows: what is asked for is in no sums."""
    return {kind: Sources(kind=kind, rows=[(span.from_ms, span.to_ms)]) for kind in (EVENTS, SCANS)}


def sources_of(store: Reader, site_id: str, span: Span, now_ms: int) -> dict[str, Sources]:
    """What is known of a site's hours now. Raises StoreError."""
    first_ms = -(-max(span.from_ms, now_ms - SUMS_KEPT_MS) // HOUR_MS) * HOUR_MS
    end_ms = span.to_ms // HOUR_MS * HOUR_MS
    is_of_hours = span.bucket != CountEventsRequest.BUCKET_UNSPECIFIED or span.width_ms % HOUR_MS == 0
    if first_ms >= end_ms or not is_of_hours:
        return of_rows(span)
    found = summed_hours(store, site_id, first_ms, end_ms)
    if not found or _is_odd(store, span.zone, first_ms, end_ms):
        return of_rows(span)
    return of_rows(span) | {kind: _sources(kind, hours, span) for kind, hours in found.items()}


def summed_hours(store: Reader, site_id: str, first_ms: int, end_ms: int) -> dict[str, Sequence[int]]:
    """The numbers of the hours whose sums stand, by kind. Raises StoreError."""
    found = store.query(_CLEAN, {"site": site_id, "first": first_ms, "end": end_ms})
    return {row["kind"]: row["hours"] for row in found}


def path_sources(store: Reader, site_id: str, from_ms: int, to_ms: int, now_ms: int) -> Sources:
    """Of what a question about paths is answered. Raises StoreError."""
    span = Span(from_ms=from_ms, to_ms=to_ms)
    first_ms = -(-max(from_ms, now_ms - SUMS_KEPT_MS) // HOUR_MS) * HOUR_MS
    end_ms = to_ms // HOUR_MS * HOUR_MS
    if first_ms >= end_ms:
        return of_rows(span)[EVENTS]
    found = store.query(_CLEAN_PATHS, {"site": site_id, "first": first_ms, "end": end_ms})
    if not found:
        return of_rows(span)[EVENTS]
    return replace(_sources(EVENTS, found[0]["hours"], span), newest=found[0]["newest"])


def have_changed(store: Reader, site_id: str, sources: Sources) -> bool:
    """Whether rows of the summed hours may have changed since `sources` was made, by a statement or another: their sums
    and what was read of these rows are then of different moments. Raises StoreError."""
    parameters = {name: value for name, value in sources.parameters.items() if "_sums_" in name}
    return bool(store.query(sources.changed_sql, {**parameters, "site": site_id, "newest": sources.newest}))


def pieces_of(hours: Iterable[int], bridged: int = 0) -> list[tuple[int, int]]:
    """Where hours lie, in pieces whose ends are exclusive; up to so many hours that are missing make no new piece."""
    pieces: list[tuple[int, int]] = []
    for hour in sorted(hours):
        if pieces and hour - pieces[-1][1] <= bridged:
            pieces[-1] = pieces[-1][0], hour + 1
        else:
            pieces.append((hour, hour + 1))
    return pieces


def _sources(kind: str, hours: Iterable[int], span: Span) -> Sources:
    longest = sorted(pieces_of(hours), key=lambda piece: piece[0] - piece[1])[:MAX_PIECES]
    clean = sorted((first * HOUR_MS, end * HOUR_MS) for first, end in longest)
    return Sources(kind=kind, rows=_between(clean, span), sums=clean)


def _is_odd(store: Reader, zone: str, first_ms: int, end_ms: int) -> bool:
    """Whether the zone's buckets begin within hours of UTC. Clocks that change do so for weeks."""
    if zone == "UTC":
        return False
    values = {"zone": zone, "first": first_ms // 1000, "days": -(-(end_ms - first_ms) // DAY_MS) + 1}
    return bool(store.query(_ODD_DAYS, values)[0]["odd_days"])


def _between(clean: Iterable[Range], span: Span) -> list[Range]:
    gaps, after = [], span.from_ms
    for first, end in [*clean, (span.to_ms, span.to_ms)]:
        if after < first:
            gaps.append((after, first))
        after = end
    return gaps
