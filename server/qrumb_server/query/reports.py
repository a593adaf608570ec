"""What became of events: receipts, dead letters, sessions and the ledger, from the store and the spool of this node.

The spool is looked at before the store: an event on its way from the one to the other is then seen at least once.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.scan_session_service_pb2 import GetScanSessionResponse
from qrumb_server.instants import milliseconds, timestamp
from qrumb_server.ports import Clock, Seen
from qrumb_server.query.alarms import list_alarms
from qrumb_server.query.identities import Identities
from qrumb_server.query.names import Names
from qrumb_server.query.one_event import attributed_event, rows_of_event
from qrumb_server.query.reads import Reader
from qrumb_server.query.rows import (
    as_event_row,
    as_rejected_event,
    as_violations,
    first_fitting,
    parse_place,
    place_text,
)
from qrumb_server.query.scans import ONE_SESSION, session_of, verdict_of
from qrumb_server.query.spool_counts import MINUTE_MS, SpoolCounts, received_ms, site_of
from qrumb_server.query.touches import touches_of
from qrumb_server.reasons.events import add_help
from qrumb_server.spool.reader import FoundRecord, find_records
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["Reports"]

DEFAULT_PAGE: Final = 100
DAY_MS: Final = 86_400_000
Row = Mapping[str, Any]


class Reports:
    """Reads for one node. Calls block; every one may raise a StoreError or an OSError of the spool's disk.

    Args:
        seen: what need not be asked for; None: others write to the store, too.
    """

    def __init__(self, *, store: Reader, spool_root: Path, clock: Clock, seen: Seen | None = None) -> None:
        self._store = store
        self._seen = seen
        self._spool_root = spool_root
        self._clock = clock
        self._counts = SpoolCounts(spool_root)
        self.identities = Identities(store)

    def get_receipt(self, site_id: str, event_id: str) -> pb.GetReceiptResponse:
        """What became of one event; `event_id` in canonical lower case."""
        spooled = self._spooled_arrivals(site_id, event_id)
        # Rejected before stored: a replay stores an event first, and then takes its letter from the rejected ones.
        may_be_rejected = self._seen is None or self._seen.may_be_rejected(event_id)
        rejected = self._store.query(_REJECTED, {"site": site_id, "event": event_id}) if may_be_rejected else []
        rejected.sort(key=_PLACE, reverse=True)
        stored = rows_of_event(self._store, site_id, event_id)
        loaded = {(row["segment_id"], row["segment_row"]) for row in (*stored, *rejected)}
        waiting = [(found, record) for found, record in spooled if (found.segment_id, found.row) not in loaded]
        response = pb.GetReceiptResponse(
            event_id=event_id,
            arrival_count=len(stored) + len(rejected) + len(waiting),
            conflict_count=_conflicts(stored),
        )
        times = [row["received_time"] for row in (*stored, *rejected)] + [received_ms(one) for _found, one in waiting]
        if times:
            response.received_time.CopyFrom(timestamp(min(times)))
        _fill_fate(response, stored, rejected, [record for _found, record in waiting])
        if stored:
            self._fill_row(response, stored)
        return response

    def list_alarms(self, site_id: str) -> pb.ListAlarmsResponse:
        """What the site's `watch` rules say is wrong."""
        return list_alarms(self._store, site_id)

    def list_rejected(self, request: pb.ListRejectedEventsRequest) -> pb.ListRejectedEventsResponse:
        """Dead letters that were not replayed, the newest first. An empty site_id lists those of all sites.

        Raises:
            BadPlaceError: the page_token is none of ours.
        """
        size = request.page_size or DEFAULT_PAGE
        conditions = ["replayed_time IS NULL"]
        parameters: dict[str, Any] = {"size": size + 1}
        if request.site_id:
            conditions.append("site_id = {site:String}")
            parameters["site"] = request.site_id
        if request.reason:
            conditions.append("has(reasons, {reason:String})")
            parameters["reason"] = Violation.Reason.Name(request.reason)
        if request.HasField("since_time"):
            conditions.append("received_time >= {since:DateTime64(3, 'UTC')}")
            parameters["since"] = milliseconds(request.since_time)
        if request.page_token:
            conditions.append(
                "(received_time, segment_id, segment_row) < "
                "({time:DateTime64(3, 'UTC')}, {segment:String}, {row:UInt32})"
            )
            place = parse_place(request.page_token)
            parameters |= {"time": place.time_ms, "segment": place.segment_id, "row": place.segment_row}
        rows = self._store.query(
            "SELECT * FROM events.invalid_events "  # noqa: S608
            f"WHERE {' AND '.join(conditions)} ORDER BY received_time DESC, segment_id DESC, segment_row DESC "
            "LIMIT {size:UInt32}",
            parameters,
        )
        page = first_fitting(as_rejected_event(row) for row in rows[:size])
        return pb.ListRejectedEventsResponse(
            rejected_events=page,
            next_page_token=place_text(rows[len(page) - 1]) if len(rows) > len(page) else "",
        )

    def get_scan_session(self, site_id: str, scan_session_id: str) -> GetScanSessionResponse | None:
        """A registered session, spooled or stored; None if there is none."""
        spooled = [
            record.session_registration.scan_session
            for _found, record in self._find(scan_session_id)
            if record.WhichOneof("kind") == "session_registration"
            and record.session_registration.scan_session.site_id == site_id
            and record.session_registration.scan_session.scan_session_id == scan_session_id
        ]
        rows = self._store.query(ONE_SESSION, {"site": site_id, "session": scan_session_id})
        if rows:
            return GetScanSessionResponse(scan_session=session_of(rows[0]), verdict=verdict_of(rows[0]))
        if not spooled:
            return None
        return GetScanSessionResponse(scan_session=min(spooled, key=lambda one: milliseconds(one.scan_time)))

    def get_ledger(self, request: pb.GetLedgerRequest) -> pb.GetLedgerResponse:
        """The ledger of one site, or of all where site_id is empty, minute by minute."""
        to_ms = milliseconds(request.to_time) if request.HasField("to_time") else self._clock.now_ms() + MINUTE_MS
        from_ms = milliseconds(request.from_time) if request.HasField("from_time") else to_ms - DAY_MS
        spooled = self._counts.by_segment()
        entries = {
            row["minute_time"]: pb.LedgerEntry(
                minute_time=timestamp(row["minute_time"]),
                received_count=row["received"],
                stored_count=row["stored"],
                rejected_count=row["rejected"],
                unique_count=row["uniques"],
                duplicate_count=row["duplicates"],
                conflict_count=row["conflicts"],
                fraud_count=row["frauds"],
                scan_received_count=row["scans"],
                scan_registered_count=row["registered"],
                scan_rejected_count=row["refused"],
            )
            for row in self._store.query(_LEDGER, {"site": request.site_id, "from": from_ms, "to": to_ms})
        }
        loaded = {(row["segment_id"], row["minute_time"]) for row in self._loaded_segments(spooled)}
        for segment_id, counts in spooled.items():
            for (site_id, minute_ms, is_scan), count in counts.items():
                is_asked_for = request.site_id in {"", site_id} and from_ms <= minute_ms < to_ms
                if not is_asked_for or (segment_id, minute_ms) in loaded:
                    continue
                entry = entries.setdefault(minute_ms, pb.LedgerEntry(minute_time=timestamp(minute_ms)))
                if is_scan:
                    entry.scan_spooled_count += count
                    entry.scan_received_count += count
                else:
                    entry.spooled_count += count
                    entry.received_count += count
        return pb.GetLedgerResponse(entries=[entries[minute] for minute in sorted(entries)])

    def _loaded_segments(self, segment_ids: Collection[str]) -> list[dict[str, Any]]:
        if not segment_ids:
            return []
        return self._store.query(
            "SELECT DISTINCT segment_id, minute_time FROM events.ledger WHERE segment_id IN {segments:Array(String)}",
            {"segments": sorted(segment_ids)},
        )

    def _spooled_arrivals(self, site_id: str, event_id: str) -> list[tuple[FoundRecord, Record]]:
        return [
            (found, record)
            for found, record in self._find(event_id)
            if site_of(record) == site_id and _event_id_of(record) == event_id
        ]

    def _find(self, text: str) -> Iterator[tuple[FoundRecord, Record]]:
        """One after the other: after a long outage of the store the spool is larger than the memory."""
        for one in find_records(self._spool_root, text.encode()):
            try:
                record = Record.FromString(one.record)
            except DecodeError:
                continue  # written by a newer version: not ours to report
            yield one, record

    def _fill_row(self, response: pb.GetReceiptResponse, stored: Sequence[Row]) -> None:
        if found := attributed_event(self._store, stored):
            names = Names(self._store, found.row["site_id"], self._seen)
            response.row.CopyFrom(as_event_row(found.row))
            response.warnings.extend(self.identities.warnings(found.row, names, found.lent))
            response.touches.extend(touches_of(self._store, found.row, names, found.session))
            add_help((), response.warnings)


_PLACE: Final = itemgetter("received_time", "segment_id", "segment_row")
_REJECTED: Final = """
SELECT segment_id, segment_row, received_time, reasons, fields, descriptions FROM events.invalid_events
WHERE event_id = {event:String} AND site_id = {site:String} AND replayed_time IS NULL
"""
_LEDGER: Final = """
SELECT minute_time, sum(received_count) AS received, sum(stored_count) AS stored,
    greatest(toInt64(sum(rejected_count)) - toInt64(sum(replayed_count)), 0) AS rejected, sum(unique_count) AS uniques,
    sum(duplicate_count) AS duplicates, sum(conflict_count) AS conflicts, sum(fraud_count) AS frauds,
    sum(scan_received_count) AS scans, sum(scan_registered_count) AS registered, sum(scan_rejected_count) AS refused
FROM events.ledger
WHERE ({site:String} = '' OR site_id = {site:String})
    AND minute_time >= {from:DateTime64(3, 'UTC')} AND minute_time < {to:DateTime64(3, 'UTC')}
GROUP BY minute_time
HAVING received > 0 OR stored > 0 OR scans > 0
"""


def _conflicts(stored: Sequence[Row]) -> int:
    """Arrivals that differ from the first one of their side. An erased row has nothing left to compare."""
    originals: dict[str, int] = {}
    for row in stored:
        originals.setdefault(row["source"], row["fingerprint"])
    return sum(
        bool(row["fingerprint"] and originals[row["source"]]) and row["fingerprint"] != originals[row["source"]]
        for row in stored
    )


def _fill_fate(
    response: pb.GetReceiptResponse, stored: Sequence[Row], rejected: Sequence[Row], waiting: Sequence[Record]
) -> None:
    """A stored event counts whatever else arrived under its id; then what is on its way; then what was refused."""
    accepted = [record for record in waiting if record.WhichOneof("kind") == "accepted_event"]
    refused = [record for record in waiting if record.WhichOneof("kind") == "dead_letter"]
    if stored:
        # A browser's and a backend's copy are one event, and no repetition.
        sides = [row["source"] for row in stored] + [record.accepted_event.row.source for record in accepted]
        is_repeated = len(sides) > len(set(sides))
        response.fate = pb.GetReceiptResponse.DUPLICATE if is_repeated else pb.GetReceiptResponse.STORED
    elif accepted:
        response.fate = pb.GetReceiptResponse.SPOOLED
    elif refused:
        response.fate = pb.GetReceiptResponse.REJECTED
        response.violations.extend(refused[-1].dead_letter.violations)
        add_help(response.violations)
    elif rejected:
        response.fate = pb.GetReceiptResponse.REJECTED
        response.violations.extend(as_violations(rejected[0]))
    else:
        response.fate = pb.GetReceiptResponse.NOT_SEEN


def _event_id_of(record: Record) -> str:
    if record.WhichOneof("kind") == "accepted_event":
        return record.accepted_event.row.event_id
    return record.dead_letter.event_id
