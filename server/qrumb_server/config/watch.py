"""Rules of `qrumb watch`, as a site states them in sites.toml."""

import base64
import binascii
from datetime import timedelta
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from qrumb_server.config.groups import LARGEST_PORT, Group
from qrumb_server.model import Watch, WatchKind, WatchRule

__all__ = ["SiteWatchSettings", "WatchRuleSettings"]

MARK: Final = "whsec_"
LENGTHS: Final = range(24, 65)
LIMIT_OF: Final = {WatchKind.SILENT: "usual", WatchKind.SUSPECT_SHARE: "over", WatchKind.UNSCANNED_VISITS: "over"}


def _signs(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        length = len(base64.b64decode(text.removeprefix(MARK), validate=True))
    except binascii.Error:
        length = 0
    if not text.startswith(MARK) or length not in LENGTHS:
        raise ValueError(
            "should be whsec_ and 24 to 64 random bytes in base64; this makes one: "
            'echo "whsec_$(openssl rand -base64 32)"'
        )
    return value


def _reached(value: str) -> str:
    url = urlsplit(value)
    try:
        port = url.port
    except ValueError:
        raise ValueError(f"has no port from 1 to {LARGEST_PORT}") from None
    if url.scheme not in {"http", "https"} or not url.hostname or port == 0:
        raise ValueError("should be an address to POST to, such as https://hooks.shop.example/qrumb")
    if url.username is not None or "#" in value:
        raise ValueError(
            "should have no user, password or #fragment, which are not sent: messages are signed, see `secret`"
        )
    return value


def _some(rules: "tuple[WatchRuleSettings, ...]") -> "tuple[WatchRuleSettings, ...]":
    if not rules:
        raise ValueError("should hold a rule at least: [[SITE.watch.rules]]")
    return rules


class WatchRuleSettings(Group):
    """One rule. An alarm is told once when it begins and once when it ends."""

    name: str = Field(min_length=1, max_length=100)
    """What the message is called; one name for each rule of a site."""
    kind: WatchKind
    """silent: a QR code that had `usual` scans a day in the week before has had none `within`; each code by itself.
    suspect_share: more than the share `over` of scans is suspect. unscanned_visits: more than the share `over` of
    visits names a scan that no redirect registered."""
    qr_codes: tuple[Annotated[str, Field(min_length=1, max_length=128)], ...] = Field(default=(), max_length=100)
    """Only these, of silent and suspect_share. None: all."""
    within: timedelta = Field(default=timedelta(days=1), ge=timedelta(hours=1), le=timedelta(days=31))
    """How far back it looks."""
    usual: float | None = Field(default=None, gt=0)
    """Of silent: scans a day, from which on a code is missed."""
    over: float | None = Field(default=None, ge=0, lt=1)
    """Of the shares: 0.6 is 60 %."""
    least: int = Field(default=20, ge=1)
    """Of the shares: with fewer scans or visits in all, nothing is said."""

    @model_validator(mode="after")
    def _has_its_limit(self) -> Self:
        wanted = LIMIT_OF[self.kind]
        for name in ("usual", "over"):
            if name == wanted and getattr(self, name) is None:
                example = "usual = 40" if name == "usual" else "over = 0.6"
                raise ValueError(f"the kind {self.kind} needs `{name}`, such as {example}")
            if name != wanted and getattr(self, name) is not None:
                raise ValueError(f"the kind {self.kind} has no `{name}`: take it out; its limit is `{wanted}`")
        if self.kind is WatchKind.UNSCANNED_VISITS and self.qr_codes:
            raise ValueError("the kind unscanned_visits has no `qr_codes`: what was not registered has no code")
        return self

    def rule(self) -> WatchRule:
        """The same for the judging."""
        return WatchRule(
            name=self.name,
            kind=self.kind,
            qr_code_ids=self.qr_codes,
            within_ms=self.within // timedelta(milliseconds=1),
            usual=self.usual or 0.0,
            over=self.over or 0.0,
            least=self.least,
        )


class SiteWatchSettings(Group):
    """Who is told when numbers of the site look wrong, and by which rules; `qrumb watch` says what they say now."""

    url: Annotated[str, AfterValidator(_reached)]
    """Where signed messages (Standard Webhooks) are sent."""
    secret: Annotated[SecretStr, AfterValidator(_signs)]
    """What they are signed with: whsec_ and base64, as the receiver has it too."""
    rules: Annotated[tuple[WatchRuleSettings, ...], AfterValidator(_some)]
    """When."""

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules are called {name!r}: give each a name of its own")
        return self

    def watch(self) -> Watch:
        """The same for the judging."""
        return Watch(
            url=self.url, secret=self.secret.get_secret_value(), rules=tuple(rule.rule() for rule in self.rules)
        )
