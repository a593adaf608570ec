"""Pages of allowed origins may send events and read the answers, and nothing else."""

import pytest

from tests.support.backends import reject
from tests.support.envoy_process import Gateway, running_gateway

pytestmark = pytest.mark.envoy

ORIGIN = "https://shop.example"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type",
}


@pytest.mark.parametrize("path", ["/collect", "/collect/batch", "/collect.gif"])
async def test_a_preflight_is_answered_by_the_gateway(gateway: Gateway, path: str) -> None:
    reply = await gateway.http.options(path, headers=PREFLIGHT)
    assert reply.status_code == 200
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert "POST" in reply.headers["access-control-allow-methods"]
    allowed = {name.strip() for name in reply.headers["access-control-allow-headers"].split(",")}
    assert allowed >= {"content-type", "traceparent", "tracestate", "baggage", "sentry-trace", "x-requested-with"}
    assert reply.headers["access-control-max-age"] == "7200"
    assert not gateway.worker.calls


async def test_a_preflight_of_grpc_web_is_answered(gateway: Gateway) -> None:
    reply = await gateway.http.options("/qrumb.v1.CollectorService/CollectBrowserEvent", headers=PREFLIGHT)
    assert reply.headers["access-control-allow-origin"] == ORIGIN
    assert "x-grpc-web" in reply.headers["access-control-allow-headers"]


async def test_errors_can_be_read_by_the_page_too(gateway: Gateway) -> None:
    malformed = await gateway.http.post("/collect", content="{", headers={"origin": ORIGIN})
    gateway.worker.answer = reject
    rejected = await gateway.http.post("/collect", content="{}", headers={"origin": ORIGIN})
    for reply in (malformed, rejected):
        assert reply.status_code == 400
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        assert "retry-after" in reply.headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", ["/server-events", "/scan-sessions", "/v1/sites/a/erase-subject"])
async def test_paths_for_servers_are_closed_to_pages(gateway: Gateway, path: str) -> None:
    assert (await gateway.http.options(path, headers=PREFLIGHT)).status_code == 405
    reply = await gateway.http.post(path, content="{}", headers={"origin": ORIGIN})
    assert "access-control-allow-origin" not in reply.headers


async def test_an_origin_that_is_not_allowed_gets_no_cors_headers() -> None:
    async with running_gateway(allowed_origins=(r"https://([a-z]+\.)?shop\.example",)) as gateway:
        for origin, allowed in [(ORIGIN, True), ("https://evil.example", False), ("https://shop.example.evil", False)]:
            preflight = await gateway.http.options("/collect", headers=PREFLIGHT | {"origin": origin})
            post = await gateway.http.post("/collect", content="{}", headers={"origin": origin})
            for reply in (preflight, post):
                assert ("access-control-allow-origin" in reply.headers) is allowed
        assert len(gateway.worker.calls) == 3, "a preflight must not reach the service"


async def test_options_that_is_no_preflight_is_a_wrong_method(gateway: Gateway) -> None:
    assert (await gateway.http.options("/collect")).status_code == 405
