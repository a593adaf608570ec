"""What a site wants done with its events."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from qrumb_server.config.groups import Group
from qrumb_server.model import FraudReason, FraudRules, SitePolicy

__all__ = ["FraudSettings", "SiteId", "SiteSettings", "policies"]

# A name that no event can carry is a mistake that would show nowhere.
SiteId = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]


class FraudSettings(Group):
    """When an event is marked as fraud: `is_fraud = 1`, the reason in `fraud_reasons`. It is kept all the same."""

    session_events_per_minute: int = Field(default=120, ge=1)
    """More events of one scan session: session_velocity."""
    address_events_per_minute: int = Field(default=600, ge=1)
    """More events of one address: address_velocity. Many visitors can share an address."""
    max_clock_ahead: timedelta = timedelta(days=1)
    """An event_time further in the future: impossible_time."""
    before_scan_tolerance: timedelta = timedelta(minutes=10)
    """An event_time that much before the scan: before_scan. Phones' clocks differ from the redirect's."""
    ignored_reasons: tuple[FraudReason, ...] = ()
    """Reasons that mark nothing here."""


class SiteSettings(Group):
    """What a site wants done with its events."""

    default_consent: Literal["granted", "pending", "denied"] = "granted"
    """What counts where an event states no consent."""
    non_personal_keys: tuple[str, ...] = ()
    """Keys of metadata and properties that are kept where consent is denied; all others are dropped then."""
    fraud: FraudSettings = FraudSettings()
    """When an event is marked."""
    retention: timedelta = Field(default=timedelta(days=400), ge=timedelta(days=1), le=timedelta(days=400))
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
                max_clock_ahead_ms=fraud.max_clock_ahead // timedelta(milliseconds=1),
                before_scan_tolerance_ms=fraud.before_scan_tolerance // timedelta(milliseconds=1),
                ignored_reasons=frozenset(fraud.ignored_reasons),
            ),
        )


def policies(common: SiteSettings, sites: Mapping[str, SiteSettings]) -> Callable[[str], SitePolicy]:
    """The policy of a site by its id: what it states itself, else what counts for all."""
    for_all = common.policy()
    own = {site_id: _merged(common, different).policy() for site_id, different in sites.items()}
    return lambda site_id: own.get(site_id, for_all)


def _merged(common: SiteSettings, different: SiteSettings) -> SiteSettings:
    """The settings of one site: what it states itself, else what counts for all."""
    stated = different.model_dump(exclude_unset=True)
    fraud = {**common.fraud.model_dump(), **stated.pop("fraud", {})}
    return SiteSettings.model_validate({**common.model_dump(), **stated, "fraud": fraud})
