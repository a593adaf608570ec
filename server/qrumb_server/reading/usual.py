"""The usual way: an event's bytes into its message by a compiled reader whose shapes are made from the contract.

It says "yours" (None) to whatever it does not take in full: a name that it does not know or in another spelling than
the others, another type, a text for a number, equal keys, numbers of many digits, unusual own fields. Nothing that it
takes deserves a word, so its Reading has no violation and no warning.
"""

from typing import Annotated, Any, Final

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.device_pb2 import Device
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers
from qrumb_server.model import Reading, Source
from qrumb_server.pipeline.struct_json import usual_text
from qrumb_server.pipeline.times import read_time
from qrumb_server.pipeline.validate import STRUCT_LIMITS
from qrumb_server.reading.event import ReadEvent

__all__ = ["CONSENTS", "read_usual"]

_Unset: Final = msgspec.UnsetType
_SCALARS: Final[dict[int, Any]] = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_ENUM: str,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_UINT32: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)],
}
CONSENTS: Final = {
    spelling: number for name, number in Consent.State.items() for spelling in (name, name.lower()) if number
}
"""Numbers of the consents that can be stated, by what most senders write."""
# Below it doubles have fewer digits.
_SMALLEST: Final = 1e-300
# As many digits as a double surely keeps; a dot counts as one, so that a fraction is one row.
_MANY_DIGITS: Final = b"0" * 16
_DIGITS: Final = bytes.maketrans(b"123456789.", b"0000000000")


def _shape(message: Descriptor, *, has_snake_case: bool) -> type[msgspec.Struct]:
    """A type whose members are the message's fields, in one of the two spellings."""
    members = []
    for known in message.fields:
        kind = known.message_type
        taken: Any
        if kind is None:
            taken = _SCALARS[known.type]
        elif kind is Timestamp.DESCRIPTOR:
            taken = str
        elif kind is Struct.DESCRIPTOR:
            taken = dict[str, Any]
        else:
            taken = _shape(kind, has_snake_case=has_snake_case)
        members.append((known.name, taken | None | _Unset, msgspec.UNSET))
    rename = None if has_snake_case else {known.name: known.json_name for known in message.fields}
    return msgspec.defstruct(message.name, members, rename=rename, forbid_unknown_fields=True, kw_only=True, gc=False)


def _decoders(message: Any) -> tuple[Any, Any]:
    snake, camel = (msgspec.json.Decoder(_shape(message, has_snake_case=is_snake)) for is_snake in (True, False))
    return snake.decode, camel.decode


_DECODERS: Final = {
    Source.BROWSER: _decoders(BrowserEvent.DESCRIPTOR),
    Source.SERVER: _decoders(ServerEvent.DESCRIPTOR),
}
_encode: Final = msgspec.json.Encoder().encode


def read_usual(text: bytes, source: Source) -> ReadEvent | None:
    """The event that a text holds, or None where there is anything to explain."""
    shaped = _shaped(text, source)
    if shaped is None or _MANY_DIGITS in text.translate(_DIGITS):
        return None
    # A colon stands behind each name, else in texts only. Of equal names the last one is left, so that what is written
    # again has fewer colons; unless an escape made some.
    if _encode(shaped).count(b":") != text.count(b":") or b"\\u003" in text:
        return None
    own = shaped.metadata if source is Source.BROWSER else shaped.properties
    own_text = usual_text(own, STRUCT_LIMITS) if own else "{}"
    fields = _browser_fields(shaped) if source is Source.BROWSER else _server_fields(shaped)
    if own_text is None or fields is None:
        return None
    message = BrowserEvent(**fields) if source is Source.BROWSER else ServerEvent(**fields)
    return ReadEvent(message=message, reading=Reading(own_fields=own or None, own_text=own_text))


def _shaped(text: bytes, source: Source) -> Any:
    for decode in _DECODERS[source]:
        try:
            return decode(text)
        except (ValueError, RecursionError):
            continue
    return None


def _core_fields(shaped: Any) -> dict[str, Any] | None:
    """What both kinds of events have; None where a value is unusual."""
    fields: dict[str, Any] = {}
    if shaped.site_id:
        fields["site_id"] = shaped.site_id
    if shaped.event_id:
        fields["event_id"] = shaped.event_id
    if shaped.scan_session_id:
        fields["scan_session_id"] = shaped.scan_session_id
    if written := shaped.event_time:
        time = read_time(written)
        if time is None or time.warning:
            return None
        fields["event_time"] = time.timestamp()
    if stated := shaped.consent:
        consent = CONSENTS.get(stated)
        if consent is None:
            return None
        fields["consent"] = consent
    return fields


def _browser_fields(shaped: Any) -> dict[str, Any] | None:
    fields = _core_fields(shaped)
    if fields is None:
        return None
    if shaped.event_type:
        fields["event_type"] = shaped.event_type
    if shaped.page_url:
        fields["page_url"] = shaped.page_url
    if shaped.page_title:
        fields["page_title"] = shaped.page_title
    if shaped.referrer:
        fields["referrer"] = shaped.referrer
    if shaped.device:
        fields["device"] = Device(**_scalars(shaped.device))
    return fields


def _server_fields(shaped: Any) -> dict[str, Any] | None:
    fields = _core_fields(shaped)
    if fields is None:
        return None
    if shaped.event_name:
        fields["event_name"] = shaped.event_name
    if shaped.client_ip:
        fields["client_ip"] = shaped.client_ip
    if shaped.user_agent:
        fields["user_agent"] = shaped.user_agent
    if shaped.user_identifiers:
        fields["user_identifiers"] = UserIdentifiers(**_scalars(shaped.user_identifiers))
    if money := shaped.conversion_value:
        if not isinstance(money.amount, float) or abs(money.amount) < _SMALLEST:
            return None  # none, zero, or what comes near it and may have lost digits
        fields["conversion_value"] = ConversionValue(**_scalars(money))
    return fields


def _scalars(shaped: msgspec.Struct) -> dict[str, Any]:
    return {
        name: value
        for name in shaped.__struct_fields__
        if (value := getattr(shaped, name)) is not msgspec.UNSET and value is not None
    }
