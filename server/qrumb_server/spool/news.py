"""Wakes a reader that waits for files in the folders of a spool, so that it need not poll (inotify).

Invariant: what came after a `wait` ended ends the next one at once. What the kernel does not tell is found by looking:
a wait has its limit.
"""

import ctypes
import os
import select
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

__all__ = ["SpoolNews"]

_CREATED_OR_MOVED_TO: Final = 0x100 | 0x80
_READ_BYTES: Final = 65536


class SpoolNews:
    """Watches within its context. Belongs to one thread, but for `wake`."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._woken = self._inotify = -1
        self._watched: set[int] = set()
        self._closing = threading.Lock()

    def __enter__(self) -> Self:
        self._woken = os.eventfd(0)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)  # -1: the machine allows no more
        return self

    def __exit__(self, *_error: object) -> None:
        with self._closing:
            for descriptor in {self._woken, self._inotify} - {-1}:
                os.close(descriptor)
            self._woken = self._inotify = -1
        self._watched.clear()

    def wake(self) -> None:
        """End the sleep or wait under way, or the next one."""
        with self._closing:
            if self._woken != -1:
                os.eventfd_write(self._woken, 1)

    def sleep(self, seconds: float) -> None:
        """Until the time is over."""
        self._read_first({self._woken}, seconds)

    def wait(self, folders: Iterable[Path], seconds: float, *, blind_seconds: float) -> None:
        """Until something came into the folders since the last wait, or the time is over; not at all where one of them
        was not watched before.

        Args:
            blind_seconds: the time where the kernel watches no more folders.
        """
        watches = {self._watch(folder) for folder in folders}
        if new := watches - self._watched - {-1}:
            self._watched |= new
            return
        self._read_first({self._woken, self._inotify} - {-1}, blind_seconds if -1 in watches else seconds)

    def _watch(self, folder: Path) -> int:
        """The number of the watch, the same for as long as the folder is; -1 without one."""
        watch: int = self._libc.inotify_add_watch(self._inotify, bytes(folder), _CREATED_OR_MOVED_TO)
        return watch

    @staticmethod
    def _read_first(descriptors: Iterable[int], seconds: float) -> None:
        poll = select.poll()
        for descriptor in descriptors:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ready in poll.poll(seconds * 1000):
            os.read(descriptor, _READ_BYTES)
