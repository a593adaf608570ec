"""The rows of a dry run: the loader attributes them; where it cannot, they lack what takes a look-up."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal, NamedTuple

import grpc

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.pipeline.consent import as_stored
from qrumb_server.wire.v1.attribution_service_pb2 import PreviewRowsRequest
from qrumb_server.wire.v1.attribution_service_pb2_grpc import AttributionServiceStub
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

__all__ = ["NOTHING", "Preview", "Previewed", "ask_loader", "without_lookups"]


class Previewed(NamedTuple):
    """The rows of a dry run."""

    rows: Sequence[EventRow]
    is_incomplete: Literal[True] | None
    """They lack what takes a look-up, or sessions that wait in the spool; None where they do not, or there are none."""


NOTHING: Final = Previewed((), is_incomplete=None)
"""No dry run, or no event that would be stored."""
Preview = Callable[[Sequence[AcceptedEvent]], Awaitable[Previewed]]

# A dry run must not hang because the store does; the gateway waits for five seconds.
PATIENCE_SECONDS: Final = 3.0


async def without_lookups(events: Sequence[AcceptedEvent]) -> Previewed:
    """The rows as far as a collector knows them."""
    return Previewed([as_stored(event.row) for event in events], is_incomplete=True if events else None)


def ask_loader(open_channel: Callable[[], grpc.aio.Channel]) -> Preview:
    """A preview by the loader; its channel is opened at the first call."""
    channel: grpc.aio.Channel | None = None

    async def preview(events: Sequence[AcceptedEvent]) -> Previewed:
        nonlocal channel
        if not events:
            return NOTHING
        channel = channel or open_channel()
        try:
            answer = await AttributionServiceStub(channel).PreviewRows(
                PreviewRowsRequest(events=events), timeout=PATIENCE_SECONDS
            )
        except grpc.aio.AioRpcError:
            return await without_lookups(events)
        return Previewed(answer.rows, is_incomplete=answer.is_incomplete or None)

    return preview
