"""Events over time: how many of them, by what, and what they earned.

Each event counts once, as in events.unique_events. Source and name are the row's own, so those are counted without a
join; what attribution tells is read from events.attributed_events.
"""

from collections.abc import Mapping
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import timestamp
from qrumb_server.query.dimensions import (
    ATTRIBUTED,
    CAMPAIGN_LABEL,
    COLUMNS,
    NAME,
    Filters,
    campaign_parameters,
    converts,
    dimension_column,
    is_money,
    named_in,
)
from qrumb_server.query.pages import DEFAULT_PAGE, After, after_of
from qrumb_server.query.reads import Reader
from qrumb_server.query.rows import amounts_of, first_fitting
from qrumb_server.query.scans import judged_scans, since_ms
from qrumb_server.query.spans import DAY_MS, HOUR_MS, Span, span_of, times_of

__all__ = ["count_events"]

SCAN: Final = "scan"
"""Stands for the source of scans, which are no events."""
_DEFAULT: Final = (pb.CountEventsRequest.SOURCE, pb.CountEventsRequest.NAME)


def count_events(store: Reader, request: pb.CountEventsRequest, now_ms: int) -> pb.CountEventsResponse:
    """Counts by bucket of event_time and dimension.

    Raises:
        BadPlaceError: the page_token is of no such question.
        RequestFault: the range makes no sense.
        StoreError: it cannot be read.
    """
    dimensions = tuple(request.group_by) or _DEFAULT
    after = after_of(request.page_token, numbers=1, texts=len(dimensions))
    span = _span(request, after.times if after else times_of(request, now_ms=now_ms, default_ms=DAY_MS))
    size = request.page_size or DEFAULT_PAGE
    filters = _filters(request)
    is_attributed = not ATTRIBUTED.isdisjoint(dimensions) or any(
        (request.qr_code_ids, request.country_codes, request.device_types)
    )
    sql = _sql(request, span, dimensions, filters, after, is_attributed=is_attributed)
    values = {
        "site": request.site_id,
        "size": size + 1,
        "conversions": list(request.conversion_names),
        "since": since_ms(span.from_ms),
        **campaign_parameters(request.campaign_key),
        **span.parameters,
        **filters.parameters,
        **(after.parameters if after else {}),
    }
    rows = store.query(sql, named_in(sql, values))
    page = first_fitting(_count(row, span, dimensions) for row in rows[:size])
    token = ""
    if len(rows) > len(page):
        last = rows[len(page) - 1]
        texts = [last[dimension_column(one)] for one in dimensions]
        token = After(times=(span.from_ms, span.to_ms), numbers=[last["start_ms"]], texts=texts).token
    return pb.CountEventsResponse(counts=page, next_page_token=token)


def _span(request: pb.CountEventsRequest, times: tuple[int, int]) -> Span:
    width_ms = request.bucket_seconds * 1000 or HOUR_MS
    return span_of(times, bucket=request.bucket, zone=request.time_zone, width_ms=width_ms)


def _filters(request: pb.CountEventsRequest) -> Filters:
    return Filters.of(
        (
            ("codes", "qr_code_id", request.qr_code_ids),
            ("sources", "source", request.sources),
            ("names", NAME, request.names),
            ("countries", "country_code", request.country_codes),
            ("devices", "device_type", request.device_types),
        )
    )


def _count(row: dict[str, Any], span: Span, dimensions: tuple[int, ...]) -> pb.EventCount:
    return pb.EventCount(
        start_time=timestamp(row["start_ms"]),
        end_time=timestamp(row["end_ms"]),
        is_partial=span.cuts(row["start_ms"], row["end_ms"]),
        unique_count=row["uniques"],
        duplicate_count=row["duplicates"],
        fraud_count=row["frauds"],
        conversion_count=row["conversions"],
        amounts=amounts_of(row["money"]),
        scan_count=row["scans"],
        suspect_scan_count=row["suspect_scans"],
        confirmed_scan_count=row["confirmed_scans"],
        **{COLUMNS[one][0]: row[dimension_column(one)] for one in dimensions},
    )


# Of a browser's and a backend's copy of one event the backend's is the one that counts, as in events.unique_events.
_STANDS: Final = """
if(is_counterpart = 1, source = 'server', is_duplicate = 0 AND NOT (source = 'browser' AND event_id GLOBAL IN
(
    SELECT event_id FROM events.valid_events
    WHERE site_id = {site:String} AND is_counterpart = 1 AND source = 'server'
)))
"""
# By row: whether it counts, and how many arrivals it stands for beside itself.
_ROWS: Final = f"""
    SELECT *, {_STANDS} AS stands, toUInt64(NOT stands) AS repeats FROM events.valid_events
"""  # noqa: S608
# A repetition counts where its event does.
_ATTRIBUTED_ROWS: Final = """
    SELECT *, 1 AS stands FROM events.attributed_events
    ANY LEFT JOIN
    (
        SELECT event_id, count() AS repeats FROM events.valid_events
        WHERE site_id = {site:String} AND is_duplicate = 1 GROUP BY event_id
    ) AS repeated USING (event_id)
"""


# What tells scans apart; they have no name.
_OF_SCANS: Final[Mapping[int, str]] = {
    pb.CountEventsRequest.SOURCE: f"'{SCAN}'",
    pb.CountEventsRequest.NAME: "''",
    pb.CountEventsRequest.QR_CODE: "qr_code_id",
    pb.CountEventsRequest.COUNTRY: "country_code",
    pb.CountEventsRequest.DEVICE: "device_type",
    pb.CountEventsRequest.CAMPAIGN: CAMPAIGN_LABEL,
}


def _scans(request: pb.CountEventsRequest, span: Span, dimensions: tuple[int, ...]) -> str:
    """Scans beside the events, in the same columns; none where sources or names are chosen that no scan has."""
    if request.names or (request.sources and SCAN not in request.sources):
        return ""
    filters = Filters.of(
        (
            ("codes", "qr_code_id", request.qr_code_ids),
            ("countries", "country_code", request.country_codes),
            ("devices", "device_type", request.device_types),
        )
    )
    kept = " AND NOT is_suspect" if request.fraud == pb.CountEventsRequest.EXCLUDED else ""
    columns = ", ".join(dimension_column(one) for one in dimensions)
    apart = ", ".join(f"toString({_OF_SCANS[one]}) AS {dimension_column(one)}" for one in dimensions)
    nothing = ", ".join(f"toUInt64(0) AS {name}" for name in ("unique_n", "repeat_n", "fraud_n", "conversion_n"))
    return f"""
    UNION ALL
    SELECT start, {columns}, '' AS currency, {nothing}, toUInt64(0) AS earning_n, toDecimal128(0, 4) AS earned,
        countIf(NOT is_suspect) AS scan_n, countIf(is_suspect) AS suspect_n, countIf(is_confirmed) AS confirmed_n
    FROM
    (
        SELECT {span.start_sql("scan_time")} AS start, {apart}, is_suspect, is_confirmed
        FROM ({judged_scans()}) AS judged WHERE 1{filters.sql}{kept}
    ) AS scans
    GROUP BY start, {columns}
    """  # noqa: S608


def _sql(
    request: pb.CountEventsRequest,
    span: Span,
    dimensions: tuple[int, ...],
    filters: Filters,
    after: After | None,
    *,
    is_attributed: bool,
) -> str:
    columns = [dimension_column(one) for one in dimensions]
    keys = ", ".join(columns)
    apart = "".join(f", {COLUMNS[one][1]} AS {dimension_column(one)}" for one in dimensions)
    start, end = span.bounds_sql("start")
    kept = " AND is_fraud = 0" if request.fraud == pb.CountEventsRequest.EXCLUDED else ""
    counted = "stands AND is_fraud = 0"
    # Columns of few values stay what they are until they are counted: as texts they would cost as much as all else. A
    # currency is one of the keys at first, since few rows have one.
    return f"""
SELECT {start} AS start_ms, {end} AS end_ms, {", ".join(f"toString({name}) AS {name}" for name in columns)},
    sum(unique_n) AS uniques, sum(repeat_n) AS duplicates, sum(fraud_n) AS frauds, sum(conversion_n) AS conversions,
    sumMapIf([toString(currency)], [earned], [earning_n], earning_n > 0) AS money, sum(scan_n) AS scans,
    sum(suspect_n) AS suspect_scans, sum(confirmed_n) AS confirmed_scans
FROM
(
    SELECT start, {keys}, if(is_earning, conversion_currency, '') AS currency, countIf(stands) AS unique_n,
        sum(repeats) AS repeat_n, countIf(stands AND is_fraud = 1) AS fraud_n, countIf(is_conversion) AS conversion_n,
        countIf(is_earning) AS earning_n, sumIf(ifNull(conversion_value, toDecimal64(0, 4)), is_earning) AS earned,
        toUInt64(0) AS scan_n, toUInt64(0) AS suspect_n, toUInt64(0) AS confirmed_n
    FROM
    (
        SELECT {span.start_sql("event_time")} AS start{apart}, stands, repeats, is_fraud, conversion_currency,
            conversion_value, {counted} AND {converts(request.conversion_names)} AS is_conversion,
            {counted} AND {is_money(request.conversion_names)} AS is_earning
        FROM ({_ATTRIBUTED_ROWS if is_attributed else _ROWS}
            WHERE site_id = {{site:String}}
                AND event_time >= {{from:DateTime64(3, 'UTC')}} AND event_time < {{to:DateTime64(3, 'UTC')}}) AS rows
        WHERE 1{filters.sql}{kept}
    ) AS events
    GROUP BY start, {keys}, currency
    {_scans(request, span, dimensions)}
) AS counted
GROUP BY start, {keys}
{f"HAVING {after.condition(['start_ms'], columns)}" if after else ""}
ORDER BY start_ms, {keys} LIMIT {{size:UInt32}}
"""  # noqa: S608
