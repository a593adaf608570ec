"""Fields that only describe a visit cost no event: what cannot be used is left out, what is personal is taken out."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventWarning
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import Caller, ConsentName, RawEvent, Rejected, SitePolicy, Source, ValidEvent
from qrumb_server.pipeline.validate import validate

PURCHASE = {"site_id": "s", "scan_session_id": "x", "event_name": "purchase"}
PAGE = "https://shop.example/a"


def kept(message: BrowserEvent | ServerEvent, policy: SitePolicy = SitePolicy()) -> ValidEvent:  # noqa: B008
    """The event as it goes on; it must not be refused."""
    source = Source.BROWSER if isinstance(message, BrowserEvent) else Source.SERVER
    verdict = validate(RawEvent(source=source, message=message, caller=Caller(), index=0), policy)
    assert isinstance(verdict, ValidEvent), verdict
    return verdict


def browser(consent: str = "GRANTED", **fields: Any) -> ValidEvent:
    """A click."""
    return kept(ParseDict({"site_id": "s", "event_type": "click", "consent": consent, **fields}, BrowserEvent()))


def server(**fields: Any) -> ValidEvent:
    """A purchase."""
    return kept(ParseDict({**PURCHASE, **fields}, ServerEvent()))


def warned(event: ValidEvent) -> list[tuple[str, str]]:
    """Field and code of each warning."""
    return [(warning.field, EventWarning.Code.Name(warning.code)) for warning in event.warnings]


def stored(event: ValidEvent, path: str) -> Any:
    """The value at the path, as the contract's JSON."""
    value: Any = MessageToDict(event.raw.message, preserving_proto_field_name=True)
    for name in path.split("."):
        value = value.get(name, {})
    return value or ""


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("page_url", "capacitor://localhost/index.html"),
        ("page_url", "file:///C:/page.html"),
        ("page_url", "shop.example"),
        ("page_url", "mailto:jane@gmail.com"),
        ("page_url", "https:///x"),
        ("page_url", "https://user:pw@"),
        ("page_url", PAGE + "x" * 8_171),
        ("referrer", "null"),
        ("referrer", "about:client"),
        ("referrer", "ios-app://1/x"),
        ("page_title", "x" * 1_025),
        ("page_title", "jane@gmail.com" + "x" * 1_025),
        ("device.user_agent", "x" * 2_049),
        ("device.type", "x" * 33),
        ("device.language", "x" * 65),
        ("device.timezone", "x" * 65),
        ("device.screen_width", 100_001),
        ("device.max_touch_points", 1_001),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said(path: str, value: str | int) -> None:
    """And the event counts; its message is a copy, the sender's own stays as it was."""
    *parents, name = path.split(".")
    event = browser(**({parents[0]: {name: value}} if parents else {name: value}))
    assert warned(event) == [(path, "LEFT_OUT")]
    assert stored(event, path) == ""
    assert stored(event, "event_type") == "click"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("client_ip", "203.0.113.9:443"),
        ("client_ip", "203.0.113.9, 10.0.0.1"),
        ("client_ip", "jane@gmail.com"),
        ("user_agent", "x" * 2_049),
    ],
)
def test_what_a_backend_says_of_its_visitor_is_left_out_too(path: str, value: str) -> None:
    event = server(**{path: value})
    assert warned(event) == [(path, "LEFT_OUT")]
    assert stored(event, path) == ""
    assert value[:14] not in str(event.warnings)


@pytest.mark.parametrize(
    ("url", "left"),
    [
        (PAGE + "?e=jane@gmail.com&b=1", PAGE + "?e=[email]&b=1"),
        (PAGE + "?e=jane%40gmail.com#x", PAGE + "?e=[email]#x"),
        (PAGE + "/u/jane@gmail.com/edit", PAGE + "/u/[email]/edit"),
        (PAGE + "#/jane@gmail.com", PAGE + "#/[email]"),
        ("https://jane\uff20gmail.com/a", "https://[email]/a"),
        ("https://jane&#64;gmail.com/a", "https://[email]/a"),
        (PAGE + "?next=https:\\u002f/jane\\u0040gmail.com", PAGE + "?next=https:\\u002f/[email]"),
    ],
)
@pytest.mark.parametrize("field", ["page_url", "referrer"])
@pytest.mark.parametrize("consent", ["GRANTED", "PENDING", "CONSENT_UNSPECIFIED"])
def test_an_address_in_a_url_is_redacted_not_the_event_refused(consent: str, field: str, url: str, left: str) -> None:
    """The rest of the URL stays."""
    event = browser(consent, **{field: url})
    assert warned(event) == [(field, "EMAIL_REDACTED")]
    assert stored(event, field) == left


def test_an_address_in_a_title_is_redacted_too() -> None:
    event = browser(page_title="Inbox (3) - jane@gmail.com - Mail")
    assert warned(event) == [("page_title", "EMAIL_REDACTED")]
    assert stored(event, "page_title") == "Inbox (3) - [email] - Mail"


@pytest.mark.parametrize("url", [PAGE + "?e=jane@gmail.com", PAGE + "#jane@gmail.com", PAGE + "?" + "x" * 9_000])
def test_denied_consent_comes_first(url: str) -> None:
    """What goes with the query is nothing to speak of, refuse or leave out."""
    for event in (browser("DENIED", page_url=url, referrer=url), browser_by_default("denied", url)):
        assert warned(event) == []
        assert (stored(event, "page_url"), stored(event, "referrer")) == (PAGE, PAGE)


def browser_by_default(consent: ConsentName, url: str) -> ValidEvent:
    """A click that states no consent, of a site that has a default."""
    message = BrowserEvent(site_id="s", event_type="click", page_url=url, referrer=url)
    return kept(message, SitePolicy(default_consent=consent))


def test_an_address_in_the_path_is_redacted_under_denied_too() -> None:
    event = browser("DENIED", page_url=PAGE + "/jane@gmail.com?x=tom@gmail.com")
    assert warned(event) == [("page_url", "EMAIL_REDACTED")]
    assert stored(event, "page_url") == PAGE + "/[email]"


def test_metadata_is_refused_for_an_address_whatever_the_consent() -> None:
    """It is the sender's own field, and to be put right there."""
    for consent in (0, 1, 2, 3):
        message = BrowserEvent(site_id="s", event_type="click", consent=consent)  # type: ignore[arg-type]
        message.metadata.update({"mail": "jane@gmail.com"})
        verdict = validate(RawEvent(source=Source.BROWSER, message=message, caller=Caller(), index=0))
        assert isinstance(verdict, Rejected)


@pytest.mark.parametrize("consent", ["GRANTED", "DENIED"])
def test_user_info_is_taken_out_and_said(consent: str) -> None:
    event = browser(consent, page_url="https://user:secret@shop.example/a", referrer="https://jane@gmail.com/")
    assert warned(event) == [("page_url", "USER_INFO_REMOVED"), ("referrer", "USER_INFO_REMOVED")]
    assert (stored(event, "page_url"), stored(event, "referrer")) == (PAGE, "https://gmail.com/")


def test_user_info_and_an_address_are_two_warnings() -> None:
    event = browser(page_url="https://user:secret@shop.example/a?e=jane@gmail.com")
    assert warned(event) == [("page_url", "USER_INFO_REMOVED"), ("page_url", "EMAIL_REDACTED")]


def test_a_dead_letter_has_none_of_it_either() -> None:
    """What is left out of an event stays out of what is kept of a rejected one."""
    message = BrowserEvent(site_id="s", page_url="https://user:secret@shop.example/?e=jane@gmail.com")
    verdict = validate(RawEvent(source=Source.BROWSER, message=message, caller=Caller(), index=0))
    assert isinstance(verdict, Rejected)
    assert verdict.raw.message == BrowserEvent(site_id="s", page_url="https://shop.example/?e=[email]")


def test_an_event_without_a_fault_is_not_copied() -> None:
    """The usual event pays nothing."""
    message = BrowserEvent(site_id="s", event_type="click", page_url=PAGE + "?q=a%20b&c=@", page_title="3 @ 5")
    assert kept(message).raw.message is message
