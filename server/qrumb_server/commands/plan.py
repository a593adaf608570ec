"""`qrumb plan`: tracking plans checked, made of stored events, compared, and held against what comes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from qrumb_server.commands.events import check_site
from qrumb_server.commands.options import site_option, with_settings
from qrumb_server.commands.plan_code import LANGUAGES, generate
from qrumb_server.commands.plan_shapes import compare, infer
from qrumb_server.commands.store import FORMATS, run_sql
from qrumb_server.config import Settings
from qrumb_server.config.plans import plan_files, read_plans
from qrumb_server.errors import ConfigError
from qrumb_server.model import is_site_id
from qrumb_server.words import counted

__all__ = ["plan"]

# Enough to see every member that is no rarity; newest first.
SAMPLE: Final = 1_000
_NAME: Final = "if(source = 'browser', event_type, event_name)"


@click.group()
def plan() -> None:
    """Tracking plans: what the own fields of a site's events are to be, docs/plans.md."""


@plan.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@with_settings
def check(settings: Settings, folder: Path | None) -> None:
    """Say whether the plans can be used, and what is wrong with them. Changes nothing.

    FOLDER holds a folder for each site; default: plans/ beside the node's sites.toml.
    """
    folder = folder or settings.plans_dir
    plans = read_plans(folder)
    for site_id, of_site in sorted(plans.items()):
        for name, one in sorted(of_site.items()):
            click.echo(f"{site_id}: {name}: {'enforced' if one.is_enforced else 'observed'}")
    click.echo(f"{folder}: {counted(sum(map(len, plans.values())), 'plan')}, no problem")


@plan.command("infer")
@click.argument("event")
@site_option
@with_settings
def infer_plan(settings: Settings, event: str, site: str) -> None:
    """Print a plan that the newest 1,000 stored events of this name fit: the event_type of browser events, the
    event_name of others. Read it before you use it: what was sent is not always what was meant."""
    sql = (
        f"SELECT metadata FROM events.valid_events WHERE site_id = '{_known_form(site)}' "  # noqa: S608  (checked; hex)
        f"AND {_NAME} = unhex('{event.encode().hex()}') ORDER BY received_time DESC LIMIT {SAMPLE}"
    )
    objects = [json.loads(row["metadata"] or "{}") for row in _rows(settings, sql)]
    if not objects:
        raise click.ClickException(f"{site} has no stored event {event}; `qrumb plan coverage` lists those that it has")
    click.echo(json.dumps(infer(objects), indent=2, ensure_ascii=False))


@plan.command()
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def diff(old: Path, new: Path) -> None:
    """Say what has changed from one plan's file to another, and whether events that fitted may no longer fit: then the
    exit code is 1."""
    changes = list(compare(_schema(old), _schema(new)))
    for is_breaking, text in changes:
        click.echo(f"{'breaking' if is_breaking else 'harmless'}  {text}")
    if not changes:
        click.echo("nothing has changed")
    if any(is_breaking for is_breaking, _text in changes):
        raise SystemExit(1)


@plan.command()
@site_option
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True, help="Days to look back.")
@with_settings
def coverage(settings: Settings, site: str, days: int) -> None:
    """Say which events and fields are planned and were not seen, and which were seen and are not planned."""
    check_site(settings, site)
    sql = (
        f"SELECT {_NAME} AS name, toUInt32(count()) AS number, "  # noqa: S608  (checked)
        "groupUniqArrayArray(JSONExtractKeys(metadata)) AS fields FROM events.valid_events "
        f"WHERE site_id = '{_known_form(site)}' AND received_time > now() - INTERVAL {days} DAY GROUP BY name"
    )
    seen = {row["name"]: row for row in _rows(settings, sql)}
    read_plans(settings.plans_dir)  # what cannot be used is said in place of half an answer
    planned = {name: _schema(path) for of, name, path in plan_files(settings.plans_dir) if of == site}
    for name in sorted(planned.keys() - seen.keys()):
        click.echo(f"{name}: planned, and not seen in {counted(days, 'day')}")
    for name in sorted(seen.keys() - planned.keys()):
        click.echo(f"{name or '(no name)'}: seen {counted(seen[name]['number'], 'time')}, and not planned")
    for name in sorted(seen.keys() & planned.keys()):
        fields, known = set(seen[name]["fields"]), set(planned[name].get("properties", {}))
        lines = [f"{field} is planned, and not seen" for field in sorted(known - fields)]
        lines += [f"{field} is seen, and not planned" for field in sorted(fields - known)]
        lines = lines or [f"seen {counted(seen[name]['number'], 'time')}, as planned"]
        click.echo("\n".join(f"{name}: {line}" for line in lines))


@plan.command("generate")
@site_option
@click.option("--lang", type=click.Choice(list(LANGUAGES)), required=True, help="Language of the client.")
@with_settings
def generate_code(settings: Settings, site: str, lang: str) -> None:
    """Print typed builders of a site's planned events, over the client of a language; into a file of its own."""
    read_plans(settings.plans_dir)  # what cannot be used is said in place of half a file
    planned = {name: _schema(path) for of, name, path in sorted(plan_files(settings.plans_dir)) if of == site}
    if not planned:
        raise click.ClickException(f"{site} has no plan in {settings.plans_dir}; `qrumb plan infer` makes one")
    click.echo(generate(lang, site, planned), nl=False)


def _rows(settings: Settings, sql: str) -> Iterator[dict[str, Any]]:
    # Not splitlines: a stored text may hold what Python takes for the end of a line.
    for line in b"".join(run_sql(settings, sql, FORMATS["json"])).split(b"\n"):
        if line:
            yield json.loads(line)


def _schema(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(path.read_bytes())
    except ValueError as error:
        raise ConfigError(f"{path}: is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ConfigError(f"{path}: is not a JSON Schema: an object is needed")
    return schema


def _known_form(site: str) -> str:
    if not is_site_id(site):
        raise click.ClickException("--site: 1 to 64 characters of A-Z a-z 0-9 _ -")
    return site
