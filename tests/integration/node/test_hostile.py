"""Whatever is posted, the answer is a verdict or a clear 4xx in JSON, and what is accepted is stored as it was sent."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from tests.support.collector_calls import PATHS, as_json
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack
from tests.support.strings import SAMPLES, assert_stored, texts_event

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("unharmed")]

EVENTS: dict[str, dict[str, Any]] = {
    "browser": {"site_id": "hostile", "event_type": "click", "page_title": "tü👟", "metadata": {"a": [1, "x", None]}},
    "server": {
        "site_id": "hostile", "scan_session_id": "s", "event_name": "lead", "properties": {"a": {"b": True}},
        "conversion_value": {"amount": 1.5, "currency": "EUR"},
    },
}  # fmt: skip
# path, the JSON of a small good request, and what stands around an event in it
TARGETS = {
    **{path: (as_json(EVENTS[source]), b"", b"") for source, path in PATHS.items()},
    **{
        f"{path}/batch": (as_json({"events": [EVENTS[source]] * 2}), b'{"events":[', b"]}")
        for source, path in PATHS.items()
    },
}
DEPTHS = (5, 6, 20, 31, 32, 33, 34, 47, 48, 49, 60, 97, 98, 99, 100, 101, 1_000, 100_000)
# Statuses that an oddity may have: most parsers of JSON differ here, and so may the gateway's next version.
REFUSED, ANY = {400}, {200, 400}


@pytest.fixture(scope="module")
def client(stack: Stack) -> Iterator[httpx.Client]:
    """One connection; an answer that takes longer than a few seconds is a hang."""
    with httpx.Client(base_url=stack.url, timeout=patient(5), verify=NO_TLS) as client:
        yield client


@pytest.mark.parametrize("path", TARGETS)
def test_body_cut_anywhere_is_refused(client: httpx.Client, path: str) -> None:
    """A truncated body is never an event, nor a hang."""
    body = TARGETS[path][0]
    for length in range(len(body)):
        assert_answered(client.post(path, content=body[:length]), REFUSED, f"cut at {length}")
    assert client.post(path, content=body).status_code == 200


@pytest.mark.parametrize("path", TARGETS)
def test_body_that_is_no_json_is_refused(client: httpx.Client, path: str) -> None:
    """Or read leniently where its meaning is plain; never anything else."""
    good = TARGETS[path][0]
    oddities: list[tuple[str, bytes, set[int]]] = [
        ("empty", b"", REFUSED),
        ("spaces", b" \n\t ", REFUSED),
        ("null", b"null", REFUSED),
        ("true", b"true", REFUSED),
        ("number", b"12", REFUSED),
        ("text", b'"text"', REFUSED),
        ("empty list", b"[]", REFUSED),
        ("list", b"[" + good + b"]", REFUSED),
        ("empty object", b"{}", REFUSED),
        ("byte order mark", b"\xef\xbb\xbf" + good, {200}),
        ("UTF-16", good.decode().encode("utf-16"), REFUSED),
        ("UTF-16 without a mark", good.decode().encode("utf-16-le"), REFUSED),
        ("UTF-32", good.decode().encode("utf-32"), REFUSED),
        ("Latin-1", good.decode().encode("latin-1", "replace").replace(b"click", b"\xfc"), ANY),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", REFUSED),
        ("NUL before", b"\0" + good, REFUSED),
        ("NUL after", good + b"\0", REFUSED),
        ("garbage after", good + b"x", REFUSED),
        ("brace after", good + b"}", REFUSED),
        ("twice", good + good, REFUSED),
        ("two lines", good + b"\n" + good, REFUSED),
        ("comment before", b"/* c */" + good, REFUSED),
        ("comment after", good + b"// c", REFUSED),
        ("single quotes", good.replace(b'"', b"'"), ANY),
        ("unquoted keys", good.replace(b'"site_id"', b"site_id"), ANY),
        ("comma at the end", good[:-1] + b",}", ANY),
        ("no quotes at all", good.replace(b'"', b""), REFUSED),
        ("form", b"site_id=hostile&event_type=click", REFUSED),
        ("XML", b"<event/>", REFUSED),
        ("Python", b"{'site_id': None}", ANY),
    ]
    for name, body, allowed in oddities:
        assert_answered(client.post(path, content=body), allowed, name)


@pytest.mark.parametrize("path", TARGETS)
def test_odd_members_are_refused_or_harmless(client: httpx.Client, path: str) -> None:
    """Numbers, escapes and bytes at the edge of JSON, inside an otherwise good event."""
    struct, name = (b"metadata", b"event_type") if path.startswith("/collect") else (b"properties", b"event_name")
    oddities: list[tuple[str, bytes, set[int]]] = [
        *((f"number {text[:12]!r}", struct_member(struct, text), REFUSED) for text in (
            b"1e400", b"-1e400", b"01", b"0x10", b"+1", b".5", b"1e", b"--1", b"NaN", b"Infinity", b"-Infinity",
            b"nul", b"tru", b"undefined", b"1,000", b"1_000",
        )),
        *((f"number {text[:12]!r}", struct_member(struct, text), ANY) for text in (
            b"1.", b"1e-400", b"1e308", b"9" * 300, b"-0", b"0." + b"3" * 5_000, b"123456789012345678901234567890",
        )),
        *((f"bytes {text!r}", member(name, text), REFUSED) for text in (
            b"\xff", b"\x80", b"\xc0\xaf", b"\xc0\x80", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf0\x9f\x91",
            b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", rb"\ud800", rb"\udc00", rb"\ud800x", rb"\ud800\ud800",
            rb"\udc00\ud800", rb"\uZZZZ", rb"\u12", rb"\u",
        )),
        *((f"escape {text!r}", member(name, text), ANY) for text in (
            rb"\u0000", rb"\ud83d\udc5f", rb"\ufffe", rb"\uffff", rb"\x41", rb"\q", rb"\'", b"\x00", b"\n", b"\x7f",
        )),
        ("name twice", member(name, b"a") + b"," + member(name, b"b"), ANY),
        ("key of a struct twice", b'"%s":{"a":1,"a":2}' % struct, REFUSED),
        ("struct twice", b'"%s":{"a":1},"%s":{"b":2}' % (struct, struct), ANY),
        ("both spellings", b'"scan_session_id":"a","scanSessionId":"b"', ANY),
        ("empty key", b'"":1', ANY),
        ("many unknown keys", b",".join(b'"u%d":%d' % (n, n) for n in range(5_000)), ANY),
        ("long unknown key", b'"' + b"u" * 100_000 + b'":1', ANY),
        ("types of Any", b'"@type":"type.googleapis.com/google.protobuf.Struct"', ANY),
        ("prototype", b'"__proto__":{"a":1},"constructor":{}', ANY),
    ]  # fmt: skip
    for case, text, allowed in oddities:
        assert_answered(client.post(path, content=body_with(path, text)), allowed, case)


@pytest.mark.parametrize("path", TARGETS)
def test_nesting_of_any_depth_is_refused_or_dropped(client: httpx.Client, path: str) -> None:
    """Up to 100,000 objects or lists: in a struct, in an unknown field, as the whole body, closed or left open."""
    struct = b"metadata" if path.startswith("/collect") else b"properties"
    for depth in DEPTHS:
        for kind, opening, closing in (("objects", b'{"a":', b"}"), ("lists", b"[", b"]")):
            nested = opening * depth + b"1" + closing * depth
            limit = 128 * 1024 if "batch" not in path else 4 * 1024 * 1024
            for place, body in {
                "struct": body_with(path, struct_member(struct, nested)),
                "unknown": body_with(path, b'"u":' + nested),
                "root": nested,
                "open": body_with(path, struct_member(struct, opening * depth))[: -2 - len(TARGETS[path][2])],
            }.items():
                allowed = ANY if place in {"unknown", "struct"} and depth < 100 else REFUSED
                if place == "struct" and depth > 5 and "batch" not in path:
                    allowed = REFUSED
                allowed = {413} if len(body) > limit else allowed
                assert_answered(client.post(path, content=body), allowed, f"{depth} {kind}, {place}")


def test_pixel_takes_any_query_or_refuses_it(stack: Stack) -> None:
    """A query is an event or a 4xx; broken escapes and unknown names cause no exception."""
    host, port = stack.url.removeprefix("http://").split(":")
    connection = HTTPConnection(host, int(port), timeout=patient(5))
    queries = [
        "", "?", "?&&&", "?=", "?site_id", "?site_id=", "?site_id=a%20b", "?site_id=%ff", "?site_id=%ed%a0%80",
        "?site_id=hostile&page_title=%ff%fe", "?site_id=hostile&page_title=%", "?site_id=hostile&page_title=%zz",
        "?site_id=hostile&page_title=%00", "?site_id=hostile&page_title=%c0%af", "?site_id=hostile&page_title=a;b",
        "?site_id=hostile&site_id=a%20b", "?site_id=a&event.site_id=b", "?site_id[]=a", "?event_time=noon",
        "?site_id=hostile&event_time=", "?site_id=hostile&event_time=9999-12-31T23:59:59Z", "?site_id=hostile&consent=",
        "?site_id=hostile&event_time.seconds=5", "?site_id=hostile&event_time.seconds=99999999999999999999",
        "?site_id=hostile&event_time.seconds=9223372036854775807", "?site_id=hostile&event_time.nanos=-1",
        "?site_id=hostile&consent=99", "?site_id=hostile&consent=maybe", "?metadata.a=1", "?unknown=1", "?page_url=x",
        "?site_id=hostile&page_url=javascript%3Aalert(1)", "?site_id=hostile&page_title=" + "x" * 1_025,
        "?site_id=hostile&page_title=" + "%F0%9F%91%9F" * 1_000, "?" + "&".join(["site_id=hostile"] * 500),
        "?site_id=hostile&page_title=jane%2540gmail.com", "?site_id=hostile&event_id=x", "?" + "a=1&" * 1_000,
    ]  # fmt: skip
    for query in queries:
        connection.request("GET", "/collect.gif" + query)
        reply = connection.getresponse()
        body = reply.read()
        if reply.status == 200:
            assert body.startswith(b"GIF89a"), query
        else:
            assert 400 <= reply.status < 500, (query, body)
            assert json.loads(body).keys() == {"code", "message", "details"}, query
    connection.close()


def test_strings_of_every_kind_are_stored_as_sent(stack: Stack, client: httpx.Client) -> None:
    """Every script, control, format and private character, in every text field, escaped in JSON or not."""
    sent: dict[str, dict[str, Any]] = {}
    for ascii_only in (True, False):
        for source, path in PATHS.items():
            events = [
                texts_event("hostile-strings", source, sample, f"{ascii_only}{number}")
                for number, sample in enumerate(SAMPLES)
            ]
            body = json.dumps({"events": events}, ensure_ascii=ascii_only).encode()
            reply = client.post(f"{path}/batch", content=body)
            assert reply.status_code == 200, reply.text
            rejected = [receipt for receipt in reply.json()["receipts"] if receipt["outcome"] != "ACCEPTED"]
            assert not rejected
            sent |= {event["event_id"]: event for event in events}
    assert_stored(stack, "hostile-strings", sent)


def test_pixel_stores_strings_of_every_kind(stack: Stack, client: httpx.Client) -> None:
    """The query of an image is no worse a way than JSON."""
    sent: dict[str, dict[str, Any]] = {}
    for number, sample in enumerate(SAMPLES):
        event = texts_event("hostile-pixel", "browser", sample, str(number))
        query = {name: value for name, value in event.items() if isinstance(value, str)}
        reply = client.get("/collect.gif", params=query)
        assert reply.status_code == 200, (sample, reply.text)
        sent[event["event_id"]] = query
    assert_stored(stack, "hostile-pixel", sent)


def assert_answered(reply: httpx.Response, allowed: set[int], case: str) -> None:
    """One of these statuses, and JSON of the right shape; a batch refuses its events one by one."""
    said = f"{case}: {reply.status_code} {reply.text[:300]}"
    answer = reply.json()
    is_rejected = all(one["outcome"] == "REJECTED" for one in answer.get("receipts", [{"outcome": ""}]))
    assert (400 if is_rejected else reply.status_code) in allowed, said
    if reply.status_code == 200:
        assert "receipt" in answer or answer["receipts"], said
    else:
        assert answer.keys() == {"code", "message", "details"}, said
        assert answer["code"] == 3, said
        assert answer["message"], said


def body_with(path: str, members: bytes) -> bytes:
    """A good request whose event has more members, written after the good ones."""
    source = "browser" if path.startswith("/collect") else "server"
    good = {key: value for key, value in EVENTS[source].items() if key not in {"metadata", "properties"}}
    _, before, after = TARGETS[path]
    return before + as_json(good)[:-1] + b"," + members + b"}" + after


def member(name: bytes, text: bytes) -> bytes:
    """A text member with these bytes between its quotes."""
    return b'"%s":"%s"' % (name, text)


def struct_member(name: bytes, value: bytes) -> bytes:
    """A struct that holds this value."""
    return b'"%s":{"a":%s}' % (name, value)
