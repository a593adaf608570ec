"""Keys of backends: `qk_<id>_<secret>`. Only a hash is kept; the id tells keys apart in files and logs."""

import hmac
import re
import secrets
import string
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

__all__ = ["Key", "Scope", "id_of", "is_key", "key_hash", "new_key"]

PREFIX: Final = "qk_"  # secret scanners know keys by their beginning
_ALPHABET: Final = string.ascii_letters + string.digits
_ID_LENGTH: Final = 8
_SECRET_LENGTH: Final = 40  # 238 bits: no slow hash is needed against guessing

is_key = re.compile(rf"{PREFIX}[a-z0-9]{{{_ID_LENGTH}}}_[A-Za-z0-9]{{{_SECRET_LENGTH}}}").fullmatch
"""Whether a text could be a key."""


class Scope(StrEnum):
    """What a key is for."""

    COLLECT = "collect"
    """Send server events and register scan sessions."""
    QUERY = "query"
    """Read receipts, rejected events, counts, sessions and the ledger."""
    ADMIN = "admin"
    """Erase and export a person, replay rejected events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as far as it is kept."""

    id: str
    hash: str
    """SHA-256 of the whole key, in hex."""
    scopes: frozenset[Scope]
    expires_ms: int | None = None
    """From then on it is refused, to the second; None: never."""

    def matches(self, text: str) -> bool:
        """Whether the text is this key; takes the same time whatever differs."""
        return hmac.compare_digest(key_hash(text), self.hash)


def new_key() -> str:
    """A new key, to be shown once."""
    key_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(_ID_LENGTH))
    return f"{PREFIX}{key_id}_{''.join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))}"


def id_of(key: str) -> str:
    """The public part of a key."""
    return key[len(PREFIX) : len(PREFIX) + _ID_LENGTH]


def key_hash(key: str) -> str:
    """What is kept of a key."""
    return sha256(key.encode()).hexdigest()
