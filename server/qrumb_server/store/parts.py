"""The parts of the embedded database as they are on the disk: proved before anything relies on them, else set aside.

What the engine guarantees when the disk is full, by experiment (engine 26.9 in chdb 4.4, tmpfs and ext4 on a loop
device, filled and freed under inserts, some hundred times):

- It reserves room before it writes a part (1 MiB at least) and refuses with code 243 if there is none: nothing is
  written then. That is the usual case.
- When the room goes after the reservation, each write at the end of a part fails (ENOSPC, seen by strace for each of
  its 15 files), and none of these failures is raised: the part is renamed into place with files of 0 bytes, and the
  insert reports success. Inserts, merges and mutations alike; both partitions of a batch, or one. In 46 fills of a
  minute under steady inserts 12 parts were torn. `fsync_after_insert` does not help: an empty file is synced without a
  fault.
- A part torn like this is counted from memory until it is read (codes 33, 246), and then fails each statement
  that touches it. At the next start it is put aside as `broken-on-start`, by the sizes of its files.
- A SELECT over all columns notices only `data.bin`, its marks and the skip indexes; ten of the other files may be empty
  and it answers well. CHECK TABLE ... PART reads all files that have a checksum, and misses three small texts that have
  none (`columns_substreams.txt`, `default_compression_codec.txt`, `metadata_version.txt`), each of which makes the
  part unreadable at the next start. So a part counts as proved if CHECK passes and none of its texts is empty.
- DETACH and ATTACH of a table load its parts anew, as a start does, in some 60 ms. Where a merged or mutated part is
  gone, the parts that it was made of count again, as long as they are on the disk: `old_parts_lifetime` = 480 s.

Hence: new parts are proved before segments are released (`prove_new`), all others within seconds (`prove_all`), long
before their sources may go. One that fails is moved to `detached/` while its table is not attached; those that the
engine itself moves there when it loads a table are reported like them. What a server does with its own full disk is not
known here; behind the native protocol rows are read again, and that is all.
"""

import os
import re
import threading
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from qrumb_server.errors import StoreError
from qrumb_server.ports import SetAside

__all__ = ["Part", "PartBrokenError", "PartKeeper", "detached_parts"]

log = structlog.get_logger()

Run = Callable[[str], list[dict[str, Any]]]
"""Runs one statement of ours; raises a StoreError."""

_PART_GONE: Final = 232
"""CHECK of a part that was merged away meanwhile."""

_NAME: Final = re.compile(r"(\w+)_(\d+)_(\d+)_(\d+)(_\d+)?")
_IN_TEXT: Final = re.compile(rf"/((?!tmp_){_NAME.pattern})/")
# Folders that are being written, or removed.
_UNFINISHED: Final = ("tmp", "delete_tmp")
_ROWS: Final = "data.bin"
# What the engine puts before the name of a part that it cannot load.
_BROKEN_ON_START: Final = "broken-on-start_"

_ACTIVE: Final = "SELECT table, path, rows FROM system.parts WHERE database = 'events' AND active"
_FOLDERS: Final = (
    "SELECT name, data_paths[1] AS path FROM system.tables WHERE database = 'events' AND engine LIKE '%MergeTree'"
)


class PartBrokenError(StoreError):
    """A part that was written a moment ago cannot be read; it was set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Rows of a table that lie together, in a folder that never changes."""

    table: str
    path: Path

    @property
    def name(self) -> str:
        """The folder's: partition, first and last block, level, and a number where a mutation wrote it."""
        return self.path.name

    @property
    def key(self) -> tuple[str, str]:
        """Names it among all parts."""
        return self.table, self.name

    @property
    def place(self) -> tuple[str, str]:
        """The table and partition in which its blocks are numbered."""
        return self.table, self._match[1]

    @property
    def last_block(self) -> int:
        """Rises with each insert into the partition."""
        return int(self._match[3])

    def row_count(self) -> int:
        """As its file says, whose checksum is proved; 0 of a part that is gone."""
        try:
            return int((self.path / "count.txt").read_text())
        except (OSError, ValueError):
            return 0

    @property
    def is_inserted(self) -> bool:
        """As it was inserted: neither merged with others nor mutated.

        Its level is 1 where the table keeps one row per key, since the insert itself merges rows of one key.
        """
        return self._match[2] == self._match[3] and self._match[4] in {"0", "1"} and not self._match[5]

    @property
    def _match(self) -> re.Match[str]:
        found = _NAME.fullmatch(self.name)
        assert found is not None
        return found


class PartKeeper:
    """Thread safe; the statements that set a part aside wait for each other."""

    def __init__(self, run: Run, report: Callable[[SetAside], None], detached_before: Set[Path] = frozenset()) -> None:
        """All parts that are there now count as proved: the engine has just compared the sizes of their files.

        Args:
            run: runs statements of ours.
            report: told of parts that are set aside, those included that the engine did not load at this start.
            detached_before: what `detached_parts` said before the engine was started.
        """
        self._run = run
        self._report = report
        self._lock = threading.RLock()
        self._unattached: set[str] = set()
        self._folders = {f"events.{row['name']}": Path(row["path"]) for row in run(_FOLDERS)}
        self._proved = {part.key for part in self._active()}
        self._seen: dict[str, set[str]] = {}
        self._newest: dict[tuple[str, str], int] = {}
        listing = self._listing()
        self._note_seen(listing, self._new_in(listing, {}))
        self._report_not_loaded(detached_before)

    def prove_new(self) -> list[Part]:
        """Prove what was inserted since the last call, where that was merged already what it was merged into too.

        Returns the parts that were inserted.

        Raises:
            PartBrokenError: one of them cannot be read: it was set aside.
        """
        inserted: list[Part] = []
        with self._lock:
            newest = dict(self._newest)
            is_gone = True
            # A part that was merged away meanwhile is proved by the one that took its place.
            while is_gone:
                listing = self._listing()
                new = self._new_in(listing, newest)
                self._prove(new)
                self._note_seen(listing, new)
                inserted += [part for part in new if part.is_inserted]
                is_gone = any(part.key not in self._proved for part in new)
        return inserted

    def prove_all(self, run: Run | None = None) -> bool:
        """Prove every part that is not proved yet; whether all could be read. Those that could not were set aside.

        Args:
            run: another session, so that a long CHECK keeps no insert waiting.
        """
        broken = [part for part in self._unproved() if not self._is_whole(part, run or self._run)]
        return not self._set_aside(broken)

    def prove_again(self, run: Run) -> bool:
        """Prove every part, whenever it was proved: a disk may lose what it had. As `prove_all`."""
        broken = [part for part in self._active() if not self._is_whole(part, run)]
        return not self._set_aside(broken)

    def heal(self, text: str) -> None:
        """Prove again the parts that the engine complains of, and all that are not proved yet."""
        named = {found[1] for found in _IN_TEXT.finditer(text)}
        with self._lock:
            self._proved = {key for key in self._proved if key[1] not in named}
            self.prove_all()

    def attach(self) -> None:
        """Bring back a table that could not be attached when a part of it had been set aside."""
        with self._lock:
            for table in tuple(self._unattached):
                self._run(f"ATTACH TABLE IF NOT EXISTS {table}")
                self._unattached.discard(table)

    def _active(self) -> dict[Part, int]:
        """The parts that the engine reads from, and how many rows it knows of in each."""
        return {
            Part(table=f"events.{row['table']}", path=Path(row["path"].rstrip("/"))): row["rows"]
            for row in self._run(_ACTIVE)
        }

    def _listing(self) -> dict[str, set[str]]:
        """Names in each table's folder: all parts, those included that were merged into others.

        Cheaper than to ask the engine, and there may be some thousands of them.
        """
        return {table: _names(folder) for table, folder in self._folders.items()}

    def _new_in(self, listing: Mapping[str, Set[str]], newest: Mapping[tuple[str, str], int]) -> list[Part]:
        """The parts that were not seen yet and hold blocks that are newer than those."""
        new = [
            Part(table=table, path=self._folders[table] / name)
            for table, names in listing.items()
            for name in names - self._seen.get(table, frozenset())
            if _NAME.fullmatch(name) and not name.startswith(_UNFINISHED)
        ]
        return [part for part in new if part.last_block > newest.get(part.place, -1)]

    def _unproved(self) -> list[Part]:
        active = self._active()
        with self._lock:
            self._proved &= {part.key for part in active}
            return [part for part in active if part.key not in self._proved]

    def _note_seen(self, listing: dict[str, set[str]], new: Sequence[Part]) -> None:
        for part in new:
            self._newest[part.place] = max(part.last_block, self._newest.get(part.place, -1))
        self._seen = listing

    def _prove(self, parts: Sequence[Part]) -> None:
        broken = self._set_aside([part for part in parts if not self._is_whole(part, self._run)])
        if broken:
            raise PartBrokenError(f"what the engine wrote cannot be read ({', '.join(broken)})")

    def _is_whole(self, part: Part, run: Run) -> bool:
        """Whether every file of the part is on the disk as it was written; True of one that is gone."""
        try:
            has_texts = _look(part.path)
            [answer] = run(f"CHECK TABLE {part.table} PART '{part.name}'")
        except FileNotFoundError:
            return True
        except StoreError as error:
            if error.code == _PART_GONE:
                return True
            raise
        if has_texts and answer["is_passed"]:
            with self._lock:
                self._proved.add(part.key)
            return True
        # The engine's text may quote values.
        log.error("part_broken", table=part.table, part=part.name, has_texts=has_texts)
        return False

    def _set_aside(self, broken: Sequence[Part]) -> list[str]:
        """Names of those that were still in use."""
        with self._lock:
            return [
                name
                for table in {part.table for part in broken}
                for name in self._set_aside_of(table, {part.key for part in broken})
            ]

    def _set_aside_of(self, table: str, broken: Set[tuple[str, str]]) -> list[str]:
        before = {part: rows for part, rows in self._active().items() if part.table == table}
        going = [part for part in before if part.key in broken]
        if not going:  # merged away meanwhile, by a merge that could read it
            return []
        self._run(f"DETACH TABLE {table} SYNC")
        self._unattached.add(table)
        detached = self._folders[table] / "detached"
        detached_before = _names(detached)
        try:
            for part in going:
                _move(part.path)
        finally:
            self.attach()
        not_loaded = _names(detached) - detached_before
        going += [part for part in before if f"{_BROKEN_ON_START}{part.name}" in not_loaded]
        after = sum(rows for part, rows in self._active().items() if part.table == table)
        # What was just inserted is not a loss: its rows wait in a segment until it is proved.
        new = sum(before[part] for part in going if part.is_inserted and part.key not in self._proved)
        lost = sum(before.values()) - new - after
        self._tell(SetAside(table=table, parts=[part.name for part in going], lost_rows=max(lost, 0)))
        return [part.name for part in going]

    def _report_not_loaded(self, detached_before: Set[Path]) -> None:
        for table, folder in self._folders.items():
            new = set((folder / "detached").iterdir()) - detached_before
            if names := sorted(path.name.removeprefix(_BROKEN_ON_START) for path in new):
                self._tell(SetAside(table=table, parts=names, lost_rows=None))

    def _tell(self, found: SetAside) -> None:
        log.error("parts_set_aside", table=found.table, parts=found.parts, lost_rows=found.lost_rows)
        self._report(found)


def detached_parts(folder: Path) -> Set[Path]:
    """The parts of all tables in the database in `folder` that do not count, whatever set them aside."""
    return frozenset(folder.glob("store/*/*/detached/*"))


def _names(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries}


def _look(folder: Path) -> bool:
    """Whether no text of a part is empty.

    Its rows leave the page cache, so that CHECK reads them from the disk; that costs too much for the small files.
    """
    is_complete = True
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == _ROWS:
                _drop_from_cache(entry.path)
            elif entry.name.endswith(".txt"):
                is_complete = is_complete and entry.stat().st_size > 0
    return is_complete


def _drop_from_cache(file: str) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _move(folder: Path) -> None:
    """To `detached/`, under a name that the engine knows for a broken part's."""
    detached = folder.parent / "detached"
    names = (f"broken_{folder.name}", *(f"broken_{folder.name}_try{number}" for number in range(1, 100)))
    target = next((detached / name for name in names if not (detached / name).exists()), None)
    if target is None:
        raise StoreError(f"a hundred parts of the name {folder.name} were set aside already: move them away")
    try:
        folder.rename(target)
    except OSError as error:
        raise StoreError(f"the part {folder.name} cannot be moved away: {error.strerror}") from error
