"""From spool records to the columns of the tables: one batch per table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, NamedTuple

import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.errors import BadRowsError
from qrumb_server.instants import EARLIEST_MS, LATEST_MS, milliseconds
from qrumb_server.pipeline.identity import Label, Link, identifiers_of, label_version, own_label
from qrumb_server.ports import TableBatch
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter, RegistrationRefusal, SessionRegistration

__all__ = [
    "IDENTITY_LINKS",
    "INVALID_EVENTS",
    "LEDGER",
    "LOADER_STAGE",
    "OWN_COLUMNS",
    "REPLAYED",
    "SCAN_SESSIONS",
    "VALID_EVENTS",
    "PlacedEvent",
    "PlacedLetter",
    "PlacedRefusal",
    "PlacedSession",
    "RowId",
    "client_time_text",
    "dead_letter_batch",
    "event_batch",
    "identified_user",
    "link_batch",
    "refused_event",
]

VALID_EVENTS: Final = "events.valid_events"
INVALID_EVENTS: Final = "events.invalid_events"
SCAN_SESSIONS: Final = "events.scan_sessions"
IDENTITY_LINKS: Final = "events.identity_links"
LEDGER: Final = "events.ledger"
OWN_COLUMNS: Final = ("client_event_time_text", "identified_user_id", "ip_key", "segment_id", "segment_row")
"""Columns of events.valid_events that are not fields of `EventRow`."""
LOADER_STAGE: Final = "loader"
# Before the segment of a letter, it names the row that a replay made of it.
REPLAYED: Final = "replay:"


class RowId(NamedTuple):
    """The identity of a row for ever: its place in the spool. A tuple, since one is made and hashed for each row."""

    segment_id: str
    segment_row: int


class PlacedEvent(NamedTuple):
    """An accepted event and its place."""

    row_id: RowId
    event: AcceptedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedLetter:
    """A dead letter and its place."""

    row_id: RowId
    letter: DeadLetter
    stage: str
    """Who refused it: collector or loader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedSession:
    """A registered scan session and its place."""

    row_id: RowId
    registration: SessionRegistration


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedRefusal:
    """A call's registrations of one site that were rejected, and their place."""

    row_id: RowId
    refusal: RegistrationRefusal


def identified_user(event: AcceptedEvent) -> str:
    """The user that an event's own identifiers name by themselves; empty where the row is not to say so."""
    if event.row.user_id_source != "identifiers":
        return ""
    return own_label(event.row.site_id, identifiers_of(event.user_identifiers), 0).user_id


def _client_time(row: EventRow) -> int | None:
    """A client's time may be anything; the nearest that the column holds is kept."""
    if not row.HasField("client_event_time"):
        return None
    return max(EARLIEST_MS, min(milliseconds(row.client_event_time), LATEST_MS))


def client_time_text(row: EventRow) -> str:
    """A client's time as it was sent, where the column does not hold it; else empty."""
    if not row.HasField("client_event_time") or _client_time(row) == milliseconds(row.client_event_time):
        return ""
    return row.client_event_time.ToJsonString()


# Read in one go: by field it takes three times as long.
_FIELDS: Final = [field for field in EventRow.DESCRIPTOR.fields if field.name != "client_event_time"]
_READ: Final = attrgetter(*(field.name for field in _FIELDS))


def _values(field: Any, values: Sequence[Any]) -> Sequence[Any]:
    if field.name == "conversion_value":
        return [Decimal(text) if text else None for text in values]
    if field.message_type is Timestamp.DESCRIPTOR:
        return [time.seconds * 1000 + time.nanos // 1_000_000 for time in values]
    if field.is_repeated:
        return list(map(list, values)) if any(values) else [()] * len(values)
    return values


def _columns(placed: Sequence[PlacedEvent]) -> dict[str, Sequence[Any]]:
    row_ids, events = zip(*placed, strict=True) if placed else ((), ())
    rows = [event.row for event in events]
    read = list(zip(*map(_READ, rows), strict=True)) or [()] * len(_FIELDS)
    columns = {field.name: _values(field, values) for field, values in zip(_FIELDS, read, strict=True)}
    nothing = [""] * len(rows)
    times = [_client_time(row) for row in rows]
    is_any_told = times.count(None) < len(times)
    is_any_identified = any(columns["user_id_source"])
    return columns | {
        "client_event_time": times,
        "client_event_time_text": [client_time_text(row) for row in rows] if is_any_told else nothing,
        "identified_user_id": [identified_user(event) for event in events] if is_any_identified else nothing,
        # Counted by in the loader's memory; not needed afterwards.
        "ip_key": nothing,
        "segment_id": [row_id.segment_id for row_id in row_ids],
        "segment_row": [row_id.segment_row for row_id in row_ids],
    }


def event_batch(events: Sequence[PlacedEvent]) -> TableBatch:
    """The rows of events.valid_events. Raises BadRowsError where one of the events cannot be made a row."""
    try:
        columns = _columns(events)
    except Exception as error:
        # One event that our own code cannot turn into a row must not hold up the rest: bisection finds it.
        raise BadRowsError(f"cannot be made a row: {type(error).__name__}") from error
    return TableBatch(table=VALID_EVENTS, columns=list(columns), data=list(columns.values()))


def dead_letter_batch(letters: Sequence[PlacedLetter]) -> TableBatch:
    """The rows of events.invalid_events."""
    columns: dict[str, list[Any]] = {
        "received_time": [placed.letter.received_time_ms for placed in letters],
        "site_id": [placed.letter.site_id for placed in letters],
        "event_id": [placed.letter.event_id for placed in letters],
        "source": [placed.letter.source for placed in letters],
        "stage": [placed.stage for placed in letters],
        "reasons": [[Violation.Reason.Name(v.reason) for v in placed.letter.violations] for placed in letters],
        "fields": [[v.field for v in placed.letter.violations] for placed in letters],
        "descriptions": [[v.description for v in placed.letter.violations] for placed in letters],
        "payload": [placed.letter.payload for placed in letters],
        "segment_id": [placed.row_id.segment_id for placed in letters],
        "segment_row": [placed.row_id.segment_row for placed in letters],
    }
    return TableBatch(table=INVALID_EVENTS, columns=list(columns), data=list(columns.values()))


def link_batch(links: Mapping[Link, int], first: RowId) -> TableBatch:
    """The rows of events.identity_links, from their earliest times; `first` says which segment brought them."""
    keys = [link.key for link in links]
    columns: dict[str, list[Any]] = {
        "site_id": [site_id for site_id, _kind, _identifier in keys],
        "kind": [kind for _site_id, kind, _identifier in keys],
        "identifier": [identifier for _site_id, _kind, identifier in keys],
        "user_id": [link.user_id for link in links],
        "first_time": list(links.values()),
        "version": [label_version(Label(time_ms, link.user_id)) for link, time_ms in links.items()],
        "segment_id": [first.segment_id] * len(keys),
        "segment_row": [first.segment_row] * len(keys),
    }
    return TableBatch(table=IDENTITY_LINKS, columns=list(columns), data=list(columns.values()))


def refused_event(placed: PlacedEvent, why: str) -> PlacedLetter:
    """The dead letter of an event that ClickHouse would not store, whole; `why` must hold nothing of the event."""
    row = placed.event.row
    kept = AcceptedEvent()
    kept.CopyFrom(placed.event)
    kept.ClearField("ip_key")  # never stored, not even here
    letter = DeadLetter(
        site_id=row.site_id,
        event_id=row.event_id,
        source=row.source,
        received_time_ms=milliseconds(row.received_time),
        violations=[Violation(reason=Violation.STORE_REFUSED, description=why)],
        payload=orjson.dumps(MessageToDict(kept, preserving_proto_field_name=True)).decode(),
    )
    return PlacedLetter(row_id=placed.row_id, letter=letter, stage=LOADER_STAGE)
