"""Microseconds per call of what runs for every event before it is accepted: python bench/validators.py."""

import timeit
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.json_format import Parse
from google.protobuf.struct_pb2 import Struct

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers
from qrumb_server.enrich.email import contains_email, redact_emails
from qrumb_server.model import Caller, RawEvent, Source
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.pipeline.struct_json import StructLimits, canonical_json
from qrumb_server.pipeline.validate import validate
from tests.support.reading import judge_text

_REPEATS = 7
_SECONDS_PER_REPEAT = 0.1
_TEN_KB = 10_240

# Each makes a detector look as often or as long as it can.
_HOSTILE = (
    "@", "a@b.zz ", "a@" + "a." * 126, "x***a@b.co ", "git@b.co:x ", "v@1.2.co ", "//a:b@b.co/ ", "%41", "%2540",
    "&#65;", "&#38;#65;", "\\", "\\n", "a\u200b", "a@\u0301", "\u0301\u0316", "㌀", "a@b.c\u200bq\u200b ", "a。", "a.",
    "_", "a@b-c.d-e.f_g ",
)  # fmt: skip


def microseconds(call: Callable[[], object]) -> float:
    """The fastest of several runs: what the code costs, not what else the machine does."""
    timer = timeit.Timer(call)
    once = max(timer.timeit(1), 1e-7)
    number = max(1, int(_SECONDS_PER_REPEAT / once))
    return min(timer.repeat(_REPEATS, number)) / number * 1e6


def _struct(fields: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(fields)
    return struct


def _ten_kb(piece: str) -> str:
    return ("@" + piece * (_TEN_KB // len(piece.encode())))[:_TEN_KB]


def _event_cases() -> Iterator[tuple[str, Callable[[], object]]]:
    core: dict[str, Any] = {
        "site_id": "demo",
        "event_id": "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f",
        "scan_session_id": "scan-1",
    }
    page: dict[str, Any] = {
        "page_url": "https://shop.example/p?id=1",
        "page_title": "Shop",
        "referrer": "https://search.example/",
    }
    browser = BrowserEvent(**core, consent=Consent.GRANTED, event_type="pageview", **page)
    with_metadata = BrowserEvent()
    with_metadata.CopyFrom(browser)
    with_metadata.metadata.update({"campaign": "spring", "position": 3})
    server = ServerEvent(**core, event_name="purchase")
    server.conversion_value.CopyFrom(ConversionValue(amount=49.90, currency="EUR"))
    known = ServerEvent()
    known.CopyFrom(server)
    known.user_identifiers.CopyFrom(UserIdentifiers(email_hash="a1" * 32, external_id="u-1"))
    known.properties.update({"order": "A-17", "items": 3})
    for name, source, message in (
        ("validate, small browser event", Source.BROWSER, browser),
        ("validate, the same with 2 keys of metadata", Source.BROWSER, with_metadata),
        ("validate, small server event", Source.SERVER, server),
        ("validate, the same with identifiers and 2 keys of properties", Source.SERVER, known),
    ):
        raw = RawEvent(source=source, message=message, caller=Caller(), index=0)
        yield name, lambda raw=raw: validate(raw)


def _email_cases() -> Iterator[tuple[str, Callable[[], object]]]:
    prose = "the quick brown fox jumps over it, 12 345.00 EUR; " * 300
    url = "https://shop.example/p?utm_source=a%20b&utm_medium=c%20d&x=1#top" * 3
    payload = f'{{"note":"{prose[:8000]}","mail":"ana@posteo.de","next":"%2Fu%3Fe%3Dtom%2540fastmail.com"}}'
    yield "contains_email, clean, 160 B", lambda: contains_email(prose[:160])
    yield "contains_email, clean, 10 KB", lambda: contains_email(prose[:_TEN_KB])
    yield "contains_email, clean Japanese, 10 KB", lambda: contains_email("日本語テキスト。" * 427)
    yield "contains_email, URL with escapes, 160 B", lambda: contains_email(url[:160])
    yield "contains_email, handle", lambda: contains_email("follow @ana.lopez on the way to the shop")
    yield "contains_email, address", lambda: contains_email("write to ana@posteo.de, please")
    yield "contains_email, address in a URL", lambda: contains_email("https://shop.example/?e=ana%2540posteo.de")
    yield "redact_emails, 8 KB with two addresses", lambda: redact_emails(payload)
    texts = [_ten_kb(piece) for piece in _HOSTILE]
    worst = max(texts, key=lambda text: microseconds(lambda: contains_email(text)))
    yield f"contains_email, worst hostile, 10 KB ({worst[1:12]!a}...)", lambda: contains_email(worst)


def _struct_cases() -> Iterator[tuple[str, Callable[[], object]]]:
    five = {"campaign": "spring", "position": 3, "score": 2.5, "is_new": True, "variant": "b"}
    items = [
        {"id": n, "sku": f"sku-{n}", "qty": n % 5, "price": 9.99 + n, "ok": n % 2 == 0, "tags": ["a", "b"]}
        for n in range(94)
    ]
    limits, wide = StructLimits(), StructLimits(max_values=1_000)
    cases: dict[str, tuple[dict[str, Any], Any]] = {
        "canonical_json, 5 keys": (five, limits),
        "canonical_json, 30 keys": ({f"key_{n}": f"value {n}" if n % 3 else n for n in range(30)}, limits),
        "canonical_json, 5 keys with a handle": (five | {"variant": "@ana"}, limits),
        "canonical_json, 200 texts of 40 B": ({f"key_{n}": f"{n:040}" for n in range(200)}, limits),
        "canonical_json, 8 KB nested, 849 values": ({"items": items}, wide),
        "canonical_json, 8 KB nested, refused at 512 values": ({"items": items}, limits),
        "canonical_json, one text of 9 KB": ({"note": "x" * 9_000}, limits),
        "canonical_json, 1 MB": ({"note": "x" * 1_000_000}, limits),
    }
    for name, (fields, case_limits) in cases.items():
        struct = _struct(fields)
        yield name, lambda struct=struct, case_limits=case_limits: canonical_json(struct, case_limits)


def _strict_cases() -> Iterator[tuple[str, Callable[[], object]]]:
    small = (
        b'{"site_id":"demo","event_id":"0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e10","event_time":"2026-11-01T10:20:31Z",'
        b'"scan_session_id":"scan-1","consent":"GRANTED","event_type":"pageview","page_url":"https://shop.example/",'
        b'"page_title":"Shop","metadata":{"campaign":"autumn","position":3,"price":49.90}}'
    )
    arrival = Arrival(received_time_ms=1_793_530_000_000, retention_ms=34_560_000_000, make_event_id=lambda _: "made")
    raw = RawEvent(source=Source.BROWSER, message=Parse(small, BrowserEvent()), caller=Caller(), index=0)
    yield "judge, small event", lambda: judge([raw], arrival)
    texts = {
        "small event": small,
        "small event with a typo": small.replace(b"page_url", b"pageurl"),
        "512 KiB, numbers": b'{"metadata":{"a":[' + b"0," * 262_000 + b"0]}}",
        "512 KiB, objects": b'{"metadata":{"a":[' + b"{}," * 174_000 + b"0]}}",
        "512 KiB, unknown fields": b"{" + b",".join(b'"k%d":0' % number for number in range(45_000)) + b"}",
        "512 KiB, open brackets": b"[" * 524_288,
    }
    for name, text in texts.items():
        yield f"judge_text, {name}", lambda text=text: judge_text(text, Source.BROWSER, arrival)


def main() -> None:
    for cases in (_event_cases(), _email_cases(), _struct_cases(), _strict_cases()):
        for name, call in cases:
            print(f"{name:72} {microseconds(call):10.2f} µs")


if __name__ == "__main__":
    main()
