"""Takes the hashes of `events.identities`, the first schema's table, over into `events.identity_links` before it goes.

There a hash led to a user as it was sent; a link names it by its own user, a digest that no SQL can compute. Nothing is
put into a statement that it could misread: hashes are hexadecimal, and users' names never leave the database.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from types import MappingProxyType
from typing import Final

from qrumb_server.errors import StoreError
from qrumb_server.store.schema.files import SchemaDatabase

__all__ = ["take_over_hashes"]

_KINDS: Final[Mapping[str, str]] = MappingProxyType({"email_hash": "email", "phone_hash": "phone"})
"""Kind of the link by kind of the identity."""
_UNKNOWN_TABLE: Final = 60
# Some 160 characters each: a server parses 256 KiB of a statement.
_AT_A_TIME: Final = 1000

# A hash stands for a stronger identifier's user alone: an e-mail address for an external_id, a phone for either.
_STRONGER: Final = (
    "match(site_id, '^[A-Za-z0-9_-]+$') AND match(identifier, '^[0-9a-fA-F]{64}$') "
    "AND NOT match(user_id, '^phone-[0-9a-f]{32}$') "
    "AND NOT (kind = 'email_hash' AND match(user_id, '^email-[0-9a-f]{32}$'))"
)
_COLUMNS: Final = "site_id, kind, identifier, user_id, first_time, version, segment_id, segment_row"


def take_over_hashes(database: SchemaDatabase) -> None:
    """Copy the hashes that lead to a stronger identifier's user; may be run again.

    Not those of a site with erasures: these did not reach the old table and do not say of whom they were, so what they
    erased would be back.

    Raises:
        StoreError: as the database.
    """
    try:
        if _is_there(database):
            _copy_all(database)
    except StoreError as error:
        # Another node has dropped it meanwhile, which it does once it has taken over all that is in it.
        if error.code != _UNKNOWN_TABLE or _is_there(database):
            raise


def _is_there(database: SchemaDatabase) -> bool:
    return bool(database.query("SELECT name FROM system.tables WHERE database = 'events' AND name = 'identities'"))


def _copy_all(database: SchemaDatabase) -> None:
    erased = {row["site_id"] for row in database.query("SELECT DISTINCT site_id FROM events.erasures")}
    last = ("", "", "")
    while rows := [
        (row["site_id"], row["kind"], row["identifier"])
        for row in database.query(
            "SELECT site_id, kind, identifier FROM events.identities FINAL "  # noqa: S608
            f"WHERE kind IN {tuple(_KINDS)!r} AND {_STRONGER} AND (site_id, kind, identifier) > {last!r} "
            f"ORDER BY site_id, kind, identifier LIMIT {_AT_A_TIME}"
        )
    ]:
        last = rows[-1]
        for (site_id, kind), some in groupby(rows, key=lambda row: row[:2]):
            if site_id not in erased:
                database.execute(_copy(site_id, kind, [identifier for _site, _kind, identifier in some]))


def _copy(site_id: str, kind: str, hashes: Sequence[str]) -> str:
    names = [_own_user(site_id, kind, value) for value in hashes]
    return (
        f"INSERT INTO events.identity_links ({_COLUMNS}) "  # noqa: S608
        f"SELECT site_id, '{_KINDS[kind]}', transform(identifier, {list(hashes)!r}, {names!r}), user_id, linked_time, "
        f"version, segment_id, segment_row FROM events.identities FINAL WHERE {_STRONGER} "
        f"AND site_id = '{site_id}' AND kind = '{kind}' AND identifier IN ({', '.join(map(repr, hashes))})"
    )


def _own_user(site_id: str, kind: str, value: str) -> str:
    """As `pipeline.identity.user_name` says; stated again, since what was stored does not change with the code."""
    digest = blake2b(f"{site_id}\0{kind}\0{value}".encode(), digest_size=16).hexdigest()
    return f"{_KINDS[kind]}-{digest}"
