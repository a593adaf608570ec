"""What an event costs a worker, in processor time: by the compiled way, by Python alone, and a bare echo.

Rounds alternate on one machine; each figure that counts is a ratio within one round. `--calls` names the calls.
"""

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import structlog
from collector import (
    BATCH_EVENTS,
    BATCHES_IN_FLIGHT,
    CHILD_LIFETIME_SECONDS,
    IN_FLIGHT,
    REQUESTS,
    ROUND_SECONDS,
    ROUNDS,
    SCRIPT,
    free_port,
    generate,
)

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb_server.config import RpcSettings, Settings

WAYS = ("compiled", "python", "echo")
CALLS: dict[str, tuple[int, int]] = {
    "CollectBrowserEvent": (1, IN_FLIGHT),
    "BatchCollectBrowserEvents": (BATCH_EVENTS, BATCHES_IN_FLIGHT),
}


def _command(way: str, scratch: Path, port: int) -> tuple[list[str], Path]:
    if way == "echo":
        return [sys.executable, SCRIPT, "echo", str(port)], scratch
    rpc = RpcSettings(compiled=way == "compiled")
    settings = Settings(data_dir=scratch / way, workers=1, grpc_port=port, access="open", rpc=rpc)
    settings.run_dir.mkdir(parents=True)
    file = settings.run_dir / "settings.json"
    file.write_text(settings.model_dump_json())
    return [sys.executable, "-m", "qrumb_server", "worker", "0", str(file)], settings.run_dir


@contextlib.contextmanager
def servers() -> Iterator[dict[str, tuple[str, psutil.Process]]]:
    """Address and process of each, alone in its folder."""
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as running:
        found = {}
        for way in WAYS:
            port = free_port()
            command, folder = _command(way, Path(scratch), port)
            child = subprocess.Popen(
                ["timeout", str(CHILD_LIFETIME_SECONDS), *command], cwd=folder, stdin=subprocess.DEVNULL, env=os.environ
            )
            running.callback(child.wait, 30)
            running.callback(child.terminate)
            found[way] = (f"127.0.0.1:{port}", psutil.Process(child.pid))
        yield found


def seconds_used(process: psutil.Process) -> float:
    """Of the process and what it started."""
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return sum(float(one.user + one.system) for one in times)


async def compare(call: str, found: dict[str, tuple[str, psutil.Process]]) -> None:
    """Alternate rounds of one call and print what each way costs."""
    events, in_flight = CALLS[call]
    cost: dict[str, list[float]] = {way: [] for way in found}
    rate: dict[str, list[float]] = {way: [] for way in found}
    for number in range(ROUNDS + 1):
        order = list(found)[:: 1 if number % 2 else -1]
        for way in order:
            target, process = found[way]
            before = seconds_used(process)
            calls_per_second = await generate(target, in_flight=in_flight, call=call)
            used = seconds_used(process) - before
            if number:  # the first round warms up
                cost[way].append(used / (calls_per_second * ROUND_SECONDS * events) * 1e6)
                rate[way].append(calls_per_second * events)
    for way in found:
        ratios = [mine / echo for mine, echo in zip(cost[way], cost["echo"], strict=True)]
        print(
            f"{call}, {way}: {statistics.median(cost[way]):.1f} µs per event "
            f"({min(cost[way]):.1f} to {max(cost[way]):.1f}), {statistics.median(ratios):.2f} of the echo "
            f"({min(ratios):.2f} to {max(ratios):.2f}), {statistics.median(rate[way]):,.0f} events/s"
        )


async def main() -> None:
    """All comparisons."""
    import grpc

    with servers() as found:
        for target, _process in found.values():
            async with grpc.aio.insecure_channel(target) as channel:
                await asyncio.wait_for(channel.channel_ready(), 60)
                stub: Any = CollectorServiceStub(channel)
                answer = await stub.CollectBrowserEvent(REQUESTS["CollectBrowserEvent"]())
                assert isinstance(answer, pb.CollectBrowserEventResponse)
        for call in CALLS:
            await compare(call, found)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main())
