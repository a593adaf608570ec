"""The text of an event: what is found odd, where, and that nothing is found twice."""

import json

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.struct_pb2 import Struct

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import Rejected, Source, StampedEvent
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reading.body import MAX_EVENT_BYTES
from qrumb_server.reading.event import _EXPECTED, _WRAPPERS, MAX_WARNINGS
from tests.support.reading import judge_text

NOW_MS = 1_793_530_000_000
ARRIVAL = Arrival(received_time_ms=NOW_MS, retention_ms=400 * 86_400_000, make_event_id=lambda _: "made")
Found = list[tuple[str, str]]


def judged(text: str | bytes, source: Source = Source.BROWSER) -> StampedEvent | Rejected:
    """The verdict on a text."""
    return judge_text(text if isinstance(text, bytes) else text.encode(), source, ARRIVAL)


def browser(members: str) -> StampedEvent | Rejected:
    """The verdict on a good browser event with these members more."""
    return judged('{"site_id":"s","event_type":"e",' + members + "}")


def server(members: str) -> StampedEvent | Rejected:
    """The verdict on a good server event with these members more."""
    return judged('{"site_id":"s","scan_session_id":"x","event_name":"purchase",' + members + "}", Source.SERVER)


def found(verdict: StampedEvent | Rejected) -> Found:
    """Field and reason of each violation."""
    assert isinstance(verdict, Rejected)
    return [(violation.field, Violation.Reason.Name(violation.reason)) for violation in verdict.violations]


def warned(verdict: StampedEvent | Rejected) -> Found:
    """Field and code of each warning."""
    assert isinstance(verdict, StampedEvent), verdict
    return [(warning.field, EventWarning.Code.Name(warning.code)) for warning in verdict.warnings]


def advice_of(verdict: StampedEvent | Rejected) -> str:
    """The text of the only warning."""
    assert isinstance(verdict, StampedEvent), verdict
    [warning] = verdict.warnings
    return warning.description


def said(verdict: StampedEvent | Rejected) -> str:
    """The description of the only violation."""
    assert isinstance(verdict, Rejected)
    [violation] = verdict.violations
    return violation.description


def row(verdict: StampedEvent | Rejected) -> EventRow:
    """The row of an event that breaks no rule."""
    assert isinstance(verdict, StampedEvent), verdict
    return verdict.record.accepted_event.row


@pytest.mark.parametrize(
    ("key", "source", "advice"),
    [
        ("pageurl", Source.BROWSER, "did you mean `page_url`?"),
        ("Page_URL", Source.BROWSER, "did you mean `page_url`?"),
        ("side_id", Source.BROWSER, "did you mean `site_id`?"),
        ("conversionvalue", Source.SERVER, "did you mean `conversion_value`?"),
        ("colour", Source.BROWSER, "fields of your own go into `metadata`"),
        ("colour", Source.SERVER, "fields of your own go into `properties`"),
        ("x" * 10_000, Source.BROWSER, "fields of your own go into `metadata`"),
    ],
)
def test_unknown_field_names_the_nearest_or_the_place_for_own_fields(key: str, source: Source, advice: str) -> None:
    """A typo costs one round trip."""
    event = {"site_id": "s", "scan_session_id": "x", "event_name": "lead", "event_type": "e"}
    event.pop("event_type" if source is Source.SERVER else "event_name")
    verdict = judged(json.dumps({**event, key: 1}), source)
    assert [code for _, code in warned(verdict)] == ["UNKNOWN_FIELD"]
    assert advice_of(verdict).endswith(advice)


@pytest.mark.parametrize(
    ("members", "source", "field", "advice"),
    [
        ('"amount":12', Source.SERVER, "amount", "conversion_value"),
        ('"Currency":"EUR"', Source.SERVER, "Currency", "conversion_value"),
        ('"value":12', Source.BROWSER, "value", "conversion_value"),
        ('"user_identifiers":{"email":"x"}', Source.SERVER, "user_identifiers.email", "email_hash"),
        ('"device":{"phone":"+43 660 1234567"}', Source.BROWSER, "device.phone", "phone_hash"),
        ('"userId":"u-1"', Source.SERVER, "userId", "external_id"),
        ('"user_id":"u-1"', Source.BROWSER, "user_id", "external_id"),
        ('"metadata":{"a":1}', Source.SERVER, "metadata", "`properties`"),
        ('"properties":{"a":1}', Source.BROWSER, "properties", "`metadata`"),
        ('"event_name":"purchase"', Source.BROWSER, "event_name", "`event_type`"),
        ('"conversion_value":{"amount":1}', Source.BROWSER, "conversion_value", "only server events"),
    ],
)
def test_a_name_that_means_something_is_told_its_place(members: str, source: Source, field: str, advice: str) -> None:
    """Money and people are missed the most."""
    verdict = browser(members) if source is Source.BROWSER else server(members)
    assert warned(verdict) == [(field, "MISPLACED_FIELD")]
    assert advice in advice_of(verdict)


@pytest.mark.parametrize(
    ("event", "source", "field", "sent_as"),
    [
        ({"side_id": "s", "event_type": "e"}, Source.BROWSER, "site_id", "side_id"),
        ({"site_id": "s", "eventType2": "e"}, Source.BROWSER, "event_type", "eventType2"),
        ({"site_id": "s", "event_name": "e"}, Source.BROWSER, "event_type", "event_name"),
        (
            {"site_id": "s", "scan_sesion_id": "x", "event_name": "lead"},
            Source.SERVER,
            "scan_session_id",
            "scan_sesion_id",
        ),
        (
            {
                "site_id": "s",
                "scan_session_id": "x",
                "event_name": "lead",
                "conversion_value": {"currency": "EUR", "amonut": 5},
            },
            Source.SERVER,
            "conversion_value.amount",
            "conversion_value.amonut",
        ),
    ],
)
def test_a_required_field_that_was_misspelt_is_told_so(
    event: dict[str, object], source: Source, field: str, sent_as: str
) -> None:
    """A rejection has no warnings that could say it."""
    verdict = judged(json.dumps(event), source)
    assert isinstance(verdict, Rejected)
    [violation] = verdict.violations
    assert (violation.field, violation.reason) == (field, Violation.REQUIRED)
    said = f"; the event has `{sent_as}`, which is not one of its fields: did you mean `{field}`?"
    assert violation.description.endswith(said)


def test_a_dry_run_may_be_asked_for_within_the_event() -> None:
    """It is not an unknown field there, and is one anywhere else."""
    assert warned(browser('"validate_only":true')) == []
    assert warned(browser('"device":{"validate_only":true}')) == [("device.validate_only", "UNKNOWN_FIELD")]


def test_unknown_field_is_found_at_any_depth_of_the_contract_and_not_in_own_fields() -> None:
    """metadata belongs to the sender."""
    verdict = browser('"device":{"screen_widht":5,"type":"mobile"},"metadata":{"page_ulr":1}')
    assert warned(verdict) == [("device.screen_widht", "UNKNOWN_FIELD")]
    assert advice_of(verdict).endswith("did you mean `screen_width`?")


def test_of_many_unknown_fields_the_first_are_listed_and_the_others_counted() -> None:
    """So that an answer stays small and nothing is left out without a word."""
    verdict = browser(",".join(f'"unknown_{number}":1' for number in range(MAX_WARNINGS + 7)))
    assert isinstance(verdict, StampedEvent)
    assert len(verdict.warnings) == MAX_WARNINGS + 1
    assert verdict.warnings[-1].description == "7 more warnings of this event are not listed"
    exact = browser(",".join(f'"unknown_{number}":1' for number in range(MAX_WARNINGS)))
    assert len(warned(exact)) == MAX_WARNINGS


def test_camel_case_is_the_same_name() -> None:
    """JSON over protobuf has both spellings; both at once are one key twice."""
    camel = browser('"pageUrl":"https://a.example/","device":{"screenWidth":5}')
    snake = browser('"page_url":"https://a.example/","device":{"screen_width":5}')
    assert row(camel) == row(snake)
    assert found(browser('"pageUrl":"https://a.example/","page_url":"https://b.example/"')) == [
        ("page_url", "DUPLICATE_KEY")
    ]


def test_typo_hides_no_other_fault() -> None:
    """All at once: what the text has wrong and what the rules say."""
    verdict = judged('{"side_id":"s","event_id":"x","page_url":5,"metadata":{"m":"jane@example.org","m":1e999}}')
    assert found(verdict) == [
        ("page_url", "INVALID_JSON"),
        ("metadata.m", "DUPLICATE_KEY"),
        ("site_id", "REQUIRED"),
        ("event_id", "INVALID_UUID"),
        ("event_type", "REQUIRED"),
        ("metadata.m", "NOT_FINITE"),
    ]


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ('"event_type":"f"', "event_type"),
        ('"device":{"type":"a","type":"a"}', "device.type"),
        ('"metadata":{"a":1,"a":1}', "metadata.a"),
        ('"metadata":{"a":[0,{"b c":{"d":1,"d":2}}]}', 'metadata.a[1]["b c"].d'),
        ('"metadata":{"jane@example.org":1,"jane@example.org":2}', "metadata.<key 1>"),
        ('"event_time":{"seconds":1793000000,"seconds":1793000000}', "event_time.seconds"),
    ],
)
def test_same_key_twice_is_found_where_it_is(members: str, path: str) -> None:
    """At any depth; a key that is an address is not repeated."""
    assert (path, "DUPLICATE_KEY") in found(browser(members))


@pytest.mark.parametrize(
    "number",
    [
        "0.1000000000000000055511151231257827",
        "49.900000000000000001",
        "1.00000000000000000001e5",
        "100000000000000000000000.5e-30",
        "1e-400",
    ],
)
def test_number_that_loses_digits_is_said(number: str) -> None:
    """In own fields and in an amount, quoted or not."""
    assert warned(browser(f'"metadata":{{"a":[{number}]}}')) == [("metadata.a[0]", "INEXACT_NUMBER")]
    for spelt in (number, f'"{number}"'):
        verdict = server(f'"conversion_value":{{"amount":{spelt},"currency":"EUR"}}')
        assert ("conversion_value.amount", "INEXACT_NUMBER") in warned(verdict)


@pytest.mark.parametrize(
    "number",
    [
        "9007199254740993", "-9007199254740993", "9223372036854775807", "-9223372036854775808", "18446744073709551615",
        "123456789012345678901234567890", "-123456789012345678901234567890", "1" * 309,
    ],
)  # fmt: skip
def test_whole_numbers_of_own_fields_keep_their_digits(number: str) -> None:
    """As they were sent, whatever a double would make of them; in a double of ours they are said to be rounded."""
    verdict = browser(f'"metadata":{{"b":[{number}],"a":{number}}}')
    assert row(verdict).metadata == f'{{"a":{number},"b":[{number}]}}'
    assert warned(verdict) == []


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" * 310, "1e99999"])
def test_number_that_nothing_can_hold_is_refused(number: str) -> None:
    """One event's fault, not its body's."""
    assert found(browser(f'"metadata":{{"a":[{number}]}}')) == [("metadata.a[0]", "NOT_FINITE")]
    for spelt in (number, f'"{number}"'):
        verdict = server(f'"conversion_value":{{"amount":{spelt},"currency":"EUR"}}')
        assert found(verdict) == [("conversion_value.amount", "OUT_OF_RANGE")]


@pytest.mark.parametrize(
    "number",
    [
        "0", "-0", "-0.0", "0e5", "0.1", "49.90", "1.10e1", "0.30000000000000004", "49.899999999999999", "5e-324",
        "5.960464477539063e-08", "5.960464477539062e-08",
        "9007199254740992", "9007199254740994", "10000000000000000000000", "1e22", "1E+2", "1.7976931348623157e308",
    ],
)  # fmt: skip
def test_number_that_keeps_its_digits_is_fine(number: str) -> None:
    """Up to 17 digits if the double still has them."""
    assert warned(browser(f'"metadata":{{"a":{number}}}')) == []


@pytest.mark.parametrize(
    ("members", "path", "expected"),
    [
        ('"page_title":5', "page_title", "a string"),
        ('"page_title":["a"]', "page_title", "a string"),
        ('"page_title":{}', "page_title", "a string"),
        ('"page_title":true', "page_title", "a string"),
        ('"device":[]', "device", "an object"),
        ('"metadata":[{}]', "metadata", "an object"),
        ('"metadata":"{}"', "metadata", "an object"),
        ('"device":{"screen_width":-1}', "device.screen_width", "whole number"),
        ('"device":{"screen_width":1.5}', "device.screen_width", "whole number"),
        ('"device":{"screen_width":4294967296}', "device.screen_width", "whole number"),
        ('"device":{"screen_width":1e300}', "device.screen_width", "whole number"),
        ('"device":{"screen_width":10000000000000000000000}', "device.screen_width", "whole number"),
        ('"event_time":{"seconds":10000000000000000000000}', "event_time.seconds", "whole number"),
        ('"consent":10000000000000000000000', "consent", "name of a value"),
        ('"device":{"screen_width":"1_0"}', "device.screen_width", "whole number"),
        ('"device":{"screen_width":"1e3"}', "device.screen_width", "whole number"),
        ('"device":{"screen_width":true}', "device.screen_width", "whole number"),
        ('"consent":true', "consent", "name of a value"),
        ('"consent":[]', "consent", "name of a value"),
        ('"event_time":"2026-11-01"', "event_time", "such as 2026"),
        ('"event_time":"2026-02-30T10:20:30Z"', "event_time", "such as 2026"),
        ('"event_time":"2026-11-01T10:20:30+24:00"', "event_time", "such as 2026"),
        ('"event_time":"9999-12-31T23:59:60Z"', "event_time", "such as 2026"),
        ('"event_time":"２026-11-01T10:20:30Z"', "event_time", "such as 2026"),
        ('"event_time":{"seconds":1.5}', "event_time.seconds", "whole number"),
        ('"event_time":{}', "event_time", "such as 2026"),
        ('"event_time":{"year":2026}', "event_time", "such as 2026"),
        ('"event_time":true', "event_time", "such as 2026"),
        ('"metadata":{"a":"\\ud800"}', "metadata.a", "surrogate"),
        ('"metadata":{"\\udfff":1}', 'metadata["?"]', "surrogate"),
        ('"page_title":"\\ud83d"', "page_title", "surrogate"),
    ],
)
def test_value_of_the_wrong_type_says_what_is_expected(members: str, path: str, expected: str) -> None:
    """One violation, with the path."""
    verdict = browser(members)
    assert found(verdict) == [(path, "INVALID_JSON")]
    assert expected in said(verdict)


def test_field_that_could_not_be_read_is_not_missing_too() -> None:
    """One cause, one violation."""
    verdict = judged(
        '{"site_id":5,"scan_session_id":[],"event_name":1,"conversion_value":{"amount":1,"currency":1}}', Source.SERVER
    )
    assert found(verdict) == [
        ("site_id", "INVALID_JSON"),
        ("scan_session_id", "INVALID_JSON"),
        ("event_name", "INVALID_JSON"),
        ("conversion_value.currency", "INVALID_JSON"),
    ]


@pytest.mark.parametrize("value", ['"perhaps"', '"denıed"', "99", "-1", '"-1"'])
def test_unknown_consent_is_answered_by_its_rule(value: str) -> None:
    """The text of the rule says what is allowed."""
    verdict = browser(f'"consent":{value}')
    assert found(verdict) == [("consent", "INVALID_ENUM")]
    assert "granted" in said(verdict)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "is empty"),
        (b" \n ", "is empty"),
        (b"null", "the event is null, not a JSON object"),
        (b'[{"site_id":"s"}]', "the event is a list (several events are a batch"),
        (b"NaN", "line 1, column 1 (byte 0): JSON has neither NaN nor Infinity"),
        (b'{"a":-Infinity}', "line 1, column 7 (byte 6): JSON has neither NaN nor Infinity"),
        (b'{"a":"\\x41"}', "JSON does not know this escape"),
        (b'{"a":0x10}', "decimal numbers only"),
        (b"{a:1}", "names stand in double quotes"),
        (b"{'a':1}", "names and texts stand in double quotes"),
        (b'{"a":1} // x', "the JSON has ended before it"),
        (b'{"a":True}', "JSON writes true, false and null"),
        (b'{"site_id":"s",\n  "a":}', "line 2, column 7"),
        (b'{"site_id":"s",}', "line 1, column 16"),
        (b"{'site_id':'s'}", "line 1, column 2"),
        (b'{"site_id":"s"} x', "line 1, column 17"),
        (b'{"site_id":"a\nb"}', "line 1, column 14"),
        (b'{"site_id":01}', "line 1, column 13"),
        (b'{"site_id":"s"', "line 1, column 15"),
        ('{"site_id":"s"}'.encode("utf-16"), "is UTF-16"),
        ('{"site_id":"s"}'.encode("utf-16-le"), "is UTF-16"),
        ('{"site_id":"s"}'.encode("utf-16-be"), "is UTF-16"),
        ('{"site_id":"s"}'.encode("utf-32"), "is UTF-32"),
        ('{"site_id":"ü"}'.encode("latin-1"), "may be Latin-1"),
        (b"\x1f\x8b\x08", "is gzip"),
        ('{\n"ä":"'.encode() + b'\xff"}', "not UTF-8: see line 2, column 6"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8"),
        (b"[" * 60_000, "nested too deep"),
        (b'{"a":' * 13_000, "nested too deep"),
    ],
)
def test_text_that_is_no_json_object_says_where(text: bytes, expected: str) -> None:
    """One violation for the whole, and an id that can be named in a question."""
    verdict = judged(text)
    assert found(verdict) == [("", "INVALID_JSON")]
    assert expected in said(verdict)
    assert isinstance(verdict, Rejected)
    assert verdict.event_id == "made"


def test_a_text_that_is_too_long_is_not_read() -> None:
    """Its size alone is answered."""
    verdict = judged(b" " * (MAX_EVENT_BYTES + 1))
    assert found(verdict) == [("", "TOO_LARGE")]
    assert "131,072 bytes" in said(verdict)


def test_a_byte_order_mark_is_skipped() -> None:
    """Windows puts it before UTF-8."""
    assert warned(judged(b'\xef\xbb\xbf{"site_id":"s","event_type":"e"}')) == []


def test_deep_nesting_is_refused_and_the_rest_is_judged() -> None:
    """Below the limit of the reader, but above that of the rules, the rule speaks alone."""
    verdict = browser('"metadata":' + '{"a":' * 20 + "1" + "}" * 20)
    assert found(verdict) == [("metadata.a.a.a.a.a", "TOO_DEEP")]
    verdict = browser('"event_id":"x","metadata":' + '{"a":' * 400 + "1" + "}" * 400)
    assert [reason for _, reason in found(verdict)] == ["TOO_DEEP", "INVALID_UUID", "TOO_DEEP"]


@pytest.mark.parametrize(
    ("members", "column", "value"),
    [
        ('"consent":"granted"', "consent", "granted"),
        ('"consent":"gRANTED"', "consent", "granted"),
        ('"consent":1', "consent", "granted"),
        ('"consent":1e0', "consent", "granted"),
        ('"consent":"2"', "consent", "denied"),
        ('"consent":"consent-unspecified"', "consent", ""),
        ('"consent":null', "consent", ""),
        ('"event_time":"2026-11-01T10:20:30.5+02:00"', "event_time", 1_793_521_230_500),
        ('"event_time":"2026-11-01T10:20:60Z"', "event_time", 1_793_528_460_000),
        ('"event_time":{"seconds":"1793528460","nanos":5000000}', "event_time", 1_793_528_460_005),
        ('"event_time":null', "event_time", NOW_MS),
        ('"event_time":""', "event_time", NOW_MS),
        ('"event_time":"2026-11-01t10:20z"', "event_time", 1_793_528_400_000),
        ('"consent":""', "consent", ""),
        ('"device":{"screen_width":""}', "metadata", "{}"),
        ('"device":"","metadata":""', "metadata", "{}"),
        ('"metadata":null', "metadata", "{}"),
        ('"metadata":{}', "metadata", "{}"),
        ('"metadata":{"b":[null,-0,"\\ud83d\\ude00"],"a":{"":true}}', "metadata", '{"a":{"":true},"b":[null,0,"😀"]}'),
        ('"device":{"screen_width":"1024","screen_height":1.0,"viewport_width":"05"}', "metadata", "{}"),
    ],
)
def test_what_protobufs_mapping_takes_is_taken(members: str, column: str, value: object) -> None:
    """Names in any case, numbers as texts, null as absent, leap seconds."""
    stored = getattr(row(browser(members)), column)
    assert (stored.ToMilliseconds() if column == "event_time" else stored) == value


@pytest.mark.parametrize(
    ("money", "missing"),
    [
        ('{"currency":"EUR"}', ["amount"]),
        ('{"currency":"EUR","amount":null}', ["amount"]),
        ('{"currency":"EUR","amount":""}', ["amount"]),
        ('{"amount":0}', ["currency"]),
        ("{}", ["amount", "currency"]),
    ],
)
def test_a_conversion_says_both_its_amount_and_its_currency(money: str, missing: list[str]) -> None:
    """No amount is not 0.00, which has to be said."""
    verdict = server(f'"conversion_value":{money}')
    assert found(verdict) == [(f"conversion_value.{name}", "REQUIRED") for name in missing]
    assert row(server('"conversion_value":{"currency":"EUR","amount":0}')).conversion_value == "0.00"


@pytest.mark.parametrize(("amount", "text"), [('"49.9"', "49.90"), ("1e2", "100.00"), ('"+.5"', "0.50")])
def test_amount_may_be_quoted(amount: str, text: str) -> None:
    """As JSON over protobuf has it."""
    assert row(server(f'"conversion_value":{{"amount":{amount},"currency":"EUR"}}')).conversion_value == text


def test_quoted_infinity_is_answered_by_its_rule() -> None:
    """protobuf's JSON has it, the contract does not."""
    verdict = server('"conversion_value":{"amount":"-Infinity","currency":"EUR"}')
    assert found(verdict) == [("conversion_value.amount", "NOT_FINITE")]


def test_warnings_come_with_a_good_event() -> None:
    """As on a dry run of collecting."""
    verdict = browser('"event_time":1793529000,"nosuch":1')
    assert warned(verdict) == [("event_time", "TIME_INTERPRETED"), ("nosuch", "UNKNOWN_FIELD")]


def test_nothing_of_the_text_is_quoted() -> None:
    """Neither values nor keys that are addresses; and a path stays short."""
    key = "jane@example.org"
    nested = '{"%s":' % ("k" * 60) * 40 + '{"secret":1e999}' + "}" * 40
    verdict = judged(
        f'{{"{key}":{{"{key}":1e400}},"site_id":{{"{key}":1,"{key}":2}},"page_title":["secret"],"x":{nested}}}'
    )
    assert isinstance(verdict, Rejected)
    assert len(found(verdict)) >= 2
    assert "jane" not in str(verdict.violations)
    assert "secret" not in str(verdict.violations)
    assert max(len(field) for field, _ in found(verdict)) < 500


def test_violations_are_bounded() -> None:
    """However many faults a text has."""
    faults = ",".join(f'"k{number}":"\\ud800"' for number in range(4_000))
    assert len(found(browser(faults))) == 50
    assert len(warned(browser(",".join(f'"k{number}":0' for number in range(4_000))))) == MAX_WARNINGS + 1


def test_every_field_of_the_contract_can_be_read() -> None:
    """A field of a new kind needs a line in the tables of the reader."""
    waiting: list[Descriptor] = [BrowserEvent.DESCRIPTOR, ServerEvent.DESCRIPTOR]  # type: ignore[list-item]  # upb's has the same face
    while waiting:
        for field in waiting.pop().fields:
            assert not field.is_repeated, f"{field.full_name}: lists are not read yet"
            assert field.type in _EXPECTED, field.full_name
            if field.message_type is None:
                assert field.enum_type is not None or field.type in _WRAPPERS, field.full_name
            elif field.message_type is not Struct.DESCRIPTOR:
                waiting.append(field.message_type)
