"""Plain appends without the interpreter: the compiled package's thread writes and syncs what the event loop hands it.

A group commit is short, and a thread of Python waits for the interpreter twice in each, and makes the event loop wait.
Only appends that fit the open segment as they are go this way. Whatever asks for a decision, a new segment, a limit, a
fault, is the journal's, in the executor.
"""

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qrumb_server.spool.filesystem import DiskFileSystem
from qrumb_server.spool.segment import OpenSegment

if TYPE_CHECKING:
    from qrumb_hotpath import AppendFile

__all__ = ["CompiledDisk"]


class CompiledDisk(DiskFileSystem):
    """The real filesystem, and a thread for appends. One for a writer, which closes it.

    Raises:
        ImportError: the package is not there.
    """

    def __init__(self) -> None:
        from qrumb_hotpath import AppendFile, Disk  # by workers only: processes that never write have no need of it

        self._new_file = AppendFile.create
        self._disk = Disk()

    def create(self, path: Path) -> "AppendFile":
        return self._new_file(os.fspath(path))

    def fileno(self) -> int:
        """A descriptor that can be read once an append has ended, or the thread."""
        return self._disk.fileno()

    def append(self, segment: OpenSegment, records: list[bytes], size_bytes: int) -> None:
        """Begin to write and to sync the next rows of a segment, which `create` has made the file of.

        Raises:
            OSError: nothing was begun.
        """
        file = cast("AppendFile", segment.file)
        try:
            self._disk.append(file, records, size_bytes, segment.rows, segment.layout)
        except RuntimeError as error:
            raise OSError(errno.EIO, str(error)) from error

    def ended(self) -> tuple[OSError | None, bool]:
        """What the append met, once it has ended, and whether that was in its sync.

        Raises:
            OSError: the thread has ended; what became of the append is not known.
        """
        number = self._disk.ended()
        return (OSError(abs(number), os.strerror(abs(number))) if number else None), number < 0

    def close(self) -> None:
        """End the thread after its append."""
        self._disk.close()
