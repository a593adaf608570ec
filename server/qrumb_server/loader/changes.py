"""Hours whose rows change: said durably before the change, so that no question is answered by sums that are behind.

Invariant: while rows that an hour counts may differ from the sums that were made of it (`upkeep/rollups.py`), a mark of
that hour stands in events.changed_hours. It is written before the change, and settled only by the loader that wrote it:
after the change is over, and after sums were made that began later. So several loaders need to know nothing of each
other, and after a kill the mark is still there. A loader that was killed leaves its marks to others.
"""

import threading
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from qrumb_server.loader.lookups import SessionKey
from qrumb_server.loader.rows import SCAN_SESSIONS, VALID_EVENTS
from qrumb_server.ports import Clock, EventStore, TableBatch, among, as_one_text

__all__ = ["CHANGED_HOURS", "EVENTS", "HOUR_MS", "SCANS", "WAITING_SESSIONS", "ChangedHours", "Hold", "Hour"]

HOUR_MS: Final = 3_600_000
CHANGED_HOURS: Final = "events.changed_hours"
WAITING_SESSIONS: Final = "events.waiting_sessions"
EVENTS: Final = "events"
SCANS: Final = "scans"
Hour = tuple[str, str, int]
"""(EVENTS: of events in it, or SCANS: of scans in it and of what became of them; site_id; hours since 1970 UTC)"""
# A mark that stands unrenewed for so long is a dead loader's.
ABANDONED_MS: Final = 3_600_000
# A loader that lives writes its mark again long before.
RENEWED_SECONDS: Final = 900.0


@dataclass(slots=True)
class _Change:
    """One hour that is to be added up."""

    changed: float
    """Monotonic seconds, of the last change."""
    markers: dict[str, int] = field(default_factory=dict)
    """Versions of the marks that stand, by marker."""
    marked: float | None = None
    """When this loader's own mark was written; None: it has to be written before the next change."""
    holds: int = 0
    """Changes that are under way."""
    generation: int = 0
    """How many are over."""


class ChangedHours:
    """The marks of one loader. Any thread may call; every call but those of `Hold`'s end may raise a StoreError.

    Args:
        is_alone: no other loader writes into the store.
    """

    def __init__(
        self, store: EventStore, *, clock: Clock, monotonic: Callable[[], float], is_alone: bool = False
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._is_alone = is_alone
        self._marker = uuid.uuid4().hex
        # Held over inserts: who finds an hour marked may rely on it.
        self._lock = threading.Lock()
        self._changes: dict[Hour, _Change] = {}
        self._version = 0
        self._last_change = monotonic()

    @contextmanager
    def holding(self) -> Iterator["Hold"]:
        """Around a change of rows: what is marked within is not settled before the end."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self._release(hold.hours)

    def forget(self) -> None:
        """The tables were emptied, while nothing changed or was added up."""
        with self._lock:
            self._changes.clear()

    @property
    def is_alone(self) -> bool:
        """Whether no other loader writes into the store."""
        return self._is_alone

    @property
    def quiet_seconds(self) -> float:
        """Since the last change."""
        return self._monotonic() - self._last_change

    def due(self, rest_seconds: Callable[[int], float]) -> dict[Hour, int]:
        """Hours that nothing has changed for as long as an hour of this number has to rest, for `settle`."""
        with self._lock:
            now = self._monotonic()
            return {
                hour: change.generation
                for hour, change in self._changes.items()
                if not change.holds and change.changed <= now - rest_seconds(hour[2])
            }

    def settle(self, rolled: Mapping[Hour, int]) -> None:
        """Their sums were made of what was there when `due` named them."""
        with self._lock:
            done = {
                hour: change
                for hour, generation in rolled.items()
                if (change := self._changes.get(hour)) and change.generation == generation and not change.holds
            }
            rows = [(hour, marker) for hour, change in done.items() for marker in change.markers]
            for change in done.values():
                change.marked = None  # if the insert fails, it may have settled them all the same
            if rows:
                self._store.insert(self._batch(rows, is_settled=1))
            for hour in done:
                del self._changes[hour]

    def add(self, hours: Iterable[Hour]) -> None:
        """Hours of which no sums were made yet, at rest. They need no mark: what has no sums is answered by rows."""
        with self._lock:
            for hour in hours:
                self._changes.setdefault(hour, _Change(changed=float("-inf")))

    def take_over(self) -> None:
        """Marks that a loader left which is no more."""
        until = self._clock.now_ms() - (0 if self._is_alone else ABANDONED_MS)
        rows = self._store.query(
            f"SELECT kind, site_id, hour_time, marker, max(version) AS latest FROM {CHANGED_HOURS} "  # noqa: S608
            "WHERE marker != {own:String} GROUP BY kind, site_id, hour_time, marker "
            "HAVING argMax(is_settled, version) = 0 "
            + ("" if self._is_alone else "AND max(marked_time) < {until:DateTime64(3, 'UTC')}"),
            {"own": self._marker} | ({} if self._is_alone else {"until": until}),
        )
        with self._lock:
            for row in rows:
                hour = row["kind"], row["site_id"], row["hour_time"] // HOUR_MS
                change = self._changes.setdefault(hour, _Change(changed=float("-inf")))
                change.markers[row["marker"]] = row["latest"]
                self._version = max(self._version, row["latest"])

    def mark(self, hours: set[Hour]) -> TableBatch | None:
        """For `Hold`: say that they change, and hold them. Returns what was written, if anything was."""
        with self._lock:
            now = self._last_change = self._monotonic()
            changing = {hour: self._changes.setdefault(hour, _Change(changed=now)) for hour in hours}
            unmarked = [change for change in changing.values() if not self._is_marked(change, now)]
            written = None
            if unmarked:
                rows = [(hour, self._marker) for hour, change in changing.items() if not self._is_marked(change, now)]
                written = self._batch(rows, is_settled=0)
                for change in unmarked:
                    change.changed, change.markers[self._marker] = now, self._version
                self._store.insert(written)
                for change in unmarked:
                    change.marked = now
            for change in changing.values():
                change.holds += 1
            return written

    def rows_hours(self, condition: str, parameters: Mapping[str, Any]) -> set[Hour]:
        """Hours in which events with rows of events.valid_events that meet a condition are counted, or their scans."""
        return self._hours(EVENTS, _EVENTS_OF_ROWS, condition, parameters) | self._hours(
            SCANS, _SCANS_OF_ROWS, condition, parameters
        )

    def sessions_hours(self, condition: str, parameters: Mapping[str, Any]) -> set[Hour]:
        """Hours of sessions of events.scan_sessions, and of their events."""
        return self._hours(SCANS, _SCANS_OF_SESSIONS, condition, parameters) | self._hours(
            EVENTS, _EVENTS_OF_SESSIONS, condition, parameters
        )

    def waiting_hours(self, sessions: Collection[SessionKey]) -> set[Hour]:
        """Hours whose events were added up without these sessions, since they were not registered."""
        if not sessions:
            return set()
        rows = self._store.query(_WAITING, _named(sessions))
        return {(EVENTS, row["site_id"], row["hour_time"] // HOUR_MS) for row in rows}

    def events_hours(self, sessions: Collection[SessionKey]) -> set[Hour]:
        """Hours of the events of these sessions."""
        return self._hours(EVENTS, _EVENTS_OF_ROWS, _NAMED, _named(sessions)) if sessions else set()

    def _hours(self, kind: str, sql: str, condition: str, parameters: Mapping[str, Any]) -> set[Hour]:
        rows = self._store.query(sql.format(condition=condition), parameters)
        return {(kind, row["site"], row["hour"]) for row in rows}

    def _is_marked(self, change: _Change, now: float) -> bool:
        return change.marked is not None and (self._is_alone or now - change.marked < RENEWED_SECONDS)

    def _release(self, hours: set[Hour]) -> None:
        with self._lock:
            now = self._last_change = self._monotonic()
            for hour in hours:
                change = self._changes[hour]
                change.holds -= 1
                change.generation += 1
                change.changed = now

    def _batch(self, rows: list[tuple[Hour, str]], *, is_settled: int) -> TableBatch:
        now_ms = self._clock.now_ms()
        self._version = max(self._version + 1, now_ms * 1000)
        segment_id = str(uuid.uuid4())
        columns: dict[str, list[Any]] = {
            "kind": [kind for (kind, _site, _hour), _marker in rows],
            "site_id": [site_id for (_kind, site_id, _hour), _marker in rows],
            "hour_time": [hour * HOUR_MS for (_kind, _site, hour), _marker in rows],
            "marker": [marker for _hour, marker in rows],
            "is_settled": [is_settled] * len(rows),
            "version": [self._version] * len(rows),
            "marked_time": [now_ms] * len(rows),
            "segment_id": [segment_id] * len(rows),
            "segment_row": list(range(len(rows))),
        }
        return TableBatch(table=CHANGED_HOURS, columns=list(columns), data=list(columns.values()))


class Hold:
    """The hours that one change concerns. Every call may raise a StoreError, and may then be repeated."""

    def __init__(self, changes: ChangedHours) -> None:
        self._changes = changes
        self.hours: set[Hour] = set()

    def mark(self, hours: Iterable[Hour]) -> TableBatch | None:
        """These are about to change. Returns the marks that were written, if any had to be."""
        fresh = set(hours) - self.hours
        if not fresh:
            return None
        written = self._changes.mark(fresh)
        self.hours |= fresh
        return written

    def mark_rows(self, condition: str, parameters: Mapping[str, Any]) -> TableBatch | None:
        """Rows of events.valid_events that meet a condition are about to change."""
        return self.mark(self._changes.rows_hours(condition, parameters))

    def mark_sessions(self, condition: str, parameters: Mapping[str, Any]) -> TableBatch | None:
        """Rows of events.scan_sessions that meet a condition are about to change."""
        return self.mark(self._changes.sessions_hours(condition, parameters))


def _named(sessions: Collection[SessionKey]) -> dict[str, Any]:
    """What _NAMED names. One list each, which is read faster than one of pairs; what these name besides changes no
    answer."""
    sites, ids = zip(*sessions, strict=True)
    return {"sites": sorted(set(sites)), "ids": as_one_text(set(ids))}


_NAMED: Final = f"site_id IN {{sites:Array(String)}} AND scan_session_id IN {among('ids')}"
_WAITING: Final = f"SELECT DISTINCT site_id, hour_time FROM {WAITING_SESSIONS} WHERE {_NAMED}"  # noqa: S608
_HOUR: Final = f"toString(site_id) AS site, intDiv(toUnixTimestamp64Milli({{time}}), {HOUR_MS}) AS hour"
# GLOBAL: in a cluster a shard must not ask all shards again. By event_id, since both sides' copies are one event.
_COPIES: Final = (
    f"SELECT * FROM {VALID_EVENTS} WHERE event_id GLOBAL IN (SELECT event_id FROM {VALID_EVENTS} WHERE {{condition}})"  # noqa: S608
)
_EVENTS_OF_ROWS: Final = f"SELECT DISTINCT {_HOUR.format(time='event_time')} FROM ({_COPIES}) AS copies"  # noqa: S608
_OF_SESSIONS_OF_ROWS: Final = f"""(site_id, scan_session_id) GLOBAL IN
(
    SELECT site_id, scan_session_id FROM ({_COPIES}) AS copies WHERE scan_session_id != ''
)"""  # noqa: S608
# What has no session any more counts in the funnel by its own time.
_SCANS_OF_ROWS: Final = f"""
SELECT DISTINCT {_HOUR.format(time="scan_time")} FROM {SCAN_SESSIONS} WHERE {_OF_SESSIONS_OF_ROWS}
UNION ALL
SELECT DISTINCT {_HOUR.format(time="event_time")} FROM ({_COPIES}) AS copies WHERE scan_session_id = ''
"""  # noqa: S608
_SCANS_OF_SESSIONS: Final = f"SELECT DISTINCT {_HOUR.format(time='scan_time')} FROM {SCAN_SESSIONS} WHERE {{condition}}"  # noqa: S608
_EVENTS_OF_SESSIONS: Final = _EVENTS_OF_ROWS.replace(
    "{condition}",
    f"(site_id, scan_session_id) GLOBAL IN (SELECT site_id, scan_session_id FROM {SCAN_SESSIONS} WHERE {{condition}})",  # noqa: S608
)
