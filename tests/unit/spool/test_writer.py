"""What an append promises, and what it costs."""

import asyncio
import errno
import random
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import ConfigError, SpoolFailedError, SpoolFullError
from qrumb_server.ports import Clock
from qrumb_server.spool import (
    MAX_RECORD_BYTES,
    SpoolWriter,
    list_sealed,
    read_segment,
    release,
)
from tests.support.faulty_filesystem import FaultyFileSystem
from tests.support.patience import patient
from tests.support.spool_limits import spool_limits

ROOT = Path("/spool")
OpenSpool = Callable[..., Coroutine[Any, Any, SpoolWriter]]


def stored(filesystem: FaultyFileSystem) -> list[list[bytes]]:
    """Records of the sealed segments, oldest first; no segment may be damaged."""
    segments = [read_segment(ref, filesystem) for ref in list_sealed(ROOT, filesystem)]
    assert all(segment.damage is None for segment in segments)
    return [segment.records for segment in segments]


async def outcomes_of(writer: SpoolWriter, *batches: list[bytes]) -> list[BaseException | None]:
    return await asyncio.gather(*(writer.append(batch) for batch in batches), return_exceptions=True)


async def test_concurrent_appends_share_one_write_and_one_sync(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Group commit: the cost of a sync is paid once for all that wait."""
    writer = await open_spool()
    await writer.append([b"first"])
    filesystem.calls.clear()
    await asyncio.gather(*(writer.append([b"%d" % number]) for number in range(50)))
    assert filesystem.calls == {"write": 1, "sync": 1}


async def test_append_returns_after_content_and_name_are_durable(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Whatever a power cut takes, it does not take what was acknowledged before it."""
    for seed in range(20):
        writer = await open_spool()
        await writer.append([b"kept %d" % seed])
        await asyncio.to_thread(filesystem.restart, random.Random(seed))
    await open_spool()
    assert [records for segment in stored(filesystem) for records in segment] == [
        b"kept %d" % seed for seed in range(20)
    ]


async def test_append_that_arrives_during_a_commit_waits_for_the_next(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """No caller is answered by a sync that began before its write."""
    writer = await open_spool()
    filesystem.hold_syncs()
    early = asyncio.ensure_future(writer.append([b"early"]))
    await asyncio.to_thread(filesystem.sync_begun.wait, 5)
    late = [asyncio.ensure_future(writer.append([b"late %d" % number])) for number in range(5)]
    await asyncio.sleep(0.01)
    assert not early.done()
    filesystem.let_syncs_end()
    await early
    assert not any(task.done() for task in late)
    await asyncio.gather(*late)
    assert filesystem.calls["sync"] == 2
    await writer.close()


async def test_cancelled_append_does_not_cancel_the_others(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """One caller's deadline is no other caller's fault."""
    writer = await open_spool()
    filesystem.hold_syncs()
    tasks = [asyncio.ensure_future(writer.append([b"%d" % number])) for number in range(3)]
    await asyncio.to_thread(filesystem.sync_begun.wait, 5)
    tasks[1].cancel()
    filesystem.let_syncs_end()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert outcomes[0] is outcomes[2] is None
    await writer.append([b"after"])
    await writer.close()
    assert stored(filesystem) == [[b"0", b"1", b"2", b"after"]]


async def test_append_cancelled_before_its_commit_is_not_written(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Its caller no longer waits for it; its retry would be a duplicate."""
    writer = await open_spool()
    tasks = [asyncio.ensure_future(writer.append([b"%d" % number])) for number in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await writer.seal()
    assert stored(filesystem) == [[b"1", b"2"]]


async def test_append_never_spans_two_segments(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """A segment is closed early rather than an append torn apart."""
    writer = await open_spool(segment_max_records=5)
    batches = [[b"%d/%d" % (batch, row) for row in range(3)] for batch in range(4)]
    await asyncio.gather(*(writer.append(batch) for batch in batches))
    await writer.close()
    assert stored(filesystem) == batches


async def test_segment_is_sealed_by_count_without_waiting_for_more(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """The loader need not wait for the timer when a batch is full."""
    writer = await open_spool(segment_max_records=2)
    await writer.append([b"a"])
    await writer.append([b"b"])
    await eventually(lambda: stored(filesystem) == [[b"a", b"b"]])


async def test_segment_is_sealed_by_bytes(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """The loader holds a whole segment in memory."""
    writer = await open_spool(segment_max_bytes=1000)
    for _ in range(4):
        await writer.append([b"x" * 400])
    await writer.close()
    assert [len(segment) for segment in stored(filesystem)] == [2, 2]


async def test_segment_is_sealed_by_time_at_the_next_multiple(
    open_spool: OpenSpool, filesystem: FaultyFileSystem, clock: Clock
) -> None:
    """Steady traffic does not put the seal off, and all workers seal at the same moments."""
    to_boundary = (30 - clock.now_ms() % 30) / 1000
    writer = await open_spool(
        seal_after=timedelta(milliseconds=30),
        segment_max_records=10**9,
        segment_max_bytes=10**9,
        max_bytes=10**9,
    )
    begun = asyncio.get_running_loop().time()
    while not list_sealed(ROOT, filesystem):
        await writer.append([b"x"])
        assert asyncio.get_running_loop().time() < begun + 5
    assert asyncio.get_running_loop().time() >= begun + to_boundary
    await writer.append([b"y"])
    await eventually(lambda: len(list_sealed(ROOT, filesystem)) == 2)


async def test_append_larger_than_a_segment_gets_its_own(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """A big batch is not refused for the loader's convenience."""
    writer = await open_spool(segment_max_records=2)
    await outcomes_of(writer, [b"small"], [b"%d" % row for row in range(7)], [b"after"])
    await writer.close()
    assert [len(segment) for segment in stored(filesystem)] == [1, 7, 1]


async def test_short_writes_are_continued(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """A write may take a part only; that is not an error."""
    writer = await open_spool()
    filesystem.shorten_writes(1, 7, 30)
    await writer.append([b"a" * 100, b"b" * 100])
    await writer.close()
    assert stored(filesystem) == [[b"a" * 100, b"b" * 100]]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_create_on_a_full_disk_means_try_later(
    open_spool: OpenSpool, filesystem: FaultyFileSystem, number: int
) -> None:
    """No room and no quota are full, not broken: health stays."""
    writer = await open_spool()
    filesystem.fail("create", number)
    with pytest.raises(SpoolFullError):
        await writer.append([b"x"])
    assert writer.stats().is_healthy
    assert writer.stats().failures == 0


async def test_full_disk_refuses_keeps_nothing_and_goes_on(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """Half a record on a full disk is cut off; the same segment takes the next append."""
    writer = await open_spool()
    await writer.append([b"before"])
    used = filesystem.bytes_used()
    filesystem.capacity_bytes = used + 50
    filesystem.calls.clear()
    with pytest.raises(SpoolFullError, match="disk"):
        await writer.append([b"x" * 30, b"y" * 30])
    assert filesystem.bytes_used() == used
    assert filesystem.calls["truncate"] == filesystem.calls["sync"] == 1, "a power cut could undo the cut"
    filesystem.capacity_bytes = 10**6
    await writer.append([b"after"])
    await writer.close()
    assert stored(filesystem) == [[b"before", b"after"]]


@pytest.mark.parametrize("call", ["write", "sync"])
async def test_failed_disk_call_fails_the_group_and_abandons_the_file(
    open_spool: OpenSpool, filesystem: FaultyFileSystem, call: str
) -> None:
    """The kernel may have dropped the pages, so the file is not touched again, only what was durable is handed on."""
    writer = await open_spool()
    await writer.append([b"before"])
    used = filesystem.bytes_used()
    filesystem.fail(call)
    filesystem.calls.clear()
    outcomes = await outcomes_of(writer, [b"lost 1"], [b"lost 2"])
    assert all(isinstance(outcome, SpoolFailedError) for outcome in outcomes)
    assert filesystem.calls["sync"] == (1 if call == "sync" else 0)
    assert not writer.stats().is_healthy
    assert filesystem.bytes_used() == used
    assert stored(filesystem) == [[b"before"]]
    await writer.append([b"after"])
    assert writer.stats().is_healthy
    assert writer.stats().failures == 1
    await writer.close()
    assert stored(filesystem) == [[b"before"], [b"after"]]


async def test_unforeseen_error_fails_the_group_and_abandons_the_file(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Whatever ends a commit half way, no caller hangs and nothing is appended behind what it left."""
    writer = await open_spool()
    await writer.append([b"before"])
    filesystem.cut_power_in(1)
    outcomes = await outcomes_of(writer, [b"lost 1"], [b"lost 2"])
    assert all(isinstance(outcome, SpoolFailedError) for outcome in outcomes)
    filesystem.forget_faults()
    await writer.append([b"after"])
    await writer.close()
    assert stored(filesystem) == [[b"before"], [b"after"]]


async def test_failed_commit_that_cannot_be_cut_off_is_not_read(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Callers who were told "failed" do not find their rows stored: the sealed name counts the good rows."""
    writer = await open_spool()
    await writer.append([b"before"])
    filesystem.fail("sync")
    filesystem.fail("truncate")
    with pytest.raises(SpoolFailedError):
        await writer.append([b"lost"])
    await writer.close()
    assert stored(filesystem) == [[b"before"]]


@pytest.mark.parametrize("call", ["create", "sync_folder"])
async def test_segment_whose_name_may_not_be_durable_acknowledges_nothing(
    open_spool: OpenSpool, filesystem: FaultyFileSystem, call: str
) -> None:
    """A file without a durable name is lost whole."""
    writer = await open_spool()
    filesystem.fail(call)
    with pytest.raises(SpoolFailedError):
        await writer.append([b"lost"])
    await writer.append([b"after"])
    await writer.close()
    assert stored(filesystem) == [[b"after"]]
    assert [entry.name for entry in filesystem.list_folder(ROOT / "1") if entry.name.endswith(".open")] == []


async def test_seal_that_fails_is_reported_and_tried_again_by_itself(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Rows that are acknowledged do not wait for the next start."""
    writer = await open_spool(seal_after=timedelta(milliseconds=20))
    await writer.append([b"waits"])
    filesystem.fail("rename")
    with pytest.raises(SpoolFailedError):
        await writer.seal()
    assert writer.stats().segments_unsealed == 1
    await eventually(lambda: stored(filesystem) == [[b"waits"]])
    assert writer.stats().segments_unsealed == 0


async def test_what_waits_for_its_seal_outlasts_a_folder_that_is_away(
    tmp_path: Path, executor: Executor, clock: Clock
) -> None:
    """Moved, or not mounted for a while: its rows wait for its return, not for the next start of the node."""
    folder, away = tmp_path / "spool" / "worker-0", tmp_path / "away"
    writer = await SpoolWriter.open(folder, limits=spool_limits(), executor=executor, clock=clock)
    try:
        await writer.append([b"waits"])
        folder.rename(away)
        with pytest.raises(SpoolFailedError):
            await writer.seal()
        away.rename(folder)
        await eventually(lambda: len(list_sealed(tmp_path / "spool")) == 1)
    finally:
        await writer.close()


async def test_a_segment_that_was_removed_by_hand_is_not_waited_for(
    tmp_path: Path, executor: Executor, clock: Clock
) -> None:
    """Else every seal would fail from then on."""
    writer = await SpoolWriter.open(tmp_path / "1", limits=spool_limits(), executor=executor, clock=clock)
    try:
        await writer.append([b"removed"])
        next((tmp_path / "1").glob("*.open")).unlink()
        await writer.seal()
        assert writer.stats().segments_unsealed == 0
    finally:
        await writer.close()


async def test_seal_syncs_the_folder(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """After a seal a power cut does not turn the segment back into an open one."""
    writer = await open_spool()
    await writer.append([b"a"])
    filesystem.calls.clear()
    await writer.seal()
    assert filesystem.calls["rename"] == filesystem.calls["sync_folder"] == 1


async def test_byte_limit_refuses_until_the_loader_makes_room(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """The limit counts the whole folder, and the loader frees it without telling."""
    writer = await open_spool(max_bytes=3000)
    with pytest.raises(SpoolFullError):
        for _ in range(10):
            await writer.append([b"x" * 900])
            await writer.seal()
    assert writer.bytes_used == filesystem.bytes_in(ROOT / "1") <= 3000
    release(list_sealed(ROOT, filesystem)[0], filesystem)
    await writer.append([b"x" * 900])


async def test_full_spool_is_not_listed_for_every_refusal(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """Refusing is cheap: that is when the callers are most."""
    writer = await open_spool(max_bytes=1000, rescan_after=timedelta(hours=1))
    filesystem.calls.clear()
    for _ in range(20):
        with pytest.raises(SpoolFullError):
            await writer.append([b"x" * 2000])
    assert filesystem.calls["list_folder"] == 0


async def test_small_append_passes_where_a_big_one_of_its_group_does_not(open_spool: OpenSpool) -> None:
    """Each append is judged by itself."""
    writer = await open_spool(max_bytes=2000)
    big, small = await outcomes_of(writer, [b"x" * 5000], [b"x"])
    assert isinstance(big, SpoolFullError)
    assert small is None


async def test_free_space_that_must_stay_is_not_taken(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """An embedded database on the same disk needs room to drain the spool."""
    filesystem.capacity_bytes = 2000
    writer = await open_spool(min_free_bytes=1500)
    await writer.append([b"x" * 100])
    with pytest.raises(SpoolFullError, match="free"):
        await writer.append([b"x" * 500])


async def test_memory_that_waits_for_the_disk_is_bounded(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """A disk that hangs turns callers away before the process is killed for its size."""
    writer = await open_spool(max_waiting_bytes=1000)
    filesystem.hold_syncs()
    stuck = asyncio.ensure_future(writer.append([b"x"]))
    await asyncio.to_thread(filesystem.sync_begun.wait, 5)
    waiting = asyncio.ensure_future(writer.append([b"x" * 900]))
    await asyncio.sleep(0)
    with pytest.raises(SpoolFullError, match="wait"):
        await writer.append([b"x" * 900])
    filesystem.let_syncs_end()
    await asyncio.gather(stuck, waiting)
    await writer.close()


async def test_record_that_no_reader_would_accept_is_refused(open_spool: OpenSpool) -> None:
    """A frame longer than the bound would be unreadable, so it is never written."""
    writer = await open_spool()
    with pytest.raises(ValueError, match="longer"):
        await writer.append([b"x" * (MAX_RECORD_BYTES + 1)])


async def test_empty_append_costs_nothing(open_spool: OpenSpool, filesystem: FaultyFileSystem) -> None:
    """No record, no file."""
    writer = await open_spool()
    await writer.append([])
    await writer.seal()
    assert filesystem.bytes_used() == 0


async def test_close_finishes_what_waits_and_refuses_what_follows(
    open_spool: OpenSpool, filesystem: FaultyFileSystem
) -> None:
    """Closing loses nothing, leaves nothing open, and may be repeated."""
    writer = await open_spool()
    append = asyncio.ensure_future(writer.append([b"waits"]))
    await asyncio.sleep(0)
    await asyncio.gather(writer.close(), writer.close())
    await append
    await writer.close()
    assert stored(filesystem) == [[b"waits"]]
    for refused in (writer.append([b"late"]), writer.seal()):
        with pytest.raises(SpoolFailedError, match="closed"):
            await refused
    await open_spool()


async def test_executor_that_is_gone_fails_appends_and_still_lets_the_folder_go(
    clock: Any, filesystem: FaultyFileSystem
) -> None:
    """A shutdown in the wrong order is answered, it does not hang."""
    executor = ThreadPoolExecutor(max_workers=1)
    writer = await SpoolWriter.open(
        ROOT / "1", limits=spool_limits(min_free_bytes=0), executor=executor, clock=clock, filesystem=filesystem
    )
    executor.shutdown()
    with pytest.raises(SpoolFailedError):
        await writer.append([b"x"])
    with pytest.raises(SpoolFailedError):
        await writer.close()
    assert filesystem.lock(ROOT / "1" / "lock") is not None


async def test_second_owner_waits_and_then_refuses_to_start(open_spool: OpenSpool) -> None:
    """Two writers of one folder would cut each other's tails."""
    writer = await open_spool()
    with pytest.raises(ConfigError, match="another process"):
        await open_spool()
    await writer.close()
    await open_spool()


async def test_successor_gets_the_folder_as_soon_as_its_owner_is_gone(
    open_spool: OpenSpool, clock: Any, executor: Executor, filesystem: FaultyFileSystem
) -> None:
    """A worker that is being killed does not keep its successor from starting."""
    first = await open_spool()
    opening = asyncio.ensure_future(
        SpoolWriter.open(
            ROOT / "1", limits=spool_limits(min_free_bytes=0), executor=executor, clock=clock, filesystem=filesystem
        )
    )
    await asyncio.sleep(0.02)
    assert not opening.done()
    await first.close()
    await (await asyncio.wait_for(opening, 5)).close()


async def test_names_sort_by_creation_when_the_clock_steps_back(
    open_spool: OpenSpool, filesystem: FaultyFileSystem, clock: Any
) -> None:
    """Within a process and across a restart."""
    for number in range(6):
        if number in (0, 3):
            writer = await open_spool()
        await writer.append([b"%d" % number])
        await writer.seal()
        clock.time_ms -= 1000
        if number == 2:
            await writer.close()
    assert stored(filesystem) == [[b"%d" % number] for number in range(6)]


async def test_id_of_a_released_segment_never_comes_back(
    open_spool: OpenSpool, filesystem: FaultyFileSystem, clock: Any
) -> None:
    """The loader would take new rows under an old id for rows that it has."""
    seen = set()
    writer = await open_spool()
    await writer.append([b"the latest id, which stays"])
    await writer.seal()
    await writer.close()
    (anchor,) = list_sealed(ROOT, filesystem)
    for _ in range(5):
        clock.time_ms = 1
        writer = await open_spool()
        await writer.append([b"x"])
        await writer.close()
        newest = list_sealed(ROOT, filesystem)[-1]
        assert newest.segment_id not in seen
        assert newest.segment_id > anchor.segment_id
        seen.add(newest.segment_id)
        release(newest, filesystem)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(patient(5)):
        while not holds():
            await asyncio.sleep(0.002)
