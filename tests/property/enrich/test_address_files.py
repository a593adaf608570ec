"""No text is dangerous as an address, no bytes are dangerous as a file, and no address reaches the log."""

import socket
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from qrumb_server.enrich.place import NOWHERE, Place, PlaceReader
from tests.support.mmdb import Clock, write_mmdb

ANYWHERE = Place(country_code="NZ", city="Bluff")
RECORD = {"country_code": "NZ", "city": "Bluff"}
ADDRESS_LIKE = st.text(alphabet="0123456789abcdefx:.%[]/ ,\0-", max_size=50)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> PlaceReader:
    """One place for every address there is."""
    folder = tmp_path_factory.mktemp("world")
    path = write_mmdb(folder / "world.mmdb", {"::/1": RECORD, "8000::/1": RECORD})
    return PlaceReader.open((path,), copies=folder, reload_interval=timedelta(seconds=1), monotonic=Clock())


def is_address(text: str) -> bool:
    """What the system's own strict reader says."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False


@given(text=st.one_of(ADDRESS_LIKE, st.text(st.characters()), st.ip_addresses().map(str)))
def test_a_place_for_addresses_and_for_nothing_else(world: PlaceReader, text: str) -> None:
    """Never an exception, whatever comes in a header."""
    assert world.locate(text) == (ANYWHERE if is_address(text) else NOWHERE)


@given(address=st.ip_addresses(v=4))
def test_a_mapped_address_has_the_place_of_the_plain_one(world: PlaceReader, address: object) -> None:
    """In both its spellings."""
    for mapped in (f"::ffff:{address}", ip_address(f"::ffff:{address}").exploded):
        assert world.locate(mapped) == world.locate(str(address)) == ANYWHERE


@pytest.fixture(scope="module")
def whole_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A folder, and the content of a file with a few networks."""
    folder = tmp_path_factory.mktemp("damage")
    networks = {f"{n}.0.0.0/8": {**RECORD, "city": f"town {n}"} for n in range(1, 100)}
    return folder, write_mmdb(folder / "whole.mmdb", networks).read_bytes()


@given(st.data())
def test_damaged_files_neither_raise_nor_tell_addresses(whole_file: tuple[Path, bytes], data: st.DataObject) -> None:
    """Some bytes changed, or some cut out, anywhere."""
    folder, whole = whole_file
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 300)))
    path = folder / "damaged.mmdb"
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=20)) + whole[end:])
    addresses = [f"{n}.17.23.42" for n in range(1, 100)]
    with capture_logs() as logs:
        reader = PlaceReader.open(
            (path,), copies=folder / "copies", reload_interval=timedelta(seconds=1), monotonic=Clock()
        )
        for address in addresses:
            assert isinstance(reader.locate(address), Place)
    assert not [address for address in addresses if address in str(logs)]
