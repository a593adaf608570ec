"""A whole node under constant load and random faults; then an exact audit of everything that was ever sent.

`make soak` runs it for SOAK_SECONDS (600); `make full` for 40. It goes on until SOAK_EVENTS are acknowledged and
SOAK_FAULTS have happened as well, where these are set. What lasts has to be visible in /healthz: a fault ends only once
it was. As root the node has a filesystem of its own, which is filled to the last byte every few faults; other users are
spared that fault.
"""

import contextlib
import itertools
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.audit import audit
from tests.support.load import Book, Load
from tests.support.modes import HELD_TO_MODES, forbidden
from tests.support.plain_http import NO_TLS
from tests.support.ports import claimed_port
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.stack import Stack, frozen, running_stack, wait_until

SECONDS = float(os.environ.get("SOAK_SECONDS", "40"))
EVENTS = int(os.environ.get("SOAK_EVENTS", "0"))
FAULTS = int(os.environ.get("SOAK_FAULTS", "0"))

Fault = Callable[[], None]

# Of 16 faults in a round, or 15; 300 have 73 or more.
FILLS_PER_ROUND = 4
# A run of this length has time for faults of half a minute.
LONG_RUN_SECONDS = 300
# What a node says of a process that stands still; of one that never answered it knows no more than the latter.
SILENT = "{} (does not answer|is starting)"
# Sparse, and room for two million events with the parts that merges leave for eight minutes.
DISK_MEBIBYTES = 6_144
MIN_FREE_BYTES = 64 << 20

# On a slow machine a second brings 200 events, and a fault takes 20 s.
LONGEST_SECONDS = int(max(SECONDS, EVENTS / 200, FAULTS * 20)) + 400

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(LONGEST_SECONDS)]


def test_nothing_is_lost_doubled_or_made_up(tmp_path: Path) -> None:
    """Acknowledged means stored exactly once, and every figure of the ledger is that of the tables."""
    book = Book()
    settings = {
        "HTTP_PORT": str(claimed_port()),
        "GRPC_PORT": str(claimed_port()),
        "QRUMB_WORKERS": "2",
        "QRUMB_SPOOL__MIN_FREE_BYTES": str(MIN_FREE_BYTES),
    }
    with contextlib.ExitStack() as opened:
        disk = None
        if os.geteuid() == 0:
            disk = opened.enter_context(small_disk(tmp_path, kind="ext4", mebibytes=DISK_MEBIBYTES))
        data_dir = (disk.folder if disk else tmp_path) / "data"
        stack = opened.enter_context(
            running_stack(data_dir, launcher=HELD_TO_MODES, log_path=str(tmp_path / "node.log"), **settings)
        )
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
    """One fault after the other, each after calls have worked again; all kinds in random order, then all anew."""
    deadline = time.monotonic() + SECONDS
    rounds = rounds_of_faults(stack, disk)
    plan: list[tuple[str, Fault]] = []
    while time.monotonic() < deadline or book.answered < EVENTS or book.faults.total() < FAULTS:
        before = book.answered
        wait_until(lambda before=before: book.answered > before + 200, 60)
        time.sleep(random.uniform(0, 1.5))
        plan = plan or next(rounds)
        name, fault = plan.pop()
        fault()
        book.faults[name] += 1


def rounds_of_faults(stack: Stack, disk: SmallDisk | None) -> Iterator[list[tuple[str, Fault]]]:
    """Lists of faults to be worked off from their ends."""
    short: list[tuple[str, Fault]] = [
        ("kill worker", lambda: kill(stack, a_worker())),
        ("kill loader", lambda: kill(stack, "loader")),
        ("kill gateway", lambda: kill(stack, "gateway")),
        ("kill supervisor", lambda: kill_supervisor(stack)),
        ("kill node", lambda: kill_node(stack)),
        ("stop and start", lambda: stop_and_start(stack)),
        ("freeze loader", lambda: freeze(stack, "loader")),
        ("freeze worker", lambda: freeze(stack, a_worker())),
        ("freeze gateway", lambda: freeze(stack, "gateway")),
        ("forbid spool", lambda: forbid(stack, stack.data_dir / "spool")),
        ("forbid folder", lambda: forbid(stack, stack.data_dir / "spool" / a_worker())),
        ("delete sockets", lambda: delete_sockets(stack)),
    ]
    if disk is not None:
        short += [("fill disk", lambda: fill_disk(stack, disk))] * FILLS_PER_ROUND
    for name in itertools.cycle(("loader", "worker-0", "gateway")):
        yield random.sample(short, len(short))
        if SECONDS >= LONG_RUN_SECONDS or FAULTS:
            yield [(f"freeze {name} until it is killed", lambda name=name: freeze_until_killed(stack, name))]
            yield random.sample(short, len(short))


def a_worker() -> str:
    """One of both."""
    return f"worker-{random.randrange(2)}"


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
        wait_for_health(stack, "disk")
        time.sleep(random.uniform(0, 2))
    finally:
        stop.set()
        filling.join()
        disk.clear()


def forbid(stack: Stack, folder: Path) -> None:
    """No mode at all, until the node has said so; then a while longer."""
    with forbidden(folder):
        wait_for_health(stack, "permission denied")
        time.sleep(random.uniform(0, 2))


def delete_sockets(stack: Stack) -> None:
    """All names in the run folder at once; every one is there again before the next fault."""
    deleted = [path for path in (stack.data_dir / "run").iterdir() if path.is_socket()]
    for path in deleted:
        path.unlink(missing_ok=True)
    wait_until(lambda: all(path.exists() for path in deleted), 60)


def freeze(stack: Stack, name: str) -> None:
    """SIGSTOP until the node has said so, then a while longer; its supervisor has no time to kill it."""
    with frozen(stack, name):
        wait_until_silent(stack, name)
        time.sleep(random.uniform(0, 3))


def freeze_until_killed(stack: Stack, name: str) -> None:
    """SIGSTOP that only the supervisor ends, which kills what does not answer for 30 s."""
    process = wait_until(lambda: stack.children().get(name), 30)
    with frozen(stack, name):
        wait_until_silent(stack, name)
        wait_until(lambda: not process.is_running(), 60)


def wait_until_silent(stack: Stack, name: str) -> None:
    """Until the node says so: through the gateway, unless that is what does not answer."""
    if name == "gateway":
        wait_until(lambda: re.search(SILENT.format(name), stack.command("status").stdout), 60)
        assert health_text(stack) == ""
    else:
        wait_for_health(stack, SILENT.format(name))


def wait_for_health(stack: Stack, said: str) -> None:
    """Until /healthz says it. That is an assertion: each outage has to be visible there while it lasts."""
    wait_until(lambda: re.search(said, health_text(stack)), 60)


def health_text(stack: Stack) -> str:
    """What /healthz says, whatever its status; empty while there is no answer."""
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{stack.url}/healthz", timeout=5, verify=NO_TLS).text
    return ""
