"""The grammar of RFC 8259, case by case: what is not JSON is refused by each way in, what is JSON is stored as it is.

The cases are of the kinds that JSONTestSuite names (n_ and y_), generated here from what one may do to a value.
"""

# ruff: noqa: E501  (tables)
import json
from typing import Any

import pytest

from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.model import Rejected, Source, StampedEvent
from qrumb_server.pipeline.placeholders import is_placeholder
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reading.body import BatchBody, batch_of, pieces_of, read_batch
from qrumb_server.reading.text import NotJsonError
from tests.support.reading import judge_text

ARRIVAL = Arrival(received_time_ms=1_790_000_000_000, retention_ms=400 * 86_400_000, make_event_id=lambda _: "made")

NUMBERS = [
    b"-", b"+1", b".5", b"-.5", b"1.", b"1.e1", b"01", b"-01", b"00", b"0x1F", b"1e", b"1e+", b"1E-", b"0e", b"0.3e+",
    b"1.2.3", b"1e1.5", b"1 000", b"1_000", b"--1", b"++1", b"-+1", b"- 1", b"1a", b"-foo", b"0.1.", b"9.e+", b"2.e3",
    b"NaN", b"-NaN", b"nan", b"Infinity", b"-Infinity", b"+Inf", b"inf", "１".encode(), b"1\xe5", b"0\xe5",
    b"1ea", b"0b1",
]  # fmt: skip
TEXTS = [
    b"'a'", b'"a', b'a"', b'"\\x41"', b'"\\a"', b'"\\0"', b'"\\u12"', b'"\\u12G4"', b'"\\uD8"', b'"\\U0041"', b'"\\',
    b'"\\"', b'"a\nb"', b'"a\tb"', b'"a\x00b"', b'"a\x1fb"', b'"\\\xf0\x9f\x8c\x80"', b'"\\u\xe5"', b'"\xff"',
    b'"\xc0\xaf"',
    b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"', b"`a`", b'"""a"""', b'u"a"', "“a”".encode(), b'"a" "b"',
]  # fmt: skip
LITERALS = [
    b"True",
    b"TRUE",
    b"nul",
    b"nulls",
    b"None",
    b"undefined",
    b"tru",
    b"fals",
    b"null!",
    b"\\u0041",
    b"a",
    b"@",
]
LISTS = [
    b"[1,]", b"[,1]", b"[1,,2]", b"[,]", b"[1 2]", b"[1", b"[", b"]", b"[1}", b"[1:2]", b"[1],", b"[]]",
    b"[1;2]", b"[x]",
    b"[,", b"[1\n2]", b"[\x0b]", b"[\x0c]", b"[\xc2\xa0]", b"[*]", b'["a",', b"[<null>]", b"[1]//", b"[/**/]",
    b"[#\n]",
]  # fmt: skip
OBJECTS = [
    b'{"a":1,}', b'{,"a":1}', b'{"a"}', b'{"a":}', b'{:1}', b'{a:1}', b"{'a':1}", b'{1:1}', b'{"a" 1}', b'{"a"::1}',
    b'{"a":1 "b":2}', b'{"a":1;"b":2}', b'{"a":1', b'{"a', b"{", b"}", b'{"a":1]', b'{"a":1}}', b'{"a",1}',
    b'{null:1}',
    b'{"a":1,,"b":2}', b'{"a":1}/**/', b'{"a":1}#', b'{"a":1}//x', b'{[1]:2}', b'{"a"=1}', b'{"a":(1)}', b'{"a":1}x',
    b'{"a":/**/1}', b'{\xf0\x9f\x98\x80:1}', b'{"x", null}', b'{"x"::"b"}', b"{'a':0}", b'{"a":"b",,"c":"d"}',
]  # fmt: skip
WRONG_VALUES = NUMBERS + TEXTS + LITERALS + LISTS + OBJECTS

WHOLE = [
    b"",
    b" ",
    b"\xef\xbb",
    b"{}{}",
    b"{} 1",
    b'{"a":1}\x00',
    b"\x00",
    b"[" * 100_000,
    b'{"":' * 50_000,
    b"\xff\xfe{\x00}\x00",
]

# Written, and what is stored.
VALUES: list[tuple[str, Any]] = [
    *((text, json.loads(text)) for text in (
        "0", "-0", "1", "-1", "123", "0.5", "-0.5", "0e1", "0e+1", "0E-1", "1E22", "1e-2", "1E+2", "123.456e78", "1.5e300",
        "1e3", "-1.000000000000", "20e1", "123e65", "true", "false", "null", "[]", "{}", '""', "[[]]", '[""]',
        "[null]",
        '{"":0}', '{"a":[]}', '{"a":{"b":[{}]}}', '[1,null,null,2]', ' [ 1 , 2 ] ', '\t{\r\n"a"\t:\n1}\r',
        '"a"', '" "',
        r'"\u0041\"\\\/\b\f\n\r\t"', r'"\u00e9\u20AC"', r'"\ud83d\ude00"', r'"\uD834\uDD1E"', r'"\u0000"', r'"\u200B\u2064"',
        r'"\uFFFF"', r'"\uFDD0"', r'"\u2028\u2029"', '"\u2028\u2029"', '"\x7f"', '"é€😀"', '"π"',
        '"/* no comment */"', '"//"',
        '"\U0010ffff"', '"\ufeff"', '"new\u00a0line"', r'"\\u0000"', r'"\\n"', '"a,b:c{}[]"', '"NaN"',
        '"-0.0"', '"1e5"',
    )),
]  # fmt: skip
# Texts that make trouble elsewhere: words that languages take for values, what looks like code, and characters of all
# kinds, alone and after each other.
WORDS = [
    "",
    " ",
    "null",
    "nil",
    "None",
    "undefined",
    "true",
    "False",
    "NaN",
    "Infinity",
    "0",
    "-0",
    "1e5",
    "0x1F",
    "1,0.5",
]
CODE = [  # no e-mail address among them
    "'",
    '"',
    "\\",
    "/",
    "\\u0041",
    "%00",
    "%s",
    "{{x}}",
    "${x}",
    "`x`",
    "$(x)",
    "<b>&amp;</b>",
    "a;b--",
    "../..",
    "{}",
    "[]",
]
CHARACTERS = [chr(number) for number in range(0x110000) if not 0xD800 <= number < 0xE000]
STARTS = (*range(0, 0x300, 12), *range(0x300, len(CHARACTERS), 4_999))
SAMPLES = ["".join(CHARACTERS[start : start + 12]) for start in STARTS]
JOINED = [
    "e\u0301\u0302\u0303",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\u202eabc\u202c",
    "\u05d0\u05b8\u0628\u0650",
    "\ufeffa",
]
NAUGHTY = WORDS + CODE + SAMPLES + JOINED


def members(value: bytes) -> bytes:
    """An event that has a value in its own fields."""
    return b'{"site_id":"s","event_type":"e","metadata":{"v":' + value + b"}}"


@pytest.mark.parametrize("value", WRONG_VALUES, ids=repr)
def test_what_is_no_json_is_refused(value: bytes) -> None:
    """As one event, and with it the whole of a batch; never as something else."""
    verdict = judge_text(members(value), Source.BROWSER, ARRIVAL)
    assert isinstance(verdict, Rejected)
    [violation] = verdict.violations
    assert violation.reason == Violation.INVALID_JSON
    batch = b'{"events":[' + members(b"1") + b"," + members(value) + b"]}"
    with pytest.raises(NotJsonError, match=r"line|UTF|nested"):
        read_batch(batch)
    with pytest.raises(NotJsonError, match=r"line|UTF|nested"):
        in_pieces(batch)


@pytest.mark.parametrize("text", WHOLE, ids=lambda text: repr(text[:12]))
def test_a_body_that_is_no_json_is_refused(text: bytes) -> None:
    """Whatever it is sent as."""
    assert isinstance(judge_text(text, Source.SERVER, ARRIVAL), Rejected)
    for read in (read_batch, in_pieces):
        with pytest.raises(NotJsonError):
            read(text)


def in_pieces(text: bytes, most: int = 1_000) -> BatchBody:
    """A body that was taken apart step by step."""
    pieces = pieces_of(text, most=most)
    for _ in pieces.steps():
        pass
    return batch_of(pieces)


ODD_BATCHES = {
    "blanks": (b' { "events" : [ {"a":"]"} ,\n[1, [2]] , "x" ] } ', [b'{"a":"]"}', b"[1, [2]]", b'"x"']),
    "empty": (b'{"events":[]}', []),
    "others": (b'{"x":{"events":[1]},"events":[{}],"validateOnly":true}', [b"{}"]),
    "half of a pair": (b'{"events":["\\ud800",1]}', [b'"\\ud800"', b"1"]),
    "an event that is too large": (
        b'{"events":[1,["' + b'a\\"[' * 50_000 + b'",{}],{"b":2}]}',
        [b"1", b'["' + b'a\\"[' * 50_000 + b'",{}]', b'{"b":2}'],
    ),
}


@pytest.mark.parametrize(("text", "items"), ODD_BATCHES.values(), ids=ODD_BATCHES)
def test_a_batch_taken_apart_step_by_step_has_the_same_events(text: bytes, items: list[bytes]) -> None:
    body = in_pieces(text)
    assert list(body.items) == items == list(read_batch(text).items)
    assert body.is_dry_run == (b"validate" in text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"events":[1],"events":[2]}', "twice"),
        (b'{"events":{}}', "no list"),
        (b"[1]", "not a batch"),
        (b'{"events":[1,]}', "this comma is one too many"),
        (b'{"events":[1],}', "this comma is one too many"),
        (b'{"events":[1]}x', "line 1, column 15"),
        (b'{"events":[' + b"1" * 200_000, "line 1"),
        (b'{"events":[["' + b'\\"' * 200_000, "line 1"),
        (b'{"x":[' + b"[]," * 50_000 + b'1],"events":[]}', "more than 131,072 characters beside events"),
        (b"{" + b",".join(b'"%d":1' % n for n in range(1_002)) + b"}", "more than 1,000 members beside events"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_batch_says_why(text: bytes, said: str) -> None:
    with pytest.raises(NotJsonError, match=said):
        in_pieces(text)


def test_events_are_counted_before_all_of_them_are_found() -> None:
    """A body of 4 MiB can hold more than a million."""
    pieces = pieces_of(b'{"events":[' + b"{}," * 1_000_000 + b"{}]}", most=10)
    assert sum(1 for _ in pieces.steps()) < 20
    assert len(batch_of(pieces).items) == 11


@pytest.mark.parametrize(("written", "value"), VALUES, ids=lambda value: repr(value)[:24])
def test_what_is_json_is_stored_as_it_is(written: str, value: Any) -> None:
    """As a value of own fields."""
    verdict = judge_text(members(written.encode()), Source.BROWSER, ARRIVAL)
    assert isinstance(verdict, StampedEvent), verdict
    # Whole numbers are stored with all their digits; a double has them for its own.
    stored = json.loads(
        verdict.record.accepted_event.row.metadata, parse_int=float if isinstance(value, float) else int
    )
    assert stored == {"v": value}
    assert not list(verdict.warnings)


@pytest.mark.parametrize("text", NAUGHTY, ids=ascii)
@pytest.mark.parametrize("is_ascii", [True, False])
def test_texts_are_stored_as_they_are(text: str, is_ascii: bool) -> None:
    """In each field of text and in own fields, as key and as value, however they are escaped. A session alone may not be
    called `undefined`."""
    event = {
        "site_id": "s",
        "event_type": text or "e",
        "page_title": text,
        "scan_session_id": text,
        "metadata": {text: text},
    }
    verdict = judge_text(json.dumps(event, ensure_ascii=is_ascii).encode(), Source.BROWSER, ARRIVAL)
    assert isinstance(verdict, StampedEvent), verdict
    row = verdict.record.accepted_event.row
    session = "" if is_placeholder(text) else text
    assert (row.event_type, row.page_title, row.scan_session_id) == (text or "e", text, session)
    assert json.loads(row.metadata) == {text: text}
