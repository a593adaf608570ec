"""The scans that led to one conversion, as GetAttribution takes them, without what its one statement costs.

Planning that takes twenty times as long as the few look-ups that one event needs: its user's sessions, their scans, and
who identified in them. The rules are those of `attribution.py`; scenarios hold both to one answer.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import EARLIEST_MS, timestamp
from qrumb_server.loader.lookups import Lookups
from qrumb_server.model import Source
from qrumb_server.pipeline.identity import EMAIL, PHONE, SESSION, kind_of_name
from qrumb_server.ports import Reader
from qrumb_server.query.one_event import owner_of
from qrumb_server.query.pairs import has_pairs
from qrumb_server.query.scans import believed_scans
from qrumb_server.query.spans import DAY_MS

__all__ = ["WINDOW_DAYS", "touches_of"]

WINDOW_DAYS: Final = 30
"""How much older than its conversion a scan may be, where the question does not say."""
Row = Mapping[str, Any]


def touches_of(store: Reader, row: Row, session: Row | None = None) -> list[pb.Touch]:
    """The scans that led to a row of events.attributed_events; none where it is no conversion.

    Args:
        session: the row's own, where it is known already, as `one_event.attributed_event` has it.

    Raises:
        StoreError: the store does not answer.
    """
    if row["source"] != Source.SERVER or row["event_name"] == "refund" or row["is_fraud"]:
        return []
    session_id = row["scan_session_id"]
    if not session_id and row["qr_code_id"]:  # consent was denied
        return [pb.Touch(qr_code_id=row["qr_code_id"])]
    names = {session_id} - {""}
    if row["user_id"]:
        names |= _sessions_of(store, row["site_id"], row["user_id"])
    scans = _scans(store, row, sorted(names), session)
    mine = _of_user(store, row, scans)
    return [
        pb.Touch(
            qr_code_id=scan["qr_code_id"], scan_session_id=scan["scan_session_id"], scan_time=timestamp(scan["time"])
        )
        for scan in sorted(scans, key=lambda one: (one["time"], one["scan_session_id"]))
        if scan["scan_session_id"] == session_id
        or (scan["time"] <= row["event_time"] and scan["scan_session_id"] in mine)
    ]


def _scans(store: Reader, row: Row, names: Sequence[str], session: Row | None) -> Sequence[Row]:
    """Those of the sessions that are not older than the window."""
    if not names:
        return []
    from_ms = row["event_time"] - WINDOW_DAYS * DAY_MS
    values = {"site": row["site_id"], "among": names}
    known = [session] if session and names == [row["scan_session_id"]] else store.query(_SCANS, values)
    found = [scan for scan in known if scan["time"] >= from_ms]
    if all(scan["scan_session_id"] == row["scan_session_id"] and not scan["fraud_reasons"] for scan in found):
        return found  # the event itself shows that not all of its session's events are marked
    sql = believed_scans("{from:Int64}", _AMONG, merges=has_pairs(store, row["site_id"], EARLIEST_MS))
    return store.query(f"{sql} AND {_AMONG}", {**values, "since": EARLIEST_MS, "from": from_ms})


def _of_user(store: Reader, row: Row, scans: Sequence[Row]) -> Collection[str]:
    """The sessions of the row's user: those in which it identified, and those that no one did and that named it."""
    site_id, user_id = row["site_id"], row["user_id"]
    if not user_id or all(scan["scan_session_id"] == row["scan_session_id"] for scan in scans):
        return ()
    users: defaultdict[str, set[str]] = defaultdict(set)
    for link in store.query(_IDENTIFIED, {"site": site_id, "among": [scan["scan_session_id"] for scan in scans]}):
        users[link["identifier"]].add(link["user_id"])
    for scan in scans:
        found = users[scan["scan_session_id"]]
        if not found or "" in found:  # an empty name: the session was split
            users[scan["scan_session_id"]] = {scan["named"]}
    lookups = Lookups(store, monotonic=lambda: 0.0)
    everyone = {user for found in users.values() for user in found}
    lookups.owners({(site_id, kind, user) for user in everyone if (kind := kind_of_name(user)) in {EMAIL, PHONE}})
    mine = {user for user in everyone if owner_of(lookups, site_id, user) == user_id}
    return {session_id for session_id, found in users.items() if found & mine}


def _sessions_of(store: Reader, site_id: str, user_id: str) -> set[str]:
    """All that may be the user's; whose they are is decided among these."""
    names, latest, sessions = {user_id}, {user_id}, set()
    while latest:  # a phone may lead to an e-mail address, and that to an account, and no further
        found = store.query(_NAMES, {"site": site_id, "users": sorted(latest)})
        sessions |= {one["name"] for one in found if one["is_session"]}
        latest = {one["name"] for one in found if not one["is_session"]} - names
        names |= latest
    return sessions


_AMONG: Final = "scan_session_id IN {among:Array(String)}"
# Like FINAL, which costs twice as much for a few rows.
_SCANS: Final = f"""
    SELECT scan_session_id, qr_code_id, toUnixTimestamp64Milli(scan_time) AS time, fraud_reasons
    FROM events.scan_sessions WHERE site_id = {{site:String}} AND {_AMONG}
    ORDER BY version DESC LIMIT 1 BY scan_session_id
"""  # noqa: S608
_OF_USERS: Final = "site_id = {site:String} AND user_id != '' AND user_id IN {users:Array(String)}"
# Other names of users, and sessions: those in which they identified, and those whose redirect named them.
_NAMES: Final = f"""
    SELECT identifier AS name, kind = '{SESSION}' AS is_session FROM events.identity_links WHERE {_OF_USERS} UNION ALL
    SELECT scan_session_id AS name, toUInt8(1) AS is_session FROM events.scan_sessions WHERE {_OF_USERS}
"""  # noqa: S608
_IDENTIFIED: Final = f"""
    SELECT identifier, user_id FROM events.identity_links FINAL
    WHERE site_id = {{site:String}} AND kind = '{SESSION}' AND identifier IN {{among:Array(String)}}
"""  # noqa: S608
