"""The loader's pace beside heavy questions, in one process: python bench/loader_beside.py

What `beside_questions.py` measures of the loader, without workers, gateway and senders, whose noise is larger than what
is looked for: batches of 200 events go into an embedded store of a million rows, in turns alone and beside three
threads that ask without a pause what no sums answer. Seconds of the clock by row, and answers a second. BENCH_ROUNDS
sets how often; stops by itself.
"""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import structlog

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import corrections  # noqa: E402
from bench.reads import DAY_MS, SITE, Questions, fill, moment  # noqa: E402
from qrumb.v1 import query_service_pb2 as pb  # noqa: E402
from qrumb_server.app.clock import SystemClock  # noqa: E402
from qrumb_server.query.charts import Charts  # noqa: E402
from qrumb_server.store.embedded import EmbeddedStore  # noqa: E402

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
STORED = 1_000_000
BATCHES, EVENTS_OF_A_BATCH = 20, 200
ASKING = 3


def drain(store: EmbeddedStore, spool_root: Path) -> float:
    """Load a spool of some batches; milliseconds by row."""
    asyncio.run(corrections.spool_up(spool_root, SystemClock().now_ms(), EVENTS_OF_A_BATCH))
    loader = corrections.loader_of(store, spool_root, SystemClock(), EVENTS_OF_A_BATCH)
    loader.drain()
    begun = time.monotonic()
    loader.run()
    return (time.monotonic() - begun) / (BATCHES * EVENTS_OF_A_BATCH) * 1000


def beside(store: EmbeddedStore, spool_root: Path) -> tuple[float, float]:
    """The same, and answers a second to those who ask meanwhile."""
    charts = Charts(store=Questions(store, is_scan=True), clock=SystemClock())
    now_ms, stop, answers = SystemClock().now_ms(), threading.Event(), [0]
    times: dict[str, Any] = {"from_time": moment(now_ms - 399 * DAY_MS), "to_time": moment(now_ms)}
    asked = pb.CountEventsRequest(site_id=SITE, bucket="WEEK", group_by=["CAMPAIGN"], **times)

    def ask() -> None:
        while not stop.is_set():
            charts.count(asked)
            answers[0] += 1

    threads = [threading.Thread(target=ask) for _ in range(ASKING)]
    for thread in threads:
        thread.start()
    begun = time.monotonic()
    spent = drain(store, spool_root)
    rate = answers[0] / (time.monotonic() - begun)
    stop.set()
    for thread in threads:
        thread.join()
    return spent, rate


def main() -> None:
    """The figures."""
    corrections.EVENTS = BATCHES * EVENTS_OF_A_BATCH
    with TemporaryDirectory(prefix="qrumb-bench-") as folder:
        store = EmbeddedStore.open(Path(folder) / "clickhouse", questions=ASKING)
        fill(store, STORED, SystemClock().now_ms())
        drain(store, Path(folder) / "warm")
        rounds = []
        for number in range(ROUNDS):
            alone = drain(store, Path(folder) / f"alone-{number}")
            rounds.append((alone, *beside(store, Path(folder) / f"beside-{number}")))
        store.close()
    ratios = [loud / alone for alone, loud, _rate in rounds]
    alone, loud, rate = (median(column) for column in zip(*rounds, strict=True))
    print(f"ms a row: alone {alone:.2f}, beside {loud:.2f}; {rate:.2f} answers a second")
    print(f"ratio of a round: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
    )
    main()
