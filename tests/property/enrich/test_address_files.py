"""No text is dangerous as an address, nor is a file that was cut off; and no address reaches the log."""

import socket
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from qrumb_server.enrich.address import NOWHERE, Place, PlaceReader
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


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _whole: b"",
    "another file": lambda _whole: b"PK\3\4" * 500,
    "its beginning": lambda whole: whole[: len(whole) // 2],
    "without its last byte": lambda whole: whole[:-1],
    "its end": lambda whole: whole[-60:],
    "without metadata": lambda whole: whole.replace(b"MaxMind.com", b"nobody.test"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_half_copied_and_other_files_neither_raise_nor_tell_addresses(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    """What a copy that was cut off, or a wrong name in the settings, leaves there."""
    networks = {f"{n}.0.0.0/8": {**RECORD, "city": f"town {n}"} for n in range(1, 100)}
    path = tmp_path / "damaged.mmdb"
    path.write_bytes(damage(write_mmdb(tmp_path / "whole.mmdb", networks).read_bytes()))
    addresses = [f"{n}.17.23.42" for n in range(1, 100)]
    with capture_logs() as logs:
        reader = PlaceReader.open(
            (path,), copies=tmp_path / "copies", reload_interval=timedelta(seconds=1), monotonic=Clock()
        )
        for address in addresses:
            assert isinstance(reader.locate(address), Place)
    assert not [address for address in addresses if address in str(logs)]
