"""Clients that send each event once, whatever becomes of it: so no event may be in more than one row."""

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import grpc
import httpx

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2 import RegisterScanSessionRequest
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceStub
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.plain_http import NO_TLS

__all__ = ["SESSION", "SITE", "Tally", "register_session", "send_batches", "send_json", "send_single", "send_spoilt"]

SITE = "kills"
SESSION = "s"
# Without it the channel would send a call again by itself after a kill, and the event would truly be sent twice.
NO_RETRIES = [("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 500)]


@dataclass
class Tally:
    """What the clients sent and what was acknowledged to them; each id is sent once."""

    pause_seconds: float = 0.0
    """Of each client, after each answer."""
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    retried_by_gateway: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def new_ids(self, number: int) -> list[str]:
        """Ids of events that are about to be sent."""
        made = [str(uuid.uuid4()) for _ in range(number)]
        self.sent.update(made)
        return made


def send_single(tally: Tally, target: str) -> None:
    """Single server events over direct gRPC."""
    with grpc.insecure_channel(target, options=NO_RETRIES) as channel:
        stub = CollectorServiceStub(channel)
        while not tally.stop.is_set():
            [event_id] = tally.new_ids(1)
            event = ServerEvent(site_id=SITE, event_id=event_id, scan_session_id=SESSION, event_name="lead")
            try:
                answer = stub.CollectServerEvent(pb.CollectServerEventRequest(event=event), timeout=5)
            except grpc.RpcError as error:
                tally.failures[str(error.code())] += 1
                time.sleep(0.02)
            else:
                assert answer.receipt.outcome == EventReceipt.ACCEPTED
                tally.acknowledged.add(event_id)
                time.sleep(tally.pause_seconds)


def send_batches(tally: Tally, target: str) -> None:
    """Batches of browser events over direct gRPC."""
    with grpc.insecure_channel(target, options=NO_RETRIES) as channel:
        stub = CollectorServiceStub(channel)
        while not tally.stop.is_set():
            ids = tally.new_ids(20)
            events = [BrowserEvent(site_id=SITE, event_id=event_id, event_type="click") for event_id in ids]
            try:
                answer = stub.BatchCollectBrowserEvents(pb.BatchCollectBrowserEventsRequest(events=events), timeout=5)
            except grpc.RpcError as error:
                tally.failures[str(error.code())] += 1
                time.sleep(0.02)
            else:
                assert [receipt.event_id for receipt in answer.receipts] == ids
                tally.acknowledged.update(ids)
                time.sleep(0.01 + tally.pause_seconds)


def send_spoilt(tally: Tally, target: str) -> None:
    """Events that break a rule, over direct gRPC; their rejection is an answer too."""
    with grpc.insecure_channel(target, options=NO_RETRIES) as channel:
        stub = CollectorServiceStub(channel)
        while not tally.stop.is_set():
            [event_id] = tally.new_ids(1)
            event = ServerEvent(site_id=SITE, event_id=event_id, scan_session_id="x" * 200, event_name="lead")
            try:
                stub.CollectServerEvent(pb.CollectServerEventRequest(event=event), timeout=5)
            except grpc.RpcError as error:
                if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
                    tally.rejected.add(event_id)
                else:
                    tally.failures[str(error.code())] += 1
            time.sleep(0.05)


def register_session(tally: Tally, target: str) -> None:
    """The one session of the single events, again and again, over direct gRPC."""
    session = ScanSession(site_id=SITE, scan_session_id=SESSION, qr_code_id="q")
    with grpc.insecure_channel(target, options=NO_RETRIES) as channel:
        stub = ScanSessionServiceStub(channel)
        while not tally.stop.is_set():
            try:
                stub.RegisterScanSession(RegisterScanSessionRequest(scan_session=session), timeout=5)
            except grpc.RpcError as error:
                tally.failures[str(error.code())] += 1
            time.sleep(0.1)


def send_json(tally: Tally, url: str) -> None:
    """Single browser events through the gateway, which may send a call again when a worker dies under it."""
    with httpx.Client(base_url=url, timeout=8, verify=NO_TLS) as client:
        while not tally.stop.is_set():
            [event_id] = tally.new_ids(1)
            tally.retried_by_gateway.add(event_id)
            try:
                reply = client.post("/collect", json={"site_id": SITE, "event_id": event_id, "event_type": "click"})
            except httpx.TransportError as error:
                tally.failures[type(error).__name__] += 1
                time.sleep(0.02)
                continue
            if reply.status_code == httpx.codes.OK:
                tally.acknowledged.add(event_id)
            else:
                tally.failures[str(reply.status_code)] += 1
                time.sleep(0.02)
