"""QueryService and the reading half of ScanSessionService, in the process that owns the store."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final, TypeVar

import grpc

from qrumb.v1 import query_service_pb2 as pb
from qrumb.v1 import scan_session_service_pb2 as session_pb
from qrumb.v1.query_service_pb2_grpc import QueryServiceServicer
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceServicer
from qrumb_server.errors import StoreError
from qrumb_server.model import is_site_id
from qrumb_server.query.charts import Charts
from qrumb_server.query.cursor import BadPlaceError
from qrumb_server.query.reports import Reports
from qrumb_server.rpc.faults import RequestFault

__all__ = ["Queries", "SessionQueries"]

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
MAX_PAGE: Final = 1000
MAX_BUCKET_SECONDS: Final = 86_400

_is_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


class Queries(QueryServiceServicer):
    """What became of events."""

    def __init__(self, *, reports: Reports, charts: Charts, executor: Executor) -> None:
        self._reports = reports
        self._charts = charts
        self._executor = executor

    async def GetReceipt(self, request: pb.GetReceiptRequest, context: Context) -> pb.GetReceiptResponse:
        """What became of one event."""
        _check_site(request.site_id)
        event_id = request.event_id.lower()
        if not _is_uuid(event_id):
            raise _refused("event_id", "INVALID_UUID", "must be the UUID of an event, as its receipt states it")
        return await _read(self._executor, lambda: self._reports.get_receipt(request.site_id, event_id))

    async def ListRejectedEvents(
        self, request: pb.ListRejectedEventsRequest, context: Context
    ) -> pb.ListRejectedEventsResponse:
        """Dead letters."""
        _check_site(request.site_id)
        if request.page_size > MAX_PAGE:
            raise _refused("page_size", "OUT_OF_RANGE", f"must be at most {MAX_PAGE}")
        try:
            return await _read(self._executor, lambda: self._reports.list_rejected(request))
        except BadPlaceError as error:
            raise _refused("page_token", "INVALID_FORMAT", "must be next_page_token of a response") from error

    async def GetLedger(self, request: pb.GetLedgerRequest, context: Context) -> pb.GetLedgerResponse:
        """The balance."""
        _check_site(request.site_id)
        return await _read(self._executor, lambda: self._reports.get_ledger(request))

    async def TailEvents(self, request: pb.TailEventsRequest, context: Context) -> pb.TailEventsResponse:
        """The newest events."""
        _check_site(request.site_id)
        if request.limit > MAX_PAGE:
            raise _refused("limit", "OUT_OF_RANGE", f"must be at most {MAX_PAGE}")
        try:
            return await _read(self._executor, lambda: self._charts.tail(request))
        except BadPlaceError as error:
            raise _refused("cursor", "INVALID_FORMAT", "must be the cursor of a response") from error

    async def CountEvents(self, request: pb.CountEventsRequest, context: Context) -> pb.CountEventsResponse:
        """Counts over time."""
        _check_site(request.site_id)
        if request.bucket_seconds > MAX_BUCKET_SECONDS:
            raise _refused("bucket_seconds", "OUT_OF_RANGE", f"must be at most {MAX_BUCKET_SECONDS}")
        return await _read(self._executor, lambda: self._charts.count(request))

    async def GetFunnel(self, request: pb.GetFunnelRequest, context: Context) -> pb.GetFunnelResponse:
        """From scan to conversion."""
        _check_site(request.site_id)
        return await _read(self._executor, lambda: self._charts.funnel(request))


class SessionQueries(ScanSessionServiceServicer):
    """Registered sessions."""

    def __init__(self, *, reports: Reports, executor: Executor) -> None:
        self._reports = reports
        self._executor = executor

    async def GetScanSession(
        self, request: session_pb.GetScanSessionRequest, context: Context
    ) -> session_pb.GetScanSessionResponse:
        """One session."""
        _check_site(request.site_id)
        if not 1 <= len(request.scan_session_id) <= 128:
            raise _refused("scan_session_id", "REQUIRED", "must have 1 to 128 characters")
        found = await _read(
            self._executor, lambda: self._reports.get_scan_session(request.site_id, request.scan_session_id)
        )
        if found is None:
            raise RequestFault(
                grpc.StatusCode.NOT_FOUND, "SCAN_SESSION_UNKNOWN", "no scan session is registered under this id"
            )
        return session_pb.GetScanSessionResponse(scan_session=found)


async def _read(executor: Executor, read: Callable[[], T]) -> T:
    """Run a blocking read and answer its faults."""
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, read)
    except (StoreError, OSError) as error:
        raise RequestFault(
            grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "the store cannot be read at the moment; try again"
        ) from error


def _check_site(site_id: str) -> None:
    if not is_site_id(site_id):
        raise _refused("site_id", "INVALID_FORMAT", "must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")


def _refused(field: str, reason: str, message: str) -> RequestFault:
    return RequestFault(grpc.StatusCode.INVALID_ARGUMENT, reason, message, field=field)
