"""Browser events may have paths of an operator's own: "/collect" stands on the lists of ad blockers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.gateway.test_cors import ORIGIN, PREFLIGHT
from tests.support.backends import PIXEL
from tests.support.envoy_process import Gateway, running_gateway

pytestmark = pytest.mark.envoy

PATHS = ("/e", "/shop/in-1.2")


@pytest.fixture
async def renamed() -> AsyncIterator[Gateway]:
    """A gateway with two paths that are not the contract's."""
    async with running_gateway(collect_paths=PATHS) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_takes_events_batches_and_pixels(renamed: Gateway, path: str) -> None:
    assert (await renamed.http.post(f"{path}?validate_only=true", json={"site_id": "demo"})).status_code == 200
    request: Any = renamed.worker.last.request
    assert (request.event.site_id, request.validate_only) == ("demo", True)
    assert (await renamed.http.post(f"{path}/batch", json={"events": [{}, {"site_id": "demo"}]})).status_code == 200
    assert renamed.worker.last.request.events[1].site_id == "demo"
    pixel = await renamed.http.get(f"{path}.gif?site_id=demo")
    assert (pixel.content, renamed.worker.last.method) == (PIXEL, "CollectPixel")


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_has_the_cors_limits_and_errors_of_collect(renamed: Gateway, path: str) -> None:
    for suffix in ("", "/batch", ".gif"):
        preflight = await renamed.http.options(path + suffix, headers=PREFLIGHT)
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
    large = await renamed.http.post(path, content=b" " * (128 * 1024 + 1), headers={"origin": ORIGIN})
    assert (large.status_code, large.headers["access-control-allow-origin"]) == (413, ORIGIN)
    assert (await renamed.http.post(f"{path}/batch", content=b" " * (4 * 1024 * 1024 + 1))).status_code == 413
    malformed = await renamed.http.post(f"{path}/batch", content='{"events":[{]}')
    assert "is not JSON" in malformed.json()["message"]
    for wrong, allowed in [("", "POST"), ("/batch", "POST"), (".gif", "GET")]:
        refused = await renamed.http.request("PUT", path + wrong, content="{}")
        assert (refused.status_code, refused.headers["allow"]) == (405, allowed)
    assert (await renamed.http.post(path.replace(".", "x") + "x", json={})).status_code == 404


async def test_the_contracts_own_path_is_gone_where_it_is_not_named(renamed: Gateway) -> None:
    for method, path in [("POST", "/collect"), ("POST", "/collect/batch"), ("GET", "/collect.gif")]:
        assert (await renamed.http.request(method, path)).status_code == 404
    assert (await renamed.http.post("/server-events", json={})).status_code == 200
