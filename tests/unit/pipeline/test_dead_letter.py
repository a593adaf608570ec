"""A dead letter can be made of whatever was rejected."""

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.server_event_pb2 import ServerEvent, UserIdentifiers
from qrumb_server.model import Caller, RawEvent, Rejected, Source
from qrumb_server.pipeline.dead_letter import bury
from tests.support.reading import explained


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


def letter_of(event: BrowserEvent | ServerEvent) -> str:
    """The payload that is kept of a rejected event."""
    source = Source.BROWSER if isinstance(event, BrowserEvent) else Source.SERVER
    raw = RawEvent(source=source, message=event, caller=Caller(), index=0)
    return bury(Rejected(raw=raw, event_id="", violations=[]), 0).dead_letter.payload


@pytest.mark.parametrize("raw", ["+43 660 1234567", "Jane Doe", "a1" * 31, "jane@posteo.de"])
def test_what_should_have_been_hashed_is_not_kept(raw: str) -> None:
    """Neither as an e-mail address nor as anything else; a hash stays, to be replayed with."""
    identifiers = UserIdentifiers(email_hash=raw, phone_hash="A1" * 32, external_id="c-7")
    payload = letter_of(ServerEvent(user_identifiers=identifiers))
    assert payload == (
        '{"user_identifiers":{"email_hash":"[not hashed]","phone_hash":"' + "A1" * 32 + '","external_id":"c-7"}}'
    )


def test_consent_counts_for_letters_too() -> None:
    """What a row would not hold, the letter does not hold either."""
    event = BrowserEvent(consent=Consent.DENIED, page_url="https://u:p@shop.example/a?mail=x#y", referrer="nonsense?q")
    event.metadata.fields["secret"].string_value = "x"
    assert letter_of(event) == ('{"consent":"DENIED","page_url":"https://shop.example/a","referrer":"nonsense"}')
    server = ServerEvent(consent=Consent.PENDING, user_identifiers=UserIdentifiers(external_id="c-7"))
    assert letter_of(server) == '{"consent":"PENDING"}'


def test_more_values_than_are_allowed_are_not_written_out() -> None:
    """That would take longer than all else. The rest stays, and is not replayed, as it is not JSON."""
    event = BrowserEvent(site_id="shop", event_type="click")
    event.metadata.update({"list": [None] * 600})
    assert letter_of(event) == '{"site_id":"shop","event_type":"click","metadata":'


def test_numbers_that_json_does_not_have_are_texts_in_a_letter() -> None:
    event = BrowserEvent(event_type="click")
    event.metadata.update({"a": [float("nan"), {"b": float("inf")}], "c": 2.0**60})
    sent = {"event_type": "click", "metadata": {"a": ["nan", {"b": "inf"}], "c": 1152921504606847000}}
    assert json.loads(letter_of(event)) == sent


@pytest.mark.parametrize("sent", ["perhaps", "PERHAPS", ""])
def test_a_name_that_is_none_of_an_enums_is_kept_as_it_was_sent(sent: str) -> None:
    """The number that stands for it within says nothing to its sender."""
    raw = explained(b'{"site_id":"s","event_type":"e","consent":"%b"}' % sent.encode(), Source.BROWSER)
    letter = bury(Rejected(raw=raw, event_id="", violations=[]), 0).dead_letter
    assert json.loads(letter.payload).get("consent", "") == sent


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("203.0.113.9", "[address]"),
        ("2001:db8::9", "[address]"),
        ("::ffff:203.0.113.9", "[address]"),
        ("203.0.113.9:443, [2001:db8::9]:80.", "[address]:443, [[address]]:80."),
        ({"a": ["x 203.0.113.9", 7]}, {"a": ["x [address]", 7]}),
        ("12:30:45", "12:30:45"),
        ("1.2.3.4.5", "1.2.3.4.5"),
        ("std::pair", "std::pair"),
    ],
)
@pytest.mark.parametrize("name", ["ip", "client_IP"])
def test_a_visitors_address_under_a_name_that_is_no_fields_is_not_kept(name: str, sent: object, kept: object) -> None:
    raw = explained(json.dumps({"site_id": "s", "device": {name: sent}, name: sent}).encode(), Source.BROWSER)
    letter = bury(Rejected(raw=raw, event_id="", violations=[]), 0).dead_letter
    assert json.loads(letter.payload) == {"site_id": "s", "device": {name: kept}, name: kept}


@pytest.mark.parametrize("text", ["1.", ":", "1:", "203.0.113.9 ", "a"])
def test_looking_for_addresses_takes_linear_time(text: str) -> None:
    """Ends within the test's time."""
    raw = explained(json.dumps({"site_id": "s", "ip": text * (120_000 // len(text)) + "g"}).encode(), Source.BROWSER)
    bury(Rejected(raw=raw, event_id="", violations=[]), 0)
