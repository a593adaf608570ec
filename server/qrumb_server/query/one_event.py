"""One event as `events.attributed_events` has it, without what the view costs.

Planning the view takes ten times as long as looking up the few things that one event needs: its session, who identified
in it, and whom a hash stands for. The look-ups are the loader's, without its caches. Scenarios hold both to one answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from qrumb_server.loader.lookups import KnownSession, Lookups
from qrumb_server.pipeline.consent import ALLOWED
from qrumb_server.pipeline.identity import EMAIL, PHONE, SESSION, kind_of_name
from qrumb_server.ports import Reader

__all__ = ["attributed_event"]

Row = Mapping[str, Any]


def attributed_event(store: Reader, stored: Sequence[Row]) -> Row | None:
    """The row that counts, attributed by what is known now; None where there is none yet.

    Args:
        stored: all rows of events.valid_events under one site_id and event_id, whole.

    Raises:
        StoreError: the store does not answer.
    """
    if any(row["is_counterpart"] for row in stored):
        return _completed(store, stored[0])
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


def _attributed(store: Reader, row: Row) -> Row:
    site_id, session_id = row["site_id"], row["scan_session_id"]
    lookups = Lookups(store, monotonic=lambda: 0.0)
    session = KnownSession()
    if session_id:
        session = lookups.sessions({(site_id, session_id)}).get((site_id, session_id), session)
    name = _named(lookups, row, session)
    source = "identifiers" if row["user_id_source"] == "identifiers" else "session"
    return {
        **row,
        "qr_code_id": session.qr_code_id or row["qr_code_id"],
        "user_id": _owner(lookups, site_id, name),
        "user_id_source": source if name else "",
    }


def _named(lookups: Lookups, row: Row, session: KnownSession) -> str:
    """The event's own identifiers first, then who identified first in its session, then whom the redirect named."""
    if row["user_id_source"] == "identifiers":
        return str(row["identified_user_id"] or row["user_id"])
    if row["user_id_source"] == "erased" or not row["scan_session_id"] or not ALLOWED[row["consent"]].user:
        return ""
    key = (row["site_id"], SESSION, row["scan_session_id"])
    lent = lookups.owners({key}).get(key)
    return lent.user_id if lent and lent.user_id else session.user_id


def _owner(lookups: Lookups, site_id: str, name: str) -> str:
    """Whom a name stands for. A phone may lead to an e-mail address, and that no further than to an external_id."""
    for kind in (PHONE, EMAIL):
        if kind_of_name(name) == kind:
            key = (site_id, kind, name)
            owner = lookups.owners({key}).get(key)
            name = owner.user_id if owner and owner.user_id else name
    return name
