"""ValidatorService: the JSON text of one event in, the verdict of collecting out. Nothing is stored.

A call is always answered OK, since a rejected text is what the caller asked about.
"""

from collections.abc import Callable, Iterable
from typing import Any

import grpc

from qrumb.v1 import validator_service_pb2 as pb
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb.v1.validator_service_pb2_grpc import ValidatorServiceServicer
from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reading.body import read_single, unread
from qrumb_server.reading.text import NotJsonError
from qrumb_server.rpc.caller import read_caller
from qrumb_server.rpc.collector import event_receipt
from qrumb_server.rpc.preview import NOTHING, Preview, Previewed, without_lookups

__all__ = ["Validator"]

Context = grpc.aio.ServicerContext[Any, Any]


class Validator(ValidatorServiceServicer):
    """Judges texts.

    Args:
        new_arrival: the circumstances of this moment.
        preview: the row that an event would become.
        may_look_up: whether the caller may see in it what the store knows of the site's visitors.
    """

    def __init__(
        self,
        *,
        new_arrival: Callable[[], Arrival],
        preview: Preview = without_lookups,
        may_look_up: Callable[[Context, Iterable[str]], bool] = lambda _context, _site_ids: True,
    ) -> None:
        self._new_arrival = new_arrival
        self._preview = preview
        self._may_look_up = may_look_up

    async def ValidateBrowserEvent(
        self, request: pb.ValidateBrowserEventRequest, context: Context
    ) -> pb.ValidateBrowserEventResponse:
        """The text of one browser event."""
        receipt, previewed = await self._judge(request.body.data, Source.BROWSER, context)
        return pb.ValidateBrowserEventResponse(
            receipt=receipt, row=next(iter(previewed.rows), None), is_incomplete=previewed.is_incomplete
        )

    async def ValidateServerEvent(
        self, request: pb.ValidateServerEventRequest, context: Context
    ) -> pb.ValidateServerEventResponse:
        """The text of one server event."""
        receipt, previewed = await self._judge(request.body.data, Source.SERVER, context)
        return pb.ValidateServerEventResponse(
            receipt=receipt, row=next(iter(previewed.rows), None), is_incomplete=previewed.is_incomplete
        )

    async def _judge(self, text: bytes, source: Source, context: Context) -> tuple[EventReceipt, Previewed]:
        arrival = self._new_arrival()
        verdict = _judge_text(text, source, read_caller(context), arrival)
        previewed = NOTHING
        if isinstance(verdict, StampedEvent):
            accepted = verdict.record.accepted_event
            is_trusted = self._may_look_up(context, [accepted.row.site_id])
            previewed = await (self._preview if is_trusted else without_lookups)([accepted])
        return event_receipt(verdict, arrival, dry=True), previewed


def _judge_text(text: bytes, source: Source, caller: Caller, arrival: Arrival) -> StampedEvent | Rejected:
    try:
        read = read_single(text, source).event
    except NotJsonError as error:
        read = unread(text, error, source)
    raw = RawEvent(source=source, message=read.message, caller=caller, index=0, reading=read.reading)
    [verdict] = judge([raw], arrival)
    return verdict
