"""Every setting, with its default, its unit and its reason. The defaults run on a laptop.

A setting comes from the first of: a command line option, the environment (`QRUMB_HTTP_PORT`; for groups
`QRUMB_SPOOL__MAX_BYTES`), the TOML file (`--config`, or qrumb.toml in the working folder), the default. Unknown
keys are errors. `HTTP_PORT`, `GRPC_PORT`, `DATA_DIR` and the names in UNPREFIXED work without the prefix as well:
`GEOIP_CITY_DB` and `COLLECT_PATHS` take paths with commas between; an empty `GEOIP_CITY_DB` or `GEOIP_ASN_DB` stands
for no file.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from qrumb_server.access.registry import UNLIMITED, UNNAMED_SITE_QUOTA, Site, SiteRegistry
from qrumb_server.config.clickhouse import ClickHouseSettings
from qrumb_server.config.edges import GatewaySettings, RpcSettings
from qrumb_server.config.groups import (
    GeoipSettings,
    LoaderSettings,
    MetricsSettings,
    QueriesSettings,
    SpoolSettings,
    TracesSettings,
    WatchSettings,
    problem_of,
)
from qrumb_server.config.plans import plans_state, read_plans
from qrumb_server.config.site_file import SiteFile, read_sites
from qrumb_server.config.sites import SiteSettings
from qrumb_server.errors import ConfigError

__all__ = ["CONSOLE_FILES", "Settings", "load_settings"]

DEFAULT_FILE = "qrumb.toml"
PREFIX = "QRUMB_"
EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  (looked for)
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# Variables with our prefix that are not settings: for the command line, clients, the guides' programs and tests.
COMMAND_VARIABLES = frozenset(
    {"QRUMB_COMMAND", "QRUMB_CONFIG", "QRUMB_KEY", "QRUMB_SESSION_SECRET", "QRUMB_SPOOL_DIR", "QRUMB_URL"}
)
# Groups whose values may be addresses with a password: not repeated in a message.
MAY_HOLD_SECRETS: Final = frozenset({"clickhouse", "traces"})
# One batch in a scratch file and as a part.
LEAST_FREE_BYTES: Final = 16 * 1024 * 1024
# Further names of settings in the environment, after those with the prefix.
UNPREFIXED: Final[Mapping[str, tuple[str, ...]]] = {
    "HTTP_PORT": ("http_port",),
    "GRPC_PORT": ("grpc_port",),
    "DATA_DIR": ("data_dir",),
    "COLLECT_PATHS": ("gateway", "collect_paths"),
    "CLICKHOUSE_URL": ("clickhouse", "url"),
    "CLICKHOUSE_PASSWORD": ("clickhouse", "password"),
    "CLICKHOUSE_PASSWORD_FILE": ("clickhouse", "password_file"),
    "GEOIP_CITY_DB": ("geoip", "city_databases"),
    "GEOIP_ASN_DB": ("geoip", "asn_database"),
    "METRICS_PORT": ("metrics", "port"),
}

# Where tools/console.py builds it; a wheel that is made afterwards has it too.
BUILT_CONSOLE: Final = Path(__file__).resolve().parents[1] / "console"
CONSOLE_FILES: Final = {
    "html": "index.html",
    "script": "console.js",
    "style": "console.css",
    "icon": "icon.svg",
    "licences": "licences.txt",
}

Port = Annotated[int, Field(ge=0, le=65535)]


class Settings(BaseSettings):
    """All settings of a node."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    data_dir: Path = Path("data")
    """Folder of everything that is kept: spool/, clickhouse/ and run/."""
    http_host: str = "127.0.0.1"
    """Address on which the gateway listens. 0.0.0.0 for all."""
    http_port: Port = 8080
    """Port of the gateway; JSON, gRPC and gRPC-Web. 0: any free one."""
    grpc_host: str = "127.0.0.1"
    """Address on which the workers listen for direct gRPC."""
    grpc_port: Port = 9090
    """Port of direct gRPC. 0: any free one."""
    workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=256)
    """Collector processes. Default: one per core."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """Least severe message to log."""
    spool: SpoolSettings = SpoolSettings()
    """The durable queue."""
    loader: LoaderSettings = LoaderSettings()
    """The loader process."""
    queries: QueriesSettings = QueriesSettings()
    """The limits of questions."""
    rpc: RpcSettings = RpcSettings()
    """The gRPC edge."""
    gateway: GatewaySettings = GatewaySettings()
    """The HTTP edge."""
    metrics: MetricsSettings = MetricsSettings()
    """The port that metrics are read from."""
    watch: WatchSettings = WatchSettings()
    """The judging of sites' own rules."""
    traces: TracesSettings = TracesSettings()
    """Where traces go."""
    geoip: GeoipSettings = Field(default_factory=GeoipSettings)
    """Country, city and network of an address."""
    site: SiteSettings = SiteSettings()
    """What counts for every site that does not state it otherwise in sites.toml."""
    sites_file: Path = Path("sites.toml")
    """The sites, their keys and what differs for each. A relative name is in the data folder."""
    access: Literal["keys", "open"] = "keys"
    """keys: only the sites of sites.toml are served, and backends need a key. open: every caller may send and read
    events of any site; only on the loopback address, for tests and first steps."""
    console: bool = True
    """Serve the console, pages that show what arrives and what it adds up to, at /console/ of the gateway. What they
    read takes a key of the scope query, as from anywhere else."""
    console_dir: Path = Field(default_factory=lambda: BUILT_CONSOLE)
    """Folder of its files. Default: what the set-up built, or what the package brought."""
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    """The ClickHouse server, if not the embedded one."""

    @field_validator("data_dir", mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        if value == "":
            raise ValueError("is empty; name a folder, or leave it out for ./data")
        return value

    @field_validator("data_dir", "console_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _open_on_loopback_only(self) -> Self:
        if self.access == "open":
            for name in ("http_host", "grpc_host"):
                if getattr(self, name) not in LOOPBACK:
                    raise ValueError(
                        f"access = open lets every caller write and read everything, so {name} must be 127.0.0.1; or "
                        "take access = keys"
                    )
        return self

    @model_validator(mode="after")
    def _each_a_port_of_its_own(self) -> Self:
        if self.gateway.upstream:  # the gateway alone
            return self
        listening = [("grpc_port", self.grpc_host, self.grpc_port)]
        if self.gateway.enabled:
            listening.append(("http_port", self.http_host, self.http_port))
        if self.metrics.enabled:
            listening.append(("metrics.port", self.metrics.host, self.metrics.port))
        for (name, host, port), (other, other_host, other_port) in combinations(listening, 2):
            if port == other_port != 0 and (host == other_host or {host, other_host} & EVERY_ADDRESS):
                raise ValueError(f"{name} and {other} are both {port}; give each a port of its own")
        return self

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
        unprefixed = InitSettingsSource(settings_cls, _unprefixed(os.environ))
        return init_settings, env_settings, unprefixed, TomlConfigSettingsSource(settings_cls)

    def open_sites(self, *, monotonic: Callable[[], float] = time.monotonic) -> SiteRegistry:
        """The sites, followed while the file changes.

        Raises:
            ConfigError: the file is there and cannot be used.
        """
        is_open = self.access == "open"
        return SiteRegistry(
            self.sites_path,
            read=lambda path: read_sites(path, self.site),
            common=Site(policy=self.site.policy(), quota=UNLIMITED if is_open else UNNAMED_SITE_QUOTA),
            is_open=is_open,
            monotonic=monotonic,
            read_plans=lambda: read_plans(self.plans_dir),
            plans_state=lambda: plans_state(self.plans_dir),
        )

    @property
    def sites_path(self) -> Path:
        """Where sites.toml is."""
        return self.data_dir / self.sites_file

    @property
    def plans_dir(self) -> Path:
        """Tracking plans: a folder for each site, beside sites.toml."""
        return self.sites_path.parent / "plans"

    @property
    def site_file(self) -> SiteFile:
        """sites.toml, to be changed."""
        return SiteFile(self.sites_path, self.site)

    @property
    def loader_min_free_bytes(self) -> int:
        """Free bytes below which nothing is loaded into the embedded ClickHouse.

        Half of what the spool leaves: the spool refuses first, the loader can still empty it, and merges, which the
        engine begins only where twice their size is free, have room.
        """
        return max(self.spool.min_free_bytes // 2, LEAST_FREE_BYTES)

    @property
    def console_files(self) -> Path | None:
        """The console's folder; None where it is off, or was not built."""
        is_built = all((self.console_dir / name).is_file() for name in CONSOLE_FILES.values())
        return self.console_dir if self.console and is_built else None

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

    @property
    def own_dirs(self) -> tuple[Path, ...]:
        """Folders where nothing may be put but by the node."""
        return self.spool_dir, self.clickhouse_dir, self.run_dir


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
        problems += [_describe(dict(item), _origin(item["loc"], source, given)) for item in error.errors()]
    except SettingsError as error:
        problems.append(f'{_unreadable(str(error))} in the environment: lists are written as JSON, such as ["a", "b"]')
    except ValueError as error:  # TOML that cannot be parsed
        problems.append(f"{source}: not valid TOML: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return settings


def _unprefixed(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the names without the prefix say."""
    given: dict[str, Any] = {}
    for name, (*groups, field) in UNPREFIXED.items():
        value = environment.get(name)
        if value is None or (not value and groups and groups != ["geoip"]):
            continue
        into = given.setdefault(groups[0], {}) if groups else given
        if field in {"city_databases", "collect_paths"}:
            into[field] = [path.strip() for path in value.split(",") if path.strip()]
        else:
            into[field] = value.strip() or (None if groups else "")
    return given


def _known_variable(name: str) -> bool:
    if not name.startswith(PREFIX) or name in COMMAND_VARIABLES:
        return True
    top = re.split("__", name.removeprefix(PREFIX).lower())[0]
    return top in Settings.model_fields


def _describe(item: dict[str, Any], origin: str) -> str:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{place} ({origin}): no such setting"
    problem = problem_of(item)
    if not place:
        return f"{origin}: {problem}"
    shown = "" if MAY_HOLD_SECRETS.intersection(item["loc"]) else f" (found {str(item['input'])[:60]!r})"
    return f"{place} ({origin}): {problem}{shown}"


def _unreadable(said: str) -> str:
    """The variables that an error of the library may be about: it names the setting, or its group."""
    [name] = re.findall(r'for field "([^"]+)"', said) or [""]
    found = [variable for variable in sorted(os.environ) if variable.upper().startswith(f"{PREFIX}{name}".upper())]
    return ", ".join(found) or said


def _origin(place: Sequence[int | str], source: Path, options: Collection[str]) -> str:
    """Which of the sources has given a value, in the order in which they are asked."""
    if not place:
        return f"{source}, the environment and options together"
    if place[0] in options:
        return "an option"
    steps = [str(part) for part in place]
    names = [PREFIX + "__".join(steps[:length]).upper() for length in range(len(steps), 0, -1)]
    names += [name for name, path in UNPREFIXED.items() if tuple(steps[: len(path)]) == path]
    there = {name.upper() for name in os.environ}
    return next((f"{name} in the environment" for name in names if name in there), f"in {source}")
