"""A rejected event as it is kept: Rejected -> Record of the kind dead_letter, without raw personal data."""

import json
import math
import re
from typing import Any, Final

import orjson
from google.protobuf.json_format import MessageToDict, SerializeToJsonError

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.enrich.email import redacted_beginning
from qrumb_server.model import RawEvent, Reading, Rejected, SitePolicy
from qrumb_server.pipeline.consent import ALLOWED, Allowed, applied_consent, without_personal
from qrumb_server.pipeline.context_fields import is_ip
from qrumb_server.pipeline.struct_json import plain_values
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["MAX_PAYLOAD", "bury"]

# Characters of a payload that are kept: enough to see and to replay any event of legal size.
MAX_PAYLOAD: Final = 64 * 1024
# Of metadata or properties with more values the letter has only the name: writing them out takes longer than all else.
MAX_VALUES: Final = 512
# Ids are short; a longer one is a sender's mistake and only its beginning is of use.
MAX_ID: Final = 200
# Stands where a hash should have been.
NOT_HASHED: Final = "[not hashed]"
# Stands where an address of a visitor was, under a name that is not a field's (ip, context.ip).
ADDRESS: Final = "[address]"
_ANY_SITE: Final = SitePolicy()
# Of what could not be read: whatever it was, it is where an address, an agent or a hash of a person belongs.
_NEVER_KEPT: Final = frozenset(
    {"client_ip", "user_agent", "device.user_agent", "user_identifiers.email_hash", "user_identifiers.phone_hash"}
)

_addresses = re.compile(
    r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?!\.[0-9])|[0-9A-Fa-f]*+:[0-9A-Fa-f]*+:[0-9A-Fa-f:.]*+)(?!\w)"
).sub
_is_hash_or_empty = re.compile(r"([0-9a-fA-F]{64})?").fullmatch


def bury(rejected: Rejected, received_time_ms: int, policy: SitePolicy = _ANY_SITE) -> Record:
    """Make the dead letter of a rejected event: what its consent allows, less what was sent raw."""
    message = rejected.raw.message
    allowed = ALLOWED[applied_consent(message, policy)]
    record = Record()
    letter = record.dead_letter
    letter.site_id = redacted_beginning(message.site_id, MAX_ID)
    letter.event_id = redacted_beginning(rejected.event_id, MAX_ID)
    letter.source = rejected.raw.source.value
    letter.received_time_ms = received_time_ms
    letter.violations.extend(rejected.violations)
    if (reading := rejected.raw.reading) and reading.masked_text:
        letter.payload = reading.masked_text
        return record
    letter.payload = redacted_beginning(_payload(rejected.raw, allowed, policy), MAX_PAYLOAD)
    return record


def _payload(raw: RawEvent, allowed: Allowed, policy: SitePolicy) -> str:
    """What is kept of the event, as JSON."""
    message = raw.message
    name = "metadata" if isinstance(message, BrowserEvent) else "properties"
    values = plain_values(getattr(message, name), MAX_VALUES)
    kept = without_personal(_without(name, message) if values is None else message, allowed, policy)
    has_values = kept.HasField(name)
    keys = list(getattr(kept, name).fields)
    kept.ClearField(name)
    sent = _as_json(kept)
    if raw.reading:
        _add_read(sent, raw.reading, name, allowed, policy)
    if values is None:
        # Cut where the values would begin, as a long text is: what is not JSON is not replayed as less than it was.
        return orjson.dumps({**sent, name: None}).decode().removesuffix("null}")
    if has_values:
        sent[name] = {key: values[key] for key in keys}
    return _as_text(sent)


def _add_read(sent: dict[str, Any], reading: Reading, name: str, allowed: Allowed, policy: SitePolicy) -> None:
    """Add what was sent as JSON and is not in the message, so that the letter shows it and is replayed by it."""
    own = reading.own_fields or {}
    kept = {key: value for key, value in own.items() if allowed.all_metadata or key in policy.non_personal_keys}
    if kept:
        sent[name] = kept
    if not allowed.all_metadata:
        return
    for path, value in (*reading.unread.items(), *reading.unknown.items()):
        if path in _NEVER_KEPT or (path.startswith("user_identifiers") and not allowed.user):
            continue
        parent, _, key = path.rpartition(".")
        holder = sent.setdefault(parent, {}) if parent.isidentifier() else sent
        if isinstance(holder, dict):
            holder[key if holder is not sent else path] = _without_addresses(value)


def _without_addresses(value: object) -> object:
    """What was sent under names that the contract lacks: a row has none of it, so no letter has a visitor's address."""
    match value:
        case str():
            return _addresses(lambda found: ADDRESS if is_ip(found[0].rstrip(".")) else found[0], value)
        case list():
            return [_without_addresses(one) for one in value]
        case dict():
            return {key: _without_addresses(one) for key, one in value.items()}
        case _:
            return value


def _as_text(sent: dict[str, Any]) -> str:
    try:
        return orjson.dumps(sent, default=str).decode()
    except orjson.JSONEncodeError:  # whole numbers of more than 64 bits
        return json.dumps(sent, ensure_ascii=False, separators=(",", ":"), default=str)


def _without(name: str, message: BrowserEvent | ServerEvent) -> BrowserEvent | ServerEvent:
    """A copy of its other fields; copying the values too would take as long as reading them."""
    kept = type(message)()
    for field, value in message.ListFields():
        if field.name == name:
            continue
        if field.message_type is None:
            setattr(kept, field.name, value)
        else:
            getattr(kept, field.name).CopyFrom(value)
    return kept


def _as_json(kept: BrowserEvent | ServerEvent) -> dict[str, object]:
    """The event without its values, to be written as JSON; `kept` is ours to change."""
    # Never stored, not even here: the visitor's address and agent, and raw identifiers where hashes belong.
    if isinstance(kept, ServerEvent):
        kept.ClearField("client_ip")
        kept.ClearField("user_agent")
        for kind in ("email_hash", "phone_hash"):
            if kept.HasField("user_identifiers") and not _is_hash_or_empty(getattr(kept.user_identifiers, kind)):
                setattr(kept.user_identifiers, kind, NOT_HASHED)
        if not math.isfinite(kept.conversion_value.amount):
            kept.ClearField("conversion_value")
    elif kept.HasField("device"):
        kept.device.ClearField("user_agent")
    try:
        return MessageToDict(kept, preserving_proto_field_name=True)
    except SerializeToJsonError:  # an event_time outside the years 1 to 9999 has no JSON form
        kept.ClearField("event_time")
        return MessageToDict(kept, preserving_proto_field_name=True)
