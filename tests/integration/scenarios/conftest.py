"""An embedded ClickHouse for some scenarios at a time, and what is known of addresses."""

import contextlib
import itertools
import time
from collections.abc import Generator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from qrumb_server.enrich.address import NetworkReader, PlaceReader
from qrumb_server.enrich.address_key import address_key
from qrumb_server.pipeline.stamp import Enrichers
from qrumb_server.store.embedded import EmbeddedStore
from tests.support.empty_database import copy_empty_database
from tests.support.mmdb import write_mmdb

# Tests on one database. To open another costs half a second of a processor; the parts that a test leaves cost each
# later one 4 ms, since a mutation looks at all of them.
USES = 16
VIENNA = {"country": {"iso_code": "AT"}, "city": {"names": {"en": "Vienna"}}}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[EmbeddedStore]]:
    """A database for each next test. All are closed before the next module, which may open a folder of its own."""

    def opened() -> Generator[EmbeddedStore]:
        while True:
            folder = tmp_path_factory.mktemp("scenarios") / "clickhouse"
            copy_empty_database(folder)
            with contextlib.closing(EmbeddedStore.open(folder, lock_timeout=timedelta(seconds=10))) as store:
                yield from itertools.repeat(store, USES)

    with contextlib.closing(opened()) as made:
        yield made


@pytest.fixture
def store(stores: Iterator[EmbeddedStore]) -> EmbeddedStore:
    """A database that a few tests share, which sites keep apart."""
    return next(stores)


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
