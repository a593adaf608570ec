"""One event: its rows by its id, and the event as `events.attributed_events` has it, without what the view costs.

Planning the view takes ten times as long as looking up the few things that one event needs: its session, who identified
in it, and whom a hash stands for. The look-ups are the loader's, without its caches. Scenarios hold both to one answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

from qrumb_server.loader.lookups import Lookups
from qrumb_server.pipeline.consent import ALLOWED
from qrumb_server.pipeline.identity import EMAIL, MAX_USERS, PHONE, SESSION, kind_of_name
from qrumb_server.ports import BY_KEY, Reader

__all__ = ["KEYS", "OneEvent", "attributed_event", "owner_of", "rows_of_event"]

Row = Mapping[str, Any]
# In order, since else it would take the rows where the parts that may have the id are small.
KEYS: Final = f"""{BY_KEY}
SELECT event_type, event_time, toYYYYMM(received_time) AS month FROM events.valid_events
WHERE event_id = {{event:UUID}} ORDER BY event_id
"""  # noqa: S608
"""Where the rows of an event lie, on whatever site: by the projection fine_event_id, or by_event_id on a server."""
# By the primary key, in the partitions that have such rows. The hint says where to read, and no column is read for it;
# PREWHERE: what the engine finds out itself it plans longer.
_ROWS: Final = f"""{BY_KEY}
SELECT * FROM events.valid_events
PREWHERE event_id = {{event:UUID}} AND indexHint(
    site_id = {{site:String}} AND event_type IN {{types:Array(String)}}
    AND event_time >= {{first:DateTime64(3, 'UTC')}} AND event_time <= {{last:DateTime64(3, 'UTC')}}
    AND toYYYYMM(received_time) IN {{months:Array(UInt32)}})
"""  # noqa: S608
_ORDER: Final = itemgetter("is_duplicate", "received_time", "segment_id", "segment_row")
# Rows whose last version counts, here and below: FINAL and an order cost more than the rows.
_SESSION: Final = f"""{BY_KEY}
SELECT scan_session_id, qr_code_id, user_id AS named, toUnixTimestamp64Milli(scan_time) AS time, fraud_reasons, version
FROM events.scan_sessions PREWHERE site_id = {{site:String}} AND scan_session_id = {{session:String}}
"""  # noqa: S608
_LENT: Final = f"""{BY_KEY}
SELECT user_id, first_time, version FROM events.identity_links
PREWHERE site_id = {{site:String}} AND kind = '{SESSION}' AND identifier = {{session:String}}
"""  # noqa: S608


def rows_of_event(store: Reader, site_id: str, event_id: str) -> list[dict[str, Any]]:
    """All rows of events.valid_events under a site_id and an event_id, whole: first those that count, then by receipt.

    What is read for them does not grow with the table.

    Raises:
        StoreError: the store does not answer.
    """
    keys = store.query(KEYS, {"event": event_id})
    if not keys:
        return []
    rows = store.query(
        _ROWS,
        {
            "site": site_id,
            "event": event_id,
            "types": sorted({key["event_type"] for key in keys}),
            "first": min(key["event_time"] for key in keys),
            "last": max(key["event_time"] for key in keys),
            "months": sorted({key["month"] for key in keys}),
        },
    )
    rows = [row for row in rows if row["site_id"] == site_id]
    return sorted(rows, key=_ORDER)  # the engine sorts few rows of many columns at a third of their reading


@dataclass(frozen=True, slots=True, kw_only=True)
class OneEvent:
    """An event as events.attributed_events has it, and what was looked up for it."""

    row: Row
    session: Row | None = None
    lent: Row | None = None
    """How many users identified in its session (`users`, one of them empty for each of `splits`)."""


def attributed_event(store: Reader, stored: Sequence[Row]) -> OneEvent | None:
    """The row that counts, attributed by what is known now; None where there is no such row yet.

    Args:
        stored: all rows of events.valid_events under one site_id and event_id, whole.

    Raises:
        StoreError: the store does not answer.
    """
    if any(row["is_counterpart"] for row in stored):
        completed = _completed(store, stored[0])
        return None if completed is None else OneEvent(row=completed)
    # After seven days an id may be another event's.
    first = min((row for row in stored if not row["is_duplicate"]), key=lambda row: row["received_time"], default=None)
    return None if first is None else _attributed(store, first)


def _completed(store: Reader, row: Row) -> Row | None:
    """Of two copies the view makes one."""
    rows = store.query(
        "SELECT * FROM events.attributed_events WHERE site_id = {site:String} AND event_id = {event:UUID} "
        "ORDER BY received_time LIMIT 1",
        {"site": row["site_id"], "event": row["event_id"]},
    )
    return rows[0] if rows else None


def _attributed(store: Reader, row: Row) -> OneEvent:
    site_id, session_id = row["site_id"], row["scan_session_id"]
    found = store.query(_SESSION, {"site": site_id, "session": session_id}) if session_id else []
    session = max(found, key=itemgetter("version"), default=None)
    lent = _lent(store, row)
    name = _named(row, session["named"] if session else "", lent)
    source = "identifiers" if row["user_id_source"] == "identifiers" else "session"
    attributed = {
        **row,
        "qr_code_id": (session["qr_code_id"] if session else "") or row["qr_code_id"],
        "user_id": owner_of(Lookups(store, monotonic=lambda: 0.0), site_id, name),
        "user_id_source": source if name else "",
    }
    return OneEvent(row=attributed, session=session, lent=lent)


def _lent(store: Reader, row: Row) -> Row | None:
    """Who identified in an event's session, where it may lend the event a user."""
    if row["user_id_source"] in {"identifiers", "erased"} or not row["scan_session_id"]:
        return None
    if not ALLOWED[row["consent"]].user:
        return None
    links = store.query(_LENT, {"site": row["site_id"], "session": row["scan_session_id"]})
    # As the loader's look-ups have it, of a session alone, whose owner depends on no other identifier.
    since = {link["user_id"]: link["first_time"] for link in sorted(links, key=itemgetter("version"))}
    return {
        "users": len(since),
        "splits": int("" in since),
        "owner": min(since, key=lambda user_id: (since[user_id], user_id), default=""),
    }


def _named(row: Row, redirected: str, lent: Row | None) -> str:
    """The event's own identifiers first, then who identified first in its session, then whom the redirect named."""
    if row["user_id_source"] == "identifiers":
        return str(row["identified_user_id"] or row["user_id"])
    if lent is None:
        return ""
    is_shared = lent["splits"] or lent["users"] > MAX_USERS
    return redirected if is_shared or not lent["users"] else str(lent["owner"])


def owner_of(lookups: Lookups, site_id: str, name: str) -> str:
    """Whom a name stands for. A phone may lead to an e-mail address, and that no further than to an external_id."""
    for kind in (PHONE, EMAIL):
        if kind_of_name(name) == kind:
            key = (site_id, kind, name)
            owner = lookups.owners({key}).get(key)
            name = owner.user_id if owner and owner.user_id else name
    return name
