"""Erasing a person changes no row that the person's identifiers do not name, and no number.

The stories are those of test_any_order; who may be touched is worked out from the set of things alone.
"""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.pipeline.identity import identifiers_of, user_name
from qrumb_server.store.embedded import EmbeddedStore
from tests.property.loader.test_any_order import (
    MINUTE_MS,
    Batch,
    Event,
    Registration,
    Thing,
    as_record,
    event_id,
    identified,
    read,
    stories,
    users,
)
from tests.support.examples import examples
from tests.support.mini_node import MiniNode, SettableClock, running_mini_node

pytestmark = [pytest.mark.chdb, pytest.mark.slow]

EVER: Any = {"from_time": Timestamp(seconds=0), "to_time": Timestamp(seconds=10_000_000_000)}
numbers = count(1)
people = st.one_of(
    st.builds(UserIdentifiers, external_id=st.sampled_from(["ext-a", "ext-b", "ext-c"])),
    st.builds(UserIdentifiers, email_hash=st.sampled_from(["a", "b", "c"]).map(lambda name: f"{name}1".ljust(64, "0"))),
    st.builds(UserIdentifiers, phone_hash=st.sampled_from(["a", "b", "c"]).map(lambda name: f"{name}2".ljust(64, "0"))),
)
Row = Mapping[str, Any]


@settings(max_examples=examples(16), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories(), person=people)
async def test_an_erasure_touches_one_person_and_no_number(
    story: tuple[list[Thing], list[Batch]], person: UserIdentifiers, store: EmbeddedStore, base_ms: int
) -> None:
    """Before and after it: rows of others, their users, the funnel. And an exact repeat of all, scans included, brings
    nobody back."""
    things, batches = story
    site_id = f"erased-{next(numbers)}"  # begins the names of its sessions, as erasure's own do
    sent = [thing for thing in things if isinstance(thing, Event)]
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        clock = SettableClock(base_ms + 30 * MINUTE_MS)
        async with running_mini_node(Path(folder), store, clock, policies={}) as node:
            arrivals = [arrival for batch, _trouble in batches for arrival in batch]
            await send(node, arrivals, site_id, base_ms)
            rows, seen, funnel = stored(store, site_id), attributed(store, site_id), await funnels(node, site_id)
            request = privacy_pb.EraseSubjectRequest(site_id=site_id, user_identifiers=person)
            await node.erase(lambda: node.privacy.EraseSubject(request))
            mine = names_of(person, sent, site_id, base_ms)
            may_change = touched(mine, things, seen, site_id, base_ms)
            for place, row in stored(store, site_id).items():
                if row["event_id"] not in may_change:
                    before = rows[place]
                    if before["user_id"] in mine:  # stored with the person's name, and another's by now
                        before = {**before, **{name: row[name] for name in ("user_id", "user_id_source")}}
                    assert row["user_id"] not in mine
                    assert row == before, "a row of somebody else was changed"
            after = attributed(store, site_id)
            assert after.keys() == seen.keys()
            for one, row in after.items():
                assert row["qr_code_id"] == seen[one]["qr_code_id"]
                assert row["user_id"] not in mine, "the person is still there"
                if one not in may_change:
                    assert row["user_id"] == seen[one]["user_id"]
            assert await funnels(node, site_id) == funnel
            await send(node, [(0, thing) for thing in things], site_id, base_ms)
            repeated = attributed(store, site_id)
            assert {one: row["user_id"] for one, row in repeated.items()} == {
                one: row["user_id"] for one, row in after.items()
            }, "a repeat brought somebody back"
            assert await funnels(node, site_id) == funnel
            for one in sorted(after)[:3]:
                receipt = await node.queries.GetReceipt(pb.GetReceiptRequest(site_id=site_id, event_id=one))
                assert receipt.conflict_count == 0


async def send(node: MiniNode, arrivals: Iterable[tuple[int, Thing]], site_id: str, base_ms: int) -> None:
    """Let the workers take them, and the loader."""
    for worker, thing in arrivals:
        node.clock.tick()
        await node.append(worker, [as_record(node, thing, site_id, base_ms).SerializeToString()])
    await node.load()


def stored(store: EmbeddedStore, site_id: str) -> dict[tuple[str, int], Row]:
    """All columns by place."""
    return {(row["segment_id"], row["segment_row"]): row for row in read(store, "*", "valid_events", site_id)}


def attributed(store: EmbeddedStore, site_id: str) -> dict[str, Row]:
    """What is said of each event, by its id."""
    return {row["event_id"]: row for row in read(store, "event_id, qr_code_id, user_id", "attributed_events", site_id)}


async def funnels(node: MiniNode, site_id: str) -> list[tuple[str, int, int, int]]:
    """Counts by QR code."""
    answer = await node.queries.GetFunnel(pb.GetFunnelRequest(site_id=site_id, **EVER))
    return [(one.qr_code_id, one.scan_count, one.visit_count, one.conversion_count) for one in answer.funnels]


def names_of(person: UserIdentifiers, sent: Sequence[Event], site_id: str, base_ms: int) -> set[str]:
    """The user that the identifier names, the account that a hash is alone with, and the hashes of that account."""
    labels, _owners = users(sent, site_id, base_ms)
    others: dict[str, set[str]] = {}
    for event in sent:
        if event.number in labels:
            identifiers = identifiers_of(identified(event, site_id, base_ms).user_identifiers)
            for kind, value in identifiers.items():
                if (name := user_name(site_id, kind, value)) != labels[event.number].user_id:
                    others.setdefault(name, set()).add(labels[event.number].user_id)
    [(kind, value)] = identifiers_of(person).items()
    mine: set[str] = set()
    waiting = [user_name(site_id, kind, value)]
    while waiting:
        name = waiting.pop()
        if name not in mine:
            mine.add(name)
            alone = others.get(name, set())
            waiting += alone if len(alone) == 1 else ()
            waiting += [one for one, seen_with in others.items() if seen_with == {name}]
    return mine


def touched(
    mine: set[str],
    things: Sequence[Thing],
    seen: Mapping[str, Row],
    site_id: str,
    base_ms: int,
) -> set[str]:
    """Events that name the person, those that are taken for the person's, and those of the person's own session."""
    sent = [thing for thing in things if isinstance(thing, Event)]
    labels, _owners = users(sent, site_id, base_ms)
    found = set()
    for event in sent:
        one = event_id(event)
        if event.number in labels:
            if {labels[event.number].user_id, seen[one]["user_id"]} & mine:
                found.add(one)
            continue
        named = {labels[other.number].user_id for other in sent if other.session == event.session
                 and other.number in labels}  # fmt: skip
        named |= {
            thing.user
            for thing in things
            if isinstance(thing, Registration) and thing.session == event.session and thing.user
        }
        if seen[one]["user_id"] in mine or (named and named <= mine):
            found.add(one)
    return found
