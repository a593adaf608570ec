"""Answers as the gateway's transcoder writes them, for bodies that it hands on unread: with the contract's names,
values for fields that are not set, 64 bits as texts."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import UInt32Value

from qrumb.v1.receipt_pb2 import EventReceipt, EventWarning, Violation
from qrumb_server.instants import timestamp
from qrumb_server.model import Rejected, StampedEvent
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reasons.events import add_help

__all__ = ["accepted_form", "as_body", "as_lists", "as_members", "receipt_members", "receipt_text", "written"]

_ACCEPTED, _VALIDATED, _REJECTED = (
    EventReceipt.Outcome.Name(outcome)
    for outcome in (EventReceipt.ACCEPTED, EventReceipt.VALIDATED, EventReceipt.REJECTED)
)
# An HttpBody up to the length of its text.
_HEAD: Final[bytes] = HttpBody(content_type="application/json").SerializeToString() + b"\x12"
_REASONS: Final = {number: name for name, number in Violation.Reason.items()}
_CODES: Final = {number: name for name, number in EventWarning.Code.items()}


def receipt_members(verdict: StampedEvent | Rejected, arrival: Arrival, *, dry: bool = False) -> dict[str, Any]:
    """An EventReceipt: the same that `collector.event_receipt` makes, without the message in between."""
    received_time = _time(arrival.received_time_ms)
    if isinstance(verdict, Rejected):
        add_help(verdict.violations)
        violations = [
            {
                "field": violation.field,
                "reason": _REASONS[violation.reason],
                "description": violation.description,
                "help_url": violation.help_url,
            }
            for violation in verdict.violations
        ]
        return _members(verdict.event_id, _REJECTED, received_time, violations, [])
    outcome = _VALIDATED if dry else _ACCEPTED
    event_id = verdict.record.accepted_event.row.event_id
    if not verdict.warnings:
        return _members(event_id, outcome, received_time, [], [])
    add_help((), verdict.warnings)
    warnings = [
        {
            "field": warning.field,
            "code": _CODES[warning.code],
            "description": warning.description,
            "help_url": warning.help_url,
        }
        for warning in verdict.warnings
    ]
    return _members(event_id, outcome, received_time, [], warnings)


def receipt_text(verdict: StampedEvent | Rejected, arrival: Arrival, *, dry: bool = False) -> bytes:
    """The same as a text, so that an answer of thousands of violations is not written all at once."""
    return written(receipt_members(verdict, arrival, dry=dry))


@cache
def accepted_form() -> tuple[str, str, str]:
    """The same of an event that is accepted without a word: what stands around its id and its time."""
    before, between, behind = written(_members("", _ACCEPTED, "", [], [])).decode().split('""')
    return before, between, behind


def as_lists(lists: Mapping[str, Iterable[bytes]], more: dict[str, Any]) -> bytes:
    """The answer to a batch: lists of the texts of their items, by name, and what else is said."""
    parts: list[bytes] = []
    for name, texts in lists.items():
        parts += (b"," if parts else b"{", f'"{name}":['.encode(), *_separated(texts), b"]")
    return as_body(*parts, b"," + written(more)[1:] if more else b"}")


def as_body(*parts: bytes) -> bytes:
    """The HttpBody of a text in parts, serialized; put together once, since each copy of 4 MB holds the event loop."""
    length: bytes = UInt32Value(value=sum(map(len, parts))).SerializeToString()[1:]
    return b"".join((_HEAD, length, *parts))


def _separated(texts: Iterable[bytes]) -> Iterator[bytes]:
    """The texts, with a comma before each but the first."""
    comma = b""
    for text in texts:
        yield comma
        yield text
        comma = b","


@lru_cache(maxsize=16)
def _time(time_ms: int) -> str:
    """All events of a call have one."""
    return timestamp(time_ms).ToJsonString()


def _members(
    event_id: str, outcome: str, received_time: str, violations: list[dict[str, Any]], warnings: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "outcome": outcome,
        "received_time": received_time,
        "violations": violations,
        "warnings": warnings,
    }


def as_members(message: Message) -> dict[str, Any]:
    """Any message, its members in the order of their numbers."""
    members = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return {field.name: members[field.name] for field in message.DESCRIPTOR.fields if field.name in members}


def written(members: dict[str, Any]) -> bytes:
    """The text of an answer."""
    return orjson.dumps(members).replace(b"<", b"\\u003c").replace(b">", b"\\u003e")
