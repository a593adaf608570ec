"""What is stored about a person, as data-protection law requires on request: the rows that an erasure would touch.

By the same finder as erasure, so that neither reaches further than the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import orjson

from qrumb.v1 import privacy_service_pb2 as pb
from qrumb_server.instants import timestamp
from qrumb_server.loader.loop import Loader
from qrumb_server.ports import EventStore
from qrumb_server.query.rows import BadPlaceError, first_fitting
from qrumb_server.upkeep.erase import wait_for_spool
from qrumb_server.upkeep.subject import Subject, find_letters, find_subject

__all__ = ["Exporter"]

PAGE: Final = 500
# By row, so that a later page goes on where the one before ended. What erasure keeps of itself names no person.
TABLES: Final = {
    "valid_events": "received_time, segment_id, segment_row",
    "invalid_events": "",
    "scan_sessions": "scan_session_id",
    "identity_links": "kind, identifier, user_id",
}


class Exporter:
    """Reads in the loader's process. Calls block; every one may raise a StoreError."""

    def __init__(self, *, store: EventStore, loader: Loader, spool_root: Path) -> None:
        self._store = store
        self._loader = loader
        self._spool_root = spool_root

    def export(self, request: pb.ExportSubjectRequest) -> pb.ExportSubjectResponse:
        """One page of the person's rows. Raises BadPlaceError where page_token is none of ours."""
        table, offset = _parse_token(request.page_token)
        if not request.page_token:
            wait_for_spool(self._spool_root, self._loader)
        subject = find_subject(self._store, request)
        found = list(self._page(subject, table, offset))
        records = first_fitting(record for record, _place in found)
        is_last = len(records) == len(found) < PAGE
        return pb.ExportSubjectResponse(
            records=records,
            next_page_token="" if is_last else found[len(records) - 1][1],
            user_ids=sorted(subject.users),
            shared_identifier_count=len(subject.shared_identifiers),
            shared_session_count=len(subject.shared_sessions),
        )

    def _page(self, subject: Subject, first_table: int, offset: int) -> Iterator[tuple[pb.SubjectRecord, str]]:
        """Rows with the token that goes on behind each of them."""
        left = PAGE
        for index, table in list(enumerate(TABLES))[first_table:]:
            if left <= 0:
                return
            rows = self._rows(subject, table, offset, left)
            for place, row in enumerate(rows, offset + 1):
                yield pb.SubjectRecord(table=table, row=_as_json(row)), f"{index}.{place}"
            left -= len(rows)
            offset = 0

    def _rows(self, subject: Subject, table: str, offset: int, limit: int) -> Sequence[Mapping[str, Any]]:
        if table == "invalid_events":
            return find_letters(self._store, subject)[offset : offset + limit]
        condition, final = {
            "valid_events": (subject.events, ""),
            "scan_sessions": (subject.scan_sessions, "FINAL"),
            "identity_links": (subject.links, "FINAL"),
        }[table]
        return self._store.query(
            f"SELECT * FROM events.{table} {final} WHERE {condition} ORDER BY {TABLES[table]} "  # noqa: S608
            "LIMIT {limit:UInt32} OFFSET {offset:UInt32}",
            {**subject.parameters(condition), "limit": limit, "offset": offset},
        )


def _parse_token(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    table, _, offset = text.partition(".")
    is_ours = all(part.isascii() and part.isdecimal() and len(part) < 10 for part in (table, offset))
    if not is_ours or int(table) >= len(TABLES):
        raise BadPlaceError
    return int(table), int(offset)


def _as_json(row: Mapping[str, Any]) -> str:
    """Times as RFC 3339: they are the columns whose names say so."""
    said = {
        name: timestamp(value).ToJsonString() if name.endswith("_time") and isinstance(value, int) else value
        for name, value in row.items()
    }
    return orjson.dumps(said, default=_as_text).decode()


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(type(value).__name__)
