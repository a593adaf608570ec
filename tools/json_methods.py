"""The methods by which the gateway hands the JSON bodies of events and scan sessions to a collector unread, derived
from the contract.

For each method of CollectorService and ScanSessionService that takes a body there is one of the same name and path
that takes and returns google.api.HttpBody. They are in Envoy's descriptor set alone: a reader of the contract sees the
typed methods, and another gateway transcodes by these.
"""

from typing import Final

from google.api import annotations_pb2, httpbody_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto

__all__ = ["PACKAGE", "SERVICE", "with_json_methods"]

CONTRACT: Final = "qrumb.v1"
PACKAGE: Final = "qrumb_server.wire.v1"
SERVICE: Final = "JsonCollectorService"
DERIVED_FROM: Final = ("CollectorService", "ScanSessionService")


def with_json_methods(contract: FileDescriptorSet) -> FileDescriptorSet:
    """The contract's files and one with the derived service, whose HTTP paths are those it is derived from: a gateway
    serves the one or the other."""
    # Parsed anew: until the import above, the options were unknown fields.
    files = FileDescriptorSet.FromString(contract.SerializeToString())
    methods = [
        method
        for file in files.file
        for service in file.service
        if file.package == CONTRACT and service.name in DERIVED_FROM
        for method in service.method
    ]
    body = f".{httpbody_pb2.HttpBody.DESCRIPTOR.full_name}"
    derived = ServiceDescriptorProto(name=SERVICE)
    for method in methods:
        rule = method.options.Extensions[annotations_pb2.http]
        if not rule.body:
            continue
        made = derived.method.add(name=method.name, input_type=body, output_type=body)
        made.options.Extensions[annotations_pb2.http].CopyFrom(rule)
        made.options.Extensions[annotations_pb2.http].body = "*"
    files.file.append(
        FileDescriptorProto(
            name=f"{PACKAGE.replace('.', '/')}/json_collector_service.proto",
            package=PACKAGE,
            syntax="proto3",
            dependency=[annotations_pb2.DESCRIPTOR.name, httpbody_pb2.DESCRIPTOR.name],
            service=[derived],
        )
    )
    return files
