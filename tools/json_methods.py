"""The methods by which the gateway hands JSON bodies to a node unread, derived from the contract.

For each method of CollectorService and ScanSessionService that takes a body there is one of the same name and path
that takes and returns google.api.HttpBody. For each other method of which the whole request is the body there is one
whose request has the body as one more field, beside what path and query say, and whose answer is the contract's. They
are in Envoy's descriptor set alone: a reader of the contract sees the typed methods, and another gateway transcodes by
these.
"""

from typing import Final

from google.api import annotations_pb2, httpbody_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from qrumb_server.rpc.json_requests import JSON_BODY, JSON_BODY_NUMBER

__all__ = ["PACKAGE", "REQUEST_SERVICE", "SERVICE", "with_json_methods"]

CONTRACT: Final = "qrumb.v1"
PACKAGE: Final = "qrumb_server.wire.v1"
SERVICE: Final = "JsonCollectorService"
REQUEST_SERVICE: Final = "JsonRequestService"
DERIVED_FROM: Final = ("CollectorService", "ScanSessionService")
BODY: Final = f".{httpbody_pb2.HttpBody.DESCRIPTOR.full_name}"


def with_json_methods(contract: FileDescriptorSet) -> FileDescriptorSet:
    """The contract's files and one with the derived services. The HTTP paths of the first are those it is derived from:
    a gateway serves the one or the other. Those of the second are the contract's no more."""
    # Parsed anew: until the import above, the options were unknown fields.
    files = FileDescriptorSet.FromString(contract.SerializeToString())
    derived = ServiceDescriptorProto(name=SERVICE)
    requests = ServiceDescriptorProto(name=REQUEST_SERVICE)
    imports = [annotations_pb2.DESCRIPTOR.name, httpbody_pb2.DESCRIPTOR.name]
    for file in [file for file in files.file if file.package == CONTRACT]:
        for service in file.service:
            for method in service.method:
                rule = method.options.Extensions[annotations_pb2.http]
                if service.name in DERIVED_FROM and rule.body:
                    made = derived.method.add(name=method.name, input_type=BODY, output_type=BODY)
                    made.options.Extensions[annotations_pb2.http].CopyFrom(rule)
                    made.options.Extensions[annotations_pb2.http].body = "*"
                elif rule.body == "*":
                    _take_body_unread(method, file)
                    requests.method.add().CopyFrom(method)
                    method.options.ClearExtension(annotations_pb2.http)
                    imports.append(file.name)
    files.file.append(
        FileDescriptorProto(
            name=f"{PACKAGE.replace('.', '/')}/json_collector_service.proto",
            package=PACKAGE,
            syntax="proto3",
            dependency=dict.fromkeys(imports),
            service=[derived, requests],
        )
    )
    return files


def _take_body_unread(method: MethodDescriptorProto, file: FileDescriptorProto) -> None:
    """The body in a field of its own of the method's request, which is in the same file."""
    request = _message(method.input_type, file)
    request.field.add(
        name=JSON_BODY,
        json_name=JSON_BODY,
        number=JSON_BODY_NUMBER,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=BODY,
    )
    if httpbody_pb2.DESCRIPTOR.name not in file.dependency:
        file.dependency.append(httpbody_pb2.DESCRIPTOR.name)
    method.options.Extensions[annotations_pb2.http].body = JSON_BODY


def _message(name: str, file: FileDescriptorProto) -> DescriptorProto:
    [found] = [message for message in file.message_type if f".{file.package}.{message.name}" == name]
    return found
