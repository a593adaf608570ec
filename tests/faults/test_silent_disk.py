"""A disk that does not answer (a frozen filesystem): the node's status says so, and nothing is lost."""

import contextlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.patience import patient
from tests.support.small_disk import small_disk
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb, pytest.mark.slow]

EVENT = {"site_id": "silent", "event_type": "click"}


@contextlib.contextmanager
def silent(folder: Path) -> Iterator[None]:
    """Whatever writes there waits meanwhile."""
    done = subprocess.run(["fsfreeze", "--freeze", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a silent disk takes root that may freeze one: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", folder], check=True)


def send(node: Stack) -> bool:
    """Whether one event was taken."""
    with node.http() as client:
        return client.post("/collect", json=EVENT, timeout=patient(60)).status_code == 200


def test_a_silent_disk_is_said_and_over_without_a_trace(tmp_path: Path) -> None:
    """/healthz answers within its usual time; what waited for the disk is stored or was refused."""
    with (
        small_disk(tmp_path, kind="ext4", mebibytes=512) as disk,
        running_stack(
            disk.folder / "data", log_path=str(tmp_path / "node.log"), QRUMB_SPOOL__MIN_FREE_BYTES="0"
        ) as node,
        ThreadPoolExecutor(4) as senders,
    ):
        assert send(node)
        node.wait_for_rows(1)
        wait_until(lambda: node.health()["condition"] == "READY")
        with silent(disk.folder):
            sending = [senders.submit(send, node) for _ in range(4)]
            wait_until(lambda: any("disk has not answered for" in reason for reason in node.health()["reasons"]), 25)
            done = node.command("status")
            assert (done.returncode, "disk has not answered for" in done.stdout) == (1, True)
        taken = 1 + sum(sent.result() for sent in sending)
        wait_until(lambda: node.health()["condition"] == "READY", 60)
        wait_until(lambda: node.count("site_id = 'silent'") >= taken, 30)
