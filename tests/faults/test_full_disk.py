"""The embedded database on a real small filesystem that others fill and empty again while rows are loaded.

The engine then reports success for parts whose files are empty (see `qrumb_server.store.parts`). Every row must be
there once, in the running engine and after it was opened anew.
"""

import contextlib
import random
import time
from pathlib import Path

import pytest

from qrumb_server.errors import StoreShortOfDiskError
from qrumb_server.loader.progress import Progress
from qrumb_server.ports import SetAside
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.rig import assert_exactly_once, running_rig
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.stack import wait_until

pytestmark = [pytest.mark.chdb, pytest.mark.slow, pytest.mark.timeout(300)]

FILLS = 12
MIB = 1 << 20


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
def test_a_disk_that_is_filled_again_and_again_loses_and_doubles_no_row(tmp_path: Path, kind: str) -> None:
    """No reserve is kept here, so that the engine hits the wall as often as possible."""
    found: list[SetAside] = []
    with small_disk(tmp_path, kind=kind, mebibytes=96) as disk:
        store = EmbeddedStore.open(disk.folder / "clickhouse", report=found.append)
        with running_rig(tmp_path / "spool", store) as rig:
            rig.wait_until_well()
            for _ in range(FILLS):
                time.sleep(random.uniform(0.1, 0.6))
                disk.keep_full(random.uniform(0.05, 0.5))
                disk.clear()
                store.prove_parts()
            rig.wait_until_well()
            rig.finish()
            assert_exactly_once(store.query, rig.feeder.acknowledged)
        with contextlib.closing(EmbeddedStore.open(disk.folder / "clickhouse")) as again:
            assert_exactly_once(again.query, rig.feeder.acknowledged)
    assert not any(one.lost_rows for one in found)


@pytest.fixture
def reserved(tmp_path: Path) -> "contextlib.AbstractContextManager[SmallDisk]":
    """64 MiB."""
    return small_disk(tmp_path, kind="tmpfs", mebibytes=64)


def test_below_its_reserve_the_loader_waits_says_why_and_goes_on_by_itself(
    tmp_path: Path, reserved: "contextlib.AbstractContextManager[SmallDisk]"
) -> None:
    """The engine is not asked to write at all: what is left is for its merges."""
    progress = Progress()
    with reserved as disk:
        store = EmbeddedStore.open(disk.folder / "clickhouse", min_free_bytes=32 * MIB, report=progress.parts_set_aside)
        with running_rig(tmp_path / "spool", store, progress) as rig:
            rig.wait_until_well()
            disk.fill(leave_bytes=20 * MIB)
            reason = wait_until(lambda: next(iter(progress.reasons), ""), 30, 0.01)
            assert "the disk of the database has " in reason
            assert "MiB left, 32 are needed" in reason
            assert isinstance(progress.last_error, StoreShortOfDiskError)
            disk.clear()
            rig.wait_until_well()
            assert progress.reasons == []
            rig.finish()
            assert_exactly_once(store.query, rig.feeder.acknowledged)
