"""The compiled thread keeps what Python would keep, and what it meets is answered as Python answers it."""

import asyncio
import errno
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import SpoolFailedError, SpoolFullError
from qrumb_server.ports import Clock
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.spool import SpoolWriter, list_sealed, read_segment
from qrumb_server.spool.compiled_disk import CompiledDisk
from qrumb_server.spool.format import encode_frames, encode_header
from tests.support.spool_limits import spool_limits

pytestmark = pytest.mark.skipif(not is_built(), reason="the compiled way is not built")

OpenWriter = Callable[..., Coroutine[Any, Any, SpoolWriter]]


class TroubledDisk(CompiledDisk):
    """Says that it met errors that it did not meet, after it has done its work."""

    def __init__(self) -> None:
        super().__init__()
        self.troubles: list[tuple[OSError | None, bool]] = []
        self.appends = 0

    def ended(self) -> tuple[OSError | None, bool]:
        self.appends += 1
        said = super().ended()
        return self.troubles.pop(0) if self.troubles else said


@pytest.fixture
def disk() -> TroubledDisk:
    return TroubledDisk()


@pytest.fixture
async def open_writer(
    tmp_path: Path, executor: Executor, clock: Clock, disk: TroubledDisk
) -> AsyncIterator[OpenWriter]:
    writers = []

    async def open_one(**limits: Any) -> SpoolWriter:
        limits = {"min_free_bytes": 0} | limits
        writer = await SpoolWriter.open(
            tmp_path / "1", limits=spool_limits(**limits), executor=executor, clock=clock, filesystem=disk
        )
        writers.append(writer)
        return writer

    yield open_one
    for writer in writers:
        await writer.close()


async def test_segments_are_byte_for_byte_those_of_python(
    open_writer: OpenWriter, disk: TroubledDisk, tmp_path: Path
) -> None:
    """Records of any length and number, by one caller and by several at once, in several segments."""
    writer, chance, kept = await open_writer(segment_max_records=40), random.Random(7), []
    for _ in range(60):
        group = [
            [chance.randbytes(chance.choice([0, 1, 20, 3000])) for _ in range(chance.choice([1, 1, 3]))]
            for _ in range(chance.choice([1, 2, 5]))
        ]
        await asyncio.gather(*(writer.append(records) for records in group))
        kept += [record for records in group for record in records]
    await writer.close()
    refs = list_sealed(tmp_path)
    assert [record for ref in refs for record in read_segment(ref).records] == kept
    for ref in refs:
        frames = encode_frames(read_segment(ref).records, 0, ref.segment_id)
        assert ref.path.read_bytes() == encode_header(ref.segment_id) + b"".join(frames)
    assert disk.appends > 30
    assert len(refs) > 3


async def test_a_failed_sync_costs_its_callers_and_the_rest_of_the_segment(
    open_writer: OpenWriter, disk: TroubledDisk, tmp_path: Path
) -> None:
    """What was durable before is kept, what was not is not read, and the file is not written again."""
    writer = await open_writer()
    await writer.append([b"first"])
    disk.troubles = [(OSError(errno.EIO, "made up"), True)]
    outcomes = await asyncio.gather(writer.append([b"a"]), writer.append([b"b"]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [SpoolFailedError] * 2
    assert not writer.stats().is_healthy
    await writer.append([b"later"])
    assert writer.stats().is_healthy
    await writer.close()
    assert [read_segment(ref).records for ref in list_sealed(tmp_path)] == [[b"first"], [b"later"]]


@pytest.mark.parametrize("is_written", [False, True])
async def test_a_full_disk_refuses(
    open_writer: OpenWriter, disk: TroubledDisk, tmp_path: Path, *, is_written: bool
) -> None:
    """Half a write is cut off and the segment goes on; one that could not be synced is not trusted any more."""
    writer = await open_writer()
    await writer.append([b"first"])
    disk.troubles = [(OSError(errno.ENOSPC, "made up"), is_written)]
    with pytest.raises(SpoolFullError):
        await writer.append([b"refused"])
    await writer.append([b"later"])
    await writer.close()
    assert [read_segment(ref).records for ref in list_sealed(tmp_path)] == (
        [[b"first"], [b"later"]] if is_written else [[b"first", b"later"]]
    )


async def test_whatever_ends_the_thread_no_caller_hangs(
    open_writer: OpenWriter, disk: TroubledDisk, tmp_path: Path
) -> None:
    """Python goes on: one append at most is refused, nothing acknowledged is lost, and the loop has its rest."""
    writer, acknowledged = await open_writer(), [b"first"]
    await writer.append([b"first"])
    disk.close()
    for record in [b"%d" % number for number in range(10)]:
        try:
            await writer.append([record])
            acknowledged.append(record)
        except SpoolFailedError:
            pass
    assert len(acknowledged) >= 10
    await asyncio.sleep(0.05)
    assert disk.appends < 3, "the loop is woken for ever by a thread that is gone"
    await writer.close()
    stored = [record for ref in list_sealed(tmp_path) for record in read_segment(ref).records]
    assert stored == acknowledged


async def test_closing_waits_for_what_was_begun(open_writer: OpenWriter, tmp_path: Path) -> None:
    """And a caller that is gone is no caller less."""
    writer = await open_writer()
    await writer.append([b"first"])
    waiting = [asyncio.create_task(writer.append([b"%d" % number])) for number in range(5)]
    while not writer.disk_silent_for:
        await asyncio.sleep(0)
    waiting[2].cancel()
    await writer.close()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert [read_segment(ref).records for ref in list_sealed(tmp_path)] == [[b"first", b"0", b"1", b"2", b"3", b"4"]]
