"""The folder in which what is queued survives its sender, `spool_dir`; the same files in every language.

A client writes a file of its own there, and holds a lock on it. A file without a lock was left by one that is gone;
the process that gets its lock sends what is in it. A record is written before `send` returns and is not synced: it
outlives the process, not the machine. What has its answer is marked; a file all of whose events have one is emptied or
removed.

    file    "qrumb-1\\n", then records
    record  length of the body and its CRC-32 (u32, little-endian), body
    body    1, 2 or 3 (server event, browser event, scan) and the message;
            or 4, one of these, and an offset (u64): what is of that kind and begins there or before is answered

Events of one kind are answered in the order of their records. Names are never used again. All calls are made under the
client's lock.
"""

import contextlib
import logging
import os
import struct
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from qrumb.buffer import Batch, Buffer, Kind, QueuedEvent, restored
from qrumb.errors import counted
from qrumb.settings import Settings

try:
    import fcntl
except ImportError:  # a system without locks of POSIX
    fcntl = None  # type: ignore[assignment]

__all__ = ["Spool", "divided", "is_all_kept", "opened"]

_HEADER: Final = b"qrumb-1\n"
_FRAME: Final = struct.Struct("<II")
_ANSWERED: Final = struct.Struct("<BBQ")
_ANSWERED_CODE: Final = 4
_CODES: Final = {Kind.SERVER: 1, Kind.BROWSER: 2, Kind.SCAN: 3}
_KINDS: Final = {code: kind for kind, code in _CODES.items()}
# Listing a folder costs little, reading again what found no room costs more.
_SECONDS_BETWEEN_LOOKS: Final = 60.0
_SECONDS_BEFORE_ANOTHER_TRY: Final = 1.0
_SECONDS_BETWEEN_LINES: Final = 1.0

_log = logging.getLogger("qrumb")


@dataclass(slots=True, eq=False)
class _File:
    """An open file with a lock on it; `size` is where its next record goes, `live` counts its events without answer."""

    path: Path
    handle: int
    size: int
    live: int = 0


# A process' locks are not locks against itself, and closing a file loses them: what it holds must not be opened again.
_held: dict[tuple[int, Path], object] = {}


class Spool:
    """The files of one client.

    Args:
        folder: made where it is missing, for the owner alone.
        limit_bytes: the own file is written anew, without what has its answer, when it is larger.
        unsettled: everything that waits, in the order of sending.

    Raises:
        ValueError: the folder cannot be used; the text says why.
    """

    def __init__(
        self, folder: str | os.PathLike[str], limit_bytes: int, unsettled: Callable[[], Iterable[QueuedEvent]]
    ) -> None:
        if fcntl is None:
            raise ValueError("spool_dir: this system has no locks of files as POSIX has them; leave it out")
        self.folder = Path(folder).absolute()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder = self.folder.resolve()
        except OSError as error:
            raise ValueError(f"spool_dir: {self.folder} cannot be made: {error.strerror}") from error
        if not os.access(self.folder, os.R_OK | os.W_OK | os.X_OK):
            raise ValueError(f"spool_dir: {self.folder} cannot be written to by this user")
        self._limit_bytes = limit_bytes
        self._unsettled = unsettled
        self._own: _File | None = None
        self._files: set[_File] = set()
        self._next_look = 0.0
        self._quiet_until = 0.0
        self._in_memory = 0

    def keep(self, queued: QueuedEvent) -> None:
        """Write an event; where that fails it waits in memory alone, which is logged."""
        try:
            own = self._own or self._create()
            if own.size > self._limit_bytes:
                own = self._renew(own)
            self._own = own
            queued.place = own, self._append(own, _event_body(queued))
            own.live += 1
        except OSError as error:
            self._in_memory += 1
            if time.monotonic() >= self._quiet_until:
                self._quiet_until = time.monotonic() + _SECONDS_BETWEEN_LINES
                _log.error(
                    "qrumb: %s cannot be written: %s; %s so far in memory alone",
                    self.folder, error.strerror, counted(self._in_memory),
                )  # fmt: skip

    def settle(self, batch: Batch) -> None:
        """These have their answer, and leave the folder."""
        through = {(queued.place[0], queued.kind): queued.place[1] for queued in batch if queued.place is not None}
        answers = Counter(queued.place[0] for queued in batch if queued.place is not None)
        for queued in batch:
            queued.place = None
        for file, count in answers.items():
            file.live -= count
            if not file.live:
                self._empty(file)
        for (file, kind), offset in through.items():
            if file.live:
                # Without the mark they would be sent again: duplicates, no more.
                with contextlib.suppress(OSError):
                    self._append(file, _ANSWERED.pack(_ANSWERED_CODE, _CODES[kind], offset))

    def is_look_due(self) -> bool:
        """Whether it is time to look for files of clients that are gone."""
        return time.monotonic() >= self._next_look

    def adopt(self, take: Callable[[Batch], bool]) -> None:
        """Hand over the events of files without a lock; `take` says whether there was room for those of a file."""
        wait = _SECONDS_BETWEEN_LOOKS
        for path in sorted(self.folder.glob("*.qrumb")):
            file = self._locked(path)
            if file is None:
                continue
            events = _read(file)
            if events is None:
                self._let_go(file)
            elif not events:
                self._remove(file)
            elif take(events):
                file.live = len(events)
                self._files.add(file)
            else:
                self._let_go(file)
                wait = _SECONDS_BEFORE_ANOTHER_TRY
        self._next_look = time.monotonic() + wait

    def close(self) -> None:
        """Leave what has no answer to the next client; nothing else stays."""
        for file in list(self._files):
            if file.live:
                self._let_go(file)
            else:
                self._remove(file)

    def _create(self) -> _File:
        while True:
            path = self.folder / f"{time.time_ns() // 1_000_000:012x}-{os.urandom(4).hex()}.qrumb"
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            os.close(handle)
            # Until it has its lock, another client may take it for one that was left, and remove it.
            if (file := self._locked(path)) is not None:
                try:
                    _write(file, _HEADER)
                except OSError:
                    self._remove(file)
                    raise
                self._files.add(file)
                return file

    def _renew(self, old: _File) -> _File:
        """A new file with what waits in the old one, which is removed."""
        new = self._create()
        moved = [queued for queued in self._unsettled() if queued.place is not None and queued.place[0] is old]
        try:
            places = [(queued, self._append(new, _event_body(queued))) for queued in moved]
        except OSError:
            self._remove(new)
            raise
        for queued, offset in places:
            queued.place = new, offset
        new.live = len(places)
        self._remove(old)
        return new

    def _append(self, file: _File, body: bytes) -> int:
        """Write a record; where it begins."""
        offset = file.size
        _write(file, _FRAME.pack(len(body), zlib.crc32(body)) + body)
        return offset

    def _empty(self, file: _File) -> None:
        if file is not self._own:
            self._remove(file)
            return
        file.size = len(_HEADER)
        os.ftruncate(file.handle, file.size)

    def _locked(self, path: Path) -> _File | None:
        """The file with its lock; None where it is another's, or gone."""
        key = os.getpid(), path
        if _held.setdefault(key, self) is not self or any(file.path == path for file in self._files):
            return None
        handle = -1
        try:
            handle = os.open(path, os.O_RDWR)
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():  # else it was removed by the one that had the lock
                return _File(path, handle, 0)
        except OSError:
            pass
        if handle >= 0:
            os.close(handle)
        del _held[key]
        return None

    def _let_go(self, file: _File) -> None:
        os.close(file.handle)
        self._files.discard(file)
        _held.pop((os.getpid(), file.path), None)

    def _remove(self, file: _File) -> None:
        if file is self._own:
            self._own = None
        file.path.unlink(missing_ok=True)
        self._let_go(file)


def opened(folder: str | os.PathLike[str], settings: Settings, buffer: Buffer) -> Spool | None:
    """The spool of a queue, whose file has twice what the queue may hold; None where no folder is named."""
    return Spool(folder, 2 * settings.max_queue_bytes, buffer.unsettled) if os.fspath(folder) else None


def divided(batch: Batch) -> tuple[Batch, Batch]:
    """What is in the folder, and what is in memory alone."""
    return [queued for queued in batch if queued.place], [queued for queued in batch if not queued.place]


def is_all_kept(spool: Spool | None, buffer: Buffer) -> bool:
    """Whether all that waits will outlive this client."""
    return spool is not None and all(queued.place for queued in buffer.unsettled())


def _event_body(queued: QueuedEvent) -> bytes:
    return bytes((_CODES[queued.kind],)) + queued.payload


def _write(file: _File, content: bytes) -> None:
    """All of it or nothing, at the end of the file."""
    written = 0
    try:
        while written < len(content):
            written += os.pwrite(file.handle, content[written:], file.size + written)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(file.handle, file.size)
        raise
    file.size += written


def _read(file: _File) -> Batch | None:
    """The events of a file that have no answer; None where the file is not of this form, and is left as it is.

    What is damaged is left out and logged.
    """
    content = _content(file)
    if not content.startswith(_HEADER):
        if _HEADER.startswith(content):  # its client ended when it was made
            return []
        _log.error("qrumb: %s is not a file of this version's: left as it is", file.path)
        return None
    events: Batch = []
    answered: dict[Kind, int] = {}
    damaged = 0
    file.size = len(_HEADER)
    for offset, body, end in _records(content):
        file.size = end
        try:
            if body[:1] == bytes((_ANSWERED_CODE,)):
                _, code, through = _ANSWERED.unpack(body)
                answered[_KINDS[code]] = through
                continue
            queued = restored(_KINDS[body[0]], body[1:], time.monotonic())
        except (IndexError, KeyError, struct.error, DecodeError):
            damaged += 1
            continue
        queued.place = file, offset
        events.append(queued)
    if torn := len(content) - file.size:
        _log.warning("qrumb: %s ends with %d bytes of no whole record, which are left out", file.path, torn)
    if damaged:
        _log.error("qrumb: %s has %d damaged records, which are left out", file.path, damaged)
    return [queued for queued in events if queued.place and queued.place[1] > answered.get(queued.kind, -1)]


def _records(content: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Where each begins, its body (empty where it is damaged), and where it ends; up to what is not a whole record."""
    offset = len(_HEADER)
    while offset + _FRAME.size < len(content):
        length, checksum = _FRAME.unpack_from(content, offset)
        end = offset + _FRAME.size + length
        if not length or end > len(content):
            return
        body = content[end - length : end]
        yield offset, body if zlib.crc32(body) == checksum else b"", end
        offset = end


def _content(file: _File) -> bytes:
    """Read through the handle: closing another would lose the lock."""
    content = bytearray()
    while part := os.pread(file.handle, 1 << 20, len(content)):
        content += part
    return bytes(content)
