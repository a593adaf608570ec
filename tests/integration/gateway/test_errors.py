"""Whatever goes wrong, the answer is JSON as of google.rpc.Status, says what to do and tells nothing of the inside."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.support.backends import Answer, break_down, hang, refuse_full, reject
from tests.support.envoy_process import Gateway, running_gateway, until
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS

pytestmark = pytest.mark.envoy

INSIDE = (".sock", "upstream", "envoy", "Envoy", "grpc_json", "reset reason", "Connection refused")

# name, method, path, body, headers, status, code, part of the message
ERRORS: list[tuple[str, str, str, str | bytes, dict[str, str], int, int, str]] = [
    ("half an object", "POST", "/collect", '{"site_id"', {}, 400, 3, "does not fit this path: Unexpected end"),
    ("no JSON", "POST", "/collect", "site_id=demo", {}, 400, 3, "does not fit this path"),
    ("bad UTF-8", "POST", "/collect", b'{"site_id":"\xff"}', {}, 400, 3, "does not fit this path"),
    ("gzip without saying so", "POST", "/collect", b"\x1f\x8b\x08\x00", {}, 400, 3, "does not fit this path"),
    ("a list", "POST", "/collect", "[1]", {}, 400, 3, "does not fit this path"),
    ("wrong type", "POST", "/collect", '{"site_id":5}', {}, 400, 3, "event.site_id: invalid value 5"),
    ("wrong enum", "POST", "/collect", '{"consent":"maybe"}', {}, 400, 3, "event.consent: invalid value"),
    ("wrong time", "POST", "/collect", '{"event_time":"noon"}', {}, 400, 3, "event.event_time"),
    ("too deep", "POST", "/collect", '{"metadata":' + '{"a":' * 200 + "1" + "}" * 201, {}, 400, 3, "too deep"),
    ("one of a batch", "POST", "/collect/batch", '{"events":[{},{"site_id":5}]}', {}, 400, 3, "nothing of this batch"),
    (
        "which of a batch",
        "POST",
        "/server-events/batch",
        '{"events":[{},{"site_id":5}]}',
        {},
        400,
        3,
        "events[1].site_id",
    ),
    ("unknown parameter", "GET", "/v1/sites/a/tail?nope=secret", "", {}, 400, 3, 'Could not find field "nope"'),
    ("unknown filter", "GET", "/v1/sites/a/tail?nope=1", "", {}, 400, 3, 'Could not find field "nope"'),
    ("bad number", "GET", "/v1/sites/a/tail?limit=many", "", {}, 400, 3, "does not fit this path"),
    ("hidden slash", "POST", "/collect%2Fbatch", "{}", {}, 400, 3, "not a valid HTTP request"),
    ("unknown path", "GET", "/nope", "", {}, 404, 5, "no such path"),
    ("root", "GET", "/", "", {}, 404, 5, "no such path"),
    ("beyond a path", "POST", "/collect/batch/x", "{}", {}, 404, 5, "no such path"),
    ("unknown list", "GET", "/v1/sites/a/nope", "", {}, 404, 5, "no such path"),
    ("GET for POST", "GET", "/collect", "", {}, 405, 12, "does not take this method"),
    ("DELETE", "DELETE", "/scan-sessions", "", {}, 405, 12, "does not take this method"),
    ("POST for GET", "POST", "/healthz", "{}", {}, 405, 12, "does not take this method"),
    ("single too large", "POST", "/collect", " " * (128 * 1024 + 1), {}, 413, 3, "131,072 bytes"),
    ("batch too large", "POST", "/collect/batch", " " * (4 * 1024 * 1024 + 1), {}, 413, 3, "4,194,304 for a batch"),
    ("gzip", "POST", "/collect", "{}", {"content-encoding": "gzip"}, 415, 3, "compressed bodies are not taken"),
    ("JSON to gRPC", "POST", "/qrumb.v1.QueryService/TailEvents", "{}", {}, 415, 3, "gRPC and gRPC-Web only"),
    ("long header", "POST", "/collect", "{}", {"x-long": "x" * 20_000}, 431, 3, "at most 16 KiB"),
    ("many headers", "POST", "/collect", "{}", {f"x-{n}": "1" for n in range(70)}, 431, 3, "64 headers"),
    ("long URL", "GET", "/collect.gif?page_title=" + "x" * 20_000, "", {}, 431, 3, "the URL included"),
]


REASONS = {
    400: {"JSON_MISMATCH", "HTTP_MALFORMED"},
    404: {"PATH_UNKNOWN"},
    405: {"METHOD_NOT_ALLOWED"},
    413: {"BODY_TOO_LARGE"},
    415: {"BODY_COMPRESSED", "GRPC_ONLY"},
    431: {"HEADERS_TOO_LARGE"},
}


def info(reason: str) -> dict[str, Any]:
    """The detail that names a reason and where it is explained."""
    url = f"https://qrumb.dev/errors#{reason.lower()}"
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "qrumb", "metadata": {"help_url": url}}


def assert_error(reply: httpx.Response, status: int, code: int, text: str) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/json"
    body: dict[str, Any] = reply.json()
    assert sorted(body) == ["code", "details", "message"]
    assert body["code"] == code
    assert text.lower() in body["message"].lower()
    assert not [word for word in INSIDE if word in reply.text]
    return body


@pytest.fixture
async def transcoding() -> AsyncIterator[Gateway]:
    """A gateway that reads the JSON of events too, so that the table has what its transcoder refuses."""
    async with running_gateway(json_events="transcode") as gateway:
        yield gateway


async def test_every_refusal_of_the_gateway_is_json_with_a_useful_text(transcoding: Gateway) -> None:
    for name, method, path, body, headers, status, code, text in ERRORS:
        async with httpx.AsyncClient(
            base_url=transcoding.http.base_url,
            timeout=patient(20),
            verify=NO_TLS,
        ) as client:  # a refused body closes the connection
            reply = await client.request(method, path, content=body, headers=headers)
        try:
            [detail] = assert_error(reply, status, code, text)["details"]
            assert detail["reason"] in REASONS[status]
            assert detail == info(detail["reason"])
        except AssertionError as error:
            error.add_note(f"in the case {name!r}")
            raise


async def test_a_wrong_method_is_told_the_right_one(gateway: Gateway) -> None:
    assert (await gateway.http.get("/collect")).headers["allow"] == "POST"
    assert (await gateway.http.head("/healthz")).headers["allow"] == "GET"


async def test_a_broken_request_line_gets_json_too(gateway: Gateway) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.options.http_port)
    writer.write(b"this is not HTTP\r\n\r\n")
    reply = await reader.read()
    writer.close()
    await writer.wait_closed()
    answer = json.loads(reply.partition(b"\r\n\r\n")[2])
    assert (answer["code"], answer["details"]) == (3, [info("HTTP_MALFORMED")])
    assert answer["message"].startswith("not a valid HTTP request")


async def test_a_rejected_event_keeps_its_details(gateway: Gateway) -> None:
    gateway.worker.answer = reject
    body = assert_error(await gateway.http.post("/collect", json={}), 400, 3, "the event breaks 1 rule: ünïcode")
    assert body["details"] == [
        {
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "field_violations": [{"field": "site_id", "description": "is required", "reason": "REQUIRED"}],
        },
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "EVENT_REJECTED",
            "domain": "qrumb",
            "metadata": {},
        },
    ]


async def test_a_full_service_is_429_with_the_time_to_wait_and_is_not_retried(gateway: Gateway) -> None:
    gateway.worker.answer = refuse_full
    reply = await gateway.http.post("/collect", json={})
    body = assert_error(reply, 429, 8, "the spool is full")
    assert body["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": "7s"}]
    assert reply.headers["retry-after"] == "7"
    assert len(gateway.worker.calls) == 1


@pytest.mark.parametrize(
    ("answer", "status", "code", "text"),
    [(break_down, 503, 14, "shutting down"), (hang, 504, 4, "did not answer in time")],
    ids=["unavailable", "hangs"],
)
async def test_a_sick_service(answer: Answer, status: int, code: int, text: str) -> None:
    limits: dict[str, Any] = {"collect_timeout": timedelta(seconds=0.3)} if answer is hang else {}
    async with running_gateway(**limits) as gateway:
        gateway.worker.answer = answer
        reply = await gateway.http.post("/collect", json={})
        assert_error(reply, status, code, text)
        if answer is hang:
            assert reply.headers["retry-after"] == "2"


async def test_a_dead_service_is_503_with_the_time_to_wait(gateway: Gateway) -> None:
    await gateway.worker.stop()
    reply = await gateway.http.post("/collect", json={})
    body = assert_error(reply, 503, 14, "cannot be reached at the moment")
    delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": "2s"}
    assert body["details"] == [info("SERVICE_UNREACHABLE"), delay]
    assert reply.headers["retry-after"] == "2"


async def test_more_requests_at_a_time_than_allowed_are_503() -> None:
    async with running_gateway(max_concurrent_requests=2) as gateway:
        gateway.worker.answer = gateway.worker.wait_until_released
        first = [asyncio.create_task(gateway.http.post("/collect", json={})) for _ in range(2)]
        await gateway.until_stat("cluster.collector.upstream_rq_active", lambda count: count == 2)
        assert_error(await gateway.http.post("/collect", json={}), 503, 14, "try again")
        gateway.worker.release.set()
        assert [reply.status_code for reply in await asyncio.gather(*first)] == [200, 200]


async def test_a_flood_from_one_address_is_429_with_the_time_to_wait() -> None:
    async with running_gateway(requests_per_second=1, request_burst=20) as gateway:
        replies = await asyncio.gather(*(gateway.http.get("/healthz") for _ in range(60)))
        refused = [reply for reply in replies if reply.status_code != 200]
        # One bucket for all of Envoy's threads, which gets one token more for each second that the test takes.
        assert 30 - patient(5) <= len(refused) <= 40
        body = assert_error(refused[0], 429, 8, "too many requests from this address")
        seconds = refused[0].headers["retry-after"]
        assert int(seconds) >= 1
        delay = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": f"{seconds}s"}
        assert body["details"] == [info("ADDRESS_RATE"), delay]


async def test_a_refused_connection_beyond_the_limit_leaves_the_others_alone() -> None:
    async with running_gateway(max_connections=3) as gateway:
        held = [socket.create_connection(("127.0.0.1", gateway.options.http_port)) for _ in range(8)]
        try:

            async def refused() -> bool:
                return sum(is_closed(connection) for connection in held) == 5

            await until(refused)
            assert await gateway.stat("http.public.downstream_cx_active") <= 3
        finally:
            for connection in held:
                connection.close()
        await gateway.until_stat("http.public.downstream_cx_active", lambda count: count == 0)
        assert (await gateway.http.get("/healthz")).status_code == 200


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has ended it; nothing is sent on these."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
