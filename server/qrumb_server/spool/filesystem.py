"""The few calls that the spool makes to the operating system, and their real implementation.

Invariant: nothing here hides an error or retries; each call is one step whose failure the caller must answer.
The exception is `read`, which reads around bad blocks, so that a bad sector costs its own rows only.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

__all__ = ["DISK", "AppendFile", "DiskFileSystem", "FileSystem", "FolderEntry", "fault_text"]

_BLOCK_BYTES = 4096
"""Smallest piece given up when a read fails: one page, in which unit the kernel reports bad blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """One name in a folder."""

    name: str
    size_bytes: int
    is_folder: bool


class AppendFile(Protocol):
    """A file that is only ever written at its end. Every call may raise an OSError."""

    def write(self, content: bytes | memoryview) -> int:
        """Append, and return how many bytes were taken: maybe fewer than given."""
        ...

    def sync(self) -> None:
        """Make content and length durable. After a failure the file must not be synced again."""
        ...

    def truncate(self, size_bytes: int) -> None:
        """Cut the end off; the cut is not durable before `sync`."""
        ...

    def close(self) -> None:
        """Let go of the file without syncing it."""
        ...


class FileSystem(Protocol):
    """More calls than a Protocol should have, but each is one system call whose failure is a crash case."""

    def make_folder(self, path: Path) -> None:
        """Create the folder, and its parents, if missing; on return its name is durable."""
        ...

    def create(self, path: Path) -> AppendFile:
        """A new, empty file; its name is not durable before `sync_folder`."""
        ...

    def open_append(self, path: Path) -> AppendFile:
        """An existing file, to be written at its end."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """In one step; not durable before `sync_folder`."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file; not durable before `sync_folder`."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Make all names in the folder durable."""
        ...

    def list_folder(self, path: Path) -> list[FolderEntry]:
        """What is there now; names that vanish meanwhile are left out, a missing folder is empty."""
        ...

    def read(self, path: Path) -> bytes:
        """The whole file; blocks that the disk cannot read come back as zeros."""
        ...

    def free_bytes(self, path: Path) -> int:
        """What an ordinary user may still write on the disk of this folder; 0 where it takes no new file."""
        ...

    def lock(self, path: Path) -> Callable[[], None] | None:
        """Take the lock file for the life of the process and return its release; None if another holds it."""
        ...


class DiskFileSystem:
    """The real one. Has no state."""

    def make_folder(self, path: Path) -> None:
        created = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(created):
            folder.mkdir(mode=0o700, exist_ok=True)
            self.sync_folder(folder.parent)
        if not created:
            # a predecessor may have died between mkdir and fsync
            self.sync_folder(path.parent)

    def create(self, path: Path) -> AppendFile:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL
        return _DiskFile(os.open(path, flags, 0o600))

    def open_append(self, path: Path) -> AppendFile:
        return _DiskFile(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def sync_folder(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def list_folder(self, path: Path) -> list[FolderEntry]:
        entries: list[FolderEntry] = []
        try:
            with os.scandir(path) as found:
                for entry in found:
                    with contextlib.suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        is_folder = entry.is_dir(follow_symlinks=False)
                        entries.append(FolderEntry(name=entry.name, size_bytes=status.st_size, is_folder=is_folder))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return entries

    def read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return _read_around_bad_blocks(path)

    def free_bytes(self, path: Path) -> int:
        status = os.statvfs(path)
        # Some filesystems do not count their files, and say so by a total of 0.
        takes_files = status.f_favail > 0 or status.f_files == 0
        return status.f_bavail * status.f_frsize if takes_files else 0

    def lock(self, path: Path) -> Callable[[], None] | None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except OSError:
            os.close(descriptor)
            raise
        return lambda: os.close(descriptor)


class _DiskFile:
    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, content: bytes | memoryview) -> int:
        return os.write(self._descriptor, content)

    def sync(self) -> None:
        os.fdatasync(self._descriptor)

    def truncate(self, size_bytes: int) -> None:
        os.ftruncate(self._descriptor, size_bytes)

    def close(self) -> None:
        os.close(self._descriptor)


def _read_around_bad_blocks(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size
        image = bytearray(size)
        for start in range(0, size, _BLOCK_BYTES):
            try:
                block = os.pread(descriptor, _BLOCK_BYTES, start)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                continue
            image[start : start + len(block)] = block
        return bytes(image)
    finally:
        os.close(descriptor)


DISK = DiskFileSystem()
"""What the spool uses unless told otherwise."""


def fault_text(error: OSError, spool_root: Path) -> str:
    """Such as "worker-0's folder of the spool: permission denied"."""
    return f"{_place(error, spool_root)}: {(error.strerror or type(error).__name__).lower()}"


def _place(error: OSError, spool_root: Path) -> str:
    try:
        parts = Path(str(error.filename)).relative_to(spool_root).parts
    except ValueError:
        return "the spool"
    if not parts:
        return "the folder of the spool"
    return f"{parts[0]}'s folder of the spool" if len(parts) == 1 else f"a file in {parts[0]}'s folder of the spool"
