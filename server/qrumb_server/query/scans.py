"""Scans, and whether they count by what is known now: SQL for counts, funnels and sessions.

A scan is suspect for the reasons that it was stored with. Two of them, those of `CLEARED`, only say that the page may
have been seen by no one: an unmarked browser event of the session shows that it was seen, whichever of the two arrived
first. A scan that counts and has such an event is confirmed.
"""

from typing import Any, Final

import orjson

from qrumb.v1 import scan_session_service_pb2 as pb
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.instants import EARLIEST_MS, timestamp
from qrumb_server.model import FraudReason
from qrumb_server.pipeline.consent import STATED
from qrumb_server.query.pairs import events_once
from qrumb_server.query.spans import DAY_MS

__all__ = [
    "CLEARED",
    "IS_OF_SCAN",
    "IS_VISIT",
    "ONE_SESSION",
    "REASONS_LEFT",
    "judged_scans",
    "of_sessions",
    "seen_in",
    "session_of",
    "since_ms",
    "verdict_of",
]

CLEARED: Final = (FraudReason.HEAD_REQUEST, FraudReason.PREFETCH)
"""Reasons that a visit clears."""
# A visit that is older than its scan is marked, beyond the tolerance of a site, and marks are judged again for a week.
_EARLIER_MS: Final = 7 * DAY_MS
IS_OF_SCAN: Final = f"toUnixTimestamp64Milli({{time}}) >= toUnixTimestamp64Milli(scan_time) - {_EARLIER_MS}"
"""Whether an event of a session counts for its scan, by event_time and received_time: the same in every range."""
IS_VISIT: Final = "event_type != '' AND is_fraud = 0"
"""Condition on an event told once: a page was seen."""
_CLEARED_SQL: Final = ", ".join(repr(str(reason)) for reason in CLEARED)
REASONS_LEFT: Final = f"arrayFilter(reason -> NOT (visited AND reason IN ({_CLEARED_SQL})), fraud_reasons)"
"""Why a scan is suspect by now, `visited` saying whether its session has a visit."""


def since_ms(from_ms: int) -> int:
    """From when on events can belong to the scans of a range that begins at `from_ms`."""
    return max(from_ms - _EARLIER_MS, EARLIEST_MS)


def _with_verdict(scans: str, visits: str) -> str:
    """The scans that meet a condition, by the visits of a SELECT. A set of those that have any takes half the memory of
    one time for each."""
    scanned = f"SELECT * FROM events.scan_sessions FINAL WHERE site_id = {{site:String}} AND {scans}"  # noqa: S608
    return f"""
    SELECT *, notEmpty({REASONS_LEFT}) AS is_suspect, visited AND NOT is_suspect AS is_confirmed
    FROM
    (
        SELECT *, scan_session_id GLOBAL IN
        (
            SELECT scan_session_id FROM ({visits}) AS visits
            GLOBAL INNER JOIN (SELECT scan_session_id, scan_time FROM ({scanned}) AS scanned) AS scanned
            USING (scan_session_id)
            WHERE {IS_OF_SCAN.format(time="event_time")} AND {IS_OF_SCAN.format(time="received_time")}
        ) AS visited
        FROM ({scanned}) AS scans
    ) AS judged
    """  # noqa: S608


def of_sessions(scanned: str) -> str:
    """Condition on events: of the sessions whose scan_time meets a condition (`since` as since_ms)."""
    return f"""
        event_time >= {{since:DateTime64(3, 'UTC')}} AND scan_session_id GLOBAL IN
        (
            SELECT scan_session_id FROM events.scan_sessions WHERE site_id = {{site:String}} AND {scanned}
        )
    """  # noqa: S608


def judged_scans(scanned: str, *, merges: bool) -> str:
    """The scans whose scan_time meets a condition: rows of events.scan_sessions, visited, is_suspect and is_confirmed.

    Args:
        merges: as of events_once.
    """
    visits = events_once(_OF_VISITS, f"{IS_VISIT} AND {of_sessions(scanned)}", merges=merges)
    return _with_verdict(scanned, visits)


_OF_VISITS: Final = ("scan_session_id", "event_type", "event_time", "received_time", "is_fraud")


def seen_in(condition: str, *, merges: bool) -> str:
    """What the sessions that meet a condition show since `since`: `visited`, and `is_marked` where all of their events
    are marked."""
    return f"""
        SELECT scan_session_id, max({IS_VISIT}) AS visited, min(is_fraud) AS is_marked
        FROM ({events_once(_OF_VISITS, condition, merges=merges)}) AS told GROUP BY scan_session_id
    """  # noqa: S608


_THIS: Final = "scan_session_id = {session:String}"
# Of a pair one copy may name another session, or none.
_ITS_EVENTS: Final = f"""
    event_id GLOBAL IN (SELECT event_id FROM events.valid_events WHERE site_id = {{site:String}} AND {_THIS})
"""  # noqa: S608
ONE_SESSION: Final = _with_verdict(_THIS, events_once(_OF_VISITS, f"{IS_VISIT} AND {_THIS}", rows=_ITS_EVENTS))
"""The same of one session."""


def session_of(row: dict[str, Any]) -> ScanSession:
    """A row of ONE_SESSION as it was registered, less what was only used."""
    session = ScanSession(
        site_id=row["site_id"],
        scan_session_id=row["scan_session_id"],
        qr_code_id=row["qr_code_id"],
        scan_time=timestamp(row["scan_time"]),
        user_id=row["user_id"],
        request_method=row["request_method"],
        is_prefetch=bool(row["is_prefetch"]),
        referrer=row["referrer"],
        landing_page_url=row["landing_page_url"],
        consent=next((state for state, name in STATED.items() if name == row["consent"]), None),
    )
    if row["labels"] not in {"", "{}"}:
        session.labels.update(orjson.loads(row["labels"]))
    return session


def verdict_of(row: dict[str, Any]) -> pb.ScanVerdict:
    """A row of ONE_SESSION in words of the contract."""
    return pb.ScanVerdict(
        device_type=row["device_type"],
        browser_family=row["browser_family"],
        os_family=row["os_family"],
        country_code=row["country_code"],
        city=row["city"],
        consent=row["consent"],
        fraud_reasons=row["fraud_reasons"],
        is_confirmed=bool(row["is_confirmed"]),
        is_suspect=bool(row["is_suspect"]),
    )
