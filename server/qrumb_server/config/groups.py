"""The settings of a node's parts: spool, loader, metrics, databases of addresses; its two edges are in `edges.py`."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = [
    "DATA_CENTRE_ASNS",
    "KIB",
    "MIB",
    "GeoipSettings",
    "Group",
    "LoaderSettings",
    "MetricsSettings",
    "QueriesSettings",
    "SpoolSettings",
    "TracesSettings",
    "WatchSettings",
    "problem_of",
]

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# Where the set-up of a checkout puts the databases that it fetches (tools/geoip.py).
FETCHED_DATABASES = Path(__file__).resolve().parents[3] / "third_party" / "geoip"
# Networks that rent out machines: hardly any visitor browses from them. The numbers are public; each was compared with
# the name that the regional registries and RouteViews have for it (June 2026). Left out on purpose: Cloudflare, Fastly
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

LARGEST_PORT: Final = 65_535
TRACES_ENDPOINT: Final = re.compile(r"http://((?:[A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5})/?")

AsNumber = Annotated[int, Field(ge=1, le=2**32 - 1)]


class Group(BaseModel):
    """What all groups of settings share: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class SpoolSettings(Group):
    """The durable queue between the reply to the sender and ClickHouse."""

    max_bytes: int = Field(default=8 * GIB, ge=16 * MIB)
    """Bytes that the spool of the whole node may take, shared evenly by its workers. When it is full, senders get
    RESOURCE_EXHAUSTED. A stored event takes about 600 bytes, so the default holds some 14 million."""
    min_free_bytes: int = Field(default=256 * MIB, ge=0)
    """Free bytes that must remain on the disk; below it the spool counts as full, and below half of it nothing is
    loaded into the embedded ClickHouse either: what is left is for its merges."""
    site_max_share: float = Field(default=0.5, gt=0, le=1)
    """What one site may take of it, so that its flood leaves room for the others; over it, its senders get
    RESOURCE_EXHAUSTED. Counts once a quarter of the spool is taken. 1: a site may take all, for a node with one."""
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

    batch_max_events: int = Field(default=30_000, ge=1, le=500_000)
    """Events of one insert. An insert must stay below ClickHouse's block size to be atomic."""
    poll_interval: timedelta = timedelta(milliseconds=50)
    """How often the spool is looked at while it is empty."""
    retry_max_delay: timedelta = timedelta(seconds=10)
    """Longest pause between two tries while ClickHouse is away."""
    refused_delay: timedelta = timedelta(seconds=10)
    """Pause after an answer that no retry can cure (missing table, no rights): a human has to act."""
    drain_timeout: timedelta = timedelta(seconds=20)
    """How long a shutdown waits for the spool to be loaded. What remains is loaded after the next start."""


class QueriesSettings(Group):
    """What questions may take, those of QueryService, so that they never slow the way in. `qrumb query` is the
    operator's own and has no limits."""

    max_concurrent: int = Field(default=3, ge=1, le=64)
    """Questions that are answered at once."""
    max_wait: timedelta = Field(default=timedelta(seconds=2), ge=timedelta(0), le=timedelta(seconds=30))
    """How long a further one waits for its turn, before its caller gets RESOURCE_EXHAUSTED (QUERIES_BUSY)."""
    max_time: timedelta = Field(default=timedelta(seconds=20), ge=timedelta(seconds=1), le=timedelta(minutes=10))
    """Longest that ClickHouse may work on one statement of a question, in whole seconds; the gateway itself waits for
    30 s."""
    max_memory_bytes: int = Field(default=GIB, ge=64 * MIB)
    """Memory of one statement."""
    max_rows: int = Field(default=1_000_000_000, ge=0)
    """Rows that one statement may read. 0: any number."""
    max_threads: int = Field(default=2, ge=1, le=256)
    """Threads of the engine for one statement. In the embedded database it has one while events are coming in."""


class MetricsSettings(Group):
    """Metrics for Prometheus, at /metrics; docs/metrics.md names them."""

    enabled: bool = True
    """Off: the processes count all the same, and serve no metrics."""
    host: str = "127.0.0.1"
    """Address on which they are served. They name sites and ask for no key: another address only in a private network,
    such as that of a container."""
    port: int = Field(default=9464, ge=0, le=65535)
    """Port, METRICS_PORT in the environment. 0: any free one."""


def _fetched_city_databases() -> tuple[Path, ...]:
    return tuple(sorted(FETCHED_DATABASES.glob("*city*.mmdb")))


def problem_of(item: Mapping[str, Any]) -> str:
    """What is wrong, of an error of the settings' classes, in words for who writes a file."""
    match item["type"]:
        case "time_delta_parsing" | "time_delta_type":
            return 'should be a duration, such as "PT20S", "PT5M", "PT1H" or "P7D"'
        case "tuple_type":
            return 'should be a list, such as ["a", "b"]'
    return str(item["msg"]).removeprefix("Value error, ")


class WatchSettings(Group):
    """When the loader judges the rules of sites' `watch` (docs/watch.md)."""

    enabled: bool = True
    """Off: this node judges nothing and sends nothing. Of several nodes before one ClickHouse one does, and another in
    its place once it is gone."""
    interval: timedelta = Field(default=timedelta(minutes=5), ge=timedelta(seconds=1))
    """How often."""


class TracesSettings(Group):
    """Traces by OpenTelemetry (docs/traces.md): one from the gateway to the loaded batch. Needs the extra
    `qrumb-server[traces]`."""

    endpoint: str = ""
    """Where spans are sent: the OTLP/gRPC port of a collector beside the node, such as http://127.0.0.1:4317, which has
    the TLS and the credentials for what lies behind it. Empty: no traces."""
    sample_ratio: float = Field(default=0.01, ge=0, le=1)
    """Share of calls that are traced, of those that come without a traceparent; with one, its caller has decided."""

    @field_validator("endpoint")
    @classmethod
    def _plain(cls, value: str) -> str:
        found = TRACES_ENDPOINT.fullmatch(value)
        if value and not (found and 0 < int(found.group(1).rpartition(":")[2]) <= LARGEST_PORT):
            raise ValueError("must be http://HOST:PORT, the OTLP/gRPC port of a collector; https is that collector's")
        return value

    @property
    def address(self) -> str:
        """The endpoint as host:port."""
        found = TRACES_ENDPOINT.fullmatch(self.endpoint)
        return found.group(1) if found else ""


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
