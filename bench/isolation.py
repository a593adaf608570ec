"""What one site's visitors feel of a flood of another's: latency of a steady sender alone, and beside each flood.

Phases alternate within a run, and each flood's ratio is to the quiet phases before it. A flood goes on at its rate
whatever the answers, as far as its connections are free again. Quota and limit are low, since what they let in is work
like any other: what is looked at is what they refuse. The last row is the first one's load, sent to a server that only
refuses and is no part of the node: what the sending itself takes from the steady sender.
"""

import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.stack import Stack, running_stack  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
PHASE_SECONDS = 4.0
# From a flood's begin until its burst is used up, and the time that it goes on after the phase.
LEAD_SECONDS, TAIL_SECONDS = 1.0, 0.5
STEADY_PER_SECOND = 100
FLOOD_PER_SECOND = int(os.environ.get("BENCH_FLOOD", "1000"))
STEADY_CONNECTIONS = 8
# Nothing here may outlive its purpose.
CHILD_LIFETIME_SECONDS = 600
TICK_SECONDS = 0.005
CONNECTIONS = 64
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
LIMITS = {"QRUMB_GATEWAY__REQUESTS_PER_SECOND": "200", "QRUMB_GATEWAY__REQUEST_BURST": "200"}
SITES = """
[steady]
[crowd]
[flood]
quota = {events_per_second = 100, burst = 100}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flood:
    """Requests over a site's quota or an address's limit."""

    site_id: str
    per_second: int
    addresses: tuple[str, ...]
    events: int = 1
    """More than one: as a batch."""


MANY = tuple(f"127.0.0.{number}" for number in range(10, 18))
FLOODS = {
    f"a site, {FLOOD_PER_SECOND:,} events/s from 8 addresses": Flood(
        site_id="flood", per_second=FLOOD_PER_SECOND, addresses=MANY
    ),
    "a site, 20 batches/s of 500 events": Flood(site_id="flood", per_second=20, addresses=MANY, events=500),
    f"an address, {FLOOD_PER_SECOND:,} requests/s": Flood(
        site_id="crowd", per_second=FLOOD_PER_SECOND, addresses=("127.0.0.2",)
    ),
}
BESIDE = "the sending alone"


def request(site_id: str, events: int = 1) -> bytes:
    """A call as a page makes it."""
    event = {
        "site_id": site_id,
        "event_type": "pageview",
        "page_url": "https://shop.example/products/42?utm_source=poster",
        "page_title": "Shoes, size 42",
        "metadata": {"campaign": "autumn", "variant": "b", "scroll": 0.5},
    }
    path, body = ("/collect", event) if events == 1 else ("/collect/batch", {"events": [event] * events})
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(content)}"
    return head.encode() + b"\r\n\r\n" + content


async def measure_steady(host: str, port: int, seconds: float) -> list[float]:
    """Latencies in seconds, each from the moment at which its call was due."""
    call = request("steady")
    latencies: list[float] = []
    started = time.perf_counter() + 0.2

    async def sender(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, port, local_addr=("127.0.0.1", 0))
        for turn in range(int(seconds * STEADY_PER_SECOND / STEADY_CONNECTIONS)):
            due = started + (turn * STEADY_CONNECTIONS + number) / STEADY_PER_SECOND
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(call)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
            latencies.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*(sender(number) for number in range(STEADY_CONNECTIONS)))
    return latencies


class Connection(asyncio.Protocol):
    """One connection of a flood; counts its answers by status."""

    def __init__(self, statuses: Counter[str], lost: Callable[[], None]) -> None:
        self._statuses = statuses
        self._lost = lost
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self._is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        text = self._rest + data
        statuses = STATUS.findall(text)
        self._rest = text[-11:]  # shorter than a status, which may come in two parts
        for status in statuses:
            self._statuses[status.decode()] += 1
        self._is_waiting = self._is_waiting and not statuses
        if b"connection: close" in text and self._transport is not None:
            self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._lost()

    def send(self, call: bytes) -> bool:
        """False: it is closed, or waits for an answer."""
        if self._transport is None or self._is_waiting:
            return False
        self._is_waiting = True
        self._transport.write(call)
        return True


async def flood(host: str, port: int, how: Flood, seconds: float) -> None:
    """Send at the flood's rate, and print how many requests were sent and how they were answered."""
    loop = asyncio.get_running_loop()
    call = request(how.site_id, how.events)
    statuses: Counter[str] = Counter()
    connections: dict[int, Connection] = {}
    opening: set[asyncio.Task[None]] = set()

    def open_again(place: int) -> None:
        """The gateway closes a connection with a refusal that it gives before it has read the body."""
        if time.perf_counter() < ends:
            task = loop.create_task(connect(place))
            opening.add(task)
            task.add_done_callback(opening.discard)

    async def connect(place: int) -> None:
        address = how.addresses[place % len(how.addresses)]
        with contextlib.suppress(OSError):
            _transport, connections[place] = await loop.create_connection(
                lambda: Connection(statuses, lambda: open_again(place)), host, port, local_addr=(address, 0)
            )

    ends = time.perf_counter() + CHILD_LIFETIME_SECONDS
    for place in range(CONNECTIONS):
        await connect(place)
    print("begun", flush=True)
    ends = time.perf_counter() + seconds
    started, sent, turn = time.perf_counter(), 0, 0
    while (passed := time.perf_counter() - started) < seconds:
        while sent < passed * how.per_second:
            turn += 1
            sent += 1
            # The next one that is open; a flood that is held up sends less.
            if not any(connections[(turn + step) % CONNECTIONS].send(call) for step in range(CONNECTIONS)):
                statuses["not sent"] += 1
        await asyncio.sleep(TICK_SECONDS)
    print(json.dumps({"offered": sent, **statuses}))


class Refuser(asyncio.Protocol):
    """Reads requests and refuses each, at next to no cost."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n" * data.count(b"POST /"))


async def refuse() -> None:
    """Serve until stopped; prints the port."""
    server = await asyncio.get_running_loop().create_server(Refuser, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(CHILD_LIFETIME_SECONDS)


@contextlib.contextmanager
def refuser() -> Iterator[int]:
    """The port of the server that refuses."""
    with subprocess.Popen([sys.executable, __file__, "refuse"], stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield int(child.stdout.readline())
        finally:
            child.terminate()


def percentile(values: list[float], part: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000


async def phase(node: Stack, name: str, port: int) -> tuple[list[float], dict[str, int]]:
    """The steady sender, beside what `name` says; what the flood was answered."""
    host, own_port = urlsplit(node.url).hostname or "", urlsplit(node.url).port or 0
    if not name:
        return await measure_steady(host, own_port, PHASE_SECONDS), {}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "flood", host, str(port if name == BESIDE else own_port)),
        next(iter(FLOODS)) if name == BESIDE else name,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    await child.stdout.readline()
    await asyncio.sleep(LEAD_SECONDS)
    latencies = await measure_steady(host, own_port, PHASE_SECONDS)
    output, _errors = await child.communicate()
    answered: dict[str, int] = json.loads(output)
    return latencies, answered


async def measure(node: Stack, port: int) -> None:
    """Rounds of all phases, and the table."""
    names = [*FLOODS, BESIDE]
    quiet: dict[str, list[float]] = {name: [] for name in names}
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    seen: dict[str, list[float]] = {name: [] for name in names}
    answers: dict[str, Counter[str]] = {name: Counter() for name in names}
    await phase(node, "", port)  # warms up
    for number in range(ROUNDS):
        for name in names if number % 2 else names[::-1]:
            alone, _none = await phase(node, "", port)
            beside, answered = await phase(node, name, port)
            quiet[name] += alone
            seen[name] += beside
            answers[name].update(answered)
            ratios[name].append(
                (percentile(beside, 0.5) / percentile(alone, 0.5), percentile(beside, 0.99) / percentile(alone, 0.99))
            )
    print("| flood | alone: p50, p99 ms | beside it | p50 ratio | p99 ratio | of a round (min to max) | answers |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        middle = [statistics.median(column) for column in zip(*ratios[name], strict=True)]
        tails = [tail for _half, tail in ratios[name]]
        print(
            f"| {name} | {percentile(quiet[name], 0.5):.1f}, {percentile(quiet[name], 0.99):.1f} "
            f"| {percentile(seen[name], 0.5):.1f}, {percentile(seen[name], 0.99):.1f} | {middle[0]:.2f} "
            f"| **{percentile(seen[name], 0.99) / percentile(quiet[name], 0.99):.2f}** "
            f"| {middle[1]:.2f} ({min(tails):.2f} to {max(tails):.2f}) "
            f"| {', '.join(f'{key}: {value:,}' for key, value in sorted(answers[name].items()))} |"
        )


def main() -> None:
    """One node, one run."""
    with tempfile.TemporaryDirectory() as folder, refuser() as port:
        data = Path(folder, "data")
        data.mkdir()
        (data / "sites.toml").write_text(SITES)
        with running_stack(data, QRUMB_ACCESS="keys", QRUMB_WORKERS="2", **LIMITS) as node:
            asyncio.run(measure(node, port))


def child(words: list[str]) -> Any:
    """What a process of its own does."""
    if words[0] == "refuse":
        return asyncio.run(refuse())
    return asyncio.run(flood(words[1], int(words[2]), FLOODS[words[3]], LEAD_SECONDS + PHASE_SECONDS + TAIL_SECONDS))


if __name__ == "__main__":
    child(sys.argv[1:]) if sys.argv[1:] else main()
