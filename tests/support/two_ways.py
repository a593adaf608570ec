"""Events judged by Python and by the compiled way, and where the two are not equal."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from qrumb.v1 import collector_service_pb2 as pb
from qrumb_server.config import RpcSettings
from qrumb_server.enrich.address import Place
from qrumb_server.enrich.address_key import address_key
from qrumb_server.model import Caller, RawEvent, Rejected, SitePolicy, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.reading.body import read_batch, read_single
from qrumb_server.rpc.collector import Say, receipt_field
from qrumb_server.rpc.compiled_calls import Compiled, JudgedCall
from qrumb_server.rpc.json_answers import receipt_text
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
        return self._compared(made, judge(raw, self.arrival()), receipt_field)

    def differences_of_json(self, body: bytes, source: Source, *, is_batch: bool = True) -> list[int]:
        """The same of a body. A call that it takes has the events that Python finds in it, in their places.

        Raises:
            NotJsonError: it takes what Python refuses.
        """
        call = asyncio.run(self.compiled.open(body, source, is_batch=is_batch, is_json=True))
        if call is None or call.call.unread():  # of such a call Python decides whether it is one
            return []
        made = asyncio.run(call.judge(self.caller, self.arrival()))
        items = read_batch(body).items if is_batch else [body]
        read = [read_single(item, source).event for item in items]
        raw = [
            RawEvent(source=source, message=event.message, caller=self.caller, index=index, reading=event.reading)
            for index, event in enumerate(read)
        ]
        assert len(raw) == len(made.records)
        assert call.sites == Counter(event.message.site_id for event in read)
        return self._compared(made, judge(raw, self.arrival()), receipt_text)

    def _compared(self, made: JudgedCall, verdicts: Iterable[StampedEvent | Rejected], say: Say) -> list[int]:
        found = []
        for index, verdict in enumerate(verdicts):
            self.given += 1
            if made.records[index] is None:
                continue
            self.taken += 1
            record = verdict.record.SerializeToString() if isinstance(verdict, StampedEvent) else b""
            if (made.records[index], made.receipts[index]) != (record, say(verdict, self.arrival(), dry=False)):
                found.append(index)
        return found

    async def _compiled(self, request: bytes, source: Source) -> Any:
        call = await self.compiled.open(request, source, is_batch=True)
        return None if call is None else await call.judge(self.caller, self.arrival())
