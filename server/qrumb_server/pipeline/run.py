"""The one loop over events: applies the stages, keeps the order, isolates a failure to its event.

In and out have the same count and order. A stage never drops an event; it answers Rejected.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import structlog

from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.enrich.email import redacted_beginning
from qrumb_server.model import RawEvent, Rejected, StampedEvent
from qrumb_server.pipeline.consent import apply_consent
from qrumb_server.pipeline.plan import check_plan
from qrumb_server.pipeline.stamp import Arrival, stamp
from qrumb_server.pipeline.validate import MAX_WRONG_ID, validate

__all__ = ["judge"]

log = structlog.get_logger()


def judge(events: Iterable[RawEvent], arrival: Arrival) -> Iterator[StampedEvent | Rejected]:
    """Pass the verdict on each event, when it is asked for: so long batches can be judged a few at a time."""
    return (_judge_one(event, arrival) for event in events)


def _refuse_oversize(event: RawEvent, arrival: Arrival) -> Rejected:
    """What else is wrong with it cannot be told, since most of it was not read."""
    fault = Violation(
        reason=Violation.TOO_LARGE,
        description=f"the event has {event.oversize:,} bytes, far more than its fields need within their limits",
    )
    event_id = redacted_beginning(event.message.event_id, MAX_WRONG_ID).lower() or arrival.make_event_id(event)
    return Rejected(raw=event, event_id=event_id, violations=[fault])


def _judge_one(event: RawEvent, arrival: Arrival) -> StampedEvent | Rejected:
    try:
        policy = arrival.enrichers.policy(event.message.site_id)
        valid = _refuse_oversize(event, arrival) if event.oversize else validate(event, policy)
        if isinstance(valid, Rejected):
            return valid if valid.event_id else replace(valid, event_id=arrival.make_event_id(event))
        if policy.plans and isinstance(valid := check_plan(valid, policy), Rejected):
            return valid if valid.event_id else replace(valid, event_id=arrival.make_event_id(event))
        return stamp(apply_consent(valid, policy), arrival)
    except Exception as error:  # noqa: BLE001  one event's failure must not cost its neighbours theirs
        # The exception's text could quote the event, so only its type and place are logged.
        log.error("event_failed", error=type(error).__name__, source=event.source.value, index=event.index)
        fault = Violation(
            reason=Violation.INTERNAL,
            description="the service failed on this event; it is kept for inspection",
        )
        return Rejected(raw=event, event_id=arrival.make_event_id(event), violations=[fault])
