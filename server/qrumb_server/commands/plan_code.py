"""Typed builders of a site's planned events, over the clients: pure, from plans to one source file of a language.

Types say what a compiler can hold: names, what is required, the kind of each value. Bounds, patterns and formats stay
the plan's, which the node applies. In Go and Java members of objects and items of lists are not typed.
"""

import json
import keyword
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["LANGUAGES", "generate"]

Schemas = Mapping[str, Mapping[str, Any]]
"""By name of the event: event_type or event_name."""

_HEAD: Final = "Typed events of the site {site}: made by `qrumb plan generate`, not to be edited."
_RESERVED: Final = frozenset(
    {
        *keyword.kwlist,
        *("abstract", "boolean", "byte", "case", "catch", "char", "const", "default", "delete", "do", "double", "enum"),
        *("export", "extends", "final", "float", "function", "goto", "implements", "instanceof", "int", "interface"),
        *("let", "long", "native", "new", "null", "package", "private", "protected", "public", "record", "short"),
        *("static", "super", "switch", "synchronized", "this", "throw", "throws", "transient", "true", "false", "type"),
        *("typeof", "var", "void", "volatile", "map", "range", "select", "chan", "defer", "fallthrough", "func"),
    }
)
_words = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+").findall


def generate(language: str, site_id: str, schemas: Schemas) -> str:
    """The source file of a language, one of `LANGUAGES`."""
    plans = [_Plan(name, identifier, list(_members(schemas[name]))) for name, identifier in _identifiers(schemas)]
    return LANGUAGES[language](site_id, plans)


@dataclass(frozen=True, slots=True)
class _Member:
    """One of an event's own fields."""

    name: str
    identifier: str
    """In camelCase, unlike those of the others."""
    schema: Mapping[str, Any]
    is_required: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """One kind of event."""

    name: str
    identifier: str
    members: list[_Member]

    @property
    def type_name(self) -> str:
        return self.identifier[0].upper() + self.identifier[1:]


def _members(schema: Mapping[str, Any]) -> Iterator[_Member]:
    properties = {name: known if isinstance(known, dict) else {} for name, known in _properties(schema).items()}
    required = set(schema.get("required", ()))
    names = [*properties, *sorted(required - properties.keys())]
    for name, identifier in _identifiers(names):
        yield _Member(name, identifier, properties.get(name, {}), name in required)


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    found = schema.get("properties", {})
    return found if isinstance(found, dict) else {}


def _identifiers(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each name and its own identifier in camelCase, which is a word in none of the languages."""
    taken: set[str] = set()
    for name in names:
        first, *others = [word.lower() for word in _words(name)] or ["field"]
        plain = first + "".join(word.capitalize() for word in others)
        plain = f"n{plain}" if plain[0].isdigit() else plain
        plain = f"{plain}_" if plain in _RESERVED else plain
        identifier, number = plain, 2
        while identifier.lower() in taken:
            identifier, number = f"{plain}{number}", number + 1
        taken.add(identifier.lower())
        yield name, identifier


def _types(schema: Mapping[str, Any]) -> list[str]:
    stated = schema.get("type", "string" if _is_text_enum(schema) else [])
    return [stated] if isinstance(stated, str) else list(stated)


def _snake(identifier: str) -> str:
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier).lower()
    return f"{text}_" if keyword.iskeyword(text) else text


# --- Python

_PYTHON: Final = '''"""{head}"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NotRequired, Required, TypedDict, Unpack, cast
from uuid import UUID

from qrumb import server_event
from qrumb.events import ConsentState
from qrumb.v1.server_event_pb2 import ServerEvent


class Facts(TypedDict, total=False):
    """What an event has beside its own fields, as `qrumb.server_event` takes it."""

    scan_session_id: Required[str]
    event_id: str | UUID | None
    event_time: datetime | None
    consent: ConsentState | None
    email: str | None
    phone: str | None
    email_hash: str | None
    phone_hash: str | None
    external_id: str | None
    amount: Decimal | float | None
    currency: str | None
    client_ip: str
    user_agent: str
'''


def _python(site_id: str, plans: list[_Plan]) -> str:
    parts = [_PYTHON.format(head=_HEAD.format(site=site_id))]
    for plan in plans:
        lines = [
            f"    {json.dumps(one.name)}: "
            f"{_python_type(one.schema) if one.is_required else f'NotRequired[{_python_type(one.schema)}]'},"
            for one in plan.members
        ]
        fields = "\n".join(["{", *lines, "}"]) if lines else "{}"
        parts.append(
            f"{plan.type_name} = TypedDict({json.dumps(plan.type_name)}, {fields})\n"
            f'"""Own fields of {json.dumps(plan.name)}."""\n\n\n'
            f"def {_snake(plan.identifier)}(properties: {plan.type_name}, **facts: Unpack[Facts]) -> ServerEvent:\n"
            f'    """A server event {json.dumps(plan.name)}."""\n'
            f"    own = cast(Any, properties)\n"
            f"    return server_event(site_id={json.dumps(site_id)}, event_name={json.dumps(plan.name)}, "
            "properties=own, **facts)\n"
        )
    return "\n\n".join(parts)


def _python_type(schema: Mapping[str, Any]) -> str:
    if _is_text_enum(schema):
        return f"Literal[{', '.join(map(json.dumps, schema['enum']))}]"
    plain = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
    kinds = [
        plain.get(kind) or (f"list[{_python_type(_items(schema))}]" if kind == "array" else "dict[str, Any]")
        for kind in _types(schema)
    ]
    return " | ".join(kinds) or "Any"


def _is_text_enum(schema: Mapping[str, Any]) -> bool:
    values = schema.get("enum")
    return isinstance(values, list) and bool(values) and all(isinstance(value, str) for value in values)


def _items(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    items = schema.get("items", {})
    return items if isinstance(items, dict) else {}


# --- TypeScript


def _typescript(site_id: str, plans: list[_Plan]) -> str:
    parts = [
        (
            f"// {_HEAD.format(site=site_id)}\n\n"
            'import { serverEvent, type ServerEvent, type ServerEventInput } from "@qrumb/client";\n\n'
            "/** What an event has beside its own fields. */\n"
            'export type Facts = Omit<ServerEventInput, "siteId" | "eventName" | "properties">;\n'
        )
    ]
    for plan in plans:
        own = _typescript_object(plan.members, "")
        parts.append(
            f"/** Own fields of {json.dumps(plan.name)}: a server event's properties, or a page's metadata. */\n"
            f"export type {plan.type_name} = {own};\n\n"
            f"/** A server event {json.dumps(plan.name)}. */\n"
            f"export function {plan.identifier}(properties: {plan.type_name}, facts: Facts): ServerEvent {{\n"
            '  const own = properties as unknown as NonNullable<ServerEventInput["properties"]>;\n'
            f"  return serverEvent({{ ...facts, siteId: {json.dumps(site_id)}, eventName: {json.dumps(plan.name)}, "
            "properties: own });\n}\n"
        )
    return "\n".join(parts)


def _typescript_object(members: Iterable[_Member], indent: str) -> str:
    lines = [
        f"{indent}  {json.dumps(one.name)}{'' if one.is_required else '?'}: "
        f"{_typescript_type(one.schema, indent + '  ')};\n"
        for one in members
    ]
    return "{\n" + "".join(lines) + indent + "}" if lines else "Record<string, unknown>"


def _typescript_type(schema: Mapping[str, Any], indent: str) -> str:
    if _is_text_enum(schema):
        return " | ".join(map(json.dumps, schema["enum"]))
    plain = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
    kinds = []
    for kind in _types(schema):
        if kind == "array":
            kinds.append(f"({_typescript_type(_items(schema), indent)})[]")
        elif kind == "object":
            kinds.append(_typescript_object(_members(schema), indent))
        else:
            kinds.append(plain[kind])
    return " | ".join(dict.fromkeys(kinds)) or "unknown"


# --- Go


def _go(site_id: str, plans: list[_Plan]) -> str:
    package = re.sub(r"[^a-z0-9]", "", site_id.lower()) or "plans"
    package = f"site{package}" if package[0].isdigit() or package in _RESERVED else package
    parts = [
        (
            f"// Code generated by qrumb plan generate; DO NOT EDIT.\n\n"
            f"// Package {package} has the typed events of the site {site_id}.\npackage {package}\n\n"
            'import "github.com/qrumb/qrumb-go"\n'
        )
    ]
    for plan in plans:
        name = plan.type_name
        fields = "".join(f"\t{line}\n" for line in _aligned((_exported(one), _go_type(one)) for one in plan.members))
        always = _aligned(
            (f"{json.dumps(one.name)}:", f"p.{_exported(one)},") for one in plan.members if one.is_required
        )
        literal = "{\n" + "".join(f"\t\t{line}\n" for line in always) + "\t}" if always else "{}"
        maybe = [
            f"\tif p.{_exported(one)} != nil {{\n\t\town[{json.dumps(one.name)}] = {_go_value(one)}\n\t}}\n"
            for one in plan.members
            if not one.is_required
        ]
        parts.append(
            f"// {name} has the own fields of {json.dumps(plan.name)}; nil leaves an optional one out.\n"
            f"type {name} struct {{\n{fields}}}\n\n"
            f"// Own are the fields by their names.\nfunc (p {name}) Own() map[string]any {{\n"
            f"\town := map[string]any{literal}\n{''.join(maybe)}\treturn own\n}}\n\n"
            f"// ServerEvent completes an event that a backend sends.\n"
            f"func (p {name}) ServerEvent(event qrumb.ServerEvent) qrumb.ServerEvent {{\n"
            f"\tevent.SiteID, event.EventName, event.Properties = "
            f"{json.dumps(site_id)}, {json.dumps(plan.name)}, p.Own()\n\treturn event\n}}\n\n"
            f"// BrowserEvent completes an event of a page.\n"
            f"func (p {name}) BrowserEvent(event qrumb.BrowserEvent) qrumb.BrowserEvent {{\n"
            f"\tevent.SiteID, event.EventType, event.Metadata = "
            f"{json.dumps(site_id)}, {json.dumps(plan.name)}, p.Own()\n\treturn event\n}}\n"
        )
    return "\n".join(parts)


def _aligned(pairs: Iterable[tuple[str, str]]) -> list[str]:
    """As gofmt does it."""
    rows = list(pairs)
    width = max((len(first) for first, _second in rows), default=0)
    return [f"{first:<{width}} {second}" for first, second in rows]


_GO: Final = {"string": "string", "integer": "int64", "number": "float64", "boolean": "bool"}


def _exported(member: _Member) -> str:
    return member.identifier[0].upper() + member.identifier[1:]


def _go_scalar(member: _Member) -> str | None:
    kinds = _types(member.schema)
    return _GO.get(kinds[0]) if len(kinds) == 1 else None


def _go_type(member: _Member) -> str:
    if scalar := _go_scalar(member):
        return scalar if member.is_required else f"*{scalar}"
    return {"array": "[]any", "object": "map[string]any"}.get("".join(_types(member.schema)), "any")


def _go_value(member: _Member) -> str:
    return f"{'*' if _go_scalar(member) else ''}p.{_exported(member)}"


# --- Java


def _java(site_id: str, plans: list[_Plan]) -> str:
    [(_site, identifier)] = _identifiers([site_id])
    outer = f"{identifier[0].upper()}{identifier[1:]}Events"
    parts = [
        (
            f"// {_HEAD.format(site=site_id)}\n\nimport dev.qrumb.BrowserEventBuilder;\nimport dev.qrumb.Event;\n"
            "import dev.qrumb.ServerEventBuilder;\nimport java.util.LinkedHashMap;\nimport java.util.List;\n"
            "import java.util.Map;\nimport java.util.Objects;\n\n"
            f"/** Events of the site {site_id}. */\npublic final class {outer} {{\n  private {outer}() {{}}\n"
        )
    ]
    for plan in plans:
        taken = ", ".join(f"{_java_type(one.schema)} {one.identifier}" for one in plan.members)
        checks = [
            f"      Objects.requireNonNull({one.identifier}, {json.dumps(one.name)});\n"
            for one in plan.members
            if one.is_required and "null" not in _types(one.schema)
        ]
        puts = [
            f"      {'' if one.is_required else f'if ({one.identifier} != null) '}"
            f"own.put({json.dumps(one.name)}, {one.identifier});\n"
            for one in plan.members
        ]
        names = f"siteId({json.dumps(site_id)})", json.dumps(plan.name)
        parts.append(
            f"  /** Own fields of {json.dumps(plan.name)}; null leaves an optional one out. */\n"
            f"  public record {plan.type_name}({taken}) {{\n"
            + (f"    public {plan.type_name} {{\n{''.join(checks)}    }}\n\n" if checks else "")
            + "    /** The fields by their names. */\n    public Map<String, Object> own() {\n"
            f"      Map<String, Object> own = new LinkedHashMap<>();\n{''.join(puts)}      return own;\n    }}\n\n"
            "    /** An event that a backend sends, to be completed. */\n"
            "    public ServerEventBuilder serverEvent() {\n"
            f"      return Event.server().{names[0]}.eventName({names[1]}).properties(own());\n    }}\n\n"
            "    /** An event of a page, to be completed. */\n    public BrowserEventBuilder browserEvent() {\n"
            f"      return Event.browser().{names[0]}.eventType({names[1]}).metadata(own());\n    }}\n  }}\n"
        )
    return "\n".join(parts) + "}\n"


_JAVA: Final = {
    "string": "String",
    "integer": "Long",
    "number": "Double",
    "boolean": "Boolean",
    "array": "List<?>",
    "object": "Map<String, ?>",
}


def _java_type(schema: Mapping[str, Any]) -> str:
    kinds = _types(schema)
    return _JAVA.get(kinds[0], "Object") if len(kinds) == 1 else "Object"


LANGUAGES: Final[Mapping[str, Callable[[str, list[_Plan]], str]]] = {
    "python": _python,
    "ts": _typescript,
    "go": _go,
    "java": _java,
}
