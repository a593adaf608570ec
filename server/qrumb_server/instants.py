"""Instants: google.protobuf.Timestamp on the wire, milliseconds since 1970-01-01 UTC everywhere else."""

from google.protobuf.timestamp_pb2 import Timestamp

__all__ = ["milliseconds", "set_time", "timestamp"]


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
