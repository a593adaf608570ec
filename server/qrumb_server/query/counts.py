"""Events over time: how many of them, by what, and what they earned.

Each event counts once, as in events.unique_events. Source and name are the row's own, so those are counted without a
join; what attribution tells is read from events.attributed_events. Whole hours that nothing has changed since their
sums were made are answered by these (`rolled.py`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import timestamp
from qrumb_server.loader.changes import EVENTS, SCANS
from qrumb_server.query.counted import Counting
from qrumb_server.query.dimensions import (
    COLUMNS,
    NAME,
    ROW_TOLD,
    Filters,
    campaign_parameters,
    dimension_column,
    named_in,
    told_by,
)
from qrumb_server.query.pages import DEFAULT_PAGE, After, after_of
from qrumb_server.query.pairs import has_pairs
from qrumb_server.query.reads import Reader
from qrumb_server.query.rolled import Sources, of_rows, sources_of
from qrumb_server.query.rows import amounts_of, first_fitting
from qrumb_server.query.scans import since_ms
from qrumb_server.query.spans import DAY_MS, HOUR_MS, Span, span_of, times_of

__all__ = ["count_events"]

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
    filters, scan_filters = _filters(request)
    counting = Counting(request=request, span=span, dimensions=dimensions, filters=filters, scan_filters=scan_filters)
    told = told_by(dimensions, filters)
    sources = of_rows(span) if told is None else sources_of(store, request.site_id, span, now_ms)
    sources |= {EVENTS: _with_rows(store, request.site_id, sources[EVENTS], now_ms)}
    runs = _with_scans(store, request.site_id, sources[SCANS].runs()) if counting.has_scans else []
    sql = _sql(counting, after, list(_pieces(store, counting, sources, runs, told)))
    values = {
        "site": request.site_id,
        "size": size + 1,
        "conversions": list(request.conversion_names),
        **campaign_parameters(request.campaign_key),
        **span.parameters,
        **sources[EVENTS].parameters,
        **{name: value for one in (sources[SCANS], *runs) for name, value in one.parameters.items()},
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


def _filters(request: pb.CountEventsRequest) -> tuple[Filters, Filters]:
    """Of events, and of scans."""
    of_both = (
        ("codes", "qr_code_id", request.qr_code_ids),
        ("countries", "country_code", request.country_codes),
        ("devices", "device_type", request.device_types),
    )
    return Filters.of((*of_both, ("sources", "source", request.sources), ("names", NAME, request.names))), Filters.of(
        of_both
    )


def _with_rows(store: Reader, site_id: str, events: Sources, now_ms: int) -> Sources:
    """Without the days before the oldest sums where they hold no event, as the scans below; of the present they do."""
    if not (events.sums and events.rows) or events.rows[-1][1] > now_ms - DAY_MS:
        return events
    sql = f"""
    SELECT 1 AS one FROM events.valid_events
    WHERE site_id = {{site:String}} AND {events.rows_sql("event_time")} LIMIT 1
    """  # noqa: S608
    found = store.query(sql, named_in(sql, {"site": site_id, **events.parameters}))
    return events if found else replace(events, rows=())


def _with_scans(store: Reader, site_id: str, runs: Sequence[Sources]) -> list[Sources]:
    """Those stretches of rows that hold any scan. To look costs a tenth of planning what may be said of them, and the
    first of 400 days are older than all that most sites have."""
    if not runs:
        return []
    found = ", ".join(f"countIf({run.rows_sql('scan_time')}) AS found{place}" for place, run in enumerate(runs))
    within = " OR ".join(run.rows_sql("scan_time") for run in runs)
    sql = f"SELECT {found} FROM events.scan_sessions WHERE site_id = {{site:String}} AND ({within})"  # noqa: S608
    values = {name: value for run in runs for name, value in run.parameters.items()}
    [row] = store.query(sql, named_in(sql, {"site": site_id, **values}))
    return [run for place, run in enumerate(runs) if row[f"found{place}"]]


def _pieces(
    store: Reader, counting: Counting, sources: Mapping[str, Sources], runs: Sequence[Sources], told: str | None
) -> Iterator[str]:
    """At least one, since a question of nothing has the columns of an answer, too."""
    events, scans = sources[EVENTS], sources[SCANS]
    if events.rows or not events.sums:
        yield counting.events(events, is_attributed=told != ROW_TOLD)
    if events.sums and told:
        yield counting.event_sums(events, told)
    if not counting.has_scans:
        return
    merges = bool(runs) and has_pairs(store, counting.request.site_id, since_ms(scans.begin_ms))
    for run in runs:
        yield run.with_since(counting.scans(run, merges=merges))
    if scans.sums and told:
        yield counting.scan_sums(scans, told)


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


def _sql(counting: Counting, after: After | None, pieces: Sequence[str]) -> str:
    start, end = counting.span.bounds_sql("start")
    keys = ", ".join(counting.columns)
    return f"""
SELECT {start} AS start_ms, {end} AS end_ms, {", ".join(f"toString({name}) AS {name}" for name in counting.columns)},
    sum(unique_n) AS uniques, sum(repeat_n) AS duplicates, sum(fraud_n) AS frauds, sum(conversion_n) AS conversions,
    sumMapIf([toString(currency)], [earned_n], [earning_n], earning_n > 0) AS money, sum(scan_n) AS scans,
    sum(suspect_n) AS suspect_scans, sum(confirmed_n) AS confirmed_scans
FROM ({" UNION ALL ".join(pieces)}) AS counted
GROUP BY start, {keys}
{f"HAVING {after.condition(['start_ms'], counting.columns)}" if after else ""}
ORDER BY start_ms, {keys} LIMIT {{size:UInt32}}
"""  # noqa: S608
