"""The event's id: made once, on the client, and kept through every retry."""

import os
import time
import uuid
from typing import Final

__all__ = ["new_event_id"]

_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62


def new_event_id() -> str:
    """A UUIDv7: milliseconds first, so that ids of one time lie together, then 74 random bits."""
    chance = int.from_bytes(os.urandom(10))
    low = chance & ((1 << 62) - 1)
    middle = (chance >> 62) & 0xFFF
    number = (time.time_ns() // 1_000_000) << 80 | _VERSION_7 | middle << 64 | _VARIANT | low
    return str(uuid.UUID(int=number))
