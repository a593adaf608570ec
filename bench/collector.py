"""One collector worker with durable acks against a bare grpc.aio echo server of the same messages.

Alternating rounds on one machine; each figure that counts is the ratio worker / echo within one round.
"""

import asyncio
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import structlog

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceServicer, CollectorServiceStub
from qrumb.v1.collector_service_pb2_grpc import add_CollectorServiceServicer_to_server as add_collector
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb_server.config import Settings

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
ROUND_SECONDS = 2.5
CHANNELS = 4
SCRIPT = str(Path(__file__).resolve())
# One generator alone is slower than the server: it would measure itself.
GENERATORS = int(os.environ.get("BENCH_GENERATORS", "2"))
IN_FLIGHT = int(os.environ.get("BENCH_IN_FLIGHT", "64"))
BATCH_EVENTS = 100
BATCHES_IN_FLIGHT = 8
# Nothing here may outlive its purpose.
CHILD_LIFETIME_SECONDS = 300


class Echo(CollectorServiceServicer):
    """Decodes a request and answers a receipt; nothing else."""

    async def CollectBrowserEvent(self, request: pb.CollectBrowserEventRequest, context: Any) -> Any:  # noqa: N802, ARG002
        """One event."""
        return pb.CollectBrowserEventResponse(
            receipt=EventReceipt(event_id=request.event.event_id, outcome=EventReceipt.ACCEPTED)
        )

    async def BatchCollectBrowserEvents(self, request: Any, context: Any) -> Any:  # noqa: N802, ARG002
        """Several events."""
        return pb.BatchCollectBrowserEventsResponse(
            receipts=[EventReceipt(event_id=event.event_id, outcome=EventReceipt.ACCEPTED) for event in request.events]
        )


async def serve_echo(port: int) -> None:
    """Run the echo server until SIGTERM."""
    server = grpc.aio.server()
    add_collector(Echo(), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), CHILD_LIFETIME_SECONDS)
    await server.stop(0)


def sample_event(number: int) -> BrowserEvent:
    """A pageview as a page sends it: 259 bytes."""
    event = BrowserEvent(
        site_id="demo",
        event_id=f"0192f0c1-7e1a-7c3d-9b1e-{number:012x}",
        scan_session_id=f"scan-{number % 997}",
        consent=Consent.GRANTED,
        event_type="pageview",
        page_url="https://shop.example/products/42?utm_source=poster",
        page_title="Shoes, size 42",
        referrer="https://search.example/",
    )
    event.event_time.FromMilliseconds(int(time.time() * 1000))
    for name in ("campaign", "variant", "language"):
        event.metadata.fields[name].string_value = "autumn"
    event.metadata.fields["scroll"].number_value = 0.5
    return event


async def load(target: str, *, in_flight: int, call: str) -> float:
    """Calls per second of `in_flight` callers for one round."""
    request = REQUESTS[call]()
    channels = [grpc.aio.insecure_channel(target, options=[("bench.channel", index)]) for index in range(CHANNELS)]
    stubs = [CollectorServiceStub(channel) for channel in channels]
    done = 0
    deadline = time.perf_counter() + ROUND_SECONDS

    async def caller(method: Any) -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await method(request)
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(caller(getattr(stubs[index % CHANNELS], call)) for index in range(in_flight)))
    rate = done / (time.perf_counter() - started)
    for channel in channels:
        await channel.close()
    return rate


REQUESTS: dict[str, Callable[[], Any]] = {
    "CollectBrowserEvent": lambda: pb.CollectBrowserEventRequest(event=sample_event(1)),
    "BatchCollectBrowserEvents": lambda: pb.BatchCollectBrowserEventsRequest(
        events=[sample_event(number) for number in range(BATCH_EVENTS)]
    ),
}


async def generate(target: str, *, in_flight: int, call: str) -> float:
    """Calls per second of all load generators, each a process of its own."""
    generators = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, SCRIPT, "load", target, str(in_flight), call),
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(GENERATORS)
    ]
    said = await asyncio.gather(*(generator.communicate() for generator in generators))
    return sum(float(output) for output, _errors in said)


@contextlib.contextmanager
def servers() -> Iterator[dict[str, str]]:
    """Both servers, each in a process of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(data_dir=Path(scratch), workers=1, grpc_port=free_port())
        settings.run_dir.mkdir(parents=True)
        (settings.run_dir / "settings.json").write_text(settings.model_dump_json())
        echo_port = free_port()
        commands = [
            [sys.executable, "-m", "qrumb_server", "worker", "0", str(settings.run_dir / "settings.json")],
            [sys.executable, str(Path(__file__).resolve()), "echo", str(echo_port)],
        ]
        limit = ["timeout", str(CHILD_LIFETIME_SECONDS)]
        children = [subprocess.Popen(limit + command, cwd=settings.run_dir, env=os.environ) for command in commands]
        try:
            yield {"worker": f"127.0.0.1:{settings.grpc_port}", "echo": f"127.0.0.1:{echo_port}"}
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait(30)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def compare(targets: dict[str, str], name: str, events_per_call: int, **how: Any) -> None:
    """Alternate rounds and print the ratios."""
    rates: dict[str, list[float]] = {"worker": [], "echo": []}
    for number in range(ROUNDS + 1):
        for server in ("worker", "echo") if number % 2 else ("echo", "worker"):
            rate = await generate(targets[server], **how)
            if number:  # the first round warms up
                rates[server].append(rate)
    ratios = [worker / echo for worker, echo in zip(rates["worker"], rates["echo"], strict=True)]
    print(
        f"{name}: worker / echo = {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f}, "
        f"{ROUNDS} rounds); worker {statistics.median(rates['worker']) * events_per_call:,.0f} events/s, "
        f"echo {statistics.median(rates['echo']) * events_per_call:,.0f} events/s"
    )


def print_pipeline_cost() -> None:
    """Microseconds of each step for one event, in this process."""
    from qrumb_server.app.circumstances import make_event_id
    from qrumb_server.model import Caller, RawEvent, Source, ValidEvent
    from qrumb_server.pipeline.stamp import Arrival, stamp
    from qrumb_server.pipeline.validate import validate

    raw = RawEvent(source=Source.BROWSER, message=sample_event(1), caller=Caller(), index=0)
    arrival = Arrival(received_time_ms=int(time.time() * 1000), retention_ms=10**11, make_event_id=make_event_id)
    valid = validate(raw)
    assert isinstance(valid, ValidEvent)
    stamped = stamp(valid, arrival)
    steps = {
        "validate": lambda: validate(raw),
        "stamp": lambda: stamp(valid, arrival),
        "serialise": stamped.record.SerializeToString,
    }
    for name, step in steps.items():
        best = min(_seconds(step) for _ in range(5))
        print(f"{name}: {best * 1e6:.1f} µs per event")


def _seconds(step: Any, number: int = 5000) -> float:
    started = time.perf_counter()
    for _ in range(number):
        step()
    return (time.perf_counter() - started) / number


async def main() -> None:
    """All comparisons."""
    with servers() as targets:
        for target in targets.values():
            async with grpc.aio.insecure_channel(target) as channel:
                await asyncio.wait_for(channel.channel_ready(), 30)
        await compare(targets, "single events", 1, in_flight=IN_FLIGHT, call="CollectBrowserEvent")
        if "--single" in sys.argv:
            return
        await compare(
            targets,
            f"batches of {BATCH_EVENTS}",
            BATCH_EVENTS,
            in_flight=BATCHES_IN_FLIGHT,
            call="BatchCollectBrowserEvents",
        )
    print_pipeline_cost()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    if sys.argv[1:2] == ["load"]:
        print(asyncio.run(load(sys.argv[2], in_flight=int(sys.argv[3]), call=sys.argv[4])))
    elif sys.argv[1:2] == ["echo"]:
        asyncio.run(serve_echo(int(sys.argv[2])))
    else:
        asyncio.run(main())
