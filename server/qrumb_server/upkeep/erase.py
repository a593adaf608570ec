"""Erasure of a person: from every table, the dead letters and the spool.

Rows of events stay, so that what was counted stays counted; what could lead to the person is blanked in them. A scan
session of the person alone gets another name in every table, so that its scan, visits and conversions stay together,
with what names it later (`loader/erased.py`). What is in the spool is loaded first, so that there is one place to erase
from. The statements name a state, so an erasure that was cut off is ended by the next. What was done is a row of
events.erasures, which does not say to whom.
"""

import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError

from qrumb.v1 import privacy_service_pb2 as pb
from qrumb_server.errors import StoreUnavailableError
from qrumb_server.loader.changes import WAITING_SESSIONS, Hold
from qrumb_server.loader.erased import ErasedSessions, erased_link
from qrumb_server.loader.ledger import erased_ledger_batch
from qrumb_server.loader.loop import Loader
from qrumb_server.loader.rows import RowId, link_batch
from qrumb_server.loader.user_scans import USER_SCANS
from qrumb_server.pipeline.erasure import BLANKED
from qrumb_server.pipeline.identity import Link
from qrumb_server.ports import Clock, EventStore, TableBatch
from qrumb_server.spool.reader import find_records, remove_quarantined, segment_ids
from qrumb_server.upkeep.erasures import Erasures
from qrumb_server.upkeep.subject import NEEDLES, Subject, find_letters, find_subject
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["Eraser", "wait_for_spool"]

# Segments are sealed after half a second and loaded in moments; longer means that the store is away.
SPOOL_PATIENCE: Final = timedelta(seconds=20)
POLL_SECONDS: Final = 0.05
# Begins the name that a session has after its person was erased.
RENAMED: Final = "erased-"
_OF_SESSIONS: Final = "site_id = {site:String} AND scan_session_id IN {sessions:Array(String)}"
_OF_USERS: Final = "site_id = {site:String} AND user_id IN {users:Array(String)}"
_BLANK: Final = ", ".join(f"{column} = {value!r}" for column, value in {**BLANKED, "identified_user_id": ""}.items())

_BLANK_SCAN: Final = {"user_id": "", "city": "", "referrer": "", "landing_page_url": "", "labels": "{}"}


class Eraser:
    """Erases in the loader's process. Calls block; every one may raise a StoreError."""

    def __init__(self, *, store: EventStore, loader: Loader, spool_root: Path, clock: Clock) -> None:
        self._store = store
        self._loader = loader
        self._spool_root = spool_root
        self._clock = clock
        self._erasures = Erasures(store, clock)

    def erase(self, request: pb.EraseSubjectRequest, key_id: str = "") -> pb.EraseSubjectResponse:
        """Erase all that leads to the person, and count it; with validate_only count it alone.

        Args:
            request: names at least one thing.
            key_id: of the key that asked, for the record; empty for the node's own commands.
        """
        if request.validate_only:
            subject = find_subject(self._store, request)
            return self._counts(subject, request)
        given = find_subject(self._store, request)
        spooled = self._count_spooled(given)
        self._wait_for_spool()
        with self._loader.exclusively(SPOOL_PATIENCE):
            subject = find_subject(self._store, request)
            found = self._counts(subject, request)
            found.spooled_event_count = spooled
            response = pb.EraseSubjectResponse()
            response.CopyFrom(found)
            self._erasures.begin(
                request, response, key_id=key_id, events_since=lambda time_ms: self._events_since(time_ms, subject)
            )
            with self._loader.changes.holding() as hold:
                self._mark_hours(subject, hold)
                self._erase(subject, found)
            response.erasure_id = self._erasures.finish(request)
            self._loader.forget()
        remove_quarantined(self._spool_root, [name.encode() for name in sorted(subject.texts)])
        return response

    def _counts(self, subject: Subject, request: pb.EraseSubjectRequest) -> pb.EraseSubjectResponse:
        """What there is to erase, by table."""
        return pb.EraseSubjectResponse(
            event_count=self._count(f"events.valid_events WHERE {subject.events}", subject),
            rejected_event_count=len(find_letters(self._store, subject)),
            scan_session_count=self._count(f"events.scan_sessions FINAL WHERE {subject.scan_sessions}", subject),
            identity_count=self._count(f"events.identity_links FINAL WHERE {subject.links}", subject),
            spooled_event_count=self._count_spooled(subject),
            user_ids=sorted(subject.users),
            shared_identifier_count=len(subject.shared_identifiers),
            shared_session_count=len(subject.shared_sessions),
            validate_only=request.validate_only,
        )

    def _erase(self, subject: Subject, found: pb.EraseSubjectResponse) -> None:
        names = self._rename_sessions(subject)
        if found.event_count:
            self._mutate(
                f"ALTER TABLE events.valid_events UPDATE {_BLANK} WHERE {subject.events}",
                subject,
            )
        if self._count(f"events.valid_events WHERE {subject.mistaken}", subject):
            self._mutate(
                "ALTER TABLE events.valid_events UPDATE user_id = identified_user_id, "
                f"user_id_source = if(identified_user_id = '', '', user_id_source) WHERE {subject.mistaken}",
                subject,
            )
        if names:
            self._move_sessions(subject, names)
        if self._count(f"{WAITING_SESSIONS} WHERE {_OF_SESSIONS}", subject):
            self._mutate(f"ALTER TABLE {WAITING_SESSIONS} DELETE WHERE {_OF_SESSIONS}", subject)
        # Before the links: without these nothing would say whose they are, when a request that was cut off comes again.
        for scans in (_OF_SESSIONS, _OF_USERS):
            if self._count(f"{USER_SCANS} WHERE {scans}", subject):
                self._mutate(f"ALTER TABLE {USER_SCANS} DELETE WHERE {scans}", subject)
        letters = find_letters(self._store, subject)
        if letters:
            # First, so that an erasure that is cut off is finished by the next, and no letter is left out of the count.
            self._store.insert_missing(erased_ledger_batch(letters))
        places = [(letter["segment_id"], letter["segment_row"]) for letter in letters]
        for start in range(0, len(places), NEEDLES):
            self._store.mutate(
                "ALTER TABLE events.invalid_events DELETE "
                "WHERE (segment_id, segment_row) IN {letters:Array(Tuple(String, UInt32))}",
                {"letters": places[start : start + NEEDLES]},
            )
        if subject.users:
            self._mutate(
                "ALTER TABLE events.scan_sessions UPDATE user_id = '' "
                "WHERE site_id = {site:String} AND user_id IN {users:Array(String)}",
                subject,
            )
        if found.identity_count:
            self._keep_shared(subject)
            self._mutate(
                f"ALTER TABLE events.identity_links DELETE WHERE {subject.links}",
                subject,
            )

    def _mark_hours(self, subject: Subject, hold: Hold) -> None:
        """All that count rows of the person, before these change."""
        for rows in (subject.events, subject.mistaken, _OF_SESSIONS):
            hold.mark_rows(rows, subject.parameters(rows))
        hold.mark_sessions(_OF_SESSIONS, subject.parameters(_OF_SESSIONS))

    def _rename_sessions(self, subject: Subject) -> dict[str, str]:
        """New names of the person's own sessions; registered ones are stored under them, if they are not yet.

        What leads from the old names to the new ones is kept first, so that an erasure that was cut off is ended with
        the names that it gave.
        """
        given = self._names_given(subject)
        names = {session: given.get(session) or f"{RENAMED}{uuid.uuid4().hex}" for session in sorted(subject.sessions)}
        if not names:
            return names
        now_ms = self._clock.now_ms()
        fresh = {
            erased_link(subject.site_id, session, name): now_ms
            for session, name in names.items()
            if session not in given
        }
        if fresh:
            self._store.insert(link_batch(fresh, _new_place()))
        mine = (
            "SELECT * FROM events.scan_sessions FINAL "
            "WHERE site_id = {site:String} AND scan_session_id IN {sessions:Array(String)}"
        )
        rows = self._store.query(mine, subject.parameters(mine))
        if rows:
            # Of the same versions: a row that an earlier try has stored is the same row.
            renamed = [{**row, "scan_session_id": names[row["scan_session_id"]], **_BLANK_SCAN} for row in rows]
            self._store.insert(_as_batch("events.scan_sessions", renamed))
        return names

    def _names_given(self, subject: Subject) -> dict[str, str]:
        """Those that an erasure that was cut off has given to sessions."""
        erased = ErasedSessions(self._store, monotonic=time.monotonic)
        names = erased.names({(subject.site_id, session) for session in subject.sessions})
        return {session: name for (_site_id, session), name in names.items()}

    def _move_sessions(self, subject: Subject, names: Mapping[str, str]) -> None:
        self._store.mutate(
            "ALTER TABLE events.valid_events UPDATE scan_session_id = "
            "transform(scan_session_id, {sessions:Array(String)}, {names:Array(String)}, scan_session_id) "
            "WHERE site_id = {site:String} AND scan_session_id IN {sessions:Array(String)}",
            {"site": subject.site_id, "sessions": list(names), "names": list(names.values())},
        )
        self._mutate(
            "ALTER TABLE events.scan_sessions DELETE "
            "WHERE site_id = {site:String} AND scan_session_id IN {sessions:Array(String)}",
            subject,
        )

    def _keep_shared(self, subject: Subject) -> None:
        """What others share with the person stays shared, with no one: else it would seem to be theirs alone."""
        rows = self._store.query(
            "SELECT kind, identifier FROM events.identity_links FINAL WHERE site_id = {site:String} "
            "AND kind IN ('email', 'phone') AND identifier IN {shared:Array(String)} "
            "GROUP BY kind, identifier HAVING countIf(user_id IN {users:Array(String)}) > 0 "
            "AND countIf(user_id NOT IN {users:Array(String)} AND user_id != '') > 0",
            subject.parameters("{site: {users:") | {"shared": sorted(subject.shared_identifiers)},
        )
        # From now on, so that the others come before it.
        now_ms = self._clock.now_ms()
        links = {
            Link((subject.site_id, row["kind"], row["identifier"]), f"{RENAMED}{uuid.uuid4().hex}"): now_ms
            for row in rows
        }
        if links:
            self._store.insert(link_batch(links, _new_place()))

    def _count_spooled(self, subject: Subject) -> int:
        places = set()
        for text in subject.texts:
            for found in find_records(self._spool_root, text.encode()):
                if _is_event_of(found.record, subject.site_id):
                    places.add((found.segment_id, found.row))
        return len(places)

    def _wait_for_spool(self) -> None:
        wait_for_spool(self._spool_root, self._loader)

    def _events_since(self, time_ms: int, subject: Subject) -> int:
        sql = (
            f"SELECT count() AS number FROM events.valid_events WHERE {subject.events} "  # noqa: S608
            "AND received_time > {since:DateTime64(3, 'UTC')}"
        )
        [row] = self._store.query(sql, {**subject.parameters(sql), "since": time_ms})
        return int(row["number"])

    def _count(self, selection: str, subject: Subject) -> int:
        [row] = self._store.query(f"SELECT count() AS number FROM {selection}", subject.parameters(selection))  # noqa: S608
        return int(row["number"])

    def _mutate(self, sql: str, subject: Subject) -> None:
        self._store.mutate(sql, subject.parameters(sql))


def _new_place() -> RowId:
    return RowId(segment_id=f"{RENAMED}{uuid.uuid4()}", segment_row=0)


def _as_batch(table: str, rows: Sequence[Mapping[str, Any]]) -> TableBatch:
    columns = list(rows[0])
    return TableBatch(table=table, columns=columns, data=[[row[name] for row in rows] for name in columns])


def wait_for_spool(spool_root: Path, loader: Loader) -> None:
    """Until everything is loaded that was in the spool when this began.

    Raises:
        StoreUnavailableError: it takes too long.
    """
    waited_for = segment_ids(spool_root)  # by name: a clock that stepped back tells nothing of their age
    deadline = time.monotonic() + SPOOL_PATIENCE.total_seconds()
    while waited_for & segment_ids(spool_root):
        if time.monotonic() > deadline:
            raise StoreUnavailableError(loader.last_error or "the spool is not loaded yet")
        time.sleep(POLL_SECONDS)


def _is_event_of(data: bytes, site_id: str) -> bool:
    try:
        record = Record.FromString(data)
    except DecodeError:
        return False
    if record.WhichOneof("kind") == "accepted_event":
        return record.accepted_event.row.site_id == site_id
    return record.WhichOneof("kind") == "dead_letter" and record.dead_letter.site_id == site_id
