"""Who may do what: a browser by its page's origin, a backend by its key."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from qrumb_server.access.keys import Key, Scope, id_of, is_key
from qrumb_server.access.quota import Quota
from qrumb_server.access.registry import Site, SiteRegistry
from qrumb_server.model import is_site_id
from qrumb_server.ports import Clock

__all__ = ["AccessDenied", "Admission", "Denial"]


class Denial(StrEnum):
    """Why a call is refused; the reason in its ErrorInfo. Stable."""

    KEY_MISSING = "KEY_MISSING"
    KEY_INVALID = "KEY_INVALID"
    KEY_EXPIRED = "KEY_EXPIRED"
    KEY_SCOPE = "KEY_SCOPE"
    KEY_OF_ANOTHER_SITE = "KEY_OF_ANOTHER_SITE"
    SITE_UNKNOWN = "SITE_UNKNOWN"
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"

    @property
    def is_about_identity(self) -> bool:
        """Nobody was recognised, rather than somebody who may not."""
        return self in {Denial.KEY_MISSING, Denial.KEY_INVALID, Denial.KEY_EXPIRED}


class AccessDenied(Exception):
    """The call as a whole is refused; the text is for its caller and quotes nothing."""

    def __init__(self, denial: Denial, message: str) -> None:
        super().__init__(message)
        self.denial = denial
        self.message = message


_BEARER: Final = "bearer "
_HOW: Final = "send `authorization: Bearer qk_...`; `qrumb sites key SITE` makes a key"


class Admission:
    """Decides by the sites as they are now.

    A site_id that is no possible name passes: the event is judged, and rejected with all that is wrong with it.
    """

    def __init__(self, sites: SiteRegistry, clock: Clock) -> None:
        self._sites = sites
        self._clock = clock

    def check_origin(self, site_ids: Iterable[str], origin: str) -> None:
        """Browser events of these sites, sent by a page of this origin; empty: none was stated.

        Raises:
            AccessDenied: a site is unknown or does not have this origin.
        """
        for site_id in _names(site_ids):
            site = self._known(site_id)
            if origin and not site.origins.allow(origin):
                raise AccessDenied(
                    Denial.ORIGIN_NOT_ALLOWED,
                    "pages of this origin may not send events of this site; the site's owner can add it to `origins` "
                    "in sites.toml",
                )

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
            can = ", ".join(sorted(key.scopes)) or "nothing"
            raise AccessDenied(Denial.KEY_SCOPE, f"this call needs a key with the scope {scope}; this one has {can}")
        if any(site_id != site.site_id for site_id in _names(site_ids)):
            raise AccessDenied(Denial.KEY_OF_ANOTHER_SITE, "this key is not of the site that the call is about")

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

    def _known(self, site_id: str) -> Site:
        site = self._sites.find(site_id)
        if site is None:
            raise AccessDenied(
                Denial.SITE_UNKNOWN, "this site_id is not known here: a typo, or `qrumb sites add` was not run for it"
            )
        return site

    def _recognise(self, authorization: str) -> tuple[Site, Key]:
        if not authorization:
            raise AccessDenied(Denial.KEY_MISSING, f"this call needs a key: {_HOW}")
        scheme, text = authorization[: len(_BEARER)].lower(), authorization[len(_BEARER) :].strip()
        if scheme != _BEARER or not is_key(text):
            raise AccessDenied(Denial.KEY_INVALID, f"the header authorization holds no key of qrumb: {_HOW}")
        found = self._sites.find_key(id_of(text))
        if found is None or not found[1].matches(text):
            raise AccessDenied(
                Denial.KEY_INVALID, f"this key is not known here: mistyped, revoked, or of another node; {_HOW}"
            )
        expires_ms = found[1].expires_ms
        if expires_ms is not None and expires_ms <= self._clock.now_ms():
            raise AccessDenied(Denial.KEY_EXPIRED, f"this key has expired: {_HOW}")
        return found


def _names(site_ids: Iterable[str]) -> set[str]:
    return {site_id for site_id in site_ids if is_site_id(site_id)}
