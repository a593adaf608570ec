"""The ClickHouse server or cluster, if not the embedded one."""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote

from pydantic import Field, SecretStr, SerializationInfo, field_serializer, field_validator, model_validator

from qrumb_server.config.groups import Group
from qrumb_server.errors import ConfigError

__all__ = ["REVEAL", "ClickHouseSettings"]

# The serialisation context in which secrets are written out: for a private file that our own children read.
REVEAL: Mapping[str, bool] = {"reveal": True}
_CLICKHOUSE_URL = re.compile(r"(clickhouses?)://(?:([^:@/]*)(?::([^@/]*))?@)?([^@/?#]+)(?:/(?:events)?)?")
_CLICKHOUSE_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?")


class ClickHouseSettings(Group):
    """The ClickHouse server or cluster that holds the events. Without a URL: the embedded one in the data folder."""

    url: SecretStr | None = None
    """clickhouse://user:password@host:9000,other-host:9000, or clickhouses:// for TLS (port 9440). User and password
    are percent-encoded and may be left out. The database is always `events`."""
    password: SecretStr | None = None
    """Comes before the one in the URL."""
    password_file: Path | None = None
    """File that holds the password; instead of the other two."""
    ca_file: Path | None = None
    """Certificates (PEM) that the servers' certificates must lead to. Default: the usual authorities."""
    cluster: str | None = Field(default=None, pattern=r"^[\w.-]+$")
    """Name of a cluster in the servers' remote_servers: tables are then replicated and distributed over it."""
    compression: Literal["none", "lz4"] = "none"
    """lz4 pays between data centres; it needs the extra `lz4` of this package."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long a host may take to let us in. One that does not is left alone for some seconds."""
    reply_timeout: timedelta = timedelta(seconds=30)
    """Longest silence of a server that works on a statement."""
    ping_timeout: timedelta = timedelta(seconds=5)
    """How long the check of an idle connection may take."""

    @field_validator("url")
    @classmethod
    def _understood(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _parse_clickhouse_url(value.get_secret_value())
        return value

    @field_validator("compression")
    @classmethod
    def _installed(cls, value: str) -> str:
        if value == "lz4" and None in map(find_spec, ("lz4", "clickhouse_cityhash")):
            raise ValueError("needs the packages lz4 and clickhouse-cityhash: pip install 'qrumb-server[lz4]'")
        return value

    @field_validator("password_file", "ca_file")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not os.access(value, os.R_OK):
            raise ValueError(f"{value} cannot be read")
        return value.absolute() if value else None

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("give password or password_file, not both")
        return self

    @field_serializer("url", "password")
    def _secret(self, value: SecretStr | None, info: SerializationInfo) -> str | None:
        if value is None:
            return None
        return value.get_secret_value() if info.context == REVEAL else str(value)

    @property
    def is_secure(self) -> bool:
        """Whether the URL asks for TLS."""
        return self._parsed()[0]

    @property
    def user(self) -> str:
        """Who we are to the server."""
        return self._parsed()[1]

    @property
    def hosts(self) -> list[tuple[str, int]]:
        """Names and ports."""
        return self._parsed()[3]

    def read_password(self) -> str:
        """The password, from wherever it is.

        Raises:
            ConfigError: the file cannot be read.
        """
        if self.password is not None:
            return self.password.get_secret_value()
        if self.password_file is None:
            return self._parsed()[2]
        try:
            return self.password_file.read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.password_file} (clickhouse.password_file) cannot be read: {error}") from None

    def _parsed(self) -> tuple[bool, str, str, list[tuple[str, int]]]:
        return _parse_clickhouse_url(self.url.get_secret_value() if self.url else "")


def _parse_clickhouse_url(url: str) -> tuple[bool, str, str, list[tuple[str, int]]]:
    """TLS or not, user, password, hosts. Its errors quote nothing: a password may be anywhere in a mistyped URL."""
    whole = _CLICKHOUSE_URL.fullmatch(url)
    if whole is None:
        raise ValueError(
            "should be clickhouse://user:password@host:port,host:port or clickhouses://..., with user and password "
            "percent-encoded and nothing after the hosts"
        )
    is_secure = whole.group(1) == "clickhouses"
    hosts = []
    for number, text in enumerate(whole.group(4).split(","), start=1):
        host = _CLICKHOUSE_HOST.fullmatch(text)
        if host is None or int(host.group(2) or 1) not in range(1, 65536):
            raise ValueError(f"host {number} should be a name or an address, and a port")
        hosts.append((host.group(1).strip("[]"), int(host.group(2) or (9440 if is_secure else 9000))))
    return is_secure, unquote(whole.group(2) or "default"), unquote(whole.group(3) or ""), hosts
