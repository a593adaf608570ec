"""What a new user sends by curl, and the answer: its status, its reason, and the words that help."""

import gzip
import json
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any, Final

import pytest

from tests.support.patience import patient
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

PAGE: Final = '{"site_id":"demo","event_type":"click"%s}'
SALE: Final = '{"site_id":"demo","scan_session_id":"s","event_name":"purchase"%s}'
NO_JSON: Final = ("INVALID_JSON", "EVENT_REJECTED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """A call and what its answer says."""

    path: str = "/collect"
    method: str = "POST"
    body: str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    says: tuple[str, ...] = ()
    """Reasons, paths and words, all of them in the answer."""


MISTAKES: Final = {
    "misspelt": Mistake(body=PAGE % ',"page_ur":"https://a.example/"', says=("UNKNOWN_FIELD", "`page_url`")),
    "money at the top": Mistake(
        path="/server-events", body=SALE % ',"amount":12,"currency":"EUR"', says=("MISPLACED_FIELD", "conversion_value")
    ),
    "no amount": Mistake(
        path="/server-events",
        body=SALE % ',"conversion_value":{"currency":"EUR"}',
        status=400,
        says=("REQUIRED", "conversion_value.amount"),
    ),
    "a phone number": Mistake(
        path="/server-events", body=SALE % ',"properties":{"phone":"0660"}', says=("MISPLACED_FIELD", "phone_hash")
    ),
    "Java's ZonedDateTime": Mistake(body=PAGE % ',"event_time":"{now}+01:00[Europe/Vienna]"', says=('"warnings":[]',)),
    "Java's LocalDateTime": Mistake(body=PAGE % ',"event_time":"{now}"', says=("TIME_INTERPRETED", "read as UTC")),
    "Java's Date": Mistake(
        body=PAGE % ',"event_time":"Sun Nov 29 10:20:30 CET 2026"', status=400, says=("event_time", "20:30Z")
    ),
    "trailing comma": Mistake(body=PAGE % ",", status=400, says=(*NO_JSON, "column 40 (byte 39)", "comma")),
    "half a pair": Mistake(body=PAGE % ',"page_title":"a\\ud83d"', status=400, says=("page_title", "surrogate")),
    "equal keys": Mistake(body=PAGE % ',"event_type":"x"', status=400, says=("DUPLICATE_KEY", "event_type")),
    "metadata as text": Mistake(body=PAGE % ',"metadata":"{}"', status=400, says=("metadata", "must be an object")),
    "mark of UTF-8": Mistake(body=b"\xef\xbb\xbf" + (PAGE % "").encode(), says=("ACCEPTED",)),
    "UTF-16": Mistake(body=(PAGE % "").encode("utf-16"), status=400, says=(*NO_JSON, "is UTF-16")),
    "Latin-1": Mistake(body=(PAGE % ',"page_title":"Süß"').encode("latin-1"), status=400, says=("byte 54", "Latin-1")),
    "charset": Mistake(body=PAGE % "", headers={"content-type": "application/json; charset=UTF-8"}, says=("ACCEPTED",)),
    "no type": Mistake(body=PAGE % "", headers={"content-type": ""}, says=("ACCEPTED",)),
    "a form": Mistake(body="site_id=demo&event_type=click", status=400, says=(*NO_JSON, "line 1, column 1")),
    "gzip": Mistake(
        body=gzip.compress(b"{}"), headers={"content-encoding": "gzip"}, status=415, says=("BODY_COMPRESSED",)
    ),
    "gzip, unsaid": Mistake(body=gzip.compress(b"{}"), status=400, says=(*NO_JSON, "is gzip")),
    "GET": Mistake(method="GET", status=405, says=("METHOD_NOT_ALLOWED",)),
    "slash at the end": Mistake(path="/collect/", body=PAGE % "", status=404, says=("PATH_UNKNOWN", "slash")),
    "nothing": Mistake(status=400, says=(*NO_JSON, "is empty")),
    "two events": Mistake(body=PAGE % "" + "\n" + PAGE % "", status=400, says=(*NO_JSON, "line 2, column 1")),
    "a list": Mistake(body=f"[{PAGE % ''}]", status=400, says=(*NO_JSON, "is a list", "/batch")),
    "a batch": Mistake(body=f'{{"events":[{PAGE % ""}]}}', status=400, says=("INVALID_JSON", "/batch")),
    "a request of gRPC": Mistake(body=f'{{"event":{PAGE % ""}}}', status=400, says=("INVALID_JSON", "at the top")),
    "an event for a batch": Mistake(
        path="/collect/batch", body=PAGE % "", status=400, says=("BATCH_UNREADABLE", "no list of events")
    ),
    "a list for a batch": Mistake(
        path="/collect/batch", body=f"[{PAGE % ''}]", status=400, says=("BATCH_UNREADABLE", "is not a batch: send")
    ),
    "a misspelt replay": Mistake(
        path="/v1/sites/demo/replay-rejected-events",
        body='{"event":"e","validate_only":true}',
        status=400,
        says=("JSON_MISMATCH", "UNKNOWN_FIELD", "`event_id`", "nothing was done"),
    ),
    "an export with a member twice": Mistake(
        path="/v1/sites/demo/export-subject",
        body='{"user_id":"a","user_id":"b"}',
        status=400,
        says=("JSON_MISMATCH", "DUPLICATE_KEY", "user_id"),
    ),
    "null in a batch": Mistake(
        path="/collect/batch", body=f'{{"events":[{PAGE % ""},null]}}', says=("ACCEPTED", "REJECTED", "is null")
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_the_answer_helps(stack: Stack, mistake: Mistake) -> None:
    body = mistake.body
    if isinstance(body, str):
        body = body.replace("{now}", datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")).encode()
    headers = {"content-type": "application/json", **mistake.headers}
    with closing(connected(stack)) as connection:
        connection.request(mistake.method, mistake.path, body, {name: said for name, said in headers.items() if said})
        reply = connection.getresponse()
        text = reply.read().decode()
    assert reply.status == mistake.status, text
    answer: Any = json.loads(text)
    assert reply.status == 200 or answer.keys() == {"code", "message", "details"}
    plain = json.dumps(answer, ensure_ascii=False, separators=(",", ":")) + str(answer.get("message"))
    for words in mistake.says:
        assert words in plain, (words, plain)


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.0\r\ncontent-length: 39\r\n\r\n{body}",
        "HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n27\r\n{body}\r\n0\r\n\r\n",
    ],
    ids=["HTTP/1.0", "chunked"],
)
def test_old_and_piecewise_callers_are_served(stack: Stack, head: str) -> None:
    """nginx speaks HTTP/1.0 to what is behind it, unless told otherwise."""
    with closing(connected(stack)) as connection:
        connection.sock.sendall(f"POST /collect {head.format(body=PAGE % '')}".encode())
        with connection.sock.makefile("rb") as reply:
            status = reply.readline()
    assert b" 200 " in status


def connected(stack: Stack) -> HTTPConnection:
    """A connection to the gateway."""
    connection = HTTPConnection(stack.url.removeprefix("http://"), timeout=patient(20))
    connection.connect()
    return connection
