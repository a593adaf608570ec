"""ScanSessionService in a worker: a registered session is answered once it is durable in the spool.

Reading is passed on to the loader, since a worker has no store.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc

from qrumb.v1 import scan_session_service_pb2 as pb
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceServicer
from qrumb_server.instants import milliseconds, set_time
from qrumb_server.pipeline.stamp import MAX_AHEAD, Arrival
from qrumb_server.pipeline.validate import MAX_VIOLATIONS, validate_scan_session
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault, RequestRejected
from qrumb_server.rpc.metrics import AppendRecords
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.turns import Turns
from qrumb_server.wire.v1.record_pb2 import Record, SessionRegistration

__all__ = ["ScanSessions"]

Context = grpc.aio.ServicerContext[Any, Any]
Forward = Callable[[str, bytes, Context], Awaitable[bytes]]


class ScanSessions(ScanSessionServiceServicer):
    """Takes registrations into the worker's spool.

    Args:
        append: makes records durable, all or none; returns after the sync.
        new_arrival: the circumstances of this moment.
        turns: shares the event loop among long calls.
        forward: asks the loader: method, request, context.
    """

    def __init__(
        self, *, append: AppendRecords, new_arrival: Callable[[], Arrival], turns: Turns, forward: Forward
    ) -> None:
        self._append = append
        self._new_arrival = new_arrival
        self._turns = turns
        self._forward = forward

    async def RegisterScanSession(  # type: ignore[override]  # opened, in place of what it was sent as
        self, request: Opened, context: Context
    ) -> pb.RegisterScanSessionResponse:
        """One session."""
        if violations := validate_scan_session(request.scan_session):
            raise RequestRejected(calls.SCAN_SESSION_REJECTED, violations)
        [session] = await self._keep([request.scan_session])
        return pb.RegisterScanSessionResponse(scan_session=session)

    async def BatchRegisterScanSessions(  # type: ignore[override]
        self, request: Opened, context: Context
    ) -> pb.BatchRegisterScanSessionsResponse:
        """Several sessions, all or none."""
        if not request.scan_sessions:
            raise RequestFault(calls.SESSION_BATCH_EMPTY, field="scan_sessions")
        broken = await self._turns.run(map(validate_scan_session, request.scan_sessions), size=request.size)
        violations = [
            Violation(field=f"scan_sessions[{index}].{found.field}", reason=found.reason, description=found.description)
            for index, found_in_one in enumerate(broken)
            for found in found_in_one
        ]
        if violations:
            raise RequestRejected(calls.SCAN_SESSION_REJECTED, violations[:MAX_VIOLATIONS])
        return pb.BatchRegisterScanSessionsResponse(scan_sessions=await self._keep(request.scan_sessions))

    async def GetScanSession(self, request: pb.GetScanSessionRequest, context: Context) -> pb.GetScanSessionResponse:
        """One session, from the loader."""
        answer = await self._forward(
            "/qrumb.v1.ScanSessionService/GetScanSession", request.SerializeToString(), context
        )
        return pb.GetScanSessionResponse.FromString(answer)

    async def _keep(self, sent: Iterable[ScanSession]) -> list[ScanSession]:
        arrival = self._new_arrival()
        sessions = [_with_scan_time(session, arrival) for session in sent]
        sites = [session.site_id for session in sessions]
        await self._append([_record(session, arrival) for session in sessions], sites)
        return sessions


def _with_scan_time(session: ScanSession, arrival: Arrival) -> ScanSession:
    """The session with the time of its scan; the receipt's where it states none, or one that cannot be true."""
    kept = ScanSession()
    kept.CopyFrom(session)
    stated_ms = milliseconds(session.scan_time)
    earliest_ms = arrival.received_time_ms - arrival.retention_of(session.site_id)
    latest_ms = arrival.received_time_ms + MAX_AHEAD.total_seconds() * 1000
    is_usable = session.HasField("scan_time") and earliest_ms <= stated_ms <= latest_ms
    set_time(kept.scan_time, stated_ms if is_usable else arrival.received_time_ms)
    return kept


def _record(session: ScanSession, arrival: Arrival) -> bytes:
    registration = SessionRegistration(scan_session=session, received_time_ms=arrival.received_time_ms)
    return Record(session_registration=registration).SerializeToString()
