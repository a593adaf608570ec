"""Scan sessions that the ledger counted as new, and that are gone from their table.

A session's row has the time of its last registration that said something new: a later minute than the one in which the
session was counted, never an earlier one. So from any minute on there are at least as many rows as sessions that were
new since; where there are fewer, the last minute from which on they lack has lost them. A session that was registered
again in a later minute, or whose count a killed loader did not write, can hide one that was lost between.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from qrumb_server.ports import Reader

__all__ = ["LostSessions", "lost_sessions"]

_FIRST_COUNTED: Final = (
    "SELECT min(minute_time) AS first, count() AS number FROM events.ledger "
    "WHERE new_session_count > 0 AND minute_time >= {from:DateTime64(3, 'UTC')}"
)
# Minutes in which the two differ, which are few.
_SURPLUS: Final = """
SELECT site, toStartOfMinute(time) AS minute, sum(difference) AS surplus
FROM
(
    SELECT toString(site_id) AS site, received_time AS time, toInt64(1) AS difference
    FROM events.scan_sessions FINAL WHERE received_time >= {from:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT toString(site_id) AS site, minute_time AS time, -toInt64(new_session_count) AS difference
    FROM events.ledger WHERE minute_time >= {from:DateTime64(3, 'UTC')} AND new_session_count > 0
)
GROUP BY site, minute HAVING surplus != 0 ORDER BY site, minute DESC
"""


class LostSessions(NamedTuple):
    """Of one site's minute."""

    site_id: str
    minute_ms: int
    number: int


def lost_sessions(store: Reader, since_ms: int) -> Iterator[LostSessions]:
    """Minutes that lost some, from this one on, the latest of a site first. Raises a StoreError.

    Rows that retention deleted seem lost: what is older than a site keeps is the caller's to leave out.
    """
    [counted] = store.query(_FIRST_COUNTED, {"from": since_ms})
    if not counted["number"]:
        return
    site_id, surplus, least = "", 0, 0
    for row in store.query(_SURPLUS, {"from": counted["first"]}):
        if row["site"] != site_id:
            site_id, surplus, least = row["site"], 0, 0
        surplus += row["surplus"]
        if surplus < least:
            yield LostSessions(site_id, row["minute"], least - surplus)
            least = surplus
