"""How soon a node answers, and how soon an event can be asked for, at half of what it takes: python bench/half_load.py

First as fast as it answers until all is stored, which gives the rate that a node keeps up with; then half of that.
Latencies of calls are from the moment at which each was due. An event can be asked for once a question finds one that
was received as late or later; a question is asked every few milliseconds, so that what is said is never too little.
"""

import statistics
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.calls import CALLS, SITE, Call  # noqa: E402
from bench.generate import SOURCE as GENERATOR  # noqa: E402
from bench.generate import GoGenerator, built  # noqa: E402
from bench.isolation import percentile  # noqa: E402
from bench.ways import Way, node  # noqa: E402
from tests.support.stack import Stack  # noqa: E402

ROUNDS = 5
FULL_EVENTS = {1: 20_000, 100: 200_000}
SECONDS = 10.0
ASK_SECONDS = 0.02
# By the primary key; the clock of what is received is this machine's.
LATEST = (
    f"SELECT toUnixTimestamp64Milli(max(received_time)) AS time FROM events.valid_events WHERE site_id = '{SITE}' "
    "AND event_time > now64(3) - 30 AND received_time > now64(3) - 30"
)


class Watch:
    """Asks for the latest event until told to stop."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.found: list[tuple[int, float]] = []
        """When the latest event had been received, and when that was known; milliseconds, both rising."""

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            [row] = self._stack.query(LATEST)
            latest = int(row["time"])
            if latest > (self.found[-1][0] if self.found else 0):
                self.found.append((latest, time.time() * 1000))
            self._stop.wait(ASK_SECONDS)

    def delays(self, since_ms: int, until_ms: int) -> list[float]:
        """Of an event of each millisecond, received in that range."""
        times = [latest for latest, _known in self.found]
        return [self.found[bisect_left(times, at)][1] - at for at in range(since_ms, until_ms) if at <= times[-1]]


def full_rate(generator: GoGenerator, way: Way, call: Call, protocol: str) -> float:
    """Events a second, until the last one is stored."""
    assert way.stack is not None
    number = FULL_EVENTS[call.events]
    begun = time.monotonic()
    generator.send(call, way.doors[protocol], number // call.events)
    way.stack.wait_for_empty_spool()
    return number / (time.monotonic() - begun)


def main() -> None:
    """One node, one run."""
    with tempfile.TemporaryDirectory(prefix="qrumb-bench-") as folder:
        binary = built(GENERATOR, Path(folder))
        assert binary is not None, "there is no Go on this machine"
        generator = GoGenerator(binary)
        with node(Path(folder, "node")) as way:
            assert way.stack is not None
            kinds = [(call, protocol) for call in CALLS for protocol in ("grpc", "json") if "browser" in call.name]
            print("| events | full, events/s | half | answer p50, p99, ms | can be asked for p50, p99, ms |")
            print("| --- | --- | --- | --- | --- |")
            for call, protocol in kinds:
                generator.send(call, way.doors[protocol], 200)
                full = full_rate(generator, way, call, protocol)
                answers, delays = [], []
                for _ in range(ROUNDS):
                    way.stack.wait_for_empty_spool()
                    rate = full / 2 / call.events
                    with Watch(way.stack) as watch:
                        begun = time.time()
                        sent = generator.send(call, way.doors[protocol], int(rate * SECONDS), rate)
                        way.stack.wait_for_empty_spool()
                        time.sleep(1)
                    assert sent.latencies is not None
                    answers.append(sent.latencies)
                    delays.append(watch.delays(round((begun + 1) * 1000), round((begun + SECONDS) * 1000)))
                print(
                    f"| {call.name}, {protocol} | {full:,.0f} | {full / 2:,.0f} | {told(answers)} | {told(delays)} |",
                    flush=True,
                )


def told(rounds: list[list[float]]) -> str:
    """p50 and p99 of milliseconds: the median of the rounds, and their range."""
    parts = []
    for part in (0.5, 0.99):
        values = [percentile(one, part) / 1000 for one in rounds]
        parts.append(f"**{statistics.median(values):.0f}** ({min(values):.0f} to {max(values):.0f})")
    return ", ".join(parts)


if __name__ == "__main__":
    main()
