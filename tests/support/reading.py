"""A text read and judged, as the JSON edges do it."""

from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reading.body import read_single, unread
from qrumb_server.reading.event import ReadEvent, read_event
from qrumb_server.reading.text import NotJsonError, read_value

__all__ = ["explained", "judge_text", "raw_event"]


def judge_text(text: bytes, source: Source, arrival: Arrival) -> StampedEvent | Rejected:
    """The verdict on a body that is one event."""
    try:
        read = read_single(text, source).event
    except NotJsonError as error:
        read = unread(text, error, source)
    [verdict] = judge([raw_event(read, source)], arrival)
    return verdict


def raw_event(read: ReadEvent, source: Source) -> RawEvent:
    """What is read, as the only event of a made-up call."""
    return RawEvent(source=source, message=read.message, caller=Caller(), index=0, reading=read.reading)


def explained(text: bytes, source: Source) -> RawEvent:
    """The event by the explaining way alone."""
    return raw_event(read_event(read_value(text), source), source)
