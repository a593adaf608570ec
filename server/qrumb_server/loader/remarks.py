"""Marks of stored rows, judged again: when a session is registered after its events, and when rules changed.

Invariant: a row's marks that take a session are those that it would have got had the session been known when it was
loaded, and the ledger counts as fraud what the rows say. Rows that lost their session, since consent was denied or
their user was erased, keep the marks that were seen by it.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from qrumb_server.loader.changes import ChangedHours
from qrumb_server.loader.ledger import MINUTE_MS
from qrumb_server.loader.lookups import KnownSession, Lookups, SessionKey
from qrumb_server.loader.rows import LEDGER, SCAN_SESSIONS, VALID_EVENTS
from qrumb_server.model import FraudReason, FraudRules, SitePolicy
from qrumb_server.pipeline.mark import marks_at_loading
from qrumb_server.ports import EventStore

__all__ = [
    "GROUP",
    "LATE",
    "LATE_MS",
    "OF_KEYS",
    "OF_SESSION",
    "Remarks",
    "RowKey",
    "decided_by",
    "recount",
    "write_marks",
]

OF_SESSION: Final = frozenset({FraudReason.BEFORE_SCAN, FraudReason.FOREIGN_SESSION})
"""Reasons that only a session gives."""
_BY_KNOWN_SESSION: Final = OF_SESSION | {FraudReason.ADDRESS_VELOCITY}
LATE: Final = "late sessions"
"""Of what the node is DEGRADED by a look that failed."""
LATE_MS: Final = 7 * 86_400_000
"""Events that were received this long before their session's registration are judged again; older ones by a rescoring.
It keeps the look-up within the newest parts."""
GROUP: Final = 20_000
"""Rows that one mutation names."""
PAGE: Final = 20_000
# Whether there is anything to judge takes a look at every recent row, so a look is followed by fifty times its length
# without one: 2 % of the loader's time.
LOOK_SHARE: Final = 50
# A shorter look is worth no pause: workers seal each half second.
SHORT_LOOK_SECONDS: Final = 0.01
# Another node may have looked for a session just before it was registered, and store its events after the first look.
SECOND_LOOK_SECONDS: Final = 10.0
# Sessions of so long before the start are looked at again: the last loader may not have come to it.
BEFORE_START_MS: Final = 600_000
RowKey = tuple[str, int]
"""(segment_id, segment_row)"""
OF_KEYS: Final = "(segment_id, segment_row) IN {rows:Array(Tuple(String, UInt32))}"
"""A condition on rows, by their RowKeys."""


class Remarks:
    """Judges again what was stored before its session; belongs to the loader's thread.

    Args:
        monotonic: seconds.
        policy: what a site wants.
    """

    def __init__(
        self,
        store: EventStore,
        lookups: Lookups,
        changes: ChangedHours,
        *,
        monotonic: Callable[[], float],
        policy: Callable[[str], SitePolicy],
    ) -> None:
        self._store = store
        self._lookups = lookups
        self._changes = changes
        self._monotonic = monotonic
        self._policy = policy
        self._next_look = monotonic()
        self._since_ms: int | None = None
        self._fresh: dict[SessionKey, int] = {}
        """Not looked at yet, and when their registrations were received."""
        self._once: deque[tuple[float, Mapping[SessionKey, int]]] = deque()
        """Looked at once, and when they are to be looked at again."""

    def begin(self, now_ms: int) -> None:
        """Take up, at the first look, what a loader before this one may not have judged."""
        self._since_ms = now_ms - BEFORE_START_MS

    def add(self, registered: Iterable[SessionKey], registered_ms: int) -> None:
        """Sessions that were stored or changed; `registered_ms` is when the first registration was received."""
        self._fresh |= dict.fromkeys(registered, registered_ms)

    def judge_if_due(self) -> bool:
        """Mark stored rows of the added sessions, of whichever site, as these are known now, where it is time to look.
        Returns whether it was.

        Raises a StoreError, and may then be repeated; it waits before the next look as after any other.
        """
        begun = self._monotonic()
        if begun < self._next_look:
            return False
        try:
            self._look(begun)
            return True
        finally:
            ended = self._monotonic()
            if ended - begun > SHORT_LOOK_SECONDS:
                self._next_look = ended + LOOK_SHARE * (ended - begun)

    def _look(self, begun: float) -> None:
        if self._since_ms is not None:
            self._fresh |= self._registered_since(self._since_ms)
            self._since_ms = None
        due = [keys for when, keys in self._once if when <= begun]
        sessions = {key: time_ms for keys in (*due, self._fresh) for key, time_ms in keys.items()}
        if not sessions:
            return
        self._judge(sessions)
        for _ in due:
            self._once.popleft()
        if self._fresh:
            self._once.append((begun + SECOND_LOOK_SECONDS, self._fresh))
            self._fresh = {}

    def _registered_since(self, since_ms: int) -> dict[SessionKey, int]:
        rows = self._store.query(
            f"SELECT site_id, scan_session_id, received_time FROM {SCAN_SESSIONS} FINAL "  # noqa: S608
            "WHERE received_time >= {since:DateTime64(3, 'UTC')}",
            {"since": since_ms},
        )
        return {(row["site_id"], row["scan_session_id"]): row["received_time"] for row in rows}

    def _judge(self, registered: Mapping[SessionKey, int]) -> None:
        changed: defaultdict[tuple[str, ...], list[RowKey]] = defaultdict(list)
        for page in self._pages(registered):
            keys = {(row["site_id"], row["scan_session_id"]) for row in page}
            # Another site's rows may have been looked up before this one registered the session.
            self._lookups.forget_sessions(keys)
            sessions = self._lookups.sessions(keys)
            for row in page:
                session = sessions.get((row["site_id"], row["scan_session_id"]), KnownSession())
                reasons = _marks_now(row, session, self._policy(row["site_id"]).fraud)
                if reasons != row["fraud_reasons"]:
                    changed[tuple(reasons)].append((row["segment_id"], row["segment_row"]))
        write_marks(self._store, changed, self._changes)

    def _pages(self, registered: Mapping[SessionKey, int]) -> Iterator[Sequence[Mapping[str, Any]]]:
        """Rows that a session can mark: older than the youngest scan, marked by a session, or of another site."""
        known = self._lookups.sessions(registered)
        parameters: dict[str, Any] = {
            "ids": sorted({session_id for _site, session_id in registered}),
            "keys": sorted(registered),
            "scan": max((session.scan_time_ms or 0 for session in known.values()), default=0),
            "size": PAGE,
        }
        after: tuple[int, str, int] = (min(registered.values()) - LATE_MS, "", 0)
        while True:
            page = self._store.query(_ROWS, {**parameters, "time": after[0], "segment": after[1], "row": after[2]})
            if page:
                yield page
            if len(page) < PAGE:
                return
            last = page[-1]
            after = (last["received_time"], last["segment_id"], last["segment_row"])


_IS_MARKED: Final = " OR ".join(f"has(fraud_reasons, '{reason}')" for reason in sorted(_BY_KNOWN_SESSION))
_ROWS: Final = f"""
SELECT site_id, scan_session_id, source, event_time, received_time, fraud_reasons, segment_id, segment_row
FROM {VALID_EVENTS} PREWHERE scan_session_id IN {{ids:Array(String)}}
WHERE received_time >= {{time:DateTime64(3, 'UTC')}}
    AND (event_time < {{scan:DateTime64(3, 'UTC')}} OR {_IS_MARKED}
        OR (site_id, scan_session_id) NOT IN {{keys:Array(Tuple(String, String))}})
    AND (received_time, segment_id, segment_row) > ({{time:DateTime64(3, 'UTC')}}, {{segment:String}}, {{row:Int64}})
ORDER BY received_time, segment_id, segment_row LIMIT {{size:UInt32}}
"""  # noqa: S608


def write_marks(store: EventStore, changed: Mapping[tuple[str, ...], Sequence[RowKey]], changes: ChangedHours) -> int:
    """Give rows these fraud reasons, and the ledger their number; returns how many rows. May be repeated."""
    for reasons, rows in changed.items():
        for start in range(0, len(rows), GROUP):
            some = {"rows": list(rows[start : start + GROUP])}
            with changes.holding() as hold:
                hold.mark_rows(OF_KEYS, some)
                store.mutate(
                    f"ALTER TABLE {VALID_EVENTS} UPDATE fraud_reasons = {{reasons:Array(String)}}, "
                    f"is_fraud = {{fraud:UInt8}} WHERE {OF_KEYS}",
                    {"reasons": list(reasons), "fraud": int(bool(reasons)), **some},
                )
    recount(store, {segment_id for rows in changed.values() for segment_id, _row in rows})
    return sum(map(len, changed.values()))


def recount(store: EventStore, segment_ids: Iterable[str]) -> None:
    """Put the marks of the rows of segments into their entries of the ledger; those that are not there yet are counted
    from the rows when they are made. May be repeated; may raise a StoreError."""
    segments = sorted(segment_ids)
    for start in range(0, len(segments), GROUP):
        some = segments[start : start + GROUP]
        counts: defaultdict[tuple[int, int, int], list[tuple[str, str, int]]] = defaultdict(list)
        for row in store.query(
            f"SELECT segment_id, site_id, intDiv(toUnixTimestamp64Milli(received_time), {MINUTE_MS}) AS minute, "  # noqa: S608
            "sum(is_fraud) AS frauds, sum(is_duplicate) AS duplicates, count() AS stored "
            f"FROM {VALID_EVENTS} WHERE segment_id IN {{segments:Array(String)}} "
            "GROUP BY segment_id, site_id, minute",
            {"segments": some},
        ):
            counts[row["frauds"], row["duplicates"], row["stored"]].append(
                (row["segment_id"], row["site_id"], row["minute"])
            )
        for (frauds, duplicates, stored), entries in counts.items():
            store.mutate(
                f"ALTER TABLE {LEDGER} UPDATE fraud_count = {{frauds:UInt64}}, "
                # Where rows are missing, the ledger must balance all the same.
                "duplicate_count = if(stored_count = {stored:UInt64}, {duplicates:UInt64}, duplicate_count), "
                "unique_count = if(stored_count = {stored:UInt64}, stored_count - {duplicates:UInt64}, unique_count) "
                "WHERE (fraud_count != {frauds:UInt64} OR duplicate_count != {duplicates:UInt64}) "
                f"AND (segment_id, site_id, intDiv(toUnixTimestamp64Milli(minute_time), {MINUTE_MS})) "
                "IN {entries:Array(Tuple(String, String, Int64))}",
                {"frauds": frauds, "duplicates": duplicates, "stored": stored, "entries": entries},
            )


def _marks_now(row: Mapping[str, Any], session: KnownSession, rules: FraudRules) -> list[str]:
    """What the loader would have given, beside what does not hang on the session."""
    found = marks_at_loading(
        source=row["source"],
        event_time_ms=row["event_time"],
        scan_time_ms=session.scan_time_ms,
        is_foreign=session.is_foreign,
        session_rate=0,
        address_rate=0,
        rules=rules,
    )
    return sorted({*(reason for reason in row["fraud_reasons"] if reason not in decided_by(session)), *found})


def decided_by(session: KnownSession) -> frozenset[FraudReason]:
    """Reasons of a stored row that hang on its session: one that stands alone takes the address's mark away."""
    return _BY_KNOWN_SESSION if session.stands_alone else OF_SESSION
