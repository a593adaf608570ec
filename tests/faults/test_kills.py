"""The durability promise under kill -9: what was acknowledged is stored exactly once, and nothing else is."""

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.once import Tally, send_batches, send_json, send_single
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(400)]

# In turn; "node" is the supervisor and all its children at once.
VICTIMS = ["worker-0", "loader", "supervisor", "worker-1", "loader", "node", "gateway"]


def kill(stack: Stack, victim: str) -> None:
    """kill -9, and a new supervisor where that was the victim."""
    children = wait_until(lambda: found if len(found := stack.children()) == 4 else None)
    if victim == "supervisor":
        stack.kill()
        stack.start()
    elif victim == "node":
        stack.kill_all()
        stack.start()
    else:
        children[victim].kill()


@pytest.mark.parametrize("rounds", [1, pytest.param(2, marks=pytest.mark.long)])
def test_acknowledged_events_are_stored_exactly_once_through_kills(tmp_path: Path, rounds: int) -> None:
    """Seven kills a round of worker, loader, supervisor, gateway and whole node, under load from six clients."""
    ports = {"HTTP_PORT": str(claimed_port()), "GRPC_PORT": str(claimed_port())}
    tally = Tally()
    with running_stack(tmp_path / "data", **ports, QRUMB_WORKERS="2") as stack:
        senders: list[tuple[Callable[[Tally, str], None], str]] = [
            (send_single, stack.grpc_target),
            (send_single, stack.grpc_target),
            (send_single, stack.grpc_target),
            (send_batches, stack.grpc_target),
            (send_json, stack.url),
            (send_json, stack.url),
        ]
        threads = [threading.Thread(target=send, args=(tally, target)) for send, target in senders]
        for thread in threads:
            thread.start()
        try:
            for victim in VICTIMS * rounds:
                before = len(tally.acknowledged)
                wait_until(lambda goal=before + 200: len(tally.acknowledged) > goal, 60)
                kill(stack, victim)
            before = len(tally.acknowledged)
            wait_until(lambda: len(tally.acknowledged) > before + 200, 60)
        finally:
            tally.stop.set()
            for thread in threads:
                thread.join(patient(30))
        assert stack.stop() == 0, stack.log()[-3000:]
        rows = Counter(row["event_id"] for row in stack.query("SELECT event_id FROM events.valid_events"))
    assert tally.failures, "no call ever failed: the kills did not hit anything"
    assert not tally.acknowledged - set(rows), "acknowledged and lost"
    assert not set(rows) - tally.sent, "stored and never sent"
    doubled = {event_id for event_id, number in rows.items() if number > 1}
    assert not doubled - tally.retried_by_gateway, "stored twice"
    # Whatever the gateway sent twice is two arrivals of one event: few, and never more than its three tries.
    assert all(rows[event_id] <= 3 for event_id in doubled)
    spool = [path for path in (tmp_path / "data" / "spool").rglob("*") if path.suffix in {".open", ".sealed"}]
    assert not list(itertools.islice(spool, 3)), "the spool is not empty after a drain"
    assert len(rows) > 1000
