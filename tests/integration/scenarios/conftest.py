"""One embedded ClickHouse for all scenarios of the module, and what is known of addresses."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.enrich.address import NetworkReader, PlaceReader
from qrumb_server.enrich.address_key import address_key
from qrumb_server.pipeline.stamp import Enrichers
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.mmdb import write_mmdb

VIENNA = {"country": {"iso_code": "AT"}, "city": {"names": {"en": "Vienna"}}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """Closed before the next module, which may open a folder of its own."""
    opened = EmbeddedStore.open(tmp_path_factory.mktemp("scenarios") / "clickhouse", lock_timeout=timedelta(seconds=10))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def enrichers(tmp_path_factory: pytest.TempPathFactory) -> Enrichers:
    """198.51.100.0/24 is in Vienna, 203.0.113.0/24 a data centre."""
    folder: Path = tmp_path_factory.mktemp("geoip")
    reading = {"reload_interval": timedelta(hours=1), "monotonic": time.monotonic, "copies": folder / "copies"}
    cities = write_mmdb(folder / "city.mmdb", {"198.51.100.0/24": VIENNA})
    networks = write_mmdb(folder / "asn.mmdb", {"203.0.113.0/24": {"autonomous_system_number": 64_500}})
    places = PlaceReader.open([cities], **reading)  # type: ignore[arg-type]
    numbers = NetworkReader.open([networks], data_centre_asns=[64_500], **reading)  # type: ignore[arg-type]
    return Enrichers(
        locate=places.locate,
        is_data_centre=lambda address: numbers.is_data_centre(numbers.asn(address)),
        address_key=address_key(b"0" * 32),
    )
