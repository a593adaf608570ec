"""HTTP paths as calls of the contract's methods, and answers as JSON: what Envoy's transcoder does from the same file.

Bodies of events go to JsonCollectorService unread and come back as text, so that every word about an event is the
service's own; so do those of other methods. About parameters of an address the texts are protobuf's, where Envoy has
its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import orjson
from google.api import annotations_pb2
from google.api.httpbody_pb2 import HttpBody
from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.message import Message

from qrumb_server.rpc.json_answers import as_members, written
from qrumb_server.rpc.json_requests import JSON_BODY, JSON_REQUESTS, body_field

__all__ = ["BadRequestError", "Route", "Routes"]

_VARIABLE: Final = re.compile(r"\{(\w+)\}")
_COLLECTOR: Final = "CollectorService"


class BadRequestError(Exception):
    """A request does not fit its path; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of the contract at one path."""

    method: str
    """With its service, as in `/qrumb.v1.QueryService/GetLedger`."""
    http_method: str
    path: re.Pattern[str]
    body: str
    """The field that is the body; `*`: the whole request is; empty: there is none."""
    request: type[Message]
    response: type[Message]

    @property
    def is_for_events(self) -> bool:
        """Whether the address may have parameters that others put there."""
        return self.method.split("/")[1].endswith(_COLLECTOR) or self.request is HttpBody

    @property
    def is_batch(self) -> bool:
        """Whether the body may be as long as a batch."""
        return self.method.rpartition("/")[2].startswith("Batch")

    def encode(self, path: Mapping[str, str], query: Sequence[tuple[str, str]], body: bytes, kind: str) -> bytes:
        """The request's message.

        Args:
            path: what the path says.
            kind: the body's content type.

        Raises:
            BadRequestError: it does not fit.
        """
        if self.request is HttpBody:
            return HttpBody(content_type=kind, data=body).SerializeToString()
        message = self.request()
        try:
            self._read_body(message, body, kind)
            stated = _members(self.request.DESCRIPTOR, [*query, *path.items()], may_skip=self.is_for_events)
            json_format.ParseDict(stated, message)
        except (json_format.ParseError, orjson.JSONDecodeError) as error:
            raise BadRequestError(str(error)) from error
        return message.SerializeToString() + (body_field(kind, body) if self.body == JSON_BODY else b"")

    def decode(self, answer: bytes) -> tuple[str, bytes]:
        """Content type and body of an answer."""
        message = self.response.FromString(answer)
        if isinstance(message, HttpBody):
            return message.content_type, message.data
        return "application/json", written(as_members(message))

    def _read_body(self, message: Message, body: bytes, kind: str) -> None:
        if self.body in {"", JSON_BODY}:
            return
        field = None if self.body == "*" else self.request.DESCRIPTOR.fields_by_name[self.body]
        if field is not None and field.message_type is HttpBody.DESCRIPTOR:
            getattr(message, self.body).CopyFrom(HttpBody(content_type=kind, data=body))
            return
        target = message if field is None else getattr(message, self.body)
        target.SetInParent()
        json_format.ParseDict(orjson.loads(body or b"{}"), target, ignore_unknown_fields=True)


class Routes:
    """All paths.

    Args:
        files: the contract with its HTTP rules, as the gateway reads it.
        services: names of those that are served.
    """

    def __init__(self, files: FileDescriptorSet, services: Sequence[str]) -> None:
        self._routes = [
            route
            for file in files.file
            for service in file.service
            if f"{file.package}.{service.name}" in services
            for rpc in service.method
            for route in _routes_of(f"{file.package}.{service.name}", rpc)
        ]

    def find(self, http_method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route of a request and what its path says."""
        for route in self._routes:
            if route.http_method == http_method and (found := route.path.fullmatch(path)):
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None

    def allowed(self, path: str) -> str:
        """The method that a path takes; empty where there is no such path."""
        return next((route.http_method for route in self._routes if route.path.fullmatch(path)), "")

    def is_for_browsers(self, path: str) -> bool:
        """Whether pages of other origins call it: browser events."""
        return any(
            route.path.fullmatch(path) and re.search(r"/\w*(BrowserEvents?|Pixel)$", route.method)
            for route in self._routes
            if "Validator" not in route.method
        )


def _routes_of(service: str, rpc: Any) -> Iterator[Route]:
    if not rpc.options.HasExtension(annotations_pb2.http):
        return
    rule = rpc.options.Extensions[annotations_pb2.http]
    for one in (rule, *rule.additional_bindings):
        kind = one.WhichOneof("pattern")
        method = f"/{service}/{rpc.name}"
        yield Route(
            method=JSON_REQUESTS.get(method, method),
            http_method=kind.upper(),
            path=re.compile(_VARIABLE.sub(r"(?P<\1>[^/]+)", getattr(one, kind).replace(".", r"\."))),
            body=one.body,
            request=_class_of(rpc.input_type),
            response=_class_of(rpc.output_type),
        )


def _class_of(name: str) -> type[Message]:
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name.lstrip(".")))


def _members(message: Any, stated: Sequence[tuple[str, str]], *, may_skip: bool) -> dict[str, Any]:
    """Parameters of an address as the JSON of their message."""
    members: dict[str, Any] = {}
    for name, value in stated:
        target: dict[str, Any] = members
        owner: Any = message
        *parents, last = name.split(".")
        for parent in parents:
            field = _field(owner, parent)
            if field is None or field.message_type is None:
                owner = None
                break
            target, owner = target.setdefault(field.name, {}), field.message_type
        field = _field(owner, last) if owner is not None else None
        if field is None:
            if may_skip:
                continue
            raise json_format.ParseError(f'no parameter "{name}"')
        if field.is_repeated:
            target.setdefault(field.name, []).append(_plain(field, value))
        else:
            target[field.name] = _plain(field, value)
    return members


def _field(message: Any, name: str) -> FieldDescriptor | None:
    if message is None:
        return None
    return next((field for field in message.fields if name in (field.name, field.json_name)), None)


def _plain(field: FieldDescriptor, value: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    return value.upper() if field.type == FieldDescriptor.TYPE_ENUM else value
