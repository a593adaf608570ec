"""ScanSessionService for JSON: the gateway hands over bodies unread, and is handed the text of the answer.

As `json_collector`, of which these are further methods.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.pipeline.struct_json import plain_values
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestFault
from qrumb_server.rpc.json_answers import as_body, as_lists, as_members, written
from qrumb_server.rpc.json_collector import asks_for_dry_run
from qrumb_server.rpc.json_opening import JSON_COLLECTOR
from qrumb_server.rpc.opened import Opened
from qrumb_server.rpc.scan_sessions import ScanSessions

__all__ = ["add_json_scans"]

Context = grpc.aio.ServicerContext[Any, Any]
_Call = Callable[[Opened, Context], Awaitable[bytes]]


def add_json_scans(sessions: ScanSessions, server: grpc.aio.Server) -> None:
    """Serve the methods by a servicer of scan sessions."""
    methods: Final[dict[str, _Call]] = {
        "RegisterScanSession": _single(sessions),
        "BatchRegisterScanSessions": _batch(sessions),
    }
    handlers: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(call) for name, call in methods.items()}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(JSON_COLLECTOR, handlers)])


def _single(sessions: ScanSessions) -> _Call:
    async def register(request: Opened, context: Context) -> bytes:
        _refuse_dry_run(context)
        answer = await sessions.RegisterScanSession(request, context)
        members = {**as_members(answer), "scan_session": _members_of(answer.scan_session)}
        return as_body(written(members))

    return register


def _batch(sessions: ScanSessions) -> _Call:
    async def register(request: Opened, context: Context) -> bytes:
        _refuse_dry_run(context)
        answer = await sessions.BatchRegisterScanSessions(request, context)

        kept = (written(_members_of(session)) for session in answer.scan_sessions)
        said = (written(as_members(warning)) for warning in answer.warnings)
        texts = {"scan_sessions": kept, "warnings": said}
        return as_lists({name: await sessions.turns.run(each, size=request.size) for name, each in texts.items()}, {})

    return register


def _refuse_dry_run(context: Context) -> None:
    """Who asks for one must not find a session registered. Other names there are not looked at, as of events."""
    if asks_for_dry_run(context):
        raise RequestFault(calls.SESSION_DRY_RUN, field="validate_only")


def _members_of(session: ScanSession) -> dict[str, Any]:
    """As `as_members`; whole numbers among the labels have no fraction, as the gateway writes them."""
    members = as_members(session)
    if session.HasField("labels"):
        members["labels"] = plain_values(session.labels, sys.maxsize)
    return members
