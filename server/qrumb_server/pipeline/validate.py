"""The field rules: RawEvent -> ValidEvent, or Rejected with every rule that is broken.

The annotations in proto/qrumb/v1 are the contract; this is the same by hand, because it runs for every event. A
property test holds the two together. What annotations cannot say is only here: Struct limits, e-mail addresses,
ISO 4217 membership, and the sign of an amount.
"""

import math
import re
from ipaddress import ip_address
from typing import Final

from google.protobuf.struct_pb2 import Struct

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.device_pb2 import Device
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers
from qrumb_server.enrich.currency import currency_decimals, quantize
from qrumb_server.enrich.email import contains_email, redacted_beginning
from qrumb_server.instants import milliseconds
from qrumb_server.model import Conversion, RawEvent, Reading, Rejected, ValidEvent, is_site_id
from qrumb_server.pipeline.struct_json import (
    FaultKind,
    StructFault,
    StructLimits,
    StructText,
    canonical_json,
    canonical_plain,
)

__all__ = ["MAX_VIOLATIONS", "validate", "validate_scan_session"]

# A reply carries its violations in one header: common clients take 8 KiB.
MAX_VIOLATIONS: Final = 50
# Characters of a wrong event_id that are said back: a UUID has 36.
MAX_WRONG_ID: Final = 64
MAX_SCAN_SESSION_ID: Final = 128
MAX_NAME: Final = 128
MAX_URL: Final = 8_192
MAX_TITLE: Final = 1_024
MAX_USER_AGENT: Final = 2_048
MAX_EXTERNAL_ID: Final = 256
MAX_QR_CODE_ID: Final = 128
MAX_USER_ID: Final = 256
MAX_SCREEN: Final = 100_000
MAX_TOUCH_POINTS: Final = 1_000
# Beyond it a double no longer has cents, and Decimal(18, 4) still holds it.
MAX_AMOUNT: Final = 1_000_000_000_000
STRUCT_LIMITS: Final = StructLimits()
_STRUCT_REASONS: Final = {
    FaultKind.TOO_DEEP: Violation.TOO_DEEP,
    FaultKind.TOO_MANY_VALUES: Violation.TOO_MANY_VALUES,
    FaultKind.TOO_LARGE: Violation.TOO_LARGE,
    FaultKind.NOT_FINITE: Violation.NOT_FINITE,
    FaultKind.CONTAINS_EMAIL: Violation.CONTAINS_EMAIL,
}
_CONSENTS: Final = frozenset(Consent.State.values())
# The one event_name whose amount may be negative.
REFUND: Final = "refund"

_is_uuid = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch
_is_page_url = re.compile(r"[hH][tT][tT][pP][sS]?://[^/?#].*").fullmatch
_is_referrer = re.compile(r"([hH][tT][tT][pP][sS]?|android-app)://[^/?#].*").fullmatch
_is_hash = re.compile(r"[0-9a-fA-F]{64}").fullmatch
_is_currency = re.compile(r"[A-Z]{3}").fullmatch
_is_phone_like = re.compile(r"\+?[0-9 ()./-]{6,24}").fullmatch
_HASH_OF_NOTHING: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_STRUCT_ADVICE: Final = "remove or hash it; raw e-mail addresses are never stored"


class _Faults:
    """Collects what is wrong with one event, after what its reading has found."""

    __slots__ = ("_unread", "violations", "warnings")

    def __init__(self, reading: Reading | None = None) -> None:
        self.violations: list[Violation] = list(reading.violations) if reading else []
        self.warnings: list[EventWarning] = list(reading.warnings) if reading else []
        self._unread = reading.unread if reading else ()

    def add(self, field: str, reason: Violation.Reason, description: str) -> None:
        if len(self.violations) < MAX_VIOLATIONS and field not in self._unread:
            self.violations.append(Violation(field=field, reason=reason, description=description))

    def warn(self, field: str, code: EventWarning.Code, description: str) -> None:
        self.warnings.append(EventWarning(field=field, code=code, description=description))

    def text(self, field: str, value: str, limit: int) -> None:
        """A stored text: bounded, and no e-mail address in it."""
        if len(value) > limit:
            self.add(field, Violation.TOO_LONG, f"has {len(value)} characters; at most {limit} are allowed")
        # What is too long is refused whatever comes behind, and may be very long.
        if contains_email(value[:limit]):
            self.add(field, Violation.CONTAINS_EMAIL, f"contains a raw e-mail address; {_STRUCT_ADVICE}")

    def bounded(self, field: str, value: str, limit: int) -> None:
        """A text that is never stored as it is."""
        if len(value) > limit:
            self.add(field, Violation.TOO_LONG, f"has {len(value)} characters; at most {limit} are allowed")


def validate(raw: RawEvent) -> ValidEvent | Rejected:
    """Check every rule of the contract and bring the values into their normal form."""
    faults = _Faults(raw.reading)
    event = raw.message
    _check_core(event, faults)
    conversion: Conversion | None = None
    identifiers: UserIdentifiers | None = None
    if isinstance(event, BrowserEvent):
        _check_browser(event, faults)
        own = event.metadata if event.HasField("metadata") else None
        metadata = _metadata("metadata", own, raw.reading, faults)
    else:
        _check_server(event, faults)
        if event.HasField("user_identifiers"):
            identifiers = _identifiers(event.user_identifiers, faults)
        if event.HasField("conversion_value"):
            conversion = _conversion(event.conversion_value, event.event_name, faults)
        own = event.properties if event.HasField("properties") else None
        metadata = _metadata("properties", own, raw.reading, faults)
    if faults.violations:
        said_id = redacted_beginning(event.event_id, MAX_WRONG_ID).lower()
        return Rejected(raw=raw, event_id=said_id, violations=faults.violations)
    event_time_ms: int | None = None
    if event.HasField("event_time"):
        event_time_ms = milliseconds(event.event_time)
    return ValidEvent(
        raw=raw,
        event_id=event.event_id.lower(),
        event_time_ms=event_time_ms,
        conversion=conversion,
        user_identifiers=identifiers,
        metadata=metadata,
        warnings=faults.warnings,
    )


def validate_scan_session(session: ScanSession) -> list[Violation]:
    """Every rule of the contract that a scan session breaks; empty where it breaks none."""
    faults = _Faults()
    _check_site_id(session.site_id, faults)
    if not session.scan_session_id:
        faults.add("scan_session_id", Violation.REQUIRED, "is required: the id that the QR redirect made for the visit")
    faults.text("scan_session_id", session.scan_session_id, MAX_SCAN_SESSION_ID)
    if not session.qr_code_id:
        faults.add("qr_code_id", Violation.REQUIRED, "is required: the QR code that was scanned")
    faults.text("qr_code_id", session.qr_code_id, MAX_QR_CODE_ID)
    faults.text("user_id", session.user_id, MAX_USER_ID)
    return faults.violations


def _check_site_id(site_id: str, faults: _Faults) -> None:
    if not site_id:
        faults.add("site_id", Violation.REQUIRED, "is required: the id of the tracking site")
    elif not is_site_id(site_id):
        faults.add("site_id", Violation.INVALID_FORMAT, "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")


def _check_core(event: BrowserEvent | ServerEvent, faults: _Faults) -> None:
    _check_site_id(event.site_id, faults)
    if event.event_id and not _is_uuid(event.event_id):
        faults.add(
            "event_id",
            Violation.INVALID_UUID,
            "must be a UUID such as 0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f; leave it out to have one made",
        )
    faults.text("scan_session_id", event.scan_session_id, MAX_SCAN_SESSION_ID)
    if event.consent not in _CONSENTS:
        faults.add("consent", Violation.INVALID_ENUM, "must be granted, denied or pending; leave it out if not known")


def _check_browser(event: BrowserEvent, faults: _Faults) -> None:
    if not event.event_type:
        faults.warn(
            "event_type",
            EventWarning.EVENT_TYPE_MISSING,
            "is empty: set it to say what happened (pageview, ...)",
        )
    faults.text("event_type", event.event_type, MAX_NAME)
    if event.page_url:
        faults.text("page_url", event.page_url, MAX_URL)
        if not _is_page_url(event.page_url):
            faults.add("page_url", Violation.INVALID_URL, "must be an absolute http or https URL, or be left out")
    faults.text("page_title", event.page_title, MAX_TITLE)
    if event.referrer:
        faults.text("referrer", event.referrer, MAX_URL)
        if not _is_referrer(event.referrer):
            faults.add("referrer", Violation.INVALID_URL, "must be an absolute http or https URL, or be left out")
    if event.HasField("device"):
        _check_device(event.device, faults)


def _check_device(device: Device, faults: _Faults) -> None:
    faults.bounded("device.type", device.type, 32)
    faults.bounded("device.user_agent", device.user_agent, MAX_USER_AGENT)
    faults.bounded("device.language", device.language, 64)
    faults.bounded("device.timezone", device.timezone, 64)
    for name, value in (
        ("screen_width", device.screen_width),
        ("screen_height", device.screen_height),
        ("viewport_width", device.viewport_width),
        ("viewport_height", device.viewport_height),
    ):
        if value > MAX_SCREEN:
            faults.add(f"device.{name}", Violation.OUT_OF_RANGE, f"must be at most {MAX_SCREEN} pixels")
    if device.max_touch_points > MAX_TOUCH_POINTS:
        faults.add("device.max_touch_points", Violation.OUT_OF_RANGE, f"must be at most {MAX_TOUCH_POINTS}")


def _check_server(event: ServerEvent, faults: _Faults) -> None:
    if not event.scan_session_id:
        faults.add(
            "scan_session_id",
            Violation.REQUIRED,
            "is required: the id that the QR redirect gave the visit, as the landing page received it",
        )
    if not event.event_name:
        faults.add("event_name", Violation.REQUIRED, "is required: what happened, such as purchase, signup or lead")
    faults.text("event_name", event.event_name, MAX_NAME)
    if event.client_ip and not _is_ip(event.client_ip):
        faults.add("client_ip", Violation.INVALID_IP, "must be an IPv4 or IPv6 address, or be left out")
    faults.bounded("user_agent", event.user_agent, MAX_USER_AGENT)


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _identifiers(sent: UserIdentifiers, faults: _Faults) -> UserIdentifiers:
    _check_hash("email_hash", sent.email_hash, "trim and lower-case the e-mail address", faults)
    _check_hash("phone_hash", sent.phone_hash, "write the number as E.164 with +, such as +436601234567", faults)
    faults.text("user_identifiers.external_id", sent.external_id, MAX_EXTERNAL_ID)
    return UserIdentifiers(
        email_hash=sent.email_hash.lower(), phone_hash=sent.phone_hash.lower(), external_id=sent.external_id
    )


def _check_hash(name: str, value: str, normalise: str, faults: _Faults) -> None:
    if not value:
        return
    field = f"user_identifiers.{name}"
    if not _is_hash(value):
        if "@" in value or _is_phone_like(value):
            faults.add(
                field,
                Violation.NOT_HASHED,
                f"looks like a raw identifier: hash it first ({normalise}, then SHA-256, then 64 hex digits)",
            )
        else:
            faults.add(field, Violation.INVALID_FORMAT, "must be a SHA-256 as 64 hex digits")
    elif value.lower() == _HASH_OF_NOTHING:
        faults.add(field, Violation.HASH_OF_NOTHING, "is the SHA-256 of the empty string: leave it out instead")


def _conversion(value: ConversionValue, event_name: str, faults: _Faults) -> Conversion | None:
    decimals: int | None = None
    if not value.currency:
        faults.add("conversion_value.currency", Violation.REQUIRED, "is required with an amount, such as EUR")
    elif not _is_currency(value.currency):
        faults.add("conversion_value.currency", Violation.INVALID_FORMAT, "must be an ISO 4217 code such as EUR")
    else:
        decimals = currency_decimals().get(value.currency)
        if decimals is None:
            faults.add("conversion_value.currency", Violation.INVALID_CURRENCY, "is no ISO 4217 currency code")
    field = "conversion_value.amount"
    amount = value.amount
    if not math.isfinite(amount):
        faults.add(field, Violation.NOT_FINITE, "must be a finite number")
        return None
    if abs(amount) > MAX_AMOUNT:
        faults.add(field, Violation.OUT_OF_RANGE, f"must be at most {MAX_AMOUNT:,}")
        return None
    if amount < 0 and event_name != REFUND:
        faults.add(field, Violation.NEGATIVE_AMOUNT, "may be negative only where event_name is refund")
    if decimals is None:
        return None
    text, changed = quantize(amount, decimals)
    if changed:
        faults.warn(field, EventWarning.AMOUNT_ROUNDED, f"was rounded to the {decimals} decimals of {value.currency}")
    return Conversion(amount=text, currency=value.currency)


def _metadata(field: str, struct: Struct | None, reading: Reading | None, faults: _Faults) -> str:
    """The sender's own fields as canonical JSON, from wherever they are."""
    answer: StructText | StructFault
    if reading is not None:
        if reading.own_text or not reading.own_fields:
            return reading.own_text or "{}"
        answer = canonical_plain(reading.own_fields, STRUCT_LIMITS, field)
    elif struct is not None:
        answer = canonical_json(struct, STRUCT_LIMITS, field)
    else:
        return "{}"
    if isinstance(answer, StructText):
        for path in answer.inexact:
            faults.warn(
                path,
                EventWarning.INEXACT_NUMBER,
                "came as a double, which keeps whole numbers exactly below 2^53 only; send it as text, or as JSON",
            )
        return answer.text
    for fault in answer.faults:
        faults.add(fault.path, _STRUCT_REASONS[fault.kind], fault.detail)
    return "{}"
