"""A filesystem in memory that fails as disks do: short writes, full, failed syncs, and power cuts.

It tells apart what a process sees (the page cache) from what is durable. After a power cut any part of what
was not synced may be there: pieces of writes, with zeros for what is missing, and any of the changes of
names. A failed sync loses what it should have written for good, though the process goes on seeing it.
"""

import errno
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from qrumb_server.spool import FolderEntry

__all__ = ["FaultyFileSystem", "PowerCutError"]


class PowerCutError(Exception):
    """The machine is off: raised by the fatal call and by every call after it."""


@dataclass(slots=True)
class _Change:
    """A write of `content` at `offset`, or a cut to `offset` where `content` is None."""

    offset: int
    content: bytes | None

    def apply(self, image: bytearray) -> None:
        if self.content is None:
            image[:] = image[: self.offset].ljust(self.offset, b"\0")
            return
        image.extend(bytes(max(self.offset - len(image), 0)))
        image[self.offset : self.offset + len(self.content)] = self.content

    def piece(self, rng: random.Random) -> "_Change":
        """What of it reached the disk: all, a beginning, an end, or a middle."""
        if self.content is None:
            return self
        start = rng.choice([0, 0, rng.randint(0, len(self.content))])
        end = rng.choice([len(self.content), rng.randint(start, len(self.content))])
        return _Change(self.offset + start, self.content[start:end])


@dataclass(slots=True)
class _Inode:
    seen: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[_Change] = field(default_factory=list)
    lost: list[_Change] = field(default_factory=list)

    def change(self, change: _Change) -> None:
        change.apply(self.seen)
        self.unsynced.append(change)


@dataclass(slots=True)
class _NameChange:
    """Names that go and names that come, in one step."""

    removed: dict[Path, _Inode]
    added: dict[Path, _Inode]

    def apply(self, names: dict[Path, _Inode]) -> None:
        for path, inode in self.removed.items():
            if names.get(path) is inode:
                del names[path]
        names.update(self.added)

    def touches(self, folder: Path) -> bool:
        return any(path.parent == folder for path in (*self.removed, *self.added))


class FaultyFileSystem:
    """Faults: `fail`, `shorten_writes`, `capacity_bytes`, `hold_syncs`, `cut_power_in` and `restart`."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.capacity_bytes = 1 << 40
        self.unreadable: set[Path] = set()
        self.has_met_fault = False
        """Since the last restart."""
        self.sync_begun = threading.Event()
        self._sync_may_end = threading.Event()
        self._sync_may_end.set()
        self._faults: dict[str, list[int]] = {}
        self._short_writes: list[int] = []
        self._calls_left: int | None = None
        self._seen: dict[Path, _Inode] = {}
        self._durable: dict[Path, _Inode] = {}
        self._name_changes: list[_NameChange] = []
        self._folders: set[Path] = {Path("/")}
        self._unsynced_folders: set[Path] = set()
        self._locked: set[Path] = set()

    def fail(self, call: str, number: int = errno.EIO, times: int = 1) -> None:
        """Let the next calls of this kind raise an OSError."""
        self._faults.setdefault(call, []).extend([number] * times)

    def shorten_writes(self, *sizes_bytes: int) -> None:
        """Let the next writes take so many bytes each at most."""
        self._short_writes.extend(sizes_bytes)

    def cut_power_in(self, calls: int) -> None:
        """Let the machine die in the n-th call from now, which may still have part of its effect."""
        self._calls_left = calls

    def hold_syncs(self) -> None:
        """Let syncs take until `let_syncs_end`; `sync_begun` tells that one is under way."""
        self.sync_begun.clear()
        self._sync_may_end.clear()

    def let_syncs_end(self) -> None:
        """The disk answers again."""
        self._sync_may_end.set()

    def forget_faults(self) -> None:
        """Disarm everything."""
        self._faults.clear()
        self._short_writes.clear()
        self._calls_left = None
        self.capacity_bytes = 1 << 40
        self._sync_may_end.set()

    def restart(self, rng: random.Random) -> None:
        """Power cut and reboot: keep what is durable and a random part of the rest."""
        self.forget_faults()
        self.has_met_fault = False
        for folder in sorted(self._unsynced_folders):
            if rng.random() < 0.5:
                self._folders -= {known for known in self._folders if known.is_relative_to(folder)}
        self._unsynced_folders.clear()
        for name_change in self._name_changes:
            if rng.random() < 0.5:
                name_change.apply(self._durable)
        self._name_changes.clear()
        self._durable = {path: inode for path, inode in self._durable.items() if path.parent in self._folders}
        for inode in self._durable.values():
            for change in (*inode.lost, *inode.unsynced):
                if rng.random() < 0.6:
                    change.piece(rng).apply(inode.durable)
            inode.lost.clear()
            inode.unsynced.clear()
            inode.seen = bytearray(inode.durable)
        self._seen = dict(self._durable)
        self._locked.clear()

    def kill_process(self) -> None:
        """End the process but not the machine: locks go, the page cache stays."""
        self.forget_faults()
        self._locked.clear()

    @property
    def is_off(self) -> bool:
        """The power was cut, and the machine is still off."""
        return self._calls_left == 0

    def bytes_used(self) -> int:
        """As the process sees it; no call of the spool, so it meets no fault."""
        return sum(len(inode.seen) for inode in self._seen.values())

    def bytes_in(self, folder: Path) -> int:
        """The same for one folder."""
        return sum(len(inode.seen) for path, inode in self._seen.items() if path.parent == folder)

    def damage(self, path: Path, image: bytes) -> None:
        """Replace a file's content, as a disk does that goes bad."""
        inode = self._seen[path]
        inode.seen[:] = inode.durable[:] = image

    # what the spool calls

    def make_folder(self, path: Path) -> None:
        self._begin("make_folder")
        for folder in reversed((path, *path.parents)):
            if folder not in self._folders:
                self._folders.add(folder)
                self._unsynced_folders.add(folder)
                self._sync_names(folder.parent)
        self._sync_names(path.parent)

    def create(self, path: Path) -> "_FaultyFile":
        self._begin("create")
        if path in self._seen:
            raise FileExistsError(errno.EEXIST, "exists", str(path))
        if path.parent not in self._folders:
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(path))
        inode = _Inode()
        self._rename_or_create(_NameChange(removed={}, added={path: inode}))
        return _FaultyFile(self, inode)

    def open_append(self, path: Path) -> "_FaultyFile":
        self._begin("open_append")
        return _FaultyFile(self, self._find(path))

    def rename(self, old: Path, new: Path) -> None:
        self._begin("rename")
        inode = self._find(old)
        self._rename_or_create(_NameChange(removed={old: inode}, added={new: inode}))

    def unlink(self, path: Path) -> None:
        self._begin("unlink")
        self._rename_or_create(_NameChange(removed={path: self._find(path)}, added={}))

    def sync_folder(self, path: Path) -> None:
        self._begin("sync_folder")
        self._sync_names(path)

    def list_folder(self, path: Path) -> list[FolderEntry]:
        self._begin("list_folder")
        files = [
            FolderEntry(name=file.name, size_bytes=len(inode.seen), is_folder=False)
            for file, inode in self._seen.items()
            if file.parent == path
        ]
        folders = [
            FolderEntry(name=folder.name, size_bytes=0, is_folder=True)
            for folder in self._folders
            if folder.parent == path and folder != path
        ]
        return files + folders

    def read(self, path: Path) -> bytes:
        self._begin("read")
        if path in self.unreadable:
            raise OSError(errno.EIO, "unreadable", str(path))
        return bytes(self._find(path).seen)

    def free_bytes(self, path: Path) -> int:
        self._begin("free_bytes")
        return self.capacity_bytes - self.bytes_used()

    def lock(self, path: Path) -> Callable[[], None] | None:
        self._begin("lock")
        if path in self._locked:
            return None
        self._locked.add(path)
        return lambda: self._locked.discard(path)

    # what its files call

    def write(self, inode: _Inode, content: bytes) -> int:
        room = self.capacity_bytes - self.bytes_used()
        limit = self._short_writes.pop(0) if self._short_writes else len(content)
        taken = content[: max(min(limit, room), 0)]
        dying = self._calls_left == 1
        if dying:
            inode.change(_Change(len(inode.seen), taken))
        self._begin("write")
        if content and not taken:
            raise OSError(errno.ENOSPC, "no room")
        inode.change(_Change(len(inode.seen), taken))
        return len(taken)

    def sync(self, inode: _Inode) -> None:
        try:
            self._begin("sync")
        except OSError:
            inode.lost += inode.unsynced
            inode.unsynced.clear()
            raise
        covered = tuple(inode.unsynced)
        self.sync_begun.set()
        self._sync_may_end.wait(timeout=10)  # a test that forgets the disk ends anyway
        for change in covered:
            change.apply(inode.durable)
        del inode.unsynced[: len(covered)]

    def truncate(self, inode: _Inode, size_bytes: int) -> None:
        self._begin("truncate")
        inode.change(_Change(size_bytes, None))

    def _begin(self, call: str) -> None:
        self.calls[call] += 1
        if self._calls_left is not None:
            self._calls_left = max(self._calls_left - 1, 0)
            if self._calls_left == 0:
                self.has_met_fault = True
                raise PowerCutError(call)
        if self._faults.get(call):
            self.has_met_fault = True
            raise OSError(self._faults[call].pop(0), f"armed fault of {call}")

    def _find(self, path: Path) -> _Inode:
        if path not in self._seen:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return self._seen[path]

    def _rename_or_create(self, change: _NameChange) -> None:
        change.apply(self._seen)
        self._name_changes.append(change)

    def _sync_names(self, folder: Path) -> None:
        self._unsynced_folders -= {known for known in self._unsynced_folders if known.parent == folder}
        for change in [change for change in self._name_changes if change.touches(folder)]:
            change.apply(self._durable)
            self._name_changes.remove(change)


class _FaultyFile:
    def __init__(self, filesystem: FaultyFileSystem, inode: _Inode) -> None:
        self._filesystem = filesystem
        self._inode = inode

    def write(self, content: bytes | memoryview) -> int:
        return self._filesystem.write(self._inode, bytes(content))

    def sync(self) -> None:
        self._filesystem.sync(self._inode)

    def truncate(self, size_bytes: int) -> None:
        self._filesystem.truncate(self._inode, size_bytes)

    def close(self) -> None:
        pass
