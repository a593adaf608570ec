"""Tracking plans: `plans/SITE/EVENT.schema.json` beside sites.toml, what an event's own fields are to be.

Each file is a JSON Schema (2020-12) of metadata or properties. `"x-qrumb-mode"` in it says what a field that does not
fit costs: `observe` (unless said: a warning) or `enforce` (the event is rejected). EVENT is a browser event's
event_type or a backend's event_name, its special characters percent-encoded.
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from qrumb_server.errors import ConfigError
from qrumb_server.model import Plan, PlanFault, is_site_id

__all__ = ["SUFFIX", "plan_files", "plans_state", "read_plans"]

SUFFIX: Final = ".schema.json"
MODE: Final = "x-qrumb-mode"
MODES: Final = ("observe", "enforce")
# Read by every process of a node, and compiled: a plan of a hundred fields has some 10 KiB.
MAX_PLAN_BYTES: Final = 256 * 1024


def plan_files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Site, event and file of each plan; none where there is no folder."""
    for path in sorted(folder.glob(f"*/*{SUFFIX}")):
        yield path.parent.name, unquote(path.name.removesuffix(SUFFIX)), path


def plans_state(folder: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Differs whenever a plan was changed, added or removed."""
    state = []
    for _site_id, _name, path in plan_files(folder):
        try:
            found = path.stat()
        except OSError:
            continue  # removed at this moment: the next look tells
        state.append((str(path), found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(state)


def read_plans(folder: Path) -> dict[str, dict[str, Plan]]:
    """Plans by event, by site.

    Raises:
        ConfigError: names every plan that cannot be used, and why.
    """
    plans: dict[str, dict[str, Plan]] = {}
    problems: list[str] = []
    for site_id, name, path in plan_files(folder):
        try:
            if not is_site_id(site_id):
                raise ConfigError("the name of its folder is not a site_id")
            plans.setdefault(site_id, {})[name] = _read(path)
        except ConfigError as error:
            problems.append(f"{path}: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return plans


def _read(path: Path) -> Plan:
    try:
        text = path.read_bytes()
        if len(text) > MAX_PLAN_BYTES:
            raise ConfigError(f"has {len(text):,} bytes; at most {MAX_PLAN_BYTES:,} are allowed")
        schema = json.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ConfigError("is not a JSON Schema: an object is needed")
    mode = schema.get(MODE, MODES[0])
    if mode not in MODES:
        raise ConfigError(f'"{MODE}" is "observe" or "enforce"')
    return Plan(find_faults=partial(_faults, _compiled(schema)), is_enforced=mode == "enforce")


def _compiled(schema: Mapping[str, Any]) -> Any:
    import jsonschema_rs  # a node without plans needs none of it

    try:
        return jsonschema_rs.Draft202012Validator(
            dict(schema),
            mask="the value",  # no answer quotes what was sent
            retriever=_retrieve_nothing,
            pattern_options=jsonschema_rs.RegexOptions(),  # linear in time, whatever is sent
        )
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        where = ".".join(map(str, getattr(error, "instance_path", ())))
        said = getattr(error, "message", str(error)).splitlines()[0]
        raise ConfigError(f"is not a JSON Schema 2020-12: {f'{where}: ' if where else ''}{said}") from error


def _retrieve_nothing(address: str) -> Any:
    raise ValueError(f"{address} is not in the file, and nothing is fetched")


def _faults(validator: Any, own: object) -> Iterator[PlanFault]:
    """Each place that does not fit; of a missing field its own place."""
    for error in validator.iter_errors(own):
        path = tuple(error.instance_path)
        kind = error.kind.as_dict()
        if "property" in kind:
            yield PlanFault(path=(*path, str(kind["property"]).strip('"')), description="is required by the plan")
        elif "unexpected" in kind:
            for name in kind["unexpected"]:
                yield PlanFault(path=(*path, name), description="is not in the plan")
        else:
            yield PlanFault(path=path, description=error.message)
