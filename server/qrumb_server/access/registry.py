"""The sites of a node as sites.toml states them now."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import structlog

from qrumb_server.access.keys import Key
from qrumb_server.access.origins import Origins
from qrumb_server.access.quota import Quota
from qrumb_server.errors import ConfigError
from qrumb_server.model import Plan, SitePolicy, Watch

__all__ = ["UNLIMITED", "UNNAMED_SITE_QUOTA", "Site", "SiteRegistry"]

log = structlog.get_logger()

LOOK_INTERVAL_SECONDS: Final = 1.0
# An event whose site_id is not a possible name is judged, rejected and kept as a dead letter. All senders of such
# events share this quota: enough to find a mistake, too little to fill a disk.
UNNAMED_SITE_QUOTA: Final = Quota(events_per_second=10, burst=1_000)
UNLIMITED: Final = Quota(events_per_second=10**9, burst=10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One site: who may send and read its events, and what it wants done with them."""

    site_id: str = ""
    policy: SitePolicy = field(default_factory=SitePolicy)
    origins: Origins = field(default_factory=lambda: Origins(["*"]))
    keys: tuple[Key, ...] = ()
    quota: Quota = UNLIMITED
    watch: Watch | None = None
    """Rules that are judged for it; None: there are none."""


class SiteRegistry:
    """Looks whether the file has changed when it is asked, at most once a second.

    A file that cannot be used leaves what is known as it is, and is logged once. Processes of a node read it each for
    itself. Safe to be used from several threads.

    Args:
        path: the file; it may be missing, and then there are no sites.
        read: the sites of a file.
        common: what counts for a site that is not in the file, as far as one is served at all. All that has no site's
            name shares its quota.
        is_open: a site that is not in the file is served all the same, and no key is needed.
        read_plans: the plans of the sites; `plans_state` differs when they have changed.

    Raises:
        ConfigError: the file is there and cannot be used.
    """

    def __init__(
        self,
        path: Path,
        *,
        read: Callable[[Path], Mapping[str, Site]],
        common: Site,
        is_open: bool,
        monotonic: Callable[[], float] = time.monotonic,
        read_plans: Callable[[], Mapping[str, Mapping[str, Plan]]] = dict,
        plans_state: Callable[[], object] = lambda: (),
    ) -> None:
        self.is_open = is_open
        self._path = path
        self._read = read
        self._common = common
        self._monotonic = monotonic
        self._seen = self._state()
        self._sites: Mapping[str, Site] = read(path) if self._seen else {}
        self._keys = _by_id(self._sites)
        self._next_look = monotonic() + LOOK_INTERVAL_SECONDS
        self._looks = 0
        self._is_broken = self._are_plans_broken = False
        self._read_plans, self._plans_state = read_plans, plans_state
        self._seen_plans = plans_state()
        self._plans = read_plans()
        self._planned = self._policies_with_plans()

    # What every event asks for spares itself the call where no look is due.
    def find(self, site_id: str) -> Site | None:
        """The site, or None if it is not served here."""
        if self._monotonic() >= self._next_look:
            self._look()
        found = self._sites.get(site_id)
        return self._common if found is None and self.is_open else found

    def find_key(self, key_id: str) -> tuple[Site, Key] | None:
        """The key of that id and the site that it belongs to."""
        if self._monotonic() >= self._next_look:
            self._look()
        return self._keys.get(key_id)

    def policy(self, site_id: str) -> SitePolicy:
        """What a site wants done with its events; of one that is not in the file, what counts for all."""
        if self._monotonic() >= self._next_look:
            self._look()
        if (planned := self._planned.get(site_id)) is not None:
            return planned
        found = self._sites.get(site_id)
        return self._common.policy if found is None else found.policy

    def quota(self, site_id: str) -> tuple[str, Quota]:
        """The quota that an event takes from: its site's; made-up names share one."""
        if self._monotonic() >= self._next_look:
            self._look()
        site = self._sites.get(site_id)
        return ("", self._common.quota) if site is None else (site_id, site.quota)

    def looks(self) -> int:
        """How often it was looked: what was answered counts until the next look. One that is due comes first."""
        if self._monotonic() >= self._next_look:
            self._look()
        return self._looks

    def named(self) -> list[str]:
        """Ids of the sites in the file."""
        self._look()
        return sorted(self._sites)

    def watches(self) -> dict[str, Watch]:
        """Rules of the sites that have some."""
        self._look()
        return {site_id: site.watch for site_id, site in sorted(self._sites.items()) if site.watch is not None}

    def is_broken(self) -> bool:
        """Whether the file, or a plan, cannot be used as it is now, and an earlier state of it counts."""
        self._look()
        return self._is_broken or self._are_plans_broken

    def _look(self) -> None:
        now = self._monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_INTERVAL_SECONDS
        self._looks += 1
        self._look_at_plans()
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            sites = self._read(self._path)
        except ConfigError as error:
            self._is_broken = True
            log.error("sites_not_read", problems=str(error).splitlines(), keeps_old=True)
            return
        self._sites, self._keys, self._is_broken = sites, _by_id(sites), False
        self._planned = self._policies_with_plans()
        log.info("sites_read", number=len(sites))

    def _look_at_plans(self) -> None:
        """One plan that cannot be used leaves all as they were."""
        state = self._plans_state()
        if state == self._seen_plans:
            return
        self._seen_plans = state
        try:
            self._plans = self._read_plans()
        except ConfigError as error:
            self._are_plans_broken = True
            log.error("plans_not_read", problems=str(error).splitlines(), keeps_old=True)
            return
        self._are_plans_broken = False
        self._planned = self._policies_with_plans()
        log.info("plans_read", number=sum(map(len, self._plans.values())))

    def _policies_with_plans(self) -> Mapping[str, SitePolicy]:
        """Made once, as what is made of a policy is kept while it is the same object."""
        return {
            site_id: replace(self._sites.get(site_id, self._common).policy, plans=plans)
            for site_id, plans in self._plans.items()
        }

    def _state(self) -> tuple[int, ...]:
        """Differs whenever the file was changed or replaced; empty where there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return ()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _by_id(sites: Mapping[str, Site]) -> dict[str, tuple[Site, Key]]:
    return {key.id: (site, key) for site in sites.values() for key in site.keys}
