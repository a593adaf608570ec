"""Constant load on a node from many clients of every kind, and a book of what was sent and what was answered.

The book is the clients' own memory: how often each id was sent (the most rows it may have) and how often it was
answered (the least). Every id is a UUID that no other event of the run has.
"""

import itertools
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx
import uuid_utils
from google.protobuf.json_format import ParseDict

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.plain_http import NO_TLS

__all__ = ["GATEWAY_TRIES", "SITE", "Arrivals", "Book", "Load"]

SITE = "soak"
# The gateway sends a call again, twice at most, where a worker dies under it.
GATEWAY_TRIES = 3
# Without it the channel would send a call again by itself after a kill, unseen by the book.
NO_RETRIES = [("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 500)]
CALL_SECONDS = 8
Event = dict[str, Any]


@dataclass(slots=True)
class Arrivals:
    """How often one id may have arrived, and how often it certainly has."""

    sent: int = 0
    answered: int = 0


@dataclass
class Book:
    """What the clients did. Ids of events, of rejected events and of sessions are of different sets."""

    events: dict[str, Arrivals] = field(default_factory=dict)
    rejected: dict[str, Arrivals] = field(default_factory=dict)
    sessions: dict[str, Arrivals] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)
    broken: list[str] = field(default_factory=list)
    """Answers that no fault excuses."""
    answered_by: Counter[int] = field(default_factory=Counter)
    """Arrivals that each client saw acknowledged; one thread adds to each."""

    @property
    def answered(self) -> int:
        """Arrivals that were acknowledged."""
        return self.answered_by.total()


# A way to send: some events in, one outcome each back, or an exception whose text names the failure.
Send = Callable[[Sequence[Event]], Sequence[str]]


class SendError(Exception):
    """No answer, or one that says: not now."""


def browser_event(chance: random.Random) -> Event:
    """A valid event of a browser."""
    return {
        "site_id": SITE,
        "event_id": new_id(chance),
        "event_type": chance.choice(["pageview", "click", "scroll"]),
        "page_url": "https://shop.example/landing",
        "scan_session_id": f"visit-{chance.randrange(200)}",
        "metadata": {"n": chance.randrange(1000)},
    }


def server_event(chance: random.Random) -> Event:
    """A valid event of a backend."""
    return {
        "site_id": SITE,
        "event_id": new_id(chance),
        "event_name": chance.choice(["lead", "purchase"]),
        "scan_session_id": f"visit-{chance.randrange(200)}",
        "user_identifiers": {"external_id": f"u{chance.randrange(100)}"},
    }


def new_id(chance: random.Random) -> str:
    """Of either kind: one says when it was made, the other does not."""
    return str(uuid_utils.uuid7()) if chance.random() < 0.5 else str(uuid.uuid4())


def spoil(event: Event) -> Event:
    """The same, but against a rule."""
    return {**event, "scan_session_id": "x" * 200}


class Client:
    """One thread that sends for as long as the book is open: new events, failed ones again, answered ones again."""

    def __init__(self, book: Book, name: str, send: Send, make: Callable[[random.Random], Event], size: int) -> None:
        self._book = book
        self._name = name
        self._send = send
        self._make = make
        self._size = size
        self._tries = GATEWAY_TRIES if name.startswith("http") else 1
        self._chance = random.Random()
        self._failed: list[Event] = []
        self._repeats: list[Event] = []

    def run(self) -> None:
        """Until the book is closed."""
        while not self._book.stop.is_set():
            events = list(itertools.islice(self._next(), self._size))
            for event in events:
                self._arrivals(event).sent += self._tries
            try:
                outcomes = self._send(events)
            except SendError as error:
                self._book.failures[f"{self._name}: {error}"] += 1
                self._failed += [event for event in events if self._chance.random() < 0.8]
                time.sleep(0.05)
                continue
            self._book.calls[self._name] += 1
            if len(outcomes) != len(events):
                self._book.broken.append(f"{self._name}: {len(outcomes)} answers to {len(events)} events")
            for event, outcome in zip(events, outcomes, strict=False):
                self._note(event, outcome)
            time.sleep(0.01 * self._chance.random())

    def _next(self) -> Iterator[Event]:
        while True:
            dice = self._chance.random()
            if self._failed and dice < 0.5:
                yield self._failed.pop(0)
            elif self._repeats and dice > 0.97:
                repeated = self._chance.choice(self._repeats)
                yield repeated if dice > 0.98 else {**repeated, "consent": "pending"}
            elif dice > 0.95:
                yield spoil(self._make(self._chance))
            else:
                yield self._make(self._chance)

    def _arrivals(self, event: Event) -> Arrivals:
        is_spoilt = len(event["scan_session_id"]) > 128
        return (self._book.rejected if is_spoilt else self._book.events).setdefault(event["event_id"], Arrivals())

    def _note(self, event: Event, outcome: str) -> None:
        arrivals = self._arrivals(event)
        arrivals.answered += 1
        wanted = "ACCEPTED" if arrivals is self._book.events.get(event["event_id"]) else "REJECTED"
        self._book.answered_by[id(self)] += wanted == "ACCEPTED"
        if outcome != wanted:
            self._book.broken.append(f"{self._name}: {outcome} for an event that is to be {wanted}")
        if wanted == "ACCEPTED" and self._chance.random() < 0.1:
            self._repeats = [*self._repeats[-50:], event]


class Load:
    """All clients of a node, on fixed ports."""

    def __init__(self, book: Book, *, url: str, grpc_target: str) -> None:
        self._book = book
        self._http = [httpx.Client(base_url=url, timeout=CALL_SECONDS, verify=NO_TLS) for _ in range(4)]
        self._channels = [grpc.insecure_channel(grpc_target, options=NO_RETRIES) for _ in range(6)]
        stubs = [CollectorServiceStub(channel) for channel in self._channels]
        one, many, other, sessions = self._http
        clients = [
            Client(book, "http single", lambda events: post_one(one, events), browser_event, 1),
            Client(book, "http single", lambda events: post_one(other, events), server_event, 1),
            Client(book, "http batch", lambda events: post_batch(many, events), browser_event, 20),
            Client(book, "grpc single", lambda events: call_one(stubs[0], events), server_event, 1),
            Client(book, "grpc single", lambda events: call_one(stubs[1], events), server_event, 1),
            Client(book, "grpc batch", lambda events: call_batch(stubs[2], events), browser_event, 50),
            Client(book, "grpc bulk", lambda events: call_batch(stubs[5], events), browser_event, 500),
            Client(book, "grpc stream", lambda events: call_stream(stubs[3], events), server_event, 30),
            Client(book, "grpc stream", lambda events: call_stream(stubs[4], events), server_event, 3),
        ]
        self._threads = [threading.Thread(target=client.run) for client in clients]
        self._threads.append(threading.Thread(target=lambda: register_sessions(book, sessions)))

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; whatever is in flight is answered or given up first."""
        self._book.stop.set()
        for thread in self._threads:
            thread.join(3 * CALL_SECONDS)
            assert not thread.is_alive(), "a client hangs"
        for client in self._http:
            client.close()
        for channel in self._channels:
            channel.close()


def post(client: httpx.Client, path: str, body: Any) -> httpx.Response:
    """One request; raises SendError where it may be sent again."""
    try:
        reply = client.post(path, json=body)
    except httpx.TransportError as error:
        raise SendError(type(error).__name__) from error
    if reply.status_code not in {200, 400}:
        raise SendError(str(reply.status_code))
    return reply


def post_one(client: httpx.Client, events: Sequence[Event]) -> list[str]:
    """Single JSON events."""
    [event] = events
    reply = post(client, "/server-events" if "event_name" in event else "/collect", event)
    return [reply.json()["receipt"]["outcome"] if reply.status_code == httpx.codes.OK else "REJECTED"]


def post_batch(client: httpx.Client, events: Sequence[Event]) -> list[str]:
    """A JSON batch."""
    reply = post(client, "/collect/batch", {"events": events})
    if reply.status_code != httpx.codes.OK:
        raise SendError(str(reply.status_code))
    return [receipt["outcome"] for receipt in reply.json()["receipts"]]


def as_message(event: Event) -> Any:
    """The event as protobuf."""
    upper = {**event, **({"consent": event["consent"].upper()} if "consent" in event else {})}
    return ParseDict(upper, ServerEvent() if "event_name" in event else BrowserEvent())


def outcomes_of(receipts: Sequence[EventReceipt]) -> list[str]:
    """Names of the outcomes."""
    return [EventReceipt.Outcome.Name(receipt.outcome) for receipt in receipts]


def call_one(stub: Any, events: Sequence[Event]) -> list[str]:
    """Single events over direct gRPC."""
    [event] = events
    try:
        request = pb.CollectServerEventRequest(event=as_message(event))
        return outcomes_of([stub.CollectServerEvent(request, timeout=CALL_SECONDS).receipt])
    except grpc.RpcError as error:
        if error.code() == grpc.StatusCode.INVALID_ARGUMENT:
            return ["REJECTED"]
        raise SendError(error.code().name) from error


def call_batch(stub: Any, events: Sequence[Event]) -> list[str]:
    """A batch over direct gRPC."""
    request = pb.BatchCollectBrowserEventsRequest(events=[as_message(event) for event in events])
    try:
        return outcomes_of(stub.BatchCollectBrowserEvents(request, timeout=CALL_SECONDS).receipts)
    except grpc.RpcError as error:
        raise SendError(error.code().name) from error


def call_stream(stub: Any, events: Sequence[Event]) -> list[str]:
    """A stream of its own for these events. One that ends early has answered none, as far as this client says."""
    requests = (pb.StreamServerEventsRequest(event=as_message(event)) for event in events)
    try:
        answers = stub.StreamServerEvents(requests, timeout=CALL_SECONDS)
        return outcomes_of([receipt for answer in answers for receipt in answer.receipts])
    except grpc.RpcError as error:
        raise SendError(error.code().name) from error


def register_sessions(book: Book, client: httpx.Client) -> None:
    """The QR redirect: sessions of the visits, before and after their events, each more than once."""
    chance = random.Random()
    while not book.stop.is_set():
        session_id = f"visit-{chance.randrange(200)}"
        arrivals = book.sessions.setdefault(session_id, Arrivals())
        arrivals.sent += 1
        body = {"site_id": SITE, "scan_session_id": session_id, "qr_code_id": f"qr-{chance.randrange(5)}"}
        try:
            reply = post(client, "/scan-sessions", body)
        except SendError as error:
            book.failures[f"http session: {error}"] += 1
        else:
            arrivals.answered += reply.status_code == httpx.codes.OK
            book.calls["http session"] += 1
        time.sleep(0.05)
