"""Times as people's languages write them: a text or a number out of JSON -> an instant, and how it was read.

Invariant: what is written is either clear (date, time of day and offset from UTC), or is read by one stated rule and
the reading is said, or is not a time. Nothing is cut but digits beyond the nanosecond.

| written | read as |
| --- | --- |
| `2026-11-01T10:20:30.5+02:00` | RFC 3339; `T`, `t` or a space, `Z` or `z`, a comma before the fraction |
| `...+0200`, `...+02`, `... +0200`, `... UTC` | offsets of Java's, PHP's, Python's and Ruby's formatters |
| `2026-11-01T10:20+02:00` | no seconds: Java leaves out those that are zero |
| `...+01:00[Europe/Vienna]` | RFC 9557 (Java's ZonedDateTime); the offset counts |
| `2026-11-01T10:20:30` | UTC, said |
| `1790000000`, `1790000000.25` | seconds, milliseconds or microseconds since 1970 by their size, said; from 1973 on |
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from qrumb_server.instants import is_timestamp

__all__ = ["EXPECTED_TIME", "PLAIN_TIME_PATTERN", "TimeReading", "read_time"]

EXPECTED_TIME: Final = "must be a time with its offset from UTC, such as 2026-11-01T10:20:30Z"
"""What is wrong with a value that is not a time, for a violation."""

PLAIN_TIME_PATTERN: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
"""What nearly all senders write, of all that `read_time` takes."""

_NANOS: Final = 1_000_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
# Each range reaches from 1973 to 5138. Below the first are years and dates (20261101), and counts of something else.
_SMALLEST: Final = 10**8
_UNITS: Final = (
    (10**11, "seconds", _NANOS),
    (10**14, "milliseconds", 1_000_000),
    (10**17, "microseconds", 1_000),
)

_match_time = re.compile(
    r"""
    ([0-9]{4})-([0-9]{2})-([0-9]{2})
    [Tt ]
    ([01][0-9]|2[0-3]):([0-5][0-9])
    (?: :([0-5][0-9]|60) (?: [.,]([0-9]{1,30}) )? )?
    (   # the zone
        (?: [Zz] | [ ]?UTC | [ ]?([+-])([01][0-9]|2[0-3])(?: :?([0-5][0-9]) )? )
        (?: \[ [A-Za-z0-9_+/-]{1,64} \] )?
    )?
    """,
    re.VERBOSE,
).fullmatch
_is_number = re.compile(r"[0-9]{9,20}(?:\.[0-9]{1,30})?").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeReading:
    """An instant within the years 1 to 9999, and what its sender ought to know."""

    seconds: int
    """Since 1970-01-01 UTC; before it negative, as in google.protobuf.Timestamp."""
    nanos: int
    """From 0 to 999,999,999, always forward."""
    warning: str = ""
    """How it was read, for the sender; empty where the text leaves nothing to guess."""

    def timestamp(self) -> Timestamp:
        """The same as a message."""
        return Timestamp(seconds=self.seconds, nanos=self.nanos)


def read_time(written: str | int | float) -> TimeReading | None:
    """The instant that a JSON text or number stands for; None where it is none, which is then said with
    `EXPECTED_TIME`. A number may come as its digits."""
    if isinstance(written, str):
        if match := _match_time(written):
            return _of_calendar(match)
        return _of_number(Decimal(written)) if _is_number(written) else None
    if isinstance(written, bool):
        return None
    # Through its shortest text, so that 1790000000.1 is a tenth and not what the double holds instead.
    return _of_number(Decimal(repr(written)))


def _of_calendar(match: re.Match[str]) -> TimeReading | None:
    year, month, day, hour, minute, second, fraction, zone, sign, zone_hour, zone_minute = match.groups()
    try:
        day_number = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:  # the 30th of February, the year 0
        return None
    # A leap second is the second after.
    seconds = day_number * 86_400 + int(hour) * 3600 + int(minute) * 60 + int(second or 0)
    if sign:
        ahead = int(zone_hour) * 3600 + int(zone_minute or 0) * 60
        seconds += ahead if sign == "-" else -ahead
    nanos = int(fraction[:9].ljust(9, "0")) if fraction else 0
    if not is_timestamp(Timestamp(seconds=seconds, nanos=nanos)):
        return None
    if zone:
        return TimeReading(seconds=seconds, nanos=nanos)
    return _guessed("has no offset from UTC: was read as UTC", seconds, nanos)


def _of_number(number: Decimal) -> TimeReading | None:
    if not number.is_finite() or number < _SMALLEST:
        return None
    for limit, unit, unit_nanos in _UNITS:
        if number < limit:
            seconds, nanos = divmod(int(number * unit_nanos), _NANOS)
            return _guessed(f"is a number: was read as {unit} since 1970", seconds, nanos)
    return None


def _guessed(how: str, seconds: int, nanos: int) -> TimeReading:
    time = Timestamp(seconds=seconds, nanos=nanos).ToJsonString()
    return TimeReading(seconds=seconds, nanos=nanos, warning=f"{how}, {time}; send RFC 3339 to leave nothing to guess")
