"""gRPC and gRPC-Web pass the gateway as if it were not there."""

import asyncio
import base64
import struct
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from qrumb.v1.collector_service_pb2 import (
    BatchCollectServerEventsRequest,
    CollectServerEventRequest,
    CollectServerEventResponse,
    StreamServerEventsRequest,
)
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.privacy_service_pb2 import EraseSubjectRequest
from qrumb.v1.privacy_service_pb2_grpc import PrivacyServiceStub
from qrumb.v1.query_service_pb2 import TailEventsRequest
from qrumb.v1.query_service_pb2_grpc import QueryServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.replay_service_pb2 import ReplayRejectedEventsRequest
from qrumb.v1.replay_service_pb2_grpc import ReplayServiceStub
from qrumb.v1.scan_session_service_pb2 import GetScanSessionRequest, RegisterScanSessionRequest
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb.v1.status_service_pb2 import GetStatusRequest
from qrumb.v1.status_service_pb2_grpc import StatusServiceStub
from qrumb.v1.validator_service_pb2 import ValidateServerEventRequest
from qrumb.v1.validator_service_pb2_grpc import ValidatorServiceStub
from tests.support.backends import break_down, hang, refuse_full, reject
from tests.support.envoy_process import Gateway, running_gateway
from tests.support.patience import patient

pytestmark = pytest.mark.envoy

Channel = grpc.aio.Channel
ONE_CALL = "/qrumb.v1.CollectorService/CollectServerEvent"


async def test_every_service_of_the_contract_is_reached(gateway: Gateway, channel: Channel) -> None:
    await CollectorServiceStub(channel).CollectServerEvent(CollectServerEventRequest())
    await ScanSessionServiceStub(channel).RegisterScanSession(RegisterScanSessionRequest())
    await ScanSessionServiceStub(channel).GetScanSession(GetScanSessionRequest())
    await ValidatorServiceStub(channel).ValidateServerEvent(ValidateServerEventRequest())
    await QueryServiceStub(channel).TailEvents(TailEventsRequest())
    await PrivacyServiceStub(channel).EraseSubject(EraseSubjectRequest())
    await ReplayServiceStub(channel).ReplayRejectedEvents(ReplayRejectedEventsRequest())
    await StatusServiceStub(channel).GetStatus(GetStatusRequest())
    assert [call.method for call in gateway.worker.calls] == [
        "CollectServerEvent",
        "RegisterScanSession",
        "ValidateServerEvent",
    ]
    assert [call.method for call in gateway.query.calls] == [
        "GetScanSession",
        "TailEvents",
        "EraseSubject",
        "ReplayRejectedEvents",
    ]
    assert [call.method for call in gateway.status.calls] == ["GetStatus"]


async def test_health_is_the_nodes(gateway: Gateway, channel: Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    await gateway.status.checks.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    reply = await health.Check(health_pb2.HealthCheckRequest())
    assert reply.status == health_pb2.HealthCheckResponse.NOT_SERVING
    watching = health.Watch(health_pb2.HealthCheckRequest())
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    await gateway.status.checks.set("", health_pb2.HealthCheckResponse.SERVING)
    assert (await watching.read()).status == health_pb2.HealthCheckResponse.SERVING
    watching.cancel()


async def test_a_stream_goes_both_ways_and_outlives_every_limit_of_a_single_call() -> None:
    short = timedelta(seconds=0.4)
    async with (
        running_gateway(collect_timeout=short, request_timeout=short, stall_timeout=short) as gateway,
        grpc.aio.insecure_channel(gateway.target) as channel,
    ):
        stream = CollectorServiceStub(channel).StreamServerEvents(timeout=patient(60))
        await asyncio.sleep(1)  # nothing sent yet, nothing answered yet
        for event_id in ("first", "second", "third"):
            await stream.write(StreamServerEventsRequest(event=ServerEvent(event_id=event_id)))
            answer = await stream.read()
            assert [receipt.event_id for receipt in answer.receipts] == [event_id]
            await asyncio.sleep(0.5)
        await stream.done_writing()
        assert await stream.code() == grpc.StatusCode.OK


async def test_a_stream_carries_more_than_any_body_limit(gateway: Gateway, channel: Channel) -> None:
    stream = CollectorServiceStub(channel).StreamServerEvents()
    event = ServerEvent(event_name="x" * 100_000)
    for _ in range(60):
        await stream.write(StreamServerEventsRequest(event=event))
        assert (await stream.read()).receipts
    await stream.done_writing()
    assert await stream.code() == grpc.StatusCode.OK


async def test_a_stream_on_which_nothing_moves_is_ended() -> None:
    async with (
        running_gateway(stream_idle_timeout=timedelta(seconds=0.3)) as gateway,
        grpc.aio.insecure_channel(gateway.target) as channel,
    ):
        stream = CollectorServiceStub(channel).StreamServerEvents()
        async with asyncio.timeout(patient(10)):
            assert await stream.code() != grpc.StatusCode.OK


async def test_a_large_native_batch_is_left_to_the_services_own_limit(gateway: Gateway, channel: Channel) -> None:
    batch = BatchCollectServerEventsRequest(events=[ServerEvent(event_name="x" * 3_000_000)])
    assert (await CollectorServiceStub(channel).BatchCollectServerEvents(batch)).receipts


async def failure(channel: Channel) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await CollectorServiceStub(channel).CollectServerEvent(CollectServerEventRequest())
    return caught.value


async def test_rich_errors_pass(gateway: Gateway, channel: Channel) -> None:
    gateway.worker.answer = reject
    error = await failure(channel)
    assert (error.code(), error.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "the event breaks 1 rule: ünïcode")
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    violations = BadRequest()
    status.details[0].Unpack(violations)
    assert violations.field_violations[0].field == "site_id"


async def test_a_full_service_says_when_to_come_back(gateway: Gateway, channel: Channel) -> None:
    gateway.worker.answer = refuse_full
    error = await failure(channel)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert dict(error.trailing_metadata())["retry-after"] == "7"


async def test_a_dead_service_is_unavailable_in_words_and_not_in_json(gateway: Gateway, channel: Channel) -> None:
    await gateway.worker.stop()
    error = await failure(channel)
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert error.details() == "the service cannot be reached at the moment; try again"


async def test_a_service_that_hangs_is_deadline_exceeded() -> None:
    async with (
        running_gateway(collect_timeout=timedelta(seconds=0.2)) as gateway,
        grpc.aio.insecure_channel(gateway.target) as channel,
    ):
        gateway.worker.answer = hang
        assert (await failure(channel)).code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_unavailable_of_the_service_passes_after_the_retries(gateway: Gateway, channel: Channel) -> None:
    gateway.worker.answer = break_down
    error = await failure(channel)
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "shutting down")
    assert len(gateway.worker.calls) == 3


async def test_a_flood_is_resource_exhausted_in_words() -> None:
    async with (
        running_gateway(requests_per_second=1, request_burst=1) as gateway,
        grpc.aio.insecure_channel(gateway.target) as channel,
    ):
        stub = CollectorServiceStub(channel)
        # At once: on a slow machine a second call could come a second later, when one more is allowed.
        calls = [stub.CollectServerEvent(CollectServerEventRequest()) for _ in range(20)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [answer for answer in answers if isinstance(answer, CollectServerEventResponse)]
        error = next(answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert error.details() == "too many requests from this address; slow down and try again"


@pytest.mark.parametrize(
    "method",
    [
        "/qrumb.v1.CollectorService/Nope",
        "/some.Service/Method",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/qrumb_server.wire.v1.SqlService/Query",
        "/collect",
    ],
)
async def test_what_is_not_in_the_contract_is_unimplemented(gateway: Gateway, channel: Channel, method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        call: Any = channel.unary_unary(method)
        await call(b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert not gateway.worker.calls


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
async def test_grpc_web_is_answered(gateway: Gateway, text: bool) -> None:
    message = CollectServerEventRequest(event=ServerEvent(site_id="demo")).SerializeToString()
    frame = b"\x00" + struct.pack(">I", len(message)) + message
    kind = "application/grpc-web-text" if text else "application/grpc-web+proto"
    reply = await gateway.http.post(
        ONE_CALL,
        content=base64.b64encode(frame) if text else frame,
        headers={"content-type": kind, "accept": kind, "origin": "https://shop.example", "x-grpc-web": "1"},
    )
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == "https://shop.example"
    assert gateway.worker.last.metadata["x-http-content-type"] == kind
    # In the text form every part is base64 of its own, so padding may stand in the middle.
    parts = [base64.b64decode(part + "==") for part in reply.text.split("=") if part] if text else [reply.content]
    body = b"".join(parts)
    length = struct.unpack(">I", body[1:5])[0]
    receipt = CollectServerEventResponse.FromString(body[5 : 5 + length]).receipt
    assert receipt.outcome == EventReceipt.ACCEPTED
    assert b"grpc-status:0" in body[5 + length :]


async def test_grpc_web_sees_errors(gateway: Gateway) -> None:
    gateway.worker.answer = reject
    frame = b"\x00" + struct.pack(">I", 0)
    reply = await gateway.http.post(ONE_CALL, content=frame, headers={"content-type": "application/grpc-web+proto"})
    assert reply.headers["grpc-status"] == "3"
    assert "grpc-status-details-bin" in reply.headers
