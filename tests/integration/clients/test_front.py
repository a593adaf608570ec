"""The front says over JSON what it says over gRPC, and the clients work through the real gateway too."""

import uuid
from typing import Any

import httpx
import pytest

from qrumb import AsyncClient, Client, browser_event
from qrumb.v1.receipt_pb2 import EventReceipt
from tests.support.client_front import Front
from tests.support.plain_http import NO_TLS
from tests.support.stack import Stack


def batch(name: str, count: int) -> dict[str, Any]:
    """Browser events of a case's own site."""
    site_id = f"{name}.{uuid.uuid4().hex[:8]}"
    return {"events": [{"site_id": site_id, "event_type": f"e{i}"} for i in range(count)]}


def test_json_face_follows_the_script(front: Front) -> None:
    """A status with its delay as the gateway writes it, then what comes after the script."""
    body = batch("retry-info-before-retry-after", 1)
    with httpx.Client(base_url=front.http_url, verify=NO_TLS) as http:
        refused = http.post("/collect/batch", json=body, headers={"authorization": "Bearer k"})
        accepted = http.post("/collect/batch", json=body)
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "60"
    assert refused.json()["code"] == 14
    assert [detail["retry_delay"] for detail in refused.json()["details"]] == ["0.500s"]
    assert [receipt["outcome"] for receipt in accepted.json()["receipts"]] == ["ACCEPTED"]
    with httpx.Client(base_url=front.control_url, verify=NO_TLS) as control:
        calls = control.get(f"/calls/{body['events'][0]['site_id']}").json()
    assert [call["authorization"] for call in calls] == ["Bearer k", ""]


def test_json_face_gives_verdicts(front: Front) -> None:
    """One receipt per event, in order."""
    answer = httpx.post(f"{front.http_url}/collect/batch", json=batch("rejected-is-not-retried", 3), verify=NO_TLS)
    assert [receipt["outcome"] for receipt in answer.json()["receipts"]] == ["ACCEPTED", "REJECTED", "ACCEPTED"]


def test_a_stopped_front_answers_no_call(front: Front) -> None:
    """Not on a connection that was kept alive either; after the start it is as before."""
    with httpx.Client(base_url=front.http_url, verify=NO_TLS) as http:
        assert http.post("/collect/batch", json=batch("free", 1)).status_code == 200
        httpx.post(f"{front.control_url}/stop", verify=NO_TLS)
        with pytest.raises(httpx.TransportError):
            http.post("/collect/batch", json=batch("free", 1))
        httpx.post(f"{front.control_url}/start", verify=NO_TLS)
        assert http.post("/collect/batch", json=batch("free", 1)).status_code == 200


@pytest.mark.stack
async def test_clients_through_the_gateway(stack: Stack) -> None:
    """Both clients over the gateway's port, which speaks gRPC too."""
    url = stack.url.replace("http://", "grpc://")
    with Client(url) as client:
        assert client.collect(browser_event(site_id="gate", event_type="click")).outcome == EventReceipt.ACCEPTED
    async with AsyncClient(url) as aio:
        receipt = await aio.collect(browser_event(site_id="gate", event_type=""))
        assert receipt.outcome == EventReceipt.REJECTED
