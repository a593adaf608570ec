"""What a legitimate caller feels of one who sends the worst input that is allowed, and what is just not, all the time.

Each attack goes on from a process of its own, through the gateway and on the direct port, with several calls under way;
phases alternate with quiet ones. What counts is the ratio of the 99th percentiles, and that no process of the node
ends. The attacker's own work, on the same cores, is in the ratio.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.isolation import measure_steady, percentile  # noqa: E402
from qrumb.v1.browser_event_pb2 import BrowserEvent  # noqa: E402
from qrumb.v1.collector_service_pb2 import (  # noqa: E402
    BatchCollectBrowserEventsRequest,
    CollectBrowserEventRequest,
)
from tests.support.stack import Stack, running_stack  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
PHASE_SECONDS = 6.0
LEAD_SECONDS, TAIL_SECONDS = 1.0, 0.5
CALLS_UNDER_WAY = int(os.environ.get("BENCH_ATTACKERS", "4"))
SINGLE, BATCH = "CollectBrowserEvent", "BatchCollectBrowserEvents"


def event(metadata: Any = None, **fields: Any) -> BrowserEvent:
    """Of the site `crowd`."""
    made = BrowserEvent(site_id="crowd", event_type="click", **fields)
    if metadata is not None:
        made.metadata.update({"a": metadata})
    return made


def single(made: BrowserEvent) -> bytes:
    """A call with one event."""
    return CollectBrowserEventRequest(event=made).SerializeToString()


def batch(made: BrowserEvent, number: int) -> bytes:
    """A call with the same event many times."""
    return BatchCollectBrowserEventsRequest(events=[made] * number).SerializeToString()


def emails() -> BrowserEvent:
    """Sixty addresses."""
    made = event()
    made.metadata.update({f"k{number}": f"jane.doe{number}@example.com" for number in range(60)})
    return made


ATTACKS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "one event of 14 MB, a list of nulls": (SINGLE, lambda: single(event([None] * 3_500_000))),
    "4 MB, one event": (SINGLE, lambda: single(event([None] * 1_000_000))),
    "4 MB, 32 events of nulls": (BATCH, lambda: batch(event([None] * 32_000), 32)),
    "4 MB, 1,000 events of nulls": (BATCH, lambda: batch(event([None] * 1_000), 1_000)),
    "4 MB, empty events": (BATCH, lambda: b"\x0a\x00" * 2_000_000),
    "1,000 events with 60 e-mails each": (BATCH, lambda: batch(emails(), 1_000)),
    "32 events with a title of 128 KB": (BATCH, lambda: batch(event(page_title="a@1.2 " * 21_000), 32)),
    "1,000 events with long URLs": (
        BATCH,
        lambda: batch(event(page_url="https://a/" + "b@c/" * 500, referrer="https://a/" + "%2540" * 400), 1_000),
    ),
    "128 KB of zeros": (SINGLE, lambda: single(event([0] * 11_600))),
}


async def attack(target: str, name: str, seconds: float) -> None:
    """Send without a pause, from as many callers as are under way, and print the answers."""
    method, make = ATTACKS[name]
    message = make()
    codes: Counter[str] = Counter()
    ends = time.perf_counter() + seconds
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    print("begun", flush=True)

    async def caller(number: int) -> None:
        own = [*options, ("attack.number", number)]
        async with grpc.aio.insecure_channel(target, options=own) as channel:
            call: Any = channel.unary_unary(f"/qrumb.v1.CollectorService/{method}")
            while time.perf_counter() < ends:
                try:
                    await call(message, timeout=20)
                    codes["OK"] += 1
                except grpc.aio.AioRpcError as error:
                    codes[error.code().name] += 1

    await asyncio.gather(*(caller(number) for number in range(CALLS_UNDER_WAY)))
    print(dict(codes))


async def beside(node: Stack, name: str, target: str) -> tuple[list[float], str]:
    """Latencies of the legitimate caller during an attack, and what the attack was answered."""
    seconds = LEAD_SECONDS + PHASE_SECONDS + TAIL_SECONDS
    words = (sys.executable, __file__, target, name, str(seconds))
    child = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()
    await asyncio.sleep(LEAD_SECONDS)
    latencies = await quiet(node)
    output, _errors = await child.communicate()
    return latencies, output.decode().strip()


async def quiet(node: Stack) -> list[float]:
    """Latencies of the legitimate caller."""
    url = urlsplit(node.url)
    return await measure_steady(url.hostname or "", url.port or 0, PHASE_SECONDS)


async def measure(node: Stack) -> None:
    """All attacks by both ways, and the table."""
    targets = {"gateway": urlsplit(node.url).netloc, "direct": node.grpc_target}
    await quiet(node)  # warms up
    print("| attack | by | alone: p50, p99 ms | beside it | p99 ratio | answers of the last round |", flush=True)
    print("| --- | --- | --- | --- | --- | --- |")
    for name in ATTACKS:
        for way, target in targets.items():
            alone: list[float] = []
            during: list[float] = []
            said = ""
            for _ in range(ROUNDS):
                alone += await quiet(node)
                latencies, said = await beside(node, name, target)
                during += latencies
            print(
                f"| {name} | {way} | {percentile(alone, 0.5):.1f}, {percentile(alone, 0.99):.1f} "
                f"| {percentile(during, 0.5):.1f}, {percentile(during, 0.99):.1f} "
                f"| **{percentile(during, 0.99) / percentile(alone, 0.99):.2f}** | {said} |",
                flush=True,
            )


def main() -> None:
    """One node, one run."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        data.mkdir()
        (data / "sites.toml").write_text("[steady]\n[crowd]\nquota = {events_per_second = 1000000, burst = 1000000}\n")
        with running_stack(data, QRUMB_ACCESS="keys") as node:
            before = {name: process.pid for name, process in node.children().items()}
            asyncio.run(measure(node))
            after = {name: process.pid for name, process in node.children().items()}
            print("\nno process ended" if before == after else f"\nprocesses ended: {before} {after}")


if __name__ == "__main__":
    if sys.argv[1:]:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(attack(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    else:
        main()
