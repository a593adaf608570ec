"""Every call of the contract, with every kind of wrong key, by every way in: refused alike, and nothing is kept."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import Default
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from qrumb.v1 import (
    collector_service_pb2,
    privacy_service_pb2,
    query_service_pb2,
    replay_service_pb2,
    scan_session_service_pb2,
    status_service_pb2,
    validator_service_pb2,
)
from qrumb_server.rpc.access import OPEN, RULES
from tests.integration.access.conftest import Keys
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

FILES = (
    collector_service_pb2,
    privacy_service_pb2,
    query_service_pb2,
    replay_service_pb2,
    scan_session_service_pb2,
    status_service_pb2,
    validator_service_pb2,
)
EVENT = {"site_id": "shop", "scan_session_id": "s", "event_name": "lead"}
SESSION = {"site_id": "shop", "scan_session_id": "s", "qr_code_id": "q"}
EVENT_ID = "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One method that takes a key, as JSON and as gRPC."""

    method: str
    scope: str
    request: dict[str, Any]
    path: str = ""
    body: Any = None


CALLS = (
    Call(method="CollectorService/CollectServerEvent", scope="collect", request={"event": EVENT},
         path="/server-events", body=EVENT),
    Call(method="CollectorService/BatchCollectServerEvents", scope="collect", request={"events": [EVENT, EVENT]},
         path="/server-events/batch", body={"events": [EVENT, EVENT]}),
    Call(method="CollectorService/StreamServerEvents", scope="collect", request={"event": EVENT}),
    Call(method="ScanSessionService/RegisterScanSession", scope="collect", request={"scan_session": SESSION},
         path="/scan-sessions", body=SESSION),
    Call(method="ScanSessionService/BatchRegisterScanSessions", scope="collect", request={"scan_sessions": [SESSION]},
         path="/scan-sessions/batch", body={"scan_sessions": [SESSION]}),
    Call(method="ScanSessionService/GetScanSession", scope="query",
         request={"site_id": "shop", "scan_session_id": "none"}, path="/v1/sites/shop/scan-sessions/none"),
    Call(method="QueryService/GetReceipt", scope="query", request={"site_id": "shop", "event_id": EVENT_ID},
         path=f"/v1/sites/shop/receipts/{EVENT_ID}"),
    *(
        Call(method=f"QueryService/{name}", scope="query", request={"site_id": "shop"}, path=f"/v1/sites/shop/{path}")
        for name, path in (
            ("ListRejectedEvents", "rejected-events"), ("GetLedger", "ledger"), ("TailEvents", "tail"),
            ("CountEvents", "counts"), ("GetFunnel", "funnel"), ("GetAttribution", "attribution"),
            ("ListAlarms", "alarms"), ("ListSuspiciousIdentifiers", "suspicious-identifiers"),
        )
    ),
    Call(method="PrivacyService/EraseSubject", scope="admin", request={"site_id": "shop", "user_id": "nobody"},
         path="/v1/sites/shop/erase-subject", body={"user_id": "nobody"}),
    Call(method="PrivacyService/ExportSubject", scope="admin", request={"site_id": "shop", "user_id": "nobody"},
         path="/v1/sites/shop/export-subject", body={"user_id": "nobody"}),
    Call(method="ReplayService/ReplayRejectedEvents", scope="admin", request={"site_id": "shop", "event_id": "none"},
         path="/v1/sites/shop/replay-rejected-events", body={"event_id": "none"}),
)  # fmt: skip
HTTP_CODES = {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403}
FAULTS = (
    ("", "UNAUTHENTICATED", "KEY_MISSING"),
    ("unknown", "UNAUTHENTICATED", "KEY_INVALID"),
    ("expired", "UNAUTHENTICATED", "KEY_EXPIRED"),
    ("other", "PERMISSION_DENIED", "KEY_OF_ANOTHER_SITE"),
    ("scope", "PERMISSION_DENIED", "KEY_SCOPE"),
)


def methods() -> Iterator[str]:
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}"


def test_every_method_of_the_contract_has_a_rule() -> None:
    """A new one is refused until a rule says who may call it. (StatusService is the supervisor's.)"""
    public = {name for name in methods() if not name.startswith("/qrumb.v1.StatusService/")}
    assert {name for name in public if not name.startswith(OPEN)} == set(RULES)


def test_every_rule_with_a_key_is_tested_here() -> None:
    scoped = {name for name, rule in RULES.items() if rule.scope}
    assert scoped == {f"/qrumb.v1.{call.method}" for call in CALLS}
    assert all(RULES[f"/qrumb.v1.{call.method}"].scope == call.scope for call in CALLS)


def key_for(call: Call, fault: str, keys: Keys) -> str:
    """The key that makes this fault with this call."""
    if fault == "scope":
        return keys.query if call.scope != "query" else keys.collect
    return str(getattr(keys, fault)) if fault else ""


def refusal(call: Callable[[], Any]) -> tuple[str, str]:
    """Status and reason of a call that must fail."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    status = rpc_status.from_call(raised.value)  # type: ignore[arg-type]  # it is a Call too
    assert status is not None
    return raised.value.code().name, reason_of(status)


def reason_of(status: Any) -> str:
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info.reason


def ask(channel: grpc.Channel, call: Call, key: str) -> Any:
    """The call over gRPC."""
    service, _, name = call.method.partition("/")
    method = Default().FindServiceByName(f"qrumb.v1.{service}").methods_by_name[name]
    request = GetMessageClass(method.input_type)(**call.request)
    metadata = (("authorization", f"Bearer {key}"),) if key else ()
    make = channel.stream_stream if name == "StreamServerEvents" else channel.unary_unary
    multi: Any = make(
        f"/qrumb.v1.{call.method}",
        request_serializer=method.input_type._concrete_class.SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    if name == "StreamServerEvents":
        return list(multi(iter([request]), metadata=metadata, timeout=patient(10)))
    return multi(request, metadata=metadata, timeout=patient(10))


@pytest.mark.parametrize("way", ["gateway", "direct"])
@pytest.mark.parametrize(("fault", "code", "reason"), FAULTS)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method)
def test_grpc(stack: Stack, keys: Keys, call: Call, fault: str, code: str, reason: str, way: str) -> None:
    target = stack.grpc_target if way == "direct" else stack.url.removeprefix("http://")
    with grpc.insecure_channel(target) as channel:
        assert refusal(lambda: ask(channel, call, key_for(call, fault, keys))) == (code, reason)


@pytest.mark.parametrize(("fault", "code", "reason"), FAULTS)
@pytest.mark.parametrize("call", [call for call in CALLS if call.path], ids=lambda call: call.path)
def test_json(stack: Stack, keys: Keys, call: Call, fault: str, code: str, reason: str) -> None:
    key = key_for(call, fault, keys)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    with stack.http() as client:
        answer = client.request("POST" if call.body else "GET", call.path, json=call.body, headers=headers)
    assert answer.status_code == HTTP_CODES[code]
    assert [detail["reason"] for detail in answer.json()["details"] if "reason" in detail] == [reason]
    assert not key or key not in answer.text
    assert answer.headers.get("www-authenticate") == ("Bearer" if answer.status_code == 401 else None)


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.method)
def test_the_right_key_opens(stack: Stack, keys: Keys, call: Call) -> None:
    """By every way in; so that what is refused above is refused for its key alone."""
    key = getattr(keys, call.scope)
    for target in (stack.grpc_target, stack.url.removeprefix("http://")):
        with grpc.insecure_channel(target) as channel:
            if call.method.endswith("GetScanSession"):
                assert refusal(lambda: ask(channel, call, key)) == ("NOT_FOUND", "SCAN_SESSION_UNKNOWN")
            else:
                ask(channel, call, key)
    if call.path and not call.method.endswith("GetScanSession"):
        with stack.http() as client:
            answer = client.request(
                "POST" if call.body else "GET", call.path, json=call.body, headers={"authorization": f"Bearer {key}"}
            )
        assert answer.status_code == 200, answer.text


def test_one_foreign_event_refuses_the_whole_batch(stack: Stack, keys: Keys) -> None:
    events = [EVENT, {**EVENT, "site_id": "other"}]
    stack.wait_for_empty_spool()  # of what other tests sent
    with stack.http() as client:
        before = stack.count()
        answer = client.post("/server-events/batch", json={"events": events}, headers=bearer(keys.collect))
    assert answer.status_code == 403
    stack.wait_for_empty_spool()
    assert stack.count() == before
    assert stack.count("site_id = 'other'") == 0


def test_a_stream_ends_at_the_first_foreign_event_and_keeps_those_before(stack: Stack, keys: Keys) -> None:
    from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub

    pb = collector_service_pb2
    requests = [pb.StreamServerEventsRequest(event={**EVENT, "event_name": f"before-{n}"}) for n in range(20)]
    requests.append(pb.StreamServerEventsRequest(event={**EVENT, "site_id": "other"}))
    receipts: list[Any] = []
    with grpc.insecure_channel(stack.grpc_target) as channel:
        answers = CollectorServiceStub(channel).StreamServerEvents(
            iter(requests), metadata=(("authorization", f"Bearer {keys.collect}"),), timeout=patient(10)
        )

        def read() -> None:
            for answer in answers:
                receipts.extend(answer.receipts)

        assert refusal(read) == ("PERMISSION_DENIED", "KEY_OF_ANOTHER_SITE")
    assert len(receipts) == 20
    stack.wait_for_rows(20, "startsWith(event_name, 'before-')")


@pytest.mark.parametrize("key", ["", "unknown"])
def test_a_stream_without_a_key_is_ended_before_it_says_anything(stack: Stack, keys: Keys, key: str) -> None:
    """Or strangers could hold all streams open that there are."""
    from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub

    silent = threading.Event()

    def nothing() -> Iterator[Any]:
        silent.wait(patient(20))
        yield from ()

    for target in (stack.grpc_target, stack.url.removeprefix("http://")):
        with grpc.insecure_channel(target) as channel:
            metadata = (("authorization", f"Bearer {keys.unknown}"),) if key else ()
            answers = CollectorServiceStub(channel).StreamServerEvents(
                nothing(), metadata=metadata, timeout=patient(10)
            )
            assert refusal(lambda: list(answers))[0] == "UNAUTHENTICATED"  # noqa: B023
    silent.set()


def test_a_rejected_event_still_says_what_is_wrong_with_it(stack: Stack, keys: Keys) -> None:
    """Also with a site_id that no site can have: the key is looked at first, then the event."""
    with stack.http() as client:
        answer = client.post(
            "/server-events", json={**EVENT, "site_id": "not a site", "event_name": ""}, headers=bearer(keys.collect)
        )
        assert client.post("/server-events", json={**EVENT, "site_id": "not a site"}).status_code == 401
    assert answer.status_code == 400
    [bad] = [detail for detail in answer.json()["details"] if "field_violations" in detail]
    assert {violation["field"] for violation in bad["field_violations"]} == {"site_id", "event_name"}


def test_internal_services_are_not_there_for_callers_from_outside(stack: Stack, keys: Keys) -> None:
    """Metrics, SQL, replay: on the node's own sockets only."""
    for method in (
        "/qrumb_server.wire.v1.ProcessService/GetMetrics",
        "/qrumb_server.wire.v1.SqlService/Query",
        "/qrumb_server.wire.v1.UpkeepService/Replay",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ):
        for target in (stack.grpc_target, stack.url.removeprefix("http://")):
            with grpc.insecure_channel(target) as channel:
                call: Any = channel.unary_unary(method)
                with pytest.raises(grpc.RpcError) as raised:
                    call(b"", timeout=patient(5), metadata=(("authorization", f"Bearer {keys.admin}"),))
            assert raised.value.code().name in {"PERMISSION_DENIED", "UNIMPLEMENTED"}


def test_the_commands_of_the_operator_need_no_key(stack: Stack) -> None:
    """They come over sockets that only the node's user may open."""
    for command in (("receipt", EVENT_ID), ("ledger",), ("rejected",), ("erase", "--user-id", "nobody")):
        done = stack.command(*command, "--site", "shop")
        assert done.returncode == 0, done.stderr


def test_refusals_are_counted_by_their_reason(stack: Stack) -> None:
    import httpx

    with stack.http() as client:
        assert client.post("/server-events", json=EVENT).status_code == 401
    settings = json.loads((stack.data_dir / "run" / "settings.json").read_text())
    text = httpx.get(f"http://127.0.0.1:{settings['metrics']['port']}/metrics", timeout=patient(20), verify=NO_TLS).text
    assert 'qrumb_calls_refused_total{process="worker-' in text
    assert 'reason="KEY_MISSING"' in text


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
