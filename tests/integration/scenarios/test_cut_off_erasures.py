"""An erasure that is cut off after any of its statements is ended by the same request, and its record counts all."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from qrumb.v1 import privacy_service_pb2 as pb
from qrumb_server.errors import StoreUnavailableError
from qrumb_server.store.embedded import EmbeddedStore
from qrumb_server.upkeep.erasures import COUNTS
from tests.support.mini_node import MiniNode, SettableClock, running_mini_node
from tests.support.scenario import Play
from tests.support.scenario_checks import check_gone

pytestmark = pytest.mark.chdb

ANN = {"external_id": "ann-0815", "email_hash": "sha jane"}
# All that changes the store while a person is erased of whom there is something in each table, in this order.
STATEMENTS = 12
# After the new names were kept, the events blanked, their session renamed, and the last that names the person deleted.
CUTS = (2, 4, 5, 11)
WHOLE = {"event": 3, "rejected_event": 1, "scan_session": 1, "spooled_event": 0}


async def test_an_erasure_that_was_cut_off_counts_all_when_it_is_repeated(store: EmbeddedStore) -> None:
    """Also what arrived in between."""
    start_ms = int(time.time() * 1000) - 86_400_000
    with tempfile.TemporaryDirectory(prefix="qrumb-") as folder:
        async with running_mini_node(Path(folder), store, SettableClock(start_ms), policies={}) as node:
            for cut in CUTS:
                play = Play(node=node, prefix=f"cut{cut}", start_ms=start_ms, policies={})
                await send(play)
                request = pb.EraseSubjectRequest(site_id=play.site(None))
                request.user_identifiers.external_id = ANN["external_id"]
                with Cut(node, cut), pytest.raises(grpc.aio.AioRpcError):
                    await erase(node, request)
                more = {"event_id": "late", "scan_session_id": "scan-78", "user_identifiers": {**ANN}}
                await play.take("server", more, {})
                await node.load()
                answer = await erase(node, request)
                counted = {name.removesuffix("_count"): getattr(answer, name) for name in COUNTS}
                assert counted.pop("identity") >= 2
                assert counted == {**WHOLE, "event": 4, "shared_identifier": 0, "shared_session": 0}, f"cut {cut}"
                [record] = store.query(
                    "SELECT * FROM events.erasures WHERE site_id = {site:String}", {"site": request.site_id}
                )
                assert record["segment_id"] == answer.erasure_id, "the record tells who it was"
                assert {name: record[name] for name in COUNTS} == {name: getattr(answer, name) for name in COUNTS}
                check_gone(play, [*ANN.values(), f"{play.prefix}-scan-77"])
                [sessions] = store.query(
                    "SELECT uniqExact(scan_session_id) AS names, uniqExact(qr_code_id) AS codes "
                    "FROM events.valid_events WHERE site_id = {site:String} AND event_id != {late:UUID}",
                    {"site": request.site_id, "late": play.event_id("late")},
                )
                assert sessions == {"names": 1, "codes": 1}, "a session got two names"
            await send(play := Play(node=node, prefix="whole", start_ms=start_ms, policies={}))
            request.site_id = play.site(None)
            with Cut(node, STATEMENTS + 1) as never:
                await erase(node, request)
            assert never.done == STATEMENTS, "CUTS are no longer where they say"


async def send(play: Play) -> None:
    """A scan, a visit, a purchase twice, and an event that is rejected."""
    await play.take("register", {"scan_session_id": "scan-77", "qr_code_id": "qr-1", "user_id": ANN["external_id"]}, {})
    await play.take("browser", {"event_id": "e1", "scan_session_id": "scan-77"}, {})
    purchase = {"scan_session_id": "scan-77", "user_identifiers": {**ANN}}
    await play.take("server", {**purchase, "event_id": "e2"}, {})
    await play.take("server", {**purchase, "event_id": "e2"}, {})
    bad = {"event_id": "e3", "conversion_value": {"amount": 1, "currency": "XYZ"}}
    await play.take("server", {**purchase, **bad}, {"refused": ["INVALID_CURRENCY"]})
    await play.node.load()


async def erase(node: MiniNode, request: pb.EraseSubjectRequest) -> Any:
    """As a backend would ask for it."""
    return await node.erase(lambda: node.privacy.EraseSubject(request))


class Cut:
    """Within it the store fails from its `after`th change on, which it still makes."""

    def __init__(self, node: MiniNode, after: int) -> None:
        self._node = node
        self._after = after
        self.done = 0

    def __enter__(self) -> "Cut":
        for name in ("insert", "insert_missing", "mutate"):
            setattr(self._node.store, name, self._counting(getattr(self._node.store, name)))
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("insert", "insert_missing", "mutate"):
            delattr(self._node.store, name)

    def _counting(self, change: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            if self.done < self._after:
                change(*arguments)
                self.done += 1
            if self.done == self._after:
                raise StoreUnavailableError("it was killed")

        return call
