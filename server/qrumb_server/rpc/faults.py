"""How a call that fails is answered: one table from fault to google.rpc.Status.

The text is ours or nothing: what an exception says goes to the log, never to the caller. The gateway renders the
details as JSON.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NoReturn

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from qrumb.v1.receipt_pb2 import Violation
from qrumb_server.errors import SiteShareError, SpoolFailedError, SpoolFullError

__all__ = ["DOMAIN", "SPOOL_ANSWERS", "EventRejected", "RequestFault", "RequestRejected", "abort", "abort_for"]

DOMAIN: Final = "qrumb"
STATUS_DETAILS_KEY: Final = "grpc-status-details-bin"
# Of the fields named in a message. Messages travel percent-encoded, three bytes for one, next to the details, and
# common clients take 8 KiB for both.
MAX_NAMED_BYTES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a fault of ours is answered: the whole request may be sent again later."""

    code: grpc.StatusCode
    reason: str
    message: str
    retry_after_seconds: int


SPOOL_ANSWERS: Final[Mapping[type[Exception], Answer]] = {
    # It empties as fast as ClickHouse takes rows: seconds once that is back. Not UNAVAILABLE, which the gateway
    # would try again at once.
    SpoolFullError: Answer(
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        reason="SPOOL_FULL",
        message="the collector's spool is full; nothing was kept, send it again later",
        retry_after_seconds=5,
    ),
    SiteShareError: Answer(
        code=grpc.StatusCode.RESOURCE_EXHAUSTED,
        reason="SITE_SPOOL_SHARE",
        message="this site's share of the collector's spool is full; nothing was kept, send it again later",
        retry_after_seconds=5,
    ),
    # Another worker, or this one's next segment, may well take it.
    SpoolFailedError: Answer(
        code=grpc.StatusCode.UNAVAILABLE,
        reason="SPOOL_FAILED",
        message="the collector's disk refused the event; nothing was acknowledged, send it again",
        retry_after_seconds=1,
    ),
}


class RequestFault(Exception):
    """The request as a whole cannot be served; `reason` is stable, in ErrorInfo."""

    def __init__(
        self,
        code: grpc.StatusCode,
        reason: str,
        message: str,
        field: str = "",
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.field = field
        self.retry_after_seconds = retry_after_seconds


class RequestRejected(Exception):
    """Fields of the request break rules; `reason` is stable, in ErrorInfo."""

    def __init__(self, reason: str, violations: Sequence[Violation]) -> None:
        super().__init__("the request breaks a rule")
        self.reason = reason
        self.violations = violations


class EventRejected(Exception):
    """The one event of a call breaks rules."""

    def __init__(self, event_id: str, violations: Sequence[Violation]) -> None:
        super().__init__("the event breaks a rule")
        self.event_id = event_id
        self.violations = violations


async def abort(
    context: grpc.aio.ServicerContext,  # type: ignore[type-arg]
    code: grpc.StatusCode,
    message: str,
    details: Sequence[Message],
    retry_after_seconds: int | None = None,
) -> NoReturn:
    """End the call with a rich status; `retry_after_seconds` becomes RetryInfo and the header Retry-After."""
    status = Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    trailers: list[tuple[str, str | bytes]] = []
    if retry_after_seconds is not None:
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=retry_after_seconds)))
        trailers.append(("retry-after", str(retry_after_seconds)))
    if code is grpc.StatusCode.UNAUTHENTICATED:
        trailers.append(("www-authenticate", "Bearer"))
    trailers.append((STATUS_DETAILS_KEY, status.SerializeToString()))
    await context.abort(code, message, tuple(trailers))
    raise AssertionError("abort returns never")


async def abort_for(context: grpc.aio.ServicerContext, fault: Exception, request_id: str) -> NoReturn:  # type: ignore[type-arg]
    """Answer a call that raised `fault`."""
    if isinstance(fault, EventRejected):
        await _reject(context, fault)
    if isinstance(fault, RequestRejected):
        await _refuse_fields(
            context, "request rejected", fault.violations, ErrorInfo(reason=fault.reason, domain=DOMAIN)
        )
    if isinstance(fault, RequestFault):
        details: list[Message] = [ErrorInfo(reason=fault.reason, domain=DOMAIN)]
        if fault.field:
            violation = BadRequest.FieldViolation(field=fault.field, description=fault.message, reason=fault.reason)
            details.insert(0, BadRequest(field_violations=[violation]))
        await abort(context, fault.code, fault.message, details, fault.retry_after_seconds)
    if answer := SPOOL_ANSWERS.get(type(fault)):
        info = ErrorInfo(reason=answer.reason, domain=DOMAIN)
        await abort(context, answer.code, answer.message, [info], answer.retry_after_seconds)
    info = ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"request_id": request_id} if request_id else {})
    await abort(context, grpc.StatusCode.INTERNAL, "internal error", [info])


async def _reject(context: grpc.aio.ServicerContext, fault: EventRejected) -> NoReturn:  # type: ignore[type-arg]
    if any(violation.reason == Violation.INTERNAL for violation in fault.violations):
        info = ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"event_id": fault.event_id})
        await abort(context, grpc.StatusCode.INTERNAL, "internal error", [info])
    info = ErrorInfo(reason="EVENT_REJECTED", domain=DOMAIN, metadata={"event_id": fault.event_id})
    await _refuse_fields(context, "event rejected", fault.violations, info)


async def _refuse_fields(
    context: grpc.aio.ServicerContext,  # type: ignore[type-arg]
    what: str,
    violations: Sequence[Violation],
    info: ErrorInfo,
) -> NoReturn:
    """INVALID_ARGUMENT with every broken rule."""
    named = ", ".join(sorted({violation.field for violation in violations}))
    named = named.encode()[:MAX_NAMED_BYTES].decode(errors="ignore")
    bad = BadRequest(
        field_violations=[
            BadRequest.FieldViolation(
                field=violation.field,
                description=violation.description,
                reason=Violation.Reason.Name(violation.reason),
            )
            for violation in violations
        ]
    )
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, f"{what}: {named}", [bad, info])
