"""Keys of a site that are the same in every run, so that cases keep their names."""

from qrumb_server.access.keys import Key, Scope, id_of, key_hash

__all__ = ["KEYS", "key"]

KEYS = {name: f"qk_{name:0<8}_" + name[0] * 40 for name in ("collect", "query", "expired", "other", "unknown")}


def key(name: str, *scopes: Scope, expires_ms: int | None = None) -> Key:
    """One of them, as a site has it."""
    return Key(id=id_of(KEYS[name]), hash=key_hash(KEYS[name]), scopes=frozenset(scopes), expires_ms=expires_ms)
