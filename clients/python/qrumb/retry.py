"""Which failures are tried again, and when.

gRPC's own retry policy ends after five attempts and knows no RetryInfo, so it is switched off and this is the only one.
"""

from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status

from qrumb.buffer import Batch, Kind
from qrumb.errors import DeliveryError, FieldViolation
from qrumb.settings import Settings

__all__ = ["Failure", "backoff", "halves_of", "is_retried", "read_failure"]

RETRIED: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
    }
)
# Doublings beyond it change nothing and would overflow a float.
_MAX_DOUBLINGS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A call without receipts; `stated_delay` is what the answer asked for, in seconds."""

    error: DeliveryError
    retried: bool
    stated_delay: float | None


def is_retried(code: grpc.StatusCode, *, has_delay: bool) -> bool:
    """Whether the same call may succeed later. A full server says when; a message that is too large does not."""
    return code in RETRIED or (code is grpc.StatusCode.RESOURCE_EXHAUSTED and has_delay)


def halves_of(batch: Batch, outcome: object) -> tuple[Batch, ...]:
    """The halves to go on with where a batch of scans broke a rule: the server takes all of them or none.

    In the end the scan that is refused is alone, and the others are registered.
    """
    broke_a_rule = isinstance(outcome, Failure) and outcome.error.code is grpc.StatusCode.INVALID_ARGUMENT
    if not broke_a_rule or batch[0].kind is not Kind.SCAN or len(batch) == 1:
        return ()
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


def backoff(settings: Settings, attempt: int, random: float, stated: float | None = None) -> float:
    """Seconds to wait after failure number `attempt`; `random` is in [0, 1).

    Never less than what the server asked for, and a little more, so that its clients do not come back as one.
    """
    if stated:
        return stated * (1 + random / 4)
    ceiling = min(settings.max_backoff, settings.first_backoff * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
    return ceiling * (1 + random) / 2


def read_failure(error: grpc.RpcError, *, has_spool: bool = False) -> Failure:
    """What a failed call says. What is in a folder waits for a key that is known: nothing else would bring it back."""
    call: Any = error  # an RpcError of a call has these; the type does not say so
    code: grpc.StatusCode = call.code() or grpc.StatusCode.UNKNOWN
    trailers = dict((*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())))
    details = _details(trailers.get("grpc-status-details-bin"))
    delay = _stated_delay(details, trailers.get("retry-after"))
    violations = [
        FieldViolation(field=found.field, reason=found.reason, description=found.description)
        for found in _unpacked(details, BadRequest)
        for found in found.field_violations
    ]
    return Failure(
        error=DeliveryError(code, call.details() or "", violations),
        retried=is_retried(code, has_delay=delay is not None)
        or (has_spool and code is grpc.StatusCode.UNAUTHENTICATED),
        stated_delay=delay,
    )


def _details(trailer: object) -> Status:
    status = Status()
    if isinstance(trailer, bytes):
        try:
            status.ParseFromString(trailer)
        except DecodeError:  # of something between us and the server; the code still counts
            return Status()
    return status


def _unpacked(status: Status, kind: type[Any]) -> list[Any]:
    found = []
    for detail in status.details:
        message = kind()
        if detail.Unpack(message):
            found.append(message)
    return found


def _stated_delay(status: Status, header: object) -> float | None:
    for info in _unpacked(status, RetryInfo):
        return max(0.0, float(info.retry_delay.ToTimedelta().total_seconds()))
    if isinstance(header, str) and header.isascii() and header.isdecimal():
        return float(header)
    return None
