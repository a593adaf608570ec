"""Compares the ledger with the tables: what was counted as stored or rejected in a site's minute must be there as rows,
a scan session's row must have been counted as registered, since the first minute in which registrations were, and one
that was counted as new must be there (`lost_sessions.py`).

The ledger is written after the rows and never with them, so the two meet only between batches: what differs is looked
at again while the loader waits, minutes that still have events in this node's spool are not judged, and a difference
counts once it has stayed the same for some seconds, since other nodes of a cluster load as they like. Rows that
retention or an erasure deleted are named by entries of the ledger itself (`loader/ledger.py`); what the tables' own TTL
may have deleted is not compared.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from qrumb_server.loader.ledger import ERASED, EXPIRED, MINUTE_MS, ledger_site
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.progress import Progress
from qrumb_server.model import SITE_ID_PATTERN, TABLE_RETENTION_MS, SitePolicy
from qrumb_server.ports import Clock, EventStore
from qrumb_server.query.spool_counts import SpoolCounts
from qrumb_server.upkeep.lost_sessions import lost_sessions
from qrumb_server.words import counted

__all__ = ["Difference", "LedgerCheck"]

log = structlog.get_logger()

TOPIC: Final = "ledger"
DAY_MS: Final = 86_400_000
# Dead letters are kept for 90 days by their table; the day before it drops them is left out.
LETTERS_KEPT_MS: Final = 89 * DAY_MS
# Of one statement: all sites' minutes of a day.
RANGE_MS: Final = DAY_MS
# Each hour, what may have changed since the last time, with room for a store that was away.
RECENT_MS: Final = 25 * 3_600_000
LOADER_PATIENCE: Final = timedelta(seconds=20)
# Two nodes' batches are under way for a second or so.
LOOKS: Final = 3
LOOK_AGAIN_SECONDS: Final = 2.0
LOGGED: Final = 20

# One name for the time of both, so that it is rounded to its minute in one place.
_COMPARED: Final = f"""
WITH
(
    SELECT ifNull(minOrNull(minute_time), toDateTime64('2200-01-01', 3, 'UTC')) FROM events.ledger
    WHERE scan_received_count > 0
) AS first_counted
SELECT site, toStartOfMinute(received_time) AS minute, sum(stored) AS stored_count, sum(event) AS stored_rows,
    toInt64(sum(rejected)) - toInt64(sum(erased)) AS rejected_count, sum(letter) AS rejected_rows,
    sum(registered) AS registered_count, sum(session) AS session_rows
FROM
(
    SELECT toString(site_id) AS site, minute_time AS received_time, stored_count AS stored, toUInt64(0) AS event,
        rejected_count AS rejected, toUInt64(startsWith(segment_id, '{ERASED}')) AS erased, toUInt64(0) AS letter,
        scan_registered_count AS registered, toUInt64(0) AS session
    FROM events.ledger
    WHERE minute_time >= {{from:DateTime64(3, 'UTC')}} AND minute_time < {{to:DateTime64(3, 'UTC')}}
    UNION ALL
    SELECT toString(site_id) AS site, received_time, toUInt64(0) AS stored, toUInt64(1) AS event,
        toUInt64(0) AS rejected, toUInt64(0) AS erased, toUInt64(0) AS letter, toUInt64(0) AS registered,
        toUInt64(0) AS session
    FROM events.valid_events
    WHERE received_time >= {{from:DateTime64(3, 'UTC')}} AND received_time < {{to:DateTime64(3, 'UTC')}}
    UNION ALL
    SELECT if(match(toString(site_id), '^{SITE_ID_PATTERN}$'), toString(site_id), '') AS site, received_time,
        toUInt64(0) AS stored, toUInt64(0) AS event, toUInt64(0) AS rejected, toUInt64(0) AS erased,
        toUInt64(1) AS letter, toUInt64(0) AS registered, toUInt64(0) AS session
    FROM events.invalid_events
    WHERE received_time >= {{from:DateTime64(3, 'UTC')}} AND received_time < {{to:DateTime64(3, 'UTC')}}
    UNION ALL
    SELECT toString(site_id) AS site, received_time, toUInt64(0) AS stored, toUInt64(0) AS event,
        toUInt64(0) AS rejected, toUInt64(0) AS erased, toUInt64(0) AS letter, toUInt64(0) AS registered,
        toUInt64(1) AS session
    FROM events.scan_sessions FINAL
    WHERE received_time >= {{from:DateTime64(3, 'UTC')}} AND received_time < {{to:DateTime64(3, 'UTC')}}
)
GROUP BY site, minute
HAVING stored_count != stored_rows OR rejected_count != toInt64(rejected_rows)
    OR (session_rows > registered_count AND minute > first_counted)
"""  # noqa: S608  (constants of ours)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Difference:
    """One site's minute in which the ledger does not count what the tables hold.

    Where only sessions were lost, the other counts are 0.
    """

    minute_ms: int
    site_id: str
    stored_count: int = 0
    stored_rows: int = 0
    rejected_count: int = 0
    rejected_rows: int = 0
    registered_count: int = 0
    session_rows: int = 0
    lost_session_count: int = 0

    @property
    def place(self) -> tuple[str, int]:
        """Site and minute."""
        return self.site_id, self.minute_ms


class LedgerCheck:
    """Checks in the loader's process. Calls block; every one may raise a StoreError or an OSError of the spool's disk.

    Args:
        policy: what a site wants; one that has no settings of its own is the empty name's.
        progress: told of a difference for as long as it lasts.
        sleep: between two looks at the same minutes.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        loader: Loader,
        clock: Clock,
        policy: Callable[[str], SitePolicy],
        spool_root: Path,
        progress: Progress,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._loader = loader
        self._clock = clock
        self._policy = policy
        self._spool = SpoolCounts(spool_root)
        self._progress = progress
        self._sleep = sleep
        self._oldest_known_ms: int | None = None

    def read_again(self) -> None:
        """Read the tables whole from the disk: damage where no question looked is found, and is a difference then."""
        self._store.prove_again()

    def check_all(self) -> list[Difference]:
        """Every minute whose rows are kept; the node is DEGRADED for as long as one differs."""
        return self._noted(self.find())

    def check_recent(self) -> list[Difference]:
        """Minutes of the last day, and those that are known to differ."""
        since_ms = self._clock.now_ms() - RECENT_MS
        return self._noted(
            self.find(since_ms if self._oldest_known_ms is None else min(since_ms, self._oldest_known_ms))
        )

    def find(self, since_ms: int = 0) -> list[Difference]:
        """Minutes that differ, from this one on, the oldest first; says nothing to the node."""
        suspects: dict[int, set[Difference] | None] = {
            start_ms: None for start_ms in self._ranges(since_ms) if self._compare(start_ms)
        }
        for look in range(LOOKS):
            if suspects and look:
                self._sleep(LOOK_AGAIN_SECONDS)
            for start_ms, before in list(suspects.items()):
                seen = self._undisturbed(start_ms)
                suspects[start_ms] = seen if before is None else before & seen
                if not suspects[start_ms]:
                    del suspects[start_ms]
        found = {one.place: one for left in suspects.values() for one in left or ()}
        for place, number in self._lost_sessions(since_ms).items():
            differs = found.get(place) or Difference(site_id=place[0], minute_ms=place[1])
            found[place] = replace(differs, lost_session_count=number)
        return sorted(found.values())

    def _noted(self, found: list[Difference]) -> list[Difference]:
        self._oldest_known_ms = found[0].minute_ms if found else None
        if not found:
            self._progress.clear(TOPIC)
            return found
        first = datetime.fromtimestamp(found[0].minute_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")
        missing = sum(
            max(one.stored_count - one.stored_rows, 0)
            + max(one.rejected_count - one.rejected_rows, 0)
            + one.lost_session_count
            for one in found
        )
        lost = counted(missing, "row that was counted is", "rows that were counted are")
        self._progress.note(
            TOPIC,
            f"the ledger and the tables differ in {counted(len(found), 'minute')}, the first of them {first}: "
            f"{lost} missing; `qrumb ledger --verify` lists them",
        )
        log.error(
            "ledger_differs",
            minutes=len(found),
            missing_rows=missing,
            first=[f"{one.site_id} {one.minute_ms}" for one in found[:LOGGED]],
        )
        return found

    def _ranges(self, since_ms: int) -> Iterator[int]:
        """Beginnings of the days in which anything is."""
        now_ms = self._clock.now_ms()
        first_ms = max(since_ms, now_ms - TABLE_RETENTION_MS)
        bounds = [
            row["first"]
            for table, column in (
                ("ledger", "minute_time"),
                ("valid_events", "received_time"),
                ("invalid_events", "received_time"),
            )
            for row in self._store.query(
                f"SELECT min({column}) AS first, count() AS number FROM events.{table} "  # noqa: S608
                f"WHERE {column} >= {{from:DateTime64(3, 'UTC')}}",
                {"from": first_ms},
            )
            if row["number"]
        ]
        if bounds:
            yield from range(min(bounds) // MINUTE_MS * MINUTE_MS, now_ms + RANGE_MS, RANGE_MS)

    def _undisturbed(self, start_ms: int) -> set[Difference]:
        """What differs in this range while nothing is loaded."""
        with self._loader.exclusively(LOADER_PATIENCE):
            waiting = {
                (ledger_site(site_id), minute_ms)
                for counts in self._spool.by_segment().values()
                for site_id, minute_ms, _is_scan in counts
            }
            return {one for one in self._compare(start_ms) if one.place not in waiting}

    def _lost_sessions(self, since_ms: int) -> dict[tuple[str, int], int]:
        """How many, by site and minute."""
        now_ms = self._clock.now_ms()
        since_ms = max(since_ms, now_ms - TABLE_RETENTION_MS)
        if next(lost_sessions(self._store, since_ms), None) is None:
            return {}
        with self._loader.exclusively(LOADER_PATIENCE):
            expired = self._expired()
            return {
                (one.site_id, one.minute_ms): one.number
                for one in lost_sessions(self._store, since_ms)
                if not self._may_be_gone(one.site_id, one.minute_ms, now_ms, expired)
            }

    def _compare(self, start_ms: int) -> list[Difference]:
        now_ms = self._clock.now_ms()
        expired = self._expired()
        rows = self._store.query(_COMPARED, {"from": start_ms, "to": start_ms + RANGE_MS})
        return [one for row in rows for one in [_difference(row)] if self._counts(one, now_ms, expired)]

    def _counts(self, one: Difference, now_ms: int, expired: Mapping[str, int]) -> bool:
        """Whether its rows must still be there."""
        if self._may_be_gone(one.site_id, one.minute_ms, now_ms, expired):
            return False
        if one.stored_count != one.stored_rows or one.session_rows > one.registered_count:
            return True
        return one.minute_ms >= now_ms - LETTERS_KEPT_MS

    def _may_be_gone(self, site_id: str, minute_ms: int, now_ms: int, expired: Mapping[str, int]) -> bool:
        """By the site's retention."""
        return minute_ms < max(now_ms - self._policy(site_id).retention_ms, expired.get(site_id, 0))

    def _expired(self) -> dict[str, int]:
        """By site, the time before which retention has deleted rows."""
        rows = self._store.query(
            "SELECT site_id, max(minute_time) AS before FROM events.ledger "  # noqa: S608
            f"WHERE startsWith(segment_id, '{EXPIRED}') GROUP BY site_id"
        )
        return {row["site_id"]: row["before"] for row in rows}


def _difference(row: Mapping[str, Any]) -> Difference:
    return Difference(
        minute_ms=row["minute"],
        site_id=row["site"],
        stored_count=row["stored_count"],
        stored_rows=row["stored_rows"],
        rejected_count=max(row["rejected_count"], 0),
        rejected_rows=row["rejected_rows"],
        registered_count=row["registered_count"],
        session_rows=row["session_rows"],
    )
