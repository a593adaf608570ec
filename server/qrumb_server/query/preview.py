"""AttributionService: the rows that events would become, for dry runs; nothing is learnt, counted or stored."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import grpc

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.errors import StoreError
from qrumb_server.loader.attribute import Attributor
from qrumb_server.loader.lookups import Lookups
from qrumb_server.loader.rows import PlacedEvent, RowId
from qrumb_server.model import SitePolicy
from qrumb_server.ports import EventStore
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.wire.v1 import attribution_service_pb2 as pb
from qrumb_server.wire.v1.attribution_service_pb2_grpc import AttributionServiceServicer
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

__all__ = ["Previews"]


class Previews(AttributionServiceServicer):
    """Attributes beside the loader, with the loader's own code and nothing of its memory."""

    def __init__(
        self,
        *,
        store: EventStore,
        monotonic: Callable[[], float],
        policy: Callable[[str], SitePolicy],
        executor: Executor,
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._policy = policy
        self._executor = executor

    async def PreviewRows(
        self, request: pb.PreviewRowsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.PreviewRowsResponse:
        """One batch."""
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.run_in_executor(self._executor, self._attribute, request.events)
        except StoreError as error:
            raise RequestFault(calls.STORE_UNAVAILABLE) from error
        return pb.PreviewRowsResponse(rows=rows)

    def _attribute(self, events: Sequence[AcceptedEvent]) -> list[EventRow]:
        placed = [
            PlacedEvent(row_id=RowId(segment_id="preview", segment_row=place), event=event)
            for place, event in enumerate(events)
        ]
        attributor = Attributor(Lookups(self._store, monotonic=self._monotonic), self._policy)
        attributor.apply(attributor.attribute(placed, [], uncertain=False))
        return [event.row for event in events]
