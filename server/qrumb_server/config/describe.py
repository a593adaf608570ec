"""What there is to set, told from the settings' own classes: for docs/settings.md and for commented TOML files.

The docstrings of attributes are read here from the source, not by pydantic where the classes are made: that would take
a tenth of a second of the start of every process, for a text that hardly any of them shows.
"""

import ast
import functools
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from qrumb_server.config.settings import Settings
from qrumb_server.config.sites import SiteEntry

__all__ = ["Described", "commented_settings", "commented_sites", "describe"]

WIDTH: Final = 110


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One setting, or a group of them."""

    path: str
    """With dots between groups."""
    text: str
    """What it means: the docstring of its attribute, and of its class where it is a group."""
    default: str = ""
    """As TOML; empty: none, or one that depends on the machine."""
    is_required: bool = False
    header: str = ""
    """Of a group: how its table is opened, `[spool]` or `[[keys]]`."""
    is_optional_group: bool = False
    """Nothing is in force of it unless it is opened."""


def describe(model: type[BaseModel], table: str = "") -> Iterator[Described]:
    """The settings of a class in their order; groups after the plain ones, as TOML asks, each with what is in it.

    Args:
        table: the table that they are in; empty: the top.
    """
    prefix = f"{table}." if table else ""
    groups = {name: group for name, field in model.model_fields.items() if (group := _group_of(field))}
    texts = _attribute_docstrings(model)
    for name, field in model.model_fields.items():
        if name not in groups:
            yield Described(
                path=prefix + (field.alias or name),
                text=_one_line(texts.get(name)),
                default=_default(field),
                is_required=field.is_required(),
            )
    for name, group in groups.items():
        field = model.model_fields[name]
        is_list = str(field.annotation).startswith("tuple")
        path = prefix + name
        yield Described(
            path=path,
            text=" ".join(filter(None, (_one_line(texts.get(name)), _one_line(group.__doc__)))),
            header=f"[[{path}]]" if is_list else f"[{path}]",
            is_optional_group=is_list or type(None) in get_args(field.annotation),
        )
        yield from describe(group, path)


def commented_settings(settings: Settings) -> str:
    """A qrumb.toml: each setting with its meaning; what differs from its default is set, secrets are left out."""
    return _as_toml([*describe(Settings)], dict(_flat(settings, "")))


def commented_sites() -> str:
    """A sites.toml with everything that a site may state, each as a comment."""
    about = "A site by its site_id. What it does not state is as in the group `site` of the settings."
    return _as_toml([Described(path="SITE", text=about, header="[SITE]"), *describe(SiteEntry, "SITE")], {})


def _as_toml(settings: Sequence[Described], stated: Mapping[str, Any]) -> str:
    """A commented file: each setting with its meaning, as it is stated, or its default as a comment.

    Args:
        stated: by path.
    """
    lines: list[str] = []
    for one in settings:
        lines += ["", *textwrap.wrap(one.text, WIDTH, initial_indent="# ", subsequent_indent="# ")]
        if one.header:
            is_open = not one.is_optional_group or any(path.startswith(f"{one.path}.") for path in stated)
            lines.append(one.header if is_open else f"# {one.header}")
        else:
            name = one.path.rpartition(".")[2]
            value = json.dumps(stated[one.path]) if one.path in stated else one.default
            lines.append(f"{'' if one.path in stated else '# '}{name} = {value}".rstrip())
    return "\n".join(lines).strip() + "\n"


def _flat(model: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    """By path, what differs from the default; no secrets and no lists of tables."""
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is None or isinstance(value, SecretStr) or _group_of(field):
            continue
        elif value != field.get_default(call_default_factory=True):
            yield prefix + (field.alias or name), _plain(value)


def _group_of(field: FieldInfo) -> type[BaseModel] | None:
    """The class of a group, also of one that may be left out, and of a list of them."""
    found = [field.annotation, *get_args(field.annotation)]
    groups = [kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return groups[0] if groups else None


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None or field.is_required() or field.default is None:
        return ""
    return json.dumps(_plain(field.default))


def _plain(value: Any) -> Any:
    """As TOML and JSON can say it; a duration in days where it has whole ones, else in seconds."""
    if isinstance(value, timedelta):
        days, rest = divmod(value, timedelta(days=1))
        return f"PT{value.total_seconds():g}S" if rest else f"P{days}D"
    return to_jsonable_python(value)


@functools.cache
def _attribute_docstrings(model: type) -> Mapping[str, str]:
    """The string under each attribute of a class and of those that it extends, by the attribute's name."""
    if model.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return {}
    texts = {name: text for base in reversed(model.__bases__) for name, text in _attribute_docstrings(base).items()}
    [class_node] = ast.parse(inspect.getsource(model)).body
    assert isinstance(class_node, ast.ClassDef)
    for attribute, below in itertools.pairwise(class_node.body):
        match attribute, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                texts[name] = text
    return texts


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())
