"""The records of erasures: when, by which key, how many; not whom.

A record is written before anything is changed, and until the erasure is done its segment_id is a hash of what was asked
for. So the same request, sent again after a kill in the middle, finds what was begun, and counts all of it. Then the
record gets an id of its own, and nothing leads from it to the person any more.
"""

import uuid
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from qrumb.v1 import privacy_service_pb2 as pb
from qrumb_server.ports import Clock, EventStore, TableBatch

__all__ = ["Erasures"]

COUNTS: Final = (
    "event_count",
    "rejected_event_count",
    "scan_session_count",
    "identity_count",
    "spooled_event_count",
    "shared_identifier_count",
    "shared_session_count",
)
_BEGUN: Final = "site_id = {site:String} AND segment_id = {begun:String}"


class Erasures:
    """Writes events.erasures. Calls block; every one may raise a StoreError."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def begin(
        self,
        request: pb.EraseSubjectRequest,
        counts: pb.EraseSubjectResponse,
        *,
        key_id: str,
        events_since: Callable[[int], int],
    ) -> None:
        """Keep what is about to be done. What an earlier try had found, and may have erased, is added to `counts`.

        Args:
            key_id: of the key that asked.
            events_since: how many of the person's events were received after a time in milliseconds.
        """
        begun = self._begun(request)
        tries = 0
        if begun is not None:
            tries = begun["segment_row"] + 1
            for name in COUNTS:
                setattr(counts, name, max(begun[name], getattr(counts, name)))
            counts.event_count = max(begun["event_count"] + events_since(begun["erased_time"]), counts.event_count)
        row: dict[str, Any] = {name: getattr(counts, name) for name in COUNTS}
        row |= {
            "site_id": request.site_id,
            "erased_time": self._clock.now_ms(),
            "key_id": key_id,
            "segment_id": _begun_name(request),
            "segment_row": tries,
        }
        self._store.insert(TableBatch(table="events.erasures", columns=list(row), data=[[one] for one in row.values()]))
        if tries:
            self._store.mutate(
                f"ALTER TABLE events.erasures DELETE WHERE {_BEGUN} AND segment_row < {{tries:UInt32}}",
                {**_parameters(request), "tries": tries},
            )

    def finish(self, request: pb.EraseSubjectRequest) -> str:
        """It is done; returns the id of the record."""
        erasure_id = str(uuid.uuid4())
        self._store.mutate(
            f"ALTER TABLE events.erasures UPDATE segment_id = {{id:String}} WHERE {_BEGUN}",
            {**_parameters(request), "id": erasure_id},
        )
        return erasure_id

    def _begun(self, request: pb.EraseSubjectRequest) -> dict[str, Any] | None:
        rows = self._store.query(
            f"SELECT * FROM events.erasures WHERE {_BEGUN} ORDER BY segment_row DESC LIMIT 1",  # noqa: S608
            _parameters(request),
        )
        return rows[0] if rows else None


def _parameters(request: pb.EraseSubjectRequest) -> dict[str, str]:
    return {"site": request.site_id, "begun": _begun_name(request)}


def _begun_name(request: pb.EraseSubjectRequest) -> str:
    named = request.SerializeToString(deterministic=True)
    return f"begun-{blake2b(named, digest_size=16, person=b'erasure').hexdigest()}"
