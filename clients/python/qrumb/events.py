"""Builders of events: keyword arguments in, messages of the contract out.

They refuse what only a mistake of the program can be (a time without a zone, NaN, half an amount); the contract's rules
are the server's to judge, which says all of them at once. Every event leaves here with its id and its time.
"""

import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.hashing import email_hash as hash_email
from qrumb.hashing import phone_hash as hash_phone
from qrumb.identity import new_event_id
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.device_pb2 import Device
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers

__all__ = ["ConsentState", "Event", "JsonValue", "browser_event", "complete", "device", "scan_session", "server_event"]

Event: TypeAlias = ServerEvent | BrowserEvent | ScanSession
JsonValue: TypeAlias = "str | int | float | bool | Decimal | Mapping[str, JsonValue] | Sequence[JsonValue] | None"
ConsentState: TypeAlias = Literal["granted", "denied", "pending"]

_CONSENT: Final[Mapping[str, Consent.State]] = {
    "granted": Consent.GRANTED,
    "denied": Consent.DENIED,
    "pending": Consent.PENDING,
}
# A Struct's numbers are doubles: beyond it an integer loses digits.
_LARGEST_INTEGER: Final = 2**53
# The contract allows 5. From some 30 on the server cannot decode the message, and would refuse the whole batch for it.
_MAX_DEPTH: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def server_event(
    *,
    site_id: str,
    event_name: str,
    scan_session_id: str,
    event_id: str | uuid.UUID | None = None,
    event_time: datetime | None = None,
    consent: ConsentState | None = None,
    email: str | None = None,
    phone: str | None = None,
    email_hash: str | None = None,
    phone_hash: str | None = None,
    external_id: str | None = None,
    amount: Decimal | float | None = None,
    currency: str | None = None,
    properties: Mapping[str, JsonValue] | None = None,
    client_ip: str = "",
    user_agent: str = "",
) -> ServerEvent:
    """A conversion: a purchase, a signup, a lead.

    Args:
        site_id: tracking site.
        event_name: what happened.
        scan_session_id: scan session that led to it.
        event_id: a UUID that names this event for ever, such as `event_id_for("purchase", order_number)`; None: a new
            UUIDv7.
        event_time: when it happened, with a zone; None: now.
        consent: the visitor's; None: the site's default.
        email: raw address, hashed here.
        phone: raw number with country code, hashed here.
        email_hash: instead of `email`, the SHA-256 made elsewhere.
        phone_hash: instead of `phone`, the SHA-256 made elsewhere.
        external_id: the site's own id of the user.
        amount: what it was worth, with `currency`.
        currency: ISO 4217 code.
        properties: own fields, of JSON's types.
        client_ip: the visitor's address; gives country and city and is dropped.
        user_agent: the visitor's agent; gives device and browser and is dropped.

    Raises:
        ValueError: an argument cannot be meant; the text names it and never quotes it.
        TypeError: a value of the properties is of no JSON type.
    """
    event = ServerEvent(
        site_id=site_id,
        event_id=_event_id(event_id),
        event_time=_timestamp(event_time, "event_time"),
        scan_session_id=scan_session_id,
        consent=_consent(consent),
        event_name=event_name,
        client_ip=client_ip,
        user_agent=user_agent,
    )
    identifiers = UserIdentifiers(
        email_hash=_identifier("email", email, email_hash, hash_email),
        phone_hash=_identifier("phone", phone, phone_hash, hash_phone),
        external_id=external_id or "",
    )
    if identifiers.ByteSize():
        event.user_identifiers.CopyFrom(identifiers)
    if amount is not None or currency:
        event.conversion_value.CopyFrom(_conversion(amount, currency))
    if properties:
        _fill(event.properties, properties, "properties")
    return event


def browser_event(
    *,
    site_id: str,
    event_type: str,
    event_id: str | uuid.UUID | None = None,
    event_time: datetime | None = None,
    scan_session_id: str = "",
    consent: ConsentState | None = None,
    page_url: str = "",
    page_title: str = "",
    referrer: str = "",
    device: Device | None = None,
    metadata: Mapping[str, JsonValue] | None = None,
) -> BrowserEvent:
    """Something that a visitor did on a page: a pageview, a click, a form_submit.

    Args as of `server_event`; `event_type` is what happened, `device` what the page knows of its browser.

    Raises:
        ValueError: an argument cannot be meant; the text names it and never quotes it.
        TypeError: a value of the metadata is of no JSON type.
    """
    event = BrowserEvent(
        site_id=site_id,
        event_id=_event_id(event_id),
        event_time=_timestamp(event_time, "event_time"),
        scan_session_id=scan_session_id,
        consent=_consent(consent),
        event_type=event_type,
        page_url=page_url,
        page_title=page_title,
        referrer=referrer,
        device=device,
    )
    if metadata:
        _fill(event.metadata, metadata, "metadata")
    return event


def device(
    *,
    type: str = "",  # noqa: A002  # the contract's name
    user_agent: str = "",
    language: str = "",
    screen_width: int = 0,
    screen_height: int = 0,
    viewport_width: int = 0,
    viewport_height: int = 0,
    timezone: str = "",
    max_touch_points: int = 0,
) -> Device:
    """What a page knows of its browser; what is left out is taken from the request's headers."""
    return Device(
        type=type,
        user_agent=user_agent,
        language=language,
        screen_width=screen_width,
        screen_height=screen_height,
        viewport_width=viewport_width,
        viewport_height=viewport_height,
        timezone=timezone,
        max_touch_points=max_touch_points,
    )


def complete(event: Event) -> Event:
    """The event with an id and a time; a copy where one of them is missing."""
    if isinstance(event, ScanSession):
        return _complete_scan(event)
    if event.event_id and event.HasField("event_time"):
        return event
    whole = deepcopy(event)
    whole.event_id = event.event_id or new_event_id()
    if not event.HasField("event_time"):
        whole.event_time.CopyFrom(_timestamp(None, "event_time"))
    return whole


def _complete_scan(scan: ScanSession) -> ScanSession:
    """As `complete`: a scan's id is that of its session."""
    if scan.scan_session_id and scan.HasField("scan_time"):
        return scan
    whole = deepcopy(scan)
    whole.scan_session_id = scan.scan_session_id or new_event_id()
    if not scan.HasField("scan_time"):
        whole.scan_time.CopyFrom(_timestamp(None, "scan_time"))
    return whole


def scan_session(
    *,
    site_id: str,
    scan_session_id: str,
    qr_code_id: str,
    scan_time: datetime | None = None,
    user_id: str = "",
    consent: ConsentState | None = None,
    client_ip: str = "",
    landing_page_url: str = "",
    labels: Mapping[str, JsonValue] | None = None,
) -> ScanSession:
    """One scan of a QR code; `scan_time` is now unless given.

    Raises:
        ValueError: the time has no zone, or another argument cannot be meant.
        TypeError: a label is of no JSON type.
    """
    scan = ScanSession(
        site_id=site_id,
        scan_session_id=scan_session_id,
        qr_code_id=qr_code_id,
        scan_time=_timestamp(scan_time, "scan_time"),
        user_id=user_id,
        consent=_consent(consent),
        client_ip=client_ip,
        landing_page_url=landing_page_url,
    )
    if labels:
        _fill(scan.labels, labels, "labels")
    return scan


def _event_id(given: str | uuid.UUID | None) -> str:
    if given is None or given == "":
        return new_event_id()
    if isinstance(given, uuid.UUID):
        return str(given)
    try:
        return str(uuid.UUID(given))
    except ValueError:
        raise ValueError("event_id is not a UUID") from None


def _timestamp(moment: datetime | None, name: str) -> Timestamp:
    """In milliseconds, which is what is stored."""
    if moment is None:
        moment = datetime.now(UTC)
    if moment.utcoffset() is None:
        raise ValueError(f"{name} has no time zone: use datetime.now(UTC) or moment.astimezone()")
    since = moment - _EPOCH
    return Timestamp(
        seconds=since.days * 86_400 + since.seconds,
        nanos=since.microseconds // 1_000 * 1_000_000,
    )


def _consent(state: ConsentState | None) -> Consent.State:
    if state is None:
        return Consent.CONSENT_UNSPECIFIED
    if state not in _CONSENT:
        raise ValueError("consent is granted, denied or pending")
    return _CONSENT[state]


def _identifier(name: str, raw: str | None, hashed: str | None, hash_raw: Callable[[str], str]) -> str:
    if raw is not None and hashed is not None:
        raise ValueError(f"{name} and {name}_hash are given: one of them is enough")
    return hash_raw(raw) if raw is not None else hashed or ""


def _conversion(amount: Decimal | float | None, currency: str | None) -> ConversionValue:
    if amount is None:
        raise ValueError("amount is missing: a currency alone is worth nothing")
    if not currency:
        raise ValueError("currency is missing: an amount needs it")
    if isinstance(amount, bool) or not isinstance(amount, (int, float, Decimal)):
        raise TypeError("amount is a Decimal, an int or a float")
    if not math.isfinite(amount):
        raise ValueError("amount is not finite")
    return ConversionValue(amount=float(amount), currency=currency)


def _fill(target: Struct, source: Mapping[str, JsonValue], where: str, depth: int = 1) -> None:
    for key, value in source.items():
        if not isinstance(key, str):
            raise TypeError(f"{where} has a key that is not text")
        _set(target.fields[key], value, where, depth + 1)


def _set(target: Value, value: JsonValue, where: str, depth: int) -> None:
    """`where` names the argument only: keys and values may be personal."""
    if depth > _MAX_DEPTH + 1:
        raise ValueError(f"{where} is nested deeper than {_MAX_DEPTH}")
    if value is None:
        target.null_value = 0  # type: ignore[assignment]
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise ValueError(f"{where} has an integer above 2^53, which would lose digits: send it as text")
        target.number_value = value
    elif isinstance(value, (float, Decimal)):
        if not math.isfinite(value):
            raise ValueError(f"{where} has a number that is not finite")
        target.number_value = float(value)
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        _fill(target.struct_value, value, where, depth)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        target.list_value.SetInParent()
        for item in value:
            _set(target.list_value.values.add(), item, where, depth + 1)
    else:
        raise TypeError(f"{where} has a {type(value).__name__}, which is not a type of JSON")
