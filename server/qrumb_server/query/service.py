"""What the loader's process answers without changing anything: QueryService, the reading half of ScanSessionService,
AttributionService for dry runs, and SqlService for the node's own commands."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1 import scan_session_service_pb2 as session_pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceServicer
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceServicer
from qrumb_server.errors import StoreError
from qrumb_server.loader.attribute import Attributor
from qrumb_server.loader.erased import without_person
from qrumb_server.loader.lookups import Lookups
from qrumb_server.loader.rows import PlacedEvent, RowId
from qrumb_server.loader.sessions import keys_of, merge_sessions
from qrumb_server.model import SitePolicy, is_uuid
from qrumb_server.ports import EventStore
from qrumb_server.query.charts import Charts
from qrumb_server.query.questions import check_attribution, check_counts, check_funnel, check_number, check_site
from qrumb_server.query.reads import Reads
from qrumb_server.query.reports import Reports
from qrumb_server.query.rows import BadPlaceError
from qrumb_server.query.spooled_sessions import find_sessions
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.wire.v1 import attribution_service_pb2 as attribution_pb
from qrumb_server.wire.v1 import sql_service_pb2 as sql_pb
from qrumb_server.wire.v1.attribution_service_pb2_grpc import AttributionServiceServicer
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent
from qrumb_server.wire.v1.sql_service_pb2_grpc import SqlServiceServicer

__all__ = ["Previews", "Queries", "SessionQueries", "SqlQueries"]

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
MAX_PAGE: Final = 1000
MAX_SCAN_SESSION_ID: Final = 128
REASONS: Final = frozenset(Violation.Reason.values())


class Queries(QueryServiceServicer):
    """What became of events."""

    def __init__(self, *, reports: Reports, charts: Charts, reads: Reads) -> None:
        self._reports = reports
        self._charts = charts
        self._reads = reads

    async def GetReceipt(self, request: pb.GetReceiptRequest, context: Context) -> pb.GetReceiptResponse:
        """What became of one event."""
        check_site(request.site_id)
        event_id = request.event_id.lower()
        if not is_uuid(event_id):
            raise RequestFault(calls.EVENT_ID_FORM, field="event_id")
        return await self._reads.run(lambda: self._reports.get_receipt(request.site_id, event_id))

    async def ListRejectedEvents(
        self, request: pb.ListRejectedEventsRequest, context: Context
    ) -> pb.ListRejectedEventsResponse:
        """Dead letters."""
        check_site(request.site_id)
        check_number("page_size", request.page_size, MAX_PAGE)
        if request.reason not in REASONS:
            raise RequestFault(calls.NUMBER_TOO_LARGE, field="reason", limit=max(REASONS))
        return await _paged(self._reads, lambda: self._reports.list_rejected(request))

    async def GetLedger(self, request: pb.GetLedgerRequest, context: Context) -> pb.GetLedgerResponse:
        """The balance."""
        check_site(request.site_id)
        return await self._reads.run(lambda: self._reports.get_ledger(request))

    async def TailEvents(self, request: pb.TailEventsRequest, context: Context) -> pb.TailEventsResponse:
        """The newest events."""
        check_site(request.site_id)
        check_number("limit", request.limit, MAX_PAGE)
        try:
            return await self._reads.run(lambda: self._charts.tail(request))
        except BadPlaceError as error:
            raise RequestFault(calls.CURSOR_FORM, field="cursor") from error

    async def CountEvents(self, request: pb.CountEventsRequest, context: Context) -> pb.CountEventsResponse:
        """Counts over time."""
        check_counts(request)
        return await _paged(self._reads, lambda: self._charts.count(request), is_scan=True)

    async def ListSuspiciousIdentifiers(
        self, request: pb.ListSuspiciousIdentifiersRequest, context: Context
    ) -> pb.ListSuspiciousIdentifiersResponse:
        """What many share."""
        check_site(request.site_id)
        check_number("limit", request.limit, MAX_PAGE)
        return await self._reads.run(lambda: self._reports.identities.suspicious(request))

    async def ListAlarms(self, request: pb.ListAlarmsRequest, context: Context) -> pb.ListAlarmsResponse:
        """What the site's rules say is wrong."""
        check_site(request.site_id)
        return await self._reads.run(lambda: self._reports.list_alarms(request.site_id))

    async def GetFunnel(self, request: pb.GetFunnelRequest, context: Context) -> pb.GetFunnelResponse:
        """From scan to conversion."""
        check_funnel(request)
        return await _paged(self._reads, lambda: self._charts.funnel(request), is_scan=True)

    async def GetAttribution(self, request: pb.GetAttributionRequest, context: Context) -> pb.GetAttributionResponse:
        """Conversions, divided among QR codes."""
        check_attribution(request)
        return await self._reads.run(lambda: self._charts.attribution(request), is_scan=True)


class SessionQueries(ScanSessionServiceServicer):
    """Registered sessions."""

    def __init__(self, *, reports: Reports, reads: Reads) -> None:
        self._reports = reports
        self._reads = reads

    async def GetScanSession(
        self, request: session_pb.GetScanSessionRequest, context: Context
    ) -> session_pb.GetScanSessionResponse:
        """One session."""
        check_site(request.site_id)
        if not 1 <= len(request.scan_session_id) <= MAX_SCAN_SESSION_ID:
            raise RequestFault(calls.NAME_LENGTH, field="scan_session_id", limit=MAX_SCAN_SESSION_ID)
        found = await self._reads.run(lambda: self._reports.get_scan_session(request.site_id, request.scan_session_id))
        if found is None:
            raise RequestFault(calls.SCAN_SESSION_UNKNOWN)
        return found


class Previews(AttributionServiceServicer):
    """Attributes beside the loader, with the loader's own code and nothing of its memory."""

    def __init__(
        self,
        *,
        store: EventStore,
        spool_root: Path,
        monotonic: Callable[[], float],
        policy: Callable[[str], SitePolicy],
        executor: Executor,
    ) -> None:
        self._store = store
        self._spool_root = spool_root
        self._monotonic = monotonic
        self._policy = policy
        self._executor = executor

    async def PreviewRows(
        self, request: attribution_pb.PreviewRowsRequest, context: Context
    ) -> attribution_pb.PreviewRowsResponse:
        """One batch."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, self._attribute, request.events)
        except StoreError as error:
            raise RequestFault(calls.STORE_UNAVAILABLE) from error

    def _attribute(self, events: Sequence[AcceptedEvent]) -> attribution_pb.PreviewRowsResponse:
        placed = [
            PlacedEvent(row_id=RowId(segment_id="preview", segment_row=place), event=event)
            for place, event in enumerate(events)
        ]
        lookups = Lookups(self._store, monotonic=self._monotonic)
        keys = {(event.row.site_id, event.row.scan_session_id) for event in events if event.row.scan_session_id}
        spooled = find_sessions(self._spool_root, keys)
        if spooled:
            registrations = without_person(spooled, lookups.erased.names(keys))
            lookups.learn_sessions(merge_sessions(registrations, lookups.sessions(keys_of(registrations))))
        attributor = Attributor(lookups, self._policy)
        attributor.apply(attributor.attribute(placed, [], uncertain=False))
        return attribution_pb.PreviewRowsResponse(
            rows=[event.row for event in events], is_incomplete=bool(keys) and spooled is None
        )


class SqlQueries(SqlServiceServicer):
    """Runs read-only statements; the answers of ClickHouse, errors included, go to the command as they are."""

    def __init__(self, *, store: EventStore, executor: Executor) -> None:
        self._store = store
        self._executor = executor

    async def RunSql(self, request: sql_pb.RunSqlRequest, context: Context) -> AsyncIterator[sql_pb.RunSqlResponse]:
        """One statement."""
        loop = asyncio.get_running_loop()
        try:
            pieces = await loop.run_in_executor(self._executor, self._store.export, request.sql, request.output_format)
            while (piece := await loop.run_in_executor(self._executor, _next_piece, pieces)) is not None:
                yield sql_pb.RunSqlResponse(piece=piece)
        except StoreError as error:
            raise RequestFault(calls.SQL_FAILED, answer=error) from error


async def _paged(reads: Reads, answer: Callable[[], T], *, is_scan: bool = False) -> T:
    """A question whose page_token may be of another."""
    try:
        return await reads.run(answer, is_scan=is_scan)
    except BadPlaceError as error:
        raise RequestFault(calls.PAGE_TOKEN_FORM, field="page_token") from error


def _next_piece(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
