"""A filesystem of its own that can be filled to the last byte and emptied again; takes root."""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["SmallDisk", "small_disk"]

# Writes that fit in what is left become smaller, down to one block.
_PIECES = (1 << 20, 1 << 16, 1 << 12)


# Written bit by bit; what is more than that is taken at once.
_LAST_BYTES = 2 << 20


class SmallDisk:
    """A mounted filesystem and the file that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def free_bytes(self) -> int:
        """Bytes that may still be written."""
        disk = os.statvfs(self.folder)
        return disk.f_bavail * disk.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """Take all room but so many bytes; grows where it was filled before."""
        handle = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            if (at_once := self.free_bytes() - leave_bytes - _LAST_BYTES) > 0:
                with contextlib.suppress(OSError):
                    os.posix_fallocate(handle, os.fstat(handle).st_size, at_once)
            for piece in _PIECES:
                with contextlib.suppress(OSError):
                    while self.free_bytes() - piece >= leave_bytes:
                        os.write(handle, bytes(piece))
        finally:
            os.close(handle)

    def keep_full(self, seconds: float) -> None:
        """Take what becomes free meanwhile too."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.fill()
            time.sleep(0.002)

    def clear(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextlib.contextmanager
def small_disk(place: Path, *, kind: str, mebibytes: int) -> Iterator[SmallDisk]:
    """A tmpfs, or ext4 in a file on a loop device; skips the test where that cannot be mounted."""
    folder, image = place / f"{kind}-disk", place / f"{kind}.image"
    folder.mkdir()
    if kind == "ext4":
        with image.open("wb") as file:
            file.truncate(mebibytes << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))
    else:
        _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(folder))
    try:
        yield SmallDisk(folder)
    finally:
        # What was killed a moment ago may still hold files.
        for _ in range(100):
            if subprocess.run(["umount", folder], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        else:
            subprocess.run(["umount", "--lazy", folder], check=True)
        image.unlink(missing_ok=True)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"a full disk takes {command[0]}")
    if done.returncode:
        pytest.skip(f"a full disk takes root that may mount one: {done.stderr.strip()}")
