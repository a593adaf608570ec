"""The HTTP edge of `qrumb micro`: an ASGI application that answers as the gateway does, for one caller on this machine.

What the gateway keeps from the service is kept from it here, what it states of a caller is stated, and its own replies
are taken from the same table. Left out is what guards a public port: rates, timeouts, TLS, HTTP/2, gRPC-Web.
"""

import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from google.protobuf.json_format import MessageToDict
from google.rpc import error_details_pb2 as _details_of_any  # noqa: F401  (JSON's @type is looked up by name)
from google.rpc.status_pb2 import Status

from qrumb_server.micro.local import Aborted, LocalServer
from qrumb_server.micro.routes import BadRequestError, Route, Routes
from qrumb_server.reasons import gateway
from qrumb_server.reasons.entry import HTTP_STATUS, Reason
from qrumb_server.rpc.faults import STATUS_DETAILS_KEY
from qrumb_server.rpc.json_answers import written

__all__ = ["Edge", "Reply"]

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Metadata = list[tuple[str, str | bytes]]

JSON: Final = "application/json"
# Of gateway/envoy.yaml: what no caller may say, and names that gRPC does not take.
_KEPT_BACK: Final = re.compile(
    r"cookie|forwarded|x-real-ip|true-client-ip|cf-connecting-ip|x-forwarded-.*|x-envoy-.*|x-qrumb-.*|.*-bin|grpc-.*"
    r"|x-client-ip|x-request-id|host|connection|content-length|content-type|te|transfer-encoding|keep-alive|upgrade"
    r"|.*[^a-z0-9_.-].*|.*_.*"
)
_KEY_IN_ADDRESS: Final = re.compile(r"(?:.*&)?(?i:key|api_key|token|access_token|authorization)(?:[=&].*)?")
_GRPC_PATH: Final = re.compile(r"/(?:qrumb\.v1|grpc\.health\.v1)\..*")
_EXPOSED: Final = "retry-after, x-request-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request, read whole."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    client: str
    request_id: str

    @property
    def said(self) -> Metadata:
        """As the gateway says it to the service."""
        kept: Metadata = [(name, value) for name, value in self.headers.items() if not _KEPT_BACK.fullmatch(name)]
        path = f"{self.path}?{self.query}" if self.query else self.path
        return [
            *kept,
            ("x-client-ip", self.client),
            ("x-request-id", self.request_id),
            ("x-envoy-original-path", path),
            ("x-envoy-attempt-count", "1"),
        ]


class Edge:
    """The application.

    Args:
        routes: paths of the contract.
        servers: where each method is served: beginnings of methods and their server; the first that fits is taken.
        replies: the gateway's own, as `gateway.render.replies` makes them.
        max_body_bytes, max_batch_bytes: of bodies.
        tests: answers what is asked under /test/; None where the path is not known.
    """

    def __init__(
        self,
        routes: Routes,
        *,
        servers: Sequence[tuple[str, LocalServer]],
        replies: Mapping[str, Any],
        max_body_bytes: int,
        max_batch_bytes: int,
        tests: Callable[[Request], Awaitable[Reply | None]],
    ) -> None:
        self._routes = routes
        self._servers = servers
        self._replies = replies
        self._limits = (max_body_bytes, max_batch_bytes)
        self._tests = tests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request, as ASGI hands it over."""
        request = await _read(scope, receive)
        reply = await self._answer(request)
        headers = [
            ("content-type", reply.content_type),
            ("content-length", str(len(reply.body))),
            ("x-request-id", request.request_id),
            ("x-content-type-options", "nosniff"),
            *_origin_headers(request, self._routes),
            *reply.headers,
        ]
        encoded = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
        await send({"type": "http.response.body", "body": reply.body})

    async def _answer(self, request: Request) -> Reply:
        if request.path.startswith("/test/") and (reply := await self._tests(request)):
            return reply
        if _KEY_IN_ADDRESS.fullmatch(request.query):
            return self._own(gateway.KEY_IN_ADDRESS)
        if preflight := _preflight(request, self._routes):
            return preflight
        if _GRPC_PATH.fullmatch(request.path):
            return self._own(gateway.GRPC_ONLY)
        if request.headers.get("content-encoding", "identity") not in ("", "identity"):
            return self._own(gateway.BODY_COMPRESSED)
        found = self._routes.find(request.method, request.path)
        if found is None:
            if allowed := self._routes.allowed(request.path):
                return self._own(gateway.METHOD_NOT_ALLOWED, ("allow", allowed))
            return self._own(gateway.PATH_UNKNOWN)
        route, stated = found
        if len(request.body) > self._limits[route.is_batch]:
            return self._own(gateway.BODY_TOO_LARGE)
        return await self._call(route, stated, request)

    async def _call(self, route: Route, stated: Mapping[str, str], request: Request) -> Reply:
        kind = request.headers.get("content-type", "")
        try:
            query = parse_qsl(request.query, keep_blank_values=True)
            message = route.encode(stated, query, request.body, kind)
        except BadRequestError as error:
            status, body = self._reply_text(gateway.JSON_MISMATCH)
            return Reply(status=status, body=body.replace(b"%LOCAL_REPLY_BODY%", written_text(str(error))))
        server = next(server for beginning, server in self._servers if route.method.startswith(beginning))
        try:
            answer = await server.call(route.method, message, request.said)
        except Aborted as error:
            return _error(error)
        content_type, body = route.decode(answer.message)
        return Reply(status=200, body=body, content_type=content_type, headers=_with_no_store(answer.headers))

    def _own(self, reason: Reason, *headers: tuple[str, str]) -> Reply:
        status, body = self._reply_text(reason)
        return Reply(status=status, body=body, headers=headers)

    def _reply_text(self, reason: Reason) -> tuple[int, bytes]:
        name = next(name for name, value in vars(gateway).items() if value is reason)
        return reason.status, written(self._replies[f"reply_{name.lower()}"])


def written_text(text: str) -> bytes:
    """As it stands inside a JSON text."""
    return written({"": text})[4:-2]


def _error(error: Aborted) -> Reply:
    trailers = dict(error.trailers)
    details = trailers.pop(STATUS_DETAILS_KEY, b"")
    status = Status.FromString(details if isinstance(details, bytes) else details.encode())
    if not details:
        status = Status(code=error.code.value[0], message=error.message)
    body = MessageToDict(status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for detail in body["details"]:
        if "metadata" in detail:  # in the order of the message's bytes, as the gateway has it
            detail["metadata"] = dict(sorted(detail["metadata"].items()))
    members = {"code": body["code"], "message": body["message"], "details": body["details"]}
    return Reply(
        status=HTTP_STATUS.get(error.code, 500), body=written(members), headers=_with_no_store(trailers.items())
    )


def _with_no_store(said: Iterable[tuple[str, str | bytes]]) -> list[tuple[str, str]]:
    headers = [(name, value) for name, value in said if isinstance(value, str) and not name.startswith("grpc-")]
    return headers if any(name == "cache-control" for name, _ in headers) else [*headers, ("cache-control", "no-store")]


def _preflight(request: Request, routes: Routes) -> Reply | None:
    wanted = request.headers.get("access-control-request-method")
    if request.method != "OPTIONS" or not wanted or not routes.is_for_browsers(request.path):
        return None
    headers = (
        ("access-control-allow-methods", "GET, POST"),
        ("access-control-allow-headers", request.headers.get("access-control-request-headers", "content-type")),
        ("access-control-max-age", "7200"),
    )
    return Reply(status=200, headers=headers)


def _origin_headers(request: Request, routes: Routes) -> list[tuple[str, str]]:
    origin = request.headers.get("origin")
    if not origin or not routes.is_for_browsers(request.path):
        return []
    return [
        ("access-control-allow-origin", origin),
        ("access-control-allow-credentials", "true"),
        ("access-control-expose-headers", _EXPOSED),
    ]


async def _read(scope: Scope, receive: Receive) -> Request:
    body = bytearray()
    while True:
        part = await receive()
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=bytes(body),
        client=scope["client"][0] if scope.get("client") else "127.0.0.1",
        request_id=str(uuid.uuid4()),
    )
