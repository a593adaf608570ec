"""Sealed segments, taken together as one batch: read, decoded, sorted by table; and how far it has come."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog
from google.protobuf.message import DecodeError

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.instants import milliseconds
from qrumb_server.loader.attribute import Attribution
from qrumb_server.loader.changes import Hold, Hour
from qrumb_server.loader.compiled import CompiledEvents, new_rows
from qrumb_server.loader.rows import PlacedEvent, PlacedLetter, PlacedRefusal, PlacedSession, RowId
from qrumb_server.model import is_uuid
from qrumb_server.pipeline.consent import ALLOWED
from qrumb_server.ports import TableBatch
from qrumb_server.spool.reader import SegmentRef, read_segment, read_whole
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = [
    "MAX_BYTES",
    "Batch",
    "Load",
    "PlainReading",
    "Read",
    "Reading",
    "decode_record",
    "read_batch",
    "read_compiled",
    "take",
]

log = structlog.get_logger()

# Of segments; as messages and columns it is several times as much. 30,000 ordinary events are a third of it.
MAX_BYTES: Final = 32 << 20
Decode = Callable[[bytes], Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What some sealed segments hold."""

    whole: Sequence[SegmentRef]
    """Segments that may be released once the batch is stored."""
    damaged: Sequence[SegmentRef]
    """Segments with damage: what could be read is in the batch, the file goes to quarantine."""
    events: Sequence[PlacedEvent]
    letters: Sequence[PlacedLetter]
    sessions: Sequence[PlacedSession]
    refusals: Sequence[PlacedRefusal]
    traceparents: Sequence[str] = ()
    """Of the calls that brought it, as far as they are traced; not where this loader traces nothing."""

    @property
    def last_received_ms(self) -> int:
        """received_time of the last event; 0 where there is none."""
        event = milliseconds(self.events[-1].event.row.received_time) if self.events else 0
        return max(event, self.letters[-1].letter.received_time_ms if self.letters else 0)

    @property
    def segment_ids(self) -> list[str]:
        """Names of the segments."""
        return [str(ref.segment_id) for ref in (*self.whole, *self.damaged)]


def take(refs: Sequence[SegmentRef], max_events: int) -> Sequence[SegmentRef]:
    """The first segments that together hold at most `max_events` rows, and no more bytes than may be in memory at once;
    at least one."""
    rows = size_bytes = 0
    for index, ref in enumerate(refs):
        rows += ref.rows
        size_bytes += ref.size_bytes
        if index and (rows > max_events or size_bytes > MAX_BYTES):
            return refs[:index]
    return refs


def decode_record(data: bytes) -> Record:
    """A record of the spool; one without a kind where it cannot be read."""
    try:
        return Record.FromString(data)
    except DecodeError:
        return Record()


class _Sorted:
    """Records by what they hold."""

    def __init__(self) -> None:
        self.events: list[PlacedEvent] = []
        self.letters: list[PlacedLetter] = []
        self.sessions: list[PlacedSession] = []
        self.refusals: list[PlacedRefusal] = []

    def add(self, row_id: RowId, record: Record) -> bool:
        """Take in a record; whether this version can read it."""
        match record.WhichOneof("kind"):
            case "accepted_event" if _is_known((event := record.accepted_event).row):
                self.events.append(PlacedEvent(row_id, event))
            case "dead_letter":
                self.letters.append(PlacedLetter(row_id=row_id, letter=record.dead_letter, stage="collector"))
            case "session_registration":
                self.sessions.append(PlacedSession(row_id=row_id, registration=record.session_registration))
            case "registration_refusal":
                self.refusals.append(PlacedRefusal(row_id=row_id, refusal=record.registration_refusal))
            case _:
                # Written by a newer version, or not by us: kept in quarantine for a program that can read it.
                return False
        return True


def read_batch(refs: Sequence[SegmentRef], decode: Decode = decode_record) -> Batch:
    """Read and decode segments. Damage is logged and counted, never raised."""
    whole: list[SegmentRef] = []
    damaged: list[SegmentRef] = []
    found = _Sorted()
    for ref in refs:
        try:
            segment = read_segment(ref)
        except FileNotFoundError:
            log.error("segment_gone", segment_id=str(ref.segment_id), rows=ref.rows)  # by other hands than ours
            continue
        unreadable = 0
        for number, data in zip(segment.row_numbers, segment.records, strict=True):
            unreadable += not found.add(RowId(segment.segment_id, number), decode(data))
        if segment.damage is not None or unreadable:
            log.error("segment_damaged", segment_id=segment.segment_id, damage=segment.damage, unreadable=unreadable)
            damaged.append(ref)
        else:
            whole.append(ref)
    return Batch(
        whole=whole,
        damaged=damaged,
        events=found.events,
        letters=found.letters,
        sessions=found.sessions,
        refusals=found.refusals,
    )


def read_compiled(refs: Sequence[SegmentRef], decode: Decode = decode_record) -> Batch:
    """The same by the compiled package, whose way it takes where every byte is as usual."""
    rows, found = new_rows(), _Sorted()
    for ref in refs:
        try:
            others = read_whole(ref, rows.add_segment)
        except FileNotFoundError:
            return read_batch(refs, decode)
        segment_id = str(ref.segment_id)
        if others is None or not all(found.add(RowId(segment_id, row), decode(data)) for row, data in others):
            return read_batch(refs, decode)
    return Batch(
        whole=refs,
        damaged=(),
        events=CompiledEvents(rows),
        letters=found.letters,
        sessions=found.sessions,
        refusals=found.refusals,
        traceparents=rows.traceparents(),
    )


Read = Callable[[Sequence[SegmentRef], Decode], Batch]


class Reading(Protocol):
    """How batches are read, and what stands around their loading."""

    def read(self, refs: Sequence[SegmentRef]) -> Batch:
        """As `read_batch`."""

    def loading(self, batch: Batch) -> AbstractContextManager[None]:
        """Entered before the first of its rows is stored, left when all are, or with what ended it."""


class PlainReading:
    """The usual: by itself."""

    def __init__(self, read: Read = read_batch) -> None:
        self._read = read

    def read(self, refs: Sequence[SegmentRef]) -> Batch:
        """As `read_batch`."""
        return self._read(refs, decode_record)

    def loading(self, _batch: Batch) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()


def _is_known(row: EventRow) -> bool:
    """Whether this version can attribute the event; what a newer one wrote may say things that it cannot. A look-up by
    an id that is not a UUID would be refused by the store, time and again."""
    return row.consent in ALLOWED and is_uuid(row.event_id) is not None


@dataclass(slots=True, kw_only=True)
class Load:
    """One batch on its way through the passes, each of which fills in what it finds out."""

    batch: Batch
    uncertain: bool
    """Rows of it may be stored already."""
    attribution: Attribution = field(default_factory=lambda: Attribution(facts=()))
    new_sessions: Sequence[PlacedSession] = ()
    """Those that no row was there of; not where another node may store the same one at once."""
    letters: Sequence[PlacedLetter] = ()
    """The collector's, and the events that the store refused."""
    ledger: TableBatch | None = None
    hold: Hold
    """The hours that it changes."""
    written: list[TableBatch] = field(default_factory=list)
    """What the store has taken, and has still to prove."""

    def mark(self, hours: Iterable[Hour]) -> None:
        """Say that these hours are about to change. May be repeated; raises StoreError."""
        if written := self.hold.mark(hours):
            self.written.append(written)
