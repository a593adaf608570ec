"""How much the spool may hold, and how much it holds.

Invariant: `FolderQuota.bytes_used` is never less than what the folder holds: it grows with each write and
shrinks only by looking at the folder, because the loader unlinks segments without telling.
"""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from qrumb_server.spool.filesystem import FileSystem
from qrumb_server.spool.format import segment_text
from qrumb_server.spool.shares import OverShare, SiteShares

__all__ = ["FolderLook", "FolderQuota", "SpoolLimits"]

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
    """What one site may take of `max_bytes`; see `shares`."""

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
        if self._lack(size_bytes) is not None:
            self.scan_if_due()
        return self._lack(size_bytes)

    def share_refusal(self, size_bytes: int, sites: Mapping[str, int]) -> OverShare | None:
        """The site that may not have so many bytes more, or None.

        Args:
            size_bytes: what the folder would grow by.
            sites: what each site would.
        """
        if self._excess(size_bytes, sites) is not None:
            self.scan_if_due()
        over = self._excess(size_bytes, sites)
        if over is not None and len(self._turned_away) < _MAX_TURNED_AWAY:
            self._turned_away[over.site_id] = over.wanted_bytes
        return over

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
        )

    def add(self, size_bytes: int) -> None:
        """Count bytes that a file of the folder grew by."""
        self.bytes_used += size_bytes
        self._free_bytes -= size_bytes

    def add_sites(self, segment_id: UUID, sites: Mapping[str, int]) -> None:
        """Count whose the bytes of a segment are."""
        self._shares.add(str(segment_id), sites)

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
