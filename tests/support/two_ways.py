"""Events judged by Python and by the compiled way, and where the two are not equal."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from qrumb.v1 import collector_service_pb2 as pb
from qrumb_server.config import RpcSettings
from qrumb_server.enrich.address import Place, address_key
from qrumb_server.model import Caller, RawEvent, SitePolicy, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.rpc.collector import receipt_field
from qrumb_server.rpc.compiled_calls import Compiled
from qrumb_server.rpc.turns import Turns

__all__ = ["AGENT", "BATCHES", "NOW_MS", "Ways", "new_compiled"]

NOW_MS = 1_790_000_000_000
AGENT = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36"
)
DATA_CENTRE = "198.51.100.7"
BATCHES: dict[Source, Any] = {
    Source.BROWSER: pb.BatchCollectBrowserEventsRequest,
    Source.SERVER: pb.BatchCollectServerEventsRequest,
}


def new_compiled(**limits: int) -> Compiled:
    """With the rules as they are now, and the limits of a node but for those given."""
    rpc = RpcSettings()
    return Compiled(
        turns=Turns(),
        **{"max_event_bytes": rpc.max_event_bytes, "max_batch_events": rpc.max_batch_events, **limits},
    )


@dataclass
class Ways:
    """Both, under the same circumstances."""

    compiled: Compiled = field(default_factory=new_compiled)
    caller: Caller = field(default_factory=lambda: Caller(user_agent=AGENT, client_ip="192.0.2.1"))
    policy: SitePolicy = field(default_factory=SitePolicy)
    taken: int = 0
    """Events that the compiled way took."""
    given: int = 0

    def __post_init__(self) -> None:
        self._key = address_key(b"secret")

    def arrival(self) -> Arrival:
        """The moment of all calls; what a place is called depends on its address."""
        return Arrival(
            received_time_ms=NOW_MS,
            retention_ms=400 * 86_400_000,
            make_event_id=lambda event: f"made-{event.index}",
            enrichers=Enrichers(
                locate=lambda address: Place("DE", f"city {address}"),
                is_data_centre=lambda address: address == DATA_CENTRE,
                address_key=self._key,
                policy=lambda _site_id: self.policy,
            ),
        )

    def differences(self, events: Sequence[Any], source: Source) -> list[int]:
        """Places of events that the compiled way takes, and makes something else of than Python."""
        made = asyncio.run(self._compiled(BATCHES[source](events=events).SerializeToString(), source))
        if made is None:
            return []
        raw = [
            RawEvent(source=source, message=event, caller=self.caller, index=index)
            for index, event in enumerate(events)
        ]
        found = []
        for index, verdict in enumerate(judge(raw, self.arrival())):
            self.given += 1
            if made.records[index] is None:
                continue
            self.taken += 1
            record = verdict.record.SerializeToString() if isinstance(verdict, StampedEvent) else b""
            if (made.records[index], made.receipts[index]) != (record, receipt_field(verdict, self.arrival())):
                found.append(index)
        return found

    async def _compiled(self, request: bytes, source: Source) -> Any:
        call = await self.compiled.open(request, source, is_batch=True)
        return None if call is None else await call.judge(self.caller, self.arrival())
