"""One trace from the gateway to the loaded batch, sent to a real receiver; one that is away costs no event."""

import json
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from qrumb.v1.collector_service_pb2 import CollectServerEventRequest
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.otlp import Receiver, receiving_traces
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = pytest.mark.stack

GATEWAY, COLLECTOR, LOADER = "qrumb-gateway", "qrumb-collector", "qrumb-loader"
METHOD = "qrumb_server.wire.v1.JsonCollectorService/CollectBrowserEvent"
CALLER = "c0ffee00c0ffee00"
# Of a visitor: nothing of it may be in a span.
PERSONAL = {
    "address": "203.0.113.77",
    "agent": "Mozilla/5.0 (X11; rv:142.0) Firefox/142.0",
    "email": "jane@mail.example",
    "page": "page-of-jane",
    "query": "query-of-jane",
    "state": "state-of-jane",
    "client trace": "client-trace-of-jane",
    "cluster": "cluster-of-jane",
    "host": "host-of-jane.example",
    "path": "path-of-jane",
    "type": "type-of-jane",
}
HEADERS = {
    "user-agent": PERSONAL["agent"],
    "x-forwarded-for": PERSONAL["address"],
    "tracestate": f"who={PERSONAL['state']}",
    "x-client-trace-id": PERSONAL["client trace"],
    "x-envoy-downstream-service-cluster": PERSONAL["cluster"],
    "referer": f"https://shop.example/{PERSONAL['page']}",
    "host": PERSONAL["host"],
}


def traceparent(trace_id: str, flags: str = "01") -> str:
    """As a caller's tracing library writes it."""
    return f"00-{trace_id}-{CALLER}-{flags}"


def test_traces_lead_from_the_gateway_to_the_loaded_batch(tmp_path: Path) -> None:
    """One node for all of it, the receiver's absence last."""
    with receiving_traces() as receiver:
        settings = {
            "QRUMB_TRACES__ENDPOINT": receiver.endpoint,
            "QRUMB_WORKERS": "1",
            "QRUMB_GATEWAY__ACCESS_LOG": "true",
            "QRUMB_GATEWAY__TRUSTED_HOPS": "1",
        }
        with running_stack(tmp_path / "data", **settings) as stack:
            look_at_a_call_over_http(stack, receiver)
            look_at_a_direct_call(stack, receiver)
            for what, text in PERSONAL.items():
                assert text.encode() not in receiver.image, what
            look_at_calls_without_a_receiver(stack, receiver)
            assert stack.stop() == 0
    lines = [json.loads(line) for line in stack.log().splitlines() if line.startswith("{")]
    # Of each process one, whatever its number of tries; and the gateway has nothing to say of it.
    silent = [line["process"] for line in lines if line.get("event") == "traces_not_sent"]
    assert sorted(silent) == ["loader", "worker-0"]
    assert {line.get("level") for line in lines if line.get("process") == "gateway"} <= {"warning"}
    assert sum(line.get("process") == "gateway" for line in lines) <= 1  # its word on the end
    assert {line["trace_id"] for line in lines if line.get("route") == "/collect"} >= {"a1" * 16, "a2" * 16}


def look_at_a_call_over_http(stack: Stack, receiver: Receiver) -> None:
    """An accepted event, a rejected one, and one whose caller does not trace."""
    trace_id = "a1" * 16
    event = {"site_id": "traced", "event_type": "click", "page_url": f"https://shop.example/{PERSONAL['page']}"}
    headers = {**HEADERS, "traceparent": traceparent(trace_id)}
    with stack.http() as client:
        answer = client.post(f"/collect?from={PERSONAL['query']}", json=event, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-trace-id"] == trace_id
        for path in (f"/{PERSONAL['path']}", f"/v1/sites/{PERSONAL['path']}/funnel"):
            of_grpc = {"content-type": f"application/grpc+{PERSONAL['type']}", "traceparent": traceparent("a5" * 16)}
            client.post(f"{path}?q={PERSONAL['query']}", content=b"x", headers={**headers, **of_grpc})
    wait_until(lambda: len(receiver.of(GATEWAY, "a5" * 16)) == 2)
    stack.wait_for_rows(1, "site_id = 'traced'")
    [stored] = receiver.wait_for(LOADER, trace_id, "stored")
    [gateway] = receiver.wait_for(GATEWAY, trace_id, "/collect")
    call, append = receiver.wait_for(COLLECTOR, trace_id, METHOD, "spool.append")
    assert gateway.span.parent_span_id.hex() == CALLER
    assert call.span.parent_span_id == gateway.span.span_id
    assert append.span.parent_span_id == stored.span.parent_span_id == call.span.span_id
    assert call.attributes == {
        "rpc.system.name": "grpc",
        "rpc.method": METHOD,
        "rpc.response.status_code": "OK",
    }
    [to_batch] = stored.span.links
    [batch] = receiver.wait_for(LOADER, to_batch.trace_id.hex(), "load")
    assert [(link.trace_id, link.span_id) for link in batch.span.links] == [(call.span.trace_id, call.span.span_id)]
    assert batch.attributes == {"qrumb.events": 1, "qrumb.segments": 1}

    trace_id = "a2" * 16
    wrong = {"site_id": "traced", "metadata": {"mail": PERSONAL["email"]}}
    with stack.http() as client:
        answer = client.post("/collect", json=wrong, headers={**HEADERS, "traceparent": traceparent(trace_id)})
        assert answer.status_code == 400
        [info] = [one for one in answer.json()["details"] if one["@type"].endswith("ErrorInfo")]
        assert info["metadata"]["trace_id"] == trace_id
        unwanted = client.post("/collect", json=event, headers={"traceparent": traceparent("a3" * 16, "00")})
        assert unwanted.headers["x-trace-id"] == "a3" * 16
    [call, _append] = receiver.wait_for(COLLECTOR, trace_id, METHOD, "spool.append")
    assert call.attributes["rpc.response.status_code"] == "INVALID_ARGUMENT"
    receiver.wait_for(LOADER, trace_id, "stored")


def look_at_a_direct_call(stack: Stack, receiver: Receiver) -> None:
    """Without the gateway; the caller reads its trace's id in the error."""
    trace_id = "a4" * 16
    with grpc.insecure_channel(stack.grpc_target) as channel:
        collector = CollectorServiceStub(channel)
        named = (("traceparent", traceparent(trace_id)),)
        event = ServerEvent(site_id="traced", event_name="lead", scan_session_id="s")
        collector.CollectServerEvent(CollectServerEventRequest(event=event), metadata=named)
        with pytest.raises(grpc.RpcError) as refused:
            collector.CollectServerEvent(CollectServerEventRequest(), metadata=named)
    info = ErrorInfo()
    status = rpc_status.from_call(cast(Any, refused.value))
    assert status is not None
    assert [info.metadata["trace_id"] for detail in status.details if detail.Unpack(info)] == [trace_id]
    receiver.wait_for(LOADER, trace_id, "stored")
    # Not the one whose caller had decided against it.
    assert receiver.of(GATEWAY, "a3" * 16) == receiver.of(COLLECTOR, "a3" * 16) == []


def look_at_calls_without_a_receiver(stack: Stack, receiver: Receiver) -> None:
    """It hangs, then it is gone: events are taken and loaded all the same."""

    def send(number: int) -> None:
        with stack.http() as client:
            for index in range(number):
                headers = {"traceparent": traceparent(f"{index + 1:032x}")}
                event = {"site_id": "lonely", "event_type": "click"}
                assert client.post("/collect", json=event, headers=headers).status_code == 200

    receiver.waiting.clear()
    receiver.answers.clear()
    send(20)
    stack.wait_for_rows(20, "site_id = 'lonely'")
    assert receiver.waiting.wait(60)
    receiver.stop()
    wait_until(lambda: stack.log().count('"traces_not_sent"') == 2, 60)
    send(20)
    stack.wait_for_rows(40, "site_id = 'lonely'")
