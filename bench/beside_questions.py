"""What heavy questions take from the way in: python bench/beside_questions.py

A node with the embedded database of a million rows; in turns, alone and beside four callers who ask without a pause
what no sums answer (campaigns over 400 days, of all rows). A steady sender's latencies, each from the moment at which
its call was due; how long a row took the loader, by its own metric, of batches that are sent at a steady rate besides.
"""

import asyncio
import os
import re
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.isolation import measure_steady, percentile, request  # noqa: E402
from bench.reads import SITE, fill  # noqa: E402
from qrumb_server.app.clock import SystemClock  # noqa: E402
from qrumb_server.store.embedded import EmbeddedStore  # noqa: E402
from tests.support.stack import Stack, running_stack  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
PHASE_SECONDS = 6.0
ASKING = 4
BATCHES_PER_SECOND, EVENTS_OF_A_BATCH = 5, 200
HEAVY = f"/v1/sites/{SITE}/counts"
DAY_SECONDS = 86_400
LOADED = re.compile(r"^(qrumb_loader_rows_total|qrumb_loader_batch_seconds_sum)(?:\{[^}]*\})? (\S+)", re.MULTILINE)


class Askers:
    """Ask until told to stop; count the answers by status."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stop = threading.Event()
        self.statuses: Counter[Any] = Counter()
        self._threads = [threading.Thread(target=self._ask) for _ in range(ASKING)]

    def __enter__(self) -> "Askers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        since = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() - 399 * DAY_SECONDS))
        asked = {"from_time": since, "bucket": "WEEK", "group_by": ["CAMPAIGN"]}
        with httpx.Client(base_url=self._url, timeout=120) as client:
            while not self._stop.is_set():
                reply = client.get(HEAVY, params=asked)
                self.statuses[reply.status_code if reply.is_success else reply.text[:90]] += 1


async def send_batches(host: str, port: int, seconds: float) -> None:
    """At a steady rate, on a connection of its own."""
    call = request("crowd", EVENTS_OF_A_BATCH)
    reader, writer = await asyncio.open_connection(host, port)
    started = time.perf_counter()
    for turn in range(int(seconds * BATCHES_PER_SECOND)):
        await asyncio.sleep(max(0.0, started + turn / BATCHES_PER_SECOND - time.perf_counter()))
        writer.write(call)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
    writer.close()


def loaded(metrics: str) -> tuple[float, float]:
    """Rows that the loader took so far, and the seconds that its batches took."""
    sums: defaultdict[str, float] = defaultdict(float)
    for name, value in LOADED.findall(httpx.get(metrics, timeout=30).text):
        sums[name] += float(value)
    return sums["qrumb_loader_rows_total"], sums["qrumb_loader_batch_seconds_sum"]


async def phase(node: Stack, metrics: str) -> tuple[list[float], float]:
    """Latencies, and milliseconds of a batch's time by row."""
    host, port = urlsplit(node.url).hostname or "", urlsplit(node.url).port or 0
    rows, seconds = await asyncio.to_thread(loaded, metrics)
    latencies, _none = await asyncio.gather(
        measure_steady(host, port, PHASE_SECONDS), send_batches(host, port, PHASE_SECONDS)
    )
    await asyncio.sleep(1.5)  # the metrics of a process are a second old
    later_rows, later_seconds = await asyncio.to_thread(loaded, metrics)
    return latencies, (later_seconds - seconds) / (later_rows - rows) * 1000


async def measure(node: Stack, metrics: str) -> None:
    """Rounds of both phases, and the table."""
    alone: list[tuple[list[float], float]] = []
    beside: list[tuple[list[float], float]] = []
    statuses: Counter[Any] = Counter()
    await phase(node, metrics)  # warms up
    for _ in range(ROUNDS):
        alone.append(await phase(node, metrics))
        with Askers(node.url) as askers:
            await asyncio.sleep(1)
            beside.append(await phase(node, metrics))
        statuses.update(askers.statuses)
    print("| | alone | beside four questions | ratio | of a round |\n| --- | --- | --- | --- | --- |")
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        quiet, loud = ([percentile(one[0], part) for one in phases] for phases in (alone, beside))
        show(f"answer, {name}, ms", quiet, loud)
    show("loader, ms a row", [one[1] for one in alone], [one[1] for one in beside])
    print(f"answers to the questions: {dict(statuses)}")


def show(name: str, quiet: list[float], loud: list[float]) -> None:
    """A line of the table."""
    ratios = [two / one for one, two in zip(quiet, loud, strict=True)]
    middle = statistics.median(quiet), statistics.median(loud), statistics.median(ratios)
    print(
        f"| {name} | {middle[0]:.2f} | {middle[1]:.2f} | **{middle[2]:.2f}** | {min(ratios):.2f} to {max(ratios):.2f} |"
    )


def main() -> None:
    """One node, one run."""
    with tempfile.TemporaryDirectory(prefix="qrumb-bench-") as folder:
        data = Path(folder, "data")
        data.mkdir()
        (data / "sites.toml").write_text(f"[steady]\n[crowd]\n[{SITE}]\n")
        store = EmbeddedStore.open(data / "clickhouse")
        fill(store, ROWS, SystemClock().now_ms())
        store.close()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with running_stack(data, QRUMB_METRICS__PORT=str(port), QRUMB_WORKERS="2") as node:
            asyncio.run(measure(node, f"http://127.0.0.1:{port}/metrics"))


if __name__ == "__main__":
    main()
