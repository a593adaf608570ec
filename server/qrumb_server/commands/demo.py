"""The site that a first start makes, so that a first event needs no configuration."""

import os
from pathlib import Path
from typing import Final

from qrumb_server.access.keys import Scope
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError

__all__ = ["DEMO", "demo_key", "demo_key_path", "ensure_sites"]

DEMO: Final = "demo"
ORIGINS: Final = ["http://localhost:*", "http://127.0.0.1:*"]
# A first try must not be able to erase anything.
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
    file.add_site(DEMO, ORIGINS)
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
