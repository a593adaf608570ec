"""What files of addresses say of a visitor's: its place and its network.

Files of places are of two kinds: nested as MaxMind writes them (GeoLite2, GeoIP2, DB-IP), and flat as ip-location-db
does. Where a block of addresses is registered says nothing about where its users are, so MaxMind's registered_country
does not stand in for a country that is not known.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from qrumb_server.enrich.address_files import AddressFiles

__all__ = ["NOWHERE", "NO_NETWORK", "NetworkReader", "Place", "PlaceReader"]

_is_country_code = re.compile(r"(?!ZZ)[A-Z]{2}").fullmatch  # ZZ: nowhere, as DB-IP marks private networks


class Place(NamedTuple):  # one is made for every event: half the cost of a frozen dataclass
    """Where an address is; what is not known is empty."""

    country_code: str = ""
    """ISO 3166-1 alpha-2, upper case."""
    city: str = ""
    """English name."""


NOWHERE: Final = Place()


class PlaceReader:
    """Finds the place of an address. The files may change, be broken or be missing at any time."""

    def __init__(self, files: AddressFiles) -> None:
        self._files = files

    @classmethod
    def open(
        cls, paths: Sequence[Path], *, copies: Path, reload_interval: timedelta, monotonic: Callable[[], float]
    ) -> Self:
        """Open the files: see AddressFiles.

        Raises:
            ConfigError: the reader of such files has only its slow form here.
        """
        return cls(AddressFiles(paths, copies=copies, reload_interval=reload_interval, monotonic=monotonic))

    def locate(self, address: str) -> Place:
        """The place; NOWHERE for an unknown or private address and for what is not an address. Never raises."""
        record = self._files.find(address)
        return Place(country_code=_country_code(record), city=_city(record)) if record else NOWHERE


def _country_code(record: Mapping[str, Any]) -> str:
    code = record.get("country_code")
    if code is None:
        country = record.get("country")
        code = country.get("iso_code") if isinstance(country, dict) else None
    code = code.upper() if isinstance(code, str) else ""
    return code if _is_country_code(code) else ""


def _city(record: Mapping[str, Any]) -> str:
    city = record.get("city")
    if isinstance(city, dict):
        names = city.get("names")
        city = names.get("en") if isinstance(names, dict) else None
    if not isinstance(city, str):
        return ""
    # DB-IP knows districts, "Stuttgart (Mitte)": more than the column promises, and no city to group by.
    return city.partition(" (")[0]


# RFC 7607: the number that no network has.
NO_NETWORK: Final = 0
_MAX_ASN: Final = 2**32 - 1


class NetworkReader:
    """Finds the network of an address. The file may change, be broken or be missing at any time.

    Args:
        files: MaxMind's GeoLite2-ASN or one of ip-location-db; the records are the same.
        data_centre_asns: numbers of the networks that rent out machines.
    """

    def __init__(self, files: AddressFiles, *, data_centre_asns: Collection[int]) -> None:
        self._files = files
        self._data_centre_asns = frozenset(data_centre_asns) - {NO_NETWORK}

    @classmethod
    def open(
        cls,
        paths: Sequence[Path],
        *,
        data_centre_asns: Collection[int],
        copies: Path,
        reload_interval: timedelta,
        monotonic: Callable[[], float],
    ) -> Self:
        """Open the files, of which there may be none: see AddressFiles.

        Raises:
            ConfigError: the reader of such files has only its slow form here.
        """
        files = AddressFiles(paths, copies=copies, reload_interval=reload_interval, monotonic=monotonic)
        return cls(files, data_centre_asns=data_centre_asns)

    def asn(self, address: str) -> int:
        """The number; NO_NETWORK for an unknown or private address and for what is not an address. Never raises."""
        number = self._files.find(address).get("autonomous_system_number")
        return number if isinstance(number, int) and 0 < number <= _MAX_ASN else NO_NETWORK

    def is_data_centre(self, asn: int) -> bool:
        """Whether a data centre is known under this number."""
        return asn in self._data_centre_asns
