"""Who sends the calls: the generator in Go (bench/generator), built when it is asked for, or this process.

The latter costs several times as much of the machine and is there for machines without Go, and for the smoke test,
which has no time to build.
"""

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import grpc
import httpx

from bench.calls import DIGITS, MARK, Call
from tools.go_toolchain import CACHES, GO, environment

__all__ = ["Door", "Generator", "GoGenerator", "PythonGenerator", "Sent", "built", "find_generator"]

SOURCE: Final = Path(__file__).resolve().parent / "generator"
AT_ONCE: Final = {True: 32, False: 8}
"""Calls under way: of single events, of batches."""
CONNECTIONS: Final = 8
RUN_SECONDS: Final = 120.0
_numbers = count(time.time_ns() // 1_000_000 << 4, 1_000_000)
"""Of first ids: no two runs share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where something takes events: `target` is an address of gRPC, or the beginning of a URL."""

    protocol: str
    target: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a run took."""

    seconds: float
    processor_seconds: float
    """The generator's own."""
    latencies: list[float] | None = None
    """Milliseconds of each call of a rate, from the moment at which it was due, the shortest first."""


class Generator(Protocol):
    """Sends a number of calls; raises where one of them fails."""

    name: str

    def send(self, call: Call, door: Door, calls: int) -> Sent:
        """All of them answered."""


class GoGenerator:
    """A process for each run."""

    name = "Go"

    def __init__(self, binary: Path) -> None:
        self._binary = binary

    def send(self, call: Call, door: Door, calls: int, rate: float = 0.0) -> Sent:
        """So many calls a second, or as many as are answered.

        Raises CalledProcessError; what went wrong stands on standard error.
        """
        is_grpc = door.protocol == "grpc"
        words = {
            "protocol": door.protocol,
            "target": door.target,
            "method": call.method if is_grpc else call.path,
            "mark": MARK,
            "calls": calls,
            "at-once": AT_ONCE[call.events == 1],
            "connections": CONNECTIONS,
            "first": next(_numbers),
            "rate": rate,
        }
        command = [str(self._binary), *(f"-{name}={value}" for name, value in words.items())]
        command += [f"-header={name}={value}" for name, value in door.headers.items()]
        template = call.grpc if is_grpc else call.json
        done = subprocess.run(command, input=template, stdout=subprocess.PIPE, timeout=RUN_SECONDS, check=True)
        return Sent(**json.loads(done.stdout))


class PythonGenerator:
    """Threads of this process."""

    name = "Python"

    def send(self, call: Call, door: Door, calls: int) -> Sent:
        """Raises RpcError and HTTPStatusError."""
        started, used = time.perf_counter(), _own_seconds()
        with ExitStack() as running:
            send = _sender(call, door, running)
            callers = running.enter_context(ThreadPoolExecutor(AT_ONCE[call.events == 1]))
            template = call.grpc if door.protocol == "grpc" else call.json
            for _answer in callers.map(send, _bodies(template, calls)):
                pass
        return Sent(seconds=time.perf_counter() - started, processor_seconds=_own_seconds() - used)


def _own_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _bodies(template: bytes, calls: int) -> Iterator[bytes]:
    first, *parts = template.split(MARK.encode())
    ids = count(next(_numbers))
    for _call in range(calls):
        yield first + b"".join(b"%s%0*x%s" % (MARK.encode(), DIGITS, next(ids), part[DIGITS:]) for part in parts)


def _sender(call: Call, door: Door, running: ExitStack) -> Callable[[bytes], bytes]:
    if door.protocol == "grpc":
        channel = running.enter_context(grpc.insecure_channel(door.target))
        method: Any = channel.unary_unary(call.method)
        fields = tuple((name, value) for name, value in door.headers.items() if name != "user-agent")
        return lambda body: method(body, timeout=RUN_SECONDS, metadata=fields)
    client = running.enter_context(httpx.Client(base_url=door.target, timeout=RUN_SECONDS, headers=door.headers))
    kind = {"content-type": "application/json"}
    return lambda body: client.post(call.path, content=body, headers=kind).raise_for_status().content


def find_generator(folder: Path) -> Generator:
    """The one in Go, built into `folder` where there is Go; builds that fail raise CalledProcessError."""
    if binary := built(SOURCE, folder):
        return GoGenerator(binary)
    print("no Go on this machine: the generator is Python, and takes more of the machine", flush=True)
    return PythonGenerator()


def built(source: Path, folder: Path) -> Path | None:
    """A program in Go, built into `folder`; None where there is no Go. A build that fails raises CalledProcessError."""
    go = str(GO) if GO.exists() else shutil.which("go")
    if go is None:
        return None
    CACHES.mkdir(parents=True, exist_ok=True)
    binary = folder / f"{source.name}-binary"
    subprocess.run(
        [go, "build", "-o", str(binary), "."], cwd=source, env={**os.environ, **environment(CACHES)}, check=True
    )
    return binary
