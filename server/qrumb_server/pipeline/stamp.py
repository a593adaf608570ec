"""What can only be known at the receipt of an event: ValidEvent -> StampedEvent.

Fills every column of the row that needs no look-up. An address is used here and dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b
from typing import Final, NamedTuple

from qrumb.signing import is_signed
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import EventWarning
from qrumb_server.enrich.address import Place
from qrumb_server.enrich.agent import Agent, ClientHints, describe_agent, refine
from qrumb_server.instants import set_time
from qrumb_server.model import RawEvent, SitePolicy, Source, StampedEvent, ValidEvent
from qrumb_server.pipeline.consent import ALLOWED
from qrumb_server.pipeline.mark import marks_at_receipt
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, Record

__all__ = ["MAX_AHEAD", "MAX_AHEAD_MS", "Arrival", "Enrichers", "is_forged", "stamp"]

# Clocks of phones are off by minutes; what is further ahead cannot be true.
MAX_AHEAD: Final = timedelta(minutes=10)
MAX_AHEAD_MS: Final = MAX_AHEAD // timedelta(milliseconds=1)
_NOT_STORED: Final = frozenset({EventWarning.UNKNOWN_FIELD, EventWarning.MISPLACED_FIELD})
_NOWHERE: Final = Place()
_ANY_SITE: Final = SitePolicy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichers:
    """What a collector can look up by itself. The defaults know nothing."""

    locate: Callable[[str], Place] = lambda _address: _NOWHERE
    is_data_centre: Callable[[str], bool] = lambda _address: False
    address_key: Callable[[str, int], str] = lambda _address, _received_time_ms: ""
    """Keyed hash of an address, another one each day."""
    policy: Callable[[str], SitePolicy] = lambda _site_id: _ANY_SITE


class Arrival(NamedTuple):  # one is made for every call: a third of the cost of a frozen dataclass
    """The circumstances under which an event was received."""

    received_time_ms: int
    retention_ms: int
    """No site keeps a row longer."""
    make_event_id: Callable[[RawEvent], str]
    """Names an event whose sender did not."""
    enrichers: Enrichers = Enrichers()

    def retention_of(self, site_id: str) -> int:
        """Age in milliseconds beyond which a site's times are not believed: it would not keep such a row."""
        return min(self.retention_ms, self.enrichers.policy(site_id).retention_ms)


def stamp(event: ValidEvent, arrival: Arrival) -> StampedEvent:
    """Fill the row as far as it can be filled here."""
    sent = event.raw.message
    policy = arrival.enrichers.policy(sent.site_id)
    retention_ms = min(arrival.retention_ms, policy.retention_ms)
    record = Record()
    accepted = record.accepted_event
    row = accepted.row
    if event.event_id:
        row.event_id = event.event_id
    else:
        row.event_id = arrival.make_event_id(event.raw)
        accepted.event_id_generated = True
    warnings = event.warnings
    received_ms = arrival.received_time_ms
    event_ms = received_ms if event.event_time_ms is None else event.event_time_ms
    if not received_ms - retention_ms <= event_ms <= received_ms + MAX_AHEAD_MS:
        set_time(row.client_event_time, event_ms)
        event_ms = received_ms
        corrected = EventWarning(
            field="event_time",
            code=EventWarning.CLOCK_CORRECTED,
            description="cannot be true (in the future, or too old): the time of receipt is used, yours is kept",
        )
        warnings = [*warnings, corrected]
    set_time(row.event_time, event_ms)
    set_time(row.received_time, received_ms)
    _copy_fields(event, row)
    if event.user_identifiers is not None:
        accepted.user_identifiers.CopyFrom(event.user_identifiers)
    if event.raw.caller.attempt > 1:
        accepted.retried = True
    agent, is_data_centre = _enrich(event, accepted, arrival)
    marks = marks_at_receipt(
        agent,
        source=event.raw.source,
        is_prefetch=event.raw.caller.is_prefetch,
        is_data_centre=is_data_centre,
        ahead_ms=0 if event.event_time_ms is None else event.event_time_ms - received_ms,
        retention_ms=retention_ms,
        is_forged=bool(policy.session_secrets)
        and event.raw.source is Source.BROWSER  # backends are believed
        and bool(sent.scan_session_id)
        and is_forged(policy.session_secrets, sent.site_id, sent.scan_session_id),
        rules=policy.fraud,
    )
    if marks:
        row.fraud_reasons.extend(marks)
        row.is_fraud = 1
    row.unknown_fields.extend(_unknown_fields(event.raw))
    row.fingerprint = _fingerprint(event)
    return StampedEvent(record=record, warnings=warnings)


def _unknown_fields(raw: RawEvent) -> list[str]:
    """What its reading found to be no field, each name once; one of the sender's own fields is stored where it is."""
    warnings = raw.reading.warnings if raw.reading else ()
    return list({warning.field: None for warning in warnings if warning.code in _NOT_STORED and warning.field})


def _fingerprint(event: ValidEvent) -> int:
    """Tells a retry from another event under the same id, whether it comes over gRPC or as JSON."""
    sent = event.raw.message
    own_fields = "metadata" if isinstance(sent, BrowserEvent) else "properties"
    if sent.HasField(own_fields):
        bare = type(sent)()
        bare.MergeFrom(sent)  # type: ignore[arg-type]  # both are of one kind
        bare.ClearField(own_fields)
        sent = bare
    digest = blake2b(sent.SerializeToString(deterministic=True), digest_size=8)
    digest.update(event.metadata.encode())
    return int.from_bytes(digest.digest(), "little")


def _copy_fields(event: ValidEvent, row: EventRow) -> None:
    """The columns that hold what was sent."""
    sent = event.raw.message
    row.site_id = sent.site_id
    row.scan_session_id = sent.scan_session_id
    row.source = event.raw.source.value
    row.consent = event.consent
    row.metadata = event.metadata
    if isinstance(sent, BrowserEvent):
        row.event_type = sent.event_type
        row.page_url = sent.page_url
        row.page_title = sent.page_title
        row.referrer = sent.referrer
    else:
        row.event_name = sent.event_name
        if event.conversion is not None:
            row.conversion_value = event.conversion.amount
            row.conversion_currency = event.conversion.currency


def _enrich(event: ValidEvent, accepted: AcceptedEvent, arrival: Arrival) -> tuple[Agent, bool]:
    """Device, place and the key of the address; returns the agent, and whether the address is a data centre's."""
    row, enrichers = accepted.row, arrival.enrichers
    agent, address = _visitor(event.raw)
    row.device_type = agent.device_type
    row.browser_family = agent.browser_family
    row.os_family = agent.os_family
    allowed = ALLOWED[event.consent]
    if address:
        place = enrichers.locate(address)
        row.country_code = place.country_code
        if allowed.city:
            row.city = place.city
        if allowed.address_key:
            accepted.ip_key = enrichers.address_key(address, arrival.received_time_ms)
    return agent, bool(address) and enrichers.is_data_centre(address)


def is_forged(secrets: tuple[str, ...], site_id: str, session_id: str) -> bool:
    """Whether a site's redirect, which signs, has not signed a scan session."""
    return not any(is_signed(secret, site_id, session_id) for secret in secrets)


def _visitor(raw: RawEvent) -> tuple[Agent, str]:
    """Agent and address of the visitor. A backend's own say nothing, so a server event states them itself."""
    sent, caller = raw.message, raw.caller
    if not isinstance(sent, BrowserEvent):
        return describe_agent(sent.user_agent), sent.client_ip
    device = sent.device
    if stated := device.user_agent:
        # The hints are the request's; they say nothing of an agent that the page states in place of the request's.
        described = describe_agent(stated)
    else:
        hints = ClientHints(caller.hint_brands, caller.hint_mobile, caller.hint_platform)
        described = describe_agent(caller.user_agent, hints)
    return refine(described, device.max_touch_points, device.type), caller.client_ip
