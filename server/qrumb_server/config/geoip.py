"""Where the country, city and network of an address are looked up."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from qrumb_server.config.groups import Group

__all__ = ["DATA_CENTRE_ASNS", "GeoipSettings"]

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

AsNumber = Annotated[int, Field(ge=1, le=2**32 - 1)]


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
