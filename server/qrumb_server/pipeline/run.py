"""The one loop over events: applies the stages, keeps the order, isolates a failure to its event.

In and out have the same count and order. A stage never drops an event; it answers Rejected.
"""

from collections.abc import Iterable
from dataclasses import replace

import structlog

from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.model import RawEvent, Rejected, StampedEvent
from qrumb_server.pipeline.consent import apply_consent
from qrumb_server.pipeline.stamp import Receipt, stamp
from qrumb_server.pipeline.validate import validate

__all__ = ["judge"]

log = structlog.get_logger()


def judge(events: Iterable[RawEvent], receipt: Receipt) -> list[StampedEvent | Rejected]:
    """Pass the verdict on each event."""
    return [_judge_one(event, receipt) for event in events]


def _judge_one(event: RawEvent, receipt: Receipt) -> StampedEvent | Rejected:
    try:
        policy = receipt.enrichers.policy(event.message.site_id)
        valid = validate(event, policy)
        if isinstance(valid, Rejected):
            return valid if valid.event_id else replace(valid, event_id=receipt.make_event_id(event))
        return stamp(apply_consent(valid, policy), receipt)
    except Exception as error:  # noqa: BLE001  one event's failure must not cost its neighbours theirs
        # The exception's text could quote the event, so only its type and place are logged.
        log.error("event_failed", error=type(error).__name__, source=event.source.value, index=event.index)
        fault = Violation(
            reason=Violation.INTERNAL,
            description="the service failed on this event; it is kept for inspection",
        )
        return Rejected(raw=event, event_id=receipt.make_event_id(event), violations=[fault])
