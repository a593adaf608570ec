"""What the Python clients promise beyond the cases: their ends, their threads, TLS, and a node that restarts."""

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest

import qrumb
from qrumb import (
    AsyncClient,
    Client,
    ClosedError,
    DeliveryError,
    QueueFullError,
    Settings,
    Tls,
    UndeliveredError,
    browser_event,
    server_event,
)
from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.server_event_pb2 import ServerEvent
from tests.integration.clients.conftest import Keyed
from tests.support.client_front import Front, GrpcFace, Script
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PROMPT = Settings(max_batch_delay=0.02, first_backoff=0.02, max_backoff=0.2, call_timeout=5)


def event(site_id: str, number: int = 0) -> ServerEvent:
    """Event `number`."""
    return server_event(site_id=site_id, event_name=f"e{number}", scan_session_id="s")


@pytest.fixture
def site_id() -> str:
    """A site that no script knows: everything is accepted."""
    return f"free.{uuid.uuid4().hex[:8]}"


def arrived(front: Front, site_id: str) -> list[str]:
    """Ids of the events that arrived, in order."""
    return [found["event_id"] for call in front.calls(site_id) for found in call["events"]]


def test_threads_share_a_client(front: Front, site_id: str) -> None:
    """Every event of every thread arrives once, also while the queue is full most of the time."""
    settings = Settings(max_batch_delay=0.01, max_queue_events=50, max_batch_events=20)
    with Client(front.grpc_url, settings=settings) as client, ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda number: client.send(event(site_id, number)), range(2_000)))
        assert client.flush(10)
        assert client.counters == qrumb.Counters(sent=2_000, accepted=2_000, rejected=0, failed=0, waiting=0, retried=0)
    assert sorted(arrived(front, site_id)) == sorted(ids)


async def test_tasks_share_an_async_client(front: Front, site_id: str) -> None:
    """The same for asyncio."""
    settings = Settings(max_batch_delay=0.01, max_queue_events=50, max_batch_events=20)
    async with AsyncClient(front.grpc_url, settings=settings) as client:
        ids = await asyncio.gather(*(client.send(event(site_id, number)) for number in range(500)))
        assert await client.flush(10)
        assert client.counters.accepted == 500
    assert sorted(arrived(front, site_id)) == sorted(ids)


def test_an_event_is_frozen_when_it_is_sent(front: Front, site_id: str) -> None:
    """What the caller does to its message afterwards changes nothing; a missing id is made, not written into it."""
    own = ServerEvent(site_id=site_id, event_name="e0", scan_session_id="s")
    with Client(front.grpc_url, settings=Settings(max_batch_delay=30)) as client:
        event_id = client.send(own)
        own.event_name = "changed"
    assert own.event_id == ""
    [call] = front.calls(site_id)
    assert call["events"] == [{"event_id": event_id, "name": "e0"}]


def test_a_hook_that_raises_stops_nothing(front: Front, site_id: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged; the events after it are sent and counted."""

    def broken(_receipt: EventReceipt) -> None:
        raise RuntimeError("of the caller")

    with Client(front.grpc_url, settings=PROMPT, on_receipt=broken) as client:
        client.send(event(site_id))
        assert client.flush(5)
        client.send(event(site_id, 1))
        assert client.flush(5)
        assert client.counters.accepted == 2
    assert caplog.text.count("a hook raised") == 2


def test_a_hook_that_sends_never_waits_for_itself(front: Front, site_id: str) -> None:
    """In the sender thread a full queue is an error, whatever the settings say."""
    found: list[type[Exception]] = []

    def resend(_receipt: EventReceipt) -> None:
        try:
            client.send(event(site_id, 1))
        except QueueFullError as error:
            found.append(type(error))

    settings = Settings(max_batch_delay=0.02, max_queue_events=1)
    with Client(front.grpc_url, settings=settings, on_receipt=resend) as client:
        client.send(event(site_id))
        assert client.flush(5)
    assert found == [QueueFullError]


def test_failed_events_are_told_without_their_content(
    front: Front, site_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no server listens, the end says how many events failed and nothing of them."""
    client = Client("grpc://127.0.0.1:1", settings=PROMPT)
    client.send(server_event(site_id=site_id, event_name="lead", scan_session_id="s", properties={"note": "secret"}))
    with pytest.raises(UndeliveredError) as caught:
        client.close(0.5)
    assert str(caught.value).startswith("1 event not delivered to grpc://127.0.0.1:1: UNAVAILABLE: ")
    assert "secret" not in caplog.text + str(caught.value)
    assert client.counters.failed == 1


def test_send_gives_up_waiting_for_room(site_id: str) -> None:
    """A timeout of send bounds the wait; the event was not taken."""
    client = Client("grpc://127.0.0.1:1", settings=Settings(max_queue_events=1), on_failure=lambda *_: None)
    client.send(event(site_id))
    with pytest.raises(QueueFullError):
        client.send(event(site_id, 1), timeout=0.1)
    with pytest.raises(UndeliveredError) as caught:
        client.close(0.1)
    assert [found.event_name for found in caught.value.events if isinstance(found, ServerEvent)] == ["e0"]
    client.close()


def test_close_wakes_a_send_that_waits(site_id: str) -> None:
    """It gets ClosedError, not silence."""
    client = Client("grpc://127.0.0.1:1", settings=Settings(max_queue_events=1), on_failure=lambda *_: None)
    client.send(event(site_id))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.send, event(site_id, 1))
        with pytest.raises(UndeliveredError):
            client.close(0.1)
        with pytest.raises(ClosedError):
            waiting.result(patient(5))


def test_collect_gives_up_with_the_reason(site_id: str) -> None:
    """Without a server the error says so within the caller's time, and the event is counted as failed."""
    with Client("grpc://127.0.0.1:1", settings=PROMPT) as client:
        with pytest.raises(DeliveryError) as caught:
            client.collect(event(site_id), timeout=patient(0.3))
        assert caught.value.code is grpc.StatusCode.UNAVAILABLE
        assert client.counters.failed == client.counters.sent == 1


async def test_async_collect_gives_up_with_the_reason(site_id: str) -> None:
    """The same for asyncio."""
    async with AsyncClient("grpc://127.0.0.1:1", settings=PROMPT) as client:
        with pytest.raises(DeliveryError):
            await client.collect(event(site_id), timeout=patient(0.3))
        assert client.counters.failed == client.counters.sent == 1


CHILD = """
import sys
from qrumb import Client, Settings, server_event
client = Client(sys.argv[1], settings=Settings(max_batch_delay=30))
client.send(server_event(site_id=sys.argv[2], event_name="e0", scan_session_id="s"))
"""


def test_the_end_of_a_program_delivers(front: Front, site_id: str) -> None:
    """The program never calls close; the event arrives all the same."""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, front.grpc_url, site_id], check=True, timeout=patient(30)
    )
    assert len(arrived(front, site_id)) == 1


FORK = """
import os, sys
from qrumb import Client, ClosedError, server_event
client = Client(sys.argv[1])
child = os.fork()
if child == 0:
    try:
        client.send(server_event(site_id="free", event_name="e0", scan_session_id="s"))
    except ClosedError:
        os._exit(7)
    os._exit(1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_client_from_before_a_fork_refuses(front: Front) -> None:
    """Instead of queueing for a thread that does not exist."""
    done = subprocess.run(
        [sys.executable, "-c", FORK, front.grpc_url], check=False, timeout=patient(30), capture_output=True
    )
    assert done.returncode == 7, done.stderr


def test_only_from_env_reads_the_environment(front: Front, site_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """QRUMB_URL and QRUMB_KEY count where the caller asks for it, and arguments count more."""
    monkeypatch.setenv("QRUMB_URL", front.grpc_url)
    monkeypatch.setenv("QRUMB_KEY", "from-env")
    for make in (Client.from_env, lambda: Client.from_env(key="own"), lambda: Client(front.grpc_url)):
        with make() as client:
            client.collect(event(site_id))
    assert [call["authorization"] for call in front.calls(site_id)] == ["Bearer from-env", "Bearer own", ""]


def test_clients_of_one_process_share_a_folder(site_id: str, tmp_path: Path) -> None:
    """Locks of a process are none against itself: neither takes what the other is still sending."""
    clients = [Client("grpc://127.0.0.1:1", spool_dir=tmp_path) for _ in range(2)]
    for client in clients:
        client.send(event(site_id))
    assert [client.counters.sent for client in clients] == [1, 1]
    for client in clients:
        client.close(patient(30))
        assert client.counters.waiting == 1
    with Client("grpc://127.0.0.1:1", spool_dir=tmp_path) as last:
        assert last.counters.sent == 2


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """At once, by the argument's name; what is not a file of a client's is left as it is."""
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="spool_dir: "):
        Client(spool_dir=tmp_path / "file")
    other = tmp_path / "0.qrumb"
    other.write_bytes(b"qrumb-2\nsomething newer")
    Client(spool_dir=tmp_path).close()
    assert other.read_bytes() == b"qrumb-2\nsomething newer"


def test_gzip(front: Front, site_id: str) -> None:
    """A compressed call is the same call."""
    with Client(front.grpc_url, settings=Settings(compression="gzip")) as client:
        client.send(server_event(site_id=site_id, event_name="e0", scan_session_id="s", properties={"p": "x" * 5_000}))
    assert len(arrived(front, site_id)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": "grpc://"},
        {"url": "grpc://127.0.0.1:1", "tls": Tls()},
        {"url": "127.0.0.1:1", "tls": Tls()},
        {"url": "grpcs://127.0.0.1:1", "tls": Tls(certificate=b"x")},
    ],
    ids=["host", "certificates without TLS", "certificates for a bare address", "certificate without its key"],
)
def test_what_cannot_be_meant_is_refused(arguments: dict[str, Any]) -> None:
    """At once, not at the first event."""
    threads = threading.active_count()
    with pytest.raises(ValueError):
        Client(**arguments)
    assert threading.active_count() == threads


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_batch_events": 0},
        {"max_batch_events": 1_001},
        {"max_batch_bytes": 5_000_000},
        {"max_queue_events": 0},
        {"max_batch_delay": -1},
        {"max_backoff": 0.01},
        {"when_full": "drop"},
        {"compression": "zip"},
    ],
    ids=lambda arguments: next(iter(arguments)),
)
def test_settings_that_cannot_work_are_refused(arguments: dict[str, Any]) -> None:
    """With the name of the setting."""
    with pytest.raises(ValueError, match=next(iter(arguments))):
        Settings(**arguments)


@pytest.fixture
def certificates(tmp_path: Path) -> dict[str, bytes]:
    """A root that signs itself, which is server and client in one."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return {name: (tmp_path / f"{name}.pem").read_bytes() for name in ("key", "cert")}


@pytest.fixture
def tls_front(certificates: dict[str, bytes]) -> Iterator[str]:
    """A front that wants a client's certificate."""
    server = grpc.server(ThreadPoolExecutor(4))
    add_CollectorServiceServicer_to_server(GrpcFace(Script()), server)
    credentials = grpc.ssl_server_credentials(
        [(certificates["key"], certificates["cert"])], certificates["cert"], require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"grpcs://localhost:{port}"
    server.stop(0).wait()


def test_tls_with_a_client_certificate(tls_front: str, certificates: dict[str, bytes], site_id: str) -> None:
    """With both certificates it works; without the client's own it does not."""
    root, key = certificates["cert"], certificates["key"]
    with Client(tls_front, tls=Tls(root_certificates=root, certificate=root, private_key=key)) as client:
        assert client.collect(event(site_id)).outcome == EventReceipt.ACCEPTED
    with Client(tls_front, tls=Tls(root_certificates=root), settings=PROMPT) as client, pytest.raises(DeliveryError):
        client.collect(event(site_id), timeout=0.5)


@pytest.mark.stack
def test_the_example_of_the_readme_runs(keyed: Keyed) -> None:
    """As it stands, against a node."""
    text = (ROOT / "clients" / "python" / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        env={**os.environ, "QRUMB_URL": f"grpc://{keyed.stack.grpc_target}", "QRUMB_KEY": keyed.key},
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "outcome: ACCEPTED" in done.stdout


@pytest.mark.stack
def test_a_refused_session_says_why(stack: Stack) -> None:
    """With every field that is wrong."""
    with Client(stack.grpc_target) as client, pytest.raises(DeliveryError) as caught:
        client.register_scan_session(site_id="no site!", scan_session_id="s", qr_code_id="")
    assert caught.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {violation.field.rpartition(".")[2] for violation in caught.value.violations} == {"site_id", "qr_code_id"}


@pytest.mark.stack
def test_browser_events_reach_the_table(stack: Stack, site_id: str) -> None:
    """What was built is what is stored."""
    site = site_id.replace(".", "-")
    with Client(stack.grpc_target) as client:
        event_id = client.send(browser_event(site_id=site, event_type="pageview", metadata={"b": 1, "a": [True]}))
    stack.wait_for_rows(1, f"site_id = '{site}'")
    [row] = stack.query(f"SELECT event_id, source, metadata FROM events.valid_events WHERE site_id = '{site}'")
    assert row == {"event_id": event_id, "source": "browser", "metadata": '{"a":[true],"b":1}'}


def restarted(node: Stack) -> None:
    """Stopped, and started anew."""
    node.stop()
    node.start()


@pytest.mark.stack
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_node_that_restarts_loses_nothing(tmp_path: Path) -> None:
    """Events sent before, during and after a restart are each one unique row, in spite of all retries."""
    port = str(claimed_port())
    settings = Settings(max_batch_delay=0.01, max_backoff=1)
    with running_stack(tmp_path / "data", GRPC_PORT=port) as node, ThreadPoolExecutor(1) as pool:
        with Client(f"grpc://127.0.0.1:{port}", settings=settings) as client:
            restart = pool.submit(restarted, node)
            sent = 0
            while not restart.done():
                client.send(event("restart", sent))
                sent += 1
                time.sleep(0.002)
            restart.result()
            assert client.flush(patient(60))
            counters = client.counters
        assert counters.accepted == counters.sent == sent
        assert counters.retried > 0
        node.wait_for_rows(sent, "site_id = 'restart' AND is_duplicate = 0")


def test_the_version_is_the_contracts() -> None:
    """Client and server are released together."""
    assert version("qrumb") == version("qrumb-server")


def test_the_messages_alone_load_no_grpc() -> None:
    """The server shares the package, and its commands start without gRPC; every public name is there all the same."""
    code = "import sys, qrumb.v1.receipt_pb2; sys.exit('grpc' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=patient(60))
    assert all(getattr(qrumb, name) for name in qrumb.__all__)
    with pytest.raises(AttributeError):
        qrumb.nothing  # noqa: B018
