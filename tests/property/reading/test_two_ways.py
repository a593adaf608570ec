"""Promises of the reading, for any bytes and any event: a verdict, the same by both ways, and the one of gRPC."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.enrich.email import contains_email
from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reading.usual import read_usual
from tests.property.pipeline.test_rules_agree import browser_events, server_events
from tests.support.examples import examples
from tests.support.reading import explained, judge_text, raw_event

ARRIVAL = Arrival(received_time_ms=1_790_000_000_000, retention_ms=400 * 86_400_000, make_event_id=lambda _: "made")
SOURCES = st.sampled_from(list(Source))
NAMES = [field.name for field in (*BrowserEvent.DESCRIPTOR.fields, *ServerEvent.DESCRIPTOR.fields)]
keys = st.sampled_from(
    [*NAMES, "pageUrl", "seconds", "nanos", "amount", "currency", "screen_width", "jane@example.org", "\ud800", "a b"]
) | st.text(max_size=6)  # fmt: skip
texts = st.sampled_from(["2026-11-01T10:20:60Z", "granted", "49.90", "1e400", "\udfff", "NaN", "jane@example.org", "s"])
leaves = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.text(max_size=6)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5), max_leaves=30
)
objects = st.dictionaries(keys, values, max_size=12)
# Whole numbers have no sign of zero in JSON, so -0.0 is left out.
numbers = (st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60).map(float)).map(
    lambda number: number or 0.0
)
own_fields = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none() | st.booleans() | numbers | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


def check(verdict: StampedEvent | Rejected) -> None:
    """What holds for every verdict."""
    if isinstance(verdict, Rejected):
        assert 1 <= len(verdict.violations) <= 50
        for violation in verdict.violations:
            assert violation.reason not in {Violation.REASON_UNSPECIFIED, Violation.INTERNAL}
            assert violation.description
            assert not contains_email(violation.field)


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode), SOURCES)
def test_any_bytes_get_a_verdict(text: bytes, source: Source) -> None:
    """No exception, and nothing is called our own fault."""
    check(judge_text(text, source, ARRIVAL))


@settings(max_examples=examples(500), deadline=None)
@given(objects, SOURCES, st.data())
def test_any_json_gets_a_verdict(event: dict[str, Any], source: Source, data: st.DataObject) -> None:
    """Whole, and with some of its bytes cut out, which makes equal keys, wrong types and no JSON."""
    text = json.dumps(event, ensure_ascii=True).encode()
    check(judge_text(text, source, ARRIVAL))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    check(judge_text(text[:start] + text[end:], source, ARRIVAL))


def same_verdict(event: BrowserEvent | ServerEvent, source: Source, has_snake_case: bool) -> None:
    """The text of an event has the verdict of the event, whatever that is."""
    assume(not event.HasField("event_time") or 0 <= event.event_time.seconds < 2**37)
    said = MessageToDict(event, preserving_proto_field_name=has_snake_case)
    money = said.get("conversion_value", said.get("conversionValue"))
    if money is not None:
        money.setdefault("amount", 0)  # which a message says by not saying it
    text = json.dumps(said).encode()
    strict = judge_text(text, source, ARRIVAL)
    [plain] = judge([RawEvent(source=source, message=event, caller=Caller(), index=0)], ARRIVAL)
    if isinstance(plain, Rejected):
        assert isinstance(strict, Rejected)
        assert strict.violations == plain.violations
        assert strict.event_id == plain.event_id
    else:
        assert isinstance(strict, StampedEvent), strict
        assert strict.record == plain.record
        # Only what comes as a double may have lost digits before.
        assert list(strict.warnings) == [said for said in plain.warnings if said.code != EventWarning.INEXACT_NUMBER]


@settings(max_examples=examples(1000), deadline=None, suppress_health_check=list(HealthCheck))
@given(browser_events, st.none() | own_fields, st.booleans())
@pytest.mark.timeout(300)
def test_browser_event_has_the_verdict_of_collecting(
    event: BrowserEvent, metadata: dict[str, Any] | None, has_snake_case: bool
) -> None:
    """The same row or the same violations, by the same code."""
    if metadata is not None:
        event.metadata.CopyFrom(struct(metadata))
    same_verdict(event, Source.BROWSER, has_snake_case)


@settings(max_examples=examples(1000), deadline=None, suppress_health_check=list(HealthCheck))
@given(server_events, st.none() | own_fields, st.booleans())
@pytest.mark.timeout(300)
def test_server_event_has_the_verdict_of_collecting(
    event: ServerEvent, properties: dict[str, Any] | None, has_snake_case: bool
) -> None:
    """The same row or the same violations, by the same code."""
    if properties is not None:
        event.properties.CopyFrom(struct(properties))
    same_verdict(event, Source.SERVER, has_snake_case)


@settings(max_examples=examples(1000), deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1074, 1023).map(lambda power: 2.0**power))
def test_no_double_that_was_written_by_json_loses_digits(number: float) -> None:
    """The shortest text of a double is never called lossy."""
    text = json.dumps({"site_id": "s", "event_type": "e", "metadata": {"n": number}}).encode()
    verdict = judge_text(text, Source.BROWSER, ARRIVAL)
    assert isinstance(verdict, StampedEvent)
    assert not list(verdict.warnings)


def struct(fields: dict[str, Any]) -> Struct:
    """Own fields as protobuf has them."""
    made = Struct()
    made.update(fields)
    return made


# What nearly every sender sends, so that the usual way takes much of it; and texts that are nearly so.
usual_numbers = st.integers(-(2**63), 2**64) | st.floats(allow_nan=False, allow_infinity=False) | st.just(1e-320)
usual_values = st.recursive(
    st.none() | st.booleans() | usual_numbers | st.text(max_size=8) | st.sampled_from(["a:b", "\u003a", "1e5", "v2.0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
texts_or_none = st.none() | st.text(max_size=12) | st.sampled_from(["https://a.example/?b=c:d", "x:y", "\\", '"', ""])
moments = st.sampled_from(["2026-11-01T10:20:30Z", "2026-11-01T10:20:30.5+02:00", "2026-11-01", "", None, 1793529000])
shared = {
    "event_id": st.just("0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f") | texts_or_none,
    "scan_session_id": texts_or_none,
    "consent": st.sampled_from(["granted", "DENIED", "Pending", "", None, 1, "no"]),
    "event_time": moments,
}
pages = st.fixed_dictionaries(
    {"site_id": st.just("demo") | texts_or_none},
    optional={
        **shared,
        **dict.fromkeys(("event_type", "page_url", "page_title", "referrer"), texts_or_none),
        "device": st.none()
        | st.fixed_dictionaries({}, optional={"type": texts_or_none, "screen_width": usual_numbers}),
        "metadata": st.none() | st.dictionaries(st.text(max_size=4), usual_values, max_size=4),
    },
)
orders = st.fixed_dictionaries(
    {"site_id": st.just("demo") | texts_or_none},
    optional={
        **shared,
        **dict.fromkeys(("event_name", "client_ip", "user_agent"), texts_or_none),
        "user_identifiers": st.none() | st.fixed_dictionaries({}, optional={"external_id": texts_or_none}),
        "conversion_value": st.none()
        | st.fixed_dictionaries({}, optional={"amount": usual_numbers, "currency": st.just("EUR") | texts_or_none}),
        "properties": st.none() | st.dictionaries(st.text(max_size=4), usual_values, max_size=4),
    },
)


def same_both_ways(text: bytes, source: Source) -> bool:
    """Whether the usual way takes a text; what it then gives is what the explaining way gives."""
    read = read_usual(text, source)
    if read is None:
        return False
    usual = raw_event(read, source)
    slow = explained(text, source)
    assert usual.message == slow.message
    assert usual.reading is not None
    assert slow.reading is not None
    assert (usual.reading.own_fields or None) == (slow.reading.own_fields or None)
    assert not slow.reading.violations
    assert not slow.reading.warnings
    [one], [other] = judge([usual], ARRIVAL), judge([slow], ARRIVAL)
    if isinstance(one, Rejected):
        assert isinstance(other, Rejected)
        assert (one.event_id, list(one.violations)) == (other.event_id, list(other.violations))
    else:
        assert isinstance(other, StampedEvent)
        assert (one.record, list(one.warnings)) == (other.record, list(other.warnings))
    return True


def camel_case(event: dict[str, Any]) -> dict[str, Any]:
    """The same in the other spelling, outside of own fields."""
    fields = {field.name: field.json_name for kind in (BrowserEvent, ServerEvent) for field in kind.DESCRIPTOR.fields}
    return {fields[name]: value for name, value in event.items()}


@settings(max_examples=examples(1500), suppress_health_check=list(HealthCheck))
@given(pages, st.booleans(), st.booleans(), st.data())
@pytest.mark.timeout(300)
def test_both_ways_read_the_same_page(
    event: dict[str, Any], is_ascii: bool, has_camel_case: bool, data: st.DataObject
) -> None:
    """Whole, and with a few bytes of it said twice or left out."""
    check_both(Source.BROWSER, camel_case(event) if has_camel_case else event, is_ascii, data)


@settings(max_examples=examples(1500), suppress_health_check=list(HealthCheck))
@given(orders, st.booleans(), st.booleans(), st.data())
@pytest.mark.timeout(300)
def test_both_ways_read_the_same_order(
    event: dict[str, Any], is_ascii: bool, has_camel_case: bool, data: st.DataObject
) -> None:
    """The same of server events."""
    check_both(Source.SERVER, camel_case(event) if has_camel_case else event, is_ascii, data)


def check_both(source: Source, event: dict[str, Any], is_ascii: bool, data: st.DataObject) -> None:
    """The text of an event, and a damaged one."""
    text = json.dumps(event, ensure_ascii=is_ascii).encode()
    same_both_ways(text, source)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 40, len(text))))
    damaged = text[:end] + data.draw(st.sampled_from([b"", b",", b"0"])) + text[start:]
    same_both_ways(damaged, source)
    check(judge_text(damaged, source, ARRIVAL))


@pytest.mark.parametrize(
    ("text", "is_usual"),
    [
        (b'{"site_id":"s","event_type":"e"}', True),
        (b'{"siteId":"s","eventType":"e","pageUrl":"https://a.example/?b=c"}', True),
        (b'{"site_id":"s","referrer":null,"consent":"granted","event_time":"2026-11-01T10:20:30.123Z"}', True),
        (b'{ "site_id" : "s", "metadata": {"a": [1, 2.5, {"b": null}], "c:d": "e:f"} }', True),
        (b'{"site_id":"s","metadata":{"price":49.90,"n":123456789012345}}', True),
        (b'{"site_id":"a","site_id":"b"}', False),
        (b'{"site_id":"s","metadata":{"a":1,"a":1}}', False),
        (b'{"site_id":"s","metadata":{"a":1,"a":"b:c"}}', False),
        (b'{"site_id":"s","page_title":"\\u003a","page_title":""}', False),
        (b'{"site_id":"s","siteId":"s"}', False),
        (b'{"site_id":"s","colour":1}', False),
        (b'{"site_id":"s","metadata":{"n":9007199254740993}}', False),
        (b'{"site_id":"s","metadata":{"n":1e22}}', False),
        (b'{"site_id":"s","metadata":{"mail":"jane@example.org"}}', False),
        (b'{"site_id":5}', False),
        (b"[]", False),
    ],
)
def test_the_usual_way_takes_what_is_usual(text: bytes, is_usual: bool) -> None:
    """It would be of no use if it took nothing, and of none if it took what has to be explained."""
    assert same_both_ways(text, Source.BROWSER) is is_usual
