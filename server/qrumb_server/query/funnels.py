"""From scan to conversion, by QR code or another dimension. Sessions that were registered late count like any other.

Reads the sessions of the range and the events of these sessions alone, whatever else a site has.
"""

from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import timestamp
from qrumb_server.query.dimensions import (
    CAMPAIGN,
    CAMPAIGN_LABEL,
    COLUMNS,
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
from qrumb_server.query.scans import IN_RANGE, IS_VISIT, REASONS_LEFT, since_ms
from qrumb_server.query.spans import DAY_MS, Span, span_of, times_of

__all__ = ["follow_scans"]

_QR_CODE: Final = pb.CountEventsRequest.QR_CODE


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
    sql = _sql(request, span, dimensions, filters, after)
    values = {
        "site": request.site_id,
        "size": size + 1,
        "since": since_ms(span.from_ms),
        "conversions": list(request.conversion_names),
        **campaign_parameters(request.campaign_key),
        **span.parameters,
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


_SCANS_IN_RANGE: Final = f"WHERE site_id = {{site:String}} AND {IN_RANGE.format(time='scan_time')}"
# Both copies of an event that a browser and a backend sent: the one is a visit, the other a conversion.
_COUNTED: Final = "(is_duplicate = 0 OR is_counterpart = 1)"
_MONEY: Final = "(event_id, toString(conversion_currency), ifNull(conversion_value, toDecimal64(0, 4)))"


def _of_session(column: str, expression: str) -> str:
    """What the first browser event that knows it says of a session."""
    known = f"{IS_VISIT} AND {expression} != ''"
    return f"argMinIf(toString({expression}), (event_time, event_id), {known}) AS {column}"


def _seen(request: pb.GetFunnelRequest) -> str:
    """What became of each session of the range. Rows of one event that two loaders took at once earn once."""
    campaign = pb.CountEventsRequest.CAMPAIGN in request.group_by
    return f"""
        SELECT scan_session_id, countIf({IS_VISIT}) > 0 AS visited,
            countIf({converts(request.conversion_names)} AND is_fraud = 0) > 0 AS converted,
            max(is_fraud) AS suspicious,
            groupUniqArrayIf({_MONEY}, {is_money(request.conversion_names)} AND is_fraud = 0) AS earned,
            {_of_session("visit_country", "valid_events.country_code")},
            {_of_session("visit_device", "valid_events.device_type")},
            {_of_session("visit_campaign", CAMPAIGN) if campaign else "'' AS visit_campaign"}
        FROM events.valid_events
        WHERE site_id = {{site:String}} AND {_COUNTED}
            AND event_time >= {{since:DateTime64(3, 'UTC')}} AND received_time >= {{since:DateTime64(3, 'UTC')}}
            AND scan_session_id GLOBAL IN
            (
                SELECT scan_session_id FROM events.scan_sessions {_SCANS_IN_RANGE}
            )
        GROUP BY scan_session_id
    """  # noqa: S608


def _alone(request: pb.GetFunnelRequest) -> str:
    """What has a QR code and no session any more, since consent was denied: nothing tells its visits apart, so only
    conversions are counted, each as one, by the time of the event."""
    return f"""
        SELECT event_time AS scan_time, qr_code_id, '' AS country_code, '' AS device_type, '' AS campaign, 0 AS scans,
            0 AS visited, {converts(request.conversion_names)} AS converted, 0 AS suspicious,
            if({is_money(request.conversion_names)}, [{_MONEY}], []) AS earned, emptyArrayString() AS reasons
        FROM events.valid_events
        WHERE site_id = {{site:String}} AND {_COUNTED} AND is_fraud = 0 AND source = 'server'
            AND scan_session_id = '' AND qr_code_id != '' AND {IN_RANGE.format(time="event_time")}
        ORDER BY received_time, segment_id, segment_row LIMIT 1 BY event_id
    """  # noqa: S608


def _sql(
    request: pb.GetFunnelRequest, span: Span, dimensions: tuple[int, ...], filters: Filters, after: After | None
) -> str:
    columns = [dimension_column(one) for one in dimensions]
    apart = "".join(f", toString({COLUMNS[one][0]}) AS {dimension_column(one)}" for one in dimensions)
    start, end = span.bounds_sql("start")
    keys = ["start_ms", "-toInt64(scan_count)"]
    campaign = CAMPAIGN_LABEL if pb.CountEventsRequest.CAMPAIGN in dimensions else "''"
    return f"""
SELECT {start} AS start_ms, {end} AS end_ms, {", ".join(columns)}, countIf(scans AND empty(reasons)) AS scan_count,
    countIf(scans AND notEmpty(reasons)) AS suspect_scans,
    countIf(scans AND visited AND empty(reasons)) AS confirmed_scans,
    sumMap(reasons, arrayMap(one -> toUInt64(1), reasons)) AS reason_counts, sum(visited) AS visits,
    sum(converted) AS conversions, sum(suspicious) AS suspects,
    sumMap(arrayMap(one -> one.2, earned), arrayMap(one -> one.3, earned), arrayMap(one -> toUInt64(1), earned))
        AS money
FROM
(
    SELECT {span.start_sql("scan_time")} AS start{apart}, scans, visited, converted, suspicious, earned, reasons
    FROM
    (
        SELECT scan_time, qr_code_id, if(visit_country = '', scan_country, visit_country) AS country_code,
            if(visit_device = '', scan_device, visit_device) AS device_type,
            if(visit_campaign = '', scan_campaign, visit_campaign) AS campaign, 1 AS scans, visited, converted,
            suspicious, earned, {REASONS_LEFT} AS reasons
        FROM
        (
            SELECT scan_session_id, qr_code_id, scan_time, toString(scan_sessions.country_code) AS scan_country,
                toString(scan_sessions.device_type) AS scan_device, {campaign} AS scan_campaign, fraud_reasons
            FROM events.scan_sessions FINAL {_SCANS_IN_RANGE}
        ) AS scans LEFT JOIN ({_seen(request)}) AS seen USING (scan_session_id)
        UNION ALL
        {_alone(request)}
    ) AS sessions
    WHERE 1{filters.sql}
) AS followed
GROUP BY start, {", ".join(columns)}
{f"HAVING {after.condition(keys, columns)}" if after else ""}
ORDER BY {", ".join([*keys, *columns])} LIMIT {{size:UInt32}}
"""  # noqa: S608
