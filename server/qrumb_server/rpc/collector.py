"""CollectorService: events in, verdicts out. ACCEPTED is said only after the spool has synced the event."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

import grpc
from google.api.httpbody_pb2 import HttpBody

from qrumb.v1 import collector_service_pb2 as pb
from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb.v1.collector_service_pb2_grpc import CollectorServiceServicer
from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.receipt_pb2 import EventReceipt
from qrumb_server.instants import set_time
from qrumb_server.model import Caller, RawEvent, Rejected, Source, StampedEvent, is_site_id
from qrumb_server.pipeline.dead_letter import bury
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reasons import calls
from qrumb_server.reasons.events import add_help
from qrumb_server.rpc.caller import read_caller
from qrumb_server.rpc.compiled_calls import CompiledCall
from qrumb_server.rpc.faults import BatchRefused, EventRejected, RequestFault
from qrumb_server.rpc.metrics import AppendRecords
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.preview import NOTHING, Preview, Previewed, without_lookups
from qrumb_server.rpc.stream_window import StreamWindow
from qrumb_server.rpc.turns import Turns

__all__ = ["Collector", "event_receipt"]

Context = grpc.aio.ServicerContext[Any, Any]
Verdict = StampedEvent | Rejected


class Say(Protocol):
    """Makes of a verdict what its sender reads."""

    def __call__(self, verdict: Verdict, arrival: Arrival, *, dry: bool) -> Any: ...


def event_receipt(verdict: Verdict, arrival: Arrival, *, dry: bool = False) -> EventReceipt:
    """The verdict as its sender reads it."""
    if isinstance(verdict, Rejected):
        answer = EventReceipt(event_id=verdict.event_id, outcome=EventReceipt.REJECTED, violations=verdict.violations)
    else:
        answer = EventReceipt(
            event_id=verdict.record.accepted_event.row.event_id,
            outcome=EventReceipt.VALIDATED if dry else EventReceipt.ACCEPTED,
            warnings=verdict.warnings,
        )
    set_time(answer.received_time, arrival.received_time_ms)
    add_help(answer.violations, answer.warnings)
    return answer


def receipt_field(verdict: Verdict, arrival: Arrival, *, dry: bool = False) -> bytes:
    """The same as the field of a response; it has one number in all of them."""
    return pb.CollectBrowserEventResponse(receipt=event_receipt(verdict, arrival, dry=dry)).SerializeToString()


class _Judged(NamedTuple):
    """A verdict, and what becomes of it."""

    verdict: Verdict
    record: bytes
    """For the spool; empty on a dry run."""
    answer: Any
    """Its receipt, in the form that the caller takes."""


# A transparent GIF of one pixel.
PIXEL: Final = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
# Events of one stream that were read and whose receipts are not sent; beyond it flow control holds the sender.
STREAM_WINDOW: Final = 4_000
# And their bytes, so that streams of large events hold no more than a batch does. One event always fits.
STREAM_WINDOW_BYTES: Final = 4 * 1024 * 1024
# Events of a stream that are made durable together.
STREAM_GROUP: Final = 500


class Collector(CollectorServiceServicer):
    """Judges events and appends them to the worker's spool.

    Requests come opened (`rpc.opening`), within the limits of a call.

    Args:
        append: makes records durable, all or none; returns after the sync.
        new_arrival: the circumstances of this moment.
        turns: shares the event loop among long calls; also for those who write the answers.
        preview: the rows that accepted events of a dry run would become.
        may_look_up: whether the caller of a dry run may see in them what the store knows of a site's visitors.
        count: told the verdicts of what was made durable, and how many events of each site the compiled way accepted.
    """

    def __init__(
        self,
        *,
        append: AppendRecords,
        new_arrival: Callable[[], Arrival],
        turns: Turns,
        preview: Preview = without_lookups,
        may_look_up: Callable[[Context, Iterable[str]], bool] = lambda _context, _site_ids: True,
        count: Callable[[Sequence[Verdict], Mapping[str, int]], None] = lambda _verdicts, _accepted: None,
    ) -> None:
        self._append = append
        self._new_arrival = new_arrival
        self._preview = preview
        self._may_look_up = may_look_up
        self._count = count
        self.turns = turns
        self._stream_readers: set[asyncio.Task[None]] = set()
        self._ending_streams = asyncio.Event()

    def end_streams(self) -> None:
        """Read no more from any stream: each sends the receipts of what it has read and ends with UNAVAILABLE."""
        self._ending_streams.set()
        for reader in self._stream_readers:
            reader.cancel()

    async def CollectBrowserEvent(  # type: ignore[override]  # opened, in place of what it was sent as
        self, request: Opened, context: Context
    ) -> pb.CollectBrowserEventResponse | bytes:
        """One browser event."""
        if request.compiled:
            return b"".join(await self.collect_compiled(request, request.compiled, context, is_single=True))
        receipt, previewed = await self.collect_one(Source.BROWSER, request, context)
        return pb.CollectBrowserEventResponse(
            receipt=receipt, row=next(iter(previewed.rows), None), is_incomplete=previewed.is_incomplete
        )

    async def CollectServerEvent(  # type: ignore[override]
        self, request: Opened, context: Context
    ) -> pb.CollectServerEventResponse | bytes:
        """One server event."""
        if request.compiled:
            return b"".join(await self.collect_compiled(request, request.compiled, context, is_single=True))
        receipt, previewed = await self.collect_one(Source.SERVER, request, context)
        return pb.CollectServerEventResponse(
            receipt=receipt, row=next(iter(previewed.rows), None), is_incomplete=previewed.is_incomplete
        )

    async def BatchCollectBrowserEvents(  # type: ignore[override]
        self, request: Opened, context: Context
    ) -> pb.BatchCollectBrowserEventsResponse | bytes:
        """Several browser events."""
        if request.compiled:
            return b"".join(await self.collect_compiled(request, request.compiled, context, is_single=False))
        receipts, previewed = await self.collect_batch(Source.BROWSER, request, context)
        response = pb.BatchCollectBrowserEventsResponse(rows=previewed.rows, is_incomplete=previewed.is_incomplete)
        # Each is copied, which takes 10 ms where a thousand of them are rejected.
        await self.turns.run(map(response.receipts.append, receipts), size=request.size)
        return response

    async def BatchCollectServerEvents(  # type: ignore[override]
        self, request: Opened, context: Context
    ) -> pb.BatchCollectServerEventsResponse | bytes:
        """Several server events."""
        if request.compiled:
            return b"".join(await self.collect_compiled(request, request.compiled, context, is_single=False))
        receipts, previewed = await self.collect_batch(Source.SERVER, request, context)
        response = pb.BatchCollectServerEventsResponse(rows=previewed.rows, is_incomplete=previewed.is_incomplete)
        # Each is copied, which takes 10 ms where a thousand of them are rejected.
        await self.turns.run(map(response.receipts.append, receipts), size=request.size)
        return response

    async def StreamServerEvents(  # type: ignore[override]
        self, request_iterator: AsyncIterator[Opened], context: Context
    ) -> AsyncIterator[pb.StreamServerEventsResponse]:
        """Server events one after another; reading goes on while the disk syncs the ones before."""
        if self._ending_streams.is_set():
            raise RequestFault(calls.STOPPING)
        caller = read_caller(context)
        waiting: asyncio.Queue[Opened | None] = asyncio.Queue()
        window = StreamWindow(STREAM_WINDOW, STREAM_WINDOW_BYTES)

        async def read() -> None:
            # Room first, then an event: a reader that is told to stop holds no event that would go unanswered.
            await window.room()
            async for request in request_iterator:
                window.add(request.size)
                waiting.put_nowait(request)
                await window.room()

        reader = asyncio.create_task(read())
        reader.add_done_callback(lambda _: waiting.put_nowait(None))
        self._stream_readers.add(reader)
        try:
            index = 0
            while group := await _next_group(waiting):
                arrival = self._new_arrival()
                raw = [_raw_event(Source.SERVER, one, 0, caller, index + place) for place, one in enumerate(group)]
                judged = await self._judge(
                    raw, arrival, size=sum(one.size for one in group), dry=False, say=event_receipt
                )
                index += len(group)
                await self._keep(judged)
                yield pb.StreamServerEventsResponse(receipts=[one.answer for one in judged])
                for one in group:
                    window.remove(one.size)
            if self._ending_streams.is_set() and reader.cancelled():
                raise RequestFault(calls.STOPPING)
            await reader  # raises what reading raised
        finally:
            self._stream_readers.discard(reader)
            reader.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reader

    async def CollectPixel(self, request: pb.CollectPixelRequest, context: Context) -> HttpBody:
        """One browser event out of an image's address."""
        event = BrowserEvent()
        for field, value in request.ListFields():
            if field.message_type is None:
                setattr(event, field.name, value)
            else:
                getattr(event, field.name).CopyFrom(value)
        event.page_url = event.page_url or read_caller(context).referrer
        await self.collect_one(Source.BROWSER, Opened(events=[event], size=request.ByteSize()), context)
        await context.send_initial_metadata((("cache-control", "no-store"),))
        return HttpBody(content_type="image/gif", data=PIXEL)

    async def collect_one(
        self, source: Source, request: Opened, context: Context, say: Say = event_receipt
    ) -> tuple[Any, Previewed]:
        """The receipt of the one event, as `say` has it, and on a dry run its row."""
        arrival = self._new_arrival()
        raw = _raw_event(source, request, 0, read_caller(context), 0)
        [one] = judged = await self._judge([raw], arrival, size=request.size, dry=request.validate_only, say=say)
        if not request.validate_only:
            await self._keep(judged)
        if isinstance(one.verdict, Rejected):
            raise EventRejected(one.verdict.event_id, one.verdict.violations)
        previewed = await self._preview_rows([one.verdict], context) if request.validate_only else NOTHING
        return one.answer, previewed

    async def collect_batch(
        self, source: Source, request: Opened, context: Context, say: Say = event_receipt
    ) -> tuple[list[Any], Previewed]:
        """The receipts of all events, as `say` has them, and on a dry run their rows."""
        if not request.number:
            raise RequestFault(calls.BATCH_EMPTY, field="events")
        arrival, caller = self._new_arrival(), read_caller(context)
        raw = (_raw_event(source, request, index, caller, index) for index in range(request.number))
        judged = await self._judge(raw, arrival, size=request.size, dry=request.validate_only, say=say)
        if request.is_refused and not request.validate_only:
            await self._keep(judged)
        if request.is_refused and isinstance(verdict := judged[0].verdict, Rejected):
            raise BatchRefused(verdict.event_id, verdict.violations)
        receipts = [one.answer for one in judged]
        if request.validate_only:
            return receipts, await self._preview_rows([one.verdict for one in judged], context)
        await self._keep(judged)
        await self.turns.run(_let_go(judged, request), size=request.size)
        return receipts, NOTHING

    async def collect_compiled(
        self,
        request: Opened,
        compiled: CompiledCall,
        context: Context,
        *,
        is_single: bool,
        say: Say = receipt_field,
    ) -> list[bytes]:
        """The receipts of a call that is kept. Events that the compiled way leaves are judged here, as `say` has it."""
        arrival, caller = self._new_arrival(), read_caller(context)
        judged = await compiled.judge(caller, arrival)
        accepted, by_python = compiled.sites, []
        if left := judged.left:
            accepted = judged.accepted
            raw = (_raw_event(compiled.source, request, index, caller, index) for index in left)
            by_python = await self._judge(raw, arrival, size=request.size, dry=False, say=say)
            for index, one in zip(left, by_python, strict=True):
                judged.records[index], judged.receipts[index] = one.record, one.answer
                judged.sites[index] = _site_of(one.verdict)
        records, receipts, sites = judged.whole()
        await self._append(records, sites)
        self._count([one.verdict for one in by_python], accepted)
        if is_single and by_python and isinstance(verdict := by_python[0].verdict, Rejected):
            raise EventRejected(verdict.event_id, verdict.violations)
        if by_python:
            await self.turns.run(_let_go(by_python, request), size=request.size)
        return receipts

    async def _judge(
        self, raw: Iterable[RawEvent], arrival: Arrival, *, size: int, dry: bool, say: Say
    ) -> list[_Judged]:
        """Judge events in turn with other calls, and make all that their verdicts become."""
        steps = (
            _Judged(verdict, b"" if dry else _record(verdict, arrival), say(verdict, arrival, dry=dry))
            for verdict in judge(raw, arrival)
        )
        return await self.turns.run(steps, size=size)

    async def _preview_rows(self, verdicts: Sequence[Verdict], context: Context) -> Previewed:
        """The row of each event; an empty one where it is rejected."""
        accepted = [verdict.record.accepted_event for verdict in verdicts if isinstance(verdict, StampedEvent)]
        is_trusted = self._may_look_up(context, {event.row.site_id for event in accepted})
        previewed = await (self._preview if is_trusted else without_lookups)(accepted)
        rows = iter(previewed.rows)
        all_rows = [next(rows) if isinstance(verdict, StampedEvent) else EventRow() for verdict in verdicts]
        return previewed._replace(rows=all_rows)

    async def _keep(self, judged: Sequence[_Judged]) -> None:
        """Make all verdicts durable: accepted events and dead letters alike, all or none."""
        verdicts = [one.verdict for one in judged]
        await self._append([one.record for one in judged], [_site_of(verdict) for verdict in verdicts])
        self._count(verdicts, {})


def _record(verdict: Verdict, arrival: Arrival) -> bytes:
    if isinstance(verdict, StampedEvent):
        return verdict.record.SerializeToString()
    policy = arrival.enrichers.policy(verdict.raw.message.site_id)
    return bury(verdict, arrival.received_time_ms, policy).SerializeToString()


def _raw_event(source: Source, request: Opened, place: int, caller: Caller, index: int) -> RawEvent:
    """The event at a place of the request, which is the call's event `index`."""
    message, reading = request.sent(place)
    return RawEvent(
        source=source,
        message=message,
        caller=caller,
        index=index,
        reading=reading,
        oversize=request.oversizes.get(place, 0),
    )


def _let_go(judged: list[_Judged], request: Opened) -> Iterator[None]:
    """Free all of a call piece by piece: a large one at once would hold the event loop for 10 to 30 ms."""
    while judged:
        del judged[-1]
        yield
    yield from request.let_go()


def _site_of(verdict: Verdict) -> str:
    """Whose room in the spool it takes. What is not a site's name has no room of its own: names can be made up."""
    if isinstance(verdict, StampedEvent):
        return verdict.record.accepted_event.row.site_id
    site_id = verdict.raw.message.site_id
    return site_id if is_site_id(site_id) else ""


async def _next_group(waiting: asyncio.Queue[Opened | None]) -> list[Opened]:
    """The next events of a stream, at least one and what else is there; empty at its end."""
    first = await waiting.get()
    if first is None:
        return []
    group = [first]
    while len(group) < STREAM_GROUP and not waiting.empty():
        event = waiting.get_nowait()
        if event is None:
            waiting.put_nowait(None)  # the end is for the next call to see
            break
        group.append(event)
    return group
