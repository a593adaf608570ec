"""Whatever is sent to a running node, as JSON through the gateway or over gRPC: never 5xx, never a hang."""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from qrumb.v1 import collector_service_pb2
from tests.support.examples import examples
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack, running_stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(3_600)]

REQUESTS: Final = int(os.environ.get("FUZZ_REQUESTS", examples(800)))
AT_ONCE: Final = 16
PATHS: Final = (
    "/collect", "/collect/batch", "/server-events", "/server-events/batch", "/validate/browser-event",
    "/validate/server-event", "/collect?validate_only=true", "/server-events/batch?validate_only=x", "/scan-sessions",
)  # fmt: skip
METHODS: Final = ("CollectBrowserEvent", "BatchCollectBrowserEvents", "CollectServerEvent", "BatchCollectServerEvents")
TOLD: Final = {"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}
NAMES: Final = (
    "site_id", "event_id", "event_time", "event_type", "event_name", "page_url", "pageUrl", "metadata", "properties",
    "device", "conversion_value", "user_identifiers", "consent", "client_ip", "amount", "currency", "events",
    "validate_only", "", "x",
)  # fmt: skip
LEAVES: Final = (
    None, True, 0, -1, 1.5, 2**53 + 1, 10**400, "", "demo", "granted", "2026-11-01T10:20:30Z", "https://a.example/?b=c",
    "EUR", "\ud800", "\u0000", "a@b.example", "e" * 3_000,
)  # fmt: skip
INTEGERS: Final = (0, 1, 2, -1, 127, 2**31 - 1, -(2**31), 2**32 - 1, 2**53 + 1, 2**63 - 1, -(2**63), 10**9)
DOUBLES: Final = (0.0, -0.0, 1.5, -5.0, 1e300, 5e-324, 2.0**53, float("nan"), float("inf"), float("-inf"))
TEXTS: Final = (
    *(leaf for leaf in LEAVES if isinstance(leaf, str) and leaf != "\ud800"),
    "granted", "Mozilla/5.0", "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f", "a" * 64, "\U0001f45f" * 40, "203.0.113.9",
)  # fmt: skip
PIECES: Final = (
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"\\ud800",
    b"\xff",
    b"\x00",
    b"0",
    b"-",
    b"e",
    b"NaN",
    b" ",
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A node of its own, that lets one address send as fast as it can."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    rates = {"QRUMB_GATEWAY__REQUESTS_PER_SECOND": "1000000", "QRUMB_GATEWAY__REQUEST_BURST": "1000000"}
    with running_stack(folder / "data", **rates, QRUMB_WORKERS="2") as stack:
        yield stack


def value(draw: random.Random, depth: int) -> Any:
    """Any JSON value, mostly made of what an event is made of."""
    kind = draw.random()
    if depth == 0 or kind < 0.6:
        return draw.choice(LEAVES)
    if kind < 0.75:
        return [value(draw, depth - 1) for _ in range(draw.randrange(4))]
    return {draw.choice(NAMES): value(draw, depth - 1) for _ in range(draw.randrange(6))}


def body(draw: random.Random, path: str) -> bytes:
    """An event or a batch, whole, damaged, or bytes at random."""
    event = {"site_id": "demo", "event_type": "e", "event_name": "e", "scan_session_id": "s", **value_of_names(draw)}
    sent: Any = {"events": [event, value(draw, 3)]} if path.endswith("batch") else event
    text = json.dumps(sent if draw.random() < 0.8 else value(draw, 5), ensure_ascii=draw.random() < 0.9).encode(
        errors="surrogatepass"
    )
    while draw.random() < 0.5:
        place = draw.randrange(len(text) + 1)
        text = text[:place] + draw.choice(PIECES) * draw.choice((1, 1, 1, 300)) + text[place + draw.randrange(3) :]
    return text if draw.random() < 0.95 else draw.randbytes(draw.randrange(200))


def value_of_names(draw: random.Random) -> dict[str, Any]:
    """Some fields with values that may not be theirs."""
    return {draw.choice(NAMES): value(draw, 4) for _ in range(draw.randrange(5))}


def fill(draw: random.Random, message: Message, depth: int) -> None:
    """Sets fields at random, each to a value of its type that may not be one of its meaning."""
    for field in message.DESCRIPTOR.fields:
        if draw.random() < 0.3 or (depth == 0 and field.message_type is not None):
            continue
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            fill(draw, getattr(message, field.name)[draw.choice(NAMES)], depth - 1)
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            for child in [inner.add() for _ in range(draw.randrange(4))] if field.is_repeated else [inner]:
                child.SetInParent()
                fill(draw, child, depth - 1)
        else:
            setattr(message, field.name, scalar(draw, field))


def scalar(draw: random.Random, field: Any) -> Any:
    """A value that the field's type can hold."""
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            return draw.choice(TEXTS)
        case FieldDescriptor.CPPTYPE_BOOL:
            return draw.random() < 0.5
        case FieldDescriptor.CPPTYPE_DOUBLE:
            return draw.choice(DOUBLES)
        case FieldDescriptor.CPPTYPE_UINT32:
            return draw.choice(INTEGERS) % 2**32
        case FieldDescriptor.CPPTYPE_INT64:
            return draw.choice(INTEGERS)
        case _:
            return draw.choice([number for number in INTEGERS if -(2**31) <= number < 2**31])


def message(draw: random.Random, method: str) -> bytes:
    """A request made of fields at random, whole or damaged, or bytes at random."""
    if draw.random() < 0.2:
        return b"\x0a" + bytes([draw.randrange(128)]) + draw.randbytes(draw.randrange(120))
    request: Message = getattr(collector_service_pb2, f"{method}Request")()
    fill(draw, request, 6)
    sent = bytearray(request.SerializeToString())
    while sent and draw.random() < 0.2:
        sent[draw.randrange(len(sent))] = draw.randrange(256)
    return bytes(sent)


async def test_no_request_is_an_internal_error_or_hangs(node: Stack) -> None:
    """Each answer is there in time, and is a success or the sender's fault."""
    draw = random.Random(int(os.environ.get("FUZZ_SEED", "1")))
    waiting = iter(range(REQUESTS))
    answers: Counter[str] = Counter()
    async with (
        httpx.AsyncClient(base_url=node.url, timeout=60, verify=NO_TLS) as client,
        grpc.aio.insecure_channel(node.grpc_target) as channel,
    ):

        async def send() -> None:
            for number in waiting:
                if number % 4:
                    path = draw.choice(PATHS)
                    text = body(draw, path)
                    reply = await client.post(path, content=text)
                    assert reply.status_code < 500, (path, text, reply.text)
                    reply.json()
                    answers[str(reply.status_code)] += 1
                else:
                    await call()

        async def call() -> None:
            method = draw.choice(METHODS)
            sent = message(draw, method)
            try:
                raw: Any = channel.unary_unary(f"/qrumb.v1.CollectorService/{method}")
                await raw(sent, timeout=60)
                told = "OK"
            except grpc.aio.AioRpcError as error:
                told = error.code().name
            assert told in TOLD, (method, sent, told)
            answers[told] += 1

        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    assert answers.total() == REQUESTS
    assert {"200", "400", "OK", "INVALID_ARGUMENT"} <= answers.keys()
    print(dict(answers))
