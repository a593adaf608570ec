"""The spool on disks that are full, too small or damaged, as a worker and a whole node meet them.

What a disk can do at any single call is proved in tests/unit/spool and tests/property/spool on a filesystem in memory;
these are real ones.
"""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceStub
from qrumb_server.app.clock import SystemClock
from qrumb_server.errors import SpoolFullError
from qrumb_server.spool.reader import list_sealed, read_segment
from qrumb_server.spool.writer import SpoolWriter
from tests.support.disks import DISKS
from tests.support.patience import patient
from tests.support.spool_limits import spool_limits
from tests.support.stack import Stack, frozen, running_stack, wait_until

SITE = "disk"
ROOT = Path(__file__).resolve().parents[2]

# A worker whose files may not grow beyond a limit of the operating system: writes end in their middle.
SHORT_FILES = """
import asyncio, resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from qrumb_server.app.clock import SystemClock
from qrumb_server.errors import SpoolFailedError
from qrumb_server.config import SpoolSettings
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.writer import SpoolWriter
from tests.support.disks import DISKS

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

async def write():
    with ThreadPoolExecutor(1) as executor:
        limits = SpoolLimits(**SpoolSettings().model_dump() | {"min_free_bytes": 0})
        writer = await SpoolWriter.open(
            Path(sys.argv[1]),
            limits=limits,
            executor=executor,
            clock=SystemClock(),
            filesystem=DISKS[sys.argv[2]](),
        )
        for number in range(300):
            try:
                await writer.append([b"%06d" % number + bytes(1000)])
                print(number)
            except SpoolFailedError:
                pass
        await writer.close()

asyncio.run(write())
"""


def stored_numbers(root: Path) -> list[int]:
    """Numbers at the beginning of all records that a loader would read."""
    return [int(record[:6]) for ref in list_sealed(root) for record in read_segment(ref).records]


@pytest.mark.parametrize("disk", DISKS)
def test_files_that_may_not_grow_cost_only_the_append_that_was_told_so(tmp_path: Path, disk: str) -> None:
    """RLIMIT_FSIZE cuts writes short: what was acknowledged is there, nothing else, and the spool goes on."""
    done = subprocess.run(
        [sys.executable, "-c", SHORT_FILES, tmp_path / "worker-0", disk],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=True,
    )
    acknowledged = [int(line) for line in done.stdout.split()]
    assert 250 < len(acknowledged) < 300
    assert stored_numbers(tmp_path) == acknowledged


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 4 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"a full disk takes root that may mount a tmpfs: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("disk", DISKS)
async def test_full_disk_refuses_and_goes_on_when_there_is_room(small_disk: Path, disk: str) -> None:
    """ENOSPC by a real filesystem, in the middle of a write; nothing acknowledged is lost, nothing refused is kept."""
    acknowledged = []
    with ThreadPoolExecutor(1) as executor:
        limits = spool_limits(min_free_bytes=0)
        writer = await SpoolWriter.open(
            small_disk / "spool" / "worker-0",
            limits=limits,
            executor=executor,
            clock=SystemClock(),
            filesystem=DISKS[disk](),
        )
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(3 * 1024 * 1024))
        refused = 0
        for number in range(2_000):
            try:
                await writer.append([b"%06d" % number + bytes(997)])
                acknowledged.append(number)
            except SpoolFullError:
                refused += 1
                ballast.unlink(missing_ok=True)
                await asyncio.sleep(0.15)
        await writer.close()
    assert refused
    assert len(acknowledged) > 1_500
    assert stored_numbers(small_disk / "spool") == acknowledged


@pytest.mark.stack
@pytest.mark.slow
def test_full_spool_is_told_to_senders_and_drains_by_itself(tmp_path: Path) -> None:
    """RESOURCE_EXHAUSTED and 429 with Retry-After; what was accepted before is stored once, and then there is room."""
    accepted = 0
    with running_stack(tmp_path / "data", QRUMB_SPOOL__MAX_BYTES=str(16 << 20), QRUMB_WORKERS="1") as stack:
        with frozen(stack, "loader"), grpc.insecure_channel(stack.grpc_target) as channel:
            stub = CollectorServiceStub(channel)
            for _ in range(100):
                try:
                    accepted += len(stub.BatchCollectBrowserEvents(large_batch(), timeout=patient(10)).receipts)
                except grpc.RpcError as error:
                    refusal = error
                    break
            assert refusal.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            trailers: Any = refusal.trailing_metadata()
            assert dict(trailers)["retry-after"]
            with stack.http() as client:
                for _ in range(300):
                    answer = client.post("/collect/batch", json={"events": [large_event()] * 10})
                    if answer.status_code != 200:
                        break
                    accepted += 10
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) >= 1
        stack.wait_for_empty_spool()
        with stack.http() as client:
            wait_until(lambda: client.post("/collect", json=large_event()).status_code == 200)
        stack.wait_for_rows(accepted + 1)


def large_event() -> dict[str, object]:
    """Near the limit of one event."""
    return {"site_id": SITE, "event_id": str(uuid.uuid4()), "event_type": "click", "metadata": {"text": "x" * 9_000}}


def large_batch() -> pb.BatchCollectBrowserEventsRequest:
    """Some of them."""
    event = BrowserEvent(site_id=SITE, event_type="click")
    event.metadata.update({"text": "x" * 9_000})
    return pb.BatchCollectBrowserEventsRequest(events=[event] * 100)


@pytest.mark.stack
@pytest.mark.slow
def test_flipped_bytes_under_a_running_node_cost_their_row_and_are_told(tmp_path: Path) -> None:
    """Quarantined, counted, said by health and log; everything else is stored, and loading goes on."""
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1") as stack:
        with frozen(stack, "loader"):
            post_numbers(stack, range(50))
            [sealed] = wait_until(lambda: list((stack.data_dir / "spool" / "worker-0").glob("*.50.sealed")))
            image = bytearray(sealed.read_bytes())
            at = image.index(b"number-25")
            image[at : at + 9] = b"\xff" * 9
            sealed.write_bytes(image)
            post_numbers(stack, range(50, 60))
        stack.wait_for_rows(59)
        stored = {row["metadata"] for row in stack.query("SELECT metadata FROM events.valid_events")}
        assert stored == {f'{{"text":"number-{number}"}}' for number in range(60) if number != 25}
        # Its rows are there before it is put aside.
        [put_aside] = wait_until(lambda: list((stack.data_dir / "spool" / "quarantine").glob("*")))
        assert put_aside.name == f"worker-0.{sealed.name}"
        assert "rows_missing=1" in next(line for line in stack.log().splitlines() if "segment_damaged" in line)
        health = stack.health()
        assert health["condition"] == "DEGRADED"
        assert any("damaged segments were put aside in spool/quarantine (1)" in one for one in health["reasons"])
        put_aside.unlink()
        wait_until(lambda: stack.health()["condition"] == "READY")


def post_numbers(stack: Stack, numbers: range) -> None:
    """One batch of recognisable events."""
    events = [{"site_id": SITE, "event_type": "click", "metadata": {"text": f"number-{number}"}} for number in numbers]
    with stack.http() as client:
        assert client.post("/collect/batch", json={"events": events}).status_code == 200
