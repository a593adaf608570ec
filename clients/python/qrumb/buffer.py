"""The bounded queue with its batches, free of threads, clocks and I/O: both clients drive it.

Invariant: an event that was put stays in it until `settle`, which its answer or the end of the client causes. It is
kept as the bytes that are sent, so what the caller does to its message later changes nothing.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain
from typing import Any, Final

from qrumb.events import Event
from qrumb.settings import Settings
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ServerEvent

__all__ = ["Batch", "Buffer", "Kind", "QueuedEvent", "as_queued", "restored"]

# Tag and length of an event within a batch; five bytes of length are the most.
_FRAME_BYTES: Final = 4


class Kind(Enum):
    """The kinds of events; each has batches of its own."""

    SERVER = ServerEvent
    BROWSER = BrowserEvent
    SCAN = ScanSession


@dataclass(slots=True, kw_only=True)
class QueuedEvent:
    """An event as it will be sent. `number` is its place in the order of sending; a scan's id is its session's."""

    kind: Kind
    event_id: str
    payload: bytes
    queued_at: float
    number: int = -1
    place: Any = None
    """Where `Spool` keeps it; None: in memory alone."""

    @property
    def size(self) -> int:
        """Bytes within a batch."""
        return len(self.payload) + _FRAME_BYTES

    def event(self) -> Event:
        """The message, as it was when it was sent."""
        message: Event = self.kind.value.FromString(self.payload)
        return message


Batch = list[QueuedEvent]


def as_queued(event: Event, now: float) -> QueuedEvent:
    """Freeze an event that has its id and its time."""
    event_id = event.scan_session_id if isinstance(event, ScanSession) else event.event_id
    return QueuedEvent(kind=Kind(type(event)), event_id=event_id, payload=event.SerializeToString(), queued_at=now)


def restored(kind: Kind, payload: bytes, now: float) -> QueuedEvent:
    """An event as it was frozen before; raises DecodeError where the bytes are none."""
    event = kind.value.FromString(payload)
    event_id = event.scan_session_id if kind is Kind.SCAN else event.event_id
    return QueuedEvent(kind=kind, event_id=event_id, payload=payload, queued_at=now)


@dataclass(slots=True)
class _Lane:
    """Waiting events of one kind."""

    events: deque[QueuedEvent] = field(default_factory=deque)
    size: int = 0


class Buffer:
    """Waiting events and the batch under way."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lanes = {kind: _Lane() for kind in Kind}
        self._under_way: Batch = []
        self._events = 0
        self._bytes = 0
        self._last_number = -1
        self._urgent_through = -1

    def __len__(self) -> int:
        return self._events

    @property
    def last_number(self) -> int:
        """Number of the event that was put last; -1 before the first."""
        return self._last_number

    def admits(self, size: int) -> bool:
        """Whether there is room for an event of so many bytes; an empty queue has room for any."""
        if not self._events:
            return True
        settings = self._settings
        return self._events < settings.max_queue_events and self._bytes + size <= settings.max_queue_bytes

    def put(self, queued: QueuedEvent) -> bool:
        """Add an event for which there is room; says whether the sender has to look at its clock again."""
        self._last_number += 1
        queued.number = self._last_number
        lane = self._lanes[queued.kind]
        lane.events.append(queued)
        lane.size += queued.size
        self._events += 1
        self._bytes += queued.size
        return len(lane.events) == 1 or self._is_full(lane)

    def put_all(self, batch: Batch) -> bool:
        """Add all of them or, where there is no room for so many, none. An empty queue has room for any."""
        settings, size = self._settings, sum(queued.size for queued in batch)
        fits = self._events + len(batch) <= settings.max_queue_events and self._bytes + size <= settings.max_queue_bytes
        if self._events and not fits:
            return False
        for queued in batch:
            self.put(queued)
        return True

    def make_urgent(self) -> None:
        """Everything that waits now is due at once."""
        self._urgent_through = self._last_number

    def due_at(self) -> float | None:
        """When the next batch is due; None while nothing waits."""
        times = [self._lane_due_at(lane) for lane in self._lanes.values() if lane.events]
        return min(times, default=None)

    def take(self, now: float) -> Batch:
        """The next batch if one is due, else an empty one. It is under way until it is settled."""
        due = [lane for lane in self._lanes.values() if lane.events and self._lane_due_at(lane) <= now]
        if not due:
            return []
        self._under_way = self._cut(min(due, key=lambda lane: lane.events[0].number))
        return self._under_way

    def settle(self, batch: Batch) -> None:
        """These have their answer: the batch under way, or what comes first of it."""
        self._events -= len(batch)
        self._bytes -= sum(queued.size for queued in batch)
        self._under_way = self._under_way[len(batch) :]

    def take_all(self) -> Batch:
        """Everything, the batch under way first; it is settled by that."""
        everything = self.unsettled()
        for lane in self._lanes.values():
            lane.events.clear()
            lane.size = 0
        self._under_way = []
        self._events = self._bytes = 0
        return everything

    def is_settled(self, number: int) -> bool:
        """Whether every event up to that number has its answer."""
        heads = [lane.events[0].number for lane in self._lanes.values() if lane.events]
        return min([*heads, *(queued.number for queued in self._under_way[:1])], default=number + 1) > number

    def unsettled(self) -> Batch:
        """Everything without an answer, in the order of sending."""
        waiting = chain(self._under_way, *(lane.events for lane in self._lanes.values()))
        return sorted(waiting, key=lambda queued: queued.number)

    def _is_full(self, lane: _Lane) -> bool:
        settings = self._settings
        return len(lane.events) >= settings.max_batch_events or lane.size >= settings.max_batch_bytes

    def _lane_due_at(self, lane: _Lane) -> float:
        head = lane.events[0]
        if self._is_full(lane) or head.number <= self._urgent_through:
            return head.queued_at
        return head.queued_at + self._settings.max_batch_delay

    def _cut(self, lane: _Lane) -> Batch:
        batch: Batch = []
        size = 0
        while lane.events and len(batch) < self._settings.max_batch_events:
            if batch and size + lane.events[0].size > self._settings.max_batch_bytes:
                break
            queued = lane.events.popleft()
            size += queued.size
            batch.append(queued)
        lane.size -= size
        return batch
