"""Who may do what: a browser by its page's origin, a backend by its key."""

from collections.abc import Iterable
from typing import Any, Final

from qrumb_server.access.keys import Key, Scope, id_of, is_key
from qrumb_server.access.quota import Quota
from qrumb_server.access.registry import Site, SiteRegistry
from qrumb_server.model import is_site_id
from qrumb_server.ports import Clock
from qrumb_server.reasons import calls
from qrumb_server.reasons.entry import Reason

__all__ = ["AccessDenied", "Admission"]


class AccessDenied(Exception):
    """The call as a whole is refused, for a reason of the table; the text is for its caller and quotes nothing.

    Args:
        values: what stands in the reason's text for its names.
    """

    def __init__(self, reason: Reason, **values: Any) -> None:
        super().__init__(reason.text.format_map(values))
        self.reason = reason
        self.values = values


_BEARER: Final = "bearer "


class Admission:
    """Decides by the sites as they are now.

    A site_id that is not a possible name passes: the event is judged, and rejected with all that is wrong with it.
    """

    def __init__(self, sites: SiteRegistry, clock: Clock) -> None:
        self._sites = sites
        self._clock = clock

    def check_origin(self, site_ids: Iterable[str], origin: str) -> None:
        """Browser events of these sites, sent by a page of this origin; empty: none was stated.

        Raises:
            AccessDenied: a site is unknown or does not have this origin.
        """
        for site_id in site_ids:
            site = self._sites.find(site_id)
            if site is not None and (not origin or site.origins.allow(origin)):
                continue
            if is_site_id(site_id):
                raise AccessDenied(calls.SITE_UNKNOWN if site is None else calls.ORIGIN_NOT_ALLOWED)

    def check_key(self, site_ids: Iterable[str], authorization: str, scope: Scope | None) -> None:
        """A backend's call about these sites.

        Args:
            authorization: the header as it was sent.
            scope: what the key must be for; None: any key of the sites will do.

        Raises:
            AccessDenied: there is no key, or it does not allow this.
        """
        if self._sites.is_open:
            return
        site, key = self._recognise(authorization)
        if scope is not None and scope not in key.scopes:
            present = ", ".join(sorted(key.scopes)) or "nothing"
            raise AccessDenied(calls.KEY_SCOPE, needed=scope, present=present)
        if any(site_id != site.site_id and is_site_id(site_id) for site_id in site_ids):
            raise AccessDenied(calls.KEY_OF_ANOTHER_SITE)

    def has_key(self, site_ids: Iterable[str], authorization: str) -> bool:
        """Whether a valid key of these sites came along."""
        try:
            self.check_key(site_ids, authorization, None)
        except AccessDenied:
            return False
        return True

    def quota(self, site_id: str) -> tuple[str, Quota]:
        """Whose quota an event takes from, and how much that is."""
        return self._sites.quota(site_id)

    def _recognise(self, authorization: str) -> tuple[Site, Key]:
        if not authorization:
            raise AccessDenied(calls.KEY_MISSING)
        scheme, text = authorization[: len(_BEARER)].lower(), authorization[len(_BEARER) :].strip()
        if scheme != _BEARER or not is_key(text):
            raise AccessDenied(calls.KEY_INVALID)
        found = self._sites.find_key(id_of(text))
        if found is None or not found[1].matches(text):
            raise AccessDenied(calls.KEY_INVALID)
        expires_ms = found[1].expires_ms
        if expires_ms is not None and expires_ms <= self._clock.now_ms():
            raise AccessDenied(calls.KEY_EXPIRED)
        return found
