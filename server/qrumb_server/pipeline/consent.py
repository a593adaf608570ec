"""What the visitor's consent lets an event keep: one table from state to columns, and its application.

Applied three times. To URLs before the field rules see them (`context_fields`), so that nothing is refused for what
goes anyway; here, before anything is written, to all that the event itself says, dead letters included; and in the
loader to what is looked up by its scan session, after which a denied event's session id goes too (a dead letter keeps
it, to be replayed by). Each event is judged by its own consent.
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Final

import orjson

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.model import SitePolicy, ValidEvent
from qrumb_server.pipeline.urls import bare

__all__ = ["ALLOWED", "STATED", "Allowed", "applied_consent", "apply_consent", "as_stored", "only", "without_personal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Which personal parts of an event may be kept."""

    user: bool
    """Identifiers and user_id."""
    city: bool
    address_key: bool
    """The keyed hash of the address that velocity is counted by."""
    session: bool
    """scan_session_id; the QR code is resolved in any case."""
    full_urls: bool
    """Query and fragment of page_url and referrer."""
    all_metadata: bool
    """Keys that the site has not listed as non-personal."""


_EVERYTHING: Final = Allowed(user=True, city=True, address_key=True, session=True, full_urls=True, all_metadata=True)
ALLOWED: Final = {
    "": _EVERYTHING,
    "granted": _EVERYTHING,
    "pending": replace(_EVERYTHING, user=False, city=False, address_key=False),
    "denied": Allowed(user=False, city=False, address_key=False, session=False, full_urls=False, all_metadata=False),
}
STATED: Final = {Consent.GRANTED: "granted", Consent.DENIED: "denied", Consent.PENDING: "pending"}


def applied_consent(message: BrowserEvent | ServerEvent | ScanSession, policy: SitePolicy) -> str:
    """The consent that counts: granted, denied or pending; empty where none is stated and all is allowed."""
    stated = STATED.get(message.consent, "")
    return stated or ("" if policy.default_consent == "granted" else policy.default_consent)


def apply_consent(event: ValidEvent, policy: SitePolicy) -> ValidEvent:
    """The event without what its consent does not allow."""
    allowed = ALLOWED[event.consent]
    if allowed is _EVERYTHING:
        return event
    return replace(
        event,
        # The fingerprint is made from the message, so it tells nothing of what is gone.
        raw=replace(event.raw, message=without_personal(event.raw.message, allowed, policy)),
        user_identifiers=event.user_identifiers if allowed.user else None,
        metadata=event.metadata if allowed.all_metadata else only(event.metadata, policy.non_personal_keys),
    )


def without_personal(
    message: BrowserEvent | ServerEvent, allowed: Allowed, policy: SitePolicy
) -> BrowserEvent | ServerEvent:
    """A copy of the message without what is not allowed; of its session id the loader lets go later."""
    kept = deepcopy(message)
    if isinstance(kept, BrowserEvent):
        if not allowed.full_urls:
            kept.page_url = bare(kept.page_url)
            kept.referrer = bare(kept.referrer)
        struct = kept.metadata if kept.HasField("metadata") else None
    else:
        if not allowed.user:
            kept.ClearField("user_identifiers")
        struct = kept.properties if kept.HasField("properties") else None
    if struct is not None and not allowed.all_metadata:
        for key in struct.fields.keys() - policy.non_personal_keys:
            del struct.fields[key]
        if not struct.fields:
            kept.ClearField("metadata" if isinstance(kept, BrowserEvent) else "properties")
    return kept


def as_stored(row: EventRow) -> EventRow:
    """The row without its scan session where consent forbids to keep it; it was needed until here for the QR code."""
    if not ALLOWED[row.consent].session:
        row.scan_session_id = ""
    return row


def only(metadata: str, keys: frozenset[str]) -> str:
    """The top-level keys of canonical metadata among `keys`, in their order."""
    if not keys or metadata == "{}":
        return "{}"
    return orjson.dumps({key: value for key, value in orjson.loads(metadata).items() if key in keys}).decode()
