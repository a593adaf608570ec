"""How a test reaches a ClickHouse server: by the settings' own defaults, but for what it changes."""

from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from qrumb_server.app.stores import server_options
from qrumb_server.config import ClickHouseSettings
from qrumb_server.store.connection import ServerOptions

__all__ = ["options_for"]


def options_for(port: int = 9000, **changes: Any) -> ServerOptions:
    """For a server on this machine."""
    return replace(server_options(ClickHouseSettings(url=SecretStr(f"clickhouse://127.0.0.1:{port}"))), **changes)
