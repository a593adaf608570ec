"""Country and city of an address.

Files of two kinds are understood: nested as MaxMind writes them (GeoLite2, GeoIP2, DB-IP), and flat as
ip-location-db does. Where a block of addresses is registered says nothing about where its users are, so MaxMind's
registered_country does not stand in for a country that is not known.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from qrumb_server.enrich.address_files import AddressFiles

__all__ = ["NOWHERE", "Place", "PlaceReader"]

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
        """The place; NOWHERE for an unknown or private address and for what is no address. Never raises."""
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
