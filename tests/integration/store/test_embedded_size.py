"""How much of the machine the embedded engine takes under many small inserts: it grows for a while, and then no more.

The engine opens three files of /proc for each of its threads. 128 of these remove old parts, and they are started when
more than a hundred parts are old at once, which is eight minutes after their merges. Measured of a loader through 40
minutes of two small inserts a second: 63 threads, 161 files, 467 MiB before that; 183 threads, 495 to 540 files, 490 to
540 MiB ever after.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.ports import TableBatch
from qrumb_server.store.embedded import EmbeddedStore

pytestmark = pytest.mark.chdb

CLEANING_THREADS = 128
FILES_PER_THREAD = 3
# Readers, merges, and what else the engine starts at its first use.
OTHER_THREADS = 60


def open_files() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_many_small_inserts_open_no_more_files_than_the_engine_has_threads_for(
    store: EmbeddedStore, batch_of: Callable[..., TableBatch], event: Callable[..., dict[str, Any]]
) -> None:
    """Waves of parts that are merged, grow old and are removed; the last takes nothing that was not taken before."""
    store.mutate(
        "ALTER TABLE events.valid_events MODIFY SETTING "
        "old_parts_lifetime = 3, cleanup_delay_period = 1, max_cleanup_delay_period = 1"
    )
    before = open_files()
    peaks = []
    for wave in range(2):
        peak = 0
        for number in range(120):
            store.insert(batch_of([event(segment_row=wave * 1_000 + number)]))
            peak = max(peak, open_files())

        ends = time.monotonic() + 6
        while time.monotonic() < ends:  # long enough for all that is old by now
            peak = max(peak, open_files())
            time.sleep(0.05)
        peaks.append(peak)
    assert max(peaks) - before <= FILES_PER_THREAD * (CLEANING_THREADS + OTHER_THREADS)
    assert peaks[1] - peaks[0] <= FILES_PER_THREAD * OTHER_THREADS
