"""Whose turn it is to watch, of several loaders before one store: nothing but the store knows of all of them.

Each loader with rules writes a claim and renews it; the claim that began first of those that stand has the turn. Times
are the store's, so that nodes' clocks need not agree. A claim is as good as none until all can have seen it. One that
was frozen or cut off for as long as its claim lasted finds another in its place, and does nothing before it has looked:
hence `is_sure`, by its own clock that does not stop.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from qrumb_server.ports import Clock, EventStore, TableBatch
from qrumb_server.query.alarms import WATCHERS

__all__ = ["Turn"]

LASTS_MS: Final = 120_000
# Of what it lasts: after which it is renewed, and before which it is seen by all.
RENEWED_AFTER: Final = 1 / 6
SEEN_AFTER: Final = 1 / 12
_CLAIMS: Final = f"""
SELECT watcher, argMax(since_time, version) AS since, argMax(until_time, version) AS until, now64(3, 'UTC') AS now
FROM {WATCHERS} GROUP BY watcher
UNION ALL SELECT '', toDateTime64(0, 3, 'UTC'), toDateTime64(0, 3, 'UTC'), now64(3, 'UTC')
"""  # noqa: S608


class Turn:
    """One loader's claim. Calls may raise a StoreError: then it is not its turn.

    Args:
        is_alone: no other loader uses the store.
        lasts_ms: a claim that is not renewed.
        state: what each claim carries on: the loader's newest state, and its version.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        clock: Clock,
        is_alone: bool,
        state: Callable[[], tuple[str, int]],
        lasts_ms: int = LASTS_MS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._is_alone = is_alone
        self._state = state
        self._lasts_ms = lasts_ms
        self._monotonic = monotonic
        self._id = uuid.uuid4().hex
        self._version = 0
        self._since_ms = self._now_ms = 0
        self._looked = float("-inf")
        self._has = False

    def take(self) -> bool:
        """Whether it is this loader's turn; looks only as often as it must."""
        if self._is_alone:
            return True
        if self._monotonic() - self._looked >= self._lasts_ms / 1000 * RENEWED_AFTER:
            self._look()
        return self._has

    @property
    def is_sure(self) -> bool:
        """Whether no other can have it, without a look."""
        return self._is_alone or (
            self._has and self._monotonic() - self._looked < self._lasts_ms / 1000 * (1 - RENEWED_AFTER)
        )

    def leave(self) -> None:
        """Let the next one have it at once."""
        if self._has and not self._is_alone:
            self._has = False
            self.write(until_ms=self._now_ms)

    def write(self, *, until_ms: int | None = None) -> None:
        """The claim as it is, with the state that is now."""
        state, state_version = self._state()
        self._version = max(self._version + 1, self._clock.now_ms() * 1000)
        if self._is_alone:
            self._now_ms = self._clock.now_ms()
        until_ms = until_ms if until_ms is not None else self._now_ms + self._lasts_ms
        row: Mapping[str, Any] = {
            "watcher": self._id,
            "since_time": self._since_ms,
            "until_time": until_ms,
            "version": self._version,
            "state": state,
            "state_version": state_version,
            "segment_id": str(uuid.uuid4()),
            "segment_row": 0,
        }
        self._store.insert(TableBatch(table=WATCHERS, columns=list(row), data=[[value] for value in row.values()]))

    def _look(self) -> None:
        self._has = False
        began = self._monotonic()
        rows = self._store.query(_CLAIMS)
        self._now_ms = max(row["now"] for row in rows)
        standing = {row["watcher"]: row["since"] for row in rows if row["until"] > self._now_ms}
        is_new = self._id not in standing
        if is_new:
            self._since_ms = self._now_ms
        first = min((since, watcher) for watcher, since in {**standing, self._id: self._since_ms}.items())
        is_seen = self._now_ms - self._since_ms >= self._lasts_ms * SEEN_AFTER
        self.write()
        if is_new and self._monotonic() - began > self._lasts_ms / 1000 * SEEN_AFTER / 2:
            # It came too late to count on others' having seen it: claimed anew the next time.
            self.write(until_ms=self._now_ms)
        self._has = not is_new and is_seen and first == (self._since_ms, self._id)
        # The first turn need not wait longer than it takes to be seen.
        self._looked = began - self._lasts_ms / 1000 * SEEN_AFTER if is_new else began
