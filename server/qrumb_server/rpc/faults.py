"""How a call that fails is answered: from a fault and its entry in the table of reasons to google.rpc.Status.

The text is ours or nothing: what an exception says goes to the log, never to the caller. The gateway renders the
details as JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, Help, RetryInfo
from google.rpc.status_pb2 import Status
from structlog.contextvars import get_contextvars

from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.errors import SiteShareError, SpoolFailedError, SpoolFullError
from qrumb_server.reasons import calls
from qrumb_server.reasons.entry import DOMAIN, Reason, help_url

__all__ = [
    "SPOOL_ANSWERS",
    "STATUS_DETAILS_KEY",
    "BatchRefused",
    "EventRejected",
    "RequestFault",
    "RequestRejected",
    "abort",
    "abort_for",
]

Context = grpc.aio.ServicerContext[Any, Any]

STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"
# Of the fields named in a message. Messages travel percent-encoded, three bytes for one, next to the details, and
# common clients take 8 KiB for both.
MAX_NAMED_BYTES: Final = 200


SPOOL_ANSWERS: Final[Mapping[type[Exception], Reason]] = {
    SpoolFullError: calls.SPOOL_FULL,
    SiteShareError: calls.SITE_SPOOL_SHARE,
    SpoolFailedError: calls.SPOOL_FAILED,
}


class RequestFault(Exception):
    """The request as a whole cannot be served, for a reason of the table.

    Args:
        field: path of the request's field that is wrong, if it is one.
        retry_after_seconds: the delay, where the table has none because only the raising code knows it.
        values: what stands in the reason's text for its names.
    """

    def __init__(
        self, reason: Reason, *, field: str = "", retry_after_seconds: int | None = None, **values: object
    ) -> None:
        self.message = reason.text.format_map(values)
        super().__init__(self.message)
        self.reason = reason
        self.field = field
        self.retry_after_seconds = reason.retry_after_seconds if retry_after_seconds is None else retry_after_seconds


class BatchRefused(Exception):
    """A batch that cannot be read; one rejected event stands for it."""

    def __init__(self, event_id: str, violations: Sequence[Violation]) -> None:
        super().__init__("the batch is not readable")
        self.event_id = event_id
        self.violations = violations


class RequestRejected(Exception):
    """Fields of the request break rules."""

    def __init__(self, reason: Reason, violations: Sequence[Violation]) -> None:
        super().__init__("the request breaks a rule")
        self.reason = reason
        self.violations = violations


class EventRejected(Exception):
    """The one event of a call breaks rules."""

    def __init__(self, event_id: str, violations: Sequence[Violation]) -> None:
        super().__init__("the event breaks a rule")
        self.event_id = event_id
        self.violations = violations


async def abort(context: Context, fault: RequestFault, metadata: Mapping[str, str] | None = None) -> NoReturn:
    """End the call with a rich status.

    Args:
        metadata: of ErrorInfo, besides the address of the reason's documentation.
    """
    bad = None
    if fault.field:
        violation = BadRequest.FieldViolation(field=fault.field, description=fault.message, reason=fault.reason.name)
        bad = BadRequest(field_violations=[violation])
    await _abort(context, fault, metadata or {}, bad=bad)


async def abort_for(context: Context, fault: Exception, request_id: str) -> NoReturn:
    """Answer a call that raised `fault`."""
    if isinstance(fault, RequestFault):
        await abort(context, fault)
    if isinstance(fault, EventRejected):
        of_event = {"event_id": fault.event_id}
        if any(violation.reason == Violation.INTERNAL for violation in fault.violations):
            await abort(context, RequestFault(calls.INTERNAL), of_event)
        await _refuse_fields(context, calls.EVENT_REJECTED, fault.violations, of_event)
    if isinstance(fault, BatchRefused):
        [violation] = fault.violations
        unreadable = RequestFault(calls.BATCH_UNREADABLE, what=violation.description)
        kind = Violation.Reason.Name(violation.reason)
        bad = BadRequest.FieldViolation(description=violation.description, reason=kind)
        await _abort(context, unreadable, {"event_id": fault.event_id}, bad=BadRequest(field_violations=[bad]))
    if isinstance(fault, RequestRejected):
        await _refuse_fields(context, fault.reason, fault.violations, {})
    if reason := SPOOL_ANSWERS.get(type(fault)):
        await abort(context, RequestFault(reason))
    await abort(context, RequestFault(calls.INTERNAL), {"request_id": request_id} if request_id else {})


async def _refuse_fields(
    context: Context, reason: Reason, violations: Sequence[Violation], metadata: Mapping[str, str]
) -> NoReturn:
    """Name every broken rule, and the address of each kind of rule once."""
    named = ", ".join(sorted({violation.field for violation in violations if violation.field}))
    named = named.encode()[:MAX_NAMED_BYTES].decode(errors="ignore")
    kinds = [Violation.Reason.Name(violation.reason) for violation in violations]
    bad = BadRequest(
        field_violations=[
            BadRequest.FieldViolation(field=violation.field, description=violation.description, reason=kind)
            for violation, kind in zip(violations, kinds, strict=True)
        ]
    )
    links = Help(links=[Help.Link(description=kind, url=help_url(kind)) for kind in sorted(set(kinds))])
    await _abort(
        context, RequestFault(reason, fields=named or violations[0].description), metadata, bad=bad, links=links
    )


async def _abort(
    context: Context,
    fault: RequestFault,
    metadata: Mapping[str, str],
    *,
    bad: BadRequest | None = None,
    links: Help | None = None,
) -> NoReturn:
    reason = fault.reason
    info = ErrorInfo(reason=reason.name, domain=DOMAIN, metadata={"help_url": reason.help_url, **metadata})
    if trace_id := get_contextvars().get("trace_id"):  # of the call's log lines too, where calls are traced
        info.metadata["trace_id"] = trace_id
    trailers: list[tuple[str, str | bytes]] = []
    retry = None
    if fault.retry_after_seconds is not None:
        retry = RetryInfo(retry_delay=Duration(seconds=fault.retry_after_seconds))
        trailers.append(("retry-after", str(fault.retry_after_seconds)))
    status = Status(code=reason.code.value[0], message=fault.message)
    for detail in (bad, info, links, retry):
        if detail is not None:
            # In one order of metadata: else two nodes, and two runs of one, would answer the same in different bytes.
            status.details.add().Pack(detail, deterministic=True)
    if reason.code is grpc.StatusCode.UNAUTHENTICATED:
        trailers.append(("www-authenticate", "Bearer"))
    trailers.append((STATUS_DETAILS_KEY, status.SerializeToString()))
    await context.abort(reason.code, fault.message, tuple(trailers))
    raise AssertionError("abort returns never")
