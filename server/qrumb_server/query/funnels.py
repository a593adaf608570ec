"""From scan to conversion, by QR code or another dimension. Sessions that were registered late count like any other.

Whole hours of scans that nothing has changed since their sums were made are answered by these (`rolled.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import timestamp
from qrumb_server.loader.changes import SCANS
from qrumb_server.query.dimensions import (
    COLUMNS,
    Filters,
    campaign_parameters,
    dimension_column,
    is_conversion_name,
    is_money_name,
    named_in,
    told_by,
)
from qrumb_server.query.followed import followed_scans
from qrumb_server.query.pages import DEFAULT_PAGE, After, after_of
from qrumb_server.query.pairs import has_pairs
from qrumb_server.query.reads import Reader
from qrumb_server.query.rolled import Sources, of_rows, sources_of
from qrumb_server.query.rows import amounts_of, first_fitting
from qrumb_server.query.scans import since_ms
from qrumb_server.query.spans import DAY_MS, Span, span_of, times_of

__all__ = ["follow_scans"]

_QR_CODE: Final = pb.CountEventsRequest.QR_CODE
_ARRAYS: Final = "server_names, earning_names, earned, earning_counts"


def follow_scans(store: Reader, request: pb.GetFunnelRequest, now_ms: int) -> pb.GetFunnelResponse:
    """The funnel of each QR code, or whatever else the scans are told apart by.

    Raises:
        BadPlaceError: the page_token is of no such question.
        RequestFault: the range makes no sense.
        StoreError: it cannot be read.
    """
    dimensions = tuple(request.group_by) or (_QR_CODE,)
    after = after_of(request.page_token, numbers=2, texts=len(dimensions))
    times = after.times if after else times_of(request, now_ms=now_ms, default_ms=30 * DAY_MS)
    span = span_of(times, bucket=request.bucket or pb.CountEventsRequest.WHOLE, zone=request.time_zone)
    size = request.page_size or DEFAULT_PAGE
    filters = _filters(request)
    told = told_by(dimensions, filters)
    sources = (of_rows(span) if told is None else sources_of(store, request.site_id, span, now_ms))[SCANS]
    columns = [dimension_column(one) for one in dimensions]
    runs = sources.runs()
    sql = _sql(list(_pieces(store, request, span, filters, sources, runs, told)), request, span, columns, after)
    values = {
        "site": request.site_id,
        "size": size + 1,
        "conversions": list(request.conversion_names),
        **campaign_parameters(request.campaign_key),
        **span.parameters,
        **{name: value for one in (sources, *runs) for name, value in one.parameters.items()},
        **filters.parameters,
        **(after.parameters if after else {}),
    }
    rows = store.query(sql, named_in(sql, values))
    page = first_fitting(_funnel(row, span, dimensions) for row in rows[:size])
    token = ""
    if len(rows) > len(page):
        last = rows[len(page) - 1]
        texts = [last[dimension_column(one)] for one in dimensions]
        numbers = [last["start_ms"], -last["scan_count"]]
        token = After(times=(span.from_ms, span.to_ms), numbers=numbers, texts=texts).token
    return pb.GetFunnelResponse(funnels=page, next_page_token=token)


def _filters(request: pb.GetFunnelRequest) -> Filters:
    return Filters.of(
        (
            ("codes", "qr_code_id", request.qr_code_ids),
            ("countries", "country_code", request.country_codes),
            ("devices", "device_type", request.device_types),
        )
    )


def _funnel(row: dict[str, Any], span: Span, dimensions: tuple[int, ...]) -> pb.QrCodeFunnel:
    return pb.QrCodeFunnel(
        start_time=timestamp(row["start_ms"]),
        end_time=timestamp(row["end_ms"]),
        is_partial=span.cuts(row["start_ms"], row["end_ms"]),
        scan_count=row["scan_count"],
        visit_count=row["visits"],
        conversion_count=row["conversions"],
        fraud_count=row["suspects"],
        amounts=amounts_of(row["money"]),
        suspect_scan_count=row["suspect_scans"],
        confirmed_scan_count=row["confirmed_scans"],
        suspect_reasons=[
            pb.ReasonCount(reason=reason, count=count) for reason, count in zip(*row["reason_counts"], strict=True)
        ],
        **{COLUMNS[one][0]: row[dimension_column(one)] for one in dimensions},
    )


def _sql(
    counting: Sequence[str],
    request: pb.GetFunnelRequest,
    span: Span,
    columns: Sequence[str],
    after: After | None,
) -> str:
    start, end = span.bounds_sql("start")
    keys = ["start_ms", "-toInt64(scan_count)"]
    names = request.conversion_names
    return f"""
SELECT {start} AS start_ms, {end} AS end_ms, {", ".join(columns)}, sum(scan_n) AS scan_count,
    sum(suspect_n) AS suspect_scans, sum(confirmed_n) AS confirmed_scans,
    sumMap(reasons, reason_counts) AS reason_counts, sum(visit_n) AS visits, sum(fraud_n) AS suspects,
    sumIf(followed_n, arrayExists(name -> {is_conversion_name(names, "name")}, server_names)) AS conversions,
    sumMap(arrayMap(one -> splitByChar(' ', one.1)[1], money), arrayMap(one -> one.2, money),
        arrayMap(one -> one.3, money)) AS money
FROM
(
    SELECT * EXCEPT (earning_names, earned, earning_counts), arrayFilter(
        one -> {is_money_name(names, "substring(one.1, position(one.1, ' ') + 1)")},
        arrayZip(earning_names, earned, earning_counts)) AS money
    FROM ({" UNION ALL ".join(counting)}) AS counted
) AS followed
GROUP BY start, {", ".join(columns)}
{f"HAVING {after.condition(keys, columns)}" if after else ""}
ORDER BY {", ".join([*keys, *columns])} LIMIT {{size:UInt32}}
"""  # noqa: S608


def _pieces(
    store: Reader,
    request: pb.GetFunnelRequest,
    span: Span,
    filters: Filters,
    sources: Sources,
    runs: Sequence[Sources],
    told: str | None,
) -> Iterator[str]:
    """At least one, of the same columns."""
    dimensions = tuple(request.group_by) or (_QR_CODE,)
    apart = "".join(f", toString({COLUMNS[one][0]}) AS {dimension_column(one)}" for one in dimensions)
    merges = bool(runs) and has_pairs(store, request.site_id, since_ms(sources.begin_ms))
    for run in runs:
        followed = followed_scans(
            run.rows_sql("scan_time"),
            run.rows_sql("event_time"),
            merges=merges,
            has_campaign=pb.CountEventsRequest.CAMPAIGN in dimensions,
        )
        yield run.with_since(f"""
    SELECT {span.start_sql("time")} AS start{apart}, toUInt64(1) AS followed_n,
        toUInt64(scans AND empty(reasons)) AS scan_n, toUInt64(scans AND notEmpty(reasons)) AS suspect_n,
        toUInt64(scans AND visited AND empty(reasons)) AS confirmed_n, toUInt64(visited) AS visit_n,
        toUInt64(suspicious) AS fraud_n, reasons, arrayMap(one -> toUInt64(1), reasons) AS reason_counts, {_ARRAYS}
    FROM ({followed}) AS rows
    WHERE 1{filters.sql}
""")  # noqa: S608
    if sources.sums:
        yield f"""
    SELECT {span.start_sql("hour_time")} AS start{apart}, followed_count AS followed_n, scan_count AS scan_n,
        suspect_scan_count AS suspect_n, confirmed_scan_count AS confirmed_n, visit_count AS visit_n,
        fraud_count AS fraud_n, reasons, reason_counts, {_ARRAYS}
    FROM events.hourly_funnels
    WHERE site_id = {{site:String}} AND told_by = '{told}' AND {sources.sums_sql}{filters.sql}
"""  # noqa: S608
