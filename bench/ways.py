"""What is compared: nodes of qrumb, and peers. Only the processes that take events count.

- `compiled`, `python`: a node with one worker and one thread of Envoy, with and without the compiled way;
- `echo`: the bare server of echo.py, and the gateway's Envoy, transcoding, before it;
- `fastapi`: fastapi_peer.py under uvicorn;
- `collector`: the OpenTelemetry Collector of collector_peer/ with a queue on the disk. Where it is to send that to
  takes connections and answers none, so that its way in is measured alone, as the others' is.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx

from bench.calls import AGENT, CALLS, SITE, Call
from bench.generate import Door
from qrumb_server.gateway.process import command
from qrumb_server.gateway.render import render
from tests.support.envoy_process import gateway_options, tell_workers, worker_socket
from tests.support.patience import patient
from tests.support.stack import Stack, running_stack, wait_until

__all__ = ["Way", "collector", "echo", "fastapi", "node", "of_stack", "processor_seconds"]

UNLIMITED = 1_000_000_000
REQUESTS = 1_000_000
SITES = f"[{SITE}]\nquota = {{events_per_second = {UNLIMITED}, burst = {UNLIMITED}}}\n"
BROWSER = {"user-agent": AGENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Something that takes events."""

    doors: dict[str, Door]
    """By protocol; `json` is before Envoy where there is one."""
    pids: dict[str, Callable[[], list[int]]]
    """Processes that work for an event that comes in by that protocol, by protocol."""
    stack: Stack | None = None
    as_sent: Callable[[Call], Call] = field(default=lambda call: call)
    """A call in the words that it is sent in."""

    def seconds_used(self, protocol: str) -> float:
        """Processor time so far."""
        return processor_seconds(self.pids[protocol]())

    def check(self, call: Call) -> None:
        """Raises AssertionError unless it takes every event of a call."""
        for protocol, door in self.doors.items():
            send = _send_grpc if protocol == "grpc" else _send_json
            said = send(self.as_sent(call), door)
            assert self.as_sent(call).is_taken(said), f"{call.name} by {protocol}: {said[:2000]}"


def processor_seconds(pids: list[int]) -> float:
    """Of processes with all their threads, by the scheduler's own account, finer than ticks."""
    threads = (thread for pid in pids for thread in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def _send_grpc(call: Call, door: Door) -> str:
    fields = tuple((name, value) for name, value in door.headers.items() if name != "user-agent")
    with grpc.insecure_channel(door.target) as channel:
        method: Any = channel.unary_unary(call.method)
        answer = method(call.grpc, timeout=patient(20), wait_for_ready=True, metadata=fields)
    return str(call.answer_of(answer))


def _send_json(call: Call, door: Door) -> str:
    headers = {**door.headers, "content-type": "application/json"}
    return httpx.post(door.target + call.path, content=call.json, headers=headers, timeout=patient(20)).text


@contextmanager
def node(folder: Path, workers: int = 1, **settings: str) -> Iterator[Way]:
    """A node that asks for keys, with a site whose quota nothing reaches."""
    own = {
        "QRUMB_ACCESS": "keys",
        "QRUMB_WORKERS": str(workers),
        "QRUMB_GATEWAY__CONCURRENCY": str(workers),
        "QRUMB_GATEWAY__REQUESTS_PER_SECOND": str(REQUESTS),
        "QRUMB_GATEWAY__REQUEST_BURST": str(REQUESTS),
    }
    folder.mkdir()
    (folder / "sites.toml").write_text(SITES)
    made = Stack(folder, **own).command("sites", "key", SITE)
    assert made.returncode == 0, made.stderr
    with running_stack(folder, **own, **settings) as stack:
        headers = {**BROWSER, "authorization": f"Bearer {made.stdout.strip()}"}
        yield of_stack(stack, headers)


def of_stack(stack: Stack, headers: dict[str, str] | None = None) -> Way:
    """A node that runs already; sent with every call are `headers`."""
    sent = BROWSER if headers is None else headers
    return Way(
        doors={
            "grpc": Door(protocol="grpc", target=stack.grpc_target, headers=sent),
            "json": Door(protocol="json", target=stack.url, headers=sent),
        },
        pids={
            "grpc": lambda: _children(stack, "worker-"),
            "json": lambda: _children(stack, "worker-") + _children(stack, "gateway"),
            "loader": lambda: _children(stack, "loader"),
        },
        stack=stack,
    )


def _children(stack: Stack, prefix: str) -> list[int]:
    return [child.pid for name, child in stack.children().items() if name.startswith(prefix)]


@contextmanager
def echo(folder: Path) -> Iterator[Way]:
    """The gateway's Envoy before a bare server, which has a port of its own besides."""
    folder.mkdir()
    http_port, grpc_port = free_port(), free_port()
    limits = {"requests_per_second": REQUESTS, "request_burst": REQUESTS}
    options = gateway_options(http_port, json_events="transcode", access_log=False, **limits)
    config = folder / "envoy.yaml"
    config.write_text(render(options))
    tell_workers(folder / options.workers_file, [True])
    target = f"127.0.0.1:{grpc_port}"
    server = [sys.executable, "-m", "bench.echo", target, f"unix:{folder / worker_socket(0)}"]
    envoy = command(config, concurrency=1, drain_time=timedelta(seconds=1))
    with _child(server, Path.cwd()) as bare, _child(list(envoy), folder) as gateway:
        yield _answering(
            Way(
                doors={
                    "grpc": Door(protocol="grpc", target=target, headers=BROWSER),
                    "json": Door(protocol="json", target=f"http://127.0.0.1:{http_port}", headers=BROWSER),
                },
                pids={"grpc": lambda: [bare], "json": lambda: [bare, gateway]},
            )
        )


@contextmanager
def fastapi(folder: Path) -> Iterator[Way]:
    """The peer, by the same interpreter."""
    folder.mkdir()
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "bench.fastapi_peer:app", "--port", str(port)]
    words += ["--log-level", "warning", "--no-access-log", "--loop", "uvloop"]
    with _child(words, Path.cwd(), PEER_FILE=str(folder / "events.log")) as server:
        door = Door(protocol="json", target=f"http://127.0.0.1:{port}", headers=BROWSER)
        yield _answering(Way(doors={"json": door}, pids={"json": lambda: [server]}))


COLLECTOR = """
extensions:
  file_storage: {{directory: {folder}/queue, fsync: true, create_directory: true}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{port}"}}}}}}
exporters:
  otlp_http:
    endpoint: http://127.0.0.1:{silent_port}
    timeout: 0s
    sending_queue: {{num_consumers: 1, queue_size: 1000000, storage: file_storage}}
service:
  extensions: [file_storage]
  pipelines:
    logs: {{receivers: [otlp], exporters: [otlp_http]}}
"""


@contextmanager
def collector(folder: Path, binary: Path) -> Iterator[Way]:
    """The peer in Go, built already."""
    folder.mkdir()
    port = free_port()
    config = folder / "collector.yaml"
    silent = socket.create_server(("127.0.0.1", 0))
    config.write_text(COLLECTOR.format(folder=folder, port=port, silent_port=silent.getsockname()[1]))
    # What waits for its answer is let go first: the collector would not end before.
    with _child([str(binary), str(config)], folder) as peer, silent:
        door = Door(protocol="grpc", target=f"127.0.0.1:{port}", headers=BROWSER)
        yield _answering(Way(doors={"grpc": door}, pids={"grpc": lambda: [peer]}, as_sent=Call.as_logs))


@contextmanager
def _child(words: list[str], folder: Path, **environment: str) -> Iterator[int]:
    with ExitStack() as running:
        child = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
        running.callback(child.wait, 30)
        running.callback(child.terminate)
        yield child.pid


def _answering(way: Way) -> Way:
    """Once it takes events."""

    def is_answering() -> bool:
        try:
            way.check(CALLS[0])
        except (httpx.TransportError, grpc.RpcError, AssertionError):
            return False
        return True

    wait_until(is_answering)
    return way


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
