"""What events add up to: the live tail, counts over time, the funnel of each QR code. Attributed at query time."""

from typing import Any, Final
from uuid import UUID

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.loader.rows import REPLAYED
from qrumb_server.ports import Clock
from qrumb_server.query.attribution import attribute_conversions
from qrumb_server.query.counts import count_events
from qrumb_server.query.funnels import follow_scans
from qrumb_server.query.reads import Reader
from qrumb_server.query.rows import Place, as_event_row, first_fitting, parse_place, place_text
from qrumb_server.spool.format import segment_time_ms

__all__ = ["Charts"]

DEFAULT_LIMIT: Final = 100
# A worker that begins many segments at once, or starts with a clock set back, numbers them a little into the future.
CLOCK_TOLERANCE_MS: Final = 600_000
# Where the newest rows are looked for, one after another.
NEWEST_WITHIN_MS: Final = (1_800_000, 2 * 86_400_000, 30 * 86_400_000)
_BEGINNING: Final = Place(time_ms=0, segment_id="", segment_row=0)
_TAILED: Final = f"site_id = {{site:String}} AND NOT startsWith(segment_id, '{REPLAYED}')"


class Charts:
    """Reads for one node. Calls block; every one may raise a StoreError."""

    def __init__(self, *, store: Reader, clock: Clock) -> None:
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
        """From the last half hour, or from as far back as it takes: all of a site's rows would have to be sorted."""
        now_ms = self._clock.now_ms()
        for span_ms in NEWEST_WITHIN_MS:
            since_ms = now_ms - span_ms
            rows = self._newest_since(site_id, limit, since_ms)
            # Rows that were received before are of segments that were begun before.
            if len(rows) == limit and _begun_ms(rows[-1]["segment_id"]) > since_ms + CLOCK_TOLERANCE_MS:
                return rows
        return self._newest_since(site_id, limit, 0)

    def _newest_since(self, site_id: str, limit: int, since_ms: int) -> list[dict[str, Any]]:
        return self._store.query(
            f"SELECT * FROM events.valid_events WHERE {_TAILED} "  # noqa: S608
            "AND received_time >= {since:DateTime64(3, 'UTC')} "
            "ORDER BY segment_id DESC, segment_row DESC LIMIT {limit:UInt32}",
            {"site": site_id, "limit": limit, "since": since_ms},
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
        """See `counts.count_events`."""
        return count_events(self._store, request, self._clock.now_ms())

    def funnel(self, request: pb.GetFunnelRequest) -> pb.GetFunnelResponse:
        """See `funnels.follow_scans`."""
        return follow_scans(self._store, request, self._clock.now_ms())

    def attribution(self, request: pb.GetAttributionRequest) -> pb.GetAttributionResponse:
        """See `attribution.attribute_conversions`."""
        return attribute_conversions(self._store, request, self._clock.now_ms())


def _begun_ms(segment_id: str) -> int:
    """When a segment was begun; 0 for what is no segment's id."""
    try:
        return segment_time_ms(UUID(segment_id))
    except ValueError:
        return 0
