"""The collect calls of a running node over HTTP and gRPC, answered alike: status and JSON as the gateway has them."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help
from grpc_status import rpc_status

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.patience import patient

__all__ = [
    "PATHS",
    "Answer",
    "GrpcCalls",
    "HttpCalls",
    "Verdict",
    "as_json",
    "batch_verdicts",
    "is_uuid",
    "to_message",
    "verdict",
]

PATHS = {"browser": "/collect", "server": "/server-events"}
EVENTS: dict[str, type[BrowserEvent] | type[ServerEvent]] = {"browser": BrowserEvent, "server": ServerEvent}
OK, BAD_REQUEST = 200, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call was answered."""

    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one event was answered, whichever way it came."""

    outcome: str
    event_id: str
    received_time: str
    violations: list[tuple[str, str, str]]
    """Field path, reason, description; in the order of the answer."""
    warnings: list[tuple[str, str, str]]
    row: dict[str, Any] | None


class HttpCalls:
    """JSON through the gateway."""

    name = "http"

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def one(self, source: str, event: Any, *, dry: bool) -> Answer:
        """A single call."""
        return self.post(PATHS[source] + ("?validate_only=true" if dry else ""), as_json(event))

    def batch(self, source: str, events: Sequence[Any], *, dry: bool) -> Answer:
        """A batch call."""
        return self.post(PATHS[source] + "/batch", as_json({"events": events, "validate_only": dry}))

    def post(self, path: str, body: bytes) -> Answer:
        """Any body; the answer must be JSON."""
        reply = self._client.post(path, content=body, headers={"content-type": "application/json"})
        return Answer(status=reply.status_code, body=reply.json())


class GrpcCalls:
    """Protobuf, direct or through the gateway."""

    name = "grpc"

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = CollectorServiceStub(channel)

    def one(self, source: str, event: Any, *, dry: bool) -> Answer:
        """A single call."""
        message = to_message(source, event)
        if isinstance(message, BrowserEvent):
            browser = pb.CollectBrowserEventRequest(event=message, validate_only=dry)
            return _answer(self._stub.CollectBrowserEvent, browser)
        return _answer(self._stub.CollectServerEvent, pb.CollectServerEventRequest(event=message, validate_only=dry))

    def batch(self, source: str, events: Sequence[Any], *, dry: bool) -> Answer:
        """A batch call."""
        messages: Any = [to_message(source, event) for event in events]
        if source == "browser":
            browser = pb.BatchCollectBrowserEventsRequest(events=messages, validate_only=dry)
            return _answer(self._stub.BatchCollectBrowserEvents, browser)
        server = pb.BatchCollectServerEventsRequest(events=messages, validate_only=dry)
        return _answer(self._stub.BatchCollectServerEvents, server)


def as_json(value: Any) -> bytes:
    """As a sender writes it: UTF-8, not escaped."""
    return json.dumps(value, ensure_ascii=False).encode()


def to_message(source: str, event: Any) -> BrowserEvent | ServerEvent:
    """The message that the gateway makes of the JSON event."""
    event = dict(event)
    if isinstance(event.get("consent"), str):
        event["consent"] = event["consent"].upper()
    return ParseDict(event, EVENTS[source]())


def verdict(answer: Answer) -> Verdict:
    """The verdict of a single call; checks the shape of an error."""
    if answer.status == OK:
        return _of_receipt(answer.body["receipt"], answer.body.get("row"))
    assert answer.status == BAD_REQUEST, answer
    assert answer.body.keys() == {"code", "message", "details"}, answer
    assert answer.body["code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert answer.body["message"].startswith("event rejected: ")
    bad, info, links = answer.body["details"]
    assert bad["@type"].endswith("/" + BadRequest.DESCRIPTOR.full_name)
    assert info["@type"].endswith("/" + ErrorInfo.DESCRIPTOR.full_name)
    assert (info["reason"], info["domain"]) == ("EVENT_REJECTED", "qrumb")
    assert links["@type"].endswith("/" + Help.DESCRIPTOR.full_name)
    explained = {link["description"] for link in links["links"] if link["url"].endswith(link["description"].lower())}
    assert explained == {violation["reason"] for violation in bad["field_violations"]}
    return Verdict(
        outcome="REJECTED",
        event_id=info["metadata"]["event_id"],
        received_time="",
        violations=_triples(bad["field_violations"], "reason"),
        warnings=[],
        row=None,
    )


def batch_verdicts(answer: Answer) -> list[Verdict]:
    """The verdicts of a batch call, in order."""
    assert answer.status == OK, answer
    receipts = answer.body["receipts"]
    rows = answer.body["rows"] or [None] * len(receipts)
    return [_of_receipt(receipt, row) for receipt, row in zip(receipts, rows, strict=True)]


def is_uuid(text: str) -> bool:
    """Whether it is one in canonical form."""
    return str(uuid.UUID(text)) == text


def _of_receipt(receipt: dict[str, Any], row: dict[str, Any] | None) -> Verdict:
    return Verdict(
        outcome=receipt["outcome"],
        event_id=receipt["event_id"],
        received_time=receipt["received_time"],
        violations=_triples(receipt["violations"], "reason"),
        warnings=_triples(receipt["warnings"], "code"),
        row=row if receipt["outcome"] == "VALIDATED" else None,
    )


def _triples(said: list[dict[str, str]], kind: str) -> list[tuple[str, str, str]]:
    assert all(item["description"] for item in said), said
    return [(item["field"], item[kind], item["description"]) for item in said]


def _answer(call: Any, request: Message) -> Answer:
    try:
        return Answer(status=OK, body=_as_dict(call(request, timeout=patient(20))))
    except grpc.RpcError as error:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is a Call too
        if status is None or error.code() != grpc.StatusCode.INVALID_ARGUMENT:
            raise
        return Answer(status=BAD_REQUEST, body=_as_dict(status))


def _as_dict(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
