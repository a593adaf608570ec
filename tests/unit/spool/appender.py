"""Appends numbered records until it is killed, printing each number once it is acknowledged."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from qrumb_server.config import SpoolSettings
from qrumb_server.spool import SpoolLimits, SpoolWriter
from tests.support.disks import DISKS


class SystemClock:
    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


async def append_for_ever(folder: Path, first: int, disk: str) -> None:
    changes = {"segment_max_records": 50, "seal_after": timedelta(milliseconds=20), "min_free_bytes": 0}
    limits = SpoolLimits(**SpoolSettings().model_dump() | changes)
    with ThreadPoolExecutor(max_workers=1) as executor:
        writer = await SpoolWriter.open(
            folder, limits=limits, executor=executor, clock=SystemClock(), filesystem=DISKS[disk]()
        )

        async def append(number: int) -> None:
            await writer.append([b"%d:%d" % (number, part) for part in range(3)])
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()

        while True:
            await asyncio.gather(*(append(number) for number in range(first, first + 5)))
            first += 5


if __name__ == "__main__":
    asyncio.run(append_for_ever(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
