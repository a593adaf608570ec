"""Instants: google.protobuf.Timestamp on the wire, milliseconds since 1970-01-01 UTC everywhere else."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

__all__ = [
    "EARLIEST_MS",
    "FIRST_SECOND",
    "LAST_SECOND",
    "LATEST_MS",
    "is_timestamp",
    "milliseconds",
    "set_time",
    "timestamp",
]

# What a Timestamp may hold: the years 1 to 9999.
FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799

EARLIEST_MS: Final = -2_208_988_800_000
"""What the store's columns hold, ClickHouse's DateTime64: the years 1900 to 2299."""
LATEST_MS: Final = 10_413_791_999_999


def is_timestamp(time: Timestamp) -> bool:
    """Whether the message is an instant at all; on the wire it may hold anything."""
    return 0 <= time.nanos <= 999_999_999 and FIRST_SECOND <= time.seconds <= LAST_SECOND


def milliseconds(time: Timestamp) -> int:
    """A Timestamp in milliseconds."""
    return time.seconds * 1000 + time.nanos // 1_000_000


def timestamp(time_ms: int) -> Timestamp:
    """Milliseconds as a Timestamp."""
    made = Timestamp()
    set_time(made, time_ms)
    return made


def set_time(target: Timestamp, time_ms: int) -> None:
    """Set a Timestamp that is part of another message."""
    target.seconds, rest = divmod(time_ms, 1000)
    target.nanos = rest * 1_000_000
