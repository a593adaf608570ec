"""JSON Schemas of plans, made of stored events and compared with each other: pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

__all__ = ["Change", "compare", "infer"]

SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
_KNOWN: Final = frozenset({"type", "properties", "required", "items", "enum", "additionalProperties"})
# They say nothing of values.
_WORDS: Final = frozenset({"$schema", "$id", "$comment", "title", "description", "examples", "default"})
Change = tuple[bool, str]
"""Whether an event that fitted may no longer fit, and what has changed."""


def infer(objects: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The narrowest plain schema that all of them fit: types, members, and which of them every one has."""
    return {"$schema": SCHEMA, "x-qrumb-mode": "observe", **_shape(objects)}


def compare(old: Mapping[str, Any], new: Mapping[str, Any], path: str = "") -> Iterator[Change]:
    """What has changed from one schema to another, breaking or not. Of keywords beyond the plain: that they have."""
    where = path or "the event"
    yield from _types(old, new, where)
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield True, f"{where}: {name} is required now"
    for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        yield False, f"{where}: {name} is required no longer"
    was, is_now = old.get("properties", {}), new.get("properties", {})
    is_closed = new.get("additionalProperties") is False
    for name in sorted(was.keys() - is_now.keys()):
        yield is_closed, f"{where}: {name} is planned no longer"
    for name in sorted(is_now.keys() - was.keys()):
        # Before, any value would do, unless no other members were allowed.
        yield old.get("additionalProperties") is not False, f"{where}: {name} is planned now"
    for name in sorted(was.keys() & is_now.keys()):
        yield from compare(was[name], is_now[name], f"{path}.{name}" if path else name)
    if is_closed and old.get("additionalProperties") is not False:
        yield True, f"{where}: no other members are allowed now"
    if isinstance(old.get("items"), dict) and isinstance(new.get("items"), dict):
        yield from compare(old["items"], new["items"], f"{path}[]")
    for name in sorted((old.keys() | new.keys()) - _KNOWN - _WORDS):
        if old.get(name) != new.get(name):
            is_looser = name not in new or (name == "x-qrumb-mode" and new[name] == "observe")
            yield not is_looser, f"{where}: {name} is another one"


def _types(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[Change]:
    for keyword in ("type", "enum"):
        was, is_now = _listed(old.get(keyword)), _listed(new.get(keyword))
        if was == is_now:
            continue
        lost = is_now is not None and (was is None or any(value not in is_now for value in _narrowed(was, is_now)))
        yield lost, f"{where}: {keyword} was {_said(was)} and is {_said(is_now)}"


def _narrowed(was: list[Any], is_now: list[Any]) -> list[Any]:
    """A number takes every integer."""
    return [value for value in was if not (value == "integer" and "number" in is_now)]


def _listed(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) or value is None else [value]


def _said(values: list[Any] | None) -> str:
    return "any" if values is None else " or ".join(map(str, values))


def _shape(values: Sequence[Any]) -> dict[str, Any]:
    types = sorted({_type(value) for value in values})
    if "number" in types and "integer" in types:
        types.remove("integer")
    shape: dict[str, Any] = {"type": types[0] if len(types) == 1 else types} if types else {}
    objects = [value for value in values if isinstance(value, Mapping)]
    if objects:
        names = sorted({name for one in objects for name in one})
        shape["properties"] = {name: _shape([one[name] for one in objects if name in one]) for name in names}
        if required := [name for name in names if all(name in one for one in objects)]:
            shape["required"] = required
    items = [item for value in values if isinstance(value, list) for item in value]
    if items:
        shape["items"] = _shape(items)
    return shape


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    for kind, name in ((int, "integer"), (float, "number"), (str, "string"), (list, "array"), (Mapping, "object")):
        if isinstance(value, kind):
            return name
    return "null"
