"""Every setting, with its default, its unit and its reason. The defaults run on a laptop.

A setting comes from the first of: a command line option, the environment (`QRUMB_HTTP_PORT`; for groups
`QRUMB_SPOOL__MAX_BYTES`), the TOML file (`--config`, or qrumb.toml in the working folder), the default. Unknown
keys are errors. `HTTP_PORT`, `GRPC_PORT`, `DATA_DIR`, `CLICKHOUSE_URL`, `CLICKHOUSE_PASSWORD` and
`CLICKHOUSE_PASSWORD_FILE` work without the prefix as well.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    SerializationInfo,
    ValidationError,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from qrumb_server.errors import ConfigError

__all__ = [
    "REVEAL",
    "ClickHouseSettings",
    "GatewaySettings",
    "LoaderSettings",
    "RpcSettings",
    "Settings",
    "SpoolSettings",
    "load_settings",
]

MIB = 1024 * 1024
GIB = 1024 * MIB
DEFAULT_FILE = "qrumb.toml"
PREFIX = "QRUMB_"
# Variables with our prefix that are no settings: they are read by the command line itself.
COMMAND_VARIABLES = frozenset({"QRUMB_CONFIG", "QRUMB_KEY", "QRUMB_URL"})

# Variables without our prefix that set the group `clickhouse`.
CLICKHOUSE_VARIABLES = {
    "CLICKHOUSE_URL": "url",
    "CLICKHOUSE_PASSWORD": "password",
    "CLICKHOUSE_PASSWORD_FILE": "password_file",
}
# The serialisation context in which secrets are written out: for a private file that our own children read.
REVEAL: Mapping[str, bool] = {"reveal": True}

Port = Annotated[int, Field(ge=0, le=65535)]


class Group(BaseModel):
    """What all groups of settings share: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class SpoolSettings(Group):
    """The durable queue between the reply to the sender and ClickHouse."""

    max_bytes: int = Field(default=8 * GIB, ge=16 * MIB)
    """Bytes that the spool of the whole node may take, shared evenly by its workers. When it is full, senders get
    RESOURCE_EXHAUSTED. A stored event takes about 600 bytes, so the default holds some 14 million."""
    min_free_bytes: int = Field(default=256 * MIB, ge=0)
    """Free bytes that must remain on the disk; below it the spool counts as full."""
    segment_max_records: int = Field(default=10_000, ge=1, le=1_000_000)
    """Records after which a segment is sealed: the size of insert that ClickHouse likes."""
    segment_max_bytes: int = Field(default=16 * MIB, ge=1024)
    """Bytes after which a segment is sealed."""
    seal_after: timedelta = timedelta(milliseconds=500)
    """Age at which a segment is sealed: the longest an event waits before the loader sees it."""


class LoaderSettings(Group):
    """The process that moves events from the spool to ClickHouse."""

    batch_max_events: int = Field(default=10_000, ge=1, le=500_000)
    """Events of one insert. An insert must stay below ClickHouse's block size to be atomic."""
    poll_interval: timedelta = timedelta(milliseconds=50)
    """How often the spool is looked at while it is empty."""
    retry_max_delay: timedelta = timedelta(seconds=10)
    """Longest pause between two tries while ClickHouse is away."""
    refused_delay: timedelta = timedelta(seconds=10)
    """Pause after an answer that no retry can cure (missing table, no rights): a human has to act."""
    drain_timeout: timedelta = timedelta(seconds=20)
    """How long a shutdown waits for the spool to be loaded. What remains is loaded after the next start."""


class RpcSettings(Group):
    """Limits of the gRPC edge. The gateway has its own, smaller ones; a test compares them."""

    max_message_bytes: int = Field(default=16 * MIB, ge=1 * MIB)
    """Largest gRPC message. Bigger than the gateway's body limit, because JSON can grow as protobuf."""
    max_metadata_bytes: int = Field(default=64 * 1024, ge=8 * 1024)
    """Largest header block. Bigger than the gateway's, so that the gateway answers first."""
    max_batch_events: int = Field(default=1_000, ge=1, le=1_000)
    """Events of one batch call. The contract says 1,000."""
    max_connection_age: timedelta = timedelta(minutes=5)
    """Age at which a direct connection is asked to reconnect, so that load spreads over the workers."""
    drain_timeout: timedelta = timedelta(seconds=10)
    """How long a shutdown waits for calls in flight."""


class GatewaySettings(Group):
    """Envoy, the HTTP edge."""

    enabled: bool = True
    """Off: gRPC only."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """Worker threads of Envoy."""
    access_log: bool = False
    """One JSON line per request on standard output; no addresses, no queries."""


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


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_default=True,
    )

    data_dir: Path = Field(
        default=Path("data"), validation_alias=AliasChoices("data_dir", "QRUMB_DATA_DIR", "DATA_DIR")
    )
    """Folder of everything that is kept: spool/, clickhouse/ and run/."""
    http_host: str = "127.0.0.1"
    """Address on which the gateway listens. 0.0.0.0 for all."""
    http_port: Port = Field(default=8080, validation_alias=AliasChoices("http_port", "QRUMB_HTTP_PORT", "HTTP_PORT"))
    """Port of the gateway; JSON, gRPC and gRPC-Web. 0: any free one."""
    grpc_host: str = "127.0.0.1"
    """Address on which the workers listen for direct gRPC."""
    grpc_port: Port = Field(default=9090, validation_alias=AliasChoices("grpc_port", "QRUMB_GRPC_PORT", "GRPC_PORT"))
    """Port of direct gRPC. 0: any free one."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    """Collector processes. Default: one per core."""
    retention: timedelta = Field(default=timedelta(days=400), ge=timedelta(days=1))
    """An event_time older than this is not believed. The table keeps rows for 400 days."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """Least severe message to log."""
    spool: SpoolSettings = SpoolSettings()
    """The durable queue."""
    loader: LoaderSettings = LoaderSettings()
    """The loader process."""
    rpc: RpcSettings = RpcSettings()
    """The gRPC edge."""
    gateway: GatewaySettings = GatewaySettings()
    """The HTTP edge."""
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    """The ClickHouse server, if not the embedded one."""

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (pydantic's signature)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line, environment, file: no dotenv, no secrets folder."""
        given = {field: value for name, field in CLICKHOUSE_VARIABLES.items() if (value := os.environ.get(name))}
        unprefixed = InitSettingsSource(settings_cls, {"clickhouse": given} if given else {})
        return init_settings, env_settings, unprefixed, TomlConfigSettingsSource(settings_cls)

    @property
    def spool_dir(self) -> Path:
        """One folder per worker, and quarantine/."""
        return self.data_dir / "spool"

    @property
    def clickhouse_dir(self) -> Path:
        """Data of the embedded ClickHouse."""
        return self.data_dir / "clickhouse"

    @property
    def run_dir(self) -> Path:
        """Sockets and rendered configuration of the running node; the working folder of all its processes."""
        return self.data_dir / "run"


def load_settings(
    *, file: Path | None = None, environment: Mapping[str, str] = os.environ, **overrides: Any
) -> Settings:
    """Read the settings of this process.

    Args:
        file: TOML file; None takes qrumb.toml in the working folder where there is one.
        environment: only its names are looked at here, for unknown ones.
        overrides: settings from the command line; None means not given.

    Raises:
        ConfigError: names every problem, where it is and what is allowed.
    """
    problems = [
        f"{name} in the environment: no such setting" for name in sorted(environment) if not _known_variable(name)
    ]
    source = file or Path(DEFAULT_FILE)
    if file is not None and not file.is_file():
        raise ConfigError(f"{file}: no such configuration file")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=source)

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = FromFile(**given)
    except ValidationError as error:
        problems += [_describe(dict(item), source) for item in error.errors()]
    except ValueError as error:  # TOML that cannot be parsed
        problems.append(f"{source}: not valid TOML: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return settings


def _known_variable(name: str) -> bool:
    if not name.startswith(PREFIX) or name in COMMAND_VARIABLES:
        return True
    top = re.split("__", name.removeprefix(PREFIX).lower())[0]
    return top in Settings.model_fields


def _describe(item: dict[str, Any], source: Path) -> str:
    place = ".".join(str(part) for part in item["loc"])
    mend = "no such setting" if item["type"] == "extra_forbidden" else str(item["msg"])
    is_quotable = item["type"] != "extra_forbidden" and "clickhouse" not in item["loc"]  # there are secrets
    shown = "" if not is_quotable else f" (found {str(item['input'])[:60]!r})"
    return f"{place} (set by {source}, {PREFIX}{place.upper().replace('.', '__')} or an option): {mend}{shown}"
