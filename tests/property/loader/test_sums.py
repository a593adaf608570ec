"""Sums of hours say what the rows say, whatever happened in whatever order.

The stories are those of test_any_order, over several hours: sessions registered late or moved, both sides' copies of an
event, repeats, loaders that die. Between the batches sums are made, or their maker dies, rules change, people are
erased.
"""

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.loader.progress import Progress
from qrumb_server.model import FraudRules, SitePolicy
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.upkeep.sums_check import SumsCheck
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from tests.property.loader.test_any_order import Event, Thing, Trouble, as_record, events, load, registrations
from tests.support.examples import examples, is_drawn
from tests.support.mini_node import LoaderDied, MiniNode, SettableClock, running_mini_node
from tests.support.sums import HOUR_MS, KilledAtMutation, compare_sums, make_sums

pytestmark = [pytest.mark.chdb, pytest.mark.slow]

# Of the stories' minutes, so that they fall into several hours.
MINUTES = 25
numbers = count(1)
POLICIES = [SitePolicy(fraud=FraudRules(before_scan_tolerance_ms=tolerance)) for tolerance in (0, 5 * HOUR_MS)]
tables = st.sampled_from(("valid_events", "scan_sessions", "identity_links", "user_scans", "changed_hours", "ledger"))
Step = tuple[str, Any]
steps = st.one_of(
    st.tuples(st.just("sums"), st.none() | st.integers(0, 4)),
    st.tuples(st.just("trouble"), st.builds(Trouble, table=tables, is_stored=st.booleans(), dies=st.booleans())),
    st.tuples(st.just("erase"), st.sampled_from(["ext-a", "ext-b"])),
    st.tuples(st.just("rules"), st.sampled_from(POLICIES)),
)


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[list[Thing], list[Step]]]:
    """Things in batches, some of them more than once, and what is done after each batch."""
    things: list[Thing] = [
        *draw(st.lists(registrations, min_size=1, max_size=4, unique=True)),
        *draw(st.lists(events, min_size=3, max_size=8, unique_by=lambda event: event.number)),
    ]
    sent = [thing for thing in things if isinstance(thing, Event)]
    again = draw(st.lists(st.sampled_from(things), max_size=2))
    # The same ids from the other side, or with another time.
    others = [
        replace(event, external="" if event.external else "ext-a", email="", phone="", minute=draw(st.integers(0, 5)))
        for event in draw(st.lists(st.sampled_from(sent), max_size=2))
    ]
    arrivals = draw(st.permutations([*things, *again, *others]))
    cuts = sorted(draw(st.sets(st.integers(1, len(arrivals)), max_size=3)) | {len(arrivals)})
    batches = [arrivals[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]
    return [(batch, draw(st.lists(steps, max_size=2))) for batch in batches]


# A smaller story would take minutes to find; what failed is printed as it was.
@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(story=stories(), is_alone=st.sampled_from((True, True, False)))
async def test_sums_say_what_rows_say(
    story: Sequence[tuple[list[Thing], list[Step]]], is_alone: bool, store: EmbeddedStore, base_ms: int
) -> None:
    """After each batch, with the sums there are (a question or another); and at the end, when all are made, each."""
    site_id, from_ms = f"sums-{next(numbers)}", base_ms - 12 * HOUR_MS
    policies = {site_id: POLICIES[0]}
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        clock = SettableClock(base_ms - 6 * HOUR_MS)
        async with running_mini_node(Path(folder), store, clock, policies=policies, is_alone=is_alone) as node:
            for things, steps_after in story:
                trouble = None
                for thing in things:
                    clock.tick()
                    later = replace(thing, minute=thing.minute * MINUTES)
                    await node.append(0, [as_record(node, later, site_id, from_ms).SerializeToString()])
                for verb, argument in steps_after:
                    if verb == "trouble":
                        trouble = argument
                await load(node, trouble)
                for step in steps_after:
                    await take(node, store, step, site_id, policies)
                compare_sums(store, site_id, from_ms, base_ms, is_asked=is_drawn)
            # A loader's marks outlive it, and then another takes them over.
            clock.set(base_ms + HOUR_MS)
            make_sums(store, node.loader.changes, clock)
            compare_sums(store, site_id, from_ms, base_ms)
            assert (
                SumsCheck(store=store, changes=node.loader.changes, clock=clock, progress=Progress()).run(site_id) == 0
            )
            [left] = store.query(
                "SELECT count() AS n FROM (SELECT 1 FROM events.changed_hours WHERE site_id = {site:String} "
                "GROUP BY hour_time, marker HAVING argMax(is_settled, version) = 0)",
                {"site": site_id},
            )
            assert left["n"] == 0


async def take(node: MiniNode, store: EmbeddedStore, step: Step, site_id: str, policies: dict[str, SitePolicy]) -> None:
    """Something that happens to stored rows, or to their sums."""
    verb, argument = step
    if verb == "sums":
        dying = store if argument is None else KilledAtMutation(store, argument, LoaderDied())
        with suppress(LoaderDied):
            make_sums(dying, node.loader.changes, node.clock)
    elif verb == "erase":
        person = UserIdentifiers(external_id=argument)
        request = privacy_pb.EraseSubjectRequest(site_id=site_id, user_identifiers=person)
        await node.erase(lambda: node.privacy.EraseSubject(request))
    elif verb == "rules":
        policies[site_id] = argument
        await node.upkeep.Rescore(upkeep_pb.RescoreRequest(site_id=site_id))
