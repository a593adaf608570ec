"""One segment while it is written.

Invariant: bytes before `size_bytes` and rows before `rows` are durable under a durable name; nothing behind
them counts.
"""

import contextlib
import errno
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from qrumb_server.spool.filesystem import AppendFile, FileSystem
from qrumb_server.spool.format import encode_frames, encode_header, layout, open_name

__all__ = ["DISK_FULL", "OpenSegment"]

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors that say "no room" and nothing about the health of the disk."""


class OpenSegment:
    """Used by one thread at a time."""

    __slots__ = (
        "_filesystem",
        "_folder",
        "_has_durable_name",
        "file",
        "id_text",
        "is_sound",
        "layout",
        "rows",
        "segment_id",
        "size_bytes",
    )

    def __init__(self, *, folder: Path, segment_id: UUID, filesystem: FileSystem) -> None:
        """Create the file. Raises OSError."""
        self._folder = folder
        self._filesystem = filesystem
        self.file: AppendFile = filesystem.create(folder / open_name(segment_id))
        self._has_durable_name = False
        self.segment_id = segment_id
        self.id_text = str(segment_id)
        self.layout = layout(segment_id)
        self.rows = 0
        self.size_bytes = 0
        self.is_sound = True
        """False once a fault makes the file's end uncertain: it must not be written any more."""

    @property
    def is_plain(self) -> bool:
        """Whether the next append only takes a write and a sync."""
        return self.is_sound and self._has_durable_name

    def append(self, records: Sequence[bytes]) -> None:
        """Write all records with one sync; on return they are durable.

        Raises:
            OSError: none of them counts. `is_sound` says whether the segment takes further appends.
        """
        pieces = encode_frames(records, self.rows, self.segment_id)
        if self.size_bytes == 0:
            pieces.insert(0, encode_header(self.segment_id))
        content = b"".join(pieces)
        self.is_sound = False
        try:
            self._write(content)
        except OSError as error:
            self.cut(error)
            raise
        self.file.sync()
        if not self._has_durable_name:
            self._filesystem.sync_folder(self._folder)
            self._has_durable_name = True
        self.grow(len(records), len(content))

    def grow(self, rows: int, size_bytes: int) -> None:
        """Count what is durable now."""
        self.is_sound = True
        self.rows += rows
        self.size_bytes += size_bytes

    def cut(self, error: OSError) -> None:
        """After a write that failed: the segment goes on where only room was wanting."""
        if error.errno in DISK_FULL:
            self._undo()

    def close(self) -> None:
        """Let go of the file; nothing else may be called afterwards. Raises nothing."""
        with contextlib.suppress(OSError):
            if not self.is_sound:
                # only to save room: readers stop at the row count of the sealed name anyway
                self.file.truncate(self.size_bytes)
        # what counts is durable already, so an error of close() says nothing new
        with contextlib.suppress(OSError):
            self.file.close()

    def _write(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest:
            written = self.file.write(rest)
            if written <= 0:
                raise OSError(errno.EIO, "the file takes no more bytes and gives no reason")
            rest = rest[written:]

    def _undo(self) -> None:
        """Cut off what a full disk left half written; synced, or a power cut could bring it back."""
        with contextlib.suppress(OSError):
            self.file.truncate(self.size_bytes)
            self.file.sync()
            self.is_sound = True
