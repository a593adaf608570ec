"""What JSON events cost, read by the collectors and transcoded by Envoy, in one run: python bench/json_events.py.

Two nodes of one worker and one Envoy thread each, sent to in alternating rounds by this process over HTTP/1.1, several
calls at once, so that what a process does anyhow counts little: processor time of Envoy and worker per event, and the
ratio of the two ways in each round.
"""

import argparse
import json
import statistics
import sys
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.stack import Stack, running_stack

WAYS = ("transcode", "read")
AT_ONCE = 8


def event(number: int) -> dict[str, object]:
    """A pageview as the tag sends it, under a fresh id."""
    return {
        "site_id": "demo",
        "event_id": str(uuid.uuid4()),
        "event_type": "pageview",
        "page_url": f"https://shop.example/products/{number}?utm_source=qr",
        "page_title": "Shoes, red",
        "scan_session_id": f"scan-{number % 97}",
        "consent": "granted",
        "metadata": {"variant": "b", "price": 49.9, "position": number % 10},
    }


def seconds_used(node: Stack) -> float:
    """Processor time of Envoy and the worker so far, by the scheduler's own account, finer than ticks."""
    processes = [child.pid for name, child in node.children().items() if name in {"gateway", "worker-0"}]
    threads = (thread for pid in processes for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def measure(node: Stack, client: httpx.Client, calls: int, size: int) -> float:
    """Microseconds of processor time per event."""
    bodies = []
    for call in range(calls):
        events = [event(call * size + place) for place in range(size)]
        bodies.append(json.dumps(events[0] if size == 1 else {"events": events}).encode())
    path = "/collect" if size == 1 else "/collect/batch"
    before = seconds_used(node)
    with ThreadPoolExecutor(AT_ONCE) as callers:
        for reply in callers.map(lambda body: client.post(path, content=body), bodies):
            reply.raise_for_status()
    return (seconds_used(node) - before) / (calls * size) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--singles", type=int, default=1_000, help="calls of one event per round")
    parser.add_argument("--batches", type=int, default=60, help="calls of a hundred events per round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder, ExitStack() as open_nodes:
        nodes = {
            way: open_nodes.enter_context(
                running_stack(
                    Path(folder, way),
                    QRUMB_GATEWAY__JSON=way,
                    QRUMB_WORKERS="1",
                    QRUMB_GATEWAY__CONCURRENCY="1",
                    QRUMB_GATEWAY__REQUESTS_PER_SECOND="1000000",
                    QRUMB_GATEWAY__REQUEST_BURST="1000000",
                )
            )
            for way in WAYS
        }
        clients = {way: open_nodes.enter_context(node.http()) for way, node in nodes.items()}
        for name, calls, size in (("single", options.singles, 1), ("batch of 100", options.batches, 100)):
            found: dict[str, list[float]] = {way: [] for way in WAYS}
            for number in range(options.rounds + 1):
                for way in WAYS if number % 2 else reversed(WAYS):
                    used = measure(nodes[way], clients[way], calls, size)
                    if number:  # the first round warms up
                        found[way].append(used)
            ratios = sorted(read / before for before, read in zip(found["transcode"], found["read"], strict=True))
            medians = {way: statistics.median(values) for way, values in found.items()}
            print(
                f"{name}: transcoded {medians['transcode']:.1f} µs per event, read {medians['read']:.1f}; "
                f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            )


if __name__ == "__main__":
    main()
