"""What a site wants done with its events, and who may send and read them."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationError

from qrumb_server.access.keys import Key, Scope, is_key
from qrumb_server.access.origins import Origins, check_pattern
from qrumb_server.access.quota import Quota
from qrumb_server.access.registry import Site
from qrumb_server.config.groups import Group, problem_of
from qrumb_server.config.watch import SiteWatchSettings
from qrumb_server.model import (
    SITE_ID_PATTERN,
    TABLE_RETENTION_MS,
    ConsentName,
    FraudReason,
    FraudRules,
    SitePolicy,
    is_site_id,
)

__all__ = ["FraudSettings", "QuotaSettings", "SiteEntry", "SiteId", "SiteSettings", "parse_sites"]

# A name that no event can carry is a mistake that would show nowhere.
SiteId = Annotated[str, Field(pattern=f"^{SITE_ID_PATTERN}$")]
# Defaults stand in the model.
_POLICY: Final = SitePolicy()
_TABLE_RETENTION: Final = timedelta(milliseconds=TABLE_RETENTION_MS)


class FraudSettings(Group):
    """When an event is marked as fraud: `is_fraud = 1`, the reason in `fraud_reasons`. It is kept all the same."""

    session_events_per_minute: int = Field(default=_POLICY.fraud.session_events_per_minute, ge=1)
    """More events of one scan session: session_velocity."""
    address_events_per_minute: int = Field(default=_POLICY.fraud.address_events_per_minute, ge=1)
    """More events of one address: address_velocity. Those of registered scan sessions count for their session alone,
    unless its scan was one too many of its address."""
    address_scans_per_minute: int = Field(default=_POLICY.fraud.address_scans_per_minute, ge=1)
    """More scans of one address: address_velocity, of scans. 500 phones behind one address may scan twice each."""
    max_clock_ahead: timedelta = timedelta(milliseconds=_POLICY.fraud.max_clock_ahead_ms)
    """A browser's event_time further in the future: impossible_time. A backend's is only corrected."""
    before_scan_tolerance: timedelta = timedelta(milliseconds=_POLICY.fraud.before_scan_tolerance_ms)
    """An event_time that much before the scan: before_scan. Phones' clocks differ from the redirect's."""
    ignored_reasons: tuple[FraudReason, ...] = tuple(_POLICY.fraud.ignored_reasons)
    """Reasons that mark nothing here."""


class QuotaSettings(Group):
    """How many events a node takes of a site from browsers, and as many again from its backends; beyond it, senders get
    RESOURCE_EXHAUSTED and when to try again."""

    events_per_second: int = Field(default=1_000, ge=1)
    """What may be kept up."""
    burst: int = Field(default=20_000, ge=1)
    """What may come at once after a rest."""

    def quota(self) -> Quota:
        """The same for the counting."""
        return Quota(events_per_second=self.events_per_second, burst=self.burst)


class SiteSettings(Group):
    """What a site wants done with its events."""

    default_consent: ConsentName = _POLICY.default_consent
    """What counts where an event states no consent."""
    non_personal_keys: tuple[str, ...] = tuple(_POLICY.non_personal_keys)
    """Keys of metadata and properties that are kept where consent is denied; all others are dropped then."""
    fraud: FraudSettings = FraudSettings()
    """When an event is marked."""
    quota: QuotaSettings = QuotaSettings()
    """How many events are taken."""
    retention: timedelta = Field(default=_TABLE_RETENTION, ge=timedelta(days=1), le=_TABLE_RETENTION)
    """How long events, rejected events (90 days at most) and scan sessions are kept after their receipt; deleted once a
    day. An event_time older than this is not believed."""

    def policy(self) -> SitePolicy:
        """The same for the pipeline."""
        fraud = self.fraud
        return SitePolicy(
            default_consent=self.default_consent,
            non_personal_keys=frozenset(self.non_personal_keys),
            retention_ms=self.retention // timedelta(milliseconds=1),
            fraud=FraudRules(
                session_events_per_minute=fraud.session_events_per_minute,
                address_events_per_minute=fraud.address_events_per_minute,
                address_scans_per_minute=fraud.address_scans_per_minute,
                max_clock_ahead_ms=fraud.max_clock_ahead // timedelta(milliseconds=1),
                before_scan_tolerance_ms=fraud.before_scan_tolerance // timedelta(milliseconds=1),
                ignored_reasons=frozenset(fraud.ignored_reasons),
            ),
        )


def _only_a_hash(value: str) -> str:
    if is_key(value):
        raise ValueError("holds the key itself: it is public now, so revoke it; `qrumb sites key SITE` makes another")
    if re.fullmatch("[0-9a-f]{64}", value) is None:
        raise ValueError("should be 64 hex digits, the SHA-256 of the key; `qrumb sites key SITE` writes it")
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("is too short to be a secret; `qrumb sites session-secret SITE` makes one")
    return value


class KeyEntry(Group):
    """A key of a backend. The key itself is shown once and not kept."""

    id: str = Field(pattern="^[a-z0-9]{8}$")
    """The part of the key between the underscores."""
    hash: Annotated[str, AfterValidator(_only_a_hash)]
    """SHA-256 of the whole key, in hex."""
    scopes: tuple[Scope, ...] = (Scope.COLLECT,)
    """What it is for: collect, query, admin."""
    expires: datetime | None = None
    """From then on it is refused."""

    def key(self) -> Key:
        """The same for the checks."""
        expires = self.expires
        if expires is not None and expires.tzinfo is None:
            expires = expires.replace(tzinfo=UTC)
        return Key(
            id=self.id,
            hash=self.hash,
            scopes=frozenset(self.scopes),
            expires_ms=None if expires is None else round(expires.timestamp() * 1000),
        )


class SiteEntry(SiteSettings):
    """One site in sites.toml; what it does not state is as in the group `site` of the settings."""

    origins: tuple[Annotated[str, AfterValidator(check_pattern)], ...] = ()
    """Whose pages may send events: `https://shop.example`, `https://*.shop.example`, `http://localhost:*`, `*`. None:
    no page may, only callers that state no origin, which are not browsers."""
    keys: tuple[KeyEntry, ...] = ()
    """Keys of backends."""
    session_secrets: tuple[Annotated[SecretStr, AfterValidator(_long_enough)], ...] = ()
    """What the QR redirect signs scan sessions with, any of them. A browser's unsigned session is then marked as
    forged_session."""
    watch: SiteWatchSettings | None = None
    """Who is told when its numbers look wrong."""

    def site(self, site_id: str) -> Site:
        """The same for those who serve it."""
        secrets = tuple(secret.get_secret_value() for secret in self.session_secrets)
        return Site(
            site_id=site_id,
            policy=replace(self.policy(), session_secrets=secrets),
            origins=Origins(self.origins),
            keys=tuple(key.key() for key in self.keys),
            quota=self.quota.quota(),
            watch=None if self.watch is None else self.watch.watch(),
        )


def parse_sites(tables: Mapping[str, Any], common: SiteSettings) -> tuple[dict[str, Site], list[str]]:
    """The sites of a file's tables, and all that is wrong with them."""
    sites, problems = {}, []
    key_ids: dict[str, str] = {}
    for site_id, table in tables.items():
        if is_site_id(site_id) is None:
            problems.append(f"[{site_id}]: a site's id has 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
        elif not isinstance(table, Mapping):
            problems.append(f"{site_id}: each site is a table, [{site_id}]")
        else:
            try:
                entry = _merged(common, SiteEntry.model_validate(table))
            except ValidationError as error:
                problems += [_describe(site_id, dict(item)) for item in error.errors(include_input=False)]
                continue
            sites[site_id] = entry.site(site_id)
            for key in entry.keys:
                if other := key_ids.get(key.id):
                    problems.append(f"{site_id}.keys: the id {key.id} is used a second time, see {other}")
                key_ids[key.id] = site_id
    return sites, problems


def _describe(site_id: str, item: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in (site_id, *item["loc"]))
    wrong = "no such setting" if item["type"] == "extra_forbidden" else problem_of(item)
    return f"{place}: {wrong}"


def _merged(common: SiteSettings, entry: SiteEntry) -> SiteEntry:
    """What the site states itself, else what counts for all."""
    stated = entry.model_dump(exclude_unset=True)
    whole: dict[str, Any] = {**common.model_dump(), **stated}
    for group in ("fraud", "quota"):
        whole[group] = {**common.model_dump()[group], **stated.get(group, {})}
    return SiteEntry.model_validate(whole)
