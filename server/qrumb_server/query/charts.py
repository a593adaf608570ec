"""What events add up to: the live tail, counts over time, the funnel of each QR code. Attributed at query time."""

from typing import Any, Final
from uuid import UUID

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import milliseconds, timestamp
from qrumb_server.loader.rows import REPLAYED
from qrumb_server.ports import Clock, EventStore
from qrumb_server.query.rows import Place, amount_text, as_event_row, first_fitting, parse_place, place_text
from qrumb_server.spool.format import segment_time_ms

__all__ = ["Charts"]

DEFAULT_LIMIT: Final = 100
DEFAULT_BUCKET_SECONDS: Final = 3_600
DAY_MS: Final = 86_400_000
# A worker that begins many segments at once, or starts with a clock set back, numbers them a little into the future.
CLOCK_TOLERANCE_MS: Final = 600_000
_BEGINNING: Final = Place(time_ms=0, segment_id="", segment_row=0)
_TAILED: Final = f"site_id = {{site:String}} AND NOT startsWith(segment_id, '{REPLAYED}')"


class Charts:
    """Reads for one node. Calls block; every one may raise a StoreError."""

    def __init__(self, *, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def tail(self, request: pb.TailEventsRequest) -> pb.TailEventsResponse:
        """The newest rows as they were stored, or those after the cursor. Raises BadPlaceError for a foreign cursor.

        In the order in which the loader takes them, which is that of their segments: by their times of receipt, rows
        of one worker could turn up before others of another worker that were handed out already. Replayed events
        are left out: theirs is a time long past.
        """
        limit = request.limit or DEFAULT_LIMIT
        if request.cursor:
            after = parse_place(request.cursor)
            rows = self._rows_after(request.site_id, limit, after)
            page = first_fitting(map(as_event_row, rows))
            last = rows[len(page) - 1] if page else None
        else:
            newest = self._newest_rows(request.site_id, limit)
            page = first_fitting(map(as_event_row, newest))[::-1]
            last = newest[0] if newest else None
        cursor = place_text(last) if last else request.cursor or _BEGINNING.text
        return pb.TailEventsResponse(rows=page, cursor=cursor)

    def _newest_rows(self, site_id: str, limit: int) -> list[dict[str, Any]]:
        return self._store.query(
            f"SELECT * FROM events.valid_events WHERE {_TAILED} "  # noqa: S608
            "ORDER BY segment_id DESC, segment_row DESC LIMIT {limit:UInt32}",
            {"site": site_id, "limit": limit},
        )

    def _rows_after(self, site_id: str, limit: int, after: Place) -> list[dict[str, Any]]:
        return self._store.query(
            f"SELECT * FROM events.valid_events WHERE {_TAILED} "  # noqa: S608
            "AND received_time >= {since:DateTime64(3, 'UTC')} "
            "AND (segment_id, segment_row) > ({segment:String}, {row:UInt32}) "
            "ORDER BY segment_id, segment_row LIMIT {limit:UInt32}",
            {
                "site": site_id,
                "limit": limit,
                # Lets the store skip old parts: no later segment has earlier rows.
                "since": max(_begun_ms(after.segment_id) - CLOCK_TOLERANCE_MS, 0),
                "segment": after.segment_id,
                "row": after.segment_row,
            },
        )

    def count(self, request: pb.CountEventsRequest) -> pb.CountEventsResponse:
        """Counts by bucket of event_time and type or name."""
        to_ms = milliseconds(request.to_time) if request.HasField("to_time") else self._clock.now_ms()
        from_ms = milliseconds(request.from_time) if request.HasField("from_time") else to_ms - DAY_MS
        rows = self._store.query(
            _COUNTS,
            {
                "site": request.site_id,
                "from": from_ms,
                "to": to_ms,
                "width": (request.bucket_seconds or DEFAULT_BUCKET_SECONDS) * 1000,
            },
        )
        return pb.CountEventsResponse(
            counts=[
                pb.EventCount(
                    start_time=timestamp(row["start"]),
                    source=row["source"],
                    name=row["name"],
                    unique_count=row["uniques"],
                    duplicate_count=row["duplicates"],
                    fraud_count=row["frauds"],
                )
                for row in rows
            ]
        )

    def funnel(self, request: pb.GetFunnelRequest) -> pb.GetFunnelResponse:
        """From scan to conversion, by QR code; sessions that were registered late count like any other."""
        to_ms = milliseconds(request.to_time) if request.HasField("to_time") else self._clock.now_ms()
        from_ms = milliseconds(request.from_time) if request.HasField("from_time") else to_ms - 30 * DAY_MS
        parameters = {"site": request.site_id, "from": from_ms, "to": to_ms}
        funnels = [
            pb.QrCodeFunnel(
                qr_code_id=row["qr_code_id"],
                scan_count=row["scans"],
                visit_count=row["visits"],
                conversion_count=row["conversions"],
            )
            for row in self._store.query(_FUNNEL, parameters)
        ]
        by_code = {funnel.qr_code_id: funnel for funnel in funnels}
        for row in self._store.query(_AMOUNTS, parameters):
            if funnel := by_code.get(row["qr_code_id"]):
                funnel.amounts.add(
                    currency=row["conversion_currency"], amount=amount_text(row["amount"], row["conversion_currency"])
                )
        return pb.GetFunnelResponse(funnels=funnels)


def _begun_ms(segment_id: str) -> int:
    """When a segment was begun; 0 for what is no segment's id."""
    try:
        return segment_time_ms(UUID(segment_id))
    except ValueError:
        return 0


# Of a browser's and a backend's copy of one event the backend's is the one that counts, as in events.unique_events.
_STANDS: Final = """
if(is_counterpart = 1, source = 'server', is_duplicate = 0 AND NOT (source = 'browser' AND event_id IN
(
    SELECT event_id FROM events.valid_events
    WHERE site_id = {site:String} AND is_counterpart = 1 AND source = 'server'
)))
"""
_COUNTS: Final = f"""
SELECT intDiv(toUnixTimestamp64Milli(event_time), {{width:Int64}}) * {{width:Int64}} AS start, source,
    if(source = 'browser', event_type, event_name) AS name,
    countIf({_STANDS}) AS uniques, countIf(NOT {_STANDS}) AS duplicates, countIf({_STANDS} AND is_fraud = 1) AS frauds
FROM events.valid_events
WHERE site_id = {{site:String}}
    AND event_time >= {{from:DateTime64(3, 'UTC')}} AND event_time < {{to:DateTime64(3, 'UTC')}}
GROUP BY start, source, name ORDER BY start, source, name
"""  # noqa: S608
_SCANS: Final = """
    SELECT scan_session_id, qr_code_id FROM events.scan_sessions FINAL
    WHERE site_id = {site:String}
        AND scan_time >= {from:DateTime64(3, 'UTC')} AND scan_time < {to:DateTime64(3, 'UTC')}
"""
# Both copies of an event that a browser and a backend sent: the one is a visit, the other a conversion.
_COUNTED: Final = "(is_duplicate = 0 OR is_counterpart = 1)"
# A refund is none; its negative amount lowers what the code of its session earned.
_CONVERTS: Final = "source = 'server' AND event_name != 'refund'"
# What has a QR code and no session any more, since consent was denied: nothing tells its visits apart, so only
# conversions are counted, each as one, by the time of the event.
_ALONE: Final = f"""
    SELECT qr_code_id, source, event_name, conversion_currency, conversion_value FROM events.valid_events
    WHERE site_id = {{site:String}} AND {_COUNTED} AND is_fraud = 0 AND source = 'server'
        AND scan_session_id = '' AND qr_code_id != ''
        AND event_time >= {{from:DateTime64(3, 'UTC')}} AND event_time < {{to:DateTime64(3, 'UTC')}}
    ORDER BY received_time, segment_id, segment_row LIMIT 1 BY event_id
"""  # noqa: S608
_FUNNEL: Final = f"""
SELECT qr_code_id, sum(scans) AS scans, sum(visits) AS visits, sum(conversions) AS conversions
FROM
(
    SELECT qr_code_id, count() AS scans, countIf(visited) AS visits, countIf(converted) AS conversions
    FROM ({_SCANS}) AS scans
    LEFT JOIN
    (
        SELECT scan_session_id, countIf(source = 'browser') > 0 AS visited, countIf({_CONVERTS}) > 0 AS converted
        FROM events.valid_events
        WHERE site_id = {{site:String}} AND {_COUNTED} AND is_fraud = 0 AND scan_session_id != ''
        GROUP BY scan_session_id
    ) AS seen USING (scan_session_id)
    GROUP BY qr_code_id
    UNION ALL
    SELECT qr_code_id, 0 AS scans, 0 AS visits, countIf({_CONVERTS}) AS conversions FROM ({_ALONE}) AS alone
    GROUP BY qr_code_id
) AS parts
GROUP BY qr_code_id ORDER BY scans DESC, qr_code_id
"""  # noqa: S608
_AMOUNTS: Final = f"""
SELECT qr_code_id, conversion_currency, sum(conversion_value) AS amount
FROM
(
    SELECT qr_code_id, conversion_currency, conversion_value
    FROM ({_SCANS}) AS scans
    INNER JOIN
    (
        SELECT scan_session_id, conversion_currency, conversion_value
        FROM events.valid_events
        WHERE site_id = {{site:String}} AND {_COUNTED} AND is_fraud = 0 AND conversion_value IS NOT NULL
        ORDER BY received_time, segment_id, segment_row LIMIT 1 BY event_id
    ) AS conversions USING (scan_session_id)
    UNION ALL
    SELECT qr_code_id, conversion_currency, conversion_value FROM ({_ALONE}) AS alone WHERE conversion_value IS NOT NULL
) AS parts
GROUP BY qr_code_id, conversion_currency ORDER BY qr_code_id, conversion_currency
"""  # noqa: S608
