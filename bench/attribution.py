"""What enrichment and attribution cost per event: python bench/attribution.py.

The stamp of one event in a worker; the loader's look-ups on a real store; the loader as a whole. With BENCH_BEFORE, the
folder of another checkout, that checkout's loader empties the same spool in the same run.
"""

import asyncio
import inspect
import os
import subprocess
import sys
import time
import timeit
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.config import SpoolSettings
from qrumb_server.loader.loop import Loader
from qrumb_server.spool.quota import SpoolLimits
from qrumb_server.spool.writer import SpoolWriter
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, Record

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "7"))
BATCH_EVENTS = 5_000
STORED_EVENTS, STORED_SESSIONS, STORED_IDENTITIES = 500_000, 100_000, 50_000
# Sessions and people that every batch has again; the other half of a batch is new to the caches.
HOT = BATCH_EVENTS // 2
SPOOLED_EVENTS = 50_000
SEGMENT_EVENTS = 5_000
DAY_MS = 86_400_000
LATER = "spool-later"
MakeId = Callable[[int, int], str]


def uuid7(number: int, time_ms: int) -> str:
    """One that says when it was made."""
    return f"{time_ms >> 16:08x}-{time_ms & 0xFFFF:04x}-7000-8000-{number:012x}"


def uuid4(number: int, _time_ms: int) -> str:
    """One that says nothing; spread over all values, as they are."""
    return str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))


def events(make_id: MakeId, first: int, number: int, now_ms: int) -> Iterator[AcceptedEvent]:
    """A stream as the collector leaves it: each event of a session of its own, every fifth from a backend.

    Events of even numbers belong to the sessions and people that come again in each batch.
    """
    for at in range(first, first + number):
        who = at % HOT if at % 2 == 0 else HOT + at % (STORED_SESSIONS - HOT)
        is_server = at % 10 in {0, 1}
        row = EventRow(
            event_id=make_id(at, now_ms),
            site_id="shop",
            scan_session_id=f"scan-{who}",
            consent="granted",
            source="server" if is_server else "browser",
            event_type="" if is_server else "pageview",
            event_name="purchase" if is_server else "",
            page_url="https://shop.example/products/42?utm_source=poster",
            page_title="Shoes, size 42",
            device_type="mobile",
            metadata='{"campaign":"autumn","language":"autumn","scroll":0.5}',
            fingerprint=at,
        )
        row.event_time.FromMilliseconds(now_ms)
        row.received_time.FromMilliseconds(now_ms)
        event = AcceptedEvent(row=row)
        if is_server:
            event.user_identifiers.CopyFrom(UserIdentifiers(email_hash=f"{who % STORED_IDENTITIES:064x}"))
        yield event


def fill(store: EmbeddedStore, now_ms: int) -> None:
    """Rows of two weeks, their sessions and people; written by the engine itself."""
    parts = 20
    for part in range(parts):
        size = STORED_EVENTS // parts
        store.mutate(
            "INSERT INTO events.valid_events (event_id, event_time, received_time, site_id, scan_session_id, "
            "event_type, source, page_url, metadata, fingerprint, segment_id, segment_row) "
            f"SELECT if(number % 2 = 0, generateUUIDv4(), dateTimeToUUIDv7(toDateTime(at))), at, at, 'shop', "
            f"concat('scan-', toString(number % {STORED_SESSIONS})), 'pageview', 'browser', "
            "'https://shop.example/products/42', '{}', number, concat('stored-', toString(intDiv(number, 5000))), "
            f"number % 5000 FROM (SELECT number, fromUnixTimestamp64Milli({now_ms - 14 * DAY_MS} "
            f"+ intDiv(toInt64(number) * {14 * DAY_MS}, {STORED_EVENTS}), 'UTC') AS at "
            f"FROM numbers({part * size}, {size}))"
        )
    store.mutate(
        "INSERT INTO events.scan_sessions (site_id, scan_session_id, qr_code_id, user_id, scan_time, received_time, "
        "version, segment_id, segment_row) SELECT 'shop', concat('scan-', toString(number)), "
        f"concat('qr-', toString(number % 500)), '', fromUnixTimestamp64Milli(toInt64({now_ms - DAY_MS}), 'UTC'), "
        f"fromUnixTimestamp64Milli(toInt64({now_ms - DAY_MS}), 'UTC'), 1, 'stored', number "
        f"FROM numbers({STORED_SESSIONS})"
    )
    store.mutate(
        "INSERT INTO events.identity_links SELECT 'shop', 'email', "
        "concat('email-', leftPad(lower(hex(number)), 32, '0')), "
        f"concat('user-', toString(number)), fromUnixTimestamp64Milli(toInt64({now_ms - DAY_MS}), 'UTC'), "
        f"bitShiftLeft(toUInt64(4398046511103 - {now_ms - DAY_MS}), 22), 'stored', number "
        f"FROM numbers({STORED_IDENTITIES})"
    )


def print_attribution_cost(store: EmbeddedStore, now_ms: int) -> None:
    """Microseconds per event of a batch: all of it, and what of it is waiting for the store."""
    from qrumb_server.loader.attribute import Attributor
    from qrumb_server.loader.lookups import Lookups
    from qrumb_server.loader.rows import PlacedEvent, RowId
    from qrumb_server.model import SitePolicy

    policy = SitePolicy()
    for name, make_id in (("UUIDv7", uuid7), ("UUIDv4", uuid4)):
        waiting = Waiting(store)
        attributor = Attributor(Lookups(waiting, monotonic=time.monotonic), lambda _site_id: policy)
        spent: list[tuple[float, float, float]] = []
        for number in range(ROUNDS + 1):
            batch = [
                PlacedEvent(row_id=RowId(segment_id=f"new-{number}", segment_row=row), event=event)
                for row, event in enumerate(events(make_id, 10**9 + number * BATCH_EVENTS, BATCH_EVENTS, now_ms))
            ]
            waiting.seconds = 0.0
            begun = time.perf_counter()
            result = attributor.attribute(batch, [f"new-{number}"], uncertain=False)
            looked = time.perf_counter()
            attributor.apply(result)
            ended = time.perf_counter()
            assert batch[1].event.row.qr_code_id, "sessions are found"
            if number:  # the first fills the caches with the half that comes again
                spent.append((ended - begun, waiting.seconds, ended - looked))
        total, store_seconds, apply_seconds = (value / BATCH_EVENTS * 1e6 for value in min(spent))
        print(
            f"attribution, {name}: {total:.1f} µs per event, of which the store {store_seconds:.1f}, "
            f"apply {apply_seconds:.1f}"
        )


class Waiting:
    """Measures how long a store is waited for; only reads."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        self.seconds = 0.0

    def query(self, sql: str, parameters: Any = None, asking: Any = None) -> list[dict[str, Any]]:
        """As the store's."""
        begun = time.perf_counter()
        rows = self._store.query(sql, parameters, asking)
        self.seconds += time.perf_counter() - begun
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def print_stamp_cost(folder: Path) -> None:
    """Microseconds of the stamp of a small browser event, with everything looked up and with nothing."""
    from qrumb_server.enrich.address import PlaceReader
    from qrumb_server.enrich.address_key import address_key
    from qrumb_server.model import Caller, RawEvent, Source, ValidEvent
    from qrumb_server.pipeline.stamp import Arrival, Enrichers, stamp
    from qrumb_server.pipeline.validate import validate

    sys.path.insert(0, str(ROOT))
    from bench.calls import sample_event
    from tests.support.mmdb import write_mmdb

    cities = write_mmdb(
        folder / "city.mmdb", {f"81.{n}.0.0/16": {"country_code": "GB", "city": f"town {n}"} for n in range(256)}
    )
    places = PlaceReader.open(
        (cities,), copies=folder / "copies", reload_interval=timedelta(seconds=30), monotonic=time.monotonic
    )
    visitor = Caller(
        request_id="1",
        client_ip="81.2.69.142",
        user_agent="Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 "
        "Mobile Safari/537.36",
        hint_brands='"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"',
        hint_mobile="?1",
        hint_platform='"Android"',
    )
    now_ms = int(time.time() * 1000)
    known = Enrichers(locate=places.locate, address_key=address_key(bytes(32)))
    for name, caller, enrichers in (
        ("agent, city and address known", visitor, known),
        ("no agent, no address", Caller(request_id="1"), Enrichers()),
    ):
        arrival = Arrival(
            received_time_ms=now_ms, retention_ms=400 * DAY_MS, make_event_id=lambda _event: "", enrichers=enrichers
        )
        valid = validate(RawEvent(source=Source.BROWSER, message=sample_event(), caller=caller, index=0))
        assert isinstance(valid, ValidEvent)
        row = stamp(valid, arrival).record.accepted_event.row
        assert bool(row.city) == bool(row.device_type) == bool(caller.client_ip)
        best = min(timeit.repeat(lambda valid=valid, arrival=arrival: stamp(valid, arrival), number=2_000, repeat=25))
        print(f"stamp, {name}: {best / 2_000 * 1e6:.1f} µs")


def stamp_bare() -> None:
    """Print the microseconds of a stamp that looks nothing up; runs with either checkout's code."""
    from qrumb_server.model import Caller, RawEvent, Source, ValidEvent
    from qrumb_server.pipeline.stamp import Arrival, stamp
    from qrumb_server.pipeline.validate import validate

    sys.path.insert(0, str(ROOT))
    from bench.calls import sample_event

    arrival = Arrival(received_time_ms=int(time.time() * 1000), retention_ms=400 * DAY_MS, make_event_id=lambda _: "")
    valid = validate(RawEvent(source=Source.BROWSER, message=sample_event(), caller=Caller(), index=0))
    assert isinstance(valid, ValidEvent)
    print(min(timeit.repeat(lambda: stamp(valid, arrival), number=2_000, repeat=25)) / 2_000 * 1e6)


def run_there(checkout: Path, *arguments: str) -> float:
    """The number that this program prints last with a checkout's code."""
    path = os.pathsep.join(str(checkout / part) for part in ("server", "clients/python"))
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        timeout=120,
        check=True,
    )
    return float(done.stdout.split()[-1])


async def spool_up(root: Path, now_ms: int) -> None:
    """Sealed segments, begun after any loader's start, so that they are simply inserted."""

    class Ahead:
        def now_ms(self) -> int:
            return now_ms + DAY_MS

    limits = SpoolLimits(**SpoolSettings().model_dump() | {"min_free_bytes": 0, "segment_max_records": SEGMENT_EVENTS})
    with ThreadPoolExecutor(1) as executor:
        writer = await SpoolWriter.open(root / "worker-0", limits=limits, executor=executor, clock=Ahead())
        for first in range(0, SPOOLED_EVENTS, SEGMENT_EVENTS):
            await writer.append(
                [
                    Record(accepted_event=event).SerializeToString()
                    for event in events(uuid7, first, SEGMENT_EVENTS, now_ms)
                ]
            )
            await writer.seal()
        await writer.close()


def drain(folder: Path) -> None:
    """Empty the spool of `folder` and print the seconds; runs with either checkout's code."""

    class Now:
        """Lets the segments appear when the loader has looked for those that were there before it: the usual case."""

        def now_ms(self) -> int:
            if later.exists():
                later.rename(folder / "spool")
            return int(time.time() * 1000)

    later = folder / LATER

    store = EmbeddedStore.open(folder / "clickhouse")
    made: dict[str, Any] = {
        "spool_root": folder / "spool",
        "store": store,
        "clock": Now(),
        "monotonic": time.monotonic,
        "seal_after": timedelta(milliseconds=500),
        "max_events": 10_000,
        "poll_interval": timedelta(milliseconds=50),
        "retry_max_delay": timedelta(seconds=1),
        "refused_delay": timedelta(seconds=1),
    }
    if "policy" in (parameters := inspect.signature(Loader).parameters):
        from qrumb_server.model import SitePolicy

        policy = SitePolicy()
        made["policy"] = lambda _site_id: policy
    loader = Loader(**{name: value for name, value in made.items() if name in parameters})
    loader.drain()
    begun = time.perf_counter()
    loader.run()
    print(time.perf_counter() - begun)
    store.close()


def print_loader_rate(folder: Path, checkouts: Sequence[Path], now_ms: int) -> None:
    """Events per second of each checkout's loader on one spool, alternating; the store begins empty each time."""
    best: dict[Path, float] = {}
    for _ in range(3):
        for checkout in checkouts:
            with TemporaryDirectory(dir=folder) as scratch:
                asyncio.run(spool_up(Path(scratch) / LATER, now_ms))
                seconds = run_there(checkout, "drain", scratch)
                best[checkout] = min(best.get(checkout, seconds), seconds)
    for checkout, seconds in best.items():
        print(f"loader, {checkout.name}: {seconds / SPOOLED_EVENTS * 1e6:.1f} µs per event")
    if len(best) > 1:
        print(f"loader, here / before: {best[checkouts[0]] / best[checkouts[1]]:.2f}")


def main() -> None:
    now_ms = int(time.time() * 1000)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print_stamp_cost(folder)
        before = os.environ.get("BENCH_BEFORE")
        checkouts = [ROOT, Path(before)] if before else [ROOT]
        for checkout in checkouts:
            print(f"stamp without look-ups, {checkout.name}: {run_there(checkout, 'stamp'):.1f} µs")
        print_loader_rate(folder, checkouts, now_ms)
        store = EmbeddedStore.open(folder / "clickhouse")
        fill(store, now_ms)
        print_attribution_cost(store, now_ms)
        store.close()


if __name__ == "__main__":
    structlog.configure(
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger("warning"),
    )
    if sys.argv[1:2] == ["drain"]:
        drain(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["stamp"]:
        stamp_bare()
    else:
        main()
