"""What a legitimate caller feels of one who sends the worst input that is allowed, and what is just not, all the time.

Each attack goes on from a process of its own, through the gateway and on the direct port, with several calls under way;
phases alternate with quiet ones. What counts is the ratio of the 99th percentiles, and that no process of the node
ends. The attacker's process works on the node's own cores, which no attacker elsewhere does, so each round has a phase
beside a process that keeps a core busy and talks to nothing, too: the second ratio is to that one.

    BENCH_ATTACKS="60 e-mails,nulls" python bench/attack.py      only those whose names hold one of the texts
"""

import asyncio
import json
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
import httpx

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
PHASE_SECONDS = 5.0
LEAD_SECONDS, TAIL_SECONDS = 1.0, 0.5
CALLS_UNDER_WAY = int(os.environ.get("BENCH_ATTACKERS", "4"))
CHOSEN = tuple(filter(None, os.environ.get("BENCH_ATTACKS", "").split(",")))
SINGLE, BATCH, JSON = "CollectBrowserEvent", "BatchCollectBrowserEvents", "/collect/batch"
AS_JSON = {"content-type": "application/json"}
BUSY = "a core kept busy by something else"


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


EMAILS = {f"k{number}": f"jane.doe{number}@example.com" for number in range(60)}


def emails() -> BrowserEvent:
    """Sixty addresses."""
    made = event()
    made.metadata.update(EMAILS)
    return made


def json_batch(metadata: Any, number: int) -> bytes:
    """The same event many times."""
    made = {"site_id": "crowd", "event_type": "click", "metadata": metadata}
    return json.dumps({"events": [made] * number}, separators=(",", ":")).encode()


def unknown_names(number: int, names: int) -> bytes:
    """Events of which each name is a warning."""
    made = {"site_id": "crowd", "event_type": "click"} | {f"n{name}": 0 for name in range(names)}
    return json.dumps({"events": [made] * number}, separators=(",", ":")).encode()


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
    "JSON, 4 MB, 1.4 million empty events": (JSON, lambda: b'{"events":[' + b",".join([b"{}"] * 1_390_000) + b"]}"),
    "JSON, 4 MB, the same in an odd batch": (
        JSON,
        lambda: b'{"x":1,"events":[' + b",".join([b"{}"] * 1_390_000) + b"]}",
    ),
    "JSON, 4 MB, 32 events of zeros": (JSON, lambda: json_batch({"a": [0] * 62_000}, 32)),
    "JSON, 4 MB, 1,000 events of zeros": (JSON, lambda: json_batch({"a": [0] * 2_000}, 1_000)),
    "JSON, 32 events of brackets": (JSON, lambda: json_batch({"a": [[]] * 41_000}, 32)),
    "JSON, 1,000 events with 300 unknown names": (JSON, lambda: unknown_names(1_000, 300)),
    "JSON, 1,000 events with 60 e-mails each": (JSON, lambda: json_batch(EMAILS, 1_000)),
}


def keep_busy(seconds: float) -> None:
    """Use a core, as an attacker's process does that is never kept waiting."""
    print("begun", flush=True)
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        pass


async def attack(target: str, name: str, seconds: float) -> None:
    """Send without a pause, from as many callers as are under way, and print the answers."""
    method, make = ATTACKS[name]
    message = make()
    answers: Counter[str] = Counter()
    ends = time.perf_counter() + seconds
    print("begun", flush=True)
    caller = call_json if method == JSON else call_grpc
    await asyncio.gather(*(caller(number, target, method, message, ends, answers) for number in range(CALLS_UNDER_WAY)))
    print(dict(answers))


async def call_grpc(number: int, target: str, method: str, message: bytes, ends: float, answers: Counter[str]) -> None:
    """One caller on a connection of its own."""
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1), ("attack.number", number)]
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        call: Any = channel.unary_unary(f"/qrumb.v1.CollectorService/{method}")
        while time.perf_counter() < ends:
            try:
                await call(message, timeout=20)
                answers["OK"] += 1
            except grpc.aio.AioRpcError as error:
                answers[error.code().name] += 1


async def call_json(_number: int, target: str, path: str, message: bytes, ends: float, answers: Counter[str]) -> None:
    """The same through HTTP."""
    async with httpx.AsyncClient(timeout=20) as client:
        while time.perf_counter() < ends:
            try:
                reply = await client.post(f"http://{target}{path}", content=message, headers=AS_JSON)
                answers[str(reply.status_code)] += 1
            except httpx.HTTPError as error:
                answers[type(error).__name__] += 1


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
    print("| attack | by | p50, p99 ms: alone | beside a busy core | beside it | **p99 to alone, to busy** | answers |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name, (method, _make) in ATTACKS.items():
        if CHOSEN and not any(text in name for text in CHOSEN):
            continue
        for way, target in targets.items():
            if method != JSON or way == "gateway":
                print(await row(node, name, way, target), flush=True)


async def row(node: Stack, name: str, way: str, target: str) -> str:
    """Rounds of one attack by one way."""
    alone: list[float] = []
    busy: list[float] = []
    during: list[float] = []
    said = ""
    for _ in range(ROUNDS):
        alone += await quiet(node)
        busy += (await beside(node, BUSY, target))[0]
        latencies, said = await beside(node, name, target)
        during += latencies
    columns = " | ".join(f"{percentile(some, 0.5):.1f}, {percentile(some, 0.99):.1f}" for some in (alone, busy, during))
    ratios = [percentile(during, 0.99) / percentile(other, 0.99) for other in (alone, busy)]
    return f"| {name} | {way} | {columns} | **{ratios[0]:.2f}, {ratios[1]:.2f}** | {said} |"


def main() -> None:
    """One node, one run."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        data.mkdir()
        (data / "sites.toml").write_text("[steady]\n[crowd]\nquota = {events_per_second = 1000000, burst = 1000000}\n")
        with running_stack(data, QRUMB_ACCESS="keys", QRUMB_WORKERS="2") as node:
            before = {name: process.pid for name, process in node.children().items()}
            asyncio.run(measure(node))
            after = {name: process.pid for name, process in node.children().items()}
            print("\nno process ended" if before == after else f"\nprocesses ended: {before} {after}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case [_target, name, seconds] if name == BUSY:
            keep_busy(float(seconds))
        case [target, name, seconds] if name in ATTACKS:
            asyncio.run(attack(target, name, float(seconds)))
        case _:
            print(__doc__)
