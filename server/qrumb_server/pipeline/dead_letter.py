"""A rejected event as it is kept: Rejected -> Record of the kind dead_letter, without raw personal data."""

import math
import re
from typing import Final

import orjson
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.struct_pb2 import Struct, Value

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.enrich.email import redacted_beginning
from qrumb_server.model import Rejected, SitePolicy
from qrumb_server.pipeline.consent import ALLOWED, applied_consent, without_personal
from qrumb_server.wire.v1.record_pb2 import Record

__all__ = ["MAX_PAYLOAD", "bury"]

# Characters of a payload that are kept: enough to see and to replay any event of legal size.
MAX_PAYLOAD: Final = 64 * 1024
# Ids are short; a longer one is somebody's mistake and only its beginning is of use.
MAX_ID: Final = 200
# Stands where a hash should have been.
NOT_HASHED: Final = "[not hashed]"
_ANY_SITE: Final = SitePolicy()

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
    letter.payload = redacted_beginning(_as_json(without_personal(message, allowed, policy)), MAX_PAYLOAD)
    return record


def _as_json(kept: BrowserEvent | ServerEvent) -> str:
    """The event as JSON; `kept` is ours to change."""
    # Never stored, not even here: the visitor's address and agent, and raw identifiers where hashes belong.
    if isinstance(kept, ServerEvent):
        kept.ClearField("client_ip")
        kept.ClearField("user_agent")
        for kind in ("email_hash", "phone_hash"):
            if kept.HasField("user_identifiers") and not _is_hash_or_empty(getattr(kept.user_identifiers, kind)):
                setattr(kept.user_identifiers, kind, NOT_HASHED)
        _spell_out_non_finite(kept.properties)
        if not math.isfinite(kept.conversion_value.amount):
            kept.ClearField("conversion_value")
    else:
        if kept.HasField("device"):
            kept.device.ClearField("user_agent")
        _spell_out_non_finite(kept.metadata)
    try:
        sent = MessageToDict(kept, preserving_proto_field_name=True)
    except SerializeToJsonError:  # an event_time outside the years 1 to 9999 has no JSON form
        kept.ClearField("event_time")
        sent = MessageToDict(kept, preserving_proto_field_name=True)
    return orjson.dumps(sent).decode()


def _spell_out_non_finite(struct: Struct) -> None:
    """JSON has no NaN and no infinity: write them as strings, so that the letter can be read."""
    waiting: list[Value] = list(struct.fields.values())
    while waiting:
        value = waiting.pop()
        kind = value.WhichOneof("kind")
        if kind == "number_value" and not math.isfinite(value.number_value):
            value.string_value = str(value.number_value)
        elif kind == "struct_value":
            waiting.extend(value.struct_value.fields.values())
        elif kind == "list_value":
            waiting.extend(value.list_value.values)
