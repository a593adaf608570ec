"""A dead letter can be made of whatever was rejected."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import Caller, RawEvent, Rejected, Source
from qrumb_server.pipeline.dead_letter import bury


@pytest.mark.parametrize("seconds", [2**40, -(2**40)], ids=["far ahead", "far back"])
@pytest.mark.parametrize("message", [BrowserEvent, ServerEvent], ids=["browser", "server"])
def test_a_time_that_json_cannot_say_costs_only_the_time(
    message: type[BrowserEvent] | type[ServerEvent], seconds: int
) -> None:
    """gRPC carries any number of seconds; the letter keeps the rest of the event."""
    event = message(site_id="a b", event_time=Timestamp(seconds=seconds))
    raw = RawEvent(source=Source.BROWSER, message=event, caller=Caller(), index=0)
    letter = bury(Rejected(raw=raw, event_id="", violations=[]), 0).dead_letter
    assert letter.payload == '{"site_id":"a b"}'
