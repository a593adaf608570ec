"""How much of a stream may be under way: what was read and is not answered yet, by count and by bytes.

Invariant: what is under way exceeds the bytes by less than one message, whatever the messages are, so one always fits.
"""

import asyncio

__all__ = ["StreamWindow"]


class StreamWindow:
    """For one reader; not for threads.

    Args:
        max_events: under way at a time.
        max_bytes: once so many are under way, none is read.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._events = 0
        self._bytes = 0
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def room(self) -> None:
        """Wait until another event may be read."""
        await self._has_room.wait()

    def add(self, size: int) -> None:
        """An event of `size` bytes was read."""
        self._change(1, size)

    def remove(self, size: int) -> None:
        """It was answered."""
        self._change(-1, -size)

    def _change(self, events: int, size: int) -> None:
        self._events += events
        self._bytes += size
        if self._events < self._max_events and self._bytes < self._max_bytes:
            self._has_room.set()
        else:
            self._has_room.clear()
