"""The scans that led to one conversion, as GetAttribution takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.instants import EARLIEST_MS, timestamp
from qrumb_server.model import Source
from qrumb_server.ports import Reader
from qrumb_server.query.names import Names
from qrumb_server.query.pairs import has_pairs
from qrumb_server.query.paths import Paths
from qrumb_server.query.spans import DAY_MS

__all__ = ["WINDOW_DAYS", "touches_of"]

WINDOW_DAYS: Final = 30
"""How much older than its conversion a scan may be, where the question does not say."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _One:
    time_ms: int
    scan_session_id: str
    user_id: str


def touches_of(store: Reader, row: Row, names: Names, session: Row | None = None) -> list[pb.Touch]:
    """The scans that led to a row of events.attributed_events; none where it is not a conversion.

    Args:
        names: of the users of its site.
        session: the row's own, where it is known already, as `one_event.attributed_event` has it.

    Raises:
        StoreError: the store does not answer.
    """
    if row["source"] != Source.SERVER or row["event_name"] == "refund" or row["is_fraud"]:
        return []
    session_id, site_id = row["scan_session_id"], row["site_id"]
    if not session_id and row["qr_code_id"]:  # consent was denied
        return [pb.Touch(qr_code_id=row["qr_code_id"])]
    known = {session_id: session} if session else {}
    paths = Paths(store, site_id, lambda: has_pairs(store, site_id, EARLIEST_MS), names, known)
    one = _One(time_ms=row["event_time"], scan_session_id=session_id, user_id=row["user_id"])
    [path] = paths.of([one], WINDOW_DAYS * DAY_MS)
    return [
        pb.Touch(qr_code_id=scan.qr_code_id, scan_session_id=scan.scan_session_id, scan_time=timestamp(scan.time_ms))
        for scan in path
    ]
