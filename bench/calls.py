"""The calls that are compared: one event and a hundred, of browsers and of backends, as protobuf and as JSON.

A template is the bytes of one call in which the digits behind MARK are an event's id; a generator sets them anew. All
forms say the same; the third is that of OpenTelemetry's logs.
"""

import json
import time
from dataclasses import dataclass, replace
from typing import Any, Final

from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent

__all__ = ["AGENT", "BATCH_EVENTS", "CALLS", "DIGITS", "MARK", "SITE", "Call", "sample_event"]

MARK: Final = "0192f0c1-7e1a-7c3d-9b1e-"
DIGITS: Final = 12
SITE: Final = "bench"
BATCH_EVENTS: Final = 100
EXPORT_LOGS: Final = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
AGENT: Final = (
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Mobile Safari/537.36"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One of the four."""

    name: str
    events: int
    method: str
    path: str
    grpc: bytes
    json: bytes
    logs: bytes
    """The same events as log records of OpenTelemetry."""

    def answer_of(self, content: bytes) -> Message:
        """Of the RPC."""
        name = self.method.rpartition("/")[2]
        kind = ExportLogsServiceResponse if self.method == EXPORT_LOGS else getattr(pb, f"{name}Response")
        answer: Message = kind.FromString(content)
        return answer

    def is_taken(self, said: str) -> bool:
        """Whether an answer says so of every event; OpenTelemetry's says how many were not."""
        if self.method == EXPORT_LOGS:
            return "rejected_log_records" not in said
        return said.count("ACCEPTED") == self.events

    def as_logs(self) -> "Call":
        """The same for OpenTelemetry's collector, by gRPC."""
        return replace(self, method=EXPORT_LOGS, grpc=self.logs)


def _browser_event(number: int) -> dict[str, Any]:
    """A pageview as the tag sends it."""
    return {
        "site_id": SITE,
        "event_id": f"{MARK}{number:0{DIGITS}x}",
        "event_type": "pageview",
        "page_url": "https://shop.example/products/42?utm_source=poster",
        "page_title": "Shoes, size 42",
        "referrer": "https://search.example/",
        "scan_session_id": f"scan-{number % 97}",
        "consent": "GRANTED",
        "metadata": {"campaign": "autumn", "variant": "b", "language": "en", "scroll": 0.5},
    }


def _server_event(number: int) -> dict[str, Any]:
    """A purchase as a shop's backend sends it, of a visitor who let it say who bought."""
    return {
        "site_id": SITE,
        "event_id": f"{MARK}{number:0{DIGITS}x}",
        "event_name": "purchase",
        "scan_session_id": f"scan-{number % 97}",
        "consent": "GRANTED",
        "user_identifiers": {"external_id": f"customer-{number % 89}"},
        "conversion_value": {"amount": 49.9, "currency": "EUR"},
        "properties": {"order": "A-1042", "items": 3, "coupon": "autumn"},
        "client_ip": f"203.0.113.{number % 200}",
        "user_agent": AGENT,
    }


def _call(kind: str, events: int) -> Call:
    make, path = (_browser_event, "/collect") if kind == "Browser" else (_server_event, "/server-events")
    made = [make(number) for number in range(events)]
    name = f"Collect{kind}Event"
    body: dict[str, Any] = {"event": made[0]}
    content = made[0]
    if events > 1:
        name, path = f"BatchCollect{kind}Events", f"{path}/batch"
        body = {"events": made}
        content = body
    request: Message = getattr(pb, f"{name}Request")()
    return Call(
        name=f"{kind.lower()}, {'single' if events == 1 else f'batch of {events}'}",
        events=events,
        method=f"/qrumb.v1.CollectorService/{name}",
        path=path,
        grpc=ParseDict(body, request).SerializeToString(),
        json=json.dumps(content, separators=(",", ":")).encode(),
        logs=_logs(made),
    )


def _logs(events: list[dict[str, Any]]) -> bytes:
    """As an application would log them: each field an attribute."""
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for event in events:
        record = records.add(time_unix_nano=time.time_ns())
        for name, value in event.items():
            record.attributes.add(key=name, value=_any_value(value))
    return request.SerializeToString()


def _any_value(value: Any) -> AnyValue:
    match value:
        case str():
            return AnyValue(string_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
    made = AnyValue()
    for name, inner in value.items():
        made.kvlist_value.values.add(key=name, value=_any_value(inner))
    return made


CALLS: Final = tuple(_call(kind, events) for kind in ("Browser", "Server") for events in (1, BATCH_EVENTS))


def sample_event() -> BrowserEvent:
    """The single event of browsers."""
    return pb.CollectBrowserEventRequest.FromString(CALLS[0].grpc).event
