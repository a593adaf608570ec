"""How loading goes: what the loader counts, and what the node says of it.

The loader's thread writes, others read: a lock stands around what is not one value.
"""

import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram

from qrumb_server.errors import (
    BadRowsError,
    OutcomeUnknownError,
    StoreError,
    StoreRefusedError,
    StoreShortOfDiskError,
    StoreTooOldError,
)
from qrumb_server.loader.ledger import COLUMNS
from qrumb_server.metrics import SiteLabels, new_registry
from qrumb_server.ports import SetAside, TableBatch
from qrumb_server.words import counted

__all__ = ["Progress"]

log = structlog.get_logger()

RATE_WINDOW_SECONDS: Final = 60.0
# A failure of the store that goes on is said again after that.
TOLD_SECONDS: Final = 60.0
# Long enough to be seen by a check that reads the status each minute.
PARTS_NOTED_SECONDS: Final = 120.0
# From a small batch at rest to one that waited for a server to come back.
BATCH_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
KINDS: Final[Mapping[type[StoreError], str]] = {
    BadRowsError: "bad_rows",
    OutcomeUnknownError: "outcome_unknown",
    StoreRefusedError: "refused",
}


class Progress:
    """What one loader has done since its start.

    Args:
        registry: where the metrics are registered.
        monotonic: seconds.
    """

    def __init__(
        self, registry: CollectorRegistry | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        registry = registry or new_registry()
        self._monotonic = monotonic
        self._started = monotonic()
        self._told: tuple[str, int] | None = None
        self._tell_again = 0.0
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, int]] = deque()
        self._sites = SiteLabels()
        self._ledger = {
            column: Counter(
                f"qrumb_ledger_{column.removesuffix('_count')}",
                f"The ledger's {column}, as counted at loading.",
                ["site_id"],
                registry=registry,
            )
            for column in COLUMNS
        }
        self._rows = Counter("qrumb_loader_rows", "Events and dead letters loaded.", registry=registry)
        self._codes_lost = Counter(
            "qrumb_scan_session_conflicts",
            "Registrations whose code is not their session's: another one states an earlier scan of it.",
            ["site_id"],
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "qrumb_loader_batch_seconds",
            "Time of a batch from reading to release, waiting for the store included.",
            buckets=BATCH_BUCKETS,
            registry=registry,
        )
        self._errors = Counter(
            "qrumb_store_errors", "What the store did not do, by kind of error.", ["kind"], registry=registry
        )
        self._parts = Counter(
            "qrumb_store_parts_set_aside", "Parts of the database that could not be read.", ["table"], registry=registry
        )
        self._lost_rows = Counter(
            "qrumb_store_rows_lost", "Rows in such parts that are nowhere else.", ["table"], registry=registry
        )
        self._parts_noted_until = 0.0
        self.last_error: StoreError | None = None
        """What the store said last; None while it takes rows."""
        self.last_received_ms = 0
        """received_time of the event that was loaded last; 0 where none was."""
        self._reasons: dict[str, str] = {}

    def batch_loaded(self, rows: int, seconds: float, received_ms: int) -> None:
        """A batch is stored and let go; `received_ms` is its last event's, 0 where it had none."""
        self._rows.inc(rows)
        self._batch_seconds.observe(seconds)
        self.last_received_ms = received_ms or self.last_received_ms
        now = self._monotonic()
        with self._lock:
            self._recent.append((now, rows))
            self._forget_before(now - RATE_WINDOW_SECONDS)

    def count_ledger(self, entries: TableBatch) -> None:
        """Add rows of the ledger that were stored."""
        columns = dict(zip(entries.columns, entries.data, strict=True))
        labels = [self._sites.label(site_id) for site_id in columns["site_id"]]
        for name, counter in self._ledger.items():
            sums: Tally[str] = Tally()
            for label, number in zip(labels, columns[name], strict=True):
                sums[label] += number
            for label, number in sums.items():
                counter.labels(site_id=label).inc(number)

    def codes_lost(self, numbers: Mapping[str, int]) -> None:
        """Registrations of scan sessions did not get their code; numbers by site."""
        for site_id, number in numbers.items():
            self._codes_lost.labels(site_id=self._sites.label(site_id)).inc(number)

    def store_answered(self) -> None:
        """The store did what it was asked."""
        self.last_error = self._told = None
        self.clear("version")
        self.clear("disk")

    def store_failed(self, error: StoreError) -> None:
        """The store did not."""
        self.last_error = error
        if isinstance(error, StoreTooOldError):
            self.note("version", f"{error}; events are kept in the spool meanwhile")
        if isinstance(error, StoreShortOfDiskError):
            self.note("disk", f"{error}; loading waits and events are kept in the spool meanwhile")
        else:
            self.clear("disk")
        self.count_error(error)

    def tell_failure(self, error: StoreError, said: str, retry_in_seconds: float) -> None:
        """Into the log: at once, and again each minute while it goes on."""
        kind, now = (type(error).__name__, error.code), self._monotonic()
        if kind != self._told or now >= self._tell_again:
            self._told, self._tell_again = kind, now + TOLD_SECONDS
            log.warning("store_failed", error=said, kind=kind[0], retry_in_seconds=round(retry_in_seconds, 2))

    def count_error(self, error: StoreError) -> None:
        """Count an error that says nothing about the store, such as that of a bad row."""
        self._errors.labels(kind=KINDS.get(type(error), "unavailable")).inc()

    def parts_set_aside(self, found: SetAside) -> None:
        """Parts of the database could not be read. Said for a while, for good where rows are lost with them."""
        self._parts.labels(table=found.table).inc(len(found.parts))
        self._lost_rows.labels(table=found.table).inc(found.lost_rows or 0)
        if found.lost_rows:
            self.note(
                f"rows lost of {found.table}",
                f"{counted(found.lost_rows, 'row')} of {found.table} cannot be read: the part was set aside in the "
                "database's folder detached/; restore a backup, or accept the loss and restart the node",
            )
            return
        self._parts_noted_until = self._monotonic() + PARTS_NOTED_SECONDS
        source = "its rows are being restored from the spool or from the parts that it was made of"
        check = "; where they are in neither, the check of the ledger says so" if found.lost_rows is None else ""
        self.note("parts", f"a part of {found.table} could not be read and was set aside; {source}{check}")

    def parts_are_well(self) -> None:
        """All parts could be read; forget an earlier one after a while."""
        if self._monotonic() >= self._parts_noted_until:
            self.clear("parts")

    def note(self, topic: str, reason: str) -> None:
        """Say why the node is DEGRADED, until `clear(topic)`. `reason` is a sentence for all: no hosts, no data."""
        with self._lock:
            self._reasons[topic] = reason

    def clear(self, topic: str) -> None:
        """What `note` said of this topic holds no longer."""
        with self._lock:
            self._reasons.pop(topic, None)

    @property
    def reasons(self) -> list[str]:
        """What was noted and not cleared, in the order of noting."""
        with self._lock:
            return list(self._reasons.values())

    def rows_per_second(self) -> float:
        """Over the last minute, or since the start if that is less."""
        now = self._monotonic()
        with self._lock:
            self._forget_before(now - RATE_WINDOW_SECONDS)
            rows = sum(number for _time, number in self._recent)
        return rows / min(RATE_WINDOW_SECONDS, max(now - self._started, 1.0))

    def _forget_before(self, earliest: float) -> None:
        while self._recent and self._recent[0][0] < earliest:
            self._recent.popleft()
