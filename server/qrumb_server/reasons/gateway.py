"""Why the gateway answers by itself: the replies of Envoy that gateway/envoy.yaml takes from here.

Envoy picks a reply by HTTP status and, for 400, by what refused the request. Callers that speak gRPC get the text
alone, as grpc-message.
"""

from typing import Final

from grpc import StatusCode

from qrumb_server.reasons.entry import Reason, Retry

# What Envoy puts in: the text of whatever refused the request.
_ENVOYS_TEXT: Final = "%LOCAL_REPLY_BODY%"

BATCH_JSON_MISMATCH: Final = Reason(
    name="JSON_MISMATCH",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text=f"nothing of this batch was taken, its JSON does not fit: {_ENVOYS_TEXT}",
    cause="The body of a batch is not JSON, or a value has another type than its field.",
    advice="Correct the place that the text names. /validate says all that is wrong with one event.",
)
JSON_MISMATCH: Final = Reason(
    name="JSON_MISMATCH",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text=f"the request does not fit this path: {_ENVOYS_TEXT}",
    cause="The body is not JSON, a value has another type than its field, or a parameter of the URL is not known.",
    advice="Correct the place that the text names.",
)
KEY_IN_ADDRESS: Final = Reason(
    name="KEY_IN_ADDRESS",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="a key belongs in the header authorization, as Bearer KEY, never in the address, which is written into logs",
    cause="The URL has a parameter such as key, token or authorization.",
    advice="Send the key in the header, and revoke this one: `qrumb sites revoke`.",
)
HTTP_MALFORMED: Final = Reason(
    name="HTTP_MALFORMED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="not a valid HTTP request: see its headers and its path (an id with a slash goes into the query: "
    "?scan_session_id=)",
    cause="The request line, the path or a header breaks the rules of HTTP; so do escaped slashes in a path.",
    advice="Use an HTTP library, and escape no slash of a path: a scan session with one in its id is asked for by "
    "`/v1/sites/{site_id}/scan-sessions?scan_session_id=...`.",
)
PATH_UNKNOWN: Final = Reason(
    name="PATH_UNKNOWN",
    code=StatusCode.NOT_FOUND,
    retry=Retry.NO,
    text="no such path: compare it letter by letter, a slash at its end included",
    cause="No endpoint has this path.",
    advice="Compare it with docs/openapi.yaml; the paths of browser events are those of `gateway.collect_paths`.",
)
METHOD_NOT_ALLOWED: Final = Reason(
    name="METHOD_NOT_ALLOWED",
    code=StatusCode.UNIMPLEMENTED,
    http_status=405,
    retry=Retry.NO,
    text="this path does not take this method; the header allow says which it takes",
    cause="The path is right and the method is not, such as GET for POST.",
    advice="Use the method of the header allow.",
)
REQUEST_TOO_SLOW: Final = Reason(
    name="REQUEST_TOO_SLOW",
    code=StatusCode.DEADLINE_EXCEEDED,
    http_status=408,
    retry=Retry.YES,
    text="the request did not arrive in time; send it again, faster or in smaller parts",
    cause="Headers or body came so slowly that the gateway stopped waiting.",
    advice="Send it again, in smaller batches where the line is slow.",
)
BODY_TOO_LARGE: Final = Reason(
    name="BODY_TOO_LARGE",
    code=StatusCode.INVALID_ARGUMENT,
    http_status=413,
    retry=Retry.NO,
    text="the body is too large: at most {max_body_bytes:,} bytes, {max_batch_bytes:,} for a batch",
    cause="The body is above the gateway's limit.",
    advice="Send smaller batches; an event itself is small.",
)
GRPC_ONLY: Final = Reason(
    name="GRPC_ONLY",
    code=StatusCode.INVALID_ARGUMENT,
    http_status=415,
    retry=Retry.NO,
    text="this path takes gRPC and gRPC-Web only; JSON has paths of its own",
    cause="A request that is not gRPC was sent to a gRPC method's path.",
    advice="Send JSON to the paths of docs/openapi.yaml.",
)
BODY_COMPRESSED: Final = Reason(
    name="BODY_COMPRESSED",
    code=StatusCode.INVALID_ARGUMENT,
    http_status=415,
    retry=Retry.NO,
    text="compressed bodies are not taken; leave out content-encoding",
    cause="The header content-encoding names a compression.",
    advice="Send the body as it is; gRPC may compress its messages.",
)
HEADERS_TOO_LARGE: Final = Reason(
    name="HEADERS_TOO_LARGE",
    code=StatusCode.INVALID_ARGUMENT,
    http_status=431,
    retry=Retry.NO,
    text="the headers are too large: at most {max_header_kb} KiB, the URL included, and {max_header_count} headers",
    cause="The request line and the headers are above the gateway's limit, or too many.",
    advice="Send a long page_url or page_title in the body of /collect in place of /collect.gif.",
)
ADDRESS_RATE: Final = Reason(
    name="ADDRESS_RATE",
    code=StatusCode.RESOURCE_EXHAUSTED,
    retry=Retry.AFTER_DELAY,  # Envoy's, until its bucket has room
    text="too many requests from this address; slow down and try again",
    cause="One address (IPv6: one /64) sends more requests than `gateway.requests_per_second`.",
    advice="Wait for the delay. Send batches in place of single events.",
)
ANSWER_TOO_LATE: Final = Reason(
    name="ANSWER_TOO_LATE",
    code=StatusCode.DEADLINE_EXCEEDED,
    retry=Retry.AFTER_DELAY,
    retry_after_seconds=2,
    text="the service did not answer in time; try again, events under the same event_id",
    cause="The service took longer than the gateway waits. Whether it has kept the events is not known.",
    advice="Send them again under the same event_id: a second arrival is recognised as a duplicate.",
)
SERVICE_UNREACHABLE: Final = Reason(
    name="SERVICE_UNREACHABLE",
    code=StatusCode.UNAVAILABLE,
    retry=Retry.AFTER_DELAY,
    retry_after_seconds=2,
    text="the service cannot be reached at the moment; try again",
    cause="No worker takes the request: they are being started again, or have all that they can hold.",
    advice="Wait for the delay and send the same request again.",
)
GATEWAY_FAULT: Final = Reason(
    name="INTERNAL",
    code=StatusCode.INTERNAL,
    retry=Retry.NO,
    text="internal error",
    cause="A fault between the gateway and the service.",
    advice="Report it to the node's operator with the answer's x-request-id.",
)
REQUEST_REFUSED: Final = Reason(
    name="REQUEST_REFUSED",
    code=StatusCode.INVALID_ARGUMENT,
    retry=Retry.NO,
    text="the gateway refused this request (HTTP %RESPONSE_CODE%)",
    cause="Envoy refused the request with a status that has no entry of its own here.",
    advice="Look the HTTP status up, and report what lacks here.",
)

TABLE: Final[tuple[Reason, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Reason))
"""All of the above, in this order."""
