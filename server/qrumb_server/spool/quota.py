"""How much the spool may hold, how much it holds, and whose the waiting bytes are.

Invariant: `FolderQuota.bytes_used` is never less than what the folder holds: it grows with each write and shrinks only
by looking at the folder, because the loader unlinks segments without telling.

`SiteShares` makes the flood of one site leave room for the others. Its memory stays small however long an outage
lasts: bytes are counted in groups of consecutive segments, and the loader takes the oldest first, so a group is over
once the oldest file in the folder is younger than its last one. A site is charged for at most one group more than it
holds, and a site without weight in a group is not charged at all. What is written with one sync is judged by what was
there before it. What a predecessor left in the folder counts for no site: shares are then of the rest, so others always
find room.
"""

import contextlib
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from qrumb_server.spool.filesystem import FileSystem
from qrumb_server.spool.format import FRAME_HEAD_BYTES, segment_text

__all__ = ["FolderLook", "FolderQuota", "OverShare", "SiteShares", "SpoolLimits", "bytes_of_sites"]

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

    def count(self, used_bytes: int, room_bytes: int) -> bool:
        """Whether shares count where the folder holds so much."""
        return self._max_share < 1 and used_bytes > room_bytes * _CROWDED

    def refusal(self, sites: Mapping[str, int], *, used_bytes: int, room_bytes: int) -> OverShare | None:
        """The site of which these bytes more would be too many, or None.

        Args:
            used_bytes: what the folder would hold with them.
            room_bytes: what the folder may hold.
        """
        if not self.count(used_bytes, room_bytes):
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


_MEBIBYTE = 1024 * 1024

_CHEAP_SCAN_SECONDS = 0.005
_SCAN_SHARE = 20
"""A longer scan is repeated only after 20 times its excess: a day of outage leaves 100,000 files."""


_MAX_TURNED_AWAY = 1_000
"""Sites that are remembered: where hardly any room is left, made-up names can be as many as anybody likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLook:
    """How sites share a folder at one moment."""

    sites_at_share: tuple[str, ...] = ()
    """Sites whose last records were refused, and would be again."""

    forecast_factor: float = 1.0
    """See `SiteShares.forecast_factor`."""

    is_empty: bool = False
    """The folder is empty, and no sender is turned away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """Bounds of one worker's folder: those of `config.SpoolSettings`, which has their defaults, and two more."""

    segment_max_records: int
    """The loader's batch: a ClickHouse insert gains little from more rows, and a retry repeats them all."""

    segment_max_bytes: int
    """The loader reads a whole segment into memory; 10,000 events of 600 bytes are 6 MiB."""

    seal_after: timedelta
    """From a segment's first record to its seal: most of the way from an ack to a visible row."""

    max_bytes: int
    """All files of the folder: the worker's part of the node's."""

    min_free_bytes: int
    """Kept free on the disk: an embedded ClickHouse there needs room to merge, or the spool never drains."""

    site_max_share: float
    """What one site may take of `max_bytes`; see `SiteShares`."""

    max_waiting_bytes: int = 32 * _MEBIBYTE
    """Records in memory that wait for the disk: a disk that hangs must not get the process killed."""

    rescan_after: timedelta = timedelta(milliseconds=100)
    """How often a full spool looks for room that the loader made."""


class FolderQuota:
    """Counts one folder against its limits. Used by one thread at a time."""

    __slots__ = (
        "_filesystem",
        "_folder",
        "_free_bytes",
        "_limits",
        "_next_scan",
        "_shares",
        "_turned_away",
        "bytes_used",
    )

    def __init__(
        self, *, folder: Path, limits: SpoolLimits, filesystem: FileSystem, inherited_id: UUID | None = None
    ) -> None:
        """The segments up to `inherited_id` are a predecessor's. Raises OSError if the folder cannot be listed."""
        self._folder = folder
        self._limits = limits
        self._filesystem = filesystem
        self._free_bytes = 0
        self._next_scan = 0.0
        self._shares = SiteShares(
            max_share=limits.site_max_share,
            max_bytes=limits.max_bytes,
            inherited_id="" if inherited_id is None else str(inherited_id),
        )
        self._turned_away: dict[str, int] = {}
        self.bytes_used = 0
        self.scan()

    def scan_if_due(self) -> None:
        """Look at the folder and the disk again, unless that was done a moment ago."""
        if time.monotonic() >= self._next_scan:
            # if the folder cannot be listed the last count stands; the next write meets the fault itself
            with contextlib.suppress(OSError):
                self.scan()

    def scan(self) -> None:
        """Count the folder's files and the free bytes of its disk. Raises OSError."""
        begun = time.monotonic()
        entries = self._filesystem.list_folder(self._folder)
        self._free_bytes = self._filesystem.free_bytes(self._folder)
        self.bytes_used = sum(entry.size_bytes for entry in entries)
        sizes = {segment_text(entry.name): entry.size_bytes for entry in entries}
        sizes.pop("", None)
        self._shares.look(sizes)
        ended = time.monotonic()
        pause = _SCAN_SHARE * (ended - begun - _CHEAP_SCAN_SECONDS)
        self._next_scan = ended + max(self._limits.rescan_after.total_seconds(), pause)

    def refusal(self, size_bytes: int) -> str | None:
        """Why there is no room for so many bytes more, or None."""
        if self._lack(size_bytes) is None:
            return None
        self.scan_if_due()
        return self._lack(size_bytes)

    def share_refusal(self, size_bytes: int, sites: Mapping[str, int]) -> OverShare | None:
        """The site that may not have so many bytes more, or None.

        Args:
            size_bytes: what the folder would grow by.
            sites: what each site would.
        """
        if self._excess(size_bytes, sites) is None:
            return None
        self.scan_if_due()
        over = self._excess(size_bytes, sites)
        if over is not None and len(self._turned_away) < _MAX_TURNED_AWAY:
            self._turned_away[over.site_id] = over.wanted_bytes
        return over

    def has_ample_room(self, size_bytes: int) -> bool:
        """Whether nothing can refuse so many bytes more, whosever they are."""
        return self._lack(size_bytes) is None and not self._shares.count(self.bytes_used + size_bytes, self._room())

    def look(self) -> FolderLook:
        """How sites share the folder now: a site that would be taken again is turned away no longer."""
        self.scan_if_due()
        self._turned_away = {
            site_id: wanted
            for site_id, wanted in self._turned_away.items()
            if self._excess(wanted, {site_id: wanted}) is not None
        }
        return FolderLook(
            sites_at_share=tuple(sorted(self._turned_away)),
            forecast_factor=self._shares.forecast_factor(used_bytes=self.bytes_used, room_bytes=self._room()),
            is_empty=not (self.bytes_used or self._turned_away),
        )

    def add(self, size_bytes: int) -> None:
        """Count bytes that a file of the folder grew by."""
        self.bytes_used += size_bytes
        self._free_bytes -= size_bytes

    def add_sites(self, segment_id: str, sites: Mapping[str, int]) -> None:
        """Count whose the bytes of a segment are."""
        self._shares.add(segment_id, sites)

    def _excess(self, size_bytes: int, sites: Mapping[str, int]) -> OverShare | None:
        return self._shares.refusal(sites, used_bytes=self.bytes_used + size_bytes, room_bytes=self._room())

    def _room(self) -> int:
        """What the folder may hold, as far as the disk has room for it."""
        limits = self._limits
        return min(limits.max_bytes, self.bytes_used + max(self._free_bytes - limits.min_free_bytes, 0))

    def _lack(self, size_bytes: int) -> str | None:
        if self.bytes_used + size_bytes > self._limits.max_bytes:
            return f"the spool holds {self.bytes_used} of {self._limits.max_bytes} bytes"
        if self._free_bytes - size_bytes < self._limits.min_free_bytes:
            return f"{self._free_bytes} bytes are free on the disk, {self._limits.min_free_bytes} must stay"
        return None


def bytes_of_sites(records: Sequence[bytes], sites: Sequence[str], size_bytes: int) -> dict[str, int]:
    """What each site's records take in a segment; `size_bytes` is of all. Nothing where no sites are stated."""
    if not sites:
        return {}
    if len(set(sites)) == 1:
        return {sites[0]: size_bytes}
    sizes: dict[str, int] = {}
    for record, site_id in zip(records, sites, strict=True):
        sizes[site_id] = sizes.get(site_id, 0) + FRAME_HEAD_BYTES + len(record)
    return sizes
