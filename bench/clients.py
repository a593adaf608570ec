"""The clients against a real node: events per second and processor time per event, in batches and one by one.

Each client runs in a process of its own; those whose toolchain is missing are left out. A second part is batches with
and without a folder, in turn (`python bench/clients.py folder` is that part alone). The last part kills the node for a
minute (BENCH_AWAY_SECONDS) while every client sends, and counts what is lost (`away`).
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

import maven  # noqa: E402

from qrumb import AsyncClient, Client, server_event  # noqa: E402
from qrumb.v1.server_event_pb2 import ServerEvent  # noqa: E402
from tests.support.javascript import built_package  # noqa: E402
from tests.support.ports import claimed_port  # noqa: E402
from tests.support.stack import Stack, running_stack, wait_until  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BATCHED = 30_000
SINGLE = 500
AWAY_SECONDS = float(os.environ.get("BENCH_AWAY_SECONDS", "60"))
# 100 a second: a minute's events are within the default queue.
AWAY_EVENT_SECONDS = 0.01
AWAY_FLUSH_SECONDS = 60
# What a child of the last part reads: the site that it sends to, and the file that ends it.
AWAY_SITE, AWAY_OVER = "QRUMB_AWAY_SITE", "QRUMB_AWAY_OVER"
# The node's workers.
TWO = {"QRUMB_WORKERS": "2"}
# What every client's measurement takes for its folder.
FOLDER = "QRUMB_SPOOL_DIR"
GO_TEST = [sys.executable, str(ROOT / "tools" / "go_toolchain.py"), "test", "-run=^$", "-benchtime=1x"]
NODE_BENCH = ["node", str(ROOT / "bench" / "clients.mjs")]


def event(number: int, site_id: str = "bench") -> ServerEvent:
    """A purchase with a few properties, about 250 bytes."""
    return server_event(
        site_id=site_id,
        event_name="purchase",
        scan_session_id=f"scan-{number % 997}",
        amount=Decimal("49.90"),
        currency="EUR",
        external_id=f"u-{number}",
        properties={"order": f"A-{number}", "items": 3, "campaign": "autumn"},
    )


def send_batched(url: str) -> int:
    """Everything through the queue, until the last answer."""
    with Client(url, spool_dir=os.environ.get(FOLDER, "")) as client:
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
    async with AsyncClient(url, spool_dir=os.environ.get(FOLDER, "")) as client:
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


def send_while_away(url: str) -> int:
    """An event every 10 ms until the file is there, then the rest."""
    over = Path(os.environ[AWAY_OVER])
    with Client(url) as client:
        while not over.exists():
            client.send(event(client.counters.sent, os.environ[AWAY_SITE]))
            time.sleep(AWAY_EVENT_SECONDS)
        started = time.perf_counter()
        client.flush(AWAY_FLUSH_SECONDS)
        counters = client.counters
    print(f"AWAY {counters.sent} {counters.accepted} {counters.failed} {time.perf_counter() - started:.1f}")
    return counters.sent


async def send_while_away_async(url: str) -> int:
    """As send_while_away."""
    over = Path(os.environ[AWAY_OVER])
    async with AsyncClient(url) as client:
        while not over.exists():  # noqa: ASYNC240  # a moment
            await client.send(event(client.counters.sent, os.environ[AWAY_SITE]))
            await asyncio.sleep(AWAY_EVENT_SECONDS)
        started = time.perf_counter()
        await client.flush(AWAY_FLUSH_SECONDS)
        counters = client.counters
    print(f"AWAY {counters.sent} {counters.accepted} {counters.failed} {time.perf_counter() - started:.1f}")
    return counters.sent


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
AWAY_WORK: dict[str, Callable[[str], int]] = {
    "Python, away": send_while_away,
    "Python asyncio, away": in_loop(send_while_away_async),
}


def child(name: str, url: str) -> None:
    """Do one piece of work and print events per second and microseconds of processor time per event."""
    wall, processor = time.perf_counter(), time.process_time()
    events = (WORK | AWAY_WORK)[name](url)
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
        [*GO_TEST, "-bench=Build|Batches|Single", "."],
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


def measure_java(url: str) -> dict[str, tuple[float, float]]:
    """dev.qrumb.ClientBench, each part after nine rounds that warm it up."""
    done = maven.mvn("-o", "test", "-Dtest=ClientBench#measure*", QRUMB_NODE=url)
    assert done.returncode == 0, done.stdout
    return results("Java", done.stdout)


def measure_typescript(url: str) -> dict[str, tuple[float, float]]:
    """bench/clients.mjs, each part after a round that warms it up."""
    done = subprocess.run([*NODE_BENCH, url], capture_output=True, text=True, check=True, timeout=300)
    return results("TypeScript", done.stdout)


def results(client: str, output: str) -> dict[str, tuple[float, float]]:
    """Lines `RESULT batches 12345 6.7`."""
    found = re.findall(r"^RESULT (.+) ([\d.]+) ([\d.]+)$", output, re.MULTILINE)
    return {f"{client}, {name}": (float(rate), float(cost)) for name, rate, cost in found}


def others() -> dict[str, Callable[[str], dict[str, tuple[float, float]]]]:
    """The clients in other languages, as far as their toolchains are there."""
    found: dict[str, Callable[[str], dict[str, tuple[float, float]]]] = {"Go": measure_go}
    if reason := maven.missing():
        print(f"Java is left out: it {reason}")
    else:
        found["Java"] = measure_java
    if shutil.which("npm") is None:
        print("TypeScript is left out: it needs npm")
    else:
        built_package("typescript")
        found["TypeScript"] = measure_typescript
    return found


def start_away(client: str, url: str, over: Path) -> subprocess.Popen[str]:
    """A client that sends until the file is there, to a site of its name."""
    commands = {
        "Go": [*GO_TEST, "-bench=Away", "."],
        "Java": [sys.executable, str(ROOT / "tools" / "maven.py"), "-o", "test", "-Dtest=ClientBench#away"],
        "TypeScript": [*NODE_BENCH, url, "away"],
    }
    return subprocess.Popen(
        commands.get(client, [sys.executable, __file__, f"{client}, away", url]),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "QRUMB_NODE": url, AWAY_SITE: site_of(client), AWAY_OVER: str(over)},
    )


def site_of(client: str) -> str:
    """A site_id."""
    return f"away-{client.replace(' ', '-')}"


def measure_outage(clients: list[str]) -> None:
    """A node that is dead for a minute: what all clients send meanwhile waits in their queues and arrives."""
    port = str(claimed_port())
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder, "data"), GRPC_PORT=port, **TWO) as node:
        over = Path(folder, "over")
        children = {client: start_away(client, f"grpc://127.0.0.1:{port}", over) for client in clients}
        try:
            for client in clients:
                wait_for_first(node, client)
            node.kill()
            time.sleep(AWAY_SECONDS)
            node.start()
        finally:
            over.touch()
            outputs = {client: child.communicate()[0] for client, child in children.items()}
        print(f"\n| node dead for {AWAY_SECONDS:.0f} s | sent | accepted | failed | unique rows | last answer after |")
        print("| --- | --- | --- | --- | --- | --- |")
        for client, output in outputs.items():
            print_outage(node, client, output)


def wait_for_first(node: Stack, client: str) -> None:
    """Until a client's first event is a row."""
    wait_until(lambda: node.count(f"site_id = '{site_of(client)}'") > 0, 120, 0.5)


def print_outage(node: Stack, client: str, output: str) -> None:
    """A line of the table; every event that was sent must be a row."""
    said = re.search(r"^AWAY (\d+) (\d+) (\d+) ([\d.]+)$", output, re.MULTILINE)
    assert said is not None, output
    sent, accepted, failed, took = said.groups()
    where = f"site_id = '{site_of(client)}' AND is_duplicate = 0"
    node.wait_for_rows(int(sent), where)
    [row] = node.query(f"SELECT toUInt32(uniqExact(event_id)) AS ids FROM events.valid_events WHERE {where}")
    assert row["ids"] == int(sent)
    print(f"| {client} | {int(sent):,} | {int(accepted):,} | {failed} | {row['ids']:,} | {took} s |")


def measure_rates() -> None:
    """Best of the rounds, each client in turn; a client's figures also as ratios to Python's."""
    best: dict[str, tuple[float, float]] = {}
    measured = others()
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder, "data"), **TWO) as node:
        url = f"grpc://{node.grpc_target}"
        for _ in range(ROUNDS):
            found = {name: measure_python(name, url) for name in WORK}
            for measure in measured.values():
                found |= measure(url)
            for name, (rate, cost) in found.items():
                known_rate, known_cost = best.get(name, (0.0, float("inf")))
                best[name] = max(rate, known_rate), min(cost, known_cost)
    print("| client | events/s | to Python's | processor µs per event | to Python's |\n| --- | --- | --- | --- | --- |")
    for name, (rate, cost) in best.items():
        python_rate, python_cost = best[f"Python, {name.split(', ')[1]}"]
        print(f"| {name} | {rate:,.0f} | {rate / python_rate:.2f} | {cost:,.1f} | {cost / python_cost:.2f} |")


def measure_folder() -> None:
    """Batches with a folder beside batches without, in turn; best of the rounds."""
    best: dict[tuple[str, bool], tuple[float, float]] = {}
    measured = {client: measure for client, measure in others().items() if client != "TypeScript"}
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder, "data"), **TWO) as node:
        url = f"grpc://{node.grpc_target}"
        for round_number in range(2 * ROUNDS):
            has_folder = round_number % 2 == 1
            os.environ[FOLDER] = str(Path(folder, "spool")) if has_folder else ""
            found = {name: measure_python(name, url) for name in WORK if name.endswith("batches")}
            for measure in measured.values():
                found |= measure(url)
            for name, (rate, cost) in found.items():
                known_rate, known_cost = best.get((name, has_folder), (0.0, float("inf")))
                best[name, has_folder] = max(rate, known_rate), min(cost, known_cost)
    os.environ[FOLDER] = ""
    print("\n| client | events/s | with a folder | processor µs per event | with a folder |")
    print("| --- | --- | --- | --- | --- |")
    for name in sorted({name for name, _ in best if name.endswith("batches")}):
        (rate, cost), (kept_rate, kept_cost) = best[name, False], best[name, True]
        print(
            f"| {name} | {rate:,.0f} | {kept_rate:,.0f} ({kept_rate / rate:.2f}) "
            f"| {cost:,.1f} | {kept_cost:,.1f} ({kept_cost / cost:.2f}) |"
        )


def main() -> None:
    """Everything, or one of the last parts alone."""
    if not sys.argv[1:]:
        measure_rates()
    if sys.argv[1:] != ["away"]:
        measure_folder()
    if sys.argv[1:] != ["folder"]:
        measure_outage(["Python", "Python asyncio", *others()])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        child(*sys.argv[1:])
    else:
        main()
