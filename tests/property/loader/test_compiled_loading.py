"""Batches that are read and attributed by columns become what they become as messages: byte for byte, and whatever the
loader remembers of them.

The store's answers are made up, since what is compared asks the same of it: sessions, owners, earlier arrivals.
"""

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.trace import NoOpTracer

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.instants import set_time
from qrumb_server.loader import velocity
from qrumb_server.loader.batch import read_batch, read_compiled
from qrumb_server.loader.by_columns import BatchAttributor
from qrumb_server.loader.changes import HOUR_MS
from qrumb_server.loader.compiled import COLUMNS, CompiledEvents, table_batch
from qrumb_server.loader.ledger import count_batch, ledger_batch
from qrumb_server.loader.lookups import Arrived, EventKey, KnownSession, Lookups, Original, SessionKey
from qrumb_server.loader.rows import RowId
from qrumb_server.model import FraudReason, FraudRules, SitePolicy
from qrumb_server.pipeline.identity import EMAIL, SESSION, SHARED, Key, Label, Link, user_name
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.spool.format import encode_frames, encode_header, new_segment_id, sealed_name
from qrumb_server.spool.reader import SegmentRef
from qrumb_server.store.native import encode_columns
from qrumb_server.store.schema.files import load_migrations, table_columns
from qrumb_server.traces.batches import BatchTraces
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter, Record, RegistrationRefusal, SessionRegistration
from tests.support.examples import examples

pytestmark = pytest.mark.skipif(not is_built(), reason="the compiled way is not built: it takes cargo")

NOW_MS: Final = 1_780_000_000_000 // HOUR_MS * HOUR_MS
TYPES: Final = table_columns(load_migrations())["events.valid_events"]
RULES: Final = {
    "strict": FraudRules(session_events_per_minute=2, address_events_per_minute=3, before_scan_tolerance_ms=1_000),
    "mild": FraudRules(ignored_reasons=frozenset({FraudReason.BOT, FraudReason.FOREIGN_SESSION})),
    "usual": FraudRules(),
}
HASH: Final = "ab" * 32
IDS: Final = (
    "00000000-0000-4000-8000-000000000001",
    "00000000-0000-4000-8000-000000000002",
    str(uuid.UUID(int=(NOW_MS - 5_000) << 80 | 0x7 << 76 | 0b10 << 62 | 3)),
    str(uuid.UUID(int=(NOW_MS + 86_400_000) << 80 | 0x7 << 76 | 0b10 << 62 | 4)),
)
SESSIONS: Final = ("", "scan-1", "scan-2", "scan-3", "scan-ü", "1 scan", "erased-name")


@st.composite
def accepted(draw: st.DrawFn) -> AcceptedEvent:
    """An event as some collector may have written it."""
    any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    consent = draw(st.sampled_from(["", "granted", "granted", "pending", "denied"]))
    reasons = draw(
        st.sampled_from([[], [], [], ["bot"], ["bot", "missing_agent"], ["missing_agent", "bot"], ["x", "x"]])
    )
    row = EventRow(
        event_id=draw(st.sampled_from(IDS) | st.uuids(version=4).map(str)),
        site_id=draw(st.sampled_from(list(RULES))),
        scan_session_id=draw(st.sampled_from(SESSIONS)),
        event_type=draw(st.sampled_from(["pageview", ""])),
        event_name=draw(st.sampled_from(["purchase", ""])),
        source=draw(st.sampled_from(["browser", "server"])),
        page_url=draw(any_text),
        city=draw(any_text),
        conversion_value=draw(st.sampled_from(["", "49.90", "-0.0001", "99999999999999.9999", "7", "0"])),
        metadata=draw(st.sampled_from(["{}", '{"a":"ü"}'])),
        is_fraud=draw(st.sampled_from([int(bool(reasons)), int(bool(reasons)), 1])),
        consent=consent,
        fraud_reasons=reasons,
        fingerprint=draw(st.integers(0, 3) | st.integers(0, 2**64 - 1)),
        unknown_fields=draw(st.lists(any_text, max_size=3)),
    )
    set_time(row.received_time, NOW_MS + draw(st.integers(-90_000, 90_000)))
    set_time(row.event_time, NOW_MS + draw(st.integers(-7_200_000, 10_000)))
    if draw(st.integers(0, 4)) == 0:
        set_time(row.client_event_time, draw(st.sampled_from([NOW_MS, -2_208_988_800_001, 10_413_792_000_000, 5])))
    event = AcceptedEvent(row=row, ip_key=draw(st.sampled_from(["", "k1", "k2"])))
    event.event_id_generated, event.retried = draw(st.booleans()), draw(st.integers(0, 9)) == 0
    if draw(st.integers(0, 3)) == 0:
        sent = UserIdentifiers(
            external_id=draw(st.sampled_from(["", "ann", "bob"])), email_hash=draw(st.sampled_from(["", HASH]))
        )
        event.user_identifiers.CopyFrom(sent)
    return event


others = st.sampled_from(
    [
        Record(dead_letter=DeadLetter(site_id="usual", received_time_ms=NOW_MS)),
        Record(session_registration=SessionRegistration(received_time_ms=NOW_MS)),
        Record(registration_refusal=RegistrationRefusal(site_id="usual", received_time_ms=NOW_MS, number=2)),
    ]
)
records = st.one_of(*[accepted().map(lambda event: Record(accepted_event=event))] * 6, others)
segments = st.lists(st.lists(records, min_size=1, max_size=9), min_size=1, max_size=3)

known_sessions = st.dictionaries(
    st.tuples(st.sampled_from(list(RULES)), st.sampled_from(SESSIONS[1:])),
    st.sampled_from(
        [
            KnownSession(qr_code_id="poster", scan_time_ms=NOW_MS - 60_000),
            KnownSession(qr_code_id="flyer", scan_time_ms=NOW_MS + 60_000, user_id="redirected", user_time_ms=5),
            KnownSession(qr_code_id="flood", scan_time_ms=NOW_MS - 60_000, is_of_flood=True),
            KnownSession(is_foreign=True),
        ]
    ),
)
known_owners = st.dictionaries(
    st.tuples(st.sampled_from(list(RULES)), st.just(SESSION), st.sampled_from(SESSIONS[1:]))
    | st.sampled_from(list(RULES)).map(lambda site: (site, EMAIL, user_name(site, "email_hash", HASH))),
    st.sampled_from([Label(NOW_MS - 90_000, "ann"), Label(NOW_MS + 1, "carl"), SHARED]),
)
known_arrivals = st.dictionaries(
    st.tuples(st.sampled_from(list(RULES)), st.sampled_from(IDS), st.sampled_from(["browser", "server"])),
    st.builds(
        Original,
        fingerprint=st.integers(0, 3),
        event_ms=st.just(NOW_MS - 3_600_000),
        times=st.just([NOW_MS - 3_600_000]),
        session_ids=st.sampled_from([["scan-1"], [""]]),
    ),
)
erased_names = st.dictionaries(
    st.tuples(st.sampled_from(list(RULES)), st.sampled_from(SESSIONS[1:])), st.just("erased-name"), max_size=1
)


class Store(NamedTuple):
    """What is stored."""

    sessions: Mapping[SessionKey, KnownSession]
    owners: Mapping[Key, Label]
    originals: Mapping[EventKey, Original]
    names: Mapping[SessionKey, str]


class Answers:
    """In the place of `Lookups`: answers of a store that are made up."""

    def __init__(self, store: Store, firsts: Collection[RowId]) -> None:
        self._sessions, self._owners, self._originals, self._names = store
        self._firsts = firsts
        self.erased = self
        self.learnt: list[Mapping[Link, int]] = []

    def names(self, keys: Collection[SessionKey]) -> dict[SessionKey, str]:
        """Of erased sessions."""
        return {key: self._names[key] for key in keys if key in self._names}

    def sessions(self, keys: Collection[SessionKey]) -> dict[SessionKey, KnownSession]:
        """As `Lookups.sessions`."""
        return {key: self._sessions[key] for key in keys if key in self._sessions}

    def owners(self, keys: Collection[Key]) -> dict[Key, Label]:
        """As `Lookups.owners`, which finds what these lead to besides: here all that is known."""
        return dict(self._owners) if keys else {}

    def arrivals(self, events: Sequence[Arrived], _own: Collection[str]) -> dict[EventKey, Original]:
        """As `Lookups.arrivals`."""
        asked = {event_id for _site_id, event_id, _received in events}
        return {key: one for key, one in self._originals.items() if key[1] in asked}

    def stored_firsts(self, _segments: Collection[str]) -> Collection[RowId]:
        """As `Lookups.stored_firsts`."""
        return self._firsts

    def new_links(self, learnt: Mapping[Link, int]) -> dict[Link, int]:
        """None was stored before."""
        return dict(learnt)

    def learn_links(self, news: Mapping[Link, int]) -> None:
        """They were stored."""
        self.learnt.append(dict(news))


def write(folder: Path, batches: Sequence[Sequence[Record]]) -> list[SegmentRef]:
    """Sealed segments."""
    refs, segment_id = [], None
    for batch in batches:
        segment_id = new_segment_id(NOW_MS, segment_id)
        content = b"".join(
            (encode_header(segment_id), *encode_frames([one.SerializeToString() for one in batch], 0, segment_id))
        )
        path = folder / sealed_name(segment_id, len(batch))
        path.write_bytes(content)
        refs.append(SegmentRef(path=path, segment_id=segment_id, rows=len(batch), size_bytes=len(content)))
    return refs


def by_place(batch: Any) -> list[tuple[Any, ...]]:
    """What is not an event, in a form that compares."""
    return [
        *((one.row_id, one.letter.SerializeToString()) for one in batch.letters),
        *((one.row_id, one.registration.SerializeToString()) for one in batch.sessions),
        *((one.row_id, one.refusal.SerializeToString()) for one in batch.refusals),
    ]


@settings(max_examples=examples(600), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    batches=st.lists(segments, min_size=1, max_size=3),
    sessions=known_sessions,
    owners=known_owners,
    originals=known_arrivals,
    names=erased_names,
    uncertain=st.booleans(),
    max_keys=st.sampled_from([500_000, 500_000, 3]),
    data=st.data(),
)
def test_by_columns_is_as_by_messages(
    batches: list[list[list[Record]]],
    sessions: dict[SessionKey, KnownSession],
    owners: dict[Key, Label],
    originals: dict[EventKey, Original],
    names: dict[SessionKey, str],
    uncertain: bool,
    max_keys: int,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Rows, ledger, links, hours, what is remembered for the next batch."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(velocity, "MAX_KEYS", max_keys)
        _compare(batches, Store(sessions, owners, originals, names), data, tmp_path_factory, uncertain=uncertain)


def _compare(
    batches: list[list[list[Record]]],
    store: Store,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
    *,
    uncertain: bool,
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    firsts: list[RowId] = []
    plain_answers, answers = (Answers(store, firsts) for _ in range(2))
    policies = {site_id: SitePolicy(fraud=rules) for site_id, rules in RULES.items()}
    plain_way, way = (BatchAttributor(cast(Lookups, one), policies.__getitem__) for one in (plain_answers, answers))
    for batch in batches:
        refs = write(folder, batch)
        plain, compiled = read_batch(refs), read_compiled(refs)
        assert isinstance(compiled.events, CompiledEvents)
        assert not isinstance(plain.events, CompiledEvents)
        assert list(compiled.events) == list(plain.events)
        assert by_place(compiled) == by_place(plain)
        assert compiled.last_received_ms == plain.last_received_ms
        rows = [placed.row_id for placed in plain.events]
        firsts[:] = data.draw(st.lists(st.sampled_from(rows), unique=True)) if rows and uncertain else []
        expected = plain_way.attribute(plain.events, plain.segment_ids, uncertain=uncertain)
        found = way.attribute(compiled.events, compiled.segment_ids, uncertain=uncertain)
        assert found.links == expected.links
        # Of an erased session the hours of its old name besides, which changes no answer.
        assert found.hours == expected.hours or (store.names and found.hours > expected.hours)
        assert {one[1] for one in found.asked} == {one[1] for one in expected.asked}
        assert [one[2] for one in found.asked] == sorted(one[2] for one in found.asked)
        assert found.conflicts == expected.conflicts
        assert {key: found.sessions.get(key) for key in expected.sessions} == expected.sessions
        plain_way.apply(expected)
        way.apply(found)
        if not plain.events:
            continue
        wanted, made = table_batch(plain.events), table_batch(compiled.events)
        columns = dict(zip(wanted.columns, wanted.data, strict=True))
        ordered = [columns[name] for name in made.columns]
        assert dict(zip(made.columns, map(list, made.data), strict=True)) == {
            name: list(map(_plain, values)) for name, values in columns.items()
        }
        assert made.native is not None
        assert made.native() == bytes(encode_columns(made.columns, ordered, TYPES))
        assert list(compiled.events) == list(plain.events)
        counts = [
            ledger_batch(_counted(one, events, plain.letters))
            for one, events in ((expected, plain.events), (found, compiled.events))
        ]
        assert counts[0] == counts[1]
        assert _remembered(way) == _remembered(plain_way)
    assert answers.learnt == plain_answers.learnt


def _counted(attribution: Any, events: Any, letters: Any) -> Any:
    kept, conflicts = attribution.kept(events, letters)
    assert kept is events, "all became messages for a letter of the collector"
    return count_batch(kept, letters, conflicts)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _remembered(way: BatchAttributor) -> tuple[Any, ...]:
    one = way._one_by_one
    rates = (one.session_rates, one.address_rates)
    return *((rate._window, rate._current, rate._last) for rate in rates), dict(one.retried_ids)


def test_the_types_are_the_tables() -> None:
    """As an insert would convert them."""
    assert {name: kind for name, kind, _number in COLUMNS} == {
        name: kind.removeprefix("LowCardinality(").removesuffix(")") if kind.startswith("LowC") else kind
        for name, kind in TYPES.items()
    }


ORDINARY: Final = AcceptedEvent(row=EventRow(event_id=IDS[0], site_id="usual", source="browser", metadata="{}"))


def _longer(record: bytes, more: bytes) -> bytes:
    """An accepted event with further bytes."""
    return record[:1] + bytes([record[1] + len(more)]) + record[2:] + more


def _odd() -> Iterable[tuple[str, bytes]]:
    row = ORDINARY.row.SerializeToString()

    def framed(inner: bytes) -> bytes:
        event = b"\x0a" + bytes([len(inner)]) + inner
        return b"\x0a" + bytes([len(event)]) + event

    def changed(**columns: Any) -> bytes:
        made = AcceptedEvent()
        made.CopyFrom(ORDINARY)
        for name, value in columns.items():
            setattr(made.row, name, value)
        return Record(accepted_event=made).SerializeToString()

    yield "a field of a later version", framed(row + b"\xc2\x3e\x01x")
    yield "a number of a later version", framed(row + b"\xf8\x01\x01")
    yield "a site that is there twice", framed(row + b"\x22\x05other")
    yield "no text", framed(row + b"\x5a\x02\xff\xfe")
    yield "a text in place of a number", framed(row + b"\xaa\x01\x01x")
    yield "an unknown consent", changed(consent="asked")
    yield "no UUID", changed(event_id="x")
    yield "a UUID in capitals", changed(event_id=IDS[0].upper().replace("0001", "000A"))
    yield "a mark that is not a truth", changed(is_fraud=2)
    yield "an amount that is none", changed(conversion_value="1e5")
    yield "an amount of five decimals", changed(conversion_value="1.00001")
    yield "an amount that is too large", changed(conversion_value="100000000000000")
    identified = Record(accepted_event=ORDINARY).SerializeToString()
    yield "identifiers that are not text", _longer(identified, b"\x12\x04\x0a\x02\xff\xfe")
    yield "a kind of a later version", b"\x3a\x01x"
    yield "nothing", b""
    yield "two kinds", framed(row) + b"\x12\x00"
    yield "broken", framed(row)[:-1]
    early = AcceptedEvent()
    early.CopyFrom(ORDINARY)
    early.row.event_time.seconds = -2_208_988_801
    yield "a time that no column holds", Record(accepted_event=early).SerializeToString()
    early.row.event_time.seconds, early.row.event_time.nanos = 0, -1
    yield "a time that is none", Record(accepted_event=early).SerializeToString()


@pytest.mark.parametrize(("what", "record"), [pytest.param(*one, id=one[0].replace(" ", "-")) for one in _odd()])
def test_a_batch_with_something_unusual_is_read_as_messages(what: str, record: bytes, tmp_path: Path) -> None:
    """All of it."""
    [ref] = write(tmp_path, [[Record(accepted_event=ORDINARY)]])
    content = ref.path.read_bytes() + b"".join(encode_frames([record], 1, ref.segment_id))
    path = tmp_path / sealed_name(ref.segment_id, 2)
    path.write_bytes(content)
    both = SegmentRef(path=path, segment_id=ref.segment_id, rows=2, size_bytes=len(content))
    assert isinstance(read_compiled([ref]).events, CompiledEvents)
    found = read_compiled([both])
    assert not isinstance(found.events, CompiledEvents), what
    assert found == read_batch([both])


@settings(max_examples=examples(600), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    batch=st.lists(records, min_size=1, max_size=5),
    at=st.integers(0, 10_000),
    noise=st.binary(max_size=30),
    cut=st.integers(0, 30),
    rows=st.integers(-2, 2),
)
def test_a_damaged_segment_is_read_as_by_messages(
    batch: list[Record], at: int, noise: bytes, cut: int, rows: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the disk did to it."""
    [ref] = write(tmp_path_factory.mktemp("spool"), [batch])
    content = ref.path.read_bytes()
    place = at % len(content)
    ref.path.write_bytes(content[:place] + noise + content[place + cut :])
    changed = SegmentRef(
        path=ref.path, segment_id=ref.segment_id, rows=max(0, ref.rows + rows), size_bytes=ref.path.stat().st_size
    )
    plain, compiled = read_batch([changed]), read_compiled([changed])
    assert list(compiled.events) == list(plain.events)
    assert by_place(compiled) == by_place(plain)
    assert (list(compiled.whole), list(compiled.damaged)) == (list(plain.whole), list(plain.damaged))


def test_each_traced_call_is_named_once(tmp_path: Path) -> None:
    """As by messages, where a letter or an event brings it, and where the batch turns out to be one of messages."""
    letter = Record(dead_letter=DeadLetter(site_id="usual"), traceparent="00-1")
    event = Record(accepted_event=ORDINARY, traceparent="00-2")
    odd = Record(traceparent="00-3")
    for records in ([letter, event], [event, letter], [letter, event, odd]):
        refs = write(tmp_path, [[letter, event], records])
        plain, compiled = (BatchTraces(NoOpTracer(), read).read(refs) for read in (read_batch, read_compiled))
        assert sorted(compiled.traceparents) == sorted(set(plain.traceparents))
