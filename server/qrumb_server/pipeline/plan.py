"""Tracking plans: an event's own fields against what its site has planned for such events.

After the field rules, so that only values within all limits are looked at; before consent, so that a plan speaks of
what was sent. Invariant: nothing that is said quotes a value.
"""

from dataclasses import replace
from typing import Final

import orjson

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.model import Plan, PlanFault, Rejected, SitePolicy, ValidEvent
from qrumb_server.pipeline.findings import MAX_VIOLATIONS

__all__ = ["check_plan"]

# A batch of events that all miss their plan is answered with as many as other warnings are.
MAX_WARNINGS: Final = 20


def check_plan(event: ValidEvent, policy: SitePolicy) -> ValidEvent | Rejected:
    """The event, with a warning for each place that its plan does not have so; rejected where the plan is enforced."""
    sent = event.raw.message
    is_browser = isinstance(sent, BrowserEvent)
    plan = policy.plans.get(sent.event_type if isinstance(sent, BrowserEvent) else sent.event_name)
    if plan is None:
        return event
    faults = _sorted_faults(plan, event.metadata)
    if not faults:
        return event
    root = "metadata" if is_browser else "properties"
    said = [(_place(root, fault), fault.description) for fault in faults]
    if plan.is_enforced:
        violations = [
            Violation(field=field, reason=Violation.PLAN_VIOLATION, description=description)
            for field, description in _first(said, root, MAX_VIOLATIONS)
        ]
        return Rejected(raw=event.raw, event_id=event.event_id, violations=violations)
    warnings = [
        EventWarning(field=field, code=EventWarning.PLAN_VIOLATION, description=description)
        for field, description in _first(said, root, MAX_WARNINGS)
    ]
    return replace(event, warnings=[*event.warnings, *warnings])


def _sorted_faults(plan: Plan, metadata: str) -> list[PlanFault]:
    found = plan.find_faults(orjson.loads(metadata))
    return sorted(found, key=lambda fault: [str(part) for part in fault.path])


def _first(said: list[tuple[str, str]], root: str, most: int) -> list[tuple[str, str]]:
    """As many as an answer lists; the last one counts the others."""
    if len(said) <= most:
        return said
    return [*said[: most - 1], (root, f"{len(said) - most + 1} more places are not as the plan has them")]


def _place(root: str, fault: PlanFault) -> str:
    return root + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.path)
