"""Scans by their users, kept beside them for questions about conversions (`query/own_paths.py`).

Invariant: when a link or a scan is stored that makes a scan a user's, the row that says so is there already. Rows are
never corrected: one too many costs a question some reading, and changes no answer.
"""

from collections.abc import Collection, Mapping
from typing import Any, Final

from qrumb_server.loader.attribute import Attribution
from qrumb_server.loader.lookups import KnownSession, SessionKey
from qrumb_server.loader.rows import IDENTITY_LINKS, RowId, link_batch
from qrumb_server.pipeline.identity import SESSION
from qrumb_server.ports import Reader, TableBatch, among, as_one_text

__all__ = ["USER_SCANS", "link_batches", "user_scan_batches"]

USER_SCANS: Final = "events.user_scans"
UserScan = tuple[str, int, str, str]
"""(site_id, scan_time in milliseconds, user_id, scan_session_id)"""


def link_batches(attribution: Attribution, first: RowId) -> list[TableBatch]:
    """What a batch of events stores of its users, in this order; `first` says which segment brought it."""
    if not attribution.links:
        return []
    scans = set()
    for link in attribution.links:
        site_id, kind, session_id = link.key
        session = attribution.sessions.get((site_id, session_id)) if kind == SESSION and link.user_id else None
        if session is not None and session.scan_time_ms is not None:
            scans.add((site_id, session.scan_time_ms, link.user_id, session_id))
    return [*_batches(scans, first), link_batch(attribution.links, first)]


def user_scan_batches(store: Reader, sessions: Mapping[SessionKey, KnownSession], first: RowId) -> list[TableBatch]:
    """What is stored before sessions that are registered, or were earlier than it seemed: whom the redirect named, and
    who had identified in them already. Raises StoreError."""
    users: dict[SessionKey, set[str]] = {key: {session.user_id} for key, session in sessions.items()}
    values = {"sites": sorted({key[0] for key in sessions}), "sessions": as_one_text({key[1] for key in sessions})}
    for row in store.query(_IDENTIFIED, values):
        if (key := (row["site_id"], row["identifier"])) in users:
            users[key].add(row["user_id"])
    scans = {
        (key[0], time_ms, user_id, key[1])
        for key, session in sessions.items()
        if (time_ms := session.scan_time_ms) is not None
        for user_id in users[key] - {""}
    }
    return _batches(scans, first)


def _batches(scans: Collection[UserScan], first: RowId) -> list[TableBatch]:
    if not scans:
        return []
    ordered = sorted(scans)
    columns: dict[str, list[Any]] = {
        "site_id": [one[0] for one in ordered],
        "scan_time": [one[1] for one in ordered],
        "user_id": [one[2] for one in ordered],
        "scan_session_id": [one[3] for one in ordered],
        "segment_id": [first.segment_id] * len(ordered),
        "segment_row": [first.segment_row] * len(ordered),
    }
    return [TableBatch(table=USER_SCANS, columns=list(columns), data=list(columns.values()))]


_IDENTIFIED: Final = f"""
SELECT site_id, identifier, user_id FROM {IDENTITY_LINKS}
WHERE site_id IN {{sites:Array(String)}} AND kind = '{SESSION}' AND identifier IN {among("sessions")}
"""  # noqa: S608
