"""Whether the sums of hours are what their rows add up to.

Marks (`loader/changes.py`) see to that by themselves, so a difference is a fault of ours or of a disk. Such an hour is
marked: rows answer for it from then on, and its sums are made anew.
"""

import random
from typing import Any, Final

import structlog

from qrumb_server.loader.changes import EVENTS, SCANS, ChangedHours
from qrumb_server.loader.progress import Progress
from qrumb_server.ports import Clock, EventStore
from qrumb_server.query.dimensions import named_in
from qrumb_server.query.rolled import SUMS_KEPT_MS, summed_hours
from qrumb_server.upkeep.sums import Summing, hour_sql
from qrumb_server.words import counted

__all__ = ["SumsCheck"]

log = structlog.get_logger()

TOPIC: Final = "sums"
# Of one look, which is to take seconds: the latest hours, and others by chance, so that all have their turn.
SITES: Final = 5
LATEST_HOURS: Final = 24
OTHER_HOURS: Final = 24


class SumsCheck:
    """Looks in the loader's process. Calls block; every one may raise a StoreError.

    Args:
        changes: the loader's, whose marks have rows answer for what is wrong.
        progress: told of a difference, until a look finds none.
    """

    def __init__(self, *, store: EventStore, changes: ChangedHours, clock: Clock, progress: Progress) -> None:
        self._store = store
        self._changes = changes
        self._clock = clock
        self._progress = progress

    def run(self, site_id: str = "") -> int:
        """Look at some hours of a site, or of some sites; says how many were not right."""
        sites = [site_id] if site_id else [row["site"] for row in self._store.query(_SITES)]
        chosen = random.sample(sites, min(SITES, len(sites)))
        wrong = sum(self._look(one, kind) for one in chosen for kind in (EVENTS, SCANS))
        if wrong:
            self._progress.note(
                TOPIC, f"sums of {counted(wrong, 'hour')} were not those of the rows, which answer until they are"
            )
        else:
            self._progress.clear(TOPIC)
        return wrong

    def _look(self, site_id: str, kind: str) -> int:
        filled = {row["hour"] for row in self._store.query(_FILLED, {"site": site_id, "kind": kind})}
        hours = sorted(filled & self._standing(site_id, kind))
        chosen = hours[-LATEST_HOURS:] + random.sample(hours, min(OTHER_HOURS, len(hours)))
        if not chosen:
            return 0
        asked = Summing.of(self._store, kind, site_id, sorted(set(chosen)))
        rows, sums = self._digests(asked, asked.select), self._digests(asked, asked.stored)
        differing = {hour for hour in chosen if rows.get(hour) != sums.get(hour)}
        # Not of what has begun to change meanwhile.
        wrong = differing and differing & self._standing(site_id, kind)
        if wrong:
            log.error("sums_differ", kind=kind, site_id=site_id, hours=sorted(wrong))
            with self._changes.holding() as hold:
                hold.mark((kind, site_id, hour) for hour in wrong)
        return len(wrong)

    def _standing(self, site_id: str, kind: str) -> set[int]:
        now_ms = self._clock.now_ms()
        return set(summed_hours(self._store, site_id, max(now_ms - SUMS_KEPT_MS, 0), now_ms).get(kind, ()))

    def _digests(self, asked: Summing, rows: str) -> dict[int, int]:
        sql = asked.sums.digests(rows)
        values: dict[str, Any] = named_in(sql, asked.values)
        return {row["hour"]: row["digest"] for row in self._store.query(sql, values)}


_SITES: Final = "SELECT DISTINCT toString(site_id) AS site FROM events.rolled_hours WHERE version > 0"
_FILLED: Final = f"""
SELECT DISTINCT {hour_sql("hour_time")} AS hour FROM events.rolled_hours
WHERE site_id = {{site:String}} AND kind = {{kind:String}} AND version > 0
"""  # noqa: S608
