"""Deletes rows that are older than their site keeps them: at most one mutation per table a day.

The limit is a midnight (UTC), so another look on the same day finds nothing, in whatever process. Rows are
deleted while others are inserted; nothing waits for it. The ledger goes on counting what was deleted. What is known of
erased sessions' old names goes in the same way.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import structlog

from qrumb_server.loader.changes import WAITING_SESSIONS
from qrumb_server.loader.erased import REMEMBERED_MS
from qrumb_server.loader.ledger import expired_ledger_batch, ledger_site
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.rows import IDENTITY_LINKS, INVALID_EVENTS, SCAN_SESSIONS, VALID_EVENTS
from qrumb_server.loader.user_scans import USER_SCANS
from qrumb_server.model import TABLE_RETENTION_MS, SitePolicy
from qrumb_server.pipeline.identity import ERASED_SESSION
from qrumb_server.ports import Clock, EventStore
from qrumb_server.upkeep.replay import LOADER_PATIENCE

__all__ = ["Retention"]

log = structlog.get_logger()

DAY_MS: Final = 86_400_000
TABLES: Final = (VALID_EVENTS, INVALID_EVENTS, SCAN_SESSIONS)


class Retention:
    """Works in the loader's process.

    Args:
        policy: what a site wants; one that has no settings of its own is the empty name's.
        named_sites: those that have settings of their own.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        loader: Loader,
        clock: Clock,
        policy: Callable[[str], SitePolicy],
        named_sites: Callable[[], Sequence[str]],
    ) -> None:
        self._store = store
        self._loader = loader
        self._clock = clock
        self._policy = policy
        self._named_sites = named_sites

    def run(self) -> dict[str, int]:
        """Delete what is too old; returns rows by table. Blocks; raises a StoreError."""
        self._forget_erased()
        condition, parameters = self._too_old()
        if not condition:
            return {}
        deleted = {}
        self._say_what_goes(condition, parameters)
        with self._loader.changes.holding() as hold:
            for table in TABLES:
                if not (number := self._count(table, condition, parameters)):
                    continue
                if table == VALID_EVENTS:
                    hold.mark_rows(condition, parameters)
                elif table == SCAN_SESSIONS:
                    hold.mark_sessions(condition, parameters)
                self._store.mutate(f"ALTER TABLE {table} DELETE WHERE {condition}", parameters)
                deleted[table] = number
        self._forget_users(condition.replace("received_time", "scan_time"), parameters)
        # By the time of their events, which is hardly later than their receipt.
        of_waiting = condition.replace("received_time", "hour_time")
        if self._count(WAITING_SESSIONS, of_waiting, parameters):
            self._store.mutate(f"ALTER TABLE {WAITING_SESSIONS} DELETE WHERE {of_waiting}", parameters)
        if deleted:
            log.info("old_rows_deleted", **{table.removeprefix("events."): number for table, number in deleted.items()})
        if SCAN_SESSIONS in deleted:
            with self._loader.exclusively(LOADER_PATIENCE):
                self._loader.forget()
        return deleted

    def _count(self, table: str, condition: str, parameters: dict[str, Any]) -> int:
        [found] = self._store.query(f"SELECT count() AS number FROM {table} WHERE {condition}", parameters)  # noqa: S608
        return int(found["number"])

    def _forget_users(self, condition: str, parameters: dict[str, Any]) -> None:
        """Of scans that are gone. One that was told of late is there still."""
        if not self._count(USER_SCANS, condition, parameters):
            return
        there = self._store.query(
            f"SELECT DISTINCT scan_session_id AS id FROM {SCAN_SESSIONS} WHERE {condition} "  # noqa: S608
            f"AND scan_session_id GLOBAL IN (SELECT scan_session_id FROM {USER_SCANS} WHERE {condition})",
            parameters,
        )
        self._store.mutate(
            f"ALTER TABLE {USER_SCANS} DELETE WHERE ({condition}) AND scan_session_id NOT IN {{there:Array(String)}}",
            {**parameters, "there": [row["id"] for row in there]},
        )

    def _forget_erased(self) -> None:
        """What leads from the old names of erased sessions to their new ones."""
        old = f"kind = '{ERASED_SESSION}' AND first_time < {{before:DateTime64(3, 'UTC')}}"
        before = {"before": self._clock.now_ms() // DAY_MS * DAY_MS - REMEMBERED_MS}
        if self._store.query(f"SELECT 1 FROM {IDENTITY_LINKS} WHERE {old} LIMIT 1", before):  # noqa: S608
            self._store.mutate(f"ALTER TABLE {IDENTITY_LINKS} DELETE WHERE {old}", before)

    def _say_what_goes(self, condition: str, parameters: dict[str, Any]) -> None:
        """Into the ledger, for each site that loses rows: a check of the tables must not miss them."""
        midnight_ms = self._clock.now_ms() // DAY_MS * DAY_MS
        going = {
            ledger_site(row["site_id"])
            for table in TABLES
            for row in self._store.query(f"SELECT DISTINCT site_id FROM {table} WHERE {condition}", parameters)  # noqa: S608
        }
        if going:
            limits = {site_id: midnight_ms - self._policy(site_id).retention_ms for site_id in going}
            self._store.insert(expired_ledger_batch(limits))

    def _too_old(self) -> tuple[str, dict[str, Any]]:
        """A condition over all sites that keep rows for a shorter time than the tables; empty if there are none."""
        midnight_ms = self._clock.now_ms() // DAY_MS * DAY_MS
        named = sorted(self._named_sites())
        conditions: list[str] = []
        parameters: dict[str, Any] = {}
        for index, site_id in enumerate(named):
            retention_ms = self._policy(site_id).retention_ms
            if retention_ms < TABLE_RETENTION_MS:
                parameters |= {f"site{index}": site_id, f"before{index}": midnight_ms - retention_ms}
                conditions.append(
                    f"(site_id = {{site{index}:String}} AND received_time < {{before{index}:DateTime64(3, 'UTC')}})"
                )
        common_ms = self._policy("").retention_ms
        if common_ms < TABLE_RETENTION_MS:
            parameters |= {"named": named, "before": midnight_ms - common_ms}
            conditions.append(
                "(site_id NOT IN {named:Array(String)} AND received_time < {before:DateTime64(3, 'UTC')})"
            )
        return " OR ".join(conditions), parameters
