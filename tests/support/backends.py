"""A backend for gateway tests: the contract's services on a unix socket, recording what arrives, failing on demand.

As a program (`python backends.py SOCKET [hang]`) it is a worker that a test can kill.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from qrumb.v1 import (
    collector_service_pb2,
    collector_service_pb2_grpc,
    privacy_service_pb2,
    privacy_service_pb2_grpc,
    query_service_pb2,
    query_service_pb2_grpc,
    receipt_pb2,
    replay_service_pb2,
    replay_service_pb2_grpc,
    scan_session_service_pb2,
    scan_session_service_pb2_grpc,
    status_service_pb2,
    status_service_pb2_grpc,
    validator_service_pb2,
    validator_service_pb2_grpc,
)
from qrumb_server.model import Source
from qrumb_server.reading.body import read_batch, read_items, read_single
from qrumb_server.reading.scans import batch_of_scans, pieces_of_scans, read_scan, read_scans
from qrumb_server.reading.text import NotJsonError
from qrumb_server.rpc.json_opening import JSON_KINDS
from qrumb_server.rpc.json_requests import JSON_REQUEST_SERVICE, JSON_REQUESTS, with_body

__all__ = [
    "PIXEL",
    "SERVICE",
    "Answer",
    "Backend",
    "Call",
    "accept",
    "break_down",
    "cancel",
    "hang",
    "refuse_full",
    "reject",
]

PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c000000000100010000020144003b")
SERVICE = "qrumb.v1.CollectorService"
JSON_SERVICE = "qrumb_server.wire.v1.JsonCollectorService"

Context = Any  # grpc.aio.ServicerContext, whose stubs want four type arguments for nothing
Answer = Callable[[Context], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as the backend saw it."""

    method: str
    request: Message
    metadata: dict[str, str | bytes]
    seconds_left: float | None
    peer: str


async def accept(context: Context) -> None:
    """Let the call succeed."""


async def hang(context: Context) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def break_down(context: Context) -> None:
    """UNAVAILABLE, as a worker that is going away says."""
    await context.abort(grpc.StatusCode.UNAVAILABLE, "shutting down")


async def cancel(context: Context) -> None:
    """CANCELLED, as gRPC's server says by itself to a call that reaches it while it stops."""
    await context.abort(grpc.StatusCode.CANCELLED, "")


async def reject(context: Context) -> None:
    """INVALID_ARGUMENT with everything that the contract promises for a rejected event."""
    violation = BadRequest.FieldViolation(field="site_id", description="is required", reason="REQUIRED")
    details = [BadRequest(field_violations=[violation]), ErrorInfo(reason="EVENT_REJECTED", domain="qrumb")]
    await context.abort_with_status(_rich(INVALID_ARGUMENT, "the event breaks 1 rule: ünïcode", details))


async def refuse_full(context: Context) -> None:
    """RESOURCE_EXHAUSTED, as a full spool says."""
    status = _rich(RESOURCE_EXHAUSTED, "the spool is full", [RetryInfo(retry_delay=Duration(seconds=7))])
    # The status object's own metadata is what is sent; the context's would be lost.
    metadata = (*status.trailing_metadata, ("retry-after", "7"))
    await context.abort_with_status(_Status(status.code, status.details, metadata))


@dataclass
class Backend:
    """One process of the node, as far as the gateway can tell. Serves every service of the contract."""

    answer: Answer = accept
    receipts: list[receipt_pb2.EventReceipt] = field(default_factory=lambda: [_receipt()])
    calls: list[Call] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    checks: health.aio.HealthServicer = field(default_factory=health.aio.HealthServicer)
    server: grpc.aio.Server | None = None

    async def start(self, socket: Path | str) -> None:
        """Serve on a unix socket."""
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", 64 << 20), ("grpc.max_metadata_size", 1 << 16)]
        )
        services = _Services(self)
        collector_service_pb2_grpc.add_CollectorServiceServicer_to_server(services, server)
        privacy_service_pb2_grpc.add_PrivacyServiceServicer_to_server(services, server)
        replay_service_pb2_grpc.add_ReplayServiceServicer_to_server(services, server)
        query_service_pb2_grpc.add_QueryServiceServicer_to_server(services, server)
        scan_session_service_pb2_grpc.add_ScanSessionServiceServicer_to_server(services, server)
        status_service_pb2_grpc.add_StatusServiceServicer_to_server(services, server)
        validator_service_pb2_grpc.add_ValidatorServiceServicer_to_server(services, server)
        server.add_generic_rpc_handlers([_json_handlers(services), _request_handlers(services)])
        health_pb2_grpc.add_HealthServicer_to_server(self.checks, server)
        await self.checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
        self.server = server

    async def stop(self) -> None:
        """End at once, calls in flight are cancelled; safe to call twice."""
        if self.server is not None:
            await self.server.stop(None)
            self.server = None

    @property
    def last(self) -> Call:
        return self.calls[-1]

    async def wait_until_released(self, context: Context) -> None:
        """An answer: succeed once the test sets `release`."""
        await self.release.wait()

    async def take(self, request: Message, context: Context) -> None:
        """Record the call, then do what the test wants."""
        call = Call(
            method=type(request).__name__.removesuffix("Request"),
            request=request,
            metadata={str(key): value for key, value in context.invocation_metadata()},
            seconds_left=context.time_remaining(),
            peer=context.peer(),
        )
        self.calls.append(call)
        self.started.set()
        await self.answer(context)


class _Services(
    collector_service_pb2_grpc.CollectorServiceServicer,
    privacy_service_pb2_grpc.PrivacyServiceServicer,
    replay_service_pb2_grpc.ReplayServiceServicer,
    query_service_pb2_grpc.QueryServiceServicer,
    scan_session_service_pb2_grpc.ScanSessionServiceServicer,
    status_service_pb2_grpc.StatusServiceServicer,
    validator_service_pb2_grpc.ValidatorServiceServicer,
):
    """Every RPC of the contract with the shortest answer that can be recognised."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def CollectBrowserEvent(
        self, request: collector_service_pb2.CollectBrowserEventRequest, context: Context
    ) -> Any:
        await self._backend.take(request, context)
        return collector_service_pb2.CollectBrowserEventResponse(receipt=self._backend.receipts[0])

    async def BatchCollectBrowserEvents(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return collector_service_pb2.BatchCollectBrowserEventsResponse(receipts=self._backend.receipts)

    async def CollectServerEvent(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return collector_service_pb2.CollectServerEventResponse(receipt=self._backend.receipts[0])

    async def BatchCollectServerEvents(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return collector_service_pb2.BatchCollectServerEventsResponse(receipts=self._backend.receipts)

    async def StreamServerEvents(self, request_iterator: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async for request in request_iterator:
            await self._backend.take(request, context)
            yield collector_service_pb2.StreamServerEventsResponse(receipts=[_receipt(request.event.event_id)])

    async def CollectPixel(self, request: Any, context: Context) -> HttpBody:
        await self._backend.take(request, context)
        await context.send_initial_metadata((("cache-control", "no-store, private"),))
        return HttpBody(content_type="image/gif", data=PIXEL)

    async def RegisterScanSession(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return scan_session_service_pb2.RegisterScanSessionResponse(scan_session=request.scan_session)

    async def BatchRegisterScanSessions(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return scan_session_service_pb2.BatchRegisterScanSessionsResponse(scan_sessions=request.scan_sessions)

    async def GetScanSession(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return scan_session_service_pb2.GetScanSessionResponse()

    async def ValidateBrowserEvent(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return validator_service_pb2.ValidateBrowserEventResponse(receipt=self._backend.receipts[0])

    async def ValidateServerEvent(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return validator_service_pb2.ValidateServerEventResponse(receipt=self._backend.receipts[0])

    async def GetReceipt(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.GetReceiptResponse(event_id=request.event_id)

    async def ListRejectedEvents(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.ListRejectedEventsResponse()

    async def TailEvents(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.TailEventsResponse()

    async def CountEvents(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.CountEventsResponse()

    async def ListSuspiciousIdentifiers(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.ListSuspiciousIdentifiersResponse()

    async def GetFunnel(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.GetFunnelResponse()

    async def GetAttribution(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.GetAttributionResponse()

    async def GetLedger(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.GetLedgerResponse()

    async def ListAlarms(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return query_service_pb2.ListAlarmsResponse()

    async def ExportSubject(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return privacy_service_pb2.ExportSubjectResponse()

    async def ReplayRejectedEvents(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return replay_service_pb2.ReplayRejectedEventsResponse()

    async def EraseSubject(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return privacy_service_pb2.EraseSubjectResponse(event_count=1)

    async def GetStatus(self, request: Any, context: Context) -> Any:
        await self._backend.take(request, context)
        return status_service_pb2.GetStatusResponse(condition=status_service_pb2.GetStatusResponse.READY)


def _request_handlers(services: _Services) -> grpc.GenericRpcHandler:
    """The methods whose request has its body as one more field."""

    def handler(typed: str) -> Any:
        name = typed.rpartition("/")[2]
        module = replay_service_pb2 if "Replay" in name else privacy_service_pb2
        request, response = getattr(module, f"{name}Request"), getattr(module, f"{name}Response")

        def decode(message: bytes) -> Message:
            decoded: Message = with_body(typed, request.FromString(message))
            return decoded

        return grpc.unary_unary_rpc_method_handler(getattr(services, name), decode, response.SerializeToString)

    handlers = {method.rpartition("/")[2]: handler(typed) for method, typed in JSON_REQUESTS.items()}
    return grpc.method_handlers_generic_handler(JSON_REQUEST_SERVICE, handlers)


def _json_handlers(services: _Services) -> grpc.GenericRpcHandler:
    """The methods that take bodies, answered by the typed ones."""

    def handler(name: str, *, is_batch: bool) -> Any:
        async def take(body: HttpBody, context: Context) -> HttpBody:
            source = Source.SERVER if "Server" in name else Source.BROWSER
            is_scan = "Scan" in name
            request = getattr(scan_session_service_pb2 if is_scan else collector_service_pb2, f"{name}Request")()
            try:
                if is_scan and is_batch:
                    pieces = pieces_of_scans(body.data, most=1_000)
                    for _ in pieces.steps():
                        pass
                    scans = batch_of_scans(body.data, pieces)
                    request.scan_sessions.extend(read.message for read in read_scans(scans))
                elif is_scan:
                    request.scan_session.CopyFrom(read_scan(body.data).message)
                elif is_batch:
                    batch = read_batch(body.data)
                    request.events.extend(read.message for read in read_items(batch, source))
                    request.validate_only = batch.is_dry_run
                else:
                    request.event.CopyFrom(read_single(body.data, source).event.message)
            except NotJsonError as error:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"the body {error}")
            if "validate_only=true" in dict(context.invocation_metadata()).get("x-envoy-original-path", ""):
                request.validate_only = True
            answer = await getattr(services, name)(request, context)
            text = MessageToJson(
                answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, indent=None
            )
            return HttpBody(content_type="application/json", data=text.encode())

        return grpc.unary_unary_rpc_method_handler(take, HttpBody.FromString, HttpBody.SerializeToString)

    names = [kind.typed.rpartition("/")[2] for kind in JSON_KINDS.values()]
    return grpc.method_handlers_generic_handler(
        JSON_SERVICE, {name: handler(name, is_batch=name.startswith("Batch")) for name in names}
    )


@dataclass(frozen=True)
class _Status(grpc.Status):
    code: grpc.StatusCode
    details: str
    trailing_metadata: Any


def _rich(code: int, message: str, details: list[Message]) -> Any:
    packed = []
    for detail in details:
        packed.append(AnyMessage())
        packed[-1].Pack(detail)
    return rpc_status.to_status(Status(code=code, message=message, details=packed))


def _receipt(event_id: str = "7e57ab1e-0000-4000-8000-000000000001") -> receipt_pb2.EventReceipt:
    return receipt_pb2.EventReceipt(event_id=event_id, outcome=receipt_pb2.EventReceipt.ACCEPTED)


async def main(socket: str, answer: Answer) -> None:
    """Serve until killed."""
    backend = Backend(answer=answer)
    await backend.start(socket)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], hang if "hang" in sys.argv[2:] else accept))
