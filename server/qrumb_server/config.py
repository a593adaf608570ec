"""Every setting, with its default, its unit and its reason. The defaults run on a laptop.

A setting comes from the first of: a command line option, the environment (`QRUMB_HTTP_PORT`; for groups
`QRUMB_SPOOL__MAX_BYTES`), the TOML file (`--config`, or qrumb.toml in the working folder), the default. Unknown
keys are errors. `HTTP_PORT`, `GRPC_PORT` and `DATA_DIR` work without the prefix as well, and so do `GEOIP_CITY_DB`
(paths with commas between) and `GEOIP_ASN_DB`; empty, these two stand for no file.
"""

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from qrumb_server.errors import ConfigError
from qrumb_server.model import FraudReason, FraudRules, SitePolicy

__all__ = [
    "DATA_CENTRE_ASNS",
    "FraudSettings",
    "GatewaySettings",
    "GeoipSettings",
    "LoaderSettings",
    "RpcSettings",
    "Settings",
    "SiteSettings",
    "SpoolSettings",
    "load_settings",
]

MIB = 1024 * 1024
GIB = 1024 * MIB
DEFAULT_FILE = "qrumb.toml"
PREFIX = "QRUMB_"
# Variables with our prefix that are no settings: they are read by the command line itself.
COMMAND_VARIABLES = frozenset({"QRUMB_CONFIG", "QRUMB_KEY", "QRUMB_URL"})
# Where the set-up of a checkout puts the databases that it fetches (tools/geoip.py).
FETCHED_DATABASES = Path(__file__).resolve().parent.parent.parent / "third_party" / "geoip"
# Networks that rent out machines, and next to nobody browses from. The numbers are public; each was compared with the
# name that the regional registries and RouteViews have for it (June 2026). Left out on purpose: Cloudflare, Fastly
# and Akamai's edge, through which the visitors of iCloud Private Relay and WARP come.
DATA_CENTRE_ASNS = (
    *(16509, 14618, 8987),  # Amazon Web Services
    *(396982, 8075, 31898, 36351),  # Google Cloud, Microsoft Azure, Oracle Cloud, IBM Cloud
    *(45102, 37963, 132203, 45090, 136907, 55990),  # Alibaba Cloud, Tencent Cloud, Huawei Cloud
    *(16276, 24940, 213230, 212317, 12876),  # OVH, Hetzner, Scaleway
    *(14061, 63949, 20473, 202053),  # DigitalOcean, Akamai Cloud (Linode), Vultr, UpCloud
    *(60781, 28753, 30633, 395954),  # Leaseweb
    *(51167, 40021, 47583, 197540, 8560),  # Contabo, Hostinger, netcup, IONOS
    *(33070, 19994, 27357, 40509),  # Rackspace, Fly.io
    *(9009, 60068, 212238),  # M247 and Datacamp, where VPN services and scrapers rent
)

Port = Annotated[int, Field(ge=0, le=65535)]
AsNumber = Annotated[int, Field(ge=1, le=2**32 - 1)]


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
    seal_after: timedelta = Field(
        default=timedelta(milliseconds=500), ge=timedelta(milliseconds=10), le=timedelta(seconds=4)
    )
    """Workers seal their segments together at multiples of it: the longest an event waits before the loader sees it."""


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


def _fetched_city_databases() -> tuple[Path, ...]:
    return tuple(sorted(FETCHED_DATABASES.glob("*city*.mmdb")))


class GeoipSettings(Group):
    """Files in MaxMind's .mmdb format, in which the country, city and network of an address are looked up.

    They are looked at again while the node runs: a new one is picked up, a broken one is not. One that is missing
    leaves its columns empty, with a warning.
    """

    city_databases: tuple[Path, ...] = Field(default_factory=_fetched_city_databases)
    """Databases of countries and cities; the first that knows an address answers. One of countries alone leaves the
    city empty. Default: those that the set-up fetched, where they are there."""
    asn_database: Path | None = None
    """Database of networks, by which data centres are told from visitors."""
    data_centre_asns: tuple[AsNumber, ...] = ()
    """AS numbers of further networks that count as data centres, besides DATA_CENTRE_ASNS."""
    reload_interval: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(seconds=1))
    """How often a worker looks whether the files changed."""

    @field_validator("city_databases")
    @classmethod
    def _absolute_all(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(path.expanduser().absolute() for path in value)

    @field_validator("asn_database")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().absolute()

    @property
    def asn_databases(self) -> tuple[Path, ...]:
        """The one, or none."""
        return (self.asn_database,) if self.asn_database else ()

    @property
    def all_data_centre_asns(self) -> frozenset[int]:
        """The well-known ones and those that were added."""
        return frozenset(DATA_CENTRE_ASNS) | frozenset(self.data_centre_asns)


class FraudSettings(Group):
    """When an event is marked as fraud: `is_fraud = 1`, the reason in `fraud_reasons`. It is kept all the same."""

    session_events_per_minute: int = Field(default=120, ge=1)
    """More events of one scan session: session_velocity."""
    address_events_per_minute: int = Field(default=600, ge=1)
    """More events of one address: address_velocity. Many visitors can share an address."""
    max_clock_ahead: timedelta = timedelta(days=1)
    """An event_time further in the future: impossible_time."""
    before_scan_tolerance: timedelta = timedelta(minutes=10)
    """An event_time that much before the scan: before_scan. Phones' clocks differ from the redirect's."""
    ignored_reasons: tuple[FraudReason, ...] = ()
    """Reasons that mark nothing here."""


class SiteSettings(Group):
    """What a site wants done with its events."""

    default_consent: Literal["granted", "pending", "denied"] = "granted"
    """What counts where an event states no consent."""
    non_personal_keys: tuple[str, ...] = ()
    """Keys of metadata and properties that are kept where consent is denied; all others are dropped then."""
    fraud: FraudSettings = FraudSettings()
    """When an event is marked."""

    def policy(self) -> SitePolicy:
        """The same for the pipeline."""
        fraud = self.fraud
        return SitePolicy(
            default_consent=self.default_consent,
            non_personal_keys=frozenset(self.non_personal_keys),
            fraud=FraudRules(
                session_events_per_minute=fraud.session_events_per_minute,
                address_events_per_minute=fraud.address_events_per_minute,
                max_clock_ahead_ms=fraud.max_clock_ahead // timedelta(milliseconds=1),
                before_scan_tolerance_ms=fraud.before_scan_tolerance // timedelta(milliseconds=1),
                ignored_reasons=frozenset(fraud.ignored_reasons),
            ),
        )


class PlainGeoipVariables(PydanticBaseSettingsSource):
    """GEOIP_CITY_DB and GEOIP_ASN_DB, which lead into a group and so cannot be aliases of a field."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not field by field."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """What the two say."""
        said: dict[str, Any] = {}
        if (cities := os.environ.get("GEOIP_CITY_DB")) is not None:
            said["city_databases"] = [path.strip() for path in cities.split(",") if path.strip()]
        if (asns := os.environ.get("GEOIP_ASN_DB")) is not None:
            said["asn_database"] = asns.strip() or None
        return {"geoip": said} if said else {}


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
    geoip: GeoipSettings = Field(default_factory=GeoipSettings)
    """Country, city and network of an address."""
    site: SiteSettings = SiteSettings()
    """What counts for every site."""
    sites: dict[str, SiteSettings] = {}
    """What differs for one site, by site_id; what is not given there is as in `site`."""

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
        plain = PlainGeoipVariables(settings_cls)
        return init_settings, env_settings, plain, TomlConfigSettingsSource(settings_cls)

    def policies(self) -> Callable[[str], SitePolicy]:
        """The policy of a site by its id."""
        common = self.site.policy()
        own = {site_id: _merged(self.site, different).policy() for site_id, different in self.sites.items()}
        return lambda site_id: own.get(site_id, common)

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
    except SettingsError as error:
        problems.append(f'the environment: {error} (lists are written as JSON, such as ["a", "b"])')
    except ValueError as error:  # TOML that cannot be parsed
        problems.append(f"{source}: not valid TOML: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
    return settings


def _merged(common: SiteSettings, different: SiteSettings) -> SiteSettings:
    """The settings of one site: what it states itself, else what counts for all."""
    stated = different.model_dump(exclude_unset=True)
    fraud = {**common.fraud.model_dump(), **stated.pop("fraud", {})}
    return SiteSettings.model_validate({**common.model_dump(), **stated, "fraud": fraud})


def _known_variable(name: str) -> bool:
    if not name.startswith(PREFIX) or name in COMMAND_VARIABLES:
        return True
    top = re.split("__", name.removeprefix(PREFIX).lower())[0]
    return top in Settings.model_fields


def _describe(item: dict[str, Any], source: Path) -> str:
    place = ".".join(str(part) for part in item["loc"])
    mend = "no such setting" if item["type"] == "extra_forbidden" else str(item["msg"])
    shown = "" if item["type"] == "extra_forbidden" else f" (found {str(item['input'])[:60]!r})"
    return f"{place} (set by {source}, {PREFIX}{place.upper().replace('.', '__')} or an option): {mend}{shown}"
