"""`qrumb sites`: who may send and read events. Works on sites.toml; a running node sees the change within a second."""

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from qrumb_server.access.keys import Key, Scope, id_of
from qrumb_server.access.registry import Site
from qrumb_server.app.clock import SystemClock
from qrumb_server.commands.options import TIME, as_utc, with_settings
from qrumb_server.config import Settings
from qrumb_server.model import is_site_id
from qrumb_server.words import counted

__all__ = ["sites"]

# Options of `set`, by the settings that they change.
SETTINGS: Final = {
    "retention": "retention",
    "default-consent": "default_consent",
    "quota": "quota.events_per_second",
    "burst": "quota.burst",
}

site_argument = click.argument("site")
key_argument = click.argument("key_id")


@click.group()
def sites() -> None:
    """Say who may send and read events: sites, the origins of their pages, and the keys of their backends.

    They are in sites.toml in the data folder. A running node sees a change within a second.
    """


@sites.command("list")
@with_settings
def list_(settings: Settings) -> None:
    """List the sites."""
    found = settings.site_file.sites()
    if found:
        _print(found)
    else:
        click.echo(f"{settings.sites_path}: no sites; `qrumb sites add SITE --origin https://shop.example` adds one")


@sites.command()
@site_argument
@click.option(
    "--origin",
    "origins",
    multiple=True,
    help="Whose pages may send events: https://shop.example, https://*.shop.example, http://localhost:*, or * for any.",
)
@with_settings
def add(settings: Settings, site: str, origins: tuple[str, ...]) -> None:
    """Add SITE and print a key for its backend, which may collect and query."""
    if is_site_id(site) is None:
        raise click.ClickException("a site's id has 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
    settings.site_file.add_site(site, list(origins))
    if not origins:
        click.echo(
            f"No page may send events of {site} yet: `qrumb sites set {site} --add-origin https://shop.example`.",
            err=True,
        )
    _make_key(settings, site, (Scope.COLLECT, Scope.QUERY), None)


@sites.command("set")
@site_argument
@click.option("--add-origin", "added", multiple=True, help="Pages of this origin may send events too; see `sites add`.")
@click.option("--remove-origin", "removed", multiple=True, help="Pages of this origin no longer may.")
@click.option("--retention", metavar="DAYS", help="How long rows are kept, such as 90d; 1 to 400 days.")
@click.option(
    "--default-consent",
    type=click.Choice(["granted", "pending", "denied"]),
    help="What counts where an event states no consent.",
)
@click.option("--quota", type=click.IntRange(min=1), help="Events per second of browsers, and as many of backends.")
@click.option("--burst", type=click.IntRange(min=1), help="Events that may come at once after a rest.")
@click.option(
    "--unset",
    multiple=True,
    type=click.Choice(list(SETTINGS)),
    help="Let the site state this no longer: what counts for all sites counts for it too.",
)
@with_settings
def set_(
    settings: Settings,
    site: str,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    retention: str | None,
    default_consent: str | None,
    quota: int | None,
    burst: int | None,
    unset: tuple[str, ...],
) -> None:
    """Change SITE: the origins of its pages, retention, default consent, quota. Prints what counts from now on.

    Comments in sites.toml stay, and so does all that is not named here.
    """
    given: dict[str, Any] = {
        "retention": None if retention is None else _days(retention),
        "default-consent": default_consent,
        "quota": quota,
        "burst": burst,
    }
    values = {SETTINGS[name]: value for name, value in given.items() if value is not None}
    if not (values or unset or added or removed):
        raise click.UsageError("say what to change; see --help")
    if both := {SETTINGS[name] for name in unset} & values.keys():
        raise click.UsageError(f"{', '.join(sorted(both))}: set and unset at once")
    file = settings.site_file
    file.change_site(
        site, values=values, unset=[SETTINGS[name] for name in unset], add_origins=added, remove_origins=removed
    )
    _print({site: file.sites()[site]})


@sites.command()
@site_argument
@with_settings
def remove(settings: Settings, site: str) -> None:
    """Serve SITE no longer. Its rows stay."""
    settings.site_file.remove_site(site)
    click.echo(f"{site} is served no longer; what is stored of it stays (`qrumb erase` erases a person).", err=True)


@sites.command()
@site_argument
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["collect", "query", "admin"]),
    default=("collect",),
    show_default=True,
    help="What the key is for; may be given several times. admin: erase a person, replay.",
)
@click.option("--expires", type=TIME, help="The key is refused from this time on (UTC); default: never.")
@with_settings
def key(settings: Settings, site: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Make another key for SITE and print it, this once. Old keys stay valid until they expire or are revoked."""
    _make_key(settings, site, [Scope(scope) for scope in scopes], None if expires is None else as_utc(expires))


@sites.command()
@site_argument
@key_argument
@click.option("--at", type=TIME, help="The key is refused from this time on (UTC); default: now.")
@with_settings
def expire(settings: Settings, site: str, key_id: str, at: datetime | None) -> None:
    """Let a key of SITE expire. KEY_ID is the part of the key between the underscores.

    It stays in the list, and a later time makes it valid again; `sites revoke` forgets it.
    """
    time = datetime.fromtimestamp(SystemClock().now_ms() // 1000, UTC) if at is None else as_utc(at)
    file = settings.site_file
    file.expire_key(site, _key_id(key_id), time)
    click.echo(f"Refused from {time:%Y-%m-%dT%H:%M:%SZ} on; running nodes see it within a second.", err=True)


@sites.command()
@site_argument
@key_argument
@with_settings
def revoke(settings: Settings, site: str, key_id: str) -> None:
    """Refuse a key of SITE from now on, and forget it. KEY_ID is the part of the key between the underscores."""
    settings.site_file.revoke_key(site, _key_id(key_id))
    click.echo("Revoked; running nodes refuse it within a second.", err=True)


@sites.command("session-secret")
@site_argument
@with_settings
def session_secret(settings: Settings, site: str) -> None:
    """Make a secret that the QR redirect of SITE signs scan sessions with; docs/security.md says how."""
    secret = secrets.token_urlsafe(32)
    settings.site_file.add_session_secret(site, secret)
    click.echo(f"Browsers' scan sessions of {site} are marked from now on unless signed with this:", err=True)
    click.echo(secret)


@sites.command()
@with_settings
def check(settings: Settings) -> None:
    """Say whether sites.toml can be used, and what is wrong with it. Changes nothing."""
    found = settings.site_file.sites()
    if not settings.sites_path.exists():
        raise click.ClickException(f"{settings.sites_path}: no such file; `qrumb sites add SITE` makes it")
    if settings.sites_path.stat().st_mode & 0o077:
        click.echo(f"{settings.sites_path} can be read by others; chmod 600 it", err=True)
    for site_id, site in sorted(found.items()):
        if "*" in site.origins.patterns:
            click.echo(f"{site_id}: pages of any origin may send its events", err=True)
        if not site.keys:
            click.echo(f"{site_id}: has no key, so no backend can send or read its events", err=True)
    click.echo(f"{settings.sites_path}: {counted(len(found), 'site')}, no problem")


def _make_key(settings: Settings, site_id: str, scopes: Iterable[Scope], expires: datetime | None) -> None:
    made = settings.site_file.add_key(site_id, list(scopes), expires)
    click.echo(f"A key for {site_id} ({', '.join(scopes)}). It is not kept and not shown again:", err=True)
    click.echo(made)


def _key_id(typed: str) -> str:
    """The id, also where the whole key was typed."""
    return id_of(typed) if typed.startswith("qk_") else typed


def _days(typed: str) -> str:
    """A number of days as sites.toml has it."""
    found = re.fullmatch(r"(\d{1,3})d?", typed.strip().lower())
    if found is None or not 1 <= int(found.group(1)) <= 400:
        raise click.UsageError(f"--retention {typed}: give a number of days, such as 90d; 1 to 400")
    return f"{int(found.group(1))}d"


def _print(found: Mapping[str, Site]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    now_ms = SystemClock().now_ms()
    table = Table("site", "origins", "keys", "events/s", "burst", "consent", "days", box=SIMPLE_HEAD, pad_edge=False)
    for site_id, site in sorted(found.items()):
        table.add_row(
            site_id,
            "\n".join(site.origins.patterns) or "none",
            "\n".join(_shown(key, now_ms) for key in site.keys) or "none",
            f"{site.quota.events_per_second:,}",
            f"{site.quota.burst:,}",
            site.policy.default_consent + (", signed sessions" if site.policy.session_secrets else ""),
            str(site.policy.retention_ms // 86_400_000),
        )
    console = Console()
    console.width = max(console.width, Console(width=1_000).measure(table).maximum)
    console.print(table)


def _shown(key: Key, now_ms: int) -> str:
    text = f"{key.id} {', '.join(sorted(key.scopes))}"
    if key.expires_ms is None:
        return text
    day = datetime.fromtimestamp(key.expires_ms / 1000, UTC).strftime("%Y-%m-%d")
    return f"{text}, {'expired' if key.expires_ms <= now_ms else 'until'} {day}"
