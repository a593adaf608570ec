"""JSON on the compiled way: it takes no text that Python refuses, and of what it takes it makes what Python makes."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrumb_server.model import Caller, SitePolicy, Source
from qrumb_server.rpc.hotpath import is_built
from tests.property.pipeline.test_compiled import CALLERS, COMPILED, POLICIES, ordinary, written
from tests.property.reading.test_two_ways import camel_case, orders, pages
from tests.support.examples import examples
from tests.support.two_ways import Ways

pytestmark = pytest.mark.skipif(not is_built(), reason="the compiled way is not built: it takes cargo")

OFTEN = settings(max_examples=examples(400), deadline=None, suppress_health_check=list(HealthCheck))
events = st.tuples(st.just(Source.BROWSER), pages) | st.tuples(st.just(Source.SERVER), orders)
# What a page or an order lacks, so that it is nearly ordinary.
REQUIRED: dict[Source, dict[str, Any]] = {
    Source.BROWSER: {"site_id": "demo", "event_type": "click"},
    Source.SERVER: {"site_id": "demo", "event_name": "purchase", "scan_session_id": "scan-1"},
}


@OFTEN
@given(events, st.booleans(), st.booleans(), st.booleans(), CALLERS, POLICIES)
def test_bodies_are_equal(
    sent: tuple[Source, dict[str, Any]],
    is_whole: bool,
    is_ascii: bool,
    in_camel_case: bool,
    caller: Caller,
    policy: SitePolicy,
) -> None:
    """As senders write them: in both spellings, with escapes and without, alone and beside others."""
    source, event = sent
    event = event | REQUIRED[source] if is_whole else event
    event = camel_case(event) if in_camel_case else event
    ways = Ways(COMPILED, caller, policy)
    text = json.dumps(event, ensure_ascii=is_ascii).encode()
    assert not ways.differences_of_json(text, source, is_batch=False)
    other = written([ordinary(source, 1)])[len(b'{"events": [') : -len(b"]}")]
    assert not ways.differences_of_json(b'{"events": [%b , %b,%b] }' % (text, other, text), source)


@OFTEN
@given(events, st.data())
def test_damaged_bodies_are_left_or_equal(sent: tuple[Source, dict[str, Any]], data: st.DataObject) -> None:
    """With bytes cut out, put in or said twice: whatever it takes, Python finds the same events in."""
    source, event = sent
    is_batch = data.draw(st.booleans())
    text = json.dumps(event | REQUIRED[source], ensure_ascii=data.draw(st.booleans())).encode()
    text = b'{"events":[%b,%b]}' % (text, text) if is_batch else text
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 40, len(text))))
    put_in = st.binary(max_size=3) | st.sampled_from(
        [b",", b"0", b"-", b"]", b"}", b'"', b"\\u", b"\\ud800", b"\xff", b" "]
    )
    damaged = text[:end] + data.draw(put_in) + text[data.draw(st.sampled_from([start, end])) :]
    assert not Ways(COMPILED).differences_of_json(damaged, source, is_batch=is_batch)


@given(st.binary(max_size=60), st.sampled_from(list(Source)))
def test_any_bytes_are_a_call_or_none(body: bytes, source: Source) -> None:
    """Nothing of the outside raises anything."""
    for text in (body, b'{"events":[' + body, b'{"events":[' + body + b"]}"):
        for is_batch in (False, True):
            asyncio.run(COMPILED.open(text, source, is_batch=is_batch, is_json=True))


SIGNS = [b",", b"0", b"-", b"]", b"}", b'"', b"\\u", b"\\ud800", b"\xff", b" "]
NUMBERS = (
    "0", "-0", "0.0", "-0.0", "1e5", "1E5", "49.90", "5.0", "0.0001", "0.00009", "0.30000000000000004",
    "0.1234567890123456789", "9007199254740993", "9223372036854775808", "123456789012345678901234567890",
    "-9223372036854775809", "1" * 305, "9007199254740993.0", "123456789012.345", "1.7976931348623157e308", "1e400",
    "01", "1.", ".5", "+1", "NaN",
)  # fmt: skip
TIMES = (
    "2026-09-21T14:13:20Z", "2026-09-21T14:13:20.123456789Z", "2026-09-21T16:13:20+02:00", "2026-09-21T13:43:20-00:30",
    "2026-09-21T14:13:60Z", "2026-02-30T00:00:00Z", "2026-09-21t14:13:20z", "2026-09-21T14:13:20", "2026-09-21",
    "2026-09-21T14:13:20.1234567890Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-09-21T24:00:00Z",
    "", "x",
)  # fmt: skip
PAGE = '{"site_id":"demo","event_type":"e",'
ORDER = '{"site_id":"demo","event_name":"e","scan_session_id":"s-1",'


@pytest.mark.parametrize(
    ("source", "form", "values", "taken"),
    [
        (Source.BROWSER, PAGE + '"metadata":{"b":VALUE,"a":[VALUE]}}', NUMBERS, 12),
        (Source.SERVER, ORDER + '"conversion_value":{"amount":VALUE,"currency":"EUR"}}', NUMBERS, 4),
        (Source.BROWSER, PAGE + '"event_time":"VALUE"}', TIMES, 5),
    ],
    ids=["numbers", "amounts", "times"],
)
def test_numbers_and_times_are_equal(source: Source, form: str, values: tuple[str, ...], taken: int) -> None:
    """Digits are kept as they were sent, or the event is Python's."""
    ways = Ways(COMPILED)
    for value in values:
        text = form.replace("VALUE", value).encode()
        assert not ways.differences_of_json(text, source, is_batch=False), value
        assert not ways.differences_of_json(b'{"events":[%b]}' % text, source), value
    assert ways.taken == 2 * taken


@pytest.mark.parametrize(
    ("member", "is_taken"),
    [
        ('"referrer":null,"device":null,"consent":null,"event_time":null,"metadata":null', True),
        ('"page_title":"","consent":"","event_time":"","scanSessionId":""', True),
        ('"consent":"GRANTED","device":{"screenWidth":390,"max_touch_points":5}', True),
        ('"metadata":{"b":{"d":1,"c":[{},[]]},"a":"\\u00e9\\n","é":9007199254740993}', True),
        ('"page_title":"a \\ud83d\\udc5f b"', True),
        ('"colour":1', False),
        ('"site_id":"demo"', False),
        ('"siteId":"demo"', False),
        ('"scan_sessionId":"s-1"', False),
        ('"validate_only":false', False),
        ('"metadata":{"a":1,"a":1}', False),
        ('"metadata":{"a":{"c":1,"b":2,"c":1}}', False),
        ('"metadata":[]', False),
        ('"device":{"screen_width":"390"}', False),
        ('"device":{"screen_width":390.0}', False),
        ('"consent":1', False),
        ('"page_title":"\\ud800"', False),
        ('"event_type":5', False),
    ],
)
def test_what_it_takes(member: str, is_taken: bool) -> None:
    """It would be of no use if it took nothing, and of none if it took what has to be explained."""
    ways = Ways(COMPILED)
    text = f'{{"site_id":"demo","event_type":"e",{member}}}'.encode()
    if '"event_type":5' in member:
        text = text.replace(b'"event_type":"e",', b"")
    assert not ways.differences_of_json(text, Source.BROWSER, is_batch=False)
    assert not ways.differences_of_json(b'{"events":[%b]}' % text, Source.BROWSER)
    assert ways.taken == (2 if is_taken else 0)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"null", b'{"events":[]}', b'{"events":null}', b'{"events":[{}],"validate_only":true}',
        b'{"validate_only":false,"events":[{}]}', b'{"events":[{}],"events":[{}]}', b'{"events":[{}]} x',
        b'\xef\xbb\xbf{"events":[{}]}', b'{"events":[{},]}', b'{"events":[{}', b'{"events":[{}]', b'{"events":[1 2]}',
        b'{"events":[' + b"{}," * 1_000 + b"{}]}",
    ],
)  # fmt: skip
def test_what_is_no_plain_batch_is_left(body: bytes) -> None:
    """Python says what it is."""
    assert asyncio.run(COMPILED.open(body, Source.BROWSER, is_batch=True, is_json=True)) is None


def test_an_event_that_it_cannot_read_keeps_its_place() -> None:
    """Those around it are taken; that it may be no JSON at all is Python's to see."""
    good = b'{"site_id":"demo","event_type":"e"}'
    body = b'{"events":[%b,{"site_id":5},%b,{"page_title":"\xff"},null]}' % (good, good)
    call = asyncio.run(COMPILED.open(body, Source.BROWSER, is_batch=True, is_json=True))
    assert call is not None
    assert call.call.unread() == [1, 3, 4]
    assert [call.call.event(place) for place in (0, 4)] == [good, b"null"]
    assert call.call.sites() == {"demo": 2}
