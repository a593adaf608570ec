"""A scan from its registration to the spool: ScanSession -> StampedScan, or every rule that it breaks.

Invariant: address, agent and client hints are used here and are in nothing that leaves here; nor is what the scan's
consent does not allow.
"""

from dataclasses import dataclass
from typing import Final

import orjson

from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.enrich.agent import ClientHints, describe_agent
from qrumb_server.instants import milliseconds, set_time
from qrumb_server.model import Reading, SitePolicy
from qrumb_server.pipeline.consent import ALLOWED, Allowed, applied_consent, only
from qrumb_server.pipeline.context_fields import check_scan_context
from qrumb_server.pipeline.findings import Findings
from qrumb_server.pipeline.mark import marks_of_scan
from qrumb_server.pipeline.placeholders import is_placeholder
from qrumb_server.pipeline.stamp import MAX_AHEAD_MS, Arrival
from qrumb_server.pipeline.validate import MAX_SCAN_SESSION_ID, NO_ONE, check_consent, check_site_id, own_fields
from qrumb_server.wire.v1.record_pb2 import ScanFacts, SessionRegistration

__all__ = ["StampedScan", "judge_scan"]

MAX_QR_CODE_ID: Final = 128
MAX_USER_ID: Final = 256
# What only describes a scan: one that cannot be read is left out, as one that cannot be used.
_DESCRIPTIVE: Final = frozenset(
    {
        *("scan_time", "client_ip", "user_agent", "client_hints"),
        *("request_method", "is_prefetch", "referrer", "landing_page_url"),
    }
)
# Words that name no user, and may well name a poster.
_NAMES_OF_CODES: Final = frozenset({"guest", "object", "empty"})
_NO_CODE: Final = "is a word or a template that stands for no value, such as undefined, and names no code"
_UNREADABLE: Final = frozenset({Violation.INVALID_JSON, Violation.OUT_OF_RANGE})
_CORRECTED: Final = "cannot be true (in the future, or older than rows are kept): the time of receipt is used"
_USED_ONLY: Final = ("client_ip", "user_agent", "client_hints")


@dataclass(frozen=True, slots=True, kw_only=True)
class StampedScan:
    """A scan with all that can only be known at its receipt: ready for the spool."""

    registration: SessionRegistration
    warnings: list[EventWarning]


def judge_scan(sent: ScanSession, reading: Reading | None, arrival: Arrival) -> StampedScan | list[Violation]:
    """What is kept of a scan, or every rule of the contract that it breaks.

    Args:
        reading: what its JSON had to say beside; None where it was none.
    """
    policy = arrival.enrichers.policy(sent.site_id)
    consent = applied_consent(sent, policy)
    allowed = ALLOWED[consent]
    findings = _read(reading)
    findings.unknown_fields(sent)
    _check_names(sent, findings)
    check_consent(sent.consent, findings)
    check_scan_context(sent, allowed, findings)
    labels = own_fields("labels", sent.labels if sent.HasField("labels") else None, reading, findings)
    if findings.violations:
        return findings.violations
    visited = findings.applied_to(sent)
    registration = SessionRegistration(received_time_ms=arrival.received_time_ms)
    kept = registration.scan_session
    kept.CopyFrom(visited)
    if reading is not None and reading.own_fields:
        kept.labels.update(orjson.loads(labels))
    _set_scan_time(kept, arrival, findings)
    _drop(kept, allowed, policy)
    facts = registration.facts
    facts.consent = consent
    facts.labels = labels if allowed.all_metadata else only(labels, policy.non_personal_keys)
    has_no_agent = sent.HasField("user_agent") and not sent.user_agent.strip()
    _enrich(visited, allowed, arrival, facts, has_no_agent=has_no_agent)
    return StampedScan(registration=registration, warnings=findings.warnings)


def _read(reading: Reading | None) -> Findings:
    """What the reading found, of which what only describes the scan costs no scan."""
    findings = Findings(reading)
    broken, findings.violations = findings.violations, []
    for violation in broken:
        if violation.reason in _UNREADABLE and violation.field.partition(".")[0] in _DESCRIPTIVE:
            findings.warn(violation.field, EventWarning.LEFT_OUT, f"{violation.description}: it was left out")
        else:
            findings.violations.append(violation)
    return findings


def _check_names(session: ScanSession, findings: Findings) -> None:
    check_site_id(session.site_id, findings)
    if not session.scan_session_id:
        findings.add(
            "scan_session_id", Violation.REQUIRED, "is required: the id that the QR redirect made for the visit"
        )
    findings.text("scan_session_id", session.scan_session_id, MAX_SCAN_SESSION_ID)
    if is_placeholder(session.scan_session_id):
        findings.add("scan_session_id", Violation.PLACEHOLDER, NO_ONE)
    if _names_no_code(session.qr_code_id):
        findings.add("qr_code_id", Violation.PLACEHOLDER, _NO_CODE)
    if is_placeholder(session.user_id):
        findings.leave_out("user_id", NO_ONE)
    if not session.qr_code_id:
        findings.add("qr_code_id", Violation.REQUIRED, "is required: the QR code that was scanned")
    findings.text("qr_code_id", session.qr_code_id, MAX_QR_CODE_ID)
    findings.text("user_id", session.user_id, MAX_USER_ID)


def _names_no_code(code: str) -> bool:
    """Whether a placeholder stands where a code should: all posters of a broken template would be one."""
    return (
        len(code) <= MAX_QR_CODE_ID
        and is_placeholder(code)
        and not code.isdigit()
        and code.lower() not in _NAMES_OF_CODES
    )


def _set_scan_time(session: ScanSession, arrival: Arrival, findings: Findings) -> None:
    """The receipt's where it states none, or one that cannot be true."""
    received_ms = arrival.received_time_ms
    stated_ms = milliseconds(session.scan_time)
    earliest_ms = received_ms - arrival.retention_of(session.site_id)
    is_usable = session.HasField("scan_time") and earliest_ms <= stated_ms <= received_ms + MAX_AHEAD_MS
    if session.HasField("scan_time") and not is_usable:
        findings.warn("scan_time", EventWarning.CLOCK_CORRECTED, _CORRECTED)
    set_time(session.scan_time, stated_ms if is_usable else received_ms)


def _drop(session: ScanSession, allowed: Allowed, policy: SitePolicy) -> None:
    """What was only used, and what consent forbids to keep."""
    for name in _USED_ONLY:
        session.ClearField(name)
    if not allowed.user:
        session.ClearField("user_id")
    if not allowed.all_metadata:
        for key in session.labels.fields.keys() - policy.non_personal_keys:
            del session.labels.fields[key]
        if not session.labels.fields:
            session.ClearField("labels")


def _enrich(visited: ScanSession, allowed: Allowed, arrival: Arrival, facts: ScanFacts, *, has_no_agent: bool) -> None:
    """Device, place, the key of the address, and the marks that the scan gives by itself."""
    enrichers = arrival.enrichers
    hints = visited.client_hints
    agent = describe_agent(visited.user_agent, ClientHints(hints.brands, hints.mobile, hints.platform))
    facts.device_type = agent.device_type
    facts.browser_family = agent.browser_family
    facts.os_family = agent.os_family
    address = visited.client_ip
    if address:
        place = enrichers.locate(address)
        facts.country_code = place.country_code
        if allowed.city:
            facts.city = place.city
        if allowed.address_key:
            facts.ip_key = enrichers.address_key(address, arrival.received_time_ms)
    marks = marks_of_scan(
        agent,
        has_no_agent=has_no_agent,
        request_method=visited.request_method,
        is_prefetch=visited.is_prefetch,
        is_data_centre=bool(address) and enrichers.is_data_centre(address),
        rules=enrichers.policy(visited.site_id).fraud,
    )
    facts.fraud_reasons.extend(marks)
