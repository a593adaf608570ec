"""The field rules: RawEvent -> ValidEvent, or Rejected with every rule that is broken.

The annotations in proto/qrumb/v1 are the contract; this is the same by hand, because it runs for every event. A
property test holds the two together. What annotations cannot say is only here: Struct limits, e-mail addresses,
ISO 4217 membership, the sign of an amount and the range of a time. Fields that only describe the visit refuse nothing:
`context_fields` leaves out what breaks their annotations.
"""

import math
import re
from dataclasses import replace
from typing import Final

from google.protobuf.struct_pb2 import Struct

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers
from qrumb_server.enrich.currency import currency_decimals, quantize
from qrumb_server.enrich.email import redacted_beginning
from qrumb_server.instants import is_timestamp, milliseconds
from qrumb_server.model import Conversion, RawEvent, Reading, Rejected, SitePolicy, ValidEvent, is_site_id, is_uuid
from qrumb_server.pipeline.consent import ALLOWED, applied_consent
from qrumb_server.pipeline.context_fields import check_context
from qrumb_server.pipeline.findings import MAX_VIOLATIONS, Findings
from qrumb_server.pipeline.identity import kind_of_name
from qrumb_server.pipeline.personal_keys import personal_keys
from qrumb_server.pipeline.placeholders import HASH_OF_NOTHING, is_placeholder, is_placeholder_hash
from qrumb_server.pipeline.struct_json import (
    FaultKind,
    StructFault,
    StructLimits,
    StructText,
    canonical_json,
    canonical_plain,
)
from qrumb_server.pipeline.times import read_time

__all__ = [
    "MAX_SCAN_SESSION_ID",
    "MAX_VIOLATIONS",
    "MAX_WRONG_ID",
    "NO_ONE",
    "check_consent",
    "check_site_id",
    "own_fields",
    "validate",
]

# Characters of a wrong event_id that are said back: a UUID has 36.
MAX_WRONG_ID: Final = 64
MAX_SCAN_SESSION_ID: Final = 128
MAX_NAME: Final = 128
MAX_EXTERNAL_ID: Final = 256
# Beyond it a double no longer has cents, and Decimal(18, 4) still holds it.
MAX_AMOUNT: Final = 1_000_000_000_000
STRUCT_LIMITS: Final = StructLimits()
_ANY_SITE: Final = SitePolicy()
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

HASH_PATTERN: Final = r"[0-9a-fA-F]{64}"

_is_hash = re.compile(HASH_PATTERN).fullmatch
_is_currency = re.compile(r"[A-Z]{3}").fullmatch
_is_phone_like = re.compile(r"\+?[0-9 ()./-]{6,24}").fullmatch
_SOME_UUID: Final = "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f"
_UUID_ADVICE: Final = (
    "derive one from your order number (UUIDv5; the clients have a function for it), or leave it out to have one made"
)
# What libraries give where they have none: every event that has it would be a duplicate of the first.
NO_NAMES: Final = frozenset({"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"})
NO_ONE: Final = "is a word or a template that stands for no value, such as undefined, and names no one"
_OUR_NAME: Final = (
    "has the form of qrumb's own names for the users of hashes (email-..., phone-...) and could make one user of two "
    "accounts; send your own account's id, or the hash itself as email_hash or phone_hash"
)


def validate(raw: RawEvent, policy: SitePolicy = _ANY_SITE) -> ValidEvent | Rejected:
    """Check every rule of the contract and bring the values into their normal form."""
    findings = Findings(raw.reading)
    event = raw.message
    if raw.reading is None:  # of JSON the reader has said it, by their names
        findings.unknown_fields(event)
    consent = applied_consent(event, policy)
    _check_core(event, findings)
    event_time_ms = _event_time_ms(event, findings) if event.HasField("event_time") else None
    check_context(event, ALLOWED[consent], findings)
    conversion: Conversion | None = None
    identifiers: UserIdentifiers | None = None
    if isinstance(event, BrowserEvent):
        _check_event_type(event, findings)
        own = event.metadata if event.HasField("metadata") else None
        metadata = own_fields("metadata", own, raw.reading, findings)
    else:
        _check_server(event, findings)
        if event.HasField("user_identifiers"):
            identifiers = _identifiers(event.user_identifiers, findings)
        if event.HasField("conversion_value"):
            conversion = _conversion(event.conversion_value, event.event_name, findings)
        own = event.properties if event.HasField("properties") else None
        metadata = own_fields("properties", own, raw.reading, findings)
    kept = findings.applied_to(event)
    if kept is not event:
        raw = replace(raw, message=kept)
    if findings.violations:
        said_id = redacted_beginning(event.event_id, MAX_WRONG_ID).lower()
        return Rejected(raw=raw, event_id=said_id, violations=findings.violations)
    return ValidEvent(
        raw=raw,
        event_id=kept.event_id,
        event_time_ms=event_time_ms,
        conversion=conversion,
        user_identifiers=identifiers,
        metadata=metadata,
        consent=consent,
        warnings=findings.warnings,
    )


def check_site_id(site_id: str, findings: Findings) -> None:
    """The site is named, by a name that a site can have."""
    if not site_id:
        findings.add("site_id", Violation.REQUIRED, "is required: the id of the tracking site")
    elif not is_site_id(site_id):
        findings.add("site_id", Violation.INVALID_FORMAT, "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")


def _check_core(event: BrowserEvent | ServerEvent, findings: Findings) -> None:
    check_site_id(event.site_id, findings)
    if event.event_id:
        _check_event_id(event.event_id, findings)
    _check_session(event, findings)
    check_consent(event.consent, findings)


def check_consent(consent: int, findings: Findings) -> None:
    """The consent is one that there is."""
    if consent not in _CONSENTS:
        findings.add("consent", Violation.INVALID_ENUM, "must be granted, denied or pending; leave it out if not known")


def _event_time_ms(event: BrowserEvent | ServerEvent, findings: Findings) -> int | None:
    sent = event.event_time
    if is_timestamp(sent):
        return milliseconds(sent)
    # A backend that writes milliseconds where seconds belong names a time far beyond every calendar: its event counts.
    meant = read_time(sent.seconds) if isinstance(event, ServerEvent) and sent.seconds > 0 else None
    if meant is not None:
        findings.warn("event_time", EventWarning.TIME_INTERPRETED, meant.warning)
        return milliseconds(meant.timestamp())
    findings.add("event_time", Violation.OUT_OF_RANGE, "must have nanos from 0 to 999,999,999, in the years 1 to 9999")
    return None


def _check_session(event: BrowserEvent | ServerEvent, findings: Findings) -> None:
    findings.text("scan_session_id", event.scan_session_id, MAX_SCAN_SESSION_ID)
    if not is_placeholder(event.scan_session_id):
        return
    if isinstance(event, BrowserEvent):
        findings.leave_out("scan_session_id", NO_ONE)
    else:
        findings.add("scan_session_id", Violation.PLACEHOLDER, NO_ONE)


def _check_event_id(sent: str, findings: Findings) -> None:
    lowered = sent.lower()
    if not is_uuid(lowered):
        findings.add("event_id", Violation.INVALID_UUID, f"must be a UUID such as {_SOME_UUID}; {_UUID_ADVICE}")
    elif lowered in NO_NAMES:
        findings.add(
            "event_id", Violation.INVALID_UUID, f"is the nil or the max UUID, which names nothing; {_UUID_ADVICE}"
        )
    elif lowered != sent:
        findings.change("event_id", lowered)


def _check_event_type(event: BrowserEvent, findings: Findings) -> None:
    if not event.event_type:
        findings.add(
            "event_type", Violation.REQUIRED, "is required: what happened, such as pageview, click or form_submit"
        )
    findings.text("event_type", event.event_type, MAX_NAME)


def _check_server(event: ServerEvent, findings: Findings) -> None:
    if not event.scan_session_id:
        findings.add(
            "scan_session_id",
            Violation.REQUIRED,
            "is required: the id that the QR redirect gave the visit, as the landing page received it",
        )
    if not event.event_name:
        findings.add("event_name", Violation.REQUIRED, "is required: what happened, such as purchase, signup or lead")
    findings.text("event_name", event.event_name, MAX_NAME)


def _identifiers(sent: UserIdentifiers, findings: Findings) -> UserIdentifiers:
    _check_hash("email_hash", sent.email_hash, "trim and lower-case the e-mail address", findings)
    _check_hash("phone_hash", sent.phone_hash, "write the number as E.164 with +, such as +436601234567", findings)
    findings.text("user_identifiers.external_id", sent.external_id, MAX_EXTERNAL_ID)
    kept = UserIdentifiers(
        email_hash=sent.email_hash.lower(), phone_hash=sent.phone_hash.lower(), external_id=sent.external_id
    )
    for name, names_no_one in (
        ("email_hash", is_placeholder_hash(kept.email_hash)),
        ("phone_hash", is_placeholder_hash(kept.phone_hash)),
        ("external_id", is_placeholder(kept.external_id)),
    ):
        if names_no_one:
            findings.leave_out(f"user_identifiers.{name}", NO_ONE)
            kept.ClearField(name)
    if kind_of_name(kept.external_id):
        findings.leave_out("user_identifiers.external_id", _OUR_NAME)
        kept.ClearField("external_id")
    return kept


def _check_hash(name: str, value: str, normalise: str, findings: Findings) -> None:
    if not value:
        return
    field = f"user_identifiers.{name}"
    if not _is_hash(value):
        if "@" in value or _is_phone_like(value):
            findings.add(
                field,
                Violation.NOT_HASHED,
                f"looks like a raw identifier: hash it first ({normalise}, then SHA-256, then 64 hex digits)",
            )
        else:
            findings.add(field, Violation.INVALID_FORMAT, "must be a SHA-256 as 64 hex digits")
    elif value.lower() == HASH_OF_NOTHING:
        findings.add(field, Violation.HASH_OF_NOTHING, "is the SHA-256 of the empty string: leave it out instead")


def _conversion(value: ConversionValue, event_name: str, findings: Findings) -> Conversion | None:
    decimals: int | None = None
    if not value.currency:
        findings.add("conversion_value.currency", Violation.REQUIRED, "is required with an amount, such as EUR")
    elif not _is_currency(value.currency):
        findings.add("conversion_value.currency", Violation.INVALID_FORMAT, "must be an ISO 4217 code such as EUR")
    else:
        decimals = currency_decimals().get(value.currency)
        if decimals is None:
            findings.add("conversion_value.currency", Violation.INVALID_CURRENCY, "is not an ISO 4217 currency code")
    field = "conversion_value.amount"
    amount = value.amount
    if not math.isfinite(amount):
        findings.add(field, Violation.NOT_FINITE, "must be a finite number")
        return None
    if abs(amount) > MAX_AMOUNT:
        findings.add(field, Violation.OUT_OF_RANGE, f"must be at most {MAX_AMOUNT:,}")
        return None
    if amount < 0 and event_name != REFUND:
        findings.add(field, Violation.NEGATIVE_AMOUNT, "may be negative only where event_name is refund")
    elif amount > 0 and event_name == REFUND:
        findings.warn(field, EventWarning.REFUND_NOT_NEGATIVE, "is positive: it raises what the code earned")
    if decimals is None:
        return None
    text, changed = quantize(amount, decimals)
    if changed:
        findings.warn(field, EventWarning.AMOUNT_ROUNDED, f"was rounded to the {decimals} decimals of {value.currency}")
    return Conversion(amount=text, currency=value.currency)


def own_fields(field: str, struct: Struct | None, reading: Reading | None, findings: Findings) -> str:
    """The sender's own fields as canonical JSON, with a warning for what seems to say who a person is."""
    text = _canonical(field, struct, reading, findings)
    for key, meant in personal_keys(text):
        findings.warn(
            field,
            EventWarning.MISPLACED_FIELD,
            f"has the key `{key}`, stored as it is: no raw address or number belongs there, but its SHA-256 into "
            f"user_identifiers.{meant} of a server event",
        )
    return text


def _canonical(field: str, struct: Struct | None, reading: Reading | None, findings: Findings) -> str:
    """From wherever they are."""
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
            findings.warn(
                path,
                EventWarning.INEXACT_NUMBER,
                "came as a double, which keeps whole numbers exactly below 2^53 only; send it as text, or as JSON",
            )
        return answer.text
    for fault in answer.faults:
        findings.add(fault.path, _STRUCT_REASONS[fault.kind], fault.detail)
    return "{}"
