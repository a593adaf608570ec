"""Attribution of a batch by its columns: what an event needs by itself is worked out as messages, the rest by session.

An ordinary event hangs on its session alone: its QR code, the user that the session lends it, and whether rates and
times are within bounds, which is asked once for all of a session's events. The others are left to `attribute`, which
is the reference: identified persons and all of their sessions, ids that came before or twice, what was erased, marks
that take one event. Both ways together give what `attribute` alone would give; tests hold them to it.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from qrumb_server.loader.attribute import UNREGISTERED, Attribution, Attributor, Beside
from qrumb_server.loader.changes import EVENTS, HOUR_MS, SCANS, Hour
from qrumb_server.loader.compiled import CompiledEvents
from qrumb_server.loader.lookups import KnownSession, Lookups, SessionKey
from qrumb_server.loader.rows import PlacedEvent
from qrumb_server.loader.velocity import WINDOW_MS
from qrumb_server.model import FraudReason, FraudRules, SitePolicy, Source
from qrumb_server.pipeline.mark import marks_at_loading

__all__ = ["BatchAttributor"]

AddressKey = tuple[str, str]
"""(site_id, ip_key)"""
Watched = tuple[int, int | None, int | None, int, int, bool]
"""As `Rows.watched` tells of an event."""


@dataclass(slots=True, kw_only=True)
class _ByColumns(Attribution):
    """Of a compiled batch; what is said of single events is about those that are left to `attribute`."""

    events: CompiledEvents
    left: Sequence[int]
    """Places in the batch of the events that `facts` are of."""
    keys: Sequence[SessionKey]
    """The sessions of the batch, as it counts them."""
    rules: Mapping[str, FraudRules]
    """By site."""


class BatchAttributor:
    """Attributes batches, compiled or not; belongs to the loader's thread. As `attribute.Attributor`."""

    def __init__(self, lookups: Lookups, policy: Callable[[str], SitePolicy]) -> None:
        self._lookups = lookups
        self._policy = policy
        self._one_by_one = Attributor(lookups, policy)

    def attribute(
        self, events: Sequence[PlacedEvent], own_segments: Collection[str], *, uncertain: bool
    ) -> Attribution:
        """As `Attributor.attribute`."""
        if not isinstance(events, CompiledEvents):
            return self._one_by_one.attribute(events, own_segments, uncertain=uncertain)
        rows = events.rows
        keys, numbers, lends, earliest = rows.sessions()
        known = self._lookups.sessions(keys)
        asked = rows.asked(uncertain, self._retried_among(rows.made_ids) if not uncertain else set())
        originals = self._lookups.arrivals(asked, own_segments)
        sessions = [known.get(key, UNREGISTERED) for key in keys]
        rows.stand_alone([session.stands_alone for session in sessions])
        rules = {site_id: self._policy(site_id).fraud for site_id in rows.site_ids()}
        renamed = self._lookups.erased.names(keys)
        new_names = {(site_id, name) for (site_id, _session_id), name in renamed.items()}
        left = events.leave(
            [
                *rows.repeated({event_id for _site_id, event_id, _source in originals}),
                *(rows.places([key in renamed or key in new_names for key in keys]) if renamed else ()),
                *(rows.marked() if any(one.ignored_reasons for one in rules.values()) else ()),
            ]
        )
        is_full = not self._one_by_one.session_rates.has_room(len(keys))  # then the order of keys decides which count
        is_suspect = [
            is_full
            or _is_suspect(session, first_ms, rules[key[0]])
            or self._one_by_one.session_rates.bound(key, number) > rules[key[0]].session_events_per_minute
            for key, session, number, first_ms in zip(keys, sessions, numbers, earliest, strict=True)
        ]
        rows.watch(is_suspect, self._crowded(events, rules))
        found = self._one_by_one.attribute(
            list(map(events.__getitem__, left)),
            own_segments,
            uncertain=uncertain,
            beside=Beside(known, [key for key, is_so in zip(keys, lends, strict=True) if is_so], originals),
        )
        return _ByColumns(
            events=events,
            left=left,
            keys=keys,
            rules=rules,
            facts=found.facts,
            links=found.links,
            conflicts={left[place] for place in found.conflicts},
            users=found.users,
            sessions=found.sessions,
            duplicates=found.duplicates,
            counterparts=found.counterparts,
            times=found.times,
            asked=asked,
            erased=found.erased,
            lent=found.lent,
            hours=found.hours | set(_own_hours(events)),
        )

    def apply(self, result: Attribution) -> None:
        """As `Attributor.apply`."""
        if not isinstance(result, _ByColumns):
            self._one_by_one.apply(result)
            return
        self._lookups.learn_links(result.links)
        codes = [result.sessions.get(key, UNREGISTERED).qr_code_id for key in result.keys]
        rows = result.events.rows
        rows.settle(codes, [result.lent.get(key, "") for key in result.keys], "session")
        addresses, begun = rows.addresses(), 0
        for first, end in rows.windows(WINDOW_MS):
            of_sessions, of_addresses, time_ms = rows.rates(first, end, is_watched=False)
            self._one_by_one.session_rates.count_all([(result.keys[at], n) for at, n in of_sessions], time_ms)
            self._one_by_one.address_rates.count_all([(addresses[at], n) for at, n in of_addresses], time_ms)
            until = bisect_left(result.left, end)
            if until > begun or not self._mark_by_key(result, addresses, first, end):
                self._apply_in_order(result, addresses, range(begun, until), rows.watched(first, end))
            begun = until

    def _mark_by_key(self, result: _ByColumns, addresses: Sequence[AddressKey], first: int, end: int) -> bool:
        """The watched events of a run of which none is left; whether that was possible: not where a rate has no room.

        As `marks_at_loading` marks them one by one: only its own events change the rate of a session or an address.
        """
        rows, by_site = result.events.rows, result.rules
        session_rates, address_rates = self._one_by_one.session_rates, self._one_by_one.address_rates
        of_sessions, of_addresses, time_ms = rows.rates(first, end, is_watched=True)
        if not (of_sessions or of_addresses):
            return True
        if not (session_rates.has_room(len(of_sessions)) and address_rates.has_room(len(of_addresses))):
            return False
        keys = [result.keys[at] for at, _number in of_sessions]
        of_keys = [by_site[site_id].session_events_per_minute for site_id, _session_id in keys]
        names = [addresses[at] for at, _number in of_addresses]
        of_names = [by_site[site_id].address_events_per_minute for site_id, _address in names]
        limits = (
            _limits(of_sessions, session_rates.standing(keys, time_ms), of_keys),
            _limits(of_addresses, address_rates.standing(names, time_ms), of_names),
        )
        session_rates.count_all([(key, number) for key, (_at, number) in zip(keys, of_sessions, strict=True)], time_ms)
        address_rates.count_all(
            [(name, number) for name, (_at, number) in zip(names, of_addresses, strict=True)], time_ms
        )
        is_late = session_rates.is_late(time_ms), address_rates.is_late(time_ms)
        of_session, of_address = rows.too_many(first, end, limits, (WINDOW_MS, *is_late))
        earliest: dict[int, int] = {}
        foreign: set[int] = set()
        for key, (at, _number) in zip(keys, of_sessions, strict=True):
            session = result.sessions.get(key, UNREGISTERED)
            if session.scan_time_ms is not None:
                earliest[at] = session.scan_time_ms - by_site[key[0]].before_scan_tolerance_ms
            if session.is_foreign:
                foreign.add(at)
        for reason, places in (
            (FraudReason.SESSION_VELOCITY, of_session),
            (FraudReason.ADDRESS_VELOCITY, of_address),
            (FraudReason.BEFORE_SCAN, rows.too_early(first, end, earliest) if earliest else []),
            (FraudReason.FOREIGN_SESSION, rows.places_in(first, end, foreign) if foreign else []),
        ):
            ignoring = {site_id for site_id, rules in by_site.items() if reason in rules.ignored_reasons}
            if places:
                rows.mark(reason.value, places, ignoring)
        return True

    def _apply_in_order(
        self, result: _ByColumns, addresses: Sequence[AddressKey], left: range, watched: Sequence[Watched]
    ) -> None:
        """Those of a run that are counted one by one, in the order of the batch: rates depend on it."""
        marks: dict[str, list[int]] = {}
        begun = left.start
        for event in watched:
            place = event[0]
            until = bisect_left(result.left, place, begun, left.stop)
            if until > begun:
                self._one_by_one.apply_to(result, range(begun, until))
                begun = until
            for reason in self._marks(result, addresses, event):
                marks.setdefault(reason, []).append(place)
        self._one_by_one.apply_to(result, range(begun, left.stop))
        for reason, places in marks.items():
            result.events.rows.mark(reason, places, set())

    def _marks(self, result: _ByColumns, addresses: Sequence[AddressKey], event: Watched) -> list[str]:
        """As `Attributor` marks an event."""
        _place, at_session, at_address, received_ms, event_ms, is_browser = event
        key = None if at_session is None else result.keys[at_session]
        address = None if at_address is None else addresses[at_address]
        session = UNREGISTERED if key is None else result.sessions.get(key, UNREGISTERED)
        site_id = (key or address or ("", ""))[0]
        rates = self._one_by_one
        counts_for_address = address is not None and not session.stands_alone
        return marks_at_loading(
            source=Source.BROWSER if is_browser else Source.SERVER,
            event_time_ms=event_ms,
            scan_time_ms=session.scan_time_ms,
            is_foreign=session.is_foreign,
            session_rate=rates.session_rates.count(key, received_ms) if key else 0,
            address_rate=rates.address_rates.count(address, received_ms) if address and counts_for_address else 0,
            rules=result.rules[site_id],
        )

    def _retried_among(self, made_ids: Callable[[], Sequence[str]]) -> set[str]:
        """Ids that we made of events that the gateway sent twice."""
        retried = self._one_by_one.retried_ids
        return {event_id for event_id in made_ids() if event_id in retried} if retried else set()

    def _crowded(self, events: CompiledEvents, rules: Mapping[str, FraudRules]) -> list[bool]:
        """Of each address of the batch, whether a rate may be beyond what its site takes for people."""
        addresses = events.rows.addresses()
        rates = self._one_by_one.address_rates
        is_crowded = [not rates.has_room(len(addresses))] * len(addresses)
        for at, number in events.rows.rates(0, len(events), is_watched=None)[1]:
            limit = rules[addresses[at][0]].address_events_per_minute
            is_crowded[at] |= rates.bound(addresses[at], number) > limit
        return is_crowded


def _limits(
    numbers: Sequence[tuple[int, int]], standing: Sequence[tuple[int, int]], limits: Sequence[int]
) -> dict[int, tuple[int, int, float]]:
    """As `Rows.too_many` is told."""
    return {
        at: (counted, last, limit)
        for (at, _number), (counted, last), limit in zip(numbers, standing, limits, strict=True)
    }


def _is_suspect(session: KnownSession, first_ms: int | None, rules: FraudRules) -> bool:
    """Whether the session is a reason to mark one of its events."""
    scan_ms = session.scan_time_ms
    if scan_ms is None:
        return session.is_foreign
    return first_ms is not None and first_ms < scan_ms - rules.before_scan_tolerance_ms


def _own_hours(events: CompiledEvents) -> Iterator[Hour]:
    """By the events' own times; those by sessions are found with the sessions."""
    for site_id, hour, is_any_without in events.rows.hours(HOUR_MS):
        yield EVENTS, site_id, hour
        if is_any_without:
            yield SCANS, site_id, hour
