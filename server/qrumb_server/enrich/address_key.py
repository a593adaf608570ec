"""A keyed hash that tells visitors' addresses apart for a day.

The key of the hash is made by the supervisor at its start, lives in memory only, and dies with the node; without it a
hash says nothing of its address.
"""

from collections.abc import Callable
from hashlib import blake2b
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

__all__ = ["KEY_BYTES", "address_key"]

KEY_BYTES: Final = 32
_DAY_MS: Final = 86_400_000
# A household or a host has a whole IPv6 /64 to itself.
_V6_NETWORK_BYTES: Final = 8
_MAPPED: Final = bytes(10) + b"\xff\xff"


def address_key(secret: bytes) -> Callable[[str, int], str]:
    """The function from an address and a time of receipt in milliseconds to 16 hex digits; empty for no address."""
    keys: dict[int, bytes] = {}

    def hashed(address: str, received_time_ms: int) -> str:
        day = received_time_ms // _DAY_MS
        key = keys.get(day)
        if key is None:
            keys.clear()
            key = keys[day] = blake2b(day.to_bytes(8), key=secret, digest_size=KEY_BYTES).digest()
        network = _network(address)
        return blake2b(network, key=key, digest_size=8).hexdigest() if network else ""

    return hashed


def _network(address: str) -> bytes:
    try:
        if ":" not in address:
            return inet_pton(AF_INET, address)
        packed = inet_pton(AF_INET6, address)
    except (OSError, ValueError):  # ValueError: characters that no address has
        return b""
    return packed.removeprefix(_MAPPED) if packed.startswith(_MAPPED) else packed[:_V6_NETWORK_BYTES]
