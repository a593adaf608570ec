"""What JSON events cost, by processor time per event, in one run: python bench/json_events.py [--peer PYTHON].

Sent to in alternating rounds by this process over HTTP/1.1, several calls at once, so that what a process does anyhow
counts little; Envoy and worker together:

- `read`: a node whose collectors read JSON; `python`: the same without the compiled way;
- `transcode`: a node whose Envoy makes protobuf of JSON;
- `echo`: the gateway's Envoy, transcoding, before a bare grpc.aio server that answers receipts and does nothing else;
- `fastapi`: fastapi_peer.py, by an interpreter that has fastapi, uvicorn[standard] and orjson.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc
import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from collector import Echo, free_port

from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server
from qrumb_server.gateway.process import command
from qrumb_server.gateway.render import render
from tests.support.envoy_process import gateway_options
from tests.support.stack import running_stack, wait_until

AT_ONCE = 8
UNLIMITED = 1_000_000
NODES = {
    "transcode": {"QRUMB_GATEWAY__JSON": "transcode"},
    "read": {"QRUMB_GATEWAY__JSON": "read"},
    "python": {"QRUMB_GATEWAY__JSON": "read", "QRUMB_RPC__COMPILED": "false"},
}


@dataclass(frozen=True)
class Way:
    """Something that takes events."""

    client: httpx.Client
    pids: Callable[[], list[int]]
    """Of the processes that count."""

    def seconds_used(self) -> float:
        """Processor time so far, by the scheduler's own account, finer than ticks."""
        threads = (thread for pid in self.pids() for thread in Path(f"/proc/{pid}/task").iterdir())
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


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


@contextmanager
def node(folder: Path, settings: dict[str, str]) -> Iterator[Way]:
    """A node of one worker and one thread of Envoy."""
    own = {
        "QRUMB_WORKERS": "1",
        "QRUMB_GATEWAY__CONCURRENCY": "1",
        "QRUMB_GATEWAY__REQUESTS_PER_SECOND": str(UNLIMITED),
        "QRUMB_GATEWAY__REQUEST_BURST": str(UNLIMITED),
    }
    with running_stack(folder, **own, **settings) as stack, stack.http() as client:
        yield Way(client, lambda: [child.pid for name, child in stack.children().items() if name != "loader"])


@contextmanager
def children(folder: Path, url: str, *commands: list[str], **environment: str) -> Iterator[Way]:
    """Processes that run in a folder of their own and answer at an address."""
    folder.mkdir()
    with ExitStack() as running:
        started = []
        for words in commands:
            child = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
            running.callback(child.wait, 30)
            running.callback(child.terminate)
            started.append(child.pid)
        client = running.enter_context(httpx.Client(base_url=url, timeout=20))
        way = Way(client, lambda: started)
        wait_until(lambda: _is_answering(client))
        yield way


def _is_answering(client: httpx.Client) -> bool:
    try:
        return client.post("/collect", json=event(0)).is_success
    except httpx.TransportError:
        return False


def echo(folder: Path) -> AbstractContextManager[Way]:
    """The gateway's Envoy before a bare server."""
    port = free_port()
    limits = {"requests_per_second": UNLIMITED, "request_burst": UNLIMITED}
    options = gateway_options(port, json_events="transcode", access_log=False, **limits)
    config = folder.with_suffix(".yaml")
    config.write_text(render(options))
    envoy = command(config, concurrency=1, drain_time=timedelta(seconds=1))
    server = [sys.executable, str(Path(__file__).resolve()), "--serve-echo", options.collector_sockets[0]]
    return children(folder, f"http://127.0.0.1:{port}", server, list(envoy))


def fastapi(folder: Path, python: str) -> AbstractContextManager[Way]:
    """The peer."""
    port = free_port()
    uvicorn = [python, "-m", "uvicorn", "fastapi_peer:app", "--port", str(port), "--log-level", "warning"]
    uvicorn += ["--no-access-log", "--app-dir", str(Path(__file__).resolve().parent)]
    return children(folder, f"http://127.0.0.1:{port}", uvicorn, PEER_FILE=str(folder / "events.log"))


async def serve_echo(socket: str) -> None:
    """Until it is ended."""
    server = grpc.aio.server()
    add_CollectorServiceServicer_to_server(Echo(), server)
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    await server.wait_for_termination()


def measure(way: Way, calls: int, size: int) -> float:
    """Microseconds of processor time per event."""
    bodies = []
    for call in range(calls):
        events = [event(call * size + place) for place in range(size)]
        bodies.append(json.dumps(events[0] if size == 1 else {"events": events}).encode())
    path, headers = "/collect" if size == 1 else "/collect/batch", {"content-type": "application/json"}
    before = way.seconds_used()
    with ThreadPoolExecutor(AT_ONCE) as callers:
        for reply in callers.map(lambda body: way.client.post(path, content=body, headers=headers), bodies):
            reply.raise_for_status()
    return (way.seconds_used() - before) / (calls * size) * 1e6


def compare(ways: dict[str, Way], rounds: int, calls: int, size: int) -> None:
    """Print what an event costs by each way, and what one by `read` costs as a part of it."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways)[:: 1 if number % 2 else -1]:
            used = measure(ways[name], calls, size)
            if number:  # the first round warms up
                found[name].append(used)
    for name, values in found.items():
        ratios = sorted(read / other for other, read in zip(values, found["read"], strict=True))
        print(
            f"{'single' if size == 1 else f'batch of {size}'}, {name}: {statistics.median(values):.1f} µs per event; "
            f"read to it {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--singles", type=int, default=1_000, help="calls of one event per round")
    parser.add_argument("--batches", type=int, default=60, help="calls of a hundred events per round")
    parser.add_argument("--peer", help="an interpreter that has the peer's packages")
    parser.add_argument("--serve-echo", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve_echo:
        asyncio.run(serve_echo(options.serve_echo))
        return
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder, ExitStack() as running:
        ways = {name: running.enter_context(node(Path(folder, name), settings)) for name, settings in NODES.items()}
        ways["echo"] = running.enter_context(echo(Path(folder, "echo")))
        if options.peer:
            ways["fastapi"] = running.enter_context(fastapi(Path(folder, "fastapi"), options.peer))
        compare(ways, options.rounds, options.singles, 1)
        compare(ways, options.rounds, options.batches, 100)


if __name__ == "__main__":
    main()
