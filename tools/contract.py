"""docs/contract.md: every call, message and field of the contract, out of the comments in proto/."""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from descriptor_sets import for_page
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
)

__all__ = ["document"]

INTRODUCTION: Final = """\
<!-- Generated from proto/ by: make generate -->

# Contract

Every call, message and field, as the comments of [`proto/qrumb/v1`](../proto/qrumb/v1) say it. The JSON endpoints are
also in [openapi.yaml](openapi.yaml). JSON has the same names; numbers of 64 bits are texts there, times RFC 3339. What
breaks a rule is answered with a reason: [errors.md](errors.md).
"""
PACKAGE: Final = ".qrumb.v1."
VERBS: Final = ("get", "post", "put", "delete", "patch")
Path = tuple[int, ...]
"""Where a declaration is in its file, as source info names it: numbers of fields of descriptor.proto, and indices."""


class _File:
    """A file's declarations and the comments before them."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self.file = file
        self._comments = {
            tuple(location.path): location.leading_comments for location in file.source_code_info.location
        }

    def comment(self, path: Path) -> str:
        """In paragraphs, without notes to tools; `<` would begin a tag of HTML."""
        lines = [line.strip() for line in self._comments.get(path, "").splitlines()]
        text = "\n".join(line for line in lines if not line.startswith("buf:lint:"))
        return re.sub(r"\n{3,}", "\n\n", text).strip().replace("<", "&lt;")

    def cell(self, path: Path) -> str:
        """The same in one line of a table."""
        return re.sub(r"\s+", " ", self.comment(path)).replace("|", "&#124;")


def document() -> str:
    """The whole page."""
    files = [_File(file) for file in for_page().file if f".{file.package}." == PACKAGE]
    parts = [INTRODUCTION, "## Calls\n"]
    for file in files:
        parts += _services(file)
    parts.append("## Messages\n")
    for file in files:
        for index, message in enumerate(file.file.message_type):
            parts += _message(file, message, message.name, (4, index))
        for index, enum in enumerate(file.file.enum_type):
            parts += _enum(file, enum, enum.name, (5, index))
    return "\n".join(parts)


def _services(file: _File) -> Iterator[str]:
    for index, service in enumerate(file.file.service):
        yield f"### {service.name}\n\n{file.comment((6, index))}\n"
        for number, method in enumerate(service.method):
            yield f"#### {method.name}\n\n{file.comment((6, index, 2, number))}\n"
            yield "\n".join(_shape(method)) + "\n"


def _shape(method: MethodDescriptorProto) -> Iterator[str]:
    rule = method.options.Extensions[annotations_pb2.http]
    for one in (rule, *rule.additional_bindings):
        verb = one.WhichOneof("pattern")
        if verb in VERBS:
            body = f", body: {'the whole message' if one.body == '*' else f'`{one.body}`'}" if one.body else ""
            yield f"- `{verb.upper()} {getattr(one, verb)}`{body}"
    taken, given = (
        f"{'a stream of ' if is_stream else ''}{_type_name(name)}"
        for is_stream, name in (
            (method.client_streaming, method.input_type),
            (method.server_streaming, method.output_type),
        )
    )
    yield f"- takes {taken}, answers {given}"


def _message(file: _File, message: DescriptorProto, name: str, path: Path) -> Iterator[str]:
    if message.options.map_entry:
        return
    yield f"### {name}\n\n{file.comment(path)}\n"
    if message.field:
        rows = [
            f"| {field.name} | {_field_type(field, message)} | {file.cell((*path, 2, index))} |"
            for index, field in enumerate(message.field)
        ]
        yield _table(("field", "type", "meaning"), rows)
    for index, nested in enumerate(message.nested_type):
        yield from _message(file, nested, f"{name}.{nested.name}", (*path, 3, index))
    for index, enum in enumerate(message.enum_type):
        yield from _enum(file, enum, f"{name}.{enum.name}", (*path, 4, index))


def _enum(file: _File, enum: EnumDescriptorProto, name: str, path: Path) -> Iterator[str]:
    yield f"### {name}\n\n{file.comment(path)}\n"
    rows = [
        f"| {value.name} | {value.number} | {file.cell((*path, 2, index))} |" for index, value in enumerate(enum.value)
    ]
    yield _table(("value", "number", "meaning"), rows)


def _field_type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    name = _type_name(field.type_name) if field.type_name else FieldDescriptorProto.Type.Name(field.type)[5:].lower()
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{message.name}.{nested.name}"):
            key, value = (_field_type(part, nested) for part in nested.field)
            return f"map of {key} to {value}"
    return f"list of {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _type_name(name: str) -> str:
    if not name.startswith(PACKAGE):
        return f"`{name.removeprefix('.')}`"
    short = name.removeprefix(PACKAGE)
    return f"[{short}](#{short.replace('.', '').lower()})"


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(document())
