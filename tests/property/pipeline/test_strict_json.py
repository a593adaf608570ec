"""Promises of the strict reading, for any bytes and for any event."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from google.protobuf.struct_pb2 import Struct
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.enrich.email import contains_email
from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Receipt
from qrumb_server.pipeline.strict_json import judge_text
from tests.property.pipeline.test_rules_agree import browser_events, server_events

RECEIPT = Receipt(received_time_ms=1_790_000_000_000, retention_ms=400 * 86_400_000, make_event_id=lambda _: "made")
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
    check(judge_text(text, source, Caller(), RECEIPT))


@settings(max_examples=500, deadline=None)
@given(objects, SOURCES, st.data())
def test_any_json_gets_a_verdict(event: dict[str, Any], source: Source, data: st.DataObject) -> None:
    """Whole, and with some of its bytes cut out, which makes equal keys, wrong types and no JSON."""
    text = json.dumps(event, ensure_ascii=True).encode()
    check(judge_text(text, source, Caller(), RECEIPT))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    check(judge_text(text[:start] + text[end:], source, Caller(), RECEIPT))


def same_verdict(event: BrowserEvent | ServerEvent, source: Source, has_snake_case: bool) -> None:
    """The text of an event has the verdict of the event, whatever that is."""
    assume(not event.HasField("event_time") or 0 <= event.event_time.seconds < 2**37)
    text = MessageToJson(event, preserving_proto_field_name=has_snake_case).encode()
    strict = judge_text(text, source, Caller(), RECEIPT)
    [plain] = judge([RawEvent(source=source, message=event, caller=Caller(), index=0)], RECEIPT)
    if isinstance(plain, Rejected):
        assert isinstance(strict, Rejected)
        assert strict.violations == plain.violations
        assert strict.event_id == plain.event_id
    else:
        assert isinstance(strict, StampedEvent), strict
        assert strict.record == plain.record
        assert strict.warnings == plain.warnings


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(browser_events, st.none() | own_fields, st.booleans())
@pytest.mark.timeout(300)
def test_browser_event_has_the_verdict_of_collecting(
    event: BrowserEvent, metadata: dict[str, Any] | None, has_snake_case: bool
) -> None:
    """The same row or the same violations, by the same code."""
    if metadata is not None:
        event.metadata.CopyFrom(struct(metadata))
    same_verdict(event, Source.BROWSER, has_snake_case)


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(server_events, st.none() | own_fields, st.booleans())
@pytest.mark.timeout(300)
def test_server_event_has_the_verdict_of_collecting(
    event: ServerEvent, properties: dict[str, Any] | None, has_snake_case: bool
) -> None:
    """The same row or the same violations, by the same code."""
    if properties is not None:
        event.properties.CopyFrom(struct(properties))
    same_verdict(event, Source.SERVER, has_snake_case)


@settings(max_examples=1000, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1074, 1023).map(lambda power: 2.0**power))
def test_no_double_that_was_written_by_json_loses_digits(number: float) -> None:
    """The shortest text of a double is never called lossy."""
    text = json.dumps({"site_id": "s", "metadata": {"n": number}}).encode()
    assert isinstance(judge_text(text, Source.BROWSER, Caller(), RECEIPT), StampedEvent)


def struct(fields: dict[str, Any]) -> Struct:
    """Own fields as protobuf has them."""
    made = Struct()
    made.update(fields)
    return made
