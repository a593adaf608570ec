"""The Python client's public names have the types that its users' checkers see; `make types` reads this file.

Each `type: ignore` must be needed: one that is not is an error, so what a checker must refuse stays refused.
"""

from decimal import Decimal
from importlib.resources import files
from typing import assert_type

import qrumb
from qrumb import AsyncClient, Client, Counters
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.device_pb2 import Device
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ServerEvent


def test_the_package_says_that_it_is_typed() -> None:
    """Without py.typed a checker takes everything for Any."""
    assert (files("qrumb") / "py.typed").is_file()


def uses_of_the_client(client: Client) -> None:
    """Never called: what a checker makes of it is the test."""
    lead = qrumb.server_event(
        site_id="s", event_name="lead", scan_session_id="x", amount=Decimal("1.50"), currency="EUR"
    )
    view = qrumb.browser_event(site_id="s", event_type="pageview", device=qrumb.device(language="de"))
    assert_type(lead, ServerEvent)
    assert_type(view, BrowserEvent)
    assert_type(qrumb.device(language="de"), Device)
    assert_type(client.send(lead), str)
    assert_type(client.collect(view, timeout=1), EventReceipt)
    assert_type(client.register_scan_session(site_id="s", scan_session_id="x", qr_code_id="q"), ScanSession)
    assert_type(client.flush(), bool)
    assert_type(client.counters, Counters)
    assert_type(qrumb.email_hash("a@b.example"), str)
    assert_type(qrumb.new_event_id(), str)
    with Client.from_env() as opened:
        assert_type(opened, Client)
    client.send("lead")  # type: ignore[arg-type]
    qrumb.server_event(site_id=1, event_name="lead", scan_session_id="x")  # type: ignore[arg-type]
    qrumb.server_event(site_id="s", event_name="lead")  # type: ignore[call-arg]
    qrumb.browser_event(site_id="s", event_type="view", consent="perhaps")  # type: ignore[arg-type]


async def uses_of_the_async_client(client: AsyncClient) -> None:
    """As above."""
    lead = qrumb.server_event(site_id="s", event_name="lead", scan_session_id="x")
    assert_type(await client.send(lead), str)
    assert_type(await client.collect(lead), EventReceipt)
    assert_type(await client.flush(1), bool)
    async with AsyncClient.from_env() as opened:
        assert_type(opened, AsyncClient)
    await client.collect(b"lead")  # type: ignore[arg-type]
