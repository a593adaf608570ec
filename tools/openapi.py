"""docs/openapi.yaml: what the plugin makes of the contract, the contract's rules, and docs/openapi.base.yaml over it.

The plugin (protoc-gen-openapi of gnostic) knows google.api.http but not buf.validate, and takes no base file; these
two are added here and nothing else is changed, but for comments being unwrapped.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

from buf.validate import validate_pb2

BASE = Path(__file__).resolve().parent.parent / "docs" / "openapi.base.yaml"
PACKAGE = "qrumb.v1."
# Parameters whose rules are those of another message, field by field.
SAME_RULES = {f".{PACKAGE}CollectPixelRequest": f".{PACKAGE}BrowserEvent"}
HEADER = "# Generated from proto/ and docs/openapi.base.yaml by: make generate\n"
Node = dict[str, Any]


def complete(generated: str, descriptors: bytes) -> str:
    """The document as it is published."""
    # Only with full names does the plugin tell qrumb.v1.Violation from buf.validate.Violation.
    document = _unwrapped(yaml.safe_load(generated.replace(PACKAGE, "")))
    messages = {
        f".{file.package}.{message.name}": message
        for file in FileDescriptorSet.FromString(descriptors).file
        for message in file.message_type
        if file.package + "." == PACKAGE
    }
    inputs = _inputs(descriptors)
    for name, message in messages.items():
        if schema := document["components"]["schemas"].get(name.removeprefix("." + PACKAGE)):
            _add_rules(schema, message)
    base = yaml.safe_load(BASE.read_text(encoding="utf-8"))
    errors = {status: {"$ref": f"#/components/responses/{status}"} for status in base["components"]["responses"]}
    for operation in _operations(document):
        name = inputs[operation["operationId"]]
        _add_parameter_rules(operation, messages[SAME_RULES.get(name, name)])
        operation["responses"] |= errors
    _name_apart(document, descriptors)
    text = yaml.dump(_merged(document, base), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return HEADER + text


class _Plain(yaml.SafeDumper):
    """Writes no anchors."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _operations(document: Node) -> Iterator[Node]:
    for path in document["paths"].values():
        yield from path.values()


def _inputs(descriptors: bytes) -> dict[str, str]:
    """Type of the request by operationId."""
    return {f"{service}_{method.name}": method.input_type for service, method in _methods(descriptors)}


def _methods(descriptors: bytes) -> Iterator[tuple[str, MethodDescriptorProto]]:
    """Each method, after the name of its service."""
    for file in FileDescriptorSet.FromString(descriptors).file:
        for service in file.service:
            for method in service.method:
                yield service.name, method


def _name_apart(document: Node, descriptors: bytes) -> None:
    """A method with a second path is a second operation, and an operation's name is its own: `..._2`."""
    for service, method in _methods(descriptors):
        rule = method.options.Extensions[annotations_pb2.http]
        for number, other in enumerate(rule.additional_bindings, start=2):
            verb = other.WhichOneof("pattern")
            operation = document["paths"][getattr(other, verb)][verb]
            operation["operationId"] = f"{service}_{method.name}_{number}"


def _rules(field: FieldDescriptorProto) -> validate_pb2.FieldRules:
    # protoc types the extension as what it is at run time, which says nothing of its message.
    rules: validate_pb2.FieldRules = field.options.Extensions[validate_pb2.field]  # type: ignore[index]
    return rules


def _unwrapped(node: Any) -> Any:
    """Comments without the line breaks of their source, and without what they tell the linter."""
    if isinstance(node, dict):
        return {key: _unwrapped(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_unwrapped(value) for value in node]
    if isinstance(node, str):
        return re.sub(r"(?<!\n)\n (?!\n)", " ", re.sub(r"\s*buf:lint:ignore .*", "", node)).replace("\n ", "\n")
    return node


def _merged(node: Any, over: Any) -> Any:
    """JSON Merge Patch (RFC 7396)."""
    if not isinstance(over, dict):
        return over
    merged = dict(node) if isinstance(node, dict) else {}
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _add_rules(schema: Node, message: DescriptorProto) -> None:
    required = []
    for field in message.field:
        rules = _rules(field)
        schema["properties"][field.name] |= _constraints(field)
        if rules.required or rules.repeated.min_items:  # an absent list is an empty one
            required.append(field.name)
    if required:
        schema["required"] = required


def _add_parameter_rules(operation: Node, message: DescriptorProto) -> None:
    fields = {field.name: field for field in message.field}
    for parameter in operation.get("parameters", ()):
        field = fields.get(parameter["name"])
        if field is not None:
            parameter["schema"] |= _constraints(field)
            if _rules(field).required:
                parameter["required"] = True


def _constraints(field: FieldDescriptorProto) -> Node:
    """What the annotations of a field say, in the words of JSON Schema."""
    rules = _rules(field)
    found: Node = {}
    if rules.string.pattern:
        found["pattern"] = rules.string.pattern
    if rules.string.max_len:
        found["maxLength"] = rules.string.max_len
    if rules.string.uuid:
        found["format"] = "uuid"
    if field.type == FieldDescriptorProto.TYPE_STRING and rules.required and "pattern" not in found:
        found["minLength"] = 1
    if field.type == FieldDescriptorProto.TYPE_UINT32:
        found |= {"minimum": 0, "maximum": rules.uint32.lte or 2**32 - 1}
    if rules.HasField("double"):
        found |= {"minimum": rules.double.gte, "maximum": rules.double.lte}
    if rules.HasField("repeated"):
        found |= {"minItems": rules.repeated.min_items, "maxItems": rules.repeated.max_items}
    return found
