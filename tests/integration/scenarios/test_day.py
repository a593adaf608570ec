"""A whole day against an oracle of its own: every row, receipt, count and sum; and then twenty persons are erased.

On one node and on two before one store, with loaders that die in the middle of inserts. See tests/support/day.py.
"""

import asyncio
import os
import random
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1 import query_service_pb2 as query_pb
from qrumb.v1 import scan_session_service_pb2 as session_pb
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.errors import OutcomeUnknownError
from qrumb_server.model import FraudReason, FraudRules, SitePolicy
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.wire.v1 import upkeep_service_pb2 as upkeep_pb
from tests.support.collector_calls import to_message
from tests.support.day import HOUR_MS, MINUTE_MS, Day, Sent, make_day
from tests.support.day_checks import (
    EVER,
    check_attribution,
    check_counts,
    check_funnel,
    check_gone,
    check_ledger,
    check_receipts,
    check_rejected,
    check_rows,
    erasable,
)
from tests.support.day_oracle import Event, Outcome, outcome_of
from tests.support.mini_node import AGENT_KEY, LoaderDied, MiniNode, SettableClock, running_mini_node

pytestmark = [
    pytest.mark.chdb,
    pytest.mark.slow,
    pytest.mark.timeout(300 + 0.3 * int(os.environ.get("DAY_ARRIVALS", "0"))),
]

# A day passes within a second here, so rates say nothing.
POLICY = SitePolicy(
    fraud=FraudRules(ignored_reasons=frozenset({FraudReason.SESSION_VELOCITY, FraudReason.ADDRESS_VELOCITY}))
)
TABLES = ("valid_events", "identity_links", "scan_sessions", "ledger", "invalid_events")
# `make soak` has days of 4,000.
ARRIVALS = int(os.environ.get("DAY_ARRIVALS", "250"))
ERASED = 20
numbers = count(1)


class Nodes:
    """One or two nodes before one store, whose loaders die now and then."""

    def __init__(self, nodes: Sequence[MiniNode], seed: int) -> None:
        self.nodes = nodes
        self._chance = random.Random(seed)

    async def send(self, day: Day) -> None:
        """Everything in its order, loaded whenever it happens."""
        for sent in day.sent:
            await self._send(sent)
            if self._chance.random() < 0.004:
                await asyncio.gather(*map(self._load, self.nodes))
        await asyncio.gather(*map(self._load, self.nodes))
        for node in self.nodes:
            await node.settle_races()

    async def register_again(self, day: Day) -> None:
        """Every scan of the day, when the nodes have learnt of an erasure on another one."""
        clock = self.nodes[0].clock
        clock.set(clock.now_ms() + 2 * MINUTE_MS)
        for sent in day.sent:
            if sent.kind == "register":
                await self._send(sent)
        for node in self.nodes:
            await node.load()

    async def _send(self, sent: Sent) -> None:
        node = self.nodes[sent.node]
        node.clock.tick()
        if sent.kind == "register":
            request = session_pb.RegisterScanSessionRequest(scan_session=ParseDict(sent.body, ScanSession()))
            await node.sessions[0].RegisterScanSession(request)
            return
        stub: Any = node.gateway[0]
        event: Any = to_message(sent.kind, sent.body)
        try:
            if sent.kind == "browser":
                metadata = [(AGENT_KEY, sent.agent)]
                await stub.CollectBrowserEvent(pb.CollectBrowserEventRequest(event=event), metadata=metadata)
            else:
                await stub.CollectServerEvent(pb.CollectServerEventRequest(event=event))
        except grpc.aio.AioRpcError as error:
            answer = error.details() or "refused"
        else:
            answer = ""
        assert bool(answer) == sent.is_bad, f"{answer or 'accepted'}: {sent.body}"

    async def _load(self, node: MiniNode) -> None:
        if self._chance.random() < 0.3:
            error = self._chance.choice([LoaderDied(), OutcomeUnknownError("connection lost")])
            table = f"events.{self._chance.choice(TABLES)}"
            node.store.fail_next(table, error, is_stored=self._chance.random() < 0.5)
        try:
            await node.load()
        except LoaderDied:
            await node.restart_loader()
            await node.load()
        node.store.recover()


@pytest.mark.parametrize(
    "number", [pytest.param(1, marks=pytest.mark.long, id="one node"), pytest.param(2, id="two nodes")]
)
async def test_a_day(number: int, store: EmbeddedStore) -> None:
    """Of ARRIVALS and a few more."""
    seed = next(numbers)
    base_ms = int(time.time() * 1000) - 24 * HOUR_MS
    day = make_day(seed, site_id=f"day{seed}", base_ms=base_ms, arrivals=ARRIVALS, nodes=number)
    outcome = outcome_of(day)
    policies = {day.site_id: POLICY, day.other_site_id: POLICY}
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        clock = SettableClock(base_ms + 24 * HOUR_MS)
        async with AsyncExitStack() as stack:
            nodes = []
            for at in range(number):
                path = Path(folder) / str(at)
                path.mkdir()
                nodes.append(await stack.enter_async_context(running_mini_node(path, store, clock, policies=policies)))
            both = Nodes(nodes, seed)
            await both.send(day)
            await check_day(nodes[0], day, outcome)
            await check_erasures(both, day, outcome)


async def check_day(node: MiniNode, day: Day, outcome: Outcome) -> None:
    """Everything that is asked about the day has one answer: the oracle's."""
    check_rows(read(node, day, "attributed_events"), outcome)
    ids = [*outcome.events, *outcome.rejected]
    receipts = {
        event_id: await node.queries.GetReceipt(query_pb.GetReceiptRequest(site_id=day.site_id, event_id=event_id))
        for event_id in ids
    }
    check_receipts(receipts, outcome)
    check_rejected(receipts[event_id] for event_id in outcome.rejected)
    check_funnel(await funnel(node, day), outcome)
    check_ledger(await node.queries.GetLedger(query_pb.GetLedgerRequest(site_id=day.site_id, **EVER)), outcome)
    attribution = query_pb.GetAttributionRequest(site_id=day.site_id, **EVER)
    check_attribution(await node.queries.GetAttribution(attribution), outcome)
    counts = query_pb.CountEventsRequest(site_id=day.site_id, bucket="WHOLE", **EVER)
    check_counts(await node.queries.CountEvents(counts), outcome)
    check = await node.upkeep.VerifyLedger(upkeep_pb.VerifyLedgerRequest())
    assert not [one for one in check.differences if one.site_id == day.site_id]


async def funnel(node: MiniNode, day: Day) -> query_pb.GetFunnelResponse:
    """Of all time."""
    return await node.queries.GetFunnel(query_pb.GetFunnelRequest(site_id=day.site_id, **EVER))


async def check_erasures(nodes: Nodes, day: Day, outcome: Outcome) -> None:
    """Twenty persons go, one after another, and their scans are registered again: no sum moves, no neighbour's row
    changes, nothing of them is left."""
    node = nodes.nodes[0]
    gone = erasable(day, outcome, ERASED)
    names = {("ext", one.external_id) for one in gone}
    accounts = {one.external_id for one in gone}
    # A redirect knew the person, though no event of the session said so.
    theirs = {sent.body["scan_session_id"] for sent in day.sent if sent.body.get("user_id") in accounts}
    kept = {
        event_id
        for event_id, event in outcome.events.items()
        if event.first.body["scan_session_id"] not in theirs and is_neighbour(event, names, outcome)
    }
    before = {row["event_id"]: row for row in read(node, day, "attributed_events") if row["event_id"] in kept}
    funnel_before = await funnel(node, day)
    for person in gone:
        request = privacy_pb.EraseSubjectRequest(site_id=day.site_id)
        request.user_identifiers.external_id = person.external_id
        answer = await node.erase(lambda request=request: node.privacy.EraseSubject(request))
        assert answer.event_count >= 1
    await nodes.register_again(day)
    after = {row["event_id"]: row for row in read(node, day, "attributed_events") if row["event_id"] in kept}
    assert after.keys() == before.keys()
    changed = {
        event_id: {name: (was, row[name]) for name, was in before[event_id].items() if was != row[name]}
        for event_id, row in after.items()
        if row != before[event_id]
    }
    assert changed == {}, f"{len(changed)} rows of neighbours"
    assert await funnel(node, day) == funnel_before
    check_gone(node.store.query, gone, filter(Path.is_file, node.spool_root.rglob("*")))


def is_neighbour(event: Event, names: set[tuple[str, str]], outcome: Outcome) -> bool:
    """None of the erased persons', nor of a scan session in which one of them was."""
    session = event.first.body["scan_session_id"]
    return event.token not in names and not any(
        other.token in names for other in outcome.events.values() if other.first.body["scan_session_id"] == session
    )


def read(node: MiniNode, day: Day, table: str) -> list[dict[str, Any]]:
    """Rows of the day's site."""
    sql = f"SELECT * FROM events.{table} WHERE site_id = {{site:String}} ORDER BY event_id"
    return node.store.query(sql, {"site": day.site_id})
