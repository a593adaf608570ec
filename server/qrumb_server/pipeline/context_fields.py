"""The fields that only describe a visit: page_url, page_title, referrer, device, client_ip and user_agent; of a scan
also landing_page_url, client_hints and request_method.

None of them costs an event or a scan. What cannot be used is left out, what is personal is taken out, and each is said
in a warning. Names, ids, times, money and the sender's own fields are not among them: those are right or the event is
refused (`validate`, `scan`).
"""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.device_pb2 import Device
from qrumb.v1.receipt_pb2 import EventWarning
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.enrich.email import MARK, contains_email, redact_emails, redact_url
from qrumb_server.pipeline.consent import Allowed
from qrumb_server.pipeline.findings import Findings
from qrumb_server.pipeline.urls import bare, is_page_url, is_referrer, without_user_info

__all__ = ["check_context", "check_scan_context", "is_ip"]

MAX_URL: Final = 8_192
MAX_TITLE: Final = 1_024
MAX_USER_AGENT: Final = 2_048
MAX_DEVICE_TYPE: Final = 32
MAX_LANGUAGE: Final = 64
MAX_TIMEZONE: Final = 64
MAX_SCREEN: Final = 100_000
MAX_TOUCH_POINTS: Final = 1_000
_HINTS: Final = {"brands": 256, "mobile": 16, "platform": 64}
_is_method = re.compile(r"[A-Za-z]{1,16}").fullmatch


def check_context(event: BrowserEvent | ServerEvent, allowed: Allowed, findings: Findings) -> None:
    """Look at what describes the visit; what consent does not allow of a URL goes first, and nothing in it matters."""
    if isinstance(event, BrowserEvent):
        if event.page_url:
            _check_url("page_url", event.page_url, is_page_url, allowed, findings)
        if event.page_title:
            _check_title(event.page_title, findings)
        if event.referrer:
            _check_url("referrer", event.referrer, is_referrer, allowed, findings)
        if event.HasField("device"):
            _check_device(event.device, findings)
        return
    _check_visitor(event, findings)


def check_scan_context(session: ScanSession, allowed: Allowed, findings: Findings) -> None:
    """As check_context, of the visitor's request to a QR redirect."""
    _check_visitor(session, findings)
    for name, limit in _HINTS.items():
        _check_length(f"client_hints.{name}", getattr(session.client_hints, name), limit, findings)
    if session.request_method and not _is_method(session.request_method):
        findings.leave_out("request_method", "must be the name of an HTTP method, such as GET")
    if session.referrer:
        _check_url("referrer", session.referrer, is_referrer, allowed, findings)
    if session.landing_page_url:
        _check_url("landing_page_url", session.landing_page_url, is_page_url, allowed, findings)


def _check_visitor(sent: ServerEvent | ScanSession, findings: Findings) -> None:
    if sent.client_ip and not is_ip(sent.client_ip):
        findings.leave_out("client_ip", "must be an IPv4 or IPv6 address alone, without a port or a mask")
    _check_length("user_agent", sent.user_agent, MAX_USER_AGENT, findings)


def _check_url(field: str, sent: str, is_usable: Callable[[str], object], allowed: Allowed, findings: Findings) -> None:
    url = without_user_info(sent)
    has_user_info = url != sent
    if not allowed.full_urls:
        url = bare(url)
    if len(url) > MAX_URL:
        findings.leave_out(field, _too_long(url, MAX_URL))
        return
    redacted = redact_url(url)
    has_email, url = redacted != url, redacted
    if not is_usable(url):
        findings.leave_out(field, "must be an absolute http or https URL")
        return
    if has_user_info:
        findings.warn(field, EventWarning.USER_INFO_REMOVED, "had user info (user:password@), which was taken out")
    if has_email:
        _warn_of_redaction(field, findings)
    if url != sent:
        findings.change(field, url)


def _check_title(sent: str, findings: Findings) -> None:
    if len(sent) > MAX_TITLE:
        findings.leave_out("page_title", _too_long(sent, MAX_TITLE))
    elif contains_email(sent):
        _warn_of_redaction("page_title", findings)
        findings.change("page_title", redact_emails(sent))


def _check_device(device: Device, findings: Findings) -> None:
    _check_length("device.type", device.type, MAX_DEVICE_TYPE, findings)
    _check_length("device.user_agent", device.user_agent, MAX_USER_AGENT, findings)
    _check_length("device.language", device.language, MAX_LANGUAGE, findings)
    _check_length("device.timezone", device.timezone, MAX_TIMEZONE, findings)
    for name, value in (
        ("screen_width", device.screen_width),
        ("screen_height", device.screen_height),
        ("viewport_width", device.viewport_width),
        ("viewport_height", device.viewport_height),
    ):
        if value > MAX_SCREEN:
            findings.leave_out(f"device.{name}", f"must be at most {MAX_SCREEN} pixels", 0)
    if device.max_touch_points > MAX_TOUCH_POINTS:
        findings.leave_out("device.max_touch_points", f"must be at most {MAX_TOUCH_POINTS}", 0)


def _check_length(field: str, value: str, limit: int, findings: Findings) -> None:
    if len(value) > limit:
        findings.leave_out(field, _too_long(value, limit))


def _warn_of_redaction(field: str, findings: Findings) -> None:
    findings.warn(
        field,
        EventWarning.EMAIL_REDACTED,
        f"contained a raw e-mail address, stored as {MARK}: keep addresses out of URLs and titles",
    )


def _too_long(value: str, limit: int) -> str:
    return f"has {len(value)} characters; at most {limit} are kept"


def is_ip(text: str) -> bool:
    """Whether a text is an address alone, of either version."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
