"""What the process has judged since the last reset, event by event, in the order of the answers."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.model import Rejected, SitePolicy, StampedEvent
from qrumb_server.pipeline.consent import as_stored
from qrumb_server.pipeline.dead_letter import bury
from qrumb_server.rpc.json_answers import as_members

__all__ = ["ACCEPTED", "REJECTED", "Seen", "SeenEvent"]

ACCEPTED: Final = "ACCEPTED"
REJECTED: Final = "REJECTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEvent:
    """One event and its verdict."""

    outcome: str
    event_id: str
    site_id: str
    fields: Mapping[str, Any]
    """Of an accepted one its columns, as far as they need no look-up; of a rejected one what was sent, redacted.
    metadata is an object."""
    violations: Sequence[Mapping[str, str]] = ()
    """Each field, reason and description."""
    warnings: Sequence[Mapping[str, str]] = ()
    """Each field, code and description."""

    def as_json(self) -> dict[str, Any]:
        """The event as /test/events has it."""
        return {
            "outcome": self.outcome,
            "event_id": self.event_id,
            "site_id": self.site_id,
            "violations": list(self.violations),
            "warnings": list(self.warnings),
            "fields": dict(self.fields),
        }


@dataclass(slots=True)
class Seen:
    """All of them, and a way to wait for the next."""

    events: list[SeenEvent] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, verdicts: Sequence[StampedEvent | Rejected]) -> None:
        """Note what was answered to one call; on the event loop."""
        self.events += [_accepted(one) if isinstance(one, StampedEvent) else _rejected(one) for one in verdicts]
        self._news.set()
        self._news = asyncio.Event()

    def clear(self) -> None:
        """Forget all."""
        self.events.clear()

    async def wait(self, seconds: float) -> bool:
        """Whether something came within so many seconds."""
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return False
        return True


def _accepted(one: StampedEvent) -> SeenEvent:
    row = EventRow()
    row.CopyFrom(one.record.accepted_event.row)
    fields = as_members(as_stored(row))
    fields["metadata"] = orjson.loads(row.metadata or "{}")
    warnings = [
        {"field": said.field, "code": EventWarning.Code.Name(said.code), "description": said.description}
        for said in one.warnings
    ]
    return SeenEvent(outcome=ACCEPTED, event_id=row.event_id, site_id=row.site_id, fields=fields, warnings=warnings)


def _rejected(one: Rejected) -> SeenEvent:
    letter = bury(one, 0, SitePolicy()).dead_letter
    try:
        fields = orjson.loads(letter.payload or "{}")
    except orjson.JSONDecodeError:  # what was not JSON is kept as a masked text
        fields = {}
    violations = [
        {"field": said.field, "reason": Violation.Reason.Name(said.reason), "description": said.description}
        for said in one.violations
    ]
    return SeenEvent(
        outcome=REJECTED,
        event_id=letter.event_id,
        site_id=letter.site_id,
        fields={**(fields if isinstance(fields, dict) else {}), "source": letter.source},
        violations=violations,
    )
