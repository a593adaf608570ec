"""`qrumb sites`: who may send and read events. Works on sites.toml; a running node sees the change within a second."""

import os
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from qrumb_server.access.keys import Key, Scope, id_of
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError

__all__ = [
    "DEMO",
    "add",
    "add_key",
    "add_session_secret",
    "check",
    "demo_key",
    "demo_key_path",
    "ensure_sites",
    "list_sites",
    "remove",
    "revoke",
]

DEMO: Final = "demo"
DEMO_ORIGINS: Final = ["http://localhost:*", "http://127.0.0.1:*"]
# Of the keys that come with a site: none that could erase anything.
SCOPES: Final = [Scope.COLLECT, Scope.QUERY]


def ensure_sites(settings: Settings) -> None:
    """On the first start, make the site `demo`: any page on this machine, and a key in a file.

    Raises:
        ConfigError: it cannot be written, or the settings name a file that is not there.
    """
    if settings.access == "open" or settings.sites_path.exists():
        return
    if "sites_file" in settings.model_fields_set:
        raise ConfigError(f"{settings.sites_path} (sites_file): no such file; `qrumb sites add SITE` makes it")
    file = settings.site_file
    file.add_site(DEMO, DEMO_ORIGINS)
    key = file.add_key(DEMO, SCOPES)
    path = demo_key_path(settings)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as target:  # noqa: PTH123
        target.write(key + "\n")


def demo_key(settings: Settings) -> str:
    """The key of the site `demo` that was made on the first start; empty where there is none."""
    try:
        return demo_key_path(settings).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def demo_key_path(settings: Settings) -> Path:
    """Where that key lies."""
    return settings.data_dir / "demo.key"


def add(settings: Settings, site_id: str, origins: Iterable[str]) -> None:
    """Add a site and a key for its backend."""
    if re.fullmatch("[A-Za-z0-9_-]{1,64}", site_id) is None:
        raise click.ClickException("a site's id has 1 to 64 characters of A-Z, a-z, 0-9, _ and -")
    settings.site_file.add_site(site_id, list(origins))
    if not origins:
        click.echo(f"No page may send events of {site_id} yet: add its `origins` in {settings.sites_path}.", err=True)
    add_key(settings, site_id, SCOPES, None)


def remove(settings: Settings, site_id: str) -> None:
    """Serve a site no longer."""
    settings.site_file.remove_site(site_id)
    click.echo(f"{site_id} is served no longer; what is stored of it stays (`qrumb erase` erases a person).", err=True)


def add_key(settings: Settings, site_id: str, scopes: Iterable[str], expires: datetime | None) -> None:
    """Make a key and print it, this once."""
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    key = settings.site_file.add_key(site_id, [Scope(scope) for scope in scopes], expires)
    click.echo(f"A key for {site_id} ({', '.join(scopes)}). It is not kept and not shown again:", err=True)
    click.echo(key)


def revoke(settings: Settings, site_id: str, key_id: str) -> None:
    """Refuse a key from now on."""
    settings.site_file.revoke_key(site_id, id_of(key_id) if key_id.startswith("qk_") else key_id)
    click.echo("Revoked; running nodes refuse it within a second.", err=True)


def add_session_secret(settings: Settings, site_id: str) -> None:
    """Make a secret to sign scan sessions with and print it."""
    secret = secrets.token_urlsafe(32)
    settings.site_file.add_session_secret(site_id, secret)
    click.echo(f"Browsers' scan sessions of {site_id} are marked from now on unless signed with this:", err=True)
    click.echo(secret)


def list_sites(settings: Settings, now_ms: int) -> None:
    """Print the sites."""
    sites = settings.site_file.sites()
    if not sites:
        click.echo(f"{settings.sites_path}: no sites; `qrumb sites add SITE --origin https://shop.example` adds one")
        return
    table = Table("site", "origins", "keys", "events/s", "consent", "days", box=SIMPLE_HEAD, pad_edge=False)
    for site_id, site in sorted(sites.items()):
        table.add_row(
            site_id,
            "\n".join(site.origins.patterns) or "none",
            "\n".join(_shown(key, now_ms) for key in site.keys) or "none",
            f"{site.quota.events_per_second:,}",
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


def check(settings: Settings) -> None:
    """Say whether the file can be used, and what looks unintended in it."""
    sites = settings.site_file.sites()
    if not settings.sites_path.exists():
        raise click.ClickException(f"{settings.sites_path}: no such file; `qrumb sites add SITE` makes it")
    if settings.sites_path.stat().st_mode & 0o077:
        click.echo(f"{settings.sites_path} can be read by others; chmod 600 it", err=True)
    for site_id, site in sorted(sites.items()):
        if "*" in site.origins.patterns:
            click.echo(f"{site_id}: pages of any origin may send its events", err=True)
        if not site.keys:
            click.echo(f"{site_id}: has no key, so no backend can send or read its events", err=True)
    click.echo(f"{settings.sites_path}: {len(sites)} site(s), no problem")
