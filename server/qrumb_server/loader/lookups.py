"""What the loader asks the store about a batch: sessions, identities, earlier arrivals; one query each, and caches."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from typing import Any, Final, NamedTuple

from cachetools import LRUCache

from qrumb_server.loader.cache import Cache
from qrumb_server.loader.erased import ErasedSessions
from qrumb_server.loader.ledger import Counts
from qrumb_server.loader.rows import IDENTITY_LINKS, SCAN_SESSIONS, VALID_EVENTS, RowId
from qrumb_server.model import FraudReason
from qrumb_server.pipeline.identity import (
    EMAIL,
    MAX_HASHES,
    MAX_USERS,
    PHONE,
    SESSION,
    SHARED,
    Key,
    Label,
    Link,
    kind_of_name,
)
from qrumb_server.ports import Reader, among, as_one_text

__all__ = ["DUPLICATE_WITHIN_MS", "Arrived", "EventKey", "KnownSession", "Lookups", "Original", "ScanRow", "SessionKey"]

SessionKey = tuple[str, str]
"""(site_id, scan_session_id)"""
Arrived = tuple[str, str, int]
"""(site_id, event_id, received_time in milliseconds)"""
EventKey = tuple[str, str, str]
"""(site_id, event_id, source): the first arrival is the original of all others."""

# The same event_id again within this time is a duplicate; the contract says so.
DUPLICATE_WITHIN_MS: Final = 7 * 86_400_000
# A UUIDv7 says when it was made. By a clock at most this much ahead it was not made, so not received, before that.
_CLOCK_TOLERANCE_MS: Final = 600_000
# More keys than this are first asked whether there is any link of them; most sessions have none.
_MANY_KEYS: Final = 500
# Links that need not be stored again; one that is forgotten is stored a second time, which changes nothing.
_REMEMBERED_LINKS: Final = 200_000


class ScanRow(NamedTuple):
    """What is stored of a scan beside what events need: columns of events.scan_sessions, in this order."""

    consent: str = ""
    device_type: str = ""
    browser_family: str = ""
    os_family: str = ""
    country_code: str = ""
    city: str = ""
    referrer: str = ""
    landing_page_url: str = ""
    labels: str = ""
    request_method: str = ""
    is_prefetch: int = 0
    fraud_reasons: tuple[str, ...] = ()


_NOTHING_KNOWN: Final = ScanRow()


class KnownSession(NamedTuple):
    """A registered scan session, or what is known in place of one."""

    qr_code_id: str = ""
    user_id: str = ""
    user_time_ms: int = 0
    """When the scan was that named the user. With an empty user_id: the user was erased, and none is named any more."""
    scan_time_ms: int | None = None
    is_foreign: bool = False
    """Not registered for this site, but for another one."""
    is_of_flood: bool = False
    """Its scan was one of more than a crowd behind one address makes."""
    scan: ScanRow = _NOTHING_KNOWN
    """Where sessions are merged; events need none of it."""

    @property
    def stands_alone(self) -> bool:
        """Whether its events count for it and not for their address: a redirect of the site has vouched for it."""
        return self.scan_time_ms is not None and not self.is_of_flood


class Original(NamedTuple):
    """The first arrival of an event from one side."""

    fingerprint: int
    """0: it was erased."""
    event_ms: int
    times: Sequence[int] = ()
    """Of all its rows that are stored, in milliseconds."""
    session_ids: Sequence[str] = ()
    """Of all its rows that are stored."""


class Lookups:
    """Reads for one loader; belongs to its thread. Every call may raise a StoreError."""

    def __init__(self, store: Reader, *, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._sessions: Cache[SessionKey, KnownSession] = Cache(monotonic)
        self._owners: Cache[Key, Label] = Cache(monotonic)
        self.erased = ErasedSessions(store, monotonic=monotonic)
        self._links: LRUCache[Link, int] = LRUCache(_REMEMBERED_LINKS)

    def forget(self) -> None:
        """Ask again for everything: stored rows were changed."""
        self._sessions.clear()
        self._owners.clear()
        self._links.clear()
        self.erased.forget()

    def sessions(self, keys: Collection[SessionKey]) -> dict[SessionKey, KnownSession]:
        """Those of the sessions that are registered, for this site or for another."""
        known, unknown = self._sessions.split(keys)
        if unknown:
            rows = self._store.query(
                "SELECT site_id, scan_session_id, qr_code_id, user_id, user_time, scan_time, "  # noqa: S608
                f"has(fraud_reasons, '{FraudReason.ADDRESS_VELOCITY}') AS is_of_flood "
                f"FROM {SCAN_SESSIONS} FINAL WHERE scan_session_id IN {among('ids')}",
                {"ids": as_one_text({session_id for _site, session_id in unknown})},
            )
            answers = _as_asked(unknown, rows)
            self._sessions.put(unknown, answers)
            known |= answers
        return known

    def whole_sessions(self, keys: Collection[SessionKey]) -> dict[SessionKey, KnownSession]:
        """As sessions, with their scans. Few sessions are registered twice, so these are asked for each time."""
        known = self.sessions(keys)
        mine = sorted(key for key, session in known.items() if not session.is_foreign)
        if mine:
            rows = self._store.query(
                f"SELECT site_id, scan_session_id, {', '.join(ScanRow._fields)} FROM {SCAN_SESSIONS} FINAL "  # noqa: S608
                "WHERE (site_id, scan_session_id) IN {keys:Array(Tuple(String, String))}",
                {"keys": mine},
            )
            for row in rows:
                key = row["site_id"], row["scan_session_id"]
                columns = {name: row[name] for name in ScanRow._fields}
                scan = ScanRow(**{**columns, "fraud_reasons": tuple(row["fraud_reasons"])})
                known[key] = known[key]._replace(scan=scan)
        return known

    def learn_sessions(self, news: Mapping[SessionKey, KnownSession]) -> None:
        """Sessions that were just stored."""
        self._sessions.learn({key: session._replace(scan=_NOTHING_KNOWN) for key, session in news.items()})

    def forget_sessions(self, keys: Iterable[SessionKey]) -> None:
        """Ask again for these."""
        for key in keys:
            self._sessions.forget(key)

    def owners(self, keys: Collection[Key]) -> dict[Key, Label]:
        """Owners of the keys, and of the e-mail addresses that these lead to; `SHARED` where there is none any more."""
        known = self._labels(keys)
        further = {
            (key[0], EMAIL, owner.user_id) for key, owner in known.items() if kind_of_name(owner.user_id) == EMAIL
        }
        return known | self._labels(further - known.keys())

    def new_links(self, learnt: Mapping[Link, int]) -> dict[Link, int]:
        """Those of the links that are not stored yet, or not with so early a time."""
        return {link: time_ms for link, time_ms in learnt.items() if self._links.get(link, time_ms + 1) > time_ms}

    def learn_links(self, news: Mapping[Link, int]) -> None:
        """Links that were just stored."""
        self._links.update(news)
        for link in news:
            self._owners.forget(link.key)

    def arrivals(self, events: Sequence[Arrived], own_segments: Collection[str]) -> dict[EventKey, Original]:
        """The originals of events.

        Rows of `own_segments` are the events themselves, stored by an earlier try.
        """
        recent = {event_id: received_ms for _site, event_id, received_ms in events if event_id[14] == "7"}
        others = {event_id: received_ms for _site, event_id, received_ms in events if event_id[14] != "7"}
        if recent and _made_ms(max(recent)) > min(recent.values()):  # some of them by a clock that is far ahead
            ahead = {event_id for event_id, received_ms in recent.items() if _made_ms(event_id) > received_ms}
            others.update((event_id, recent.pop(event_id)) for event_id in ahead)
        # The ids of the earliest come first.
        earliest = _made_ms(min(recent)) if recent else 0
        return self._arrivals(recent, own_segments, earliest) | self._arrivals(others, own_segments)

    def stored_firsts(self, segment_ids: Collection[str]) -> Set[RowId]:
        """Rows of these segments that are stored and are not duplicates."""
        rows = self._store.query(
            f"SELECT segment_id, segment_row FROM {VALID_EVENTS} "  # noqa: S608
            "WHERE segment_id IN {segments:Array(String)} AND is_duplicate = 0",
            {"segments": list(segment_ids)},
        )
        return {RowId(segment_id=row["segment_id"], segment_row=row["segment_row"]) for row in rows}

    def read_back(self, counts: Counts) -> None:
        """Put into the ledger's counts what the stored rows of their segments are marked as.

        Not where some are missing, since a replica lags, or are more, since the disk has destroyed some of the segment
        meanwhile: the ledger must balance.
        """
        rows = self._store.query(
            "SELECT segment_id, site_id, toStartOfMinute(received_time) AS minute, "  # noqa: S608
            "sum(is_duplicate) AS duplicates, sum(is_fraud) AS frauds, count() AS stored "
            f"FROM {VALID_EVENTS} WHERE segment_id IN {{segments:Array(String)}} GROUP BY segment_id, site_id, minute",
            {"segments": sorted({segment_id for segment_id, _site, _minute in counts})},
        )
        for row in rows:
            entry = counts.get((row["segment_id"], row["site_id"], row["minute"]))
            if entry is not None and row["stored"] == entry["stored_count"]:
                entry["duplicate_count"] = row["duplicates"]
                entry["unique_count"] = row["stored"] - row["duplicates"]
                entry["fraud_count"] = row["frauds"]

    def _arrivals(
        self, received_ms: Mapping[str, int], own_segments: Collection[str], earliest_ms: int = 0
    ) -> dict[EventKey, Original]:
        """Of ids, by when they were received; none of them was before `earliest_ms`."""
        if not received_ms:
            return {}
        since_ms = max(min(received_ms.values()) - DUPLICATE_WITHIN_MS, earliest_ms)
        rows = self._store.query(
            "SELECT site_id, event_id, source, "  # noqa: S608
            f"argMin(fingerprint, {_ARRIVAL}) AS first_fingerprint, argMin(event_time, {_ARRIVAL}) AS first_time, "
            "max(received_time) AS latest, groupUniqArray(event_time) AS times, "
            "groupUniqArray(scan_session_id) AS session_ids "
            # Ids first: a few of their bytes for each row are all that most rows are read for.
            f"FROM {VALID_EVENTS} PREWHERE event_id IN (SELECT toUUID(arrayJoin(splitByChar(',', {{ids:String}})))) "
            "WHERE received_time >= {since:DateTime64(3, 'UTC')} AND segment_id NOT IN {own:Array(String)} "
            "GROUP BY site_id, event_id, source",
            {"ids": ",".join(received_ms), "since": since_ms, "own": list(own_segments)},
        )
        return {
            (row["site_id"], row["event_id"], row["source"]): Original(
                row["first_fingerprint"], row["first_time"], row["times"], row["session_ids"]
            )
            for row in rows
            if row["latest"] >= received_ms[row["event_id"]] - DUPLICATE_WITHIN_MS
        }

    def _linked(self, keys: Sequence[Key]) -> list[Key]:
        """Those of the keys that have links; of the others it is remembered that they have none."""
        rows = self._store.query(
            f"SELECT DISTINCT site_id, kind, identifier FROM {IDENTITY_LINKS} "  # noqa: S608
            "WHERE site_id IN {sites:Array(String)} AND kind IN {kinds:Array(String)} "
            f"AND identifier IN {among('ids')}",
            {
                "sites": sorted({site for site, _kind, _identifier in keys}),
                "kinds": sorted({kind for _s, kind, _i in keys}),
                "ids": as_one_text({identifier for _site, _kind, identifier in keys}),
            },
        )
        linked = {(row["site_id"], row["kind"], row["identifier"]) for row in rows}
        self._owners.put([key for key in keys if key not in linked], {})
        return [key for key in keys if key in linked]

    def _labels(self, keys: Collection[Key]) -> dict[Key, Label]:
        known, unknown = self._owners.split(keys)
        if len(unknown) > _MANY_KEYS:
            unknown = self._linked(unknown)
        if unknown:
            rows: list[dict[str, Any]] = self._store.query(
                _OWNERS,
                # One list each: the engine takes four times as long to read one of tuples. What these name besides
                # the keys is left out here.
                {
                    "sites": sorted({site_id for site_id, _kind, _identifier in unknown}),
                    "kinds": sorted({kind for _site_id, kind, _identifier in unknown}),
                    "identifiers": as_one_text({identifier for _site_id, _kind, identifier in unknown}),
                },
            )
            asked = set(unknown)
            answers = {
                key: SHARED if row["splits"] or row["users"] > MAX_USERS else Label(row["since"], row["owner"])
                for row in rows
                if (key := (row["site_id"], row["kind"], row["identifier"])) in asked and row["seen"]
            }
            self._owners.put(unknown, answers)
            known |= answers
        return known


_ARRIVAL: Final = "(is_duplicate, received_time, segment_id, segment_row)"
_ASKED: Final = (
    f"FROM {IDENTITY_LINKS} FINAL WHERE site_id IN {{sites:Array(String)}} "
    f"AND kind IN {{kinds:Array(String)}} AND identifier IN {among('identifiers')}"
)
# As events.identity_owners has it, for some. `seen` is 0 where no user that was seen with the identifier may own it.
_OWNERS: Final = f"""
SELECT site_id, kind, identifier, count() AS users, countIf(user_id = '') AS splits,
    countIf(may_own) AS seen, argMinIf(user_id, (first_time, user_id), may_own) AS owner,
    minIf(first_time, may_own) AS since
FROM
(
    SELECT site_id, kind, identifier, user_id, first_time, kind = '{SESSION}' OR (site_id, user_id) GLOBAL NOT IN
    (
        SELECT site_id, user_id FROM {IDENTITY_LINKS} FINAL
        WHERE kind IN ('{EMAIL}', '{PHONE}') AND user_id != '' AND user_id GLOBAL IN (SELECT user_id {_ASKED})
        GROUP BY site_id, user_id HAVING count() > {MAX_HASHES}
    ) AS may_own
    {_ASKED}
) AS links
GROUP BY site_id, kind, identifier
"""  # noqa: S608


def _as_asked(asked: Iterable[SessionKey], rows: Iterable[Mapping[str, Any]]) -> dict[SessionKey, KnownSession]:
    there: dict[str, dict[str, KnownSession]] = {}
    for row in rows:
        there.setdefault(row["scan_session_id"], {})[row["site_id"]] = KnownSession(
            qr_code_id=row["qr_code_id"],
            user_id=row["user_id"],
            user_time_ms=row["user_time"],
            scan_time_ms=row["scan_time"],
            is_of_flood=bool(row["is_of_flood"]),
        )
    return {
        (site_id, session_id): there[session_id].get(site_id) or KnownSession(is_foreign=True)
        for site_id, session_id in asked
        if session_id in there
    }


def _made_ms(event_id: str) -> int:
    """Milliseconds since 1970-01-01 UTC before which a UUIDv7, canonical lower case, was not made."""
    return int(event_id[:8] + event_id[9:13], 16) - _CLOCK_TOLERANCE_MS
