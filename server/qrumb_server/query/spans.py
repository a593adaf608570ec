"""The range of time that a question is about, cut into buckets: as asked for, and in SQL.

Invariant: a bucket of a time zone is what its calendar says, so a day has 23 or 25 hours where the clocks change; the
engine's own functions for time zones do that. All instants are milliseconds since 1970 UTC.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.query_service_pb2 import CountEventsRequest
from qrumb_server.instants import EARLIEST_MS, LATEST_MS, milliseconds
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault

__all__ = ["DAY_MS", "HOUR_MS", "Span", "Times", "span_of", "times_of"]

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
# 400 days of hours, which is as long as events are kept; and a day of seconds.
MAX_BUCKETS: Final = 9_600
MAX_SHORT_BUCKETS: Final = 86_400
Bucket = CountEventsRequest.Bucket
# The shortest that each may be, since the limit is on how many there can be.
_SHORTEST_MS: Final[Mapping[int, int]] = {
    CountEventsRequest.HOUR: HOUR_MS,
    CountEventsRequest.DAY: 23 * HOUR_MS,
    CountEventsRequest.WEEK: 7 * DAY_MS - HOUR_MS,
    CountEventsRequest.MONTH: 28 * DAY_MS - HOUR_MS,
}
# {time} is a DateTime64, {start} what the first expression makes of it. The calendar's functions end in 2106, and a
# browser's clock may not.
_WITHIN: Final = "least(greatest({time}, toDateTime64('1971-01-01', 3, 'UTC')), toDateTime64('2105-01-01', 3, 'UTC'))"
_STARTS: Final[Mapping[int, str]] = {
    CountEventsRequest.HOUR: f"toStartOfHour({_WITHIN}, {{{{zone:String}}}})",
    CountEventsRequest.DAY: f"toStartOfDay({_WITHIN}, {{{{zone:String}}}})",
    CountEventsRequest.WEEK: f"toDateTime(toStartOfWeek({_WITHIN}, 1, {{{{zone:String}}}}), {{{{zone:String}}}})",
    CountEventsRequest.MONTH: f"toDateTime(toStartOfMonth({_WITHIN}, {{{{zone:String}}}}), {{{{zone:String}}}})",
}
# Nothing; but a zone that there is not is refused also where nothing depends on it.
_KNOWN_ZONE: Final = " + ignore(toTimeZone(toDateTime(0), {zone:String}))"
_ENDS: Final[Mapping[int, str]] = {
    CountEventsRequest.HOUR: "addHours({start}, 1)",
    CountEventsRequest.DAY: "addDays({start}, 1)",
    CountEventsRequest.WEEK: "addWeeks({start}, 1)",
    CountEventsRequest.MONTH: "addMonths({start}, 1)",
}


class Times(Protocol):
    """What questions say of time."""

    from_time: Timestamp
    to_time: Timestamp

    def HasField(self, field_name: Any) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From `from_ms` up to `to_ms`, exclusive."""

    from_ms: int
    to_ms: int
    bucket: int = CountEventsRequest.WHOLE
    """A value of Bucket. BUCKET_UNSPECIFIED: of `width_ms`, counted from 1970 UTC."""
    width_ms: int = 0
    zone: str = "UTC"

    @property
    def parameters(self) -> dict[str, Any]:
        """The values that the expressions below, and conditions on the range, name."""
        return {
            "from": self.from_ms,
            "to": self.to_ms,
            "from_ms": self.from_ms,
            "to_ms": self.to_ms,
            "width": self.width_ms,
            "zone": self.zone,
        }

    def start_sql(self, time: str) -> str:
        """The start of the bucket in which the DateTime64 `time` lies, as one that `bounds_sql` understands."""
        if self.bucket == CountEventsRequest.WHOLE:
            return "{from_ms:Int64}"
        if self.bucket == CountEventsRequest.BUCKET_UNSPECIFIED:
            return f"intDiv(toUnixTimestamp64Milli({time}), {{width:Int64}}) * {{width:Int64}}"
        return _STARTS[self.bucket].format(time=time)

    def bounds_sql(self, start: str) -> tuple[str, str]:
        """Start and end of a bucket in milliseconds, by the column `start`."""
        if self.bucket == CountEventsRequest.WHOLE:
            return f"{{from_ms:Int64}}{_KNOWN_ZONE}", "{to_ms:Int64}"
        if self.bucket == CountEventsRequest.BUCKET_UNSPECIFIED:
            return f"{start}{_KNOWN_ZONE}", f"{start} + {{width:Int64}}"
        end = _ENDS[self.bucket].format(start=start)
        return f"toInt64(toUnixTimestamp({start})) * 1000", f"toInt64(toUnixTimestamp({end})) * 1000"

    def cuts(self, start_ms: int, end_ms: int) -> bool:
        """Whether a bucket reaches beyond the range, so that it is counted in part only."""
        return start_ms < self.from_ms or end_ms > self.to_ms


def times_of(request: Times, *, now_ms: int, default_ms: int) -> tuple[int, int]:
    """The range of a question; where it does not say, it ends now and is `default_ms` long.

    Raises:
        RequestFault: it is empty.
    """
    to_ms = _within(milliseconds(request.to_time)) if request.HasField("to_time") else now_ms
    from_ms = _within(milliseconds(request.from_time) if request.HasField("from_time") else to_ms - default_ms)
    if from_ms >= to_ms:
        raise RequestFault(calls.RANGE_EMPTY, field="from_time")
    return from_ms, to_ms


def span_of(times: tuple[int, int], *, bucket: int, zone: str, width_ms: int = 0) -> Span:
    """The range in buckets. `width_ms` is theirs where `bucket` is BUCKET_UNSPECIFIED.

    Raises:
        RequestFault: there would be too many of them.
    """
    span = Span(from_ms=times[0], to_ms=times[1], bucket=bucket, width_ms=width_ms, zone=zone or "UTC")
    shortest = _SHORTEST_MS.get(bucket, width_ms)
    if bucket == CountEventsRequest.WHOLE:
        return span
    count, limit = -(-(span.to_ms - span.from_ms) // shortest), MAX_BUCKETS
    if shortest < HOUR_MS and bucket == CountEventsRequest.BUCKET_UNSPECIFIED:
        limit = MAX_SHORT_BUCKETS
    if count > limit:
        raise RequestFault(calls.TOO_MANY_BUCKETS, field="from_time", count=count, limit=limit)
    return span


def _within(time_ms: int) -> int:
    """As the store's columns can be compared with."""
    return min(max(time_ms, EARLIEST_MS), LATEST_MS)
