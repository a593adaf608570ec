"""A whole node under constant load and random faults; then an exact audit of everything that was ever sent.

`make soak` runs it for SOAK_SECONDS (600); the default suite for 40.
"""

import contextlib
import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.audit import audit
from tests.support.load import Book, Load
from tests.support.ports import claimed_port
from tests.support.stack import Stack, frozen, running_stack, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "40"))

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(int(SECONDS) + 400)]


def test_nothing_is_lost_doubled_or_made_up(tmp_path: Path) -> None:
    """Acknowledged means stored exactly once, and every figure of the ledger is that of the tables."""
    book = Book()
    ports = {"HTTP_PORT": str(claimed_port()), "GRPC_PORT": str(claimed_port())}
    with running_stack(tmp_path / "data", **ports) as stack:
        load = Load(book, url=stack.url, grpc_target=stack.grpc_target)
        load.start()
        try:
            keep_breaking(stack, book, SECONDS)
        finally:
            load.stop()
        assert stack.stop() == 0, stack.log()[-3000:]
        stack.start()
        stack.wait_for_empty_spool()
        figures = audit(stack, book)
        assert stack.stop() == 0
    print(json.dumps(figures, indent=2))
    assert book.faults
    assert book.failures, "no call ever failed: the faults did not hit anything"
    assert figures["rows"] > 20 * SECONDS
    left = [path for path in (tmp_path / "data" / "spool").rglob("*") if path.suffix in {".open", ".sealed"}]
    assert left == []


def keep_breaking(stack: Stack, book: Book, seconds: float) -> None:
    """One fault after the other, each after calls have worked again."""
    faults: dict[str, Callable[[Stack], None]] = {
        "kill worker": lambda stack: kill(stack, f"worker-{random.randrange(2)}"),
        "kill loader": lambda stack: kill(stack, "loader"),
        "kill gateway": lambda stack: kill(stack, "gateway"),
        "kill supervisor": kill_supervisor,
        "kill node": kill_node,
        "stop and start": stop_and_start,
        "freeze loader": lambda stack: freeze(stack, "loader", random.uniform(0.5, 5)),
        "freeze worker": lambda stack: freeze(stack, f"worker-{random.randrange(2)}", random.uniform(0.2, 3)),
    }
    deadline = time.monotonic() + seconds
    plan: list[str] = []
    while time.monotonic() < deadline:
        before = book.answered
        wait_until(lambda before=before: book.answered > before + 200, 60)
        time.sleep(random.uniform(0, 1.5))
        # All kinds in random order, before any comes again.
        plan = plan or random.sample(sorted(faults), len(faults))
        fault = plan.pop()
        faults[fault](stack)
        book.faults[fault] += 1


def kill(stack: Stack, name: str) -> None:
    """kill -9 of one child."""
    wait_until(lambda: name in stack.children(), 30)
    with contextlib.suppress(psutil.NoSuchProcess, KeyError):
        stack.children()[name].kill()


def kill_supervisor(stack: Stack) -> None:
    """kill -9; its children drain by themselves, and the next start waits for them."""
    stack.kill()
    stack.start()


def kill_node(stack: Stack) -> None:
    """kill -9 of everything."""
    stack.kill_all()
    stack.start()


def stop_and_start(stack: Stack) -> None:
    """SIGTERM under load: it drains, loses nothing and says so."""
    assert stack.stop() == 0, stack.log()[-3000:]
    stack.start()


def freeze(stack: Stack, name: str, seconds: float) -> None:
    """SIGSTOP for a while."""
    with frozen(stack, name):
        time.sleep(seconds)
