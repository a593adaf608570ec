"""The durability promise under kill -9: what was acknowledged is stored exactly once, and nothing else is."""

import contextlib
import itertools
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import psutil
import pytest

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(400)]

# In turn; "node" is the supervisor and all its children at once.
VICTIMS = ["worker-0", "loader", "supervisor", "worker-1", "loader", "node", "gateway"] * 2
SITE = "kills"
# Without it the channel would send a call again by itself after a kill, and the event would truly be sent twice.
NO_RETRIES = [("grpc.enable_retries", 0)]


@dataclass
class Ledger:
    """What the clients sent and what was acknowledged to them; each id is sent once."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    retried_by_gateway: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def new_ids(self, number: int) -> list[str]:
        """Ids of events that are about to be sent."""
        made = [str(uuid.uuid4()) for _ in range(number)]
        self.sent.update(made)
        return made


def send_single(ledger: Ledger, target: str) -> None:
    """Single server events over direct gRPC."""
    with grpc.insecure_channel(target, options=NO_RETRIES) as channel:
        stub = CollectorServiceStub(channel)
        while not ledger.stop.is_set():
            [event_id] = ledger.new_ids(1)
            event = ServerEvent(site_id=SITE, event_id=event_id, scan_session_id="s", event_name="lead")
            try:
                answer = stub.CollectServerEvent(pb.CollectServerEventRequest(event=event), timeout=5)
            except grpc.RpcError as error:
                ledger.failures[str(error.code())] += 1
                time.sleep(0.02)
            else:
                assert answer.receipt.outcome == EventReceipt.ACCEPTED
                ledger.acknowledged.add(event_id)


def send_batches(ledger: Ledger, target: str) -> None:
    """Batches of browser events over direct gRPC."""
    with grpc.insecure_channel(target, options=NO_RETRIES) as channel:
        stub = CollectorServiceStub(channel)
        while not ledger.stop.is_set():
            ids = ledger.new_ids(20)
            events = [BrowserEvent(site_id=SITE, event_id=event_id, event_type="click") for event_id in ids]
            try:
                answer = stub.BatchCollectBrowserEvents(pb.BatchCollectBrowserEventsRequest(events=events), timeout=5)
            except grpc.RpcError as error:
                ledger.failures[str(error.code())] += 1
                time.sleep(0.02)
            else:
                assert [receipt.event_id for receipt in answer.receipts] == ids
                ledger.acknowledged.update(ids)
                time.sleep(0.01)


def send_json(ledger: Ledger, url: str) -> None:
    """Single browser events through the gateway, which may send a call again when a worker dies under it."""
    with httpx.Client(base_url=url, timeout=8) as client:
        while not ledger.stop.is_set():
            [event_id] = ledger.new_ids(1)
            ledger.retried_by_gateway.add(event_id)
            try:
                reply = client.post("/collect", json={"site_id": SITE, "event_id": event_id, "event_type": "click"})
            except httpx.TransportError as error:
                ledger.failures[type(error).__name__] += 1
                time.sleep(0.02)
                continue
            if reply.status_code == httpx.codes.OK:
                ledger.acknowledged.add(event_id)
            else:
                ledger.failures[str(reply.status_code)] += 1
                time.sleep(0.02)


def kill(stack: Stack, victim: str) -> None:
    """kill -9, and a new supervisor where that was the victim."""
    children = wait_until(lambda: found if len(found := stack.children()) == 4 else None)
    if victim in {"supervisor", "node"}:
        assert stack.process is not None
        stack.process.kill()
        if victim == "node":
            for child in children.values():
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        stack.process.wait(10)
        stack.start()
    else:
        children[victim].kill()


def test_acknowledged_events_are_stored_exactly_once_through_kills(tmp_path: Path) -> None:
    """Fourteen kills of worker, loader, supervisor, gateway and whole node, under load from six clients."""
    ports = {"HTTP_PORT": str(claimed_port()), "GRPC_PORT": str(claimed_port())}
    ledger = Ledger()
    with running_stack(tmp_path / "data", **ports) as stack:
        senders: list[tuple[Callable[[Ledger, str], None], str]] = [
            (send_single, stack.grpc_target),
            (send_single, stack.grpc_target),
            (send_single, stack.grpc_target),
            (send_batches, stack.grpc_target),
            (send_json, stack.url),
            (send_json, stack.url),
        ]
        threads = [threading.Thread(target=send, args=(ledger, target)) for send, target in senders]
        for thread in threads:
            thread.start()
        try:
            for victim in VICTIMS:
                before = len(ledger.acknowledged)
                wait_until(lambda goal=before + 200: len(ledger.acknowledged) > goal, 60)
                kill(stack, victim)
            before = len(ledger.acknowledged)
            wait_until(lambda: len(ledger.acknowledged) > before + 200, 60)
        finally:
            ledger.stop.set()
            for thread in threads:
                thread.join(30)
        assert stack.stop() == 0, stack.log()[-3000:]
        rows = Counter(row["event_id"] for row in stack.query("SELECT event_id FROM events.valid_events"))
    assert ledger.failures, "no call ever failed: the kills did not hit anything"
    assert not ledger.acknowledged - set(rows), "acknowledged and lost"
    assert not set(rows) - ledger.sent, "stored and never sent"
    doubled = {event_id for event_id, number in rows.items() if number > 1}
    assert not doubled - ledger.retried_by_gateway, "stored twice"
    # Whatever the gateway sent twice is two arrivals of one event: few, and never more than its three tries.
    assert all(rows[event_id] <= 3 for event_id in doubled)
    spool = [path for path in (tmp_path / "data" / "spool").rglob("*") if path.suffix in {".open", ".sealed"}]
    assert not list(itertools.islice(spool, 3)), "the spool is not empty after a drain"
    assert len(rows) > 1000
