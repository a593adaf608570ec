"""Files that know something about an address: MaxMind's .mmdb format, in which networks lead to records.

A file may be missing, broken, or replaced at any time. Invariants: a look-up never raises, and neither an address
nor the text of an error that names one is ever logged; what was read stays in use until there is something better.
Only copies are read, because the reader maps its file: one that is overwritten in place would change under it,
or end the process with SIGBUS. A file whose inside was tampered with can end it too: the reader, written in C, trusts
what it reads, so the files have to come from a trusted source.
"""

import shutil
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import structlog
from maxminddb import InvalidDatabaseError
from maxminddb.const import MODE_MMAP_EXT

from qrumb_server.errors import ConfigError

if TYPE_CHECKING:
    from maxminddb.extension import Reader

__all__ = ["AddressFiles"]

log = structlog.get_logger()

NO_RECORD: Final[Mapping[str, Any]] = {}
# An IPv4 address in the clothes of IPv6, as sockets of both families show it.
_MAPPED: Final = bytes(10) + b"\xff\xff"
_MISSING: Final = ()


class AddressFiles:
    """Files about one subject, asked in their order.

    Args:
        paths: a file that is not there yet is picked up when it is.
        copies: folder for the copies, shared by the processes of a node.
        reload_interval: how often a look-up looks whether the files changed.
        monotonic: seconds of a clock that never goes back.

    Raises:
        ConfigError: the reader has only its slow form here.
    """

    def __init__(
        self, paths: Sequence[Path], *, copies: Path, reload_interval: timedelta, monotonic: Callable[[], float]
    ) -> None:
        self._files = [_File(path, copies) for path in paths]
        self._interval = reload_interval.total_seconds()
        self._monotonic = monotonic
        self._next_look = monotonic()
        if self._files:
            _reader_class()
            self._look()

    def find(self, address: str) -> Mapping[str, Any]:
        """The record of the first file that has one; empty for an unknown address and for what is none."""
        known = _canonical(address)
        if not known:
            return NO_RECORD
        if self._monotonic() >= self._next_look:
            self._look()
        for file in self._files:
            record = file.find(known)
            if record is not None:
                return record
        return NO_RECORD

    def _look(self) -> None:
        self._next_look = self._monotonic() + self._interval
        for file in self._files:
            file.look()


class _File:
    """One file as it was last read."""

    __slots__ = ("_copies", "_copy", "_damage_told", "_ipv4_only", "_path", "_reader", "_seen")

    def __init__(self, path: Path, copies: Path) -> None:
        self._path = path
        self._copies = copies
        self._seen: tuple[int, ...] | None = None
        self._copy: Path | None = None
        self._reader: Reader | None = None
        self._ipv4_only = False
        self._damage_told = False

    def find(self, address: str) -> Mapping[str, Any] | None:
        if self._reader is None or (self._ipv4_only and ":" in address):
            return None
        try:
            record = self._reader.get(address)
        except (InvalidDatabaseError, ValueError):  # its text names the address
            if not self._damage_told:
                self._damage_told = True
                log.warning("address_file_damaged", path=str(self._path))
            return None
        return record if isinstance(record, dict) else None

    def look(self) -> None:
        """Read the file if it is not the one that was last looked at; one warning if that cannot be done."""
        state = _state(self._path)
        if state == self._seen:
            return
        is_first, self._seen = self._seen is None, state
        try:
            self._read(state)
        except (InvalidDatabaseError, OSError, ValueError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "not a complete .mmdb file"
            log.warning("address_file_unreadable", path=str(self._path), why=why, keeps_old=self._reader is not None)
        else:
            tell = log.debug if is_first else log.info
            tell("address_file_read", path=str(self._path))

    def _read(self, state: tuple[int, ...]) -> None:
        copy = _copy(self._path, state, self._copies)
        try:
            reader = _reader_class()(copy, MODE_MMAP_EXT)
        except (InvalidDatabaseError, ValueError):
            copy.unlink(missing_ok=True)
            raise
        old = self._copy
        self._copy, self._reader, self._damage_told = copy, reader, False
        self._ipv4_only = reader.metadata().ip_version == 4
        if old is not None and old != copy:
            old.unlink(missing_ok=True)  # other processes may read it on: it is mapped


def _reader_class() -> "type[Reader]":
    try:
        from maxminddb.extension import Reader
    except ImportError as error:
        raise ConfigError(
            "the package maxminddb is here without its C extension, and its other reader takes 15 times as long for "
            "every event: install it from a wheel, or with a C compiler and libmaxminddb-dev"
        ) from error
    return Reader


def _canonical(address: str) -> str:
    """The address, an IPv4 one never as IPv6; empty for what is not an address.

    The reader itself would take "1" and "0x7f.1" for addresses as well.
    """
    try:
        if ":" not in address:
            socket.inet_pton(socket.AF_INET, address)
            return address
        packed = socket.inet_pton(socket.AF_INET6, address)
    except (OSError, ValueError):
        return ""
    return socket.inet_ntop(socket.AF_INET, packed[12:]) if packed.startswith(_MAPPED) else address


def _state(path: Path) -> tuple[int, ...]:
    """Differs whenever the file was changed or replaced."""
    try:
        found = path.stat()
    except OSError:
        return _MISSING
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _copy(path: Path, state: tuple[int, ...], copies: Path) -> Path:
    """A copy of the file in this state; the one that another process made, where there is one.

    Raises:
        OSError: it cannot be read, cannot be kept, or was changed meanwhile.
    """
    name = "-".join(f"{number:x}" for number in state) + ".mmdb"
    target = copies / name
    if state and target.exists():
        return target
    copies.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(dir=copies) as scratch:
        fresh = Path(scratch) / name
        shutil.copyfile(path, fresh)
        if _state(path) != state:
            raise OSError(0, "it changes at the moment")
        fresh.replace(target)
    return target
