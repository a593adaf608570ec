"""A redirect in front of a node that is killed, or whose spool is full: every visitor is sent on, every loss is told.

REDIRECTS (500) says how many there are; 10,000 is the number of docs/redirect.md.
"""

import os
from pathlib import Path

import pytest

from qrumb import Client, QrumbError, Redirect, Settings, UndeliveredError
from qrumb.events import Event
from qrumb.v1.scan_session_pb2 import ScanSession
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.stack import running_stack

REDIRECTS = int(os.environ.get("REDIRECTS", "500"))
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(300)]
BROWSER = {"User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) Safari/604.1"}


class Told:
    """The client's report of what failed."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()

    def __call__(self, event: Event, _error: QrumbError) -> None:
        assert isinstance(event, ScanSession)
        self.sessions.add(event.scan_session_id)


def redirected(redirect: Redirect, number: int) -> set[str]:
    """The sessions of so many visitors, each of whom was sent on."""
    answers = [redirect.answer("poster-7", BROWSER, client_ip="192.0.2.1") for _ in range(number)]
    assert {answer.status for answer in answers} == {302}
    assert all(answer.headers["Location"].endswith(f"qrs={answer.session}") for answer in answers)
    return {answer.session for answer in answers}


def made(client: Client) -> Redirect:
    """A redirect of one code."""
    return Redirect(client=client, site_id="demo", secret="s", destinations={"poster-7": "https://shop.example/"})


def test_a_node_that_is_killed_costs_no_visitor_their_landing(tmp_path: Path) -> None:
    """kill -9 of the whole node between two halves: each scan is registered, or in the report, and not both."""
    told = Told()
    ports = {"HTTP_PORT": str(claimed_port()), "GRPC_PORT": str(claimed_port())}
    with running_stack(tmp_path / "data", **ports, QRUMB_WORKERS="2") as stack:
        settings = Settings(max_queue_events=REDIRECTS // 4, max_backoff=0.5)
        client = Client(f"grpc://{stack.grpc_target}", settings=settings, on_failure=told)
        before = redirected(made(client), REDIRECTS // 10)
        assert client.flush(patient(30))
        stack.kill_all()
        during = redirected(made(client), REDIRECTS - REDIRECTS // 10)
        assert client.counters.failed == len(told.sessions) == len(during) - REDIRECTS // 4
        stack.start()
        assert client.flush(patient(60))
        client.close(patient(10))
        stack.wait_for_empty_spool()
        rows = stack.query("SELECT DISTINCT scan_session_id FROM events.scan_sessions WHERE site_id = 'demo'")
    stored = {row["scan_session_id"] for row in rows}
    assert stored | told.sessions == before | during
    assert not stored & told.sessions


def test_a_full_spool_costs_no_visitor_their_landing(tmp_path: Path) -> None:
    """The node refuses every scan; the queue fills, and all of it is told when the client is closed."""
    told = Told()
    with running_stack(tmp_path / "data", QRUMB_SPOOL__MIN_FREE_BYTES=str(10**18), QRUMB_WORKERS="1") as stack:
        client = Client(
            f"grpc://{stack.grpc_target}", settings=Settings(max_queue_events=REDIRECTS // 4), on_failure=told
        )
        sessions = redirected(made(client), REDIRECTS)
        assert len(told.sessions) == REDIRECTS - REDIRECTS // 4
        with pytest.raises(UndeliveredError) as left:
            client.close(1)
    assert len(left.value.events) == REDIRECTS // 4
    assert told.sessions == sessions
    assert client.counters.failed == client.counters.sent == REDIRECTS
