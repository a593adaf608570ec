"""The validators through the real gateway: a verdict for every body, and nothing stored."""

import json
import subprocess
from typing import Any

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody

from qrumb.v1.receipt_pb2 import EventReceipt, Violation
from qrumb.v1.validator_service_pb2 import ValidateBrowserEventRequest, ValidateServerEventRequest
from qrumb.v1.validator_service_pb2_grpc import ValidatorServiceStub
from tests.support.patience import patient
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

BROWSER = "/validate/browser-event"
SERVER = "/validate/server-event"
COLLECT = {BROWSER: "/collect", SERVER: "/server-events"}
LIMIT = 128 * 1024


def validated(stack: Stack, path: str, body: bytes) -> dict[str, Any]:
    """The answer, which is OK whatever the verdict."""
    with stack.http() as client:
        reply = client.post(path, content=body)
    assert reply.status_code == 200, reply.text[:500]
    answer: dict[str, Any] = reply.json()
    return answer


def found(answer: dict[str, Any]) -> list[tuple[str, str]]:
    """Field and reason of each violation."""
    assert answer["receipt"]["outcome"] == "REJECTED"
    assert "row" not in answer
    return [(violation["field"], violation["reason"]) for violation in answer["receipt"]["violations"]]


def settled(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the times that are those of its receipt."""
    return {name: value for name, value in row.items() if value != row["received_time"]}


def test_typo_is_found_with_curls_own_content_type(stack: Stack) -> None:
    """`curl -d` says that it sends a form; the text is taken all the same, and the typo is named."""
    event = '{"site_id": "strict", "event_type": "e", "pageurl": "https://shop.example/"}'
    done = subprocess.run(
        ["curl", "-sS", "-d", event, f"{stack.url}{BROWSER}"],
        capture_output=True,
        text=True,
        timeout=patient(20),
        check=True,
    )
    answer = json.loads(done.stdout)
    [warning] = answer["receipt"]["warnings"]
    assert (warning["field"], warning["code"]) == ("pageurl", "UNKNOWN_FIELD")
    assert warning["description"].endswith("did you mean `page_url`?")


@pytest.mark.parametrize(
    ("path", "members"),
    [
        (BROWSER, '"event_type":"e"'),
        (BROWSER, '"eventType":"e","pageUrl":"https://a.example/","device":{"screenWidth":"1024","screen_height":1e3}'),
        (
            BROWSER,
            '"event_type":"e","consent":"gRANTED","event_time":"2026-11-01T10:20:60.5+02:00","metadata":null,"device":{}',
        ),
        (
            BROWSER,
            '"event_type":"e","consent":"1","event_time":{"seconds":"1793528460","nanos":5},"page_title":"a\\u0000\\/b"',
        ),
        (BROWSER, '"event_type":"e","consent":2.0,"event_time":"0001-01-01T00:00:00Z","referrer":null'),
        (
            BROWSER,
            '"event_type":"e","metadata":{"b":[null,-0,-0.0,0.1,9007199254740992,1e22],"":{"":[]},"\\ud83d\\ude00":true}',
        ),
        (SERVER, '"scan_session_id":"x","event_name":"e","conversion_value":{"amount":"49.90","currency":"EUR"}'),
        (SERVER, '"scan_session_id":"x","event_name":"e","conversion_value":{"amount":12.345,"currency":"EUR"}'),
        (SERVER, '"scan_session_id":"x","event_name":"e","user_identifiers":{"external_id":"u"},"properties":{"a":1}'),
    ],
)
def test_what_collecting_takes_has_the_same_row(stack: Stack, path: str, members: str) -> None:
    """Column by column the answer of a dry run, the fingerprint of the message included."""
    body = ('{"site_id":"strict","event_id":"0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f",' + members + "}").encode()
    strict = validated(stack, path, body)
    plain = validated(stack, f"{COLLECT[path]}?validate_only=true", body)
    assert strict["receipt"]["outcome"] == plain["receipt"]["outcome"] == "VALIDATED"
    assert strict["receipt"]["warnings"] == plain["receipt"]["warnings"]
    assert settled(strict["row"]) == settled(plain["row"])


def test_all_faults_come_at_once(stack: Stack) -> None:
    """What is wrong with the text, and what collecting would say."""
    body = b'{"site_id":5,"event_name":"e","evnet_id":"x","properties":{"a":1,"a":9007199254740993},"client_ip":"x"}'
    assert found(validated(stack, SERVER, body)) == [
        ("site_id", "INVALID_JSON"),
        ("properties.a", "DUPLICATE_KEY"),
        ("scan_session_id", "REQUIRED"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"site_id=s&event_type=e",
        b"null",
        b"[" * 100_000,
        b'{"a":' * 26_000,
        b'{"metadata":' + b'{"a":' * 60 + b"1" + b"}" * 61,
        b'{"x":' + b'{"a":' * 800 + b"1" + b"}" * 801,
        b'{"event_id":"' + b"<" * (LIMIT - 15) + b'"}',
        b'{"metadata":{"a":[' + b"0," * 65_000 + b"0]}}",
        b'{"metadata":{"a":' + b"9" * 130_000 + b"}}",
        b"{" + b",".join(b'"<%d>":1e999' % number for number in range(8_000)) + b"}",
        b'{"event_time":{"seconds":253402300800}}',
        b'{"site_id":"\\ud800"}',
    ],
    ids=lambda body: f"{len(body)}-{body[:12]!r}",
)
def test_hostile_body_is_rejected_and_harms_no_other_call(stack: Stack, body: bytes) -> None:
    """OK with a verdict, never 5xx, and the next caller is served."""
    assert found(validated(stack, BROWSER, body))
    assert validated(stack, BROWSER, b'{"site_id":"s","event_type":"view"}')["receipt"]["outcome"] == "VALIDATED"


def test_body_over_the_limit_is_refused(stack: Stack) -> None:
    """By the gateway over HTTP, by the service over gRPC; the largest that fits gets its verdict."""
    with stack.http() as client:
        assert client.post(BROWSER, content=b" " * (LIMIT + 1)).status_code == 413
    assert found(validated(stack, BROWSER, b" " * LIMIT)) == [("", "INVALID_JSON")]
    with grpc.insecure_channel(stack.grpc_target) as channel:
        stub = ValidatorServiceStub(channel)
        large = ValidateBrowserEventRequest(body=HttpBody(data=b" " * (LIMIT + 1)))
        for answer, reason in (
            (stub.ValidateBrowserEvent(large, timeout=patient(10)), Violation.TOO_LARGE),
            (stub.ValidateServerEvent(ValidateServerEventRequest(), timeout=patient(10)), Violation.INVALID_JSON),
        ):
            assert answer.receipt.outcome == EventReceipt.REJECTED
            assert [violation.reason for violation in answer.receipt.violations] == [reason]


def test_nothing_is_stored(stack: Stack) -> None:
    """Neither a row nor a dead letter: an event that was sent later is there first."""
    validated(stack, BROWSER, b'{"site_id":"strict-nothing","event_type":"validated"}')
    validated(stack, BROWSER, b'{"site_id":"strict-nothing","consent":99}')
    with stack.http() as client:
        client.post("/collect", json={"site_id": "strict-nothing", "event_type": "collected"})
    stack.wait_for_rows(1, "site_id = 'strict-nothing'")
    assert stack.count("site_id = 'strict-nothing' AND event_type = 'collected'") == 1
    assert stack.count("site_id = 'strict-nothing'", "invalid_events") == 0
