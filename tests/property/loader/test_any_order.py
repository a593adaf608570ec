"""The order in which things arrive leaves no trace in events.attributed_events.

The same sessions and events, in any order and any batching, over two workers, with loaders that are started anew or
die and inserts of unknown outcome in between: the rows are those that a model works out from the set alone.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.consent_pb2 import Consent
from qrumb.v1.server_event_pb2 import ServerEvent
from qrumb_server.errors import OutcomeUnknownError
from qrumb_server.instants import set_time
from qrumb_server.model import Caller, FraudReason, FraudRules, RawEvent, SitePolicy, Source, StampedEvent
from qrumb_server.pipeline.identity import Label, identifiers_of, label_version, own_label, user_name
from qrumb_server.pipeline.run import judge
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.wire.v1.record_pb2 import Record, SessionRegistration
from tests.support.examples import examples
from tests.support.mini_node import LoaderDied, MiniNode, SettableClock, running_mini_node

pytestmark = [pytest.mark.chdb, pytest.mark.slow]

TABLES = ("valid_events", "identity_links", "scan_sessions", "ledger")
PEOPLE = ("", "a", "b", "c")
# A denied event forgets its session, so one that is registered later cannot reach it: left out here.
CONSENTS = {
    "": Consent.CONSENT_UNSPECIFIED,
    "granted": Consent.GRANTED,
    "pending": Consent.PENDING,
}
MINUTE_MS = 60_000
POLICY = SitePolicy(
    fraud=FraudRules(before_scan_tolerance_ms=MINUTE_MS // 2, ignored_reasons=frozenset({FraudReason.MISSING_AGENT}))
)
numbers = count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A scan, as a redirect registers it."""

    session: int
    code: str
    minute: int
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A browser's where it has no identifiers, else a backend's; its number names it."""

    number: int
    session: int
    minute: int
    consent: str
    external: str
    email: str
    phone: str

    @property
    def source(self) -> Source:
        """Which side sends it."""
        return Source.SERVER if self.external or self.email or self.phone else Source.BROWSER


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Before a batch is loaded: the loader is started anew, or the next insert into a table goes wrong."""

    table: str
    is_stored: bool
    dies: bool


Thing = Registration | Event
Batch = tuple[list[tuple[int, Thing]], Trouble | None]
"""What arrives, with the worker that takes it, and what goes wrong when it is loaded."""

registrations = st.builds(
    Registration,
    session=st.integers(0, 2),
    code=st.sampled_from(["qr-1", "qr-2"]),
    minute=st.integers(0, 4),
    user=st.sampled_from(["", "", "ext-a", "redirected"]),
)
events = st.builds(
    Event,
    number=st.integers(0, 9),
    session=st.integers(0, 2),
    minute=st.integers(0, 5),
    consent=st.sampled_from(["granted", "", "pending"]),
    external=st.sampled_from(["", "", "ext-a", "ext-b", "ext-c"]),
    email=st.sampled_from(["", *PEOPLE]),
    phone=st.sampled_from(["", *PEOPLE]),
)
troubles = st.none() | st.builds(
    Trouble, table=st.sampled_from(("restart", *TABLES)), is_stored=st.booleans(), dies=st.booleans()
)


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Thing], list[Batch]]:
    """A set of things, and one way for it to arrive."""
    things: list[Thing] = [
        *draw(st.lists(registrations, max_size=4, unique=True)),
        *draw(st.lists(events, min_size=2, max_size=9, unique_by=lambda event: event.number)),
    ]
    repeated = draw(st.lists(st.sampled_from(things), max_size=3))
    arrivals = [(draw(st.integers(0, 1)), thing) for thing in draw(st.permutations([*things, *repeated]))]
    cuts = sorted(draw(st.sets(st.integers(1, len(arrivals)), max_size=3)) | {len(arrivals)})
    batches = [arrivals[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    return things, [(batch, draw(troubles)) for batch in batches]


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories())
async def test_any_order_gives_the_same_attributed_events(
    story: tuple[list[Thing], list[Batch]], store: EmbeddedStore, base_ms: int
) -> None:
    """Exactly equal: QR code, user and where it comes from, consent, marks, and every event once."""
    things, batches = story
    site_id = f"site-{next(numbers)}"
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        clock = SettableClock(base_ms + 30 * MINUTE_MS)
        async with running_mini_node(Path(folder), store, clock, policies={site_id: POLICY}) as node:
            for batch, trouble in batches:
                for worker, thing in batch:
                    clock.tick()
                    await node.append(worker, [as_record(node, thing, site_id, base_ms).SerializeToString()])
                await load(node, trouble)
    found = {
        row["event_id"]: (
            row["qr_code_id"],
            row["user_id"],
            row["user_id_source"],
            row["consent"],
            row["fraud_reasons"],
        )
        for row in read(
            store, "event_id, qr_code_id, user_id, user_id_source, consent, fraud_reasons", "attributed_events", site_id
        )
    }
    assert found == expected(things, site_id, base_ms)
    [unique] = read(store, "count() AS n", "unique_events", site_id)
    [stored] = read(store, "count() AS n, sum(is_duplicate) AS duplicates", "valid_events", site_id)
    arrived = sum(isinstance(thing, Event) for batch, _trouble in batches for _worker, thing in batch)
    assert unique["n"] == len(found)
    assert (stored["n"], stored["duplicates"]) == (arrived, arrived - len(found))


def read(store: EmbeddedStore, what: str, table: str, site_id: str) -> list[dict[str, Any]]:
    """Rows of one site."""
    return store.query(f"SELECT {what} FROM events.{table} WHERE site_id = {{site:String}}", {"site": site_id})


async def load(node: MiniNode, trouble: Trouble | None) -> None:
    """Load what was sent, with the trouble on the way."""
    if trouble is not None and trouble.table == "restart":
        await node.restart_loader()
    elif trouble is not None:
        error = LoaderDied() if trouble.dies else OutcomeUnknownError("connection lost")
        node.store.fail_next(f"events.{trouble.table}", error, is_stored=trouble.is_stored)
    try:
        await node.load()
    except LoaderDied:
        await node.restart_loader()
        await node.load()
    node.store.recover()


def as_record(node: MiniNode, thing: Thing, site_id: str, base_ms: int) -> Record:
    """What a worker writes of it."""
    if isinstance(thing, Event):
        message = as_message(thing, site_id, base_ms)
        raw = RawEvent(source=thing.source, message=message, caller=Caller(), index=0)
        [verdict] = judge([raw], node.new_arrival())
        assert isinstance(verdict, StampedEvent)
        return verdict.record
    registration = SessionRegistration(received_time_ms=node.clock.now_ms())
    session = registration.scan_session
    session.site_id, session.scan_session_id = site_id, f"{site_id}-{thing.session}"
    session.qr_code_id, session.user_id = thing.code, thing.user
    set_time(session.scan_time, base_ms + thing.minute * MINUTE_MS)
    return Record(session_registration=registration)


def as_message(event: Event, site_id: str, base_ms: int) -> ServerEvent | BrowserEvent:
    """As it is sent."""
    if event.source is Source.BROWSER:
        visit = BrowserEvent(
            site_id=site_id,
            event_id=event_id(event),
            scan_session_id=f"{site_id}-{event.session}",
            event_type="pageview",
            consent=CONSENTS[event.consent],
        )
        set_time(visit.event_time, base_ms + event.minute * MINUTE_MS)
        return visit
    return identified(event, site_id, base_ms)


def identified(event: Event, site_id: str, base_ms: int) -> ServerEvent:
    """As a backend sends it."""
    message = ServerEvent(
        site_id=site_id,
        event_id=event_id(event),
        scan_session_id=f"{site_id}-{event.session}",
        event_name="lead",
        consent=CONSENTS[event.consent],
    )
    set_time(message.event_time, base_ms + event.minute * MINUTE_MS)
    message.conversion_value.amount, message.conversion_value.currency = event.number + 0.25, "EUR"
    message.user_identifiers.external_id = event.external
    message.user_identifiers.email_hash = event.email and f"{event.email}1".ljust(64, "0")
    message.user_identifiers.phone_hash = event.phone and f"{event.phone}2".ljust(64, "0")
    return message


def event_id(event: Event) -> str:
    """Its UUID."""
    return str(UUID(int=event.number, version=4))


def expected(things: Sequence[Thing], site_id: str, base_ms: int) -> dict[str, tuple[str, str, str, str, list[str]]]:
    """The rows that the set stands for."""
    sent = [thing for thing in things if isinstance(thing, Event)]
    labels, owners = users(sent, site_id, base_ms)
    rows = {}
    for event in sent:
        scans = [thing for thing in things if isinstance(thing, Registration) and thing.session == event.session]
        first = [labels[other.number] for other in sent if other.session == event.session and other.number in labels]
        name, source = "", ""
        if event.number in labels:
            name, source = labels[event.number].user_id, "identifiers"
        elif event.consent != "pending":
            name = min(first).user_id if first else earliest((scan.minute, scan.user) for scan in scans if scan.user)
            source = "session" if name else ""
        code = earliest((scan.minute, scan.code) for scan in scans)
        owner = owners.get(name, name)
        is_early = event.source is Source.BROWSER and bool(scans) and event.minute < min(scan.minute for scan in scans)
        marks = ["before_scan"] if is_early else []
        rows[event_id(event)] = code, owners.get(owner, owner), source, event.consent, marks
    return rows


def users(sent: Sequence[Event], site_id: str, base_ms: int) -> tuple[dict[int, Label], dict[str, str]]:
    """What each event calls its user, and the owner of each hash: the first user of a stronger identifier that it was
    seen with."""
    labels: dict[int, Label] = {}
    seen: dict[str, list[Label]] = {}
    for event in sent:
        identifiers = identifiers_of(identified(event, site_id, base_ms).user_identifiers)
        if event.consent == "pending" or not identifiers:
            continue
        own = labels[event.number] = own_label(site_id, identifiers, base_ms + event.minute * MINUTE_MS)
        for kind, value in identifiers.items():
            if (name := user_name(site_id, kind, value)) != own.user_id:
                seen.setdefault(name, []).append(own)
    return labels, {name: min(candidates).user_id for name, candidates in seen.items()}


def earliest(candidates: Iterable[tuple[int, str]]) -> str:
    """The text with the smallest number; a tie is decided as for users."""
    return max(((label_version(Label(number, text)), text) for number, text in candidates), default=(0, ""))[1]
