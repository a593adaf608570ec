"""What the service is told about the caller comes from the gateway, never from the caller; nothing of it is logged."""

import asyncio

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
    "x-envoy-internal": "6.6.6.6",
    "x-envoy-attempt-count": "6.6.6.6",
    "x-envoy-upstream-rq-timeout-ms": "6.6.6.6",
    "x-envoy-retry-on": "6.6.6.6",
    "x-envoy-decorator-operation": "6.6.6.6",
    "x-forwarded-proto": "6.6.6.6",
    "x-forwarded-host": "6.6.6.6",
    "x-forwarded-client-cert": "Hash=6.6.6.6",
    "x-qrumb-site": "6.6.6.6",
}


def assert_clean(metadata: dict[str, str | bytes]) -> None:
    assert metadata["x-client-ip"] == "127.0.0.1"
    assert len(metadata["x-request-id"]) == 36
    assert not [name for name, value in metadata.items() if "6.6.6.6" in str(value)]


async def test_forged_headers_are_replaced_or_removed(gateway: Gateway) -> None:
    bodies = {"/collect": "{}", "/server-events/batch": '{"events": []}', "/scan-sessions": "{}"}
    for path, body in bodies.items():
        reply = await gateway.http.post(path, content=body, headers=FORGED)
        assert reply.status_code == 200
        metadata = gateway.worker.last.metadata
        assert_clean(metadata)
        assert reply.headers["x-request-id"] == metadata["x-request-id"]
        assert "x-http-content-type" not in metadata


async def test_forged_metadata_of_grpc_is_replaced_or_removed(gateway: Gateway, channel: grpc.aio.Channel) -> None:
    await CollectorServiceStub(channel).CollectServerEvent(CollectServerEventRequest(), metadata=tuple(FORGED.items()))
    assert_clean(gateway.worker.last.metadata)
    assert gateway.worker.last.metadata["x-http-content-type"] == "application/grpc"


@pytest.mark.parametrize("hops", [0, 1, 2])
async def test_headers_about_the_way_are_gone_behind_proxies_too(hops: int) -> None:
    """What a proxy in front may say is x-forwarded-for, and nothing else."""
    async with running_gateway(trusted_hops=hops) as gateway:
        headers = {name: value for name, value in FORGED.items() if name != "x-forwarded-for"}
        way = "6.6.6.6, 198.51.100.2, 203.0.113.7"
        reply = await gateway.http.post("/collect", content="{}", headers={**headers, "x-forwarded-for": way})
        assert reply.status_code == 200
        metadata = gateway.worker.last.metadata
        assert not [name for name, value in metadata.items() if "6.6.6.6" in str(value)]
        assert not [name for name in metadata if name.startswith(("x-forwarded", "x-qrumb"))]
        assert metadata["x-client-ip"] == ["127.0.0.1", "203.0.113.7", "198.51.100.2"][hops]


async def test_envoys_own_headers_are_no_orders_from_callers(gateway: Gateway) -> None:
    headers = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-max-retries": "0", "x-envoy-retry-on": "5xx"}
    gateway.worker.answer = gateway.worker.wait_until_released
    call = asyncio.create_task(gateway.http.post("/collect", content="{}", headers=headers))
    await gateway.worker.started.wait()
    await asyncio.sleep(0.05)
    gateway.worker.release.set()
    assert (await call).status_code == 200


async def test_a_key_in_an_address_is_refused_and_not_repeated(gateway: Gateway) -> None:
    queries = ["key=qk_1", "a=b&key=qk_1", "KEY=qk_1", "access_token=qk_1", "Authorization=Bearer%20qk_1", "key="]
    queries += ["api_key=qk_1&site_id=demo", "token=qk_1", "key&x=qk_1", "site_id=1&token"]
    for query in queries:
        for method, path in [("POST", "/collect"), ("GET", "/collect.gif"), ("GET", "/v1/sites/a/tail"), ("GET", "/")]:
            reply = await gateway.http.request(method, f"{path}?{query}")
            assert reply.status_code == 400
            assert "a key belongs in the header authorization" in reply.json()["message"]
            assert "qk_1" not in reply.text + str(reply.headers)
        by_grpc = f"/qrumb.v1.CollectorService/CollectServerEvent?{query}"
        await gateway.http.post(by_grpc, headers={"content-type": "application/grpc"})
    assert not gateway.worker.calls
    # Hidden, it is a name like any other in an address: not looked at, and not repeated.
    hidden = await gateway.http.post("/collect?k%65y=qk_1", json={})
    assert (hidden.status_code, "qk_1" in hidden.text) == (200, False)
    await gateway.stop()
    assert "qk_1" not in gateway.output() + gateway.errors()


async def test_what_only_looks_like_a_key_is_let_through(gateway: Gateway) -> None:
    reply = await gateway.http.get("/collect.gif", params={"site_id": "key=1", "page_url": "https://a.example/?key=1"})
    assert reply.status_code == 200, reply.text


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
    asked = {"origin": "https://a.example", "access-control-request-method": "POST"}
    await gateway.http.options("/collect", headers={**asked, "x-envoy-original-method": secret})
    await gateway.http.post("/collect", content="{}", headers={"x-forwarded-for": "6.6.6.6"})
    await gateway.stop()
    lines = gateway.access_log()
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("POST", "/collect", 200),
        ("POST", "/collect", 200),
        ("GET", "/collect.gif", 200),
        ("GET", "not_found", 404),
        ("GET", "/v1/sites/{site_id}/...", 200),
        ("OPTIONS", "preflight", 200),
        ("POST", "/collect", 200),
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
