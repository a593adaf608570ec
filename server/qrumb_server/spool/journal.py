"""The worker's folder as an append log: rolls segments over, seals them, keeps the limits. Blocking.

Invariants: at most one segment is written at a time; an append never spans two segments; a segment that met a
fault is never written again; every segment with durable rows gets sealed sooner or later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from qrumb_server.errors import SiteShareError, SpoolFailedError, SpoolFullError
from qrumb_server.ports import Clock
from qrumb_server.spool.filesystem import FileSystem
from qrumb_server.spool.format import HEADER_BYTES, new_segment_id, open_name, sealed_name
from qrumb_server.spool.quota import FolderLook, FolderQuota, SpoolLimits
from qrumb_server.spool.segment import DISK_FULL, OpenSegment

__all__ = ["Append", "Refusal", "SegmentJournal", "records_of", "size_of"]


class Append(NamedTuple):  # one is made for every call: a third of the cost of a frozen dataclass
    """Records that are kept together or not at all."""

    records: Sequence[bytes]
    size_bytes: int
    """In a segment, frames included."""
    sites: Mapping[str, int]
    """The same by site, as far as the records are of one."""


records_of, size_of = attrgetter("records"), attrgetter("size_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an append was not kept. Each caller gets its own error: an exception is raised once only."""

    kind: Callable[[str], SiteShareError | SpoolFullError | SpoolFailedError]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Retired:
    """A closed segment that still bears its open name."""

    segment_id: UUID
    rows: int


class SegmentJournal:
    """Used by one thread at a time; the counters may be read by any."""

    def __init__(
        self,
        *,
        folder: Path,
        limits: SpoolLimits,
        filesystem: FileSystem,
        clock: Clock,
        previous_id: UUID | None,
    ) -> None:
        """Raises OSError if the folder cannot be listed."""
        self._folder = folder
        self.limits = limits
        self._filesystem = filesystem
        self._clock = clock
        self._previous_id = previous_id
        self._quota = FolderQuota(folder=folder, limits=limits, filesystem=filesystem, inherited_id=previous_id)
        self._segment: OpenSegment | None = None
        self._retired: list[_Retired] = []
        self.commits = 0
        self.records_appended = 0
        self.segments_sealed = 0
        self.failures = 0
        self.is_healthy = True

    @property
    def bytes_used(self) -> int:
        return self._quota.bytes_used

    @property
    def segments_unsealed(self) -> int:
        """Closed segments whose rename failed so far."""
        return len(self._retired)

    @property
    def seal_due(self) -> UUID | None:
        """The oldest segment that waits to be sealed, if any."""
        if self._retired:
            return self._retired[0].segment_id
        return self._segment.segment_id if self._segment is not None and self._segment.rows else None

    @property
    def is_segment_full(self) -> bool:
        segment = self._segment
        if segment is None:
            return False
        limits = self.limits
        return segment.rows >= limits.segment_max_records or segment.size_bytes >= limits.segment_max_bytes

    def commit(self, group: Sequence[Append]) -> list[Refusal | None]:
        """Append each member whole or not at all; None for those that are durable now.

        One write and one sync for all of them, plus one of each per segment that fills up on the way.
        """
        if self._simply_fits(group):
            return [self._append(group)] * len(group)
        answers: list[Refusal | None] = [None] * len(group)
        run: list[int] = []
        run_rows = run_bytes = 0
        for index, member in enumerate(group):
            rows, size = len(member.records), member.size_bytes
            if not self._fits(run_rows, run_bytes, more_rows=rows, more_bytes=size):
                self._append_run(group, run, answers)
                run, run_rows, run_bytes = [], 0, 0
                if not self._fits(0, 0, more_rows=rows, more_bytes=size):
                    self.seal()
            answers[index] = self._lack(HEADER_BYTES + run_bytes + size, member.sites)
            if answers[index] is not None:
                continue
            run.append(index)
            run_rows += rows
            run_bytes += size
        self._append_run(group, run, answers)
        return answers

    def begin(self, group: Sequence[Append]) -> OpenSegment | None:
        """What a group is to be appended to, where nothing stands in its way, and only a write and a sync are to be
        done, by the caller: then `end` follows, or `fail`. None: `commit` it."""
        segment = self._segment
        if segment is None or not segment.is_plain or not self._simply_fits(group):
            return None
        segment.is_sound = False
        return segment

    def end(self, group: Sequence[Append]) -> None:
        """What was begun is durable."""
        segment, (rows, size_bytes) = self._segment, _size(group)
        if segment is not None:  # it is: nothing comes between
            segment.grow(rows, size_bytes)
            self._has_grown(segment, group, rows, size_bytes)

    def fail(self, group: Sequence[Append], error: OSError, *, is_written: bool) -> list[Refusal | None]:
        """What was begun met an error, after it was written or before."""
        if self._segment is not None and not is_written:
            self._segment.cut(error)
        return [self._failed(group, error)] * len(group)

    def seal(self) -> bool:
        """Close the segment, if it has rows, and give every closed one its final name.

        Never raises an OSError: returns False if a name or its durability is still wanting, and the next call
        tries again. No row is in danger meanwhile, it only waits.
        """
        if self._segment is not None and self._segment.rows:
            self._retire(self._segment)
        is_done = self._settle()
        self._quota.scan_if_due()
        return is_done

    def look(self) -> FolderLook:
        """How sites share the folder now."""
        return self._quota.look()

    def close(self) -> None:
        """Seal, and leave no empty file behind."""
        if self._segment is not None:
            self._retire(self._segment)
        self._settle()

    def _fits(self, run_rows: int, run_bytes: int, *, more_rows: int, more_bytes: int) -> bool:
        """Whether segment and run together take so much more. Empty, they take an append of any size."""
        rows = run_rows + (self._segment.rows if self._segment is not None else 0)
        return rows == 0 or self._has_room(run_rows + more_rows, run_bytes + more_bytes)

    def _simply_fits(self, group: Sequence[Append]) -> bool:
        """Whether the segment takes a whole group, and no caller's bytes have to be looked at apart. Most do."""
        rows, size_bytes = _size(group)
        return self._has_room(rows, size_bytes) and self._quota.has_ample_room(HEADER_BYTES + size_bytes)

    def _has_room(self, rows: int, size_bytes: int) -> bool:
        """Whether the segment holds so much more within its limits."""
        segment, limits = self._segment, self.limits
        if segment is not None:
            rows, size_bytes = rows + segment.rows, size_bytes + segment.size_bytes
        return rows <= limits.segment_max_records and size_bytes <= limits.segment_max_bytes

    def _lack(self, size_bytes: int, sites: Mapping[str, int]) -> Refusal | None:
        """Why there is no room for a member that makes the folder grow by so much, or None."""
        reason = self._quota.refusal(size_bytes)
        if reason is not None:
            return Refusal(kind=SpoolFullError, reason=reason)
        over = self._quota.share_refusal(size_bytes, sites)
        if over is None:
            return None
        return Refusal(kind=partial(SiteShareError, site_id=over.site_id), reason=over.reason)

    def _append_run(self, group: Sequence[Append], run: Sequence[int], answers: list[Refusal | None]) -> None:
        if run:
            refusal = self._append([group[index] for index in run])
            for index in run:
                answers[index] = refusal

    def _append(self, members: Sequence[Append]) -> Refusal | None:
        """Append all of them with one sync; or why it could not be."""
        records = list(chain.from_iterable(map(records_of, members)))
        try:
            segment = self._writable_segment()
            size_before = segment.size_bytes
            segment.append(records)
        except OSError as error:
            return self._failed(members, error)
        self._has_grown(segment, members, len(records), segment.size_bytes - size_before)
        return None

    def _has_grown(self, segment: OpenSegment, members: Sequence[Append], rows: int, size_bytes: int) -> None:
        self._quota.add(size_bytes)
        self._quota.add_sites(segment.id_text, _sum_of_sites(members))
        self.commits += 1
        self.records_appended += rows
        self.is_healthy = True

    def _failed(self, members: Sequence[Append], error: OSError) -> Refusal:
        refusal = self._refusal(error)
        if self._segment is not None and not self._segment.is_sound:
            # the cut may fail, so count what may stay behind until the folder is looked at again
            self._quota.add(HEADER_BYTES + sum(member.size_bytes for member in members))
            self._retire(self._segment)
            self._settle()
        return refusal

    def _writable_segment(self) -> OpenSegment:
        if self._segment is not None and not self._segment.is_sound:
            # an earlier append ended with something other than an OSError
            self._retire(self._segment)
        if self._segment is None:
            self._previous_id = new_segment_id(self._clock.now_ms(), self._previous_id)
            self._segment = OpenSegment(folder=self._folder, segment_id=self._previous_id, filesystem=self._filesystem)
        return self._segment

    def _refusal(self, error: OSError) -> Refusal:
        if error.errno in DISK_FULL:
            return Refusal(kind=SpoolFullError, reason=f"the spool's disk is full: {error}")
        self.failures += 1
        self.is_healthy = False
        return Refusal(kind=SpoolFailedError, reason=f"the spool's disk failed: {error}")

    def _retire(self, segment: OpenSegment) -> None:
        segment.close()
        self._retired.append(_Retired(segment_id=segment.segment_id, rows=segment.rows))
        self._segment = None

    def _settle(self) -> bool:
        """Rename every closed segment, remove those without rows; keep for later what the disk refuses."""
        if not self._retired:
            return True
        is_done = True
        for retired in tuple(self._retired):
            source = self._folder / open_name(retired.segment_id)
            try:
                if retired.rows:
                    self._filesystem.rename(source, self._folder / sealed_name(retired.segment_id, retired.rows))
                    self.segments_sealed += 1
                else:
                    self._filesystem.unlink(source)
            except FileNotFoundError:
                self.failures += 1
                if self._is_removed(source):
                    self._retired.remove(retired)
                else:
                    is_done = False
            except OSError:
                self.failures += 1
                is_done = False
            else:
                self._retired.remove(retired)
        try:
            self._filesystem.sync_folder(self._folder)
        except OSError:
            # a rename that a power cut undoes is done again by recovery
            self.failures += 1
            is_done = False
        return is_done

    def _is_removed(self, path: Path) -> bool:
        """Whether a segment was removed by hand, so that nothing is left to seal.

        Not where the whole folder is away, moved or no longer mounted: it comes back with what was acknowledged.
        """
        try:
            names = {entry.name for entry in self._filesystem.list_folder(self._folder)}
        except OSError:
            return False
        return bool(names) and path.name not in names


def _size(group: Sequence[Append]) -> tuple[int, int]:
    """Rows and bytes."""
    return sum(map(len, map(records_of, group))), sum(map(size_of, group))


def _sum_of_sites(members: Sequence[Append]) -> Mapping[str, int]:
    if len(members) == 1:
        return members[0].sites
    total: dict[str, int] = {}
    for member in members:
        for site_id, size_bytes in member.sites.items():
            total[site_id] = total.get(site_id, 0) + size_bytes
    return total
