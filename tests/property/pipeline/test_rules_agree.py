"""One rule, one place: the hand-written rules find exactly the fields that break the contract's annotations.

Found is a field that the event is rejected for, and one that it is accepted without."""

import protovalidate
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.device_pb2 import Device
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.scan_session_pb2 import ClientHints, ScanSession
from qrumb.v1.server_event_pb2 import ConversionValue, ServerEvent, UserIdentifiers
from qrumb_server.instants import is_timestamp
from qrumb_server.model import Caller, RawEvent, Rejected, Source
from qrumb_server.pipeline.consent import ALLOWED
from qrumb_server.pipeline.context_fields import check_context
from qrumb_server.pipeline.findings import Findings
from qrumb_server.pipeline.scan import StampedScan, judge_scan
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.pipeline.validate import NO_ONE, validate
from tests.support.examples import examples

# What annotations cannot say, and therefore only the code does.
CODE_ONLY = {
    Violation.CONTAINS_EMAIL,
    Violation.INVALID_CURRENCY,
    Violation.NEGATIVE_AMOUNT,
    Violation.TOO_LARGE,
    Violation.TOO_DEEP,
    Violation.TOO_MANY_VALUES,
    Violation.PLACEHOLDER,
}
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
UUID = "0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e0f"
URLS = [
    "https://a.b/c?d=e#f", "HTTP://X", "http://", "https:///x", "ftp://x/", "/relative", "http://a\nb",
    "https://ü/\u2028", "android-app://com.x", "javascript:alert(1)", " https://x",
    "https://x" + "y" * 8183, "https://x" + "y" * 8184,
]  # fmt: skip


def text(*likely: str, limit: int = 0) -> st.SearchStrategy[str]:
    """Usually something near the rule, sometimes anything."""
    edges = ["x" * limit, "x" * (limit + 1), "ü" * limit, "\U0001f45f" * (limit + 1)] if limit else []
    return st.sampled_from(["", *likely, *edges]) | st.text(max_size=12)


site_ids = text("demo", "a-b_C9", "a" * 64, "a" * 65, "a b", "demo\n", "ä", "demo@x")
event_ids = text(
    "0" * 8 + "-0000-0000-0000-" + "0" * 12,
    "FFFFFFFF-ffff-ffff-ffff-ffffffffffff",
    UUID,
    UUID.upper(),
    UUID[:-1],
    UUID + "0",
    "{" + UUID + "}",
    UUID.replace("-", ""),
    UUID + "\n",
)
hashes = text("a" * 64, "A" * 64, "g" * 64, "a" * 63, EMPTY_HASH, EMPTY_HASH.upper(), "+436601234567", "a" * 64 + "\n")
consents = st.sampled_from([0, 1, 2, 3, 4, 99, -1])
numbers = st.sampled_from([0, 1, 1000, 1001, 100_000, 100_001, 2**32 - 1])
times = st.none() | st.builds(Timestamp, seconds=st.sampled_from([0, -1, 2**36, 1_790_000_000]))
devices = st.none() | st.builds(
    Device,
    type=text("mobile", limit=32),
    user_agent=text("Mozilla/5.0", limit=2048),
    language=text("de-AT", limit=64),
    screen_width=numbers,
    screen_height=numbers,
    viewport_width=numbers,
    viewport_height=numbers,
    timezone=text("Europe/Vienna", limit=64),
    max_touch_points=numbers,
)
browser_events = st.builds(
    BrowserEvent,
    site_id=site_ids,
    event_id=event_ids,
    event_time=times,
    scan_session_id=text("scan-1", limit=128),
    consent=st.sampled_from([0, 1, 3, 4, 99, -1]),
    event_type=text("click", limit=128),
    page_url=text(*URLS),
    page_title=text("Title", limit=1024),
    referrer=text(*URLS),
    device=devices,
)
ip_addresses = text("192.0.2.1", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1%eth0", "1.2.3", "01.2.3.4", "1.2.3.4/8", "x")
amounts = st.sampled_from(
    [None, 0.0, -0.0, 49.9, -5.0, 1e12, 1.0000001e12, -1e13, float("nan"), float("inf"), float("-inf")]
)
server_events = st.builds(
    ServerEvent,
    site_id=site_ids,
    event_id=event_ids,
    event_time=times,
    scan_session_id=text("scan-1", limit=128),
    consent=consents,
    event_name=text("purchase", "refund", limit=128),
    user_identifiers=st.none()
    | st.builds(UserIdentifiers, email_hash=hashes, phone_hash=hashes, external_id=text("u-1", limit=256)),
    conversion_value=st.none()
    | st.builds(ConversionValue, amount=amounts, currency=text("EUR", "eur", "EURO", "E1R", "XXX", "EUR\n")),
    client_ip=ip_addresses,
    user_agent=text("curl/8", limit=2048),
)
scans = st.builds(
    ScanSession,
    site_id=site_ids,
    scan_session_id=text("scan-1", limit=128),
    qr_code_id=text("poster-7", limit=128),
    user_id=text("u-1", limit=256),
    consent=st.sampled_from([0, 1, 3, 4, 99, -1]),
    client_ip=ip_addresses,
    user_agent=st.none() | text("curl/8", limit=2048),
    client_hints=st.none()
    | st.builds(ClientHints, brands=text(limit=256), mobile=text("?1", limit=16), platform=text('"Android"', limit=64)),
    request_method=text("GET", "head", "M-SEARCH", "GET\n", limit=16),
    is_prefetch=st.booleans(),
    referrer=text(*URLS),
    landing_page_url=text(*URLS),
)


def fields_by_annotations(event: BrowserEvent | ServerEvent | ScanSession) -> set[str]:
    """Paths that protovalidate rejects."""
    violations = protovalidate.collect_violations(event)
    paths = [violation.proto.field for violation in violations]
    return {".".join(step.field_name for step in path.elements) for path in paths if path is not None}


def fields_by_code(event: BrowserEvent | ServerEvent, source: Source) -> set[str]:
    """Paths that the hot path rejects or leaves out, without the rules that only it has."""
    findings = Findings()
    check_context(event, ALLOWED["granted"], findings)
    left_out = {warning.field for warning in findings.warnings if warning.code == EventWarning.LEFT_OUT}
    verdict = validate(RawEvent(source=source, message=event, caller=Caller(), index=0))
    if not isinstance(verdict, Rejected):
        return left_out
    rejected = {violation.field for violation in verdict.violations if violation.reason not in CODE_ONLY}
    # The bounds of a Timestamp are the type's own; protovalidate leaves them to whoever decodes it.
    return left_out | (rejected if is_timestamp(event.event_time) else rejected - {"event_time"})


@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
@given(browser_events)
@pytest.mark.timeout(300)
def test_browser_rules_agree(event: BrowserEvent) -> None:
    """Same fields, whatever the event."""
    assert fields_by_code(event, Source.BROWSER) == fields_by_annotations(event)


@settings(max_examples=examples(1500), deadline=None, suppress_health_check=list(HealthCheck))
@given(server_events)
@pytest.mark.timeout(300)
def test_server_rules_agree(event: ServerEvent) -> None:
    """Same fields, whatever the event."""
    assert fields_by_code(event, Source.SERVER) == fields_by_annotations(event)


@settings(max_examples=examples(1000), deadline=None, suppress_health_check=list(HealthCheck))
@given(scans)
@pytest.mark.timeout(300)
def test_scan_rules_agree(scan: ScanSession) -> None:
    """Same fields, whatever the scan; those that are left out once the others are right."""
    arrival = Arrival(received_time_ms=1, retention_ms=1, make_event_id=lambda _event: "")
    judged = judge_scan(scan, None, arrival)
    broken = fields_by_annotations(scan)
    if isinstance(judged, StampedScan):
        left_out = [one for one in judged.warnings if one.code == EventWarning.LEFT_OUT]
        # What a placeholder is, the annotations do not say.
        assert {one.field for one in left_out if NO_ONE not in one.description} == broken
    else:
        refused = {one.field for one in judged if one.reason not in CODE_ONLY}
        assert refused == broken & {"site_id", "scan_session_id", "qr_code_id", "user_id", "consent"}
