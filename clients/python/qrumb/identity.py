"""The event's id: made once, on the client, and kept through every retry."""

import os
import time
import uuid
from typing import Final

__all__ = ["event_id_for", "new_event_id"]

_VERSION_7: Final = 0x7 << 76
_VARIANT: Final = 0x2 << 62
# The same in every client; of its own, so that other UUIDv5 of the same texts are other ids.
_NAMESPACE: Final = uuid.UUID("6f201f84-5276-5a2b-945b-49f1a94eb63e")


def new_event_id() -> str:
    """A UUIDv7: milliseconds first, so that ids of one time lie together, then 74 random bits."""
    chance = int.from_bytes(os.urandom(10))
    low = chance & ((1 << 62) - 1)
    middle = (chance >> 62) & 0xFFF
    number = (time.time_ns() // 1_000_000) << 80 | _VERSION_7 | middle << 64 | _VARIANT | low
    return str(uuid.UUID(int=number))


def event_id_for(event_name: str, key: str) -> str:
    """The UUIDv5 of an event that has a name elsewhere: `event_id_for("purchase", order.number)`.

    The same texts give the same id in every client and every process, so that a job that runs twice counts once. The
    event's name belongs to it: an order's refund is another event than its purchase.

    Raises:
        ValueError: one of the two is empty; all such events would be one.
    """
    if not event_name:
        raise ValueError("event_name is empty")
    if not key:
        raise ValueError("key is empty")
    return str(uuid.uuid5(_NAMESPACE, f"{event_name}\n{key}"))
