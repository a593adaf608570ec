"""SQL of counts: of rows of events, of scans, and of the sums of both.

Rows are told apart, and judged whether they count, by the same text in a question and in the sums that are made ahead
of questions (`upkeep/rollups.py`), so that both give the same numbers. The pieces here have the same columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.query.dimensions import (
    ATTRIBUTED,
    CAMPAIGN_LABEL,
    COLUMNS,
    NAME,
    SCANS_TOLD,
    TOLD_BY,
    Filters,
    converts,
    dimension_column,
    is_money,
    is_money_name,
)
from qrumb_server.query.rolled import Sources
from qrumb_server.query.scans import judged_scans
from qrumb_server.query.spans import Span

__all__ = ["REPEATED", "SCAN", "Counting", "counted_rows"]

SCAN: Final = "scan"
"""Stands for the source of scans, which are not events."""

# Of a browser's and a backend's copy of one event the backend's is the one that counts, as in events.unique_events.
_STANDS: Final = """
if(is_counterpart = 1, source = 'server', is_duplicate = 0 AND NOT (source = 'browser' AND event_id GLOBAL IN
(
    SELECT event_id FROM events.valid_events
    WHERE site_id = {site:String} AND is_counterpart = 1 AND source = 'server'
)))
"""
_ROWS: Final = f"""
    SELECT *, {_STANDS} AS stands, toUInt64(NOT stands) AS repeats FROM events.valid_events
"""  # noqa: S608
# A repetition counts where its event does.
REPEATED: Final = """
    ANY LEFT JOIN
    (
        SELECT event_id, count() AS repeats FROM events.valid_events
        WHERE site_id = {site:String} AND is_duplicate = 1 GROUP BY event_id
    ) AS repeated USING (event_id)
"""
"""Joins `repeats` to events told once."""
_ATTRIBUTED_ROWS: Final = f"SELECT *, 1 AS stands FROM events.attributed_events {REPEATED}"  # noqa: S608


def counted_rows(condition: str, *, is_attributed: bool) -> str:
    """A SELECT of rows of `{site:String}` that meet a condition on their time, with `stands` and `repeats`.

    Args:
        is_attributed: rows of events.attributed_events, all of which stand; else of events.valid_events.
    """
    rows = _ATTRIBUTED_ROWS if is_attributed else _ROWS
    return f"{rows} WHERE site_id = {{site:String}} AND {condition}"


# What tells scans apart; they have no name.
_OF_SCANS: Final[Mapping[int, str]] = {
    pb.CountEventsRequest.SOURCE: f"'{SCAN}'",
    pb.CountEventsRequest.NAME: "''",
    pb.CountEventsRequest.QR_CODE: "qr_code_id",
    pb.CountEventsRequest.COUNTRY: "country_code",
    pb.CountEventsRequest.DEVICE: "device_type",
    pb.CountEventsRequest.CAMPAIGN: CAMPAIGN_LABEL,
}
# Counts of scans go by what the scan said, those of a funnel by what its visit did.
_CODES_TOLD: Final = TOLD_BY["qr_code_id"]
_NO_EVENTS: Final = (
    "'' AS currency, toUInt64(0) AS unique_n, toUInt64(0) AS repeat_n, toUInt64(0) AS fraud_n, "
    "toUInt64(0) AS conversion_n, toUInt64(0) AS earning_n, toDecimal128(0, 4) AS earned_n"
)
_NO_SCANS: Final = "toUInt64(0) AS scan_n, toUInt64(0) AS suspect_n, toUInt64(0) AS confirmed_n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """One question, as pieces of SQL that are added up."""

    request: pb.CountEventsRequest
    span: Span
    dimensions: tuple[int, ...]
    filters: Filters
    """Of events."""
    scan_filters: Filters

    @property
    def columns(self) -> list[str]:
        """Those that tell apart."""
        return [dimension_column(one) for one in self.dimensions]

    def events(self, sources: Sources, *, is_attributed: bool) -> str:
        """Of rows. Columns of few values stay what they are until they are counted: as texts they would cost as much as
        all else. A currency is one of the keys at first, since few rows have one."""
        keys = ", ".join(self.columns)
        apart = "".join(f", {COLUMNS[one][1]} AS {dimension_column(one)}" for one in self.dimensions)
        counted, names = "stands AND is_fraud = 0", self.request.conversion_names
        return f"""
    SELECT start, {keys}, if(is_earning, conversion_currency, '') AS currency, countIf(stands) AS unique_n,
        sum(repeats) AS repeat_n, countIf(stands AND is_fraud = 1) AS fraud_n, countIf(is_conversion) AS conversion_n,
        countIf(is_earning) AS earning_n, sumIf(ifNull(conversion_value, toDecimal64(0, 4)), is_earning) AS earned_n,
        {_NO_SCANS}
    FROM
    (
        SELECT {self.span.start_sql("event_time")} AS start{apart}, stands, repeats, is_fraud, conversion_currency,
            conversion_value, {counted} AND {converts(names)} AS is_conversion,
            {counted} AND {is_money(names)} AS is_earning
        FROM ({counted_rows(sources.rows_sql("event_time"), is_attributed=is_attributed)}) AS rows
        WHERE 1{self.filters.sql}{self._kept("is_fraud = 0")}
    ) AS events
    GROUP BY start, {keys}, currency
"""  # noqa: S608

    def event_sums(self, sources: Sources, told: str) -> str:
        """The same of sums, whose column `name` has what rows have in two."""
        keys = ", ".join(self.columns)
        names = self.request.conversion_names
        apart = "".join(f", {COLUMNS[one][0]} AS {dimension_column(one)}" for one in self.dimensions)
        return f"""
    SELECT start, {keys}, if(is_earning, currency, '') AS currency, sum(unique_count) AS unique_n,
        sum(duplicate_count) AS repeat_n, sumIf(unique_count, is_fraud = 1) AS fraud_n,
        sumIf(unique_count, is_conversion) AS conversion_n, sumIf(earning_count, is_earning) AS earning_n,
        sumIf(earned, is_earning) AS earned_n, {_NO_SCANS}
    FROM
    (
        SELECT {self.span.start_sql("hour_time")} AS start{apart}, unique_count, duplicate_count, is_fraud,
            currency, earning_count, earned, is_fraud = 0 AND {converts(names, "name")} AS is_conversion,
            earning_count > 0 AND ({is_money_name(names, "name")}) AS is_earning
        FROM events.hourly_counts
        WHERE site_id = {{site:String}} AND told_by = '{told}' AND {sources.sums_sql}
            {self.filters.sql.replace(NAME, "name")}{self._kept("is_fraud = 0")}
    ) AS events
    GROUP BY start, {keys}, currency
"""  # noqa: S608

    @property
    def has_scans(self) -> bool:
        """Whether scans are asked for: not where sources or names are chosen that no scan has."""
        return not self.request.names and (not self.request.sources or SCAN in self.request.sources)

    def scans(self, sources: Sources, *, merges: bool) -> str:
        """Of rows of scans."""
        keys = ", ".join(self.columns)
        apart = ", ".join(f"toString({_OF_SCANS[one]}) AS {dimension_column(one)}" for one in self.dimensions)
        return f"""
    SELECT start, {keys}, {_NO_EVENTS}, countIf(NOT is_suspect) AS scan_n, countIf(is_suspect) AS suspect_n,
        countIf(is_confirmed) AS confirmed_n
    FROM
    (
        SELECT {self.span.start_sql("scan_time")} AS start, {apart}, is_suspect, is_confirmed
        FROM ({judged_scans(sources.rows_sql("scan_time"), merges=merges)}) AS judged
        WHERE 1{self.scan_filters.sql}{self._kept("NOT is_suspect")}
    ) AS scans
    GROUP BY start, {keys}
"""  # noqa: S608

    def scan_sums(self, sources: Sources, told: str) -> str:
        """The same of sums."""
        keys, apart = ", ".join(self.columns), ""
        for one in self.dimensions:
            of_sums = COLUMNS[one][0] if one in ATTRIBUTED else _OF_SCANS[one]
            apart += f", toString({of_sums}) AS {dimension_column(one)}"
        is_excluded = self.request.fraud == pb.CountEventsRequest.EXCLUDED
        suspects = "toUInt64(0)" if is_excluded else "suspect_scan_count"
        return f"""
    SELECT {self.span.start_sql("hour_time")} AS start{apart}, {_NO_EVENTS}, sum(scan_count) AS scan_n,
        sum({suspects}) AS suspect_n, sum(confirmed_scan_count) AS confirmed_n
    FROM events.hourly_funnels
    WHERE site_id = {{site:String}} AND told_by = '{told if told == _CODES_TOLD else SCANS_TOLD}' AND {sources.sums_sql}
        AND scan_count + {suspects} > 0{self.scan_filters.sql}
    GROUP BY start, {keys}
"""  # noqa: S608

    def _kept(self, is_real: str) -> str:
        return f" AND {is_real}" if self.request.fraud == pb.CountEventsRequest.EXCLUDED else ""
