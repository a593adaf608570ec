"""The compiled way says yes to ordinary events, and then the very bytes that Python would have made."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.internal.encoder import _VarintBytes
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError, SerializeToJsonError
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.device_pb2 import Device
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers
from qrumb_server.enrich import agent as agents
from qrumb_server.model import Caller, FraudReason, FraudRules, SitePolicy, Source
from qrumb_server.pipeline import consent, context_fields, mark, placeholders, stamp, struct_json, urls, validate
from qrumb_server.pipeline.times import TimeReading
from qrumb_server.reading import usual
from qrumb_server.rpc.hotpath import is_built
from tests.property.pipeline.test_rules_agree import browser_events, server_events
from tests.property.reading.test_two_ways import own_fields, struct
from tests.support.examples import examples
from tests.support.strings import SAMPLES, texts_event
from tests.support.two_ways import AGENT, BATCHES, NOW_MS, Ways, new_compiled
from tests.support.verdict_cases import FILES, load_cases
from tests.unit.pipeline.test_placeholders import HASHED, NAMES, NO_ONE

pytestmark = pytest.mark.skipif(not is_built(), reason="the compiled way is not built: it takes cargo")

GOLDEN = Path(__file__).resolve().parent.parent.parent / "golden"
MESSAGES: dict[Source, Any] = {Source.BROWSER: BrowserEvent, Source.SERVER: ServerEvent}
SECONDS = NOW_MS // 1000
IPAD = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17 Safari/605"
CALLERS = st.sampled_from([
    Caller(user_agent=AGENT, client_ip="192.0.2.1"),
    Caller(user_agent=AGENT, hint_mobile="?1", hint_platform='"Windows"', client_ip="198.51.100.7"),
    Caller(user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)", is_prefetch=True, attempt=2),
    Caller(user_agent=IPAD, client_ip="2001:db8::1"),
    Caller(user_agent="grpc-go/1.66.0"),
    Caller(client_ip="nonsense"),
])  # fmt: skip
POLICIES = st.sampled_from([
    SitePolicy(),
    SitePolicy(default_consent="pending"),
    SitePolicy(default_consent="denied", non_personal_keys=frozenset({"a"})),
    SitePolicy(fraud=FraudRules(ignored_reasons=frozenset({FraudReason.MISSING_AGENT, FraudReason.BOT}))),
    SitePolicy(fraud=FraudRules(max_clock_ahead_ms=1000), retention_ms=86_400_000),
    SitePolicy(session_secrets=("secret", "old")),
])  # fmt: skip
likely_times = st.none() | st.integers(SECONDS - 2 * 86_400, SECONDS + 1200)


def timed(event: Any, seconds: int | None) -> Any:
    """The event at a time that can be true."""
    if seconds is not None:
        event.event_time.seconds, event.event_time.nanos = seconds, 987_654_321
    return event


def check(ways: Ways, event: Any, own: dict[str, Any] | None) -> None:
    """Equal, alone and beside others, as a message and as JSON."""
    source = Source.BROWSER if isinstance(event, BrowserEvent) else Source.SERVER
    if own is not None:
        getattr(event, "metadata" if source is Source.BROWSER else "properties").CopyFrom(struct(own))
    assert not ways.differences([event, ordinary(source, 1), event], source)
    with suppress(ValueError, SerializeToJsonError):  # a time that JSON cannot say
        assert not ways.differences_of_json(written([event, ordinary(source, 1), event]), source)


def written(events: Sequence[Any], *, in_camel_case: bool = False) -> bytes:
    """The body of a batch of them."""
    members = [MessageToDict(event, preserving_proto_field_name=not in_camel_case) for event in events]
    return json.dumps({"events": members}, ensure_ascii=in_camel_case).encode()


@settings(max_examples=examples(600), deadline=None, suppress_health_check=list(HealthCheck))
@given(browser_events, st.none() | own_fields, likely_times, CALLERS, POLICIES)
def test_browser_events_are_equal(
    event: BrowserEvent, own: dict[str, Any] | None, seconds: int | None, caller: Caller, policy: SitePolicy
) -> None:
    """Whatever is near a rule."""
    check(Ways(COMPILED, caller, policy), timed(event, seconds), own)


@settings(max_examples=examples(600), deadline=None, suppress_health_check=list(HealthCheck))
@given(server_events, st.none() | own_fields, likely_times, CALLERS, POLICIES)
def test_server_events_are_equal(
    event: ServerEvent, own: dict[str, Any] | None, seconds: int | None, caller: Caller, policy: SitePolicy
) -> None:
    """Likewise."""
    check(Ways(COMPILED, caller, policy), timed(event, seconds), own)


@settings(max_examples=examples(300), deadline=None)
@given(st.floats(), st.sampled_from(["EUR", "JPY", "BHD", "CLF", "XAU"]), st.integers(0, 6))
def test_amounts_are_equal(amount: float, currency: str, decimals: int) -> None:
    """Any double, and those with few decimals."""
    for worth in (amount, round(amount, decimals) if abs(amount) < 1e13 else amount):
        event = ordinary(Source.SERVER, 1)
        event.conversion_value.CopyFrom(ConversionValue(amount=worth, currency=currency))
        event.properties.update({"worth": worth})
        assert not Ways(COMPILED).differences([event], Source.SERVER)


@settings(max_examples=examples(600), deadline=None)
@given(st.sampled_from(list(Source)), st.integers(0, 400), st.binary(min_size=1, max_size=6), st.integers(0, 6))
def test_damaged_bytes_are_left_or_equal(source: Source, place: int, bytes_: bytes, cut: int) -> None:
    """Bytes that are put into a message in place of others: no panic, and nothing is taken that protobuf refuses."""
    sent = ordinary(source, 1).SerializeToString()
    damaged = sent[:place] + bytes_ + sent[place + cut :]
    try:
        event = MESSAGES[source].FromString(damaged)
    except DecodeError:
        request = BATCHES[source](events=[MESSAGES[source]()]).SerializeToString()[:1]
        request += _VarintBytes(len(damaged)) + damaged
        assert asyncio.run(COMPILED.open(request, source, is_batch=True)) is None
        return
    assert not Ways(COMPILED).differences([event], source)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_call_or_none(request: bytes) -> None:
    """Nothing of the outside raises anything but what Python answers."""
    for source in Source:
        for is_batch in (False, True):
            asyncio.run(COMPILED.open(request, source, is_batch=is_batch))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cases_of_the_verdicts_are_equal(path: Path) -> None:
    """Each event of the tables that a message can hold."""
    ways = Ways(COMPILED)
    for case in load_cases(path, datetime.fromtimestamp(SECONDS, UTC)):
        source = Source(case.source)
        text = json.dumps(case.event).encode()
        assert not ways.differences_of_json(text, source, is_batch=False), case.name
        assert not ways.differences_of_json(b'{"events":[%b]}' % text, source), case.name
        try:
            event = ParseDict(dict(case.event), MESSAGES[source](), ignore_unknown_fields=True)
        except ParseError:
            continue
        assert not ways.differences([event], source), case.name
    assert ways.given


@pytest.mark.parametrize("source", list(Source))
def test_texts_are_equal(source: Source) -> None:
    """Each awkward text, e-mail address and agent in every field that takes it."""
    emails = [line.split("\t") for line in (GOLDEN / "emails.tsv").read_text(encoding="utf-8").splitlines()]
    lines = (GOLDEN / "agents.tsv").read_text(encoding="utf-8").splitlines()
    texts = {*SAMPLES, *(cell for cells in emails for cell in cells), *(line.split("\t")[-1] for line in lines)}
    ways = Ways(COMPILED)
    for text in sorted(texts):
        members = texts_event("demo", source.value, text, "x")
        assert not ways.differences([ParseDict(members, MESSAGES[source]())], source), text
        for is_ascii in (True, False):
            body = json.dumps({"events": [members]}, ensure_ascii=is_ascii).encode()
            assert not ways.differences_of_json(body, source), text
    assert ways.taken > 0.02 * ways.given


def ordinary(source: Source, number: int) -> Any:
    """What most senders send most of the time."""
    core: dict[str, Any] = {
        "site_id": "demo",
        "event_id": "" if number % 7 == 0 else f"0192f0c1-7e1a-7c3d-9b1e-{number:012x}",
        "scan_session_id": f"scan-{number}",
        "consent": (Consent.CONSENT_UNSPECIFIED, Consent.GRANTED, Consent.PENDING)[number % 3],
    }
    event: Any
    if source is Source.BROWSER:
        event = BrowserEvent(
            **core,
            event_type="pageview",
            page_url=f"https://shop.example/Schuhe/{number}?q=gr%C3%BCn%20{number}&utm_source=poster#top",
            page_title=f"Schuhe – Größe {number}",
            referrer="https://search.example/" if number % 2 else "",
            device=Device(type="mobile", language="de-AT", screen_width=390, viewport_height=844, max_touch_points=5),
        )
        event.metadata.update({"campaign": "Herbst", "depth": number / 8, "tags": ["a", {"b": None}], "new": True})
    else:
        event = ServerEvent(
            **core,
            event_name="purchase",
            client_ip=f"203.0.113.{number % 256}",
            user_agent=AGENT,
            user_identifiers=UserIdentifiers(email_hash=f"{number:064x}"[::-1], external_id=f"customer-{number}"),
            conversion_value=ConversionValue(amount=number + 0.95, currency="EUR"),
        )
        event.properties.update({"order": str(number), "items": number, "paid": True})
    return timed(event, SECONDS - number)


@pytest.mark.parametrize("source", list(Source))
def test_ordinary_events_are_taken(source: Source) -> None:
    """Nearly all: "yours" for everything would be equal as well."""
    ways = Ways(COMPILED)
    events = [ordinary(source, number) for number in range(1, 501)]
    assert not ways.differences(events, source)
    for in_camel_case in (True, False):
        assert not ways.differences_of_json(written(events, in_camel_case=in_camel_case), source)
    assert ways.given == 1_500
    assert ways.taken >= 0.95 * ways.given


def test_an_event_with_anything_unknown_is_left() -> None:
    """A field of a later contract: protobuf keeps it, so the fingerprint tells of it."""
    ways = Ways(COMPILED)
    event = BrowserEvent.FromString(ordinary(Source.BROWSER, 1).SerializeToString() + b"\xf8\x01\x01")
    assert not ways.differences([event], Source.BROWSER)
    assert ways.given
    assert not ways.taken


COMPILED: Any = new_compiled() if is_built() else None


# Each just within one of the rules: a field, or one of the sender's own, and its value.
PROBES: dict[Source, list[tuple[str, Any]]] = {
    Source.BROWSER: [
        ("scan_session_id", ""),
        ("event_type", "x" * 128),
        ("page_url", "https://x/" + "y" * 8_182),
        ("page_title", "x" * 1_024),
        ("referrer", "android-app://com.example"),
        ("device.language", "x" * 64),
        ("device.screen_width", 100_000),
        ("device.max_touch_points", 1_000),
        ("device.user_agent", IPAD),
    ],
    Source.SERVER: [
        ("event_name", "x" * 128),
        ("user_identifiers.external_id", "x1" * 128),
        ("user_identifiers.phone_hash", "AB" * 32),
        ("conversion_value.amount", 1e12),
    ],
}
PROBES_OF_BOTH: list[tuple[str, Any]] = [
    ("site_id", "s" * 64),
    ("scan_session_id", "s" * 128),
    ("event_time.seconds", SECONDS + 599),
    ("event_time.seconds", SECONDS - 399 * 86_400),
    ("own", {"text": "x" * 10_200}),
    ("own", {"a": {"b": {"c": {"d": {"e": 1}}}}}),
    ("own", {"many": [1] * 490}),
]


def probes() -> Iterator[tuple[Source, Any]]:
    """Events with one of these."""
    for source in Source:
        for path, value in [*PROBES_OF_BOTH, *PROBES[source]]:
            event = ordinary(source, 5)
            *parents, name = path.split(".")
            if name == "own":
                own = event.metadata if source is Source.BROWSER else event.properties
                own.Clear()
                own.update(value)
            else:
                setattr(reduce(getattr, parents, event), name, value)
            yield source, event
    refund = ordinary(Source.SERVER, 5)
    refund.event_name, refund.conversion_value.amount = "refund", -5
    yield Source.SERVER, refund


def changed(module: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """A mutation of Python alone."""
    return lambda patch: patch.setattr(module, name, value)


def pattern(text: str) -> Callable[[str], object]:
    """As the modules have theirs."""
    return re.compile(text).fullmatch


MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "site": changed(validate, "is_site_id", pattern("[a-z]{1,63}")),
    "event id": changed(validate, "is_uuid", pattern("[0-9a-f-]{35}")),
    "name": changed(validate, "MAX_NAME", 127),
    "session": changed(validate, "MAX_SCAN_SESSION_ID", 127),
    "external id": changed(validate, "MAX_EXTERNAL_ID", 255),
    "hash": changed(validate, "_is_hash", pattern("[0-9a-f]{64}")),
    "amount": changed(validate, "MAX_AMOUNT", 1e11),
    "refund": changed(validate, "REFUND", "return"),
    "currencies": changed(validate, "currency_decimals", lambda: {"EUR": 3}),
    "URL": changed(context_fields, "MAX_URL", 8_000),
    "form of URLs": changed(context_fields, "is_page_url", pattern("https://y.*")),
    "referrer": changed(context_fields, "is_referrer", urls.is_page_url),
    "title": changed(context_fields, "MAX_TITLE", 1_000),
    "screen": changed(context_fields, "MAX_SCREEN", 99_999),
    "touch points": changed(context_fields, "MAX_TOUCH_POINTS", 999),
    "language": changed(context_fields, "MAX_LANGUAGE", 63),
    "bytes of own fields": changed(validate, "STRUCT_LIMITS", replace(validate.STRUCT_LIMITS, max_json_bytes=10_000)),
    "depth of own fields": changed(validate, "STRUCT_LIMITS", replace(validate.STRUCT_LIMITS, max_depth=4)),
    "values of own fields": changed(validate, "STRUCT_LIMITS", replace(validate.STRUCT_LIMITS, max_values=400)),
    "keys of persons": changed(
        validate, "personal_keys", lambda text: [("many", "email_hash")] if "many" in text else []
    ),
    "exact numbers": changed(struct_json, "_EXACT", 2.0),
    "placeholders": changed(validate, "is_placeholder", lambda text: text == "scan-5"),
    "e-mail addresses": changed(context_fields, "redact_url", lambda text: text.replace("utm", "[email]")),
    "consent": changed(consent, "STATED", {}),
    "time ahead": changed(stamp, "MAX_AHEAD_MS", 500_000),
    "marks": changed(mark, "kept_reasons", lambda reasons, _rules: [*reasons, "other"]),
    "mark for no agent": changed(
        stamp, "marks_at_receipt", lambda agent, **_: ["bot"] if agent.device_type == "tablet" else []
    ),
    "iPads": changed(agents, "NEVER_ON_IPAD", frozenset({"Mobile Safari", "Safari"})),
    "fingerprint": changed(stamp, "_fingerprint", lambda _event: 7),
    "columns": changed(stamp, "_copy_fields", lambda _event, row: setattr(row, "site_id", "demo")),
}


def limited(**limits: int) -> Callable[[pytest.MonkeyPatch], None]:
    """Own fields with other limits, wherever they are read."""

    def change(patch: pytest.MonkeyPatch) -> None:
        for module in (usual, validate):
            patch.setattr(module, "STRUCT_LIMITS", replace(validate.STRUCT_LIMITS, **limits))

    return change


# What JSON goes through besides.
MUTATIONS_OF_READING: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "bytes of own fields": limited(max_json_bytes=10_000),
    "depth of own fields": limited(max_depth=4),
    "values of own fields": limited(max_values=400),
    "exact numbers": changed(usual, "usual_text", lambda own, _limits: json.dumps(own, sort_keys=True)),
    "times": changed(usual, "read_time", lambda _text: TimeReading(seconds=SECONDS, nanos=5)),
    "names of consents": changed(usual, "CONSENTS", dict.fromkeys(usual.CONSENTS, Consent.GRANTED)),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_rule_that_is_changed_in_python_alone_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule has an event that shows it."""
    every = list(probes())
    assert not [event for source, event in every if Ways(COMPILED).differences([event], source)]
    caller = Caller(user_agent=AGENT, is_prefetch=name.startswith("mark"))
    MUTATIONS[name](monkeypatch)
    assert [event for source, event in every if Ways(COMPILED, caller).differences([event], source)]


@pytest.mark.parametrize("name", [*MUTATIONS, *MUTATIONS_OF_READING])
def test_it_is_noticed_in_json_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its fields are read by their own rules."""
    every = [(source, written([event])) for source, event in probes()]
    assert not [body for source, body in every if Ways(COMPILED).differences_of_json(body, source)]
    caller = Caller(user_agent=AGENT, is_prefetch=name.startswith("mark"))
    (MUTATIONS | MUTATIONS_OF_READING)[name](monkeypatch)
    assert [body for source, body in every if Ways(COMPILED, caller).differences_of_json(body, source)]


def test_identifiers_are_equal() -> None:
    """Placeholders, names that are near one, hashes of both, and what looks like our own name of a hash."""
    ways = Ways(COMPILED)
    texts = [*NO_ONE, *NAMES, *placeholders.WORDS, *(f"{kind}-{'0f' * 16}" for kind in ("email", "phone", "EMAIL"))]
    hashes = [sha256(text.encode()).hexdigest() for text in [*HASHED, *NAMES]]
    for field, values in {"external_id": texts, "email_hash": hashes, "phone_hash": hashes}.items():
        for value in values:
            event = ordinary(Source.SERVER, 1)
            setattr(event.user_identifiers, field, value)
            assert not ways.differences([event], Source.SERVER), (field, value)
    for source in Source:
        for value in texts:
            event = ordinary(source, 1)
            event.scan_session_id = value
            assert not ways.differences([event], source), value
    assert ways.taken > 3 * len(NAMES)


def test_placeholders_and_hashes_come_from_python() -> None:
    """Words are handed over, not written twice."""
    event = ordinary(Source.SERVER, 1)
    event.user_identifiers.external_id = min(placeholders.WORDS)
    ways = Ways(COMPILED)
    assert not ways.differences([event], Source.SERVER)
    assert not ways.taken
