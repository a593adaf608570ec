"""A whole node under constant load and random faults; then an exact audit of everything that was ever sent.

`make soak` runs it for SOAK_SECONDS (600); the default suite for 40. It goes on until SOAK_EVENTS are acknowledged and
SOAK_FAULTS have happened as well, where these are set. As root the node has a filesystem of its own, which is filled to
the last byte every few faults; other users are spared that fault.
"""

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.audit import audit
from tests.support.load import Book, Load
from tests.support.ports import claimed_port
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.stack import Stack, frozen, running_stack, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "40"))
EVENTS = int(os.environ.get("SOAK_EVENTS", "0"))
FAULTS = int(os.environ.get("SOAK_FAULTS", "0"))

# Of 13 faults in a round; 300 have 69 of them.
FILLS_PER_ROUND = 3
# Sparse, and room for two million events with the parts that merges leave for eight minutes.
DISK_MEBIBYTES = 6_144
MIN_FREE_BYTES = 64 << 20

# On a slow machine a second brings 200 events, and a fault takes 20 s.
LONGEST_SECONDS = int(max(SECONDS, EVENTS / 200, FAULTS * 20)) + 400

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(LONGEST_SECONDS)]


def test_nothing_is_lost_doubled_or_made_up(tmp_path: Path) -> None:
    """Acknowledged means stored exactly once, and every figure of the ledger is that of the tables."""
    book = Book()
    settings = {
        "HTTP_PORT": str(claimed_port()),
        "GRPC_PORT": str(claimed_port()),
        "QRUMB_SPOOL__MIN_FREE_BYTES": str(MIN_FREE_BYTES),
    }
    with contextlib.ExitStack() as opened:
        disk = None
        if os.geteuid() == 0:
            disk = opened.enter_context(small_disk(tmp_path, kind="ext4", mebibytes=DISK_MEBIBYTES))
        data_dir = (disk.folder if disk else tmp_path) / "data"
        stack = opened.enter_context(running_stack(data_dir, log_path=str(tmp_path / "node.log"), **settings))
        load = Load(book, url=stack.url, grpc_target=stack.grpc_target)
        load.start()
        try:
            keep_breaking(stack, book, disk)
        finally:
            load.stop()
        assert stack.stop() == 0, stack.log()[-3000:]
        stack.start()
        stack.wait_for_empty_spool()
        figures = audit(stack, book)
        assert stack.stop() == 0
        left = [path for path in (data_dir / "spool").rglob("*") if path.suffix in {".open", ".sealed"}]
        assert left == []
    print(json.dumps({**figures, "parts_set_aside": stack.log().count("parts_set_aside")}, indent=2))
    assert book.faults
    assert book.failures, "no call ever failed: the faults did not hit anything"
    assert figures["rows"] > 20 * SECONDS


def keep_breaking(stack: Stack, book: Book, disk: SmallDisk | None) -> None:
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
    kinds = sorted(faults)
    if disk is not None:
        faults["fill disk"] = lambda stack: fill_disk(stack, disk)
        kinds += ["fill disk"] * FILLS_PER_ROUND
    deadline = time.monotonic() + SECONDS
    plan: list[str] = []
    while time.monotonic() < deadline or book.answered < EVENTS or book.faults.total() < FAULTS:
        before = book.answered
        wait_until(lambda before=before: book.answered > before + 200, 60)
        time.sleep(random.uniform(0, 1.5))
        # All kinds in random order, before any comes again.
        plan = plan or random.sample(kinds, len(kinds))
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


def fill_disk(stack: Stack, disk: SmallDisk) -> None:
    """To the last byte, and nothing that becomes free is left, until the node has said so; then a while longer."""
    stop = threading.Event()

    def keep_full() -> None:
        while not stop.is_set():
            disk.keep_full(0.1)

    filling = threading.Thread(target=keep_full)
    filling.start()
    try:
        wait_until(lambda: "disk" in health_text(stack), 60)
        time.sleep(random.uniform(0, 2))
    finally:
        stop.set()
        filling.join()
        disk.clear()


def health_text(stack: Stack) -> str:
    """What /healthz says, whatever its status; empty while there is no answer."""
    with stack.http() as client, contextlib.suppress(httpx.HTTPError):
        return client.get("/healthz").text
    return ""


def freeze(stack: Stack, name: str, seconds: float) -> None:
    """SIGSTOP for a while."""
    with frozen(stack, name):
        time.sleep(seconds)
