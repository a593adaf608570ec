"""What users go by: other names of theirs, and the sessions in which they identified or whose redirect named them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from qrumb_server.pipeline.identity import SESSION, kind_of_name
from qrumb_server.ports import Reader, Seen

__all__ = ["Names"]

Row = Mapping[str, Any]


@dataclass(slots=True)
class Names:
    """Those of one site, each user asked for once. Every call may raise a StoreError.

    Args:
        seen: what need not be asked for; None: others write to the store, too.
    """

    store: Reader
    site_id: str
    seen: Seen | None = None
    _known: defaultdict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def of(self, users: Iterable[str]) -> list[Row]:
        """Rows of `user_id`, `kind` and `name`, as events.identity_links has them; some may be there twice."""
        wanted = set(users)
        unknown = sorted(wanted - self._known.keys())
        by_redirects = self.seen is None or self.seen.may_name_users(self.site_id)
        if self.seen is not None and not by_redirects:
            unknown = [user for user in unknown if not kind_of_name(user) or self.seen.may_go_by_hash(user)]
        if unknown:
            sql = _NAMES if by_redirects else _LINKED
            for row in self.store.query(sql, {"site": self.site_id, "users": unknown}):
                self._known[row["user_id"]].append(row)
        return [row for user in sorted(wanted) for row in self._known[user]]


# PREWHERE: what the engine finds out itself it plans longer.
_OF_USERS: Final = "PREWHERE user_id IN {users:Array(String)} WHERE user_id != '' AND site_id = {site:String}"
_LINKED: Final = f"""
    SELECT user_id, toString(kind) AS kind, identifier AS name FROM events.identity_links {_OF_USERS}
"""  # noqa: S608
_NAMES: Final = f"""{_LINKED}
    UNION ALL
    SELECT user_id, '{SESSION}' AS kind, scan_session_id AS name FROM events.scan_sessions {_OF_USERS}
"""  # noqa: S608
