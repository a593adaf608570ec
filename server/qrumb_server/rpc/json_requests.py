"""Bodies of calls that are neither events nor scan sessions: the gateway hands them over unread, as it does those.

Envoy's transcoder drops members that it does not know, and has no option against it: `{"validate_onyl": true}` would
erase. So in Envoy's copy of the contract (tools/json_methods.py) the body is one more field of the request, beside
what the path and the query say, and the method is one of JSON_REQUESTS, which a node of before does not have: it
answers UNIMPLEMENTED, where the body as a field of the contract's method would be passed over. From the interceptor
on, the call is the contract's: keys, times, spans and answers are those of its method.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet
from google.protobuf.wrappers_pb2 import UInt32Value

from qrumb_server.reading.request import read_request
from qrumb_server.reasons import calls
from qrumb_server.rpc.faults import RequestRejected

__all__ = ["JSON_BODY", "JSON_BODY_NUMBER", "JSON_REQUESTS", "JSON_REQUEST_SERVICE", "body_field", "with_body"]

JSON_REQUEST_SERVICE: Final = "qrumb_server.wire.v1.JsonRequestService"
JSON_REQUESTS: Final[Mapping[str, str]] = {
    f"/{JSON_REQUEST_SERVICE}/{name}": f"/qrumb.v1.{service}/{name}"
    for service, name in (
        ("PrivacyService", "EraseSubject"),
        ("PrivacyService", "ExportSubject"),
        ("ReplayService", "ReplayRejectedEvents"),
    )
}
"""By the gateway's name of a method, the contract's."""
JSON_BODY: Final = "json_body"
"""The field of the request that a body is, a google.api.HttpBody."""
JSON_BODY_NUMBER: Final = 1_000
"""Its number; the contract has none as high."""
_METHODS: Final = frozenset(JSON_REQUESTS.values())
_LENGTH_DELIMITED: Final = 2


def with_body(method: str, request: Any) -> Any:
    """The request as its body and its address make it; any other is given back as it is.

    Args:
        method: the contract's.

    Raises:
        RequestRejected: something in the body is not a field, or not what its field takes.
    """
    if method not in _METHODS or not isinstance(request, Message):  # bytes: another process reads them
        return request
    unknown: Any = UnknownFieldSet(request)
    # Parts of one message, of which Envoy's first is empty.
    parts = [
        field.data
        for field in unknown
        if field.field_number == JSON_BODY_NUMBER and field.wire_type == _LENGTH_DELIMITED
    ]
    request.DiscardUnknownFields()
    body = HttpBody.FromString(b"".join(parts))
    if violations := read_request(body.data, request):
        raise RequestRejected(calls.BODY_MISFIT, violations)
    return request


def body_field(kind: str, text: bytes) -> bytes:
    """A body as Envoy adds it to a request.

    Args:
        kind: its content type.
    """
    body = HttpBody(content_type=kind, data=text).SerializeToString()
    tag, length = (_varint(number) for number in (JSON_BODY_NUMBER << 3 | _LENGTH_DELIMITED, len(body)))
    return b"".join((tag, length, body))


def _varint(number: int) -> bytes:
    written: bytes = UInt32Value(value=number).SerializeToString()
    return written[1:] or b"\0"
