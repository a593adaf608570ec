"""Writers on a disk that can fail, closed at the end of each test."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.spool import SpoolWriter
from tests.support.faulty_filesystem import FaultyFileSystem
from tests.support.spool_limits import spool_limits

FOLDER = Path("/spool/1")
LIMITS = spool_limits(
    segment_max_records=100,
    segment_max_bytes=100_000,
    seal_after=timedelta(hours=1),
    max_bytes=1_000_000,
    min_free_bytes=0,
    rescan_after=timedelta(0),
)

OpenSpool = Callable[..., Coroutine[Any, Any, SpoolWriter]]


class SettableClock:
    def __init__(self) -> None:
        self.time_ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.time_ms


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def filesystem() -> FaultyFileSystem:
    return FaultyFileSystem()


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        yield pool


@pytest.fixture
async def open_spool(
    executor: Executor, clock: SettableClock, filesystem: FaultyFileSystem
) -> AsyncIterator[OpenSpool]:
    """Opens writers of /spool/1 on the faulty disk; limits may be given by name."""
    writers: list[SpoolWriter] = []

    async def open_one(**limits: Any) -> SpoolWriter:
        writer = await SpoolWriter.open(
            FOLDER,
            limits=replace(LIMITS, **limits),
            executor=executor,
            clock=clock,
            filesystem=filesystem,
            lock_timeout=timedelta(0),
        )
        writers.append(writer)
        return writer

    yield open_one
    filesystem.forget_faults()
    for writer in writers:
        await writer.close()
