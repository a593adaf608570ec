"""The redirect behind a QR code: a scan becomes a session, and its visitor is sent on at once.

Invariants: where a visitor is sent stands in the caller's own table; no answer waits for the collector, or depends on
it. The scan goes through the client's queue, and one that finds no room there is in the client's report.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote, unquote_plus, urlsplit

from qrumb.events import ConsentState, Event, JsonValue, scan_session
from qrumb.gs1 import read_digital_link
from qrumb.identity import new_event_id
from qrumb.signing import sign_scan_session_id
from qrumb.v1.scan_session_pb2 import ScanSession

__all__ = ["SESSION_PARAMETER", "Redirect", "RedirectAnswer"]

# Where the tag and the middlewares look for the session.
SESSION_PARAMETER: Final = "qrs"
# A browser's guess is not a visit, and what it fetched early it would show later: the tap must come here itself.
_EARLY_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")
_EARLY: Final = frozenset({"prefetch", "prerender", "preview"})
_BETWEEN_TOKENS: Final = re.compile(r"[;,\s]+")
# No copy may answer in our stead, and no search engine shall keep an address of ours.
_HEADERS: Final = {"Cache-Control": "private, no-store", "X-Robots-Tag": "noindex"}
_FOUND, _NOT_FOUND, _WRONG_METHOD, _NOT_NOW = 302, 404, 405, 503
_SITE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_CODE: Final = 128
_DESTINATION: Final = re.compile(r"https?://[!-~]+", re.IGNORECASE)
# What of a query may stand in a header as it is; anything else is percent-encoded.
_IN_A_QUERY: Final = "!$&'()*+,;=:@/?%"


_log = logging.getLogger("qrumb")


class _Client(Protocol):
    """`Client` or `AsyncClient`."""

    def offer(self, event: Event) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RedirectAnswer:
    """What to answer. `session` is the scan's signed id; empty where nothing was counted."""

    status: int
    headers: Mapping[str, str]
    session: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Answers the requests that scans make.

    Args:
        client: registers the scans, in the background.
        site_id: tracking site.
        secret: signs the sessions (`qrumb sites session-secret`); the middlewares that carry them need the same one.
        destinations: URL by QR code, which is a GTIN of 14 digits for GS1 Digital Links.

    Raises:
        ValueError: an argument cannot work; the text names it, and the code.
    """

    client: _Client
    site_id: str
    secret: str = field(repr=False)
    destinations: Mapping[str, str]

    def __post_init__(self) -> None:
        if not _SITE_ID.fullmatch(self.site_id):
            raise ValueError("site_id has 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
        if not self.secret:
            raise ValueError("secret is empty: anybody could make up sessions")
        for code, url in self.destinations.items():
            if not 1 <= len(code) <= _MOST_CODE:
                raise ValueError(f"destinations: the code {code!r} has not 1 to {_MOST_CODE} characters")
            if not _DESTINATION.fullmatch(url) or not urlsplit(url).hostname:
                raise ValueError(f"destinations: the URL of {code!r} is not absolute, http or https, and of ASCII")
        object.__setattr__(self, "destinations", dict(self.destinations))

    def answer(
        self,
        code: str,
        headers: Mapping[str, str],
        *,
        method: str = "GET",
        query: str | bytes | None = "",
        client_ip: str = "",
        consent: ConsentState | None = None,
        labels: Mapping[str, JsonValue] | None = None,
    ) -> RedirectAnswer:
        """What the address of a QR code answers; a scan is registered in the background.

        Args:
            code: of the address: a QR code of the table, or the path of a GS1 Digital Link.
            headers: of the request, in any case of letters.
            method: of the request. HEAD is answered like GET and is not a scan.
            query: of the request, as it came, without its `?`; it is forwarded. Some servers have bytes, or None.
            client_ip: the visitor's address, not a proxy's; gives country and city and is dropped.
            consent: the visitor's, where it is known already.
            labels: what is known of the code, such as its campaign or its print run.
        """
        code, labels = self._look_up(code, labels)
        destination = self.destinations.get(code)
        if method not in {"GET", "HEAD"}:
            return RedirectAnswer(status=_WRONG_METHOD, headers={**_HEADERS, "Allow": "GET, HEAD"})
        if destination is None:
            return RedirectAnswer(status=_NOT_FOUND, headers=_HEADERS)
        given = {name.lower(): value for name, value in headers.items()}
        if _is_early(given):
            return RedirectAnswer(status=_NOT_NOW, headers=_HEADERS)
        landing = _with_query(destination, _forwarded(query))
        if method == "HEAD":
            return RedirectAnswer(status=_FOUND, headers={**_HEADERS, "Location": landing})
        session = sign_scan_session_id(self.secret, self.site_id, new_event_id())
        scan = scan_session(
            site_id=self.site_id,
            scan_session_id=session,
            qr_code_id=code,
            client_ip=client_ip,
            landing_page_url=landing,
        )
        _add_request(scan, given, method)
        _add_known(scan, consent, labels)
        self.client.offer(scan)
        location = _with_query(landing, f"{SESSION_PARAMETER}={session}")
        return RedirectAnswer(status=_FOUND, headers={**_HEADERS, "Location": location}, session=session)

    def _look_up(self, code: str, labels: Mapping[str, JsonValue] | None) -> tuple[str, Mapping[str, JsonValue] | None]:
        """A code of the table as it is; the path of a Digital Link as its GTIN and labels."""
        if code in self.destinations or (link := read_digital_link(code)) is None:
            return code, labels
        gtin, found = link
        return gtin, {**found, **(labels or {})}


def _is_early(headers: Mapping[str, str]) -> bool:
    return any(
        token in _EARLY
        for name in _EARLY_HEADERS
        if name in headers
        for token in _BETWEEN_TOKENS.split(headers[name].lower())
    )


def _add_request(scan: ScanSession, headers: Mapping[str, str], method: str) -> None:
    """What the request says of its visitor. No agent at all is said too: programs have none."""
    scan.request_method = method
    scan.user_agent = _text(headers, "user-agent")
    scan.referrer = _text(headers, "referer")
    hints = {"brands": "sec-ch-ua", "mobile": "sec-ch-ua-mobile", "platform": "sec-ch-ua-platform"}
    for field_name, header in hints.items():
        if header in headers:
            setattr(scan.client_hints, field_name, _text(headers, header))


def _add_known(scan: ScanSession, consent: ConsentState | None, labels: Mapping[str, JsonValue] | None) -> None:
    """What the caller knows. A mistake of the program is logged: no visitor is kept for it."""
    try:
        scan.MergeFrom(scan_session(site_id="", scan_session_id="", qr_code_id="", consent=consent, labels=labels))
    except (TypeError, ValueError) as error:
        _log.error("qrumb: a scan is registered without its consent and labels: %s", error)


def _text(headers: Mapping[str, str], name: str) -> str:
    """A header as a message can hold it: servers hand on bytes that are not text as lone surrogates."""
    return headers.get(name, "").encode(errors="replace").decode()


def _forwarded(query: str | bytes | None) -> str:
    """The query as it may stand in a header, without a session that a third party put there."""
    text = query.decode("utf-8", "replace") if isinstance(query, bytes) else query or ""
    pairs = quote(text, safe=_IN_A_QUERY, errors="replace").split("&")
    return "&".join(pair for pair in pairs if pair and unquote_plus(pair.partition("=")[0]) != SESSION_PARAMETER)


def _with_query(url: str, query: str) -> str:
    if not query:
        return url
    address, hash_sign, fragment = url.partition("#")
    path, _, own = address.partition("?")
    joint = "&" if own and not own.endswith("&") else ""
    return f"{path}?{own}{joint}{query}{hash_sign}{fragment}"
