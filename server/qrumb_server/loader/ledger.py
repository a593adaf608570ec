"""The ledger: what each segment added to each site's minute, counted when it is loaded.

received = stored + rejected - replayed (and what is still spooled); stored = unique + duplicate; of registrations of
scan sessions received = registered + rejected. An entry's identity is its segment and its place among the segment's
(site, minute) pairs, which never change, so that an entry sent again is recognised like a row.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from qrumb_server.instants import milliseconds
from qrumb_server.loader.compiled import CompiledEvents
from qrumb_server.loader.rows import LEDGER, PlacedEvent, PlacedLetter, PlacedRefusal, PlacedSession
from qrumb_server.model import is_site_id
from qrumb_server.ports import TableBatch

__all__ = [
    "COLUMNS",
    "ERASED",
    "EXPIRED",
    "MINUTE_MS",
    "Counts",
    "count_batch",
    "count_scans",
    "erased_ledger_batch",
    "expired_ledger_batch",
    "ledger_batch",
    "ledger_site",
    "replay_ledger_batch",
]

MINUTE_MS: Final = 60_000
COLUMNS: Final = (
    "received_count",
    "stored_count",
    "rejected_count",
    "unique_count",
    "duplicate_count",
    "conflict_count",
    "fraud_count",
    "replayed_count",
    "scan_received_count",
    "scan_registered_count",
    "scan_rejected_count",
    "new_session_count",
)
# Beginnings of the names of entries that count nothing, and say why rows are no longer there.
ERASED: Final = "erased-"
EXPIRED: Final = "expired-"
Place = tuple[str, str, int]
"""(segment_id, site_id, minute in milliseconds)"""
Counts = dict[Place, Counter[str]]
# Events of one second are counted at once.
_COUNTED_BY: Final = attrgetter(
    "row_id.segment_id",
    "event.row.site_id",
    "event.row.received_time.seconds",
    "event.row.is_duplicate",
    "event.row.is_fraud",
)


def count_batch(events: Sequence[PlacedEvent], letters: Iterable[PlacedLetter], conflicts: Iterable[int]) -> Counts:
    """Count attributed events and dead letters.

    Args:
        conflicts: places among `events` of duplicates whose payload is not the original's.
    """
    counts: Counts = {}
    for segment_id, site_id, time_ms, is_duplicate, is_fraud, number in _counted(events):
        entry = _entry(counts, segment_id, site_id, time_ms)
        entry["received_count"] += number
        entry["stored_count"] += number
        entry["duplicate_count" if is_duplicate else "unique_count"] += number
        entry["fraud_count"] += number * is_fraud
    for place in set(conflicts):
        segment_id, site_id, seconds, _is_duplicate, _is_fraud = _COUNTED_BY(events[place])
        _entry(counts, segment_id, site_id, seconds * 1000)["conflict_count"] += 1
    for letter in letters:
        entry = _entry(counts, letter.row_id.segment_id, letter.letter.site_id, letter.letter.received_time_ms)
        entry["received_count"] += 1
        entry["rejected_count"] += 1
    return counts


def count_scans(
    counts: Counts,
    sessions: Iterable[PlacedSession],
    refusals: Iterable[PlacedRefusal],
    new_sessions: Iterable[PlacedSession] = (),
) -> None:
    """Add registrations of scan sessions, repeated ones too, and those that were rejected.

    Args:
        new_sessions: for each row that was not there before, the registration that it was made of.
    """
    for placed in new_sessions:
        sent = placed.registration
        _entry(counts, placed.row_id.segment_id, sent.scan_session.site_id, sent.received_time_ms)[
            "new_session_count"
        ] += 1
    for placed in sessions:
        sent = placed.registration
        entry = _entry(counts, placed.row_id.segment_id, sent.scan_session.site_id, sent.received_time_ms)
        entry["scan_received_count"] += 1
        entry["scan_registered_count"] += 1
    for refused in refusals:
        refusal = refused.refusal
        entry = _entry(counts, refused.row_id.segment_id, refusal.site_id, refusal.received_time_ms)
        entry["scan_received_count"] += refusal.number
        entry["scan_rejected_count"] += refusal.number


def ledger_batch(counts: Mapping[Place, Mapping[str, int]]) -> TableBatch:
    """The rows of events.ledger."""
    # Places of events come first, under the numbers that they had before registrations were counted.
    places = sorted(counts, key=lambda place: (place[0], not counts[place].get("received_count", 0), place))
    numbers: list[int] = []
    for index, place in enumerate(places):
        is_same_segment = index > 0 and places[index - 1][0] == place[0]
        numbers.append(numbers[-1] + 1 if is_same_segment else 0)
    columns: dict[str, list[Any]] = {
        "minute_time": [minute for _segment, _site, minute in places],
        "site_id": [site_id for _segment, site_id, _minute in places],
        **{name: [counts[place].get(name, 0) for place in places] for name in COLUMNS},
        "segment_id": [segment_id for segment_id, _site, _minute in places],
        "segment_row": numbers,
    }
    return TableBatch(table=LEDGER, columns=list(columns), data=list(columns.values()))


def replay_ledger_batch(events: Sequence[PlacedEvent], conflicts: Iterable[int]) -> TableBatch:
    """What replayed letters add: one entry each, under the name of its row, since they are replayed one by one."""
    conflicting = set(conflicts)
    columns: dict[str, list[Any]] = {name: [0] * len(events) for name in COLUMNS}
    for place, placed in enumerate(events):
        row = placed.event.row
        for name in ("stored_count", "replayed_count", "duplicate_count" if row.is_duplicate else "unique_count"):
            columns[name][place] = 1
        columns["conflict_count"][place] = int(place in conflicting)
        columns["fraud_count"][place] = row.is_fraud
    columns["minute_time"] = [_minute(milliseconds(placed.event.row.received_time)) for placed in events]
    columns["site_id"] = [placed.event.row.site_id for placed in events]
    columns["segment_id"] = [placed.row_id.segment_id for placed in events]
    columns["segment_row"] = [placed.row_id.segment_row for placed in events]
    return TableBatch(table=LEDGER, columns=list(columns), data=list(columns.values()))


def erased_ledger_batch(letters: Sequence[Mapping[str, Any]]) -> TableBatch:
    """That dead letters were erased, which the ledger goes on counting as rejected: an entry of zeros for each, under a
    name made of its place.

    Args:
        letters: rows with site_id, received_time, segment_id and segment_row.
    """
    return _zeros(
        sites=[letter["site_id"] for letter in letters],
        times_ms=[letter["received_time"] for letter in letters],
        segments=[f"{ERASED}{letter['segment_id']}" for letter in letters],
        rows=[letter["segment_row"] for letter in letters],
    )


def expired_ledger_batch(limits_ms: Mapping[str, int]) -> TableBatch:
    """That all rows of a site that were received before a time were deleted, which the ledger goes on counting: an
    entry of zeros at that time."""
    sites = sorted(limits_ms)
    times = [limits_ms[site] for site in sites]
    return _zeros(
        sites=sites, times_ms=times, segments=[f"{EXPIRED}{time}" for time in times], rows=list(range(len(sites)))
    )


def _zeros(
    *, sites: Sequence[str], times_ms: Sequence[int], segments: Sequence[str], rows: Sequence[int]
) -> TableBatch:
    columns: dict[str, Sequence[Any]] = {
        "minute_time": [_minute(time) for time in times_ms],
        "site_id": [ledger_site(site) for site in sites],
        **{name: [0] * len(sites) for name in COLUMNS},
        "segment_id": segments,
        "segment_row": rows,
    }
    return TableBatch(table=LEDGER, columns=list(columns), data=list(columns.values()))


def ledger_site(site_id: str) -> str:
    """The site under which the ledger counts: what is not a site's name counts under the empty one, since names can
    be made up."""
    return site_id if is_site_id(site_id) else ""


def _minute(time_ms: int) -> int:
    return time_ms // MINUTE_MS * MINUTE_MS


def _counted(events: Sequence[PlacedEvent]) -> Iterable[tuple[str, str, int, int, int, int]]:
    """Segment, site, a time within the minute, is_duplicate, is_fraud, and how many events have these."""
    if isinstance(events, CompiledEvents):
        yield from events.rows.counts(MINUTE_MS)
        return
    for (segment_id, site_id, seconds, is_duplicate, is_fraud), number in Counter(map(_COUNTED_BY, events)).items():
        yield segment_id, site_id, seconds * 1000, is_duplicate, is_fraud, number


def _entry(counts: Counts, segment_id: str, site_id: str, received_ms: int) -> Counter[str]:
    return counts.setdefault((segment_id, ledger_site(site_id), _minute(received_ms)), Counter())
