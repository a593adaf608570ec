"""What Envoy answers by itself, out of the table of reasons."""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import json_format
from google.rpc import error_details_pb2 as _details_of_any  # noqa: F401  (JSON's @type is looked up by name)
from google.rpc.status_pb2 import Status

from qrumb_server.reasons import gateway
from qrumb_server.reasons.calls import UNKNOWN_METHOD
from qrumb_server.reasons.entry import DOMAIN, Reason, Retry

__all__ = ["replies"]


def replies(limits: Mapping[str, Any]) -> dict[str, Any]:
    """By the names of `reasons.gateway`: the text, the JSON, and the headers of what names a delay.

    Args:
        limits: what the texts name.
    """
    found: dict[str, Any] = {
        "text_unknown_method": UNKNOWN_METHOD.text,
        "grpc_status_body_too_large": str(gateway.BODY_TOO_LARGE.code.value[0]),
        "grpc_details_body_too_large": _grpc_details(gateway.BODY_TOO_LARGE),
    }
    for name, reason in vars(gateway).items():
        if not isinstance(reason, Reason):
            continue
        text = reason.text.format_map(limits)
        found[f"text_{name.lower()}"] = text
        found[f"reply_{name.lower()}"] = {"code": reason.code.value[0], "message": text, "details": [*_details(reason)]}
        if reason.retry_after_seconds is not None:
            delay = {"key": "retry-after", "value": str(reason.retry_after_seconds)}
            found[f"headers_{name.lower()}"] = [{"header": delay, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]
    return found


def _details(reason: Reason) -> Iterator[dict[str, Any]]:
    """Of google.rpc.Status, as JSON."""
    yield {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason.name,
        "domain": DOMAIN,
        "metadata": {"help_url": reason.help_url},
    }
    if reason.retry is Retry.AFTER_DELAY:
        # Where the table has no delay, Envoy's filter has put one into the header.
        delay = reason.retry_after_seconds or "%RESP(RETRY-AFTER)%"
        yield {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": f"{delay}s"}


def _grpc_details(reason: Reason) -> str:
    """The header grpc-status-details-bin, where a caller that speaks gRPC is told more than a text."""
    status = json_format.ParseDict({"code": reason.code.value[0], "details": [*_details(reason)]}, Status())
    return base64.b64encode(status.SerializeToString()).decode().rstrip("=")
