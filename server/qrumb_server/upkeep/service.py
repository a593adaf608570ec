"""UpkeepService for the node's own commands, PrivacyService and ReplayService for everybody: changes of stored rows."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from qrumb.v1 import privacy_service_pb2 as privacy_pb
from qrumb.v1 import replay_service_pb2 as replay_pb
from qrumb.v1.privacy_service_pb2_grpc import PrivacyServiceServicer
from qrumb.v1.receipt_pb2 import Violation
from qrumb.v1.replay_service_pb2_grpc import ReplayServiceServicer
from qrumb_server.access.keys import id_of
from qrumb_server.errors import ConfigError, StoreError
from qrumb_server.instants import milliseconds
from qrumb_server.model import is_site_id
from qrumb_server.query.reports import Reports
from qrumb_server.query.rows import BadPlaceError
from qrumb_server.query.service import MAX_SCAN_SESSION_ID
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.upkeep.backup import Backup
from qrumb_server.upkeep.erase import Eraser
from qrumb_server.upkeep.export import Exporter
from qrumb_server.upkeep.replay import Replay
from qrumb_server.upkeep.rescore import Rescore
from qrumb_server.upkeep.split import Splitter
from qrumb_server.upkeep.subject import Naming
from qrumb_server.upkeep.sums_check import SumsCheck
from qrumb_server.upkeep.verify import LedgerCheck
from qrumb_server.watch.watcher import Watcher
from qrumb_server.wire.v1 import upkeep_service_pb2 as pb
from qrumb_server.wire.v1.upkeep_service_pb2_grpc import UpkeepServiceServicer

__all__ = ["Privacy", "Replays", "Upkeep"]

Context = grpc.aio.ServicerContext[Any, Any]
T = TypeVar("T")
LISTED: Final = 1_000
MAX_USER_ID: Final = 256
MAX_EVENT_ID: Final = 256
REASONS: Final = frozenset(Violation.Reason.values())

_is_hash = re.compile(r"[0-9a-fA-F]{64}").fullmatch


class Upkeep(UpkeepServiceServicer):
    """What the node's own commands may do besides everybody's queries."""

    def __init__(
        self,
        *,
        reports: Reports,
        replay: Replay,
        rescore: Rescore,
        check: LedgerCheck,
        sums_check: SumsCheck,
        splitter: Splitter,
        watcher: Watcher,
        executor: Executor,
        backup: Backup | None = None,
    ) -> None:
        """`backup` is None where the store is not embedded."""
        self._backup = backup
        self._check = check
        self._sums_check = sums_check
        self._splitter = splitter
        self._watcher = watcher
        self._reports = reports
        self._replay = replay
        self._rescore = rescore
        self._executor = executor

    async def ListRejected(self, request: pb.ListRejectedRequest, context: Context) -> pb.ListRejectedResponse:
        """Dead letters of all sites."""
        return pb.ListRejectedResponse(
            page=await _change(self._executor, lambda: self._reports.list_rejected(request.selection))
        )

    async def Replay(self, request: pb.ReplayRequest, context: Context) -> pb.ReplayResponse:
        """Dead letters through the pipeline again."""
        return await _change(self._executor, lambda: self._replay.run(request))

    async def Rescore(self, request: pb.RescoreRequest, context: Context) -> pb.RescoreResponse:
        """Marks by the rules of today."""
        return await _change(self._executor, lambda: self._rescore.run(request))

    async def SplitIdentifier(self, request: pb.SplitIdentifierRequest, context: Context) -> pb.SplitIdentifierResponse:
        """What joined people who have nothing in common."""
        return await _change(self._executor, lambda: self._splitter.run(request))

    async def VerifyLedger(self, request: pb.VerifyLedgerRequest, context: Context) -> pb.VerifyLedgerResponse:
        """The ledger against the tables, and some of the sums of hours: where these differ, the node says so."""
        await _change(self._executor, self._check.read_again)
        await _change(self._executor, lambda: self._sums_check.run(request.site_id))
        is_whole = not request.site_id and not request.since_time_ms
        found = await _change(
            self._executor, self._check.check_all if is_whole else lambda: self._check.find(request.since_time_ms)
        )
        of_site = [one for one in found if request.site_id in {"", one.site_id}]
        return pb.VerifyLedgerResponse(
            difference_count=len(of_site),
            differences=[
                pb.LedgerDifference(
                    site_id=one.site_id,
                    minute_time_ms=one.minute_ms,
                    stored_count=one.stored_count,
                    stored_rows=one.stored_rows,
                    rejected_count=one.rejected_count,
                    rejected_rows=one.rejected_rows,
                    registered_count=one.registered_count,
                    session_rows=one.session_rows,
                    lost_session_count=one.lost_session_count,
                )
                for one in of_site[:LISTED]
            ],
        )

    async def Watch(self, request: pb.WatchRequest, context: Context) -> pb.WatchResponse:
        """What the sites' rules say now."""
        watcher = self._watcher
        tests = await _change(self._executor, lambda: watcher.test(request.site_id)) if request.is_test else []
        said = await _change(self._executor, lambda: watcher.say(request.site_id))
        return pb.WatchResponse(
            verdicts=[
                pb.WatchVerdict(
                    site_id=one.site_id,
                    rule=one.rule,
                    qr_code_id=one.qr_code_id,
                    state=one.state,
                    text=one.text,
                    began_time_ms=began_ms,
                )
                for one, began_ms in said
            ],
            waiting=[
                pb.WatchMessage(
                    site_id=one.site_id, id=one.id, tries=one.tries, failure=one.failure, made_time_ms=one.made_ms
                )
                for one in watcher.waiting
                if request.site_id in {"", one.site_id}
            ],
            tests=[pb.WatchMessage(site_id=site_id, tries=1, failure=failure) for site_id, failure in tests],
        )

    async def Backup(self, request: pb.BackupRequest, context: Context) -> pb.BackupResponse:
        """A copy of the embedded database."""
        backup = self._backup
        if backup is None:
            raise RequestFault(calls.SERVER_NOT_BACKED_UP)
        try:
            counts = await _change(self._executor, lambda: backup.run(Path(request.folder)))
        except ConfigError as error:
            # The node's own user asked, over the node's own socket.
            raise RequestFault(calls.BACKUP_NOT_POSSIBLE, problem=error) from error
        return pb.BackupResponse(row_counts=counts)


class Privacy(PrivacyServiceServicer):
    """Erasure and access."""

    def __init__(self, *, eraser: Eraser, exporter: Exporter, executor: Executor) -> None:
        self._eraser = eraser
        self._exporter = exporter
        self._executor = executor

    async def EraseSubject(
        self, request: privacy_pb.EraseSubjectRequest, context: Context
    ) -> privacy_pb.EraseSubjectResponse:
        """A person, by whatever names them."""
        _check_named(request)
        key_id = _key_id(context)
        return await _change(self._executor, lambda: self._eraser.erase(request, key_id))

    async def ExportSubject(
        self, request: privacy_pb.ExportSubjectRequest, context: Context
    ) -> privacy_pb.ExportSubjectResponse:
        """What is stored of a person."""
        _check_named(request)
        try:
            return await _change(self._executor, lambda: self._exporter.export(request))
        except BadPlaceError as error:
            raise RequestFault(calls.PAGE_TOKEN_FORM, field="page_token") from error


class Replays(ReplayServiceServicer):
    """Rejected events of one site, once more."""

    def __init__(self, *, replay: Replay, executor: Executor) -> None:
        self._replay = replay
        self._executor = executor

    async def ReplayRejectedEvents(
        self, request: replay_pb.ReplayRejectedEventsRequest, context: Context
    ) -> replay_pb.ReplayRejectedEventsResponse:
        """As the node's own command does it."""
        if not is_site_id(request.site_id):
            raise RequestFault(calls.SITE_ID_FORM, field="site_id")
        if request.reason not in REASONS:
            raise RequestFault(calls.NUMBER_TOO_LARGE, field="reason", limit=max(REASONS))
        if len(request.event_id) > MAX_EVENT_ID:
            raise RequestFault(calls.NAME_LENGTH, field="event_id", limit=MAX_EVENT_ID)
        selection = pb.ReplayRequest(
            site_id=request.site_id,
            reason=request.reason,
            since_time_ms=milliseconds(request.since_time) if request.HasField("since_time") else 0,
            event_id=request.event_id,
            validate_only=request.validate_only,
        )
        done = await _change(self._executor, lambda: self._replay.run(selection))
        return replay_pb.ReplayRejectedEventsResponse(
            accepted_count=done.accepted_count,
            rejected_count=done.rejected_count,
            unreadable_count=done.unreadable_count,
        )


def _key_id(context: Context) -> str:
    """The public part of the key of a call, which was checked; empty for the node's own commands."""
    for name, value in context.invocation_metadata() or ():
        if name == "authorization" and isinstance(value, str):
            return id_of(value.removeprefix("Bearer "))
    return ""


async def _change(executor: Executor, change: Callable[[], T]) -> T:
    """Run a blocking change and answer its faults; every one may be sent again."""
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, change)
    except (StoreError, OSError) as error:
        raise RequestFault(calls.STORE_UNAVAILABLE) from error


def _check_named(request: Naming) -> None:
    identifiers = request.user_identifiers
    if not is_site_id(request.site_id):
        raise RequestFault(calls.SITE_ID_FORM, field="site_id")
    for field, name, limit in (
        ("user_id", request.user_id, MAX_USER_ID),
        ("user_identifiers.external_id", identifiers.external_id, MAX_USER_ID),
        ("scan_session_id", request.scan_session_id, MAX_SCAN_SESSION_ID),
    ):
        if len(name) > limit:
            raise RequestFault(calls.NAME_LENGTH, field=field, limit=limit)
    for kind in ("email_hash", "phone_hash"):
        value = getattr(identifiers, kind)
        if value and not _is_hash(value):
            raise RequestFault(calls.HASH_FORM, field=f"user_identifiers.{kind}")
    stated = (
        request.user_id,
        request.scan_session_id,
        identifiers.external_id,
        identifiers.email_hash,
        identifiers.phone_hash,
    )
    if not any(stated):
        raise RequestFault(calls.SUBJECT_UNNAMED, field="user_id")
