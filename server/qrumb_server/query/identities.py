"""What is known of identifiers: which of them were seen with many others, and which of an event's are shared.

Invariant: nothing here names a person by a hash. A hash goes by the user that it names by itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.receipt_pb2 import EventWarning
from qrumb_server.instants import timestamp
from qrumb_server.pipeline.identity import EMAIL, MAX_HASHES, MAX_USERS, PHONE, SESSION, kind_of_name
from qrumb_server.ports import BY_KEY
from qrumb_server.query.names import Names
from qrumb_server.query.reads import Reader

__all__ = ["KINDS", "Identities"]

Row = Mapping[str, Any]
DEFAULT_LIMIT: Final = 100
KINDS: Final[Mapping[str, pb.SuspiciousIdentifier.Kind]] = {
    EMAIL: pb.SuspiciousIdentifier.EMAIL_HASH,
    PHONE: pb.SuspiciousIdentifier.PHONE_HASH,
    "external_id": pb.SuspiciousIdentifier.EXTERNAL_ID,
    SESSION: pb.SuspiciousIdentifier.SCAN_SESSION,
}
"""By the words of events.identity_links. It has no rows of the kind external_id: these are the users of its hashes."""
_FIELDS: Final = {
    EMAIL: "user_identifiers.email_hash",
    PHONE: "user_identifiers.phone_hash",
    SESSION: "scan_session_id",
    "external_id": "user_identifiers.external_id",
}


class Identities:
    """Reads for one node. Calls block; every one may raise a StoreError."""

    def __init__(self, store: Reader) -> None:
        self._store = store

    def suspicious(self, request: pb.ListSuspiciousIdentifiersRequest) -> pb.ListSuspiciousIdentifiersResponse:
        """Identifiers of a site that were seen with more others than a person has."""
        rows = self._store.query(
            _SUSPICIOUS,
            {
                "site": request.site_id,
                "more": request.more_than or MAX_USERS,
                "limit": request.limit or DEFAULT_LIMIT,
            },
        )
        return pb.ListSuspiciousIdentifiersResponse(
            identifiers=[
                pb.SuspiciousIdentifier(
                    kind=KINDS[row["kind"]],
                    name=row["name"],
                    other_count=row["others"],
                    first_time=timestamp(row["first"]),
                    last_time=timestamp(row["last"]),
                    is_split=bool(row["is_split"]),
                )
                for row in rows
            ]
        )

    def warnings(self, row: Row, names: Names, lent: Row | None = None) -> list[EventWarning]:
        """What of a row of events.attributed_events others were seen with too: what led to its user, or may have led
        others to it.

        Args:
            names: of the users of its site.
            lent: what is known of the users of its session, where that was asked already.
        """
        if row["user_id_source"] == "identifiers":
            found = self._of_name(row["site_id"], row["identified_user_id"], names)
        elif row["user_id_source"] == "session":
            found = self._of_session(row) if lent is None else _if_shared(lent)
        else:
            return []
        return [
            EventWarning(
                field=_FIELDS[one["kind"]],
                code=EventWarning.SHARED_IDENTIFIER,
                description=_ambiguity(one),
            )
            for one in sorted(found, key=lambda one: (one["kind"], one.get("identifier", "")))
        ]

    def _of_session(self, row: Row) -> list[dict[str, Any]]:
        return self._store.query(_SHARED_SESSION, {"site": row["site_id"], "session": row["scan_session_id"]})

    def _of_name(self, site_id: str, name: str, names: Names) -> list[dict[str, Any]]:
        """The hashes of a user, and the hash that it is named by; the user where its hashes are too many."""
        kind = kind_of_name(name)
        hashes = {(row["kind"], row["name"]) for row in names.of([name]) if row["kind"] in {EMAIL, PHONE}}
        asked = {"site": site_id, "identifiers": sorted({name, *(one for _kind, one in hashes)})}
        found = self._store.query(_SHARED_HASHES, asked) if hashes or kind else []
        if len(hashes) > MAX_HASHES:
            found.append({"kind": kind or "external_id", "users": 0, "is_split": 0, "hashes": len(hashes)})
        return found


def _if_shared(lent: Row) -> list[dict[str, Any]]:
    """As _SHARED_SESSION has it; among the users that are counted is the empty name of one that was split."""
    users = lent["users"] - lent["splits"]
    return [{"kind": SESSION, "users": users, "is_split": lent["splits"], "hashes": 0}] if users > 1 else []


def _ambiguity(found: Row) -> str:
    kind, users = found["kind"], found["users"]
    if found["hashes"]:
        return f"was seen with {found['hashes']} hashes: none of them stands for it"
    is_shared = found["is_split"] or users > MAX_USERS
    if kind == SESSION:
        lent = "no user that it learnt" if is_shared else "the first of them"
        return f"{users} users identified in it: it lends {lent}"
    return f"was seen with {users} users: alone it stands for {'itself' if is_shared else 'the first of them'}"


# Of all versions, which say the same of it: cheaper than FINAL.
_USERS: Final = "uniqExactIf(user_id, user_id != '') AS users, max(user_id = '') AS is_split"
_SHARED_HASHES: Final = f"""{BY_KEY}
SELECT kind, identifier, {_USERS}, 0 AS hashes FROM events.identity_links
PREWHERE site_id = {{site:String}} AND kind IN ('{EMAIL}', '{PHONE}') AND identifier IN {{identifiers:Array(String)}}
GROUP BY kind, identifier HAVING users > 1
"""  # noqa: S608
_SHARED_SESSION: Final = f"""{BY_KEY}
SELECT kind, {_USERS}, 0 AS hashes FROM events.identity_links
PREWHERE site_id = {{site:String}} AND kind = '{SESSION}' AND identifier = {{session:String}}
GROUP BY kind HAVING users > 1
"""  # noqa: S608
# Both ways: the users of a hash or a session, and the hashes of a user. What is split has a link to no user.
_SUSPICIOUS: Final = f"""
WITH links AS
(
    SELECT kind AS sort, identifier, user_id, first_time,
        max(user_id = '') OVER (PARTITION BY kind, identifier) AS split
    FROM events.identity_links FINAL WHERE site_id = {{site:String}}
)
SELECT kind, name, uniqExact(other) AS others, min(first_time) AS first, max(first_time) AS last, min(split) AS is_split
FROM
(
    SELECT sort AS kind, identifier AS name, user_id AS other, first_time, split FROM links WHERE user_id != ''
    UNION ALL
    SELECT if(match(user_id, '^email-[0-9a-f]{{32}}$'), '{EMAIL}', 'external_id') AS kind, user_id AS name,
        identifier AS other, first_time, split
    FROM links WHERE user_id != '' AND sort IN ('{EMAIL}', '{PHONE}')
)
GROUP BY kind, name HAVING others > {{more:UInt32}}
ORDER BY others DESC, kind, name LIMIT {{limit:UInt32}}
"""  # noqa: S608
