"""What sums of hours say of paths, and which conversions they cannot answer for.

Most conversions were led to by the scan of their own session and by no other: whichever the model, its code gets the
whole, and that is added up ahead by hours (`upkeep/sums.py`, told by PATH_TOLD). Whether other scans of the user, or
suspicion of the own one, change that, no hour can know: it is asked for at the time of the question. Conversions of
which it may be so are singled out, rather too many than too few; the sums are reduced by them, and they are divided by
their rows. So nothing that happens to users, links or suspicions can leave a sum behind.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from qrumb_server.pipeline.identity import EMAIL, PHONE, SESSION
from qrumb_server.ports import Reader
from qrumb_server.query.dimensions import LENT_TOLD, PATH_TOLD, converts, named_in
from qrumb_server.query.rolled import Sources

__all__ = ["OwnPaths", "has_hashes", "own_paths", "singled"]


@dataclass(slots=True)
class OwnPaths:
    """Conversions credited to one code each, whole."""

    conversions: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    """By code."""
    amounts: defaultdict[tuple[str, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    """By code and currency."""
    earning: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """How many they are of."""
    lends: bool = False
    """Some have no user of their own, and a session without a scan in the time that counts."""

    def take(self, number: int, code: str, currency: str, amount: Decimal | None) -> None:
        """Add conversions of this amount each, or take out with a negative number."""
        self.conversions[code] += number
        if not self.conversions[code]:
            del self.conversions[code]
        if amount is not None:
            self._earn(number, (code, currency), number * amount)

    def _earn(self, number: int, key: tuple[str, str], sum_: Decimal) -> None:
        self.earning[key] += number
        self.amounts[key] += sum_
        if not self.earning[key]:
            del self.earning[key], self.amounts[key]

    def add(self, code: str, currency: str, row: Mapping[str, Any]) -> None:
        """Sums of a code and a currency."""
        self.conversions[code] += row["conversions"]
        if row["earning"]:
            self._earn(row["earning"], (code, currency), row["earned"])


def own_paths(store: Reader, names: Sequence[str], sources: Sources, values: Mapping[str, Any]) -> OwnPaths:
    """Of the hours for which sums answer. Raises StoreError."""
    found = OwnPaths()
    sql = f"""
    SELECT toString(qr_code_id) AS code, toString(currency) AS currency, sum(unique_count) AS conversions,
        sum(earning_count) AS earning, sum(earned) AS earned, max(told_by = '{LENT_TOLD}') AS lends
    FROM events.hourly_counts
    WHERE site_id = {{site:String}} AND told_by IN ('{PATH_TOLD}', '{LENT_TOLD}') AND {converts(names, "name")}
        AND {sources.sums_sql}
    GROUP BY code, currency
    """  # noqa: S608
    for row in store.query(sql, named_in(sql, {**values, **sources.parameters})):
        found.add(row["code"], row["currency"], row)
        found.lends |= bool(row["lends"])
    return found


_LINKS: Final = "FROM events.identity_links WHERE site_id = {site:String}"
_OF_HASH: Final = f"kind IN ('{EMAIL}', '{PHONE}')"
_NAMES_ITSELF: Final = "user_id_source = 'identifiers'"
_NAME: Final = "if(identified_user_id = '', user_id, identified_user_id)"
_IS_HASH: Final = f"(startsWith(user_id, '{EMAIL}-') OR startsWith(user_id, '{PHONE}-'))"
# Of those that a conversion of the range can have on its path.
_SCANS: Final = """FROM events.user_scans WHERE site_id = {site:String}
    AND scan_time >= {suspected:DateTime64(3, 'UTC')} AND scan_time < {to:DateTime64(3, 'UTC')}"""


# Users with one scan, and this. Of many rows long texts are costly to read and as keys. Users of one hash single out
# too many; a scan is missed only where two scans of the same user have one hash.
_ONLY: Final = f"""
SELECT user_hash, any(session_hash) {_SCANS} GROUP BY user_hash HAVING min(session_hash) = max(session_hash)
"""


def has_hashes(store: Reader, values: Mapping[str, Any]) -> bool:
    """Whether scans of the time that counts are users' whose name is a hash's. Raises StoreError."""
    sql = f"SELECT user_id {_SCANS} AND {_IS_HASH} LIMIT 1"
    return bool(store.query(sql, named_in(sql, values)))


def singled(rows: str, *, lends: bool, hashes: bool) -> str:
    """Condition on conversions, that more than their own scan may have led to them, or not even this one.

    - It is a refund.
    - The own scan is suspect, for whatever reason.
    - The own scan is not the only one of its user in the time that counts; or scans may be its user's by way of a hash.
    - It names no user, but its session may lend it one.

    Args:
        rows: FROM and WHERE of the server events of the range.
        lends: there are some that name no user and whose session has no scan in the time that counts.
        hashes: scans of the time that counts are users' whose name is a hash's.
    """
    hashed = f"SELECT user_id {_SCANS} AND {_IS_HASH}"
    near = f"SELECT user_id {_LINKS} AND {_OF_HASH} AND identifier GLOBAL IN ({hashed})"
    standing = f"""
        SELECT identifier {_LINKS} AND {_OF_HASH} AND identifier GLOBAL IN ({hashed})
        UNION ALL
        {near}
        UNION ALL
        SELECT user_id {_LINKS} AND {_OF_HASH} AND identifier GLOBAL IN ({near})
    """
    lent = f"SELECT scan_session_id {rows} AND NOT ({_NAMES_ITSELF})"
    lending = f"""
        SELECT identifier {_LINKS} AND kind = '{SESSION}' AND identifier GLOBAL IN ({lent})
        UNION ALL
        SELECT scan_session_id FROM events.scan_sessions
        WHERE site_id = {{site:String}} AND user_id != '' AND scan_session_id GLOBAL IN ({lent})
    """  # noqa: S608
    return f"""
    (
        event_name = 'refund'
        OR scan_session_id != '' AND scan_session_id GLOBAL IN
        (
            SELECT scan_session_id FROM events.scan_sessions WHERE site_id = {{site:String}} AND notEmpty(fraud_reasons)
                AND scan_time >= {{suspected:DateTime64(3, 'UTC')}}
        )
        OR {_NAMES_ITSELF} AND
        (
            (cityHash64({_NAME}), cityHash64(scan_session_id)) GLOBAL NOT IN ({_ONLY})
            {f"OR {_NAME} GLOBAL IN ({standing})" if hashes else ""}
        )
        OR NOT ({_NAMES_ITSELF}) AND scan_session_id != '' AND
        (
            cityHash64(scan_session_id) GLOBAL IN (SELECT session_hash {_SCANS})
            {f"OR scan_session_id GLOBAL IN ({lending})" if lends else ""}
        )
    )
    """  # noqa: S608
