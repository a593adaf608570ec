"""What is to come of a day, worked out from what was sent alone, by the rules of docs/attribution.md in plain steps.

No rule is imported from the service. Users that a hash names have no name here, only a token: the test checks that
tokens and the service's names stand for each other one to one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tests.support.day import JUNK, Day, Sent, sha

__all__ = ["Event", "Outcome", "outcome_of"]

Token = tuple[str, str]
"""("ext", external_id), ("email", hash) or ("phone", hash); NO_ONE for none."""
NO_ONE: Final[Token] = ("", "")
MAX_USERS: Final = 10
TOLERANCE_MS: Final = 600_000
_JUNK_HASHES: Final = frozenset(map(sha, JUNK))


@dataclass(slots=True, kw_only=True)
class Event:
    """One event_id, after the whole day."""

    first: Sent
    copies: list[Sent] = field(default_factory=list)
    """Every arrival that was accepted, in order."""
    token: Token = NO_ONE
    qr_code_id: str = ""
    is_fraud: bool = False

    @property
    def server(self) -> Sent | None:
        """The first of a backend."""
        return next((copy for copy in self.copies if copy.kind == "server"), None)

    @property
    def browser(self) -> Sent | None:
        """The first of a page."""
        return next((copy for copy in self.copies if copy.kind == "browser"), None)

    @property
    def conflicts(self) -> int:
        """Arrivals that differ from the first of their side in what is kept of them."""
        firsts = {"server": self.server, "browser": self.browser}
        return sum(_kept(copy) != _kept(first) for copy in self.copies if (first := firsts[copy.kind]))

    @property
    def repeats(self) -> int:
        """Arrivals beyond the first of each side."""
        return len(self.copies) - len({copy.kind for copy in self.copies})

    @property
    def is_denied(self) -> bool:
        """Its session is forgotten."""
        return self.first.body.get("consent") == "denied"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """All that a test compares."""

    events: dict[str, Event]
    rejected: list[str]
    """Ids of rejected arrivals, one each."""
    scans: Counter[str]
    visits: Counter[str]
    conversions: Counter[str]
    amounts: dict[tuple[str, str], Decimal]
    """By QR code and currency."""


@dataclass(slots=True)
class _Session:
    code: str = ""
    scan_ms: int | None = None
    user: str = ""
    user_ms: int = 0
    is_elsewhere: bool = False


def outcome_of(day: Day) -> Outcome:
    """Of everything, whatever order it was loaded in."""
    events: dict[str, Event] = {}
    rejected: list[str] = []
    for sent in day.sent:
        if sent.kind == "register":
            continue
        if sent.is_bad:
            rejected.append(sent.body["event_id"])
            continue
        events.setdefault(sent.body["event_id"], Event(first=sent)).copies.append(sent)
    sessions = _sessions(day)
    _find_users(events.values(), sessions)
    for event in events.values():
        _place(event, sessions)
    return _counted(events, rejected, sessions)


def _sessions(day: Day) -> Mapping[str, _Session]:
    sessions: dict[str, _Session] = defaultdict(_Session)
    for sent in day.sent:
        if sent.kind != "register":
            continue
        scan, session = sent.body, sessions[sent.body["scan_session_id"]]
        if scan["site_id"] != day.site_id:
            session.is_elsewhere = True
            continue
        at_ms = _ms(scan["scan_time"])
        if session.scan_ms is None or at_ms < session.scan_ms:
            session.scan_ms, session.code = at_ms, scan["qr_code_id"]
        if scan.get("user_id") and (not session.user or at_ms < session.user_ms):
            session.user, session.user_ms = scan["user_id"], at_ms
    return sessions


def _find_users(events: Iterable[Event], sessions: Mapping[str, _Session]) -> None:
    everything = list(events)
    seen: dict[Token | str, list[tuple[int, Token]]] = defaultdict(list)
    own = {at: tokens for at, event in enumerate(everything) if (tokens := _own_tokens(event))}
    for at, tokens in own.items():
        sent = everything[at].server
        assert sent is not None
        at_ms = 1 << 60 if sent.is_time_impossible else _ms(sent.body["event_time"])
        for what in (*tokens[1:], sent.body["scan_session_id"]):
            seen[what].append((at_ms, tokens[0]))
    owners = {what: min(labels)[1] for what, labels in seen.items() if len({one for _at, one in labels}) <= MAX_USERS}
    for at, event in enumerate(everything):
        session_id = event.first.body["scan_session_id"]
        if at in own:
            event.token = _resolved(own[at][0], owners)
        elif all(_may_identify(copy) for copy in event.copies):
            if lender := owners.get(session_id):
                event.token = _resolved(lender, owners)
            elif user := sessions[session_id].user:
                event.token = ("ext", user)


def _own_tokens(event: Event) -> list[Token]:
    sent = event.server
    return list(_tokens(sent.body["user_identifiers"])) if sent and _may_identify(sent) else []


def _resolved(token: Token, owners: Mapping[Token | str, Token]) -> Token:
    """A phone may lead to an e-mail address, and that to an account."""
    for kind in ("phone", "email"):
        if token[0] == kind:
            token = owners.get(token, token)
    return token


def _may_identify(sent: Sent) -> bool:
    return sent.body.get("consent", "granted") == "granted"


def _tokens(identifiers: Mapping[str, str]) -> Iterable[Token]:
    """The strongest first, junk left out."""
    external = identifiers.get("external_id", "")
    if external and external not in JUNK:
        yield "ext", external
    for kind in ("email", "phone"):
        value = identifiers.get(f"{kind}_hash", "")
        if value and value not in _JUNK_HASHES:
            yield kind, value


def _place(event: Event, sessions: Mapping[str, _Session]) -> None:
    session = sessions[event.first.body["scan_session_id"]]
    event.qr_code_id = session.code
    # Where both sides tell of it, the backend's word counts.
    told = event.server or event.first
    is_early = (
        told.kind == "browser"
        and session.scan_ms is not None
        and not told.is_time_impossible
        and _ms(told.body["event_time"]) < session.scan_ms - TOLERANCE_MS
    )
    is_foreign = session.scan_ms is None and session.is_elsewhere
    event.is_fraud = told.is_bot or is_early or is_foreign


def _counted(events: dict[str, Event], rejected: list[str], sessions: Mapping[str, _Session]) -> Outcome:
    visited, converted = set[str](), set[str]()
    conversions: Counter[str] = Counter()
    amounts: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for event in events.values():
        if event.is_fraud:
            continue
        session_id = event.first.body["scan_session_id"]
        is_conversion = event.server is not None and event.server.body["event_name"] != "refund"
        if is_conversion and event.is_denied:
            conversions[event.qr_code_id] += 1
        elif not event.is_denied:
            visited.update([session_id] if event.browser else [])
            converted.update([session_id] if is_conversion else [])
        value = event.server.body.get("conversion_value") if event.server else None
        if value and event.qr_code_id:
            amounts[event.qr_code_id, value["currency"]] += Decimal(str(value["amount"]))
    registered = {name: session for name, session in sessions.items() if session.scan_ms is not None}
    for name in converted & set(registered):
        conversions[registered[name].code] += 1
    return Outcome(
        events=events,
        rejected=rejected,
        scans=Counter(session.code for session in registered.values()),
        visits=Counter(session.code for name, session in registered.items() if name in visited),
        conversions=conversions,
        amounts=amounts,
    )


def _kept(sent: Sent) -> dict[str, Any]:
    """What a repetition is compared with: where consent was denied, no identifier and no own field is left."""
    gone = {"user_identifiers", "properties"} if sent.body.get("consent") == "denied" else set()
    return {name: value for name, value in sent.body.items() if name not in gone}


def _ms(written: Any) -> int:
    return round(datetime.fromisoformat(written).timestamp() * 1000)
