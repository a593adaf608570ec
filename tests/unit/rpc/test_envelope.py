"""A call's events are found without decoding them, and no more of them are looked at than may be there."""

import pytest
from google.protobuf.message import DecodeError

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb_server.rpc.envelope import MAX_OTHER_FIELDS, TooManyEventsError, beginning_of, read_envelope

EVENTS = [BrowserEvent(site_id="a"), BrowserEvent(), BrowserEvent(site_id="b", page_title="x" * 300)]


@pytest.mark.parametrize("validate_only", [False, True])
def test_what_is_found_is_what_was_sent(validate_only: bool) -> None:
    request = pb.BatchCollectBrowserEventsRequest(events=EVENTS, validate_only=validate_only)
    envelope = read_envelope(request.SerializeToString(), max_events=3)
    assert [BrowserEvent.FromString(event) for event in envelope.events] == EVENTS
    assert envelope.validate_only is validate_only


def test_one_event_too_many_ends_the_reading() -> None:
    """What comes behind it is not even a message."""
    with pytest.raises(TooManyEventsError):
        read_envelope(b"\x0a\x00" * 4 + b"\xff", max_events=3)


@pytest.mark.parametrize(
    "message",
    [b"\x0a", b"\x0a\x05x", b"\xff" * 11, b"\x03", b"\x00\x00", b"\x15\x00", b"\x18\x01" * (MAX_OTHER_FIELDS + 1)],
    ids=["no length", "cut off", "no number", "a group", "field 0", "half a number", "very many fields"],
)
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(DecodeError):
        read_envelope(message, max_events=3)


def test_fields_of_a_later_contract_are_passed_over() -> None:
    later = b"\x18\x01" + b"\x21" + bytes(8) + b"\x2d" + bytes(4) + b"\x32\x01x"
    assert read_envelope(later + b"\x0a\x00\x10\x80\x01", max_events=1).events == [b""]


def test_a_flag_is_set_as_protobuf_sets_it() -> None:
    for flag in (b"\x01", b"\x00", b"\x80\x00", b"\x80\x01", b"\x02"):
        message = b"\x10" + flag
        expected = pb.BatchCollectBrowserEventsRequest.FromString(message).validate_only
        assert read_envelope(message, max_events=1).validate_only is expected, flag


def test_of_an_event_that_is_too_large_its_short_fields_are_left() -> None:
    event = BrowserEvent(site_id="a", event_id="b", page_title="x" * 200_000, referrer="c")
    beginning = BrowserEvent.FromString(beginning_of(event.SerializeToString()))
    assert beginning == BrowserEvent(site_id="a", event_id="b", referrer="c")


def test_the_beginning_of_a_broken_event_is_what_came_before() -> None:
    assert beginning_of(BrowserEvent(site_id="a").SerializeToString() + b"\xff") == b"\x0a\x01a"
    assert beginning_of(b"\x18\x01" * 1_000_000) == b"\x18\x01" * 64
