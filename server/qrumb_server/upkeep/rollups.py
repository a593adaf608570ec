"""Sums of whole hours, made ahead of the questions that read them (`query/rolled.py`).

Invariant: sums are made anew of rows, never corrected, and stand once nothing has changed since before they were begun
(`loader/changes.py`). So a kill at any point costs another run, and late sessions, replays, erasures or other loaders
need no rules of their own.

They are made late, since most rows are then read for them once: when an hour has been at rest for a part of its age,
and when a site has a day's worth of such hours. Until then rows answer, which are few.
"""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from qrumb_server.errors import StoreError
from qrumb_server.loader.changes import EVENTS, HOUR_MS, SCANS, ChangedHours, Hour
from qrumb_server.ports import Clock, EventStore
from qrumb_server.query.dimensions import named_in
from qrumb_server.query.rolled import PATHS, SUMS_KEPT_MS, pieces_of
from qrumb_server.upkeep.sums import BRIDGED_HOURS, NAME_HOURS, Summing, hour_sql, waiting_sessions

__all__ = ["Rollups"]

log = structlog.get_logger()

# Longer than another node's rows take to be seen, or its sessions to be known here.
REST_SECONDS: Final = 300.0
# Orders follow a scan for days, the fewer the older it is: its hour is added up again a few times, and not each time.
REST_SHARE: Final = 4
MAX_REST_SECONDS: Final = 6 * 3_600.0
# A statement costs some tenths of a second before it reads a row, so fewer hours of a site are left to their rows.
FEWEST_HOURS: Final = 24
FIRST_HOURS: Final = 480
MOST_HOURS: Final = 9_600
# A turn is to take about this long; the next one does more or less accordingly.
TURN_SECONDS: Final = 5.0
MAX_PIECES: Final = 30
# Pauses in lengths of the turn before: 5 % of a processor while events come, half of one afterwards.
BUSY_SHARE: Final = 19
QUIET_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 30.0
# What no mark tells of: hours that were there before there were sums.
LOOK_SECONDS: Final = 3_600.0


def rest_of_age(age: float) -> float:
    """How many seconds an hour of an age must not have changed."""
    return min(max(age / REST_SHARE, REST_SECONDS), MAX_REST_SECONDS)


class Rollups:
    """Works in the loader's process, in a thread of its own. Calls block; every one may raise a StoreError.

    Args:
        changes: the loader's, whose marks are settled.
        monotonic: seconds.
        rest_of: how many seconds an hour of an age, in seconds, must not have changed.
        fewest_hours: of a site, to be worth a statement.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        changes: ChangedHours,
        clock: Clock,
        monotonic: Callable[[], float],
        rest_of: Callable[[float], float] = rest_of_age,
        fewest_hours: int = FEWEST_HOURS,
    ) -> None:
        self._store = store
        self._changes = changes
        self._clock = clock
        self._monotonic = monotonic
        self._rest_of = rest_of
        self._fewest_hours = fewest_hours
        self._most_hours = FIRST_HOURS
        self._next_look = monotonic()
        self._unseen: deque[str] = deque()
        """Sites whose hours are still to be looked at."""

    def run(self) -> float:
        """Take a turn; returns for how many seconds to pause."""
        begun = self._monotonic()
        if not self._turn():
            return IDLE_SECONDS
        spent = self._monotonic() - begun
        return spent * (1 if self._changes.quiet_seconds > QUIET_SECONDS else BUSY_SHARE)

    def run_all(self) -> None:
        """Add up all that is at rest, without pauses."""
        self._next_look = self._monotonic()
        while self._turn():
            pass

    def _turn(self) -> bool:
        """Add up some hours of a site; says whether there may be more to do."""
        begun = self._monotonic()
        self._look_if_due(begun)
        work = self._next_work()
        if work is None:
            return bool(self._unseen)
        try:
            self._add_up(*work)
        except StoreError:
            self._most_hours = max(self._most_hours // 2, self._fewest_hours)
            raise
        spent = self._monotonic() - begun
        if spent > TURN_SECONDS * 2:
            self._most_hours = max(self._most_hours // 2, FEWEST_HOURS)
        elif spent < TURN_SECONDS / 2:
            self._most_hours = min(self._most_hours * 2, MOST_HOURS)
        return True

    def _next_work(self) -> tuple[str, str, dict[Hour, int]] | None:
        """The latest hours of the kind and site that has the most, in few pieces, as `ChangedHours.due` has them."""
        due = self._changes.due(self._rest)
        by_site: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for kind, site_id, hour in due:
            by_site[kind, site_id].append(hour)
        kind, site_id = max(by_site, key=lambda one: len(by_site[one]), default=("", ""))
        numbers = by_site[kind, site_id]
        if not numbers or len(numbers) < self._fewest_hours:
            return None
        chosen = sorted(numbers, reverse=True)[: self._most_hours]
        while len(pieces_of(chosen, BRIDGED_HOURS)) > MAX_PIECES:
            chosen = chosen[: len(chosen) // 2]
        return kind, site_id, {(kind, site_id, hour): due[kind, site_id, hour] for hour in chosen}

    def _rest(self, hour: int) -> float:
        return self._rest_of((self._clock.now_ms() - hour * HOUR_MS) / 1000)

    def _add_up(self, kind: str, site_id: str, hours: Mapping[Hour, int]) -> None:
        """Make the sums of hours of a site, and settle their marks."""
        numbers = sorted(hour for _kind, _site, hour in hours)
        asked = Summing.of(self._store, kind, site_id, numbers)
        version = self._version(kind, site_id, numbers)
        if kind == EVENTS:
            # First: a session that is registered from now on finds the hours that it changes.
            waiting = waiting_sessions(asked.within("event_time"), merges=asked.merges)
            self._store.mutate(waiting, named_in(waiting, asked.values))
        sql = asked.sums.insert(asked.select)
        self._store.mutate(sql, named_in(sql, {**asked.values, "version": version}))
        self._name(self._kinds(kind), site_id, numbers, version)
        self._changes.settle(hours)

    def _version(self, kind: str, site_id: str, numbers: Sequence[int]) -> int:
        """Above those before, and no other loader's."""
        [row] = self._store.query(
            "SELECT max(version) AS version FROM events.rolled_hours WHERE site_id = {site:String} "
            "AND kind = {kind:String} AND hour_time >= {first:DateTime64(3, 'UTC')} "
            "AND hour_time <= {last:DateTime64(3, 'UTC')}",
            {"site": site_id, "kind": kind, "first": numbers[0] * HOUR_MS, "last": numbers[-1] * HOUR_MS},
        )
        return max(int(row["version"]) + 1, self._clock.now_ms() * 1_000_000) + random.randrange(1_000_000)  # noqa: S311

    def _kinds(self, kind: str) -> list[str]:
        """As what sums of a kind are named. Of two loaders none knows which scans of users the other is about to store
        (`loader/user_scans.py`), so paths are left to rows."""
        return [PATHS, EVENTS] if kind == EVENTS and self._changes.is_alone else [kind]

    def _name(self, kinds: Sequence[str], site_id: str, numbers: Sequence[int], version: int) -> None:
        if numbers:
            values = {"kinds": kinds, "site": site_id, "hours": list(numbers), "version": version}
            self._store.mutate(NAME_HOURS, values)

    def _look_if_due(self, now: float) -> None:
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._changes.take_over()
            self._unseen = deque(row["site"] for row in self._store.query(_SITES))
        if self._unseen:
            self._look_at(self._unseen[0])
            self._unseen.popleft()

    def _look_at(self, site_id: str) -> None:
        """Hours with rows are to be added up; all others have nothing to add up."""
        now_ms = self._clock.now_ms()
        values: dict[str, Any] = {
            "site": site_id,
            "first": max(now_ms - SUMS_KEPT_MS, 0),
            "end": now_ms // HOUR_MS * HOUR_MS,
        }
        rolled = {(row["kind"], row["hour"]) for row in self._store.query(_ROLLED, values)}
        filled = {row["hour"] for row in self._store.query(_FILLED, values)}
        empty = set(range(values["first"] // HOUR_MS + 1, values["end"] // HOUR_MS)) - filled
        for kind in (EVENTS, SCANS):
            kinds = self._kinds(kind)
            known = {hour for hour in filled | empty if all((named, hour) in rolled for named in kinds)}
            self._changes.add((kind, site_id, hour) for hour in filled - known)
            self._name(kinds, site_id, sorted(empty - known), 0)


_SITES: Final = (
    "SELECT DISTINCT toString(site_id) AS site FROM events.valid_events "
    "UNION DISTINCT SELECT DISTINCT toString(site_id) AS site FROM events.scan_sessions"
)
_ROLLED: Final = f"""
SELECT DISTINCT kind, {hour_sql("hour_time")} AS hour FROM events.rolled_hours
WHERE site_id = {{site:String}}
    AND hour_time >= {{first:DateTime64(3, 'UTC')}} AND hour_time < {{end:DateTime64(3, 'UTC')}}
"""  # noqa: S608
_FILLED: Final = f"""
SELECT DISTINCT {hour_sql("event_time")} AS hour FROM events.valid_events
WHERE site_id = {{site:String}}
    AND event_time >= {{first:DateTime64(3, 'UTC')}} AND event_time < {{end:DateTime64(3, 'UTC')}}
UNION DISTINCT
SELECT DISTINCT {hour_sql("scan_time")} AS hour FROM events.scan_sessions
WHERE site_id = {{site:String}}
    AND scan_time >= {{first:DateTime64(3, 'UTC')}} AND scan_time < {{end:DateTime64(3, 'UTC')}}
"""  # noqa: S608
