"""Fills the columns of a batch that take a look-up: QR code, user, duplicate, the marks that take more than one event.

In three steps, so that a store that fails in the middle costs nothing but another try: ask for everything; work it
out in memory; then write it into the rows and the caches (`Attribution.apply`).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from cachetools import LRUCache

from qrumb_server.instants import milliseconds
from qrumb_server.loader.lookups import KnownSession, Lookups, SessionKey
from qrumb_server.loader.rows import PlacedEvent
from qrumb_server.loader.velocity import RateCounter
from qrumb_server.model import SitePolicy
from qrumb_server.pipeline.consent import ALLOWED, as_stored
from qrumb_server.pipeline.identity import SESSION, USER, IdentityBook, Key, Label, identifiers_of, own_label
from qrumb_server.pipeline.mark import kept_reasons, marks_at_loading
from qrumb_server.spool.v1.record_pb2 import AcceptedEvent

__all__ = ["Attribution", "Attributor"]

_UNREGISTERED = KnownSession()
# Generated ids of requests that the gateway sent again, to know the first attempt by when it turns up late.
_REMEMBERED_RETRIES = 50_000


@dataclass(slots=True)
class Attribution:
    """What a batch is to become; nothing of it has been written yet."""

    identities: dict[Key, Label] = field(default_factory=dict)
    """To be stored before the events."""
    conflicts: set[int] = field(default_factory=set)
    """Places in the batch of duplicates whose payload is not the original's."""
    users: dict[int, tuple[str, str]] = field(default_factory=dict)
    """user_id and its source by place in the batch."""
    sessions: dict[SessionKey, KnownSession] = field(default_factory=dict)
    duplicates: set[int] = field(default_factory=set)


class Attributor:
    """Attributes batches; belongs to the loader's thread.

    Args:
        lookups: the store's side.
        policy: what a site wants.
    """

    def __init__(self, lookups: Lookups, policy: Callable[[str], SitePolicy]) -> None:
        self._lookups = lookups
        self._policy = policy
        self._session_rates = RateCounter()
        self._address_rates = RateCounter()
        self._retried_ids: LRUCache[str, bool] = LRUCache(_REMEMBERED_RETRIES)

    def attribute(
        self, events: Sequence[PlacedEvent], own_segments: Collection[str], *, uncertain: bool
    ) -> Attribution:
        """Work out what the events become. Raises a StoreError, and has then changed nothing.

        Args:
            own_segments: segments of which rows may be stored already.
            uncertain: they may: every id is looked up, the generated ones too.
        """
        result = Attribution()
        result.sessions = self._lookups.sessions(
            {
                (placed.event.row.site_id, placed.event.row.scan_session_id)
                for placed in events
                if placed.event.row.scan_session_id
            }
        )
        self._find_users(events, result)
        self._find_duplicates(events, own_segments, result, uncertain=uncertain)
        return result

    def apply(self, events: Sequence[PlacedEvent], result: Attribution) -> None:
        """Write it into the rows; call once, when it is sure that they will be stored."""
        self._lookups.learn_identities(result.identities)
        for place, placed in enumerate(events):
            row = placed.event.row
            if user := result.users.get(place):
                row.user_id, row.user_id_source = user
            if place in result.duplicates:
                row.is_duplicate = 1
            session = result.sessions.get((row.site_id, row.scan_session_id), _UNREGISTERED)
            if row.scan_session_id:  # a row that the store refused once may have lost it, and kept the code
                row.qr_code_id = session.qr_code_id
            self._mark(placed.event, session)
            as_stored(row)

    def _mark(self, event: AcceptedEvent, session: KnownSession) -> None:
        row = event.row
        site_id, session_id, ip_key = row.site_id, row.scan_session_id, event.ip_key
        received_ms = milliseconds(row.received_time)
        rules = self._policy(site_id).fraud
        found = marks_at_loading(
            event_time_ms=milliseconds(row.event_time),
            scan_time_ms=session.scan_time_ms,
            is_foreign=session.is_foreign,
            session_rate=self._session_rates.count((site_id, session_id), received_ms) if session_id else 0,
            address_rate=self._address_rates.count((site_id, ip_key), received_ms) if ip_key else 0,
            rules=rules,
        )
        if found or row.fraud_reasons:
            reasons = sorted({*kept_reasons(row.fraud_reasons, rules), *found})
            row.fraud_reasons[:] = reasons
            row.is_fraud = int(bool(reasons))

    def _find_users(self, events: Sequence[PlacedEvent], result: Attribution) -> None:
        identified: dict[int, tuple[dict[str, str], int]] = {}
        keys: set[Key] = set()
        for place, placed in enumerate(events):
            row = placed.event.row
            if not ALLOWED[row.consent].user:
                continue
            if placed.event.HasField("user_identifiers") and (
                identifiers := dict(identifiers_of(placed.event.user_identifiers))
            ):
                time_ms = milliseconds(row.event_time)
                identified[place] = identifiers, time_ms
                keys.update((row.site_id, kind, value) for kind, value in identifiers.items())
                keys.add((row.site_id, USER, own_label(row.site_id, identifiers, time_ms).user_id))
            if row.scan_session_id:
                keys.add((row.site_id, SESSION, row.scan_session_id))
        keys.update(
            (site_id, USER, session.user_id) for (site_id, _id), session in result.sessions.items() if session.user_id
        )
        book = IdentityBook(self._lookups.identities(keys))
        for place, (identifiers, time_ms) in identified.items():
            row = events[place].event.row
            user_id = book.learn(row.site_id, identifiers, row.scan_session_id, time_ms)
            result.users[place] = user_id, "identifiers"
        if book.merged:
            book.flatten(self._lookups.links_to(book.merged))
        result.identities = book.changed
        self._lend_users(events, book, result)

    def _lend_users(self, events: Sequence[PlacedEvent], book: IdentityBook, result: Attribution) -> None:
        """Users of sessions for the events that name nobody themselves; merges within the batch count for all."""
        for place, placed in enumerate(events):
            row = placed.event.row
            if place in result.users:
                user_id, source = result.users[place]
                result.users[place] = book.user_of(row.site_id, user_id), source
            elif row.scan_session_id and ALLOWED[row.consent].user:
                session = result.sessions.get((row.site_id, row.scan_session_id), _UNREGISTERED)
                lent = book.user_of_session(row.site_id, row.scan_session_id)
                if not lent and session.user_id:
                    lent = book.user_of(row.site_id, session.user_id)
                if lent:
                    result.users[place] = lent, "session"

    def _find_duplicates(
        self, events: Sequence[PlacedEvent], own_segments: Collection[str], result: Attribution, *, uncertain: bool
    ) -> None:
        """In the order of receipt: what is stored, then what came earlier in this batch.

        A row of this batch that an earlier try stored as the first arrival stays the first, whatever that try did not
        know of: its row is not written again.
        """
        firsts = self._lookups.stored_firsts(own_segments) if uncertain else frozenset()
        places = sorted(
            range(len(events)),
            key=lambda place: (events[place].row_id not in firsts, _arrival_order(events[place])),
        )
        asked = [
            (row.site_id, row.event_id, milliseconds(row.received_time))
            for row in (events[place].event.row for place in places if uncertain or self._may_repeat(events[place]))
        ]
        stored = self._lookups.arrivals(asked, own_segments)
        originals = {key: arrival.fingerprint for key, arrival in stored.items()}
        for place in places:
            row = events[place].event.row
            key = row.site_id, row.event_id
            original = originals.get(key)
            if original is None:
                originals[key] = row.fingerprint
                continue
            result.duplicates.add(place)
            if original != row.fingerprint:
                result.conflicts.add(place)

    def _may_repeat(self, placed: PlacedEvent) -> bool:
        """Whether an event may have arrived before. An id that we made may not, unless the gateway tried twice."""
        event = placed.event
        if event.retried:
            self._retried_ids[event.row.event_id] = True
            return True
        return not event.event_id_generated or event.row.event_id in self._retried_ids


def _arrival_order(placed: PlacedEvent) -> tuple[int, str, int]:
    return milliseconds(placed.event.row.received_time), placed.row_id.segment_id, placed.row_id.segment_row
