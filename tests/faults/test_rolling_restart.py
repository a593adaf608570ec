"""Every process of a node is started anew under load, and callers that try again when told to lose nothing."""

import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

import grpc
import httpx
import pytest

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(200)]

SITE = "rolling"
PATIENCE_SECONDS = patient(15)
# The channel's own tries would hide what callers see.
NO_RETRIES = [("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 500)]


class Later(Exception):
    """No answer, or one that says to try again; after how many seconds."""

    def __init__(self, what: str, seconds: float = 0.2) -> None:
        super().__init__(what)
        self.what = what
        self.seconds = seconds


@dataclass
class Book:
    """What callers saw."""

    accepted: Counter[str] = field(default_factory=Counter)
    ids: set[str] = field(default_factory=set)
    tried_again: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


def deliver(book: Book, name: str, send: Callable[[str], None]) -> None:
    """Send one event after another, each again under its id for as long as that is asked for."""
    while not book.stop.is_set():
        event_id = str(uuid.uuid4())
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                send(event_id)
            except Later as later:
                book.tried_again[f"{name}: {later.what}"] += 1
                if time.monotonic() + later.seconds > deadline:
                    book.failed.append(f"{name}: {later.what}")
                    break
                time.sleep(later.seconds)
            except Exception as error:  # noqa: BLE001  (whatever is no reason to try again)
                book.failed.append(f"{name}: {error!r}")
                break
            else:
                book.accepted[name] += 1
                book.ids.add(event_id)
                break
        time.sleep(0.05)


def post(client: httpx.Client, event_id: str) -> None:
    """One event as JSON."""
    try:
        reply = client.post("/collect", json={"site_id": SITE, "event_id": event_id, "event_type": "click"})
    except httpx.TransportError as error:
        raise Later(type(error).__name__) from error
    if reply.status_code in {429, 503, 504}:
        raise Later(str(reply.status_code), float(reply.headers["retry-after"]))
    assert reply.status_code == httpx.codes.OK, reply.text


def anew(url: str) -> Callable[[str], None]:
    """A connection for each event."""

    def send(event_id: str) -> None:
        with httpx.Client(base_url=url, timeout=patient(10), verify=NO_TLS) as client:
            post(client, event_id)

    return send


def call(stub: CollectorServiceStub) -> Callable[[str], None]:
    """One event as a call of its own."""

    def send(event_id: str) -> None:
        event = ServerEvent(site_id=SITE, event_id=event_id, scan_session_id="s", event_name="lead")
        try:
            answer = stub.CollectServerEvent(pb.CollectServerEventRequest(event=event), timeout=patient(10))
        except grpc.RpcError as error:
            raise later(error) from error
        assert answer.receipt.outcome == EventReceipt.ACCEPTED

    return send


def stream(stub: CollectorServiceStub) -> Callable[[str], None]:
    """Events in one long stream, which is opened again where it ends."""
    queue: SimpleQueue[str] = SimpleQueue()
    answers: Iterator[pb.StreamServerEventsResponse] | None = None

    def requests(own: SimpleQueue[str]) -> Iterator[pb.StreamServerEventsRequest]:
        while event_id := own.get():
            event = ServerEvent(site_id=SITE, event_id=event_id, scan_session_id="s", event_name="lead")
            yield pb.StreamServerEventsRequest(event=event)

    def send(event_id: str) -> None:
        nonlocal queue, answers
        if answers is None:
            queue = SimpleQueue()
            answers = stub.StreamServerEvents(requests(queue))
        queue.put(event_id)
        try:
            assert next(answers).receipts[0].outcome == EventReceipt.ACCEPTED
        except (grpc.RpcError, StopIteration) as error:
            queue.put("")
            answers = None
            if is_cut(error):
                raise Later("cut") from error
            raise later(error) from error

    return send


def is_cut(error: Exception) -> bool:
    """Whether a stream was cut on its way, as the contract tells senders to expect."""
    return (
        isinstance(error, grpc.RpcError)
        and error.code() is grpc.StatusCode.INTERNAL
        and "RST_STREAM" in (error.details() or "")
    )


def later(error: Exception) -> Later:
    """What a failed call says, if it may be made again."""
    assert isinstance(error, grpc.RpcError)
    code = error.code()
    assert code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}, error
    return Later(code.name)


@contextmanager
def load(stack: Stack, book: Book) -> Iterator[None]:
    """Callers of every kind, until the end."""
    gateway = stack.url.removeprefix("http://")
    with (
        httpx.Client(base_url=stack.url, timeout=patient(10), verify=NO_TLS) as kept,
        grpc.insecure_channel(stack.grpc_target, options=NO_RETRIES) as direct,
        grpc.insecure_channel(gateway, options=NO_RETRIES) as through,
    ):
        senders = {
            "json": lambda event_id: post(kept, event_id),
            "json, new connections": anew(stack.url),
            "grpc": call(CollectorServiceStub(through)),
            "stream": stream(CollectorServiceStub(through)),
            "direct grpc": call(CollectorServiceStub(direct)),
        }
        threads = [threading.Thread(target=deliver, args=(book, *sender)) for sender in senders.items()]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            book.stop.set()
            for thread in threads:
                thread.join(2 * PATIENCE_SECONDS)


def test_every_process_is_new_and_no_caller_that_tries_again_has_lost_anything(tmp_path: Path) -> None:
    """By SIGHUP; and a stop while `qrumb restart` is on its way is a stop like any other."""
    ports = {"HTTP_PORT": str(claimed_port()), "GRPC_PORT": str(claimed_port())}
    book = Book()
    settings = {"QRUMB_WORKERS": "2", "QRUMB_LOADER__DRAIN_TIMEOUT": "PT2S"}
    with running_stack(tmp_path / "data", **ports, **settings) as stack:
        assert stack.process is not None
        with load(stack, book):
            before = stack.children()
            stack.process.send_signal(signal.SIGHUP)
            wait_until(lambda: '"restart_done"' in stack.log(), 60)
            after = stack.children()
            assert set(after) == set(before) == {"worker-0", "worker-1", "loader", "gateway"}
            assert not {child.pid for child in before.values()} & {child.pid for child in after.values()}
        print(dict(book.accepted), dict(book.tried_again))
        assert book.failed == []
        assert len(book.accepted) == 5
        # Kept connections are told to close, calls go elsewhere. A stream ends with its worker, and a new connection
        # may come upon the old gateway's port just as it closes.
        excused = ("stream", "json, new connections", "direct grpc")
        assert not [what for what in book.tried_again if not what.startswith(excused)]
        assert "child_died" not in stack.log()
        stack.wait_for_empty_spool()
        stored = {row["id"] for row in stack.query("SELECT toString(event_id) AS id FROM events.valid_events")}
        assert not book.ids - stored, "acknowledged and lost"
        assert stack.command("restart").returncode == 0
        wait_until(lambda: stack.log().count('"restart_begins"') == 2)
        time.sleep(1)
        assert stack.stop() == 0
        assert "Traceback" not in stack.log()


def test_a_restart_of_no_node_says_so(tmp_path: Path) -> None:
    done = Stack(tmp_path / "data").command("restart")
    assert done.returncode == 1
    assert "no node runs" in done.stderr
