"""The clients against a real node: events per second and processor time per event, in batches and one by one.

Each client runs in a process of its own. The last part takes the node away for some seconds and counts what is lost.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from qrumb import AsyncClient, Client, Settings, server_event  # noqa: E402
from qrumb.v1.server_event_pb2 import ServerEvent  # noqa: E402
from tests.support.stack import running_stack  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BATCHED = 30_000
SINGLE = 500
AWAY_EVENTS_PER_SECOND = 500


def event(number: int) -> ServerEvent:
    """A purchase with a few properties, about 250 bytes."""
    return server_event(
        site_id="bench",
        event_name="purchase",
        scan_session_id=f"scan-{number % 997}",
        amount=Decimal("49.90"),
        currency="EUR",
        external_id=f"u-{number}",
        properties={"order": f"A-{number}", "items": 3, "campaign": "autumn"},
    )


def send_batched(url: str) -> int:
    """Everything through the queue, until the last answer."""
    with Client(url) as client:
        for number in range(BATCHED):
            client.send(event(number))
        client.flush()
        assert client.counters.accepted == BATCHED
    return BATCHED


def collect_singly(url: str) -> int:
    """One call after the other."""
    with Client(url) as client:
        for number in range(SINGLE):
            client.collect(event(number))
    return SINGLE


async def send_batched_async(url: str) -> int:
    """As send_batched."""
    async with AsyncClient(url) as client:
        for number in range(BATCHED):
            await client.send(event(number))
        await client.flush()
        assert client.counters.accepted == BATCHED
    return BATCHED


async def collect_singly_async(url: str) -> int:
    """One call after the other."""
    async with AsyncClient(url) as client:
        for number in range(SINGLE):
            await client.collect(event(number))
    return SINGLE


def build_only(_url: str) -> int:
    """What the builder costs, which the other figures contain."""
    for number in range(BATCHED):
        event(number)
    return BATCHED


def in_loop(work: Callable[[str], Awaitable[int]]) -> Callable[[str], int]:
    """The coroutine as a function."""

    async def run(url: str) -> int:
        return await work(url)

    return lambda url: asyncio.run(run(url))


WORK: dict[str, Callable[[str], int]] = {
    "Python, building alone": build_only,
    "Python, batches": send_batched,
    "Python, single": collect_singly,
    "Python asyncio, batches": in_loop(send_batched_async),
    "Python asyncio, single": in_loop(collect_singly_async),
}


def child(name: str, url: str) -> None:
    """Do one piece of work and print events per second and microseconds of processor time per event."""
    wall, processor = time.perf_counter(), time.process_time()
    events = WORK[name](url)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"RESULT {events / wall:.0f} {processor / events * 1e6:.1f}")


def measure_python(name: str, url: str) -> tuple[float, float]:
    """In a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, name, url], capture_output=True, text=True, check=True, timeout=120
    )
    rate, cost = done.stdout.split("RESULT ")[1].split()
    return float(rate), float(cost)


def measure_go(url: str) -> dict[str, tuple[float, float]]:
    """The benchmarks of clients/go."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "go_toolchain.py"), "test", "-run=^$", "-bench=.", "-benchtime=1x", "."],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        env={**os.environ, "QRUMB_NODE": url},
    )
    found = {}
    for name, label in (("Batches", "Go, batches"), ("Single", "Go, single"), ("Build", "Go, building alone")):
        line = next(line for line in done.stdout.splitlines() if line.startswith(f"Benchmark{name}"))
        rate = re.search(r"([\d.]+) events/s", line)
        cost = re.search(r"([\d.]+) cpu-µs/event", line)
        assert rate is not None
        assert cost is not None
        found[label] = float(rate[1]), float(cost[1])
    return found


def measure_outage() -> None:
    """A node that is away for some seconds: what is sent meanwhile waits in the queue and arrives."""
    port = str(40_000 + os.getpid() % 20_000)
    settings = Settings(max_queue_events=50_000, max_backoff=1)
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder, "data"), GRPC_PORT=port) as node:
        with Client(f"grpc://127.0.0.1:{port}", settings=settings) as client:
            node.stop()
            away = time.perf_counter()
            most = sent = 0
            while time.perf_counter() - away < 10:
                client.send(event(sent))
                sent += 1
                time.sleep(1 / AWAY_EVENTS_PER_SECOND)
            most = client.counters.waiting
            node.start()
            back = time.perf_counter()
            client.flush()
            took = time.perf_counter() - back
            counters = client.counters
        node.wait_for_rows(sent, "site_id = 'bench' AND is_duplicate = 0")
    print(
        f"node away for 10 s: {sent} sent, {most} waiting at the end, all answered {took:.2f} s after it was ready; "
        f"{counters.accepted} accepted, {counters.failed} failed, {counters.retried} retries, {sent} unique rows"
    )


def main() -> None:
    """Best of the rounds, each client in turn."""
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder, "data")) as node:
        url = f"grpc://{node.grpc_target}"
        for _ in range(ROUNDS):
            found = {name: measure_python(name, url) for name in WORK} | measure_go(url)
            for name, (rate, cost) in found.items():
                known_rate, known_cost = best.get(name, (0.0, float("inf")))
                best[name] = max(rate, known_rate), min(cost, known_cost)
    print("| client | events/s | processor µs per event |\n| --- | --- | --- |")
    for name, (rate, cost) in best.items():
        print(f"| {name} | {rate:,.0f} | {cost:,.1f} |")
    measure_outage()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(*sys.argv[1:])
    else:
        main()
