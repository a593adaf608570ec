"""The scans that led to conversions, by few look-ups for all of them.

A scan leads to a conversion if it is that of its session or of another session of its user, and not older than the
window. Whose a session is, is known by who identified in it, or else by whom the redirect named; a suspect scan is left
out, and so is a session that shows nothing but marked events. Where consent was denied, the event's own QR code is all
that is known.

One statement that says all this takes seconds to plan and joins a site's whole history; these take what they ask for.
Most conversions have one session and nothing that tells against it, and need few of them.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from qrumb_server.instants import EARLIEST_MS
from qrumb_server.loader.lookups import Lookups
from qrumb_server.pipeline.consent import ALLOWED
from qrumb_server.pipeline.identity import EMAIL, PHONE, SESSION, Key, Label, kind_of_name
from qrumb_server.ports import Reader
from qrumb_server.query.credits import Scan
from qrumb_server.query.names import Names
from qrumb_server.query.scans import CLEARED, seen_in

__all__ = ["Paths", "Sold"]

Row = Mapping[str, Any]
_NOTHING: Final = frozenset[str]()


class Sold(Protocol):
    """What a path depends on. The session's name, its user and its code are those of events.attributed_events."""

    @property
    def time_ms(self) -> int: ...
    @property
    def scan_session_id(self) -> str: ...
    @property
    def user_id(self) -> str: ...


@dataclass(slots=True)
class Paths:
    """Sessions and users of one site, each asked for once. Every call may raise a StoreError.

    Args:
        merges: whether the site has events of which both sides told; asked where it matters.
        names: of users, those that are known already among them.
        scans: sessions that are known already, by name, as `scans_of` has them.
    """

    store: Reader
    site_id: str
    merges: Callable[[], bool]
    names: Names
    scans: dict[str, Row] = field(default_factory=dict)

    def learn_scans(self, session_ids: Iterable[str]) -> None:
        """Look up those that are not known. The newest of a session's rows, like FINAL, which costs more."""
        unknown = sorted(set(session_ids) - self.scans.keys() - {""})
        if unknown:
            rows = self.store.query(_SCANS, {"site": self.site_id, "among": unknown})
            self.scans |= {row["scan_session_id"]: row for row in rows}

    def users_of(self, rows: Sequence[Row]) -> list[str]:
        """The users of rows of events.unique_events, as events.attributed_events has them: by the event's own
        identifiers first, then by who identified first in its session, then by whom the redirect named."""
        lending = [row for row in rows if row["user_id_source"] != "identifiers" and _may_be_lent(row)]
        lenders = {(self.site_id, SESSION, row["scan_session_id"]) for row in lending}
        labels = Lookups(self.store, monotonic=lambda: 0.0).owners(lenders) if lenders else {}
        names = [self._name(row, labels) for row in rows]
        owners = self._owners(names)
        return [owners[name] for name in names]

    def of(self, sold: Sequence[Sold], window_ms: int) -> list[list[Scan]]:
        """The path of each conversion, the earliest scan first."""
        own = {one.scan_session_id for one in sold} - {""}
        joined, sessions = self._joined(sold)
        self.learn_scans(own | sessions)
        since = min((one.time_ms for one in sold), default=0) - window_ms
        among = {
            name: scan
            for name in own | sessions
            if (scan := self.scans.get(name)) is not None and scan["time"] >= since
        }
        believed = self._believed(among, own)
        by_user = self._by_user({name: scan for name, scan in believed.items() if name in sessions}) if joined else {}
        return [self._path(one, believed, by_user.get(one.user_id, ()), window_ms) for one in sold]

    def _path(self, one: Sold, believed: Mapping[str, Scan], others: Collection[Scan], window_ms: int) -> list[Scan]:
        own = believed.get(one.scan_session_id)
        found = {scan for scan in others if scan.time_ms <= one.time_ms}
        if own is not None:
            found.add(own)
        return sorted((scan for scan in found if scan.time_ms >= one.time_ms - window_ms), key=_in_order)

    def _name(self, row: Row, labels: Mapping[Key, Label]) -> str:
        if row["user_id_source"] == "identifiers":
            return str(row["identified_user_id"] or row["user_id"])
        if not _may_be_lent(row):
            return ""
        lent = labels.get((self.site_id, SESSION, row["scan_session_id"]))
        if lent is not None and lent.user_id:
            return lent.user_id
        scan = self.scans.get(row["scan_session_id"])
        return str(scan["named"]) if scan else ""

    def _owners(self, names: Iterable[str]) -> dict[str, str]:
        """Whom each name stands for. A phone may lead to an e-mail address, and that no further than to an account."""
        wanted = set(names)
        keys = {(self.site_id, kind, name) for name in wanted if (kind := kind_of_name(name)) in {EMAIL, PHONE}}
        labels = Lookups(self.store, monotonic=lambda: 0.0).owners(keys) if keys else {}
        owners = dict.fromkeys(wanted, "")
        for name in wanted:
            owner = name
            for kind in (PHONE, EMAIL):
                if kind_of_name(owner) == kind:
                    label = labels.get((self.site_id, kind, owner))
                    owner = label.user_id if label is not None and label.user_id else owner
            owners[name] = owner
        return owners

    def _joined(self, sold: Sequence[Sold]) -> tuple[set[str], set[str]]:
        """Users that may have scans beside those of their conversions, and all sessions that may be theirs; whose these
        are is decided among them."""
        sessions: defaultdict[str, set[str]] = defaultdict(set)
        aliases: defaultdict[str, set[str]] = defaultdict(set)
        latest = {one.user_id for one in sold} - {""}
        names = set(latest)
        while latest:  # a phone may lead to an e-mail address, and that to an account, and no further
            found = self.names.of(latest)
            latest = set()
            for row in found:
                if row["kind"] == SESSION:
                    sessions[row["user_id"]].add(row["name"])
                else:
                    aliases[row["user_id"]].add(row["name"])
                    aliases[row["name"]].add(row["user_id"])
                    latest.add(row["name"])
            latest -= names
            names |= latest
        joined, theirs = set[str](), set[str]()
        for one in sold:
            everyone = _connected(one.user_id, aliases)
            scanned = set[str]().union(*(sessions.get(name, _NOTHING) for name in everyone))
            if scanned - {one.scan_session_id}:
                joined.add(one.user_id)
                theirs |= scanned
        return joined, theirs

    def _believed(self, among: Mapping[str, Row], own: Collection[str]) -> dict[str, Scan]:
        """Without suspects, and without sessions of marked events alone. The conversions are none of these."""
        doubted = {name for name, scan in among.items() if scan["fraud_reasons"]}
        if others := sorted(among.keys() - own):
            marked = self.store.query(_MARKED, {"site": self.site_id, "among": others})
            doubted |= {row["scan_session_id"] for row in marked}
        seen: dict[str, Row] = {}
        if doubted:
            sql = seen_in(_AMONG, merges=self.merges())
            values = {"site": self.site_id, "since": EARLIEST_MS, "among": sorted(doubted)}
            seen = {row["scan_session_id"]: row for row in self.store.query(sql, values)}
        return {
            name: Scan(time_ms=scan["time"], scan_session_id=name, qr_code_id=scan["qr_code_id"])
            for name, scan in among.items()
            if name not in doubted or _is_believed(scan, seen.get(name))
        }

    def _by_user(self, believed: Mapping[str, Scan]) -> dict[str, list[Scan]]:
        """Scans by user: everyone who identified in a session, or, where no one did, whom the redirect named."""
        users: defaultdict[str, set[str]] = defaultdict(set)
        for link in self.store.query(_IDENTIFIED, {"site": self.site_id, "among": sorted(believed)}):
            users[link["identifier"]].add(link["user_id"])
        for name in believed:
            found = users[name]
            if not found or "" in found:  # an empty name: the session was split
                users[name] = {self.scans[name]["named"]} - {""}
        owners = self._owners({user for found in users.values() for user in found})
        by_user: defaultdict[str, list[Scan]] = defaultdict(list)
        for name, found in users.items():
            for user in {owners[user] for user in found}:
                by_user[user].append(believed[name])
        return by_user


def _connected(name: str, aliases: Mapping[str, Collection[str]]) -> set[str]:
    """A name and all that it may stand for, or that may stand for it."""
    found, latest = {name}, {name}
    while latest:
        latest = set[str]().union(*(aliases.get(one, _NOTHING) for one in latest)) - found
        found |= latest
    return found


def _in_order(scan: Scan) -> tuple[int, str]:
    return scan.time_ms, scan.scan_session_id


def _may_be_lent(row: Row) -> bool:
    """Whether its session may say whose an event is."""
    return bool(row["user_id_source"] != "erased" and row["scan_session_id"] and ALLOWED[row["consent"]].user)


def _is_believed(scan: Row, seen: Row | None) -> bool:
    reasons = set(scan["fraud_reasons"])
    if seen is not None and seen["visited"]:
        reasons -= set(CLEARED)
    return not reasons and (seen is None or not seen["is_marked"])


_AMONG: Final = "scan_session_id IN {among:Array(String)}"
_SCANS: Final = f"""
    SELECT scan_session_id, toString(qr_code_id) AS qr_code_id, user_id AS named,
        toUnixTimestamp64Milli(scan_time) AS time, fraud_reasons
    FROM events.scan_sessions WHERE site_id = {{site:String}} AND {_AMONG}
    ORDER BY version DESC LIMIT 1 BY scan_session_id
"""  # noqa: S608
_IDENTIFIED: Final = f"""
    SELECT identifier, user_id FROM events.identity_links FINAL
    WHERE site_id = {{site:String}} AND kind = '{SESSION}' AND identifier IN {{among:Array(String)}}
"""  # noqa: S608
_MARKED: Final = f"""
    SELECT DISTINCT scan_session_id FROM events.valid_events
    WHERE site_id = {{site:String}} AND is_fraud = 1 AND {_AMONG}
"""  # noqa: S608
