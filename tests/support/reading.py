"""A text read and judged, as the JSON edges do it."""

from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Receipt
from qrumb_server.reading.body import read_single, refused
from qrumb_server.reading.event import read_event
from qrumb_server.reading.text import NotJsonError, read_value

__all__ = ["explained", "judge_text"]


def judge_text(text: bytes, source: Source, receipt: Receipt) -> StampedEvent | Rejected:
    """The verdict on a body that is one event."""
    try:
        event = read_single(text, source, Caller()).event
    except NotJsonError as error:
        return refused(text, error, source, Caller(), receipt)
    [verdict] = judge([event], receipt)
    return verdict


def explained(text: bytes, source: Source) -> RawEvent:
    """The event by the explaining way alone."""
    return read_event(read_value(text), source, Caller(), 0)
