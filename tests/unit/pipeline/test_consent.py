"""What each state of consent leaves of an event: the table, state by field, for both kinds of event."""

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.enrich.address import Place
from qrumb_server.enrich.agent import describe_agent
from qrumb_server.model import Caller, ConsentName, RawEvent, SitePolicy, Source, ValidEvent
from qrumb_server.pipeline.consent import ALLOWED, apply_consent, as_stored
from qrumb_server.pipeline.stamp import Arrival, Enrichers, stamp
from qrumb_server.pipeline.validate import validate
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

NOW_MS = 1_790_000_000_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"
BROWSER: dict[str, Any] = {
    "site_id": "s",
    "event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f",
    "scan_session_id": "scan-1",
    "event_type": "click",
    "page_url": "https://u:p@shop.example:8443/a/b?q=1#f",
    "referrer": "https://search.example/?q=shoes",
    "page_title": "Shoes",
    "metadata": {"campaign": "autumn", "name": "x"},
}
SERVER = {
    "site_id": "s",
    "event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f",
    "scan_session_id": "scan-1",
    "event_name": "purchase",
    "client_ip": "81.2.69.142",
    "user_agent": FIREFOX,
    "user_identifiers": {"external_id": "u-1"},
    "conversion_value": {"amount": 5, "currency": "EUR"},
    "properties": {"campaign": "autumn", "name": "x"},
}
FULL, BARE = '{"campaign":"autumn","name":"x"}', '{"campaign":"autumn"}'
URLS = ("https://shop.example:8443/a/b?q=1#f", BROWSER["referrer"])
BARE_URLS = ("https://shop.example:8443/a/b", "https://search.example/")
POLICY = SitePolicy(non_personal_keys=frozenset({"campaign"}))
STATES = ["", "granted", "pending", "denied"]


def accepted(kind: str, consent: str, policy: SitePolicy = POLICY, **fields: Any) -> AcceptedEvent:
    """The record of an event of a site, as far as the receipt fills it."""
    stated = {"consent": consent.upper()} if consent else {}
    if kind == "browser":
        message: BrowserEvent | ServerEvent = ParseDict({**BROWSER, **stated, **fields}, BrowserEvent())
        caller = Caller(client_ip="81.2.69.142", user_agent=FIREFOX)
    else:
        message = ParseDict({**SERVER, **stated, **fields}, ServerEvent())
        caller = Caller()
    valid = validate(RawEvent(source=Source(kind), message=message, caller=caller, index=0), policy)
    assert isinstance(valid, ValidEvent), valid
    arrival = Arrival(
        received_time_ms=NOW_MS,
        retention_ms=400 * 86_400_000,
        make_event_id=lambda _event: "",
        enrichers=Enrichers(
            locate=lambda _address: Place(country_code="GB", city="London"),
            address_key=lambda _address, _time: "key",
            policy=lambda _site: policy,
        ),
    )
    return stamp(apply_consent(valid, policy), arrival).record.accepted_event


@pytest.mark.parametrize("kind", ["browser", "server"])
@pytest.mark.parametrize(
    ("consent", "city", "key", "metadata", "urls"),
    [
        ("", "London", "key", FULL, URLS),
        ("granted", "London", "key", FULL, URLS),
        ("pending", "", "", FULL, URLS),
        ("denied", "", "", BARE, BARE_URLS),
    ],
)
def test_state_by_field(kind: str, consent: str, city: str, key: str, metadata: str, urls: tuple[str, str]) -> None:
    """Country, device and money stay in every state; what could lead to a person goes as the table says."""
    event = accepted(kind, consent)
    row = event.row
    assert (row.consent, row.city, event.ip_key, row.metadata) == (consent, city, key, metadata)
    assert (row.country_code, row.device_type, row.browser_family) == ("GB", "desktop", "Firefox")
    # The loader still needs it, to resolve the QR code.
    assert row.scan_session_id == "scan-1"
    if kind == "browser":
        assert (row.page_url, row.referrer) == urls
        assert row.page_title == "Shoes"
    else:
        assert event.HasField("user_identifiers") == (consent in {"", "granted"})
        assert (row.conversion_value, row.conversion_currency) == ("5.00", "EUR")


@pytest.mark.parametrize("consent", STATES)
def test_session_leaves_a_denied_row_only_when_it_is_stored(consent: str) -> None:
    """After the look-up by it."""
    row = accepted("browser", consent).row
    as_stored(row)
    assert row.scan_session_id == ("" if consent == "denied" else "scan-1")


@pytest.mark.parametrize("default", ["granted", "pending", "denied"])
def test_default_of_the_site_counts_only_where_nothing_is_stated(default: ConsentName) -> None:
    """And is written down where it took something away."""
    policy = SitePolicy(default_consent=default)
    assert accepted("browser", "", policy).row.consent == ("" if default == "granted" else default)
    assert accepted("browser", "", policy).row.city == ("London" if default == "granted" else "")
    assert accepted("browser", "granted", policy).row.city == "London"
    assert accepted("browser", "denied", policy).row.consent == "denied"


@pytest.mark.parametrize(
    ("metadata", "keys", "kept"),
    [
        ({"a": 1, "b": {"a": 2}}, {"a"}, '{"a":1}'),
        ({"b": {"a": 2}}, {"b"}, '{"b":{"a":2}}'),
        ({"a": 1}, set(), "{}"),
        ({"a": 1}, {"x"}, "{}"),
        ({}, {"a"}, "{}"),
        ({"ü": "é"}, {"ü"}, '{"ü":"é"}'),
    ],
)
def test_denied_metadata_keeps_the_listed_keys_of_its_top_level(
    metadata: dict[str, Any], keys: set[str], kept: str
) -> None:
    """In their canonical form."""
    policy = SitePolicy(non_personal_keys=frozenset(keys))
    assert accepted("browser", "denied", policy, metadata=metadata).row.metadata == kept


@pytest.mark.parametrize("kind", ["browser", "server"])
@pytest.mark.parametrize("consent", ["pending", "denied"])
def test_fingerprint_tells_nothing_of_what_is_gone(kind: str, consent: str) -> None:
    """Two events that differ only in what was taken away are alike; those that differ elsewhere are not."""
    gone: dict[str, Any]
    other: dict[str, Any]
    if kind == "server":
        gone, other = {"user_identifiers": {"external_id": "u-2"}}, {"event_name": "lead"}
    elif consent == "denied":
        gone, other = (
            {"page_url": BROWSER["page_url"] + "2", "metadata": {"campaign": "autumn", "name": "y"}},
            {"event_type": "view"},
        )
    else:
        gone, other = {}, {"page_url": "https://shop.example/other"}
    before = accepted(kind, consent).row.fingerprint
    assert accepted(kind, consent, **gone).row.fingerprint == before
    assert accepted(kind, consent, **other).row.fingerprint != before


def test_what_was_sent_is_left_as_it_was() -> None:
    """The sender's message is the caller's: a dry run and a dead letter still need it."""
    message = ParseDict({**BROWSER, "consent": "DENIED"}, BrowserEvent())
    before = message.SerializeToString(deterministic=True)
    valid = validate(RawEvent(source=Source.BROWSER, message=message, caller=Caller(), index=0))
    assert isinstance(valid, ValidEvent)
    apply_consent(valid, SitePolicy())
    assert message.SerializeToString(deterministic=True) == before


@pytest.mark.parametrize("url", ["https://[x/?q=1#f", "https://x.example/a?q=1", "http://x.example#f"])
def test_bare_urls_hold_neither_query_nor_fragment(url: str) -> None:
    """Whatever the host looks like."""
    row = accepted("browser", "denied", page_url=url).row
    assert "?" not in row.page_url
    assert "#" not in row.page_url
    assert row.page_url.startswith("http")


def test_every_state_is_in_the_table() -> None:
    """The loader keeps what it does not know out of the table."""
    assert list(ALLOWED) == STATES
    assert describe_agent(FIREFOX).device_type == "desktop"
