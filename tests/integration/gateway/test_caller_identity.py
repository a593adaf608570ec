"""What the service is told about the caller comes from the gateway, never from the caller; nothing of it is logged."""

import grpc
import pytest

from qrumb.v1.collector_service_pb2 import CollectServerEventRequest
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from tests.support.envoy_process import Gateway, running_gateway

pytestmark = pytest.mark.envoy

FORGED = {
    "x-client-ip": "6.6.6.6",
    "x-forwarded-for": "6.6.6.6, 7.7.7.7",
    "x-real-ip": "6.6.6.6",
    "forwarded": "for=6.6.6.6",
    "true-client-ip": "6.6.6.6",
    "cf-connecting-ip": "6.6.6.6",
    "x-envoy-external-address": "6.6.6.6",
    "x-request-id": "6.6.6.6",
    "x-http-content-type": "6.6.6.6",
    "cookie": "session=6.6.6.6",
    "x-envoy-original-path": "/6.6.6.6",
}


def assert_clean(metadata: dict[str, str | bytes]) -> None:
    assert metadata["x-client-ip"] == "127.0.0.1"
    assert len(metadata["x-request-id"]) == 36
    assert not [name for name, value in metadata.items() if "6.6.6.6" in str(value)]


async def test_forged_headers_are_replaced_or_removed(gateway: Gateway) -> None:
    for path in ("/collect", "/server-events/batch", "/scan-sessions"):
        reply = await gateway.http.post(path, content="{}", headers=FORGED)
        assert reply.status_code == 200
        metadata = gateway.worker.last.metadata
        assert_clean(metadata)
        assert reply.headers["x-request-id"] == metadata["x-request-id"]
        assert "x-http-content-type" not in metadata


async def test_forged_metadata_of_grpc_is_replaced_or_removed(gateway: Gateway, channel: grpc.aio.Channel) -> None:
    await CollectorServiceStub(channel).CollectServerEvent(CollectServerEventRequest(), metadata=tuple(FORGED.items()))
    assert_clean(gateway.worker.last.metadata)
    assert gateway.worker.last.metadata["x-http-content-type"] == "application/grpc"


async def test_the_address_comes_from_a_trusted_proxy_where_one_is_configured() -> None:
    async with running_gateway(trusted_hops=1) as gateway:
        headers = {"x-forwarded-for": "6.6.6.6, 203.0.113.7"}
        await gateway.http.post("/collect", content="{}", headers=headers)
        assert gateway.worker.last.metadata["x-client-ip"] == "203.0.113.7"


async def test_what_the_service_needs_of_the_browser_arrives(gateway: Gateway) -> None:
    sent = {
        "user-agent": "Mozilla/5.0 (X11)",
        "origin": "https://shop.example",
        "referer": "https://shop.example/a",
        "accept-language": "de-AT",
        "sec-ch-ua-platform": '"Android"',
        "authorization": "Bearer qk_1",
    }
    await gateway.http.post("/collect", content="{}", headers=sent)
    assert gateway.worker.last.metadata.items() >= sent.items()


async def test_headers_that_would_make_the_service_fail_do_not_reach_it(gateway: Gateway) -> None:
    headers = {"x-any-bin": "***", "grpc-encoding": "nonsense", "grpc-timeout": "9H", "te": "nonsense"}
    reply = await gateway.http.post("/collect", content="{}", headers=headers)
    assert reply.status_code == 200, reply.text
    assert "x-any-bin" not in gateway.worker.last.metadata


async def test_the_deadline_is_the_gateways(gateway: Gateway, channel: grpc.aio.Channel) -> None:
    stub = CollectorServiceStub(channel)
    await gateway.http.post("/collect", content="{}", headers={"grpc-timeout": "9H"})
    await stub.CollectServerEvent(CollectServerEventRequest(), timeout=3600)
    for call in gateway.worker.calls:
        assert call.seconds_left is not None
        assert call.seconds_left < 6


async def test_the_access_log_has_no_address_no_query_and_no_text_of_the_caller(gateway: Gateway) -> None:
    secret = "alice@example.com"
    await gateway.http.post("/collect", json={"site_id": [secret]}, headers={"user-agent": secret})
    await gateway.http.post("/collect", json={"consent": secret})
    await gateway.http.get("/collect.gif", params={"page_title": secret, secret: "1"})
    await gateway.http.get(f"/{secret}")
    await gateway.http.get(f"/v1/sites/{secret}/tail")
    await gateway.http.post("/collect", content="{}", headers={"x-forwarded-for": "6.6.6.6"})
    await gateway.stop()
    lines = gateway.access_log()
    assert [(line["route"], line["status"]) for line in lines] == [
        ("/collect", 400),
        ("/collect", 400),
        ("/collect.gif", 400),
        ("not_found", 404),
        ("/v1/sites/{site_id}/...", 200),
        ("/collect", 200),
    ]
    for forbidden in ("alice", "127.0.0.1", "6.6.6.6", "page_title"):
        assert forbidden not in gateway.output()
        assert forbidden not in gateway.errors()
    assert lines[-1]["upstream"] == "worker-0.sock"


async def test_the_access_log_can_be_off() -> None:
    async with running_gateway(access_log=False) as gateway:
        await gateway.http.post("/collect", content="{}")
        await gateway.stop()
        assert gateway.output() == ""
