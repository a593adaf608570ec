"""Carries a scan from the landing to the sale: what the middlewares of all frameworks share.

The landing's address names the session (`qrs=`). Its signature says that a redirect of the site made it, and its UUIDv7
says when, so a cookie needs nothing else. What is not signed or too old is as good as not there.
"""

import re
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs

from qrumb.redirect import SESSION_PARAMETER
from qrumb.signing import is_signed

__all__ = ["Carried", "Carry", "carrying", "current_session"]

_DAY: Final = 86_400
_COOKIE_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
# Nothing that a cookie could not hold as it is.
_SESSION: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}")
_TIME_SORTED: Final = 7
_current: ContextVar[str] = ContextVar("qrumb_session", default="")


def current_session() -> str:
    """The scan session of the request that is being answered, for `server_event(scan_session_id=...)`; empty: none."""
    return _current.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What a request carries, and what its answer has to do: `keep` is the cookie's new value, empty to delete it."""

    session: str = ""
    keep: str | None = None
    max_age: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """How scans are carried.

    Args:
        site_id: tracking site.
        secrets: of the redirects; several while one is being replaced.
        days: how long after its scan a session is carried.
        cookie: name of the cookie.
        secure: whether the cookie goes over HTTPS alone. Browsers make an exception for this machine.

    Raises:
        ValueError: an argument cannot work.
    """

    site_id: str
    secrets: Iterable[str] = field(repr=False)
    days: int = 30
    cookie: str = SESSION_PARAMETER
    secure: bool = True

    def __post_init__(self) -> None:
        secrets = (self.secrets,) if isinstance(self.secrets, str) else tuple(self.secrets)
        if not secrets or not all(secrets):
            raise ValueError("secrets: there is none, or an empty one")
        if self.days < 1:
            raise ValueError("days is 1 or more")
        if not _COOKIE_NAME.fullmatch(self.cookie):
            raise ValueError("cookie has characters of A-Z, a-z, 0-9, _ and -")
        object.__setattr__(self, "secrets", secrets)

    def read(self, query: str, cookie: str, consent: str) -> Carried:
        """What a request carries that has this query and this cookie (empty: none).

        Consent that is `denied` carries nothing and deletes the cookie. `granted` keeps the session, and the last scan
        wins. `pending`, or any other word, carries what the address says, for this request alone.
        """
        deleted = Carried(keep="" if cookie else None)
        if consent == "denied":
            return deleted
        landed = next((name for name in parse_qs(query).get(SESSION_PARAMETER, ()) if self._seconds_left(name)), "")
        if consent != "granted":
            return Carried(session=landed)
        if landed and landed != cookie:
            return Carried(session=landed, keep=landed, max_age=self._seconds_left(landed))
        return Carried(session=cookie) if self._seconds_left(cookie) else deleted

    def set_cookie(self, carried: Carried) -> str:
        """The header Set-Cookie that the answer needs; empty: none."""
        if carried.keep is None:
            return ""
        made: SimpleCookie = SimpleCookie({self.cookie: carried.keep})
        made[self.cookie].update(self._attributes(carried))
        return made[self.cookie].OutputString()

    def _attributes(self, carried: Carried) -> dict[str, Any]:
        return {
            "max-age": str(carried.max_age), "path": "/", "secure": self.secure, "httponly": True, "samesite": "Lax"
        }  # fmt: skip

    def _seconds_left(self, session: str) -> int:
        """How long it is carried from now on; 0: not at all, as it is too old or not signed."""
        if not _SESSION.fullmatch(session) or not any(is_signed(key, self.site_id, session) for key in self.secrets):
            return 0
        most = self.days * _DAY
        left = most if (scanned := _time_of(session)) is None else int(scanned + most - time.time())
        return min(most, max(0, left))


@contextmanager
def carrying(carried: Carried) -> Iterator[None]:
    """What it carries is the current session, as long as the request is being answered."""
    token = _current.set(carried.session)
    try:
        yield
    finally:
        _current.reset(token)


def _time_of(session: str) -> float | None:
    """Unix seconds of the scan; None where the session's name is not a UUIDv7, as of a redirect of one's own."""
    try:
        name = uuid.UUID(session.rpartition(".")[0])
    except ValueError:
        return None
    return (name.int >> 80) / 1000 if name.version == _TIME_SORTED else None
