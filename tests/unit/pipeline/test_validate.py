"""Field rules that annotations cannot say, and the normal form of what is accepted."""

from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import Caller, RawEvent, Rejected, Source, ValidEvent
from qrumb_server.pipeline.validate import validate

PURCHASE = {"site_id": "s", "scan_session_id": "x", "event_name": "purchase"}


def browser(**fields: Any) -> ValidEvent | Rejected:
    """The verdict on a browser event."""
    message = ParseDict({"site_id": "s", "event_type": "click", **fields}, BrowserEvent())
    return validate(RawEvent(source=Source.BROWSER, message=message, caller=Caller(), index=0))


def server(**fields: Any) -> ValidEvent | Rejected:
    """The verdict on a server event."""
    message = ParseDict({**PURCHASE, **fields}, ServerEvent())
    return validate(RawEvent(source=Source.SERVER, message=message, caller=Caller(), index=0))


def found(verdict: ValidEvent | Rejected) -> list[tuple[str, str]]:
    """Field and reason of each violation."""
    assert isinstance(verdict, Rejected)
    return [(violation.field, Violation.Reason.Name(violation.reason)) for violation in verdict.violations]


@pytest.mark.parametrize(
    ("amount", "currency", "text", "is_rounded"),
    [
        (49.9, "EUR", "49.90", False),
        (0.1 + 0.2, "EUR", "0.30", True),
        (1234, "JPY", "1234", False),
        (12.5, "JPY", "12", True),
        (1.2345, "KWD", "1.234", True),
        (0, "EUR", "0.00", False),
        (1e12, "EUR", "1000000000000.00", False),
    ],
)
def test_amounts_are_exact_decimals_of_their_currency(
    amount: float, currency: str, text: str, is_rounded: bool
) -> None:
    """Rounded half to even to the currency's decimals, and said so."""
    verdict = server(conversion_value={"amount": amount, "currency": currency})
    assert isinstance(verdict, ValidEvent)
    assert verdict.conversion is not None
    assert (verdict.conversion.amount, verdict.conversion.currency) == (text, currency)
    assert [warning.code for warning in verdict.warnings] == ([EventWarning.AMOUNT_ROUNDED] if is_rounded else [])


@pytest.mark.parametrize(
    ("seconds", "time_ms"),
    [
        (1_790_000_000_000, 1_790_000_000_000),
        (1_790_000_000_000_000, 1_790_000_000_000),
        (253_402_300_799, 253_402_300_799_000),
    ],
)
def test_a_backends_milliseconds_in_place_of_seconds_are_read_as_what_they_are(seconds: int, time_ms: int) -> None:
    """Over gRPC nothing but the size tells; up to the year 9999 a time is a time, and its correction comes later."""
    sent = ParseDict(PURCHASE, ServerEvent(event_time=Timestamp(seconds=seconds)))
    verdict = validate(RawEvent(source=Source.SERVER, message=sent, caller=Caller(), index=0))
    assert isinstance(verdict, ValidEvent)
    assert verdict.event_time_ms == time_ms
    wanted = [EventWarning.TIME_INTERPRETED] if seconds > 253_402_300_799 else []
    assert [warning.code for warning in verdict.warnings] == wanted


def test_a_browsers_time_beyond_every_calendar_is_rejected() -> None:
    """The page's clock is not believed."""
    sent = BrowserEvent(site_id="s", event_type="click", event_time=Timestamp(seconds=1_790_000_000_000))
    verdict = validate(RawEvent(source=Source.BROWSER, message=sent, caller=Caller(), index=0))
    assert found(verdict) == [("event_time", "OUT_OF_RANGE")]


def test_a_refund_of_a_positive_amount_is_said() -> None:
    """It is kept as it was sent, and would raise what the code earned."""
    verdict = server(event_name="refund", conversion_value={"amount": 30, "currency": "EUR"})
    assert isinstance(verdict, ValidEvent)
    assert [warning.code for warning in verdict.warnings] == [EventWarning.REFUND_NOT_NEGATIVE]


@pytest.mark.parametrize("currency", ["ABC", "XXX", "XTS"])
def test_three_letters_are_no_currency_by_themselves(currency: str) -> None:
    """ISO 4217 membership, without the codes for tests and for no currency."""
    assert found(server(conversion_value={"amount": 1, "currency": currency})) == [
        ("conversion_value.currency", "INVALID_CURRENCY")
    ]


def test_negative_amount_is_a_refund_or_an_error() -> None:
    """Allowed for event_name refund only."""
    money = {"amount": -5, "currency": "EUR"}
    assert isinstance(server(event_name="refund", conversion_value=money), ValidEvent)
    assert found(server(conversion_value=money)) == [("conversion_value.amount", "NEGATIVE_AMOUNT")]


@pytest.mark.parametrize("raw", ["jane@example.org", "+43 660 1234567", "0660/1234567"])
def test_raw_identifier_where_a_hash_belongs_says_how_to_hash(raw: str) -> None:
    """The description helps; it never quotes the value."""
    verdict = server(user_identifiers={"email_hash": raw, "phone_hash": raw})
    assert found(verdict) == [
        ("user_identifiers.email_hash", "NOT_HASHED"),
        ("user_identifiers.phone_hash", "NOT_HASHED"),
    ]
    assert isinstance(verdict, Rejected)
    assert all("SHA-256" in violation.description for violation in verdict.violations)
    assert raw not in str(verdict.violations)


def test_hashes_and_ids_are_lowered() -> None:
    """Upper-case hex is the same hash."""
    verdict = server(event_id="0192F0C1-7E1A-7C3D-9B1E-2F6A7D8C9E0F", user_identifiers={"email_hash": "AB" * 32})
    assert isinstance(verdict, ValidEvent)
    assert verdict.event_id == "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f"
    assert verdict.user_identifiers is not None
    assert verdict.user_identifiers.email_hash == "ab" * 32


@pytest.mark.parametrize(
    "fields",
    [
        {"scan_session_id": "jane@gmail.com"},
        {"event_type": "mail to jane@gmail.com"},
        {"metadata": {"a": [{"b": "jane@gmail.com"}]}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_raw_email_in_a_name_or_a_value_is_a_violation(fields: dict[str, Any]) -> None:
    """And the path leads to it."""
    [(field, reason)] = found(browser(**fields))
    assert reason == "CONTAINS_EMAIL"
    assert field == ("metadata.a[0].b" if "metadata" in fields else next(iter(fields)))


def test_struct_limits_name_the_field_of_the_sender() -> None:
    """Server events say properties, browser events metadata."""
    assert found(server(properties={"x": "y" * 11_000})) == [("properties", "TOO_LARGE")]
    assert found(browser(metadata={"x": list(range(600))})) == [("metadata", "TOO_MANY_VALUES")]
    assert isinstance(browser(metadata={"a": {"b": {"c": {"d": {"e": 1}}}}}), ValidEvent)
    assert found(browser(metadata={"a": {"b": {"c": {"d": {"e": {}}}}}})) == [("metadata.a.b.c.d.e", "TOO_DEEP")]


def test_all_violations_come_at_once() -> None:
    """One round trip shows everything that is wrong."""
    assert found(browser(site_id="", event_id="x", event_type="", metadata={"m": "jane@gmail.com"})) == [
        ("site_id", "REQUIRED"),
        ("event_id", "INVALID_UUID"),
        ("event_type", "REQUIRED"),
        ("metadata.m", "CONTAINS_EMAIL"),
    ]


def test_id_of_a_rejected_event_is_bounded() -> None:
    """It travels in a header of the answer; what is not a UUID may be of any length."""
    verdict = browser(event_id="x" * 300_000)
    assert isinstance(verdict, Rejected)
    assert verdict.event_id == "x" * 64


@pytest.mark.parametrize("nothing", ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-FFFF-ffff-FFFFFFFFFFFF"])
def test_uuids_that_name_nothing_are_none(nothing: str) -> None:
    """Every event that had it would be a duplicate of the first; the text says what to do instead."""
    verdict = browser(event_id=nothing)
    assert found(verdict) == [("event_id", "INVALID_UUID")]
    assert isinstance(verdict, Rejected)
    assert "UUIDv5" in verdict.violations[0].description


def test_an_id_in_capitals_is_the_same_event() -> None:
    """Also for the fingerprint, which is made of the message: no conflict with the same id in lower case."""
    event_id = "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f"
    lower, upper = browser(event_id=event_id), browser(event_id=event_id.upper())
    assert isinstance(lower, ValidEvent)
    assert isinstance(upper, ValidEvent)
    assert lower.raw.message == upper.raw.message


@pytest.mark.parametrize(
    ("seconds", "nanos", "is_time"),
    [
        (1_790_000_000, 0, True),
        (1_790_000_000, 999_999_999, True),
        (1_790_000_000, 1_000_000_000, False),
        (1_790_000_000, -1, False),
        (253_402_300_799, 999_999_999, True),
        (253_402_300_800, 0, False),
        (-62_135_596_800, 0, True),
        (-62_135_596_801, 0, False),
        (2**63 - 1, 2**31 - 1, False),
    ],
)
def test_a_timestamp_of_grpc_is_an_instant(seconds: int, nanos: int, is_time: bool) -> None:
    """On the wire the two numbers may be any."""
    message = BrowserEvent(site_id="s", event_type="click", event_time=Timestamp(seconds=seconds, nanos=nanos))
    verdict = validate(RawEvent(source=Source.BROWSER, message=message, caller=Caller(), index=0))
    if is_time:
        assert isinstance(verdict, ValidEvent)
    else:
        assert found(verdict) == [("event_time", "OUT_OF_RANGE")]


def sent(wire: bytes) -> list[tuple[str, str]]:
    """Code and end of the description of each warning of a browser event."""
    message = BrowserEvent.FromString(b"\n\x01s2\x01c" + wire)
    verdict = validate(RawEvent(source=Source.BROWSER, message=message, caller=Caller(), index=0))
    assert isinstance(verdict, ValidEvent)
    return [(EventWarning.Code.Name(one.code), one.description) for one in verdict.warnings]


NEWER = b"\x9a\x06\x03abc"
"""Field 99, of three bytes."""
LACKS = "in fields that this version of the contract lacks, and that are not stored"


def test_fields_of_a_newer_contract_are_a_warning_by_their_numbers() -> None:
    """protobuf keeps quiet about them, and the row cannot hold them."""
    assert sent(b"") == []
    assert sent(NEWER) == [("UNKNOWN_FIELD", f"has 6 bytes {LACKS}: 99")]
    device = BrowserEvent.DESCRIPTOR.fields_by_name["device"].number
    inner = bytes([device << 3 | 2, len(NEWER)]) + NEWER
    assert sent(inner + NEWER) == [("UNKNOWN_FIELD", f"has 12 bytes {LACKS}: 99, device.99")]


def test_of_many_unknown_fields_a_few_are_named_or_none() -> None:
    """An event may have tens of thousands."""
    some = b"".join(bytes([0x80 | (number % 16 << 3), number // 16, 1]) for number in range(100, 120))
    assert sent(some) == [("UNKNOWN_FIELD", f"has 60 bytes {LACKS}: 100, 101, 102, 103, 104")]
    assert sent(bytes([0x98, 0x06, 1]) * 40_000) == [("UNKNOWN_FIELD", f"has 120,000 bytes {LACKS}")]
