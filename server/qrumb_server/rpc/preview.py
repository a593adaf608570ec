"""The rows of a dry run: the loader attributes them; where it cannot, they lack what takes a look-up."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import grpc

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.pipeline.consent import as_stored
from qrumb_server.wire.v1.attribution_service_pb2 import PreviewRowsRequest
from qrumb_server.wire.v1.attribution_service_pb2_grpc import AttributionServiceStub
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

__all__ = ["Preview", "ask_loader", "without_lookups"]

Preview = Callable[[Sequence[AcceptedEvent]], Awaitable[Sequence[EventRow]]]

# A dry run must not hang because the store does; the gateway waits for five seconds.
PATIENCE_SECONDS: Final = 3.0


async def without_lookups(events: Sequence[AcceptedEvent]) -> Sequence[EventRow]:
    """The rows as far as a collector knows them."""
    return [as_stored(event.row) for event in events]


def ask_loader(open_channel: Callable[[], grpc.aio.Channel]) -> Preview:
    """A preview by the loader; its channel is opened at the first call."""
    channel: grpc.aio.Channel | None = None

    async def preview(events: Sequence[AcceptedEvent]) -> Sequence[EventRow]:
        nonlocal channel
        if not events:
            return []
        channel = channel or open_channel()
        try:
            answer = await AttributionServiceStub(channel).PreviewRows(
                PreviewRowsRequest(events=events), timeout=PATIENCE_SECONDS
            )
        except grpc.aio.AioRpcError:
            return await without_lookups(events)
        return answer.rows

    return preview
