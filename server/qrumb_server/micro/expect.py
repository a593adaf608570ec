"""What a test expects of an event, compared with what was seen; and the words for what was not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, Final

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.micro.seen import ACCEPTED, REJECTED, SeenEvent
from qrumb_server.words import counted

__all__ = ["LOOKED_UP", "Expectation", "ExpectationError"]

LOOKED_UP: Final = frozenset(
    {"qr_code_id", "user_id", "user_id_source", "is_duplicate", "is_counterpart", "is_fraud", "fraud_reasons"}
)
"""Columns that are known when the event was loaded."""
_COLUMNS: Final = tuple(field.name for field in EventRow.DESCRIPTOR.fields)
_VERDICT: Final = ("outcome", "reason", "warning")
# Own fields and what only a rejected event has, as it was sent.
_PARENTS: Final = ("metadata", "properties", "conversion", "user_identifiers")
NEAREST: Final = 3
_MISSING: Final = object()


class ExpectationError(Exception):
    """The expectation itself is wrong; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Fields by dotted name with the values that an event is to have."""

    where: Mapping[str, Any]
    count: int | None = None
    """So many and no more; None: at least one."""

    @classmethod
    def parse(cls, where: Mapping[str, Any], count: int | None) -> "Expectation":
        """Read what a caller sent.

        Raises:
            ExpectationError: a name is not known.
        """
        named = {name.replace("__", "."): value for name, value in where.items()}
        for name in named:
            first = name.partition(".")[0]
            if first not in _COLUMNS + _VERDICT + _PARENTS:
                near = get_close_matches(first, _COLUMNS + _VERDICT + _PARENTS, n=1)
                hint = f'; did you mean "{near[0]}"?' if near else ""
                raise ExpectationError(f'an event has no field "{first}"{hint} Own fields are metadata.NAME')
        if named.get("outcome", ACCEPTED) not in (ACCEPTED, REJECTED):
            raise ExpectationError("outcome is ACCEPTED or REJECTED")
        if "reason" in named:
            named.setdefault("outcome", REJECTED)
        named.setdefault("outcome", ACCEPTED)
        return cls(where=named, count=count)

    @property
    def needs_store(self) -> bool:
        """Whether it asks for what is known only after loading."""
        return bool(LOOKED_UP & self.where.keys())

    def matches(self, event: SeenEvent) -> bool:
        """Whether the event has all of it."""
        return not self._differences(event)

    def may_match(self, event: SeenEvent) -> bool:
        """Whether it may have all of it once it is loaded."""
        return not any(name not in LOOKED_UP for name in self._differences(event))

    def is_met(self, found: Sequence[SeenEvent]) -> bool:
        """Whether these matching events are as many as are wanted."""
        return bool(found) if self.count is None else len(found) == self.count

    def failure(self, events: Sequence[SeenEvent], found: Sequence[SeenEvent], within: float) -> str:
        """In words, what was expected and what came nearest."""
        wanted = ", ".join(f"{name}={value!r}" for name, value in self.where.items())
        number = "no event" if not found else f"{counted(len(found), 'event')} in place of {self.count}"
        lines = [f"{number} with {wanted} within {within:g} s; {len(events)} seen"]
        nearest = sorted(events, key=lambda event: len(self._differences(event)))[:NEAREST]
        for event in [] if found else nearest:
            lines.append(f"  near: {event.outcome} {event.fields.get('event_type') or '-'} {event.event_id}")
            for name, value in self._differences(event).items():
                shown = "absent" if value is _MISSING else repr(value)
                lines.append(f"    {name} is {shown}, expected {self.where[name]!r}")
            lines += [
                f"    {said['field'] or 'the event'}: {said.get('reason') or said.get('code')}: {said['description']}"
                for said in (*event.violations, *event.warnings)
            ]
        return "\n".join(lines)

    def _differences(self, event: SeenEvent) -> dict[str, Any]:
        """What the event has in the place of what is expected, by name."""
        found = {name: _value(event, name) for name in self.where}
        return {name: value for name, value in found.items() if not _equal(value, self.where[name])}


def _value(event: SeenEvent, name: str) -> Any:
    if name == "outcome":
        return event.outcome
    if name == "reason":
        return [said["reason"] for said in event.violations]
    if name == "warning":
        return [said["code"] for said in event.warnings]
    value: Any = event.fields
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _equal(value: Any, expected: Any) -> bool:
    if isinstance(value, list) and not isinstance(expected, list):
        return expected in value
    if value == expected:
        return True
    if isinstance(expected, bool | int | float) and isinstance(value, str):
        try:  # columns of money and 64 bits are texts
            return Decimal(value) == Decimal(str(int(expected) if isinstance(expected, bool) else expected))
        except InvalidOperation:
            return False
    return False
