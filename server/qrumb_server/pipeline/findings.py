"""What the field rules find in one event: broken rules, warnings, and values to be changed.

Invariant: nothing that is said here quotes a value of the sender's.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from itertools import islice
from typing import Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb_server.enrich.email import contains_email
from qrumb_server.model import Reading

__all__ = ["EMAIL_ADVICE", "MAX_VIOLATIONS", "Findings", "misspelt"]

# A reply carries its violations in one header: common clients take 8 KiB.
MAX_VIOLATIONS: Final = 50
# The contract's package.
CONTRACT: Final = "qrumb.v1"
# Unknown fields that are named.
MAX_UNKNOWN: Final = 5
MAX_LISTED_BYTES: Final = 1024
EMAIL_ADVICE: Final = "remove or hash it; raw e-mail addresses are never stored"
_M = TypeVar("_M", bound=Message)


def misspelt(meant: Mapping[str, str], field: str) -> str:
    """What to add to a missing field's description, where another name in the event was probably meant to be it."""
    if field not in meant:
        return ""
    return f"; the event has `{meant[field]}`, which is not one of its fields: did you mean `{field}`?"


class Findings:
    """Collects what is found in one event, after what its reading has found."""

    __slots__ = ("_changes", "_meant", "_unread", "violations", "warnings")

    def __init__(self, reading: Reading | None = None) -> None:
        self.violations: list[Violation] = list(reading.violations) if reading else []
        self.warnings: list[EventWarning] = list(reading.warnings) if reading else []
        self._unread = reading.unread if reading else ()
        self._meant = reading.meant if reading else {}
        self._changes: dict[str, str | int] = {}

    def add(self, field: str, reason: Violation.Reason, description: str) -> None:
        """A rule that the event breaks; of a value that could not be read nothing more is said."""
        if len(self.violations) < MAX_VIOLATIONS and field not in self._unread:
            if reason == Violation.REQUIRED:
                description += misspelt(self._meant, field)
            self.violations.append(Violation(field=field, reason=reason, description=description))

    def warn(self, field: str, code: EventWarning.Code, description: str) -> None:
        """What was changed or looks unintended."""
        self.warnings.append(EventWarning(field=field, code=code, description=description))

    def unknown_fields(self, message: Message) -> None:
        """What came by numbers of fields that the contract lacks, as protobuf keeps it without a word."""
        known = type(message)()
        known.CopyFrom(message)
        known.DiscardUnknownFields()
        if size := message.ByteSize() - known.ByteSize():
            # Listing them takes a µs each, and there may be tens of thousands.
            names = list(islice(_unknown_names(message), MAX_UNKNOWN)) if size <= MAX_LISTED_BYTES else []
            said = f"has {size:,} bytes in fields that this version of the contract lacks, and that are not stored"
            self.warn("", EventWarning.UNKNOWN_FIELD, f"{said}: {', '.join(names)}" if names else said)

    def text(self, field: str, value: str, limit: int) -> None:
        """A stored text that may not be changed: bounded, and no e-mail address in it."""
        if len(value) > limit:
            self.add(field, Violation.TOO_LONG, f"has {len(value)} characters; at most {limit} are allowed")
        # What is too long is refused whatever comes behind, and may be very long.
        if contains_email(value[:limit]):
            self.add(field, Violation.CONTAINS_EMAIL, f"contains a raw e-mail address; {EMAIL_ADVICE}")

    def change(self, path: str, value: str | int) -> None:
        """The field at `path` gets another value. `warn` tells its sender, where that is needed."""
        self._changes[path] = value

    def leave_out(self, path: str, why: str, nothing: str | int = "") -> None:
        """An optional field that cannot be used: it gets its empty value, and the event counts without it."""
        self.warn(path, EventWarning.LEFT_OUT, f"{why}: it was left out")
        self.change(path, nothing)

    def applied_to(self, message: _M) -> _M:
        """The message with all changes: itself where there is none, else a copy."""
        if not self._changes:
            return message
        changed = deepcopy(message)
        for path, value in self._changes.items():
            *parents, name = path.split(".")
            holder: Message = changed
            for parent in parents:
                holder = getattr(holder, parent)
            setattr(holder, name, value)
        return changed


def _unknown_names(message: Message, path: str = "") -> Iterator[str]:
    """Such as 99, or device.99: of a message and of the contract's messages in it."""
    unknown = UnknownFieldSet(message)
    for number in sorted({unknown[place].field_number for place in range(len(unknown))}):
        yield f"{path}{number}"
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.file.package == CONTRACT:
            yield from _unknown_names(value, f"{path}{field.name}.")
