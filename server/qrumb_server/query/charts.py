"""What events add up to: the live tail, counts over time, the funnel of each QR code. Attributed at query time."""

from qrumb.v1 import query_service_pb2 as pb
from qrumb_server.ports import Clock, Writes
from qrumb_server.query.attribution import attribute_conversions
from qrumb_server.query.counts import count_events
from qrumb_server.query.funnels import follow_scans
from qrumb_server.query.reads import Reader
from qrumb_server.query.tail import Tail

__all__ = ["Charts"]


class Charts:
    """Reads for one node. Calls block; every one may raise a StoreError."""

    def __init__(self, *, store: Reader, clock: Clock, writes: Writes | None = None) -> None:
        self._store = store
        self._clock = clock
        self._tail = Tail(store=store, clock=clock, writes=writes)

    def tail(self, request: pb.TailEventsRequest) -> pb.TailEventsResponse:
        """See `tail.Tail`."""
        return self._tail.answer(request)

    def count(self, request: pb.CountEventsRequest) -> pb.CountEventsResponse:
        """See `counts.count_events`."""
        return count_events(self._store, request, self._clock.now_ms())

    def funnel(self, request: pb.GetFunnelRequest) -> pb.GetFunnelResponse:
        """See `funnels.follow_scans`."""
        return follow_scans(self._store, request, self._clock.now_ms())

    def attribution(self, request: pb.GetAttributionRequest) -> pb.GetAttributionResponse:
        """See `attribution.attribute_conversions`."""
        return attribute_conversions(self._store, request, self._clock.now_ms())
