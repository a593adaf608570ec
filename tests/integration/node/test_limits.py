"""Limits of size on a real node: one set of them by each way in, and no call over them harms a worker."""

import asyncio
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventReceipt
from tests.support.patience import patient
from tests.support.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("unharmed")]

SITE = "limits"
SINGLE, BATCH = "CollectBrowserEvent", "BatchCollectBrowserEvents"
MIB = 1024 * 1024


def event(values: int = 0, **fields: Any) -> BrowserEvent:
    """An event with that many nulls, of four bytes each."""
    made = BrowserEvent(site_id=SITE, event_type="click", **fields)
    if values:
        made.metadata.update({"a": [None] * values})
    return made


def one(made: BrowserEvent) -> bytes:
    return pb.CollectBrowserEventRequest(event=made).SerializeToString()


def many(made: BrowserEvent, number: int) -> bytes:
    return pb.BatchCollectBrowserEventsRequest(events=[made] * number).SerializeToString()


@pytest.fixture(params=["gateway", "direct"])
def target(request: pytest.FixtureRequest, stack: Stack) -> str:
    """Each way in for gRPC."""
    return stack.url.removeprefix("http://") if request.param == "gateway" else stack.grpc_target


async def call(target: str, method: str, message: bytes) -> bytes:
    """The answer's bytes."""
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        ask: Any = channel.unary_unary(f"/qrumb.v1.CollectorService/{method}")
        answer = await ask(message, timeout=patient(60))
        return bytes(answer)


async def refusal(target: str, method: str, message: bytes) -> tuple[grpc.StatusCode, str]:
    """Code and reason of a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(target, method, message)
    info = ErrorInfo()
    details = dict(refused.value.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    for detail in Status.FromString(bytes(details)).details:
        detail.Unpack(info)
    return refused.value.code(), info.reason


@pytest.mark.parametrize("method", [SINGLE, BATCH])
async def test_a_message_over_the_limit_of_a_batch_is_told_so(target: str, method: str) -> None:
    """By the gateway as by the service, and by no code after which a sender tries again."""
    message = one(event(5 * MIB // 4))
    assert await refusal(target, method, message) == (grpc.StatusCode.INVALID_ARGUMENT, "BODY_TOO_LARGE")


async def test_a_message_of_17_mb_is_told_so_by_the_gateway(stack: Stack) -> None:
    gateway = stack.url.removeprefix("http://")
    message = one(event(17 * MIB // 4))
    assert await refusal(gateway, SINGLE, message) == (grpc.StatusCode.INVALID_ARGUMENT, "BODY_TOO_LARGE")


async def test_more_events_than_allowed_are_not_even_counted(target: str) -> None:
    code, reason = await refusal(target, BATCH, b"\x0a\x00" * 2_000_000)
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_MANY_EVENTS")


async def test_an_event_that_is_too_large_costs_its_neighbours_nothing(target: str) -> None:
    events = [event(), event(40_000), event()]
    message = pb.BatchCollectBrowserEventsRequest(events=events).SerializeToString()
    answer = pb.BatchCollectBrowserEventsResponse.FromString(await call(target, BATCH, message))
    outcomes = [receipt.outcome for receipt in answer.receipts]
    assert outcomes == [EventReceipt.ACCEPTED, EventReceipt.REJECTED, EventReceipt.ACCEPTED]


def test_json_that_grows_past_the_limit_is_no_case_for_a_retry(stack: Stack) -> None:
    """It was 429: a number in a list takes two bytes in JSON and eleven as protobuf."""
    one_event = '{"site_id":"limits","event_type":"x","metadata":{"a":[' + ",".join(["0"] * 20_000) + "]}}"
    with stack.http() as client:
        reply = client.post("/collect/batch", content='{"events":[' + ",".join([one_event] * 30) + "]}")
        assert (reply.status_code, "BODY_TOO_LARGE" in reply.text) in {(400, True), (413, True), (200, False)}
        large = client.post("/collect", content=" " * (128 * 1024 + 1))
        assert large.status_code == 413


async def test_beside_the_worst_calls_a_legitimate_one_is_taken(target: str) -> None:
    """Without a worker's end, which `unharmed` looks at."""
    titled = event(page_title="a@1.2 " * 20_000)
    worst = [many(event(32_000), 30), many(event(1_000), 1_000), many(titled, 30), b"\x0a\x00" * 2_000_000]

    async def attack(message: bytes) -> None:
        try:
            await call(target, BATCH, message)
        except grpc.aio.AioRpcError as error:
            expected = {"INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}
            assert error.code().name in expected, error  # noqa: PT017

    attacks = [asyncio.create_task(attack(message)) for message in worst]
    good = one(event())
    while not all(task.done() for task in attacks):
        answer = pb.CollectBrowserEventResponse.FromString(await call(target, SINGLE, good))
        assert answer.receipt.outcome == EventReceipt.ACCEPTED
    await asyncio.gather(*attacks)
