"""Where settings are stated: variables of the environment and a TOML file, as plain values for the classes to judge.

Our own, for its import alone: the library for it takes as long as the rest of the settings together, in each process of
a node and with each command.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["merged", "read_environment", "read_file"]

BETWEEN = "__"
"""Between the names of groups in a variable."""


def read_file(path: Path) -> dict[str, Any]:
    """What a TOML file states; nothing where there is none. Raises ValueError where it is not TOML."""
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        return tomllib.load(file)


def read_environment(model: type[BaseModel], environment: Mapping[str, str], prefix: str) -> dict[str, Any]:
    """What variables state of the settings of a class, in letters of either case; others are passed over.

    Raises:
        ValueError: a list or a group is no JSON; says which.
    """
    variables = {name.lower(): text for name, text in environment.items()}
    given: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        variable = f"{prefix.lower()}{name}"
        if variable in variables:
            given[name] = _value(field, variables[variable], name)
        within = variable + BETWEEN
        for inner in sorted(other for other in variables if other.startswith(within)):
            _put(given, [name, *inner.removeprefix(within).split(BETWEEN)], model, variables[inner])
    return given


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Both, group by group; where they state the same, the first counts."""
    both = {**second, **first}
    for name in first.keys() & second.keys():
        if isinstance(first[name], Mapping) and isinstance(second[name], Mapping):
            both[name] = merged(first[name], second[name])
    return both


def _put(given: dict[str, Any], path: list[str], model: type[BaseModel] | None, text: str) -> None:
    """Put a value into the group that its path names, with what else is stated of that group."""
    place = ".".join(path)
    while len(path) > 1:
        field = _field_of(model, path[0])
        model = next(_groups(field.annotation), None) if field else None
        inner = given.setdefault(path.pop(0), {})
        if not isinstance(inner, dict):  # no group, which its class will say
            return
        given = inner
    field = _field_of(model, path[0])
    given[path[0]] = _value(field, text, place) if field else text


def _field_of(model: type[BaseModel] | None, name: str) -> FieldInfo | None:
    fields = model.model_fields.items() if model else ()
    return next((field for own, field in fields if name in (own, field.alias)), None)


def _value(field: FieldInfo, text: str, place: str) -> Any:
    """The text, or what it says as JSON where one text cannot be the setting."""
    if not _is_structured(field.annotation):
        return text
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{place}: cannot be read as JSON") from None


def _is_structured(annotation: Any) -> bool:
    """Whether it is a list, a table or a group, or may be one."""
    kind = get_origin(annotation) or annotation
    if kind in (Union, UnionType):
        return any(map(_is_structured, get_args(annotation)))
    return isinstance(kind, type) and issubclass(kind, BaseModel | tuple | list | dict | frozenset)


def _groups(annotation: Any) -> Iterator[type[BaseModel]]:
    """The class of a group, also of one that may be left out."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind
