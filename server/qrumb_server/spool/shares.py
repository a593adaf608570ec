"""Whose the waiting bytes are, so that the flood of one site leaves room for the others.

Invariant: memory stays small however long an outage lasts. Bytes are counted in groups of consecutive segments, and
the loader takes the oldest first: a group is over once the oldest file in the folder is younger than its last one. So
a site is charged for at most one group more than it holds, and a site without weight in a group is not charged at all.
What is written with one sync is judged by what was there before it.

What a predecessor left in the folder counts for no site: shares are then of the rest, so others always find room.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["OverShare", "SiteShares"]

_GROUPS = 128
"""Groups in a full spool; the error is one of them."""

_SMALLEST_PART = 256
"""Sites below this part of their group are forgotten when it is complete: thousands of made-up names cost nothing."""

_NEARLY = 0.01
"""Part of the room that makes no difference to a forecast: two sites with half of it each do fill it."""

_CROWDED = 0.25
"""Part of the room that may be taken before shares count: until then no site is in another's way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverShare:
    """A site whose bytes would be too many."""

    site_id: str
    wanted_bytes: int
    reason: str


@dataclass(slots=True)
class _Group:
    last_id: str = ""
    size_bytes: int = 0
    sites: Counter[str] = field(default_factory=Counter)


class SiteShares:
    """Counts the bytes of each site in one folder. Used by one thread at a time.

    Args:
        max_share: what a site may take of the room; 1 for all.
        max_bytes: room of the folder where the disk allows it.
        inherited_id: the last segment that is there already, if any.
    """

    __slots__ = ("_group_bytes", "_groups", "_inherited_bytes", "_inherited_id", "_max_share", "_totals")

    def __init__(self, *, max_share: float, max_bytes: int, inherited_id: str = "") -> None:
        self._max_share = max_share
        self._group_bytes = max_bytes // _GROUPS
        self._inherited_id = inherited_id
        self._inherited_bytes = 0
        self._groups: deque[_Group] = deque()
        self._totals: Counter[str] = Counter()

    def add(self, segment_id: str, sites: Mapping[str, int]) -> None:
        """Count bytes of each site in a segment; segments come in the order of their ids."""
        if not self._groups or self._groups[-1].size_bytes >= self._group_bytes:
            self._forget_small()
            self._groups.append(_Group())
        group = self._groups[-1]
        group.last_id = segment_id
        for site_id, size_bytes in sites.items():
            group.size_bytes += size_bytes
            group.sites[site_id] += size_bytes
            self._totals[site_id] += size_bytes

    def refusal(self, sites: Mapping[str, int], *, used_bytes: int, room_bytes: int) -> OverShare | None:
        """The site of which these bytes more would be too many, or None.

        Args:
            used_bytes: what the folder would hold with them.
            room_bytes: what the folder may hold.
        """
        if self._max_share >= 1 or used_bytes <= room_bytes * _CROWDED:
            return None
        allowed = self._allowed(room_bytes)
        for site_id, size_bytes in sites.items():
            held = self._totals[site_id]
            if held + size_bytes > allowed:
                reason = f"a site holds {held} of the {allowed} bytes that one may"
                return OverShare(site_id=site_id, wanted_bytes=size_bytes, reason=reason)
        return None

    def forecast_factor(self, *, used_bytes: int, room_bytes: int) -> float:
        """How many times longer than at its speed so far the folder takes to be full, since shares hold growth back.

        Each site goes on at its part of what was written last until it has its share. 0: so it is never full.
        """
        recent: Counter[str] = sum((group.sites for group in list(self._groups)[-2:]), Counter())
        speed = recent.total()
        left = float(room_bytes - used_bytes)
        if self._max_share >= 1 or not speed or left <= 0:
            return 1.0
        spare = max(room_bytes * _CROWDED - used_bytes, 0)
        # When each site has its share, where 1.0 is the time in which the folder would be full without shares.
        ends = sorted(
            (max(self._allowed(room_bytes) - self._totals[site_id], spare, 0) * speed / (size_bytes * left), size_bytes)
            for site_id, size_bytes in recent.items()
        )
        now, missing = 0.0, 1.0
        for end, size_bytes in ends:
            grown = (end - now) * speed / recent.total()
            if grown >= missing - _NEARLY:
                return now + missing * recent.total() / speed
            now, missing = end, missing - grown
            speed -= size_bytes
        return 0.0

    def _allowed(self, room_bytes: int) -> int:
        return int((room_bytes - self._inherited_bytes) * self._max_share)

    def look(self, sizes: Mapping[str, int]) -> None:
        """Learn which segments are still there: their ids and sizes."""
        oldest = min(sizes, default=None)
        while self._groups and (oldest is None or self._groups[0].last_id < oldest):
            self._totals -= self._groups.popleft().sites
        if self._inherited_id:
            inherited = [size for segment_id, size in sizes.items() if segment_id <= self._inherited_id]
            self._inherited_bytes = sum(inherited)
            if not inherited:
                self._inherited_id = ""

    def _forget_small(self) -> None:
        if not self._groups:
            return
        group = self._groups[-1]
        small = Counter({site: size for site, size in group.sites.items() if size * _SMALLEST_PART < group.size_bytes})
        group.sites -= small
        self._totals -= small
