"""Fills the columns of a batch that take a look-up: QR code, user, duplicate, the marks that take more than one event.

In three steps, so that a store that fails in the middle costs nothing but another try: ask for everything; work it
out in memory; then write it into the rows and the caches (`Attribution.apply`).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from cachetools import LRUCache

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.instants import set_time
from qrumb_server.loader.changes import EVENTS, HOUR_MS, SCANS, Hour
from qrumb_server.loader.lookups import Arrived, EventKey, KnownSession, Lookups, Original, SessionKey
from qrumb_server.loader.rows import LOADER_STAGE, PlacedEvent, PlacedLetter, RowId
from qrumb_server.loader.velocity import RateCounter
from qrumb_server.model import FraudRules, SitePolicy
from qrumb_server.pipeline.consent import ALLOWED, Allowed, as_stored
from qrumb_server.pipeline.erasure import blank
from qrumb_server.pipeline.identity import (
    SESSION,
    IdentityBook,
    Key,
    Label,
    Link,
    identifiers_of,
    kind_of_name,
    link_keys,
    own_label,
)
from qrumb_server.pipeline.mark import kept_reasons, marks_at_loading
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

__all__ = ["UNREGISTERED", "Attribution", "Attributor", "Beside"]

UNREGISTERED = KnownSession()
"""In place of a session of which nothing is known."""
# Generated ids of requests that the gateway sent again, to know the first attempt by when it turns up late.
_REMEMBERED_RETRIES = 50_000
_NO_IDENTIFIERS: Mapping[str, str] = {}
# All at once, instants by their parts: one by one they take three times as long.
_OF_ROW = attrgetter(
    "site_id",
    "event_id",
    "scan_session_id",
    "source",
    "consent",
    "fingerprint",
    "is_fraud",
    "event_time.seconds",
    "event_time.nanos",
    "received_time.seconds",
    "received_time.nanos",
)
_OF_EVENT = attrgetter("ip_key", "retried", "event_id_generated")


class Beside(NamedTuple):
    """What a batch has beside events that are attributed one by one; see `by_columns`."""

    sessions: Mapping[SessionKey, KnownSession]
    """Those of its sessions that are registered."""
    lenders: Collection[SessionKey]
    """Sessions that may lend a user to events."""
    originals: dict[EventKey, Original]
    """Of all events that may have arrived before."""


class _Facts(NamedTuple):
    """What attribution wants to know of an event. Read once: a field of a message costs ten times one of a tuple."""

    event: AcceptedEvent
    row: EventRow
    site_id: str
    event_id: str
    session_id: str
    allowed: Allowed
    event_ms: int
    received_ms: int
    identifiers: Mapping[str, str]
    """By kind; empty where there are none, or consent does not allow a user."""
    own: Label | None
    """The user that the identifiers name by themselves; None where there are none."""
    row_id: RowId
    arrival: tuple[int, str, int]
    """Sorts events by their receipt."""
    session: SessionKey
    lender: Key | None
    """Under what the session lends its user; None where there is no session, or consent does not allow a user."""
    key: EventKey
    """Of what may arrive once."""
    other_key: EventKey
    """Of the copy that the other side may send of the same event."""
    fingerprint: int
    is_fraud: int
    """As the collector saw it."""
    ip_key: str
    is_retried: bool
    """The gateway sent it again."""
    is_id_ours: bool
    """Its sender gave it none."""


@dataclass(slots=True, kw_only=True)
class Attribution:
    """What a batch is to become; nothing of it has been written yet."""

    facts: Sequence[_Facts]
    """Of each event, in the order of the batch."""
    links: dict[Link, int] = field(default_factory=dict)
    """What identifiers were seen with, and since when in milliseconds; to be stored before the events."""
    conflicts: set[int] = field(default_factory=set)
    """Places in the batch of duplicates whose payload is not the original's."""
    users: dict[int, tuple[str, str]] = field(default_factory=dict)
    """user_id and its source by place in the batch."""
    sessions: dict[SessionKey, KnownSession] = field(default_factory=dict)
    duplicates: set[int] = field(default_factory=set)
    """Places in the batch of what had arrived before from the same side."""
    counterparts: set[int] = field(default_factory=set)
    """Places in the batch of the other side's copy of an event that is there already."""
    times: dict[int, int] = field(default_factory=dict)
    """event_time in milliseconds by place of a counterpart: an event has one time, that of its first copy."""
    asked: Sequence[Arrived] = ()
    """Events that may have arrived before."""
    erased: dict[int, str] = field(default_factory=dict)
    """Places in the batch of what must not bring an erased person back: duplicates and counterparts of what was erased,
    and what names an erased session, with the name that this has now."""
    lent: dict[SessionKey, str] = field(default_factory=dict)
    """Users of the sessions that events beside these may have."""
    hours: set[Hour] = field(default_factory=set)
    """That count these events, their scans, or events that they complete or repeat."""

    def kept(
        self, events: Sequence[PlacedEvent], refused: Sequence[PlacedLetter]
    ) -> tuple[Sequence[PlacedEvent], set[int]]:
        """The events that the store took, and the places among them of conflicting duplicates."""
        lost = {letter.row_id for letter in refused if letter.stage == LOADER_STAGE}
        if not lost:
            return events, self.conflicts
        kept = [(place, placed) for place, placed in enumerate(events) if placed.row_id not in lost]
        conflicts = {index for index, (place, _placed) in enumerate(kept) if place in self.conflicts}
        return [placed for _place, placed in kept], conflicts


class Attributor:
    """Attributes batches; belongs to the loader's thread.

    Args:
        lookups: the store's side.
        policy: what a site wants.
    """

    def __init__(self, lookups: Lookups, policy: Callable[[str], SitePolicy]) -> None:
        self._lookups = lookups
        self._policy = policy
        self.session_rates = RateCounter()
        self.address_rates = RateCounter()
        self.retried_ids: LRUCache[str, bool] = LRUCache(_REMEMBERED_RETRIES)

    def attribute(
        self,
        events: Sequence[PlacedEvent],
        own_segments: Collection[str],
        *,
        uncertain: bool,
        beside: Beside | None = None,
    ) -> Attribution:
        """Work out what the events become. Raises a StoreError, and has then changed nothing.

        Args:
            own_segments: segments of which rows may be stored already.
            uncertain: they may: every id is looked up, the generated ones too.
            beside: the rest of the batch.
        """
        result = self._without_persons([_read(placed) for placed in events])
        result.sessions = self._lookups.sessions({facts.session for facts in result.facts if facts.session_id})
        if beside is not None:
            result.sessions = {**beside.sessions, **result.sessions}
        self._find_duplicates(own_segments, result, uncertain=uncertain, beside=beside)
        self._find_users(result, beside.lenders if beside is not None else ())
        return result

    def apply(self, result: Attribution) -> None:
        """Write it into the rows; call once, when it is sure that they will be stored."""
        self._lookups.learn_links(result.links)
        self.apply_to(result, range(len(result.facts)))

    def apply_to(self, result: Attribution, places: Sequence[int]) -> None:
        """Write it into the rows at these places, the links having been learnt."""
        rules = {site_id: self._policy(site_id).fraud for site_id in {result.facts[place].site_id for place in places}}
        for place in places:
            facts = result.facts[place]
            row = facts.row
            if user := result.users.get(place):
                row.user_id, row.user_id_source = user
            if place in result.duplicates:
                row.is_duplicate = 1
            elif place in result.counterparts:
                row.is_duplicate = row.is_counterpart = 1
                facts = _timed(facts, result.times[place])
            session = UNREGISTERED
            if facts.session_id:  # a row that the store refused once may have lost it, and kept the code
                session = result.sessions.get(facts.session, UNREGISTERED)
                row.qr_code_id = session.qr_code_id
            self._mark(facts, session, rules[facts.site_id])
            if not facts.allowed.session:
                as_stored(row)
            if place in result.erased:
                blank(row, result.erased[place] if facts.allowed.session else "")
                if not facts.allowed.user:
                    row.user_id_source = ""  # there was no user to erase
                facts.event.ClearField("user_identifiers")

    def _without_persons(self, facts: list[_Facts]) -> Attribution:
        """What names an erased session gets the session's new name, and no person: it may be the same one."""
        names = self._lookups.erased.names({one.session for one in facts if one.session_id})
        places = range(len(facts)) if names else ()
        erased = {place: name for place in places if (name := names.get(facts[place].session))}
        for place, name in erased.items():
            one = facts[place]
            facts[place] = one._replace(
                session_id=name, session=(one.site_id, name), lender=None, identifiers=_NO_IDENTIFIERS, own=None
            )
        return Attribution(facts=facts, erased=erased)

    def _mark(self, facts: _Facts, session: KnownSession, rules: FraudRules) -> None:
        row = facts.row
        address_rate = 0.0
        if facts.ip_key and not session.stands_alone:
            address_rate = self.address_rates.count((facts.site_id, facts.ip_key), facts.received_ms)
        found = marks_at_loading(
            source=facts.key[2],
            event_time_ms=facts.event_ms,
            scan_time_ms=session.scan_time_ms,
            is_foreign=session.is_foreign,
            session_rate=self.session_rates.count(facts.session, facts.received_ms) if facts.session_id else 0,
            address_rate=address_rate,
            rules=rules,
        )
        if found or facts.is_fraud:
            reasons = sorted({*kept_reasons(row.fraud_reasons, rules), *found})
            row.fraud_reasons[:] = reasons
            row.is_fraud = int(bool(reasons))

    def _find_users(self, result: Attribution, lenders: Collection[SessionKey]) -> None:
        """What arrived before teaches nothing: a repeat says nothing new, and a conflicting payload is not believed."""
        keys = _identity_keys(result) | {(site_id, SESSION, session_id) for site_id, session_id in lenders}
        book = IdentityBook(self._lookups.owners(keys))
        for place, facts in enumerate(result.facts):
            if facts.own and place not in result.duplicates and place not in result.erased:
                book.learn(facts.site_id, facts.identifiers, facts.session_id, facts.own)
        result.links = self._lookups.new_links(book.learnt)
        for place, facts in enumerate(result.facts):
            if facts.own:
                result.users[place] = book.user_of(facts.site_id, facts.own.user_id), "identifiers"
            elif facts.lender and (lent := _lent(book, facts.session, result)):
                result.users[place] = lent, "session"
        result.lent = {session: lent for session in lenders if (lent := _lent(book, session, result))}

    def _find_duplicates(
        self, own_segments: Collection[str], result: Attribution, *, uncertain: bool, beside: Beside | None
    ) -> None:
        """In the order of receipt: what is stored, then what came earlier in this batch.

        A row of this batch that an earlier try stored as the first arrival stays the first, whatever that try did not
        know of: its row is not written again.
        """
        facts = result.facts
        firsts = self._lookups.stored_firsts(own_segments) if uncertain else frozenset()
        places = sorted(range(len(facts)), key=[one.arrival for one in facts].__getitem__)
        if firsts:
            places.sort(key=lambda place: facts[place].row_id not in firsts)
        result.asked = [
            (one.site_id, one.event_id, one.received_ms)
            for one in map(facts.__getitem__, places)
            if uncertain or self._may_repeat(one)
        ]
        originals = beside.originals if beside is not None else self._lookups.arrivals(result.asked, own_segments)
        self._find_hours(result, originals)
        for place in places:
            one = facts[place]
            original = originals.get(one.key)
            if original is None:
                originals[one.key] = Original(one.fingerprint, one.event_ms)
                if (other := originals.get(one.other_key)) is not None:
                    result.counterparts.add(place)
                    result.times[place] = other.event_ms
                    if not other.fingerprint:
                        result.erased.setdefault(place, "")
                continue
            result.duplicates.add(place)
            if not original.fingerprint:
                result.erased.setdefault(place, "")
            elif original.fingerprint != one.fingerprint:
                result.conflicts.add(place)

    def _find_hours(self, result: Attribution, stored: Mapping[EventKey, Original]) -> None:
        """What has no session, or may not keep it, counts in the funnel by its own time."""
        times = {(facts.site_id, facts.event_ms // HOUR_MS) for facts in result.facts}
        hours: set[Hour] = {(EVENTS, *one) for one in times}
        hours |= {
            (SCANS, facts.site_id, facts.event_ms // HOUR_MS)
            for facts in result.facts
            if not facts.session_id or not facts.allowed.session
        }
        sessions = result.sessions
        if stored:
            times = {(key[0], time_ms // HOUR_MS) for key, one in stored.items() for time_ms in one.times}
            hours |= {(kind, *one) for one in times for kind in (EVENTS, SCANS)}
            ids = {(key[0], session_id) for key, one in stored.items() for session_id in one.session_ids if session_id}
            sessions = sessions | self._lookups.sessions(ids)
        hours |= {
            (SCANS, site_id, session.scan_time_ms // HOUR_MS)
            for (site_id, _id), session in sessions.items()
            if session.scan_time_ms is not None
        }
        result.hours = hours

    def _may_repeat(self, facts: _Facts) -> bool:
        """Whether an event may have arrived before. An id that we made may not, unless the gateway tried twice."""
        if facts.is_retried:
            self.retried_ids[facts.event_id] = True
            return True
        return not facts.is_id_ours or facts.event_id in self.retried_ids


def _lent(book: IdentityBook, session: SessionKey, result: Attribution) -> str:
    """The user that a session lends to its events; empty where none is known."""
    site_id, session_id = session
    lent = book.user_of_session((site_id, SESSION, session_id))
    if not lent and (registered := result.sessions.get(session, UNREGISTERED).user_id):
        return book.user_of(site_id, registered)
    return lent


def _timed(facts: _Facts, event_ms: int) -> _Facts:
    """A counterpart at the time of its event; what its sender said is kept."""
    row = facts.row
    if facts.event_ms == event_ms:
        return facts
    if not row.HasField("client_event_time"):
        row.client_event_time.CopyFrom(row.event_time)
    set_time(row.event_time, event_ms)
    return facts._replace(event_ms=event_ms)


def _read(placed: PlacedEvent) -> _Facts:
    row_id, event = placed
    row = event.row
    site_id, event_id, session_id, source, consent, fingerprint, is_fraud, *instants = _OF_ROW(row)
    ip_key, is_retried, is_id_ours = _OF_EVENT(event)
    allowed = ALLOWED[consent]
    event_s, event_ns, received_s, received_ns = instants
    event_ms, received_ms = event_s * 1000 + event_ns // 1_000_000, received_s * 1000 + received_ns // 1_000_000
    identifiers, own = _NO_IDENTIFIERS, None
    if allowed.user and event.HasField("user_identifiers"):
        identifiers = identifiers_of(event.user_identifiers)
        own = own_label(site_id, identifiers, event_ms) if identifiers else None
    # By place: by name takes twice as long.
    return _Facts(
        event,
        row,
        site_id,
        event_id,
        session_id,
        allowed,
        event_ms,
        received_ms,
        identifiers,
        own,
        row_id,
        (received_ms, row_id.segment_id, row_id.segment_row),
        (site_id, session_id),
        (site_id, SESSION, session_id) if session_id and allowed.user else None,
        (site_id, event_id, source),
        (site_id, event_id, "server" if source == "browser" else "browser"),
        fingerprint,
        is_fraud,
        ip_key,
        is_retried,
        is_id_ours,
    )


def _identity_keys(result: Attribution) -> set[Key]:
    """All whose owners decide about the users of a batch."""
    keys: set[Key] = set()
    names = {(site_id, session.user_id) for (site_id, _id), session in result.sessions.items() if session.user_id}
    for facts in result.facts:
        if facts.own:
            keys.update(link_keys(facts.site_id, facts.identifiers))
            names.add((facts.site_id, facts.own.user_id))
        if facts.lender:
            keys.add(facts.lender)
    return keys | {(site_id, kind, name) for site_id, name in names if (kind := kind_of_name(name))}
