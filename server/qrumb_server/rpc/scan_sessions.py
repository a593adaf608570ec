"""ScanSessionService in a worker: a registered session is answered once it is durable in the spool.

Reading is passed on to the loader, since a worker has no store.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc

from qrumb.v1 import scan_session_service_pb2 as pb
from qrumb.v1.receipt_pb2 import EventWarning, Violation
from qrumb.v1.scan_session_service_pb2_grpc import ScanSessionServiceServicer
from qrumb_server.model import is_site_id
from qrumb_server.pipeline.findings import MAX_VIOLATIONS
from qrumb_server.pipeline.scan import StampedScan, judge_scan
from qrumb_server.pipeline.stamp import Arrival
from qrumb_server.reasons import calls
from qrumb_server.reasons.events import add_help
from qrumb_server.rpc.faults import RequestFault, RequestRejected
from qrumb_server.rpc.metrics import AppendRecords
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.turns import Turns
from qrumb_server.wire.v1.record_pb2 import Record, RegistrationRefusal

__all__ = ["ScanSessions"]

Context = grpc.aio.ServicerContext[Any, Any]
# A field of one session has few of them; a batch of wrong addresses has one for each.
MAX_WARNINGS: Final = 1_000
Forward = Callable[[str, bytes, Context], Awaitable[bytes]]


class ScanSessions(ScanSessionServiceServicer):
    """Takes registrations into the worker's spool.

    Args:
        append: makes records durable, all or none; returns after the sync.
        new_arrival: the circumstances of this moment.
        turns: shares the event loop among long calls; also for those who write the answers.
        forward: asks the loader: method, request, context.
        count: told the scans that were made durable.
    """

    def __init__(
        self,
        *,
        append: AppendRecords,
        new_arrival: Callable[[], Arrival],
        turns: Turns,
        forward: Forward,
        count: Callable[[Sequence[StampedScan]], None] = lambda _scans: None,
    ) -> None:
        self._append = append
        self._new_arrival = new_arrival
        self.turns = turns
        self._forward = forward
        self._count = count

    async def RegisterScanSession(  # type: ignore[override]  # opened, in place of what it was sent as
        self, request: Opened, context: Context
    ) -> pb.RegisterScanSessionResponse:
        """One session."""
        arrival = self._new_arrival()
        judged = judge_scan(*request.sent(0), arrival)
        if not isinstance(judged, StampedScan):
            await self._count_refused([request.scan_session.site_id], arrival)
            raise RequestRejected(calls.SCAN_SESSION_REJECTED, judged)
        await self._keep([judged])
        add_help((), judged.warnings)
        return pb.RegisterScanSessionResponse(scan_session=judged.registration.scan_session, warnings=judged.warnings)

    async def BatchRegisterScanSessions(  # type: ignore[override]
        self, request: Opened, context: Context
    ) -> pb.BatchRegisterScanSessionsResponse:
        """Several sessions, all or none."""
        if not request.scan_sessions:
            raise RequestFault(calls.SESSION_BATCH_EMPTY, field="scan_sessions")
        arrival = self._new_arrival()
        judged = await self.turns.run(
            (judge_scan(*request.sent(place), arrival) for place in range(request.number)), size=request.size
        )
        stamped = [one for one in judged if isinstance(one, StampedScan)]
        if len(stamped) < len(judged):
            wrong = [
                session.site_id
                for session, one in zip(request.scan_sessions, judged, strict=True)
                if not isinstance(one, StampedScan)
            ]
            await self._count_refused(wrong, arrival)
            raise RequestRejected(calls.SCAN_SESSION_REJECTED, _violations(judged, is_body=request.is_refused))
        await self._keep(stamped)
        return pb.BatchRegisterScanSessionsResponse(
            scan_sessions=[one.registration.scan_session for one in stamped], warnings=_warnings(stamped)
        )

    async def GetScanSession(self, request: pb.GetScanSessionRequest, context: Context) -> pb.GetScanSessionResponse:
        """One session, from the loader."""
        answer = await self._forward(
            "/qrumb.v1.ScanSessionService/GetScanSession", request.SerializeToString(), context
        )
        return pb.GetScanSessionResponse.FromString(answer)

    async def _keep(self, stamped: Sequence[StampedScan]) -> None:
        registrations = [one.registration for one in stamped]
        records = [Record(session_registration=one).SerializeToString() for one in registrations]
        await self._append(records, [one.scan_session.site_id for one in registrations])
        self._count(stamped)

    async def _count_refused(self, sites: Sequence[str], arrival: Arrival) -> None:
        """Into the ledger: the sites of sessions that break rules. Their neighbours come again, and count then."""
        # What is not a site's name may be anything.
        named = Counter(site_id if is_site_id(site_id) else "" for site_id in sites)
        records = [
            Record(
                registration_refusal=RegistrationRefusal(
                    site_id=site_id, received_time_ms=arrival.received_time_ms, number=number
                )
            ).SerializeToString()
            for site_id, number in named.items()
        ]
        await self._append(records, list(named))


def _violations(judged: Sequence[StampedScan | list[Violation]], *, is_body: bool) -> list[Violation]:
    """Those of a batch, each with its place there; or that of the body as a whole, which no session was read of."""
    found = [
        Violation(field="" if is_body else _placed(index, one.field), reason=one.reason, description=one.description)
        for index, violations in enumerate(judged)
        if not isinstance(violations, StampedScan)
        for one in violations
    ]
    return found[:MAX_VIOLATIONS]


def _warnings(stamped: Sequence[StampedScan]) -> list[EventWarning]:
    """As _violations."""
    said = [
        EventWarning(field=_placed(index, one.field), code=one.code, description=one.description)
        for index, scan in enumerate(stamped)
        for one in scan.warnings
    ]
    if unlisted := max(len(said) - MAX_WARNINGS + 1, 0) if len(said) > MAX_WARNINGS else 0:
        more = f"{unlisted} more warnings of this batch are not listed"
        said[-unlisted:] = [EventWarning(code=said[-1].code, description=more)]
    add_help((), said)
    return said


def _placed(index: int, field: str) -> str:
    return f"scan_sessions[{index}].{field}".removesuffix(".")
