"""A node that starts with a large backlog in its spool: until it serves, until all is loaded, and the memory of it.

`python bench/backlog.py [EVENTS] [EVENTS_PER_SEGMENT]`: 1,000,000 and 10,000 unless told otherwise. Few events per
segment are what a quiet site leaves behind while ClickHouse is away: workers seal twice a second.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import psutil
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.config import SpoolSettings
from qrumb_server.spool.filesystem import DiskFileSystem
from qrumb_server.spool.format import new_segment_id
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.reader import usage
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, Record

WORKERS = 2
GIVE_UP_SECONDS = 900
READY = re.compile(rb"^ready: ", re.MULTILINE)


class Unsynced(DiskFileSystem):
    """The disk without syncs of folders: this backlog need not survive a power cut."""

    def sync_folder(self, path: Path) -> None:
        """Nothing."""


class BacklogClock:
    """Goes by a segment's time at each look, and ends about now."""

    def __init__(self, segments: int) -> None:
        self._time_ms = time.time_ns() // 1_000_000 - 500 * segments - 60_000

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._time_ms

    def step(self) -> None:
        """One seal further."""
        self._time_ms += 500


def records(number: int, now_ms: int) -> list[bytes]:
    """Ordinary events of many sessions, their ids as a collector makes them."""
    moment = Timestamp(seconds=now_ms // 1000, nanos=now_ms % 1000 * 1_000_000)
    made = []
    for index in range(number):
        row = EventRow(
            event_id=str(new_segment_id(now_ms, None)),
            site_id=f"site-{index % 20}",
            scan_session_id=f"visit-{now_ms % 100_000}-{index // 4}",
            event_type="pageview",
            source="browser",
            page_url="https://shop.example/landing?utm_source=poster",
            referrer="https://search.example/",
            device_type="mobile",
            browser_family="Chrome Mobile",
            os_family="Android",
            country_code="DE",
            city="Berlin",
            consent="granted",
            metadata='{"button":"buy","position":3,"variant":"b"}',
            event_time=moment,
            received_time=moment,
        )
        made.append(Record(accepted_event=AcceptedEvent(row=row, event_id_generated=True)).SerializeToString())
    return made


async def fill(spool: Path, events: int, per_segment: int) -> None:
    """Write the backlog with the spool's own writer."""
    clock = BacklogClock(events // per_segment // WORKERS)
    changes = {"min_free_bytes": 0, "seal_after": timedelta(hours=1), "segment_max_records": per_segment}
    limits = SpoolLimits(**SpoolSettings().model_dump() | changes)
    with ThreadPoolExecutor(1) as executor:
        writers = [
            await SpoolWriter.open(
                spool / f"worker-{index}", limits=limits, executor=executor, clock=clock, filesystem=Unsynced()
            )
            for index in range(WORKERS)
        ]
        left = events
        while left > 0:
            for writer in writers:
                size = min(per_segment, left)
                if size:
                    await writer.append(records(size, clock.now_ms()))
                    await writer.seal()
                left -= size
            clock.step()
        for writer in writers:
            await writer.close()


class Memory(threading.Thread):
    """Peak resident memory of a node's processes, by name, from the kernel's own high-water mark."""

    def __init__(self, supervisor: int) -> None:
        super().__init__(daemon=True)
        self._supervisor = psutil.Process(supervisor)
        self.done = threading.Event()
        self.peaks: dict[str, int] = {}

    def run(self) -> None:
        """Look until told otherwise."""
        while not self.done.wait(0.2):
            for process in (self._supervisor, *children(self._supervisor)):
                try:
                    words = [*process.cmdline(), "", ""]
                    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
                except (psutil.Error, OSError):
                    continue
                name = next((word for word in ("worker", "loader", "serve") if word in words), "gateway")
                if found:
                    self.peaks[name] = max(self.peaks.get(name, 0), int(found.group(1)) // 1024)


def children(process: psutil.Process) -> Sequence[psutil.Process]:
    """Living ones."""
    try:
        return process.children()
    except psutil.Error:
        return []


def wait(node: subprocess.Popen[bytes], condition: Iterator[bool]) -> float:
    """Seconds until it holds."""
    begun = time.monotonic()
    for holds in condition:
        if holds:
            return time.monotonic() - begun
        assert node.poll() is None, "the node ended"
        assert time.monotonic() < begun + GIVE_UP_SECONDS
        time.sleep(0.02)
    raise AssertionError


def takes_events(url: str) -> bool:
    """Whether an event that is posted now is accepted."""
    try:
        return httpx.post(f"{url}/collect", json={"site_id": "demo", "event_type": "first"}, timeout=1).is_success
    except httpx.HTTPError:
        return False


def start(data: Path, log: Path) -> tuple[subprocess.Popen[bytes], float, float]:
    """A node, and the seconds until it takes an event and until its ready line, which waits for the loader too."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ports = {"HTTP_PORT": str(port), "GRPC_PORT": "0", "METRICS_PORT": "0"}
    environment = {**os.environ, **ports, "DATA_DIR": str(data)}
    with log.open("wb") as file:
        node = subprocess.Popen(
            [sys.executable, "-m", "qrumb_server", "serve", "--workers", str(WORKERS)],
            env=environment,
            stdout=file,
            stderr=file,
            cwd=data.parent,
        )
    served = wait(node, (takes_events(f"http://127.0.0.1:{port}") for _ in iter(int, 1)))
    ready = served + wait(node, (READY.search(log.read_bytes()) is not None for _ in iter(int, 1)))
    return node, served, ready


def stop(node: subprocess.Popen[bytes]) -> None:
    """In order."""
    node.send_signal(signal.SIGTERM)
    assert node.wait(60) == 0


def count(data: Path) -> str:
    """Rows of the table and distinct places in the spool, once the node has ended."""
    sql = "SELECT count() AS n, uniqExact(segment_id, segment_row) AS places FROM events.valid_events"
    command = [sys.executable, "-m", "qrumb_server", "query", "--format", "json", sql]
    done = subprocess.run(
        command, env={**os.environ, "DATA_DIR": str(data)}, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def main() -> None:
    """Measure once without a backlog and once with it."""
    events, per_segment = (int(word) for word in (sys.argv[1:] + ["1000000", "10000"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        log = Path(folder) / "node.log"
        node, empty_served, empty_ready = start(data, log)
        stop(node)
        asyncio.run(fill(data / "spool", events, per_segment))
        used = usage(data / "spool", now_ms=time.time_ns() // 1_000_000)
        print(f"backlog: {used.sealed_rows:,} events, {used.sealed_segments:,} segments, {used.total_bytes >> 20} MiB")
        node, served, ready = start(data, log)
        memory = Memory(node.pid)
        memory.start()
        print(f"takes events after {served:.2f} s; without a backlog {empty_served:.2f} s")
        print(f"ready after {ready:.2f} s; without a backlog {empty_ready:.2f} s")
        spool = data / "spool"
        drained = wait(node, (not any(spool.glob("worker-*/*.sealed")) for _ in iter(int, 1)))
        print(f"drained {drained:.1f} s later: {events / drained:,.0f} events/s")
        memory.done.set()
        memory.join()
        print("peak memory, MiB:", ", ".join(f"{name} {peak}" for name, peak in sorted(memory.peaks.items())))
        stop(node)
        print(count(data))


if __name__ == "__main__":
    main()
