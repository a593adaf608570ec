"""The place of an address, out of files of both kinds; what is not an address has none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qrumb_server.enrich.address import NOWHERE, Place, PlaceReader
from tests.support.mmdb import write_mmdb

OpenPlaces = Callable[..., PlaceReader]

LONDON = Place(country_code="GB", city="London")
LYON = Place(country_code="FR", city="Lyon")
NESTED = {
    "81.2.69.0/24": {"country": {"iso_code": "GB"}, "city": {"names": {"en": "London", "de": "Londres"}}},
    "2a01:e00::/26": {"country": {"iso_code": "FR"}, "city": {"names": {"en": "Lyon"}}},
}
FLAT = {
    "81.2.69.0/24": {"country_code": "GB", "city": "London", "state1": "England"},
    "2a01:e00::/26": {"country_code": "FR", "city": "Lyon", "state1": "Rhone"},
}


@pytest.mark.parametrize("networks", [NESTED, FLAT], ids=["nested", "flat"])
def test_both_kinds_of_file_and_both_kinds_of_address(
    networks: dict[str, dict[str, object]], open_places: OpenPlaces, tmp_path: Path
) -> None:
    """MaxMind's and ip-location-db's records lead to the same places."""
    reader = open_places(write_mmdb(tmp_path / "places.mmdb", networks))
    assert reader.locate("81.2.69.142") == LONDON
    assert reader.locate("2a01:e00::1") == LYON
    assert reader.locate("2A01:0E00:0:0::1") == LYON
    assert reader.locate("81.2.70.1") == NOWHERE
    assert reader.locate("2a02::1") == NOWHERE


@pytest.mark.parametrize("ip4_first", [True, False])
def test_a_file_for_each_kind_of_address(ip4_first: bool, open_places: OpenPlaces, tmp_path: Path) -> None:
    """As DB-IP's cities come; the order of the two does not matter."""
    ip4 = write_mmdb(tmp_path / "4.mmdb", {"81.2.69.0/24": FLAT["81.2.69.0/24"]}, ip_version=4)
    ip6 = write_mmdb(tmp_path / "6.mmdb", {"2a01:e00::/26": FLAT["2a01:e00::/26"]})
    reader = open_places(*((ip4, ip6) if ip4_first else (ip6, ip4)))
    assert reader.locate("81.2.69.142") == LONDON
    assert reader.locate("2a01:e00::1") == LYON


@pytest.mark.parametrize("address", ["::ffff:81.2.69.142", "::FFFF:5102:458e", "0:0:0:0:0:ffff:81.2.69.142"])
def test_a_mapped_address_is_looked_up_as_ipv4(address: str, open_places: OpenPlaces, tmp_path: Path) -> None:
    """Also where the file knows nothing but IPv4."""
    path = write_mmdb(tmp_path / "4.mmdb", {"81.2.69.0/24": FLAT["81.2.69.0/24"]}, ip_version=4)
    assert open_places(path).locate(address) == LONDON


def test_the_first_file_that_knows_the_address_answers(open_places: OpenPlaces, tmp_path: Path) -> None:
    """So a small file of one's own can correct a large one."""
    own = write_mmdb(tmp_path / "own.mmdb", {"81.2.69.128/25": {"country_code": "IE", "city": "Cork"}})
    all_others = write_mmdb(tmp_path / "all.mmdb", FLAT)
    reader = open_places(own, all_others)
    assert reader.locate("81.2.69.142") == Place(country_code="IE", city="Cork")
    assert reader.locate("81.2.69.1") == LONDON


NO_ADDRESS = [
    "", " ", "nope", "1", "1.2.3", "81.2.69", "81.2.69.142.1", "0x51.2.69.142", "081.2.69.142", "81.2.69.142 ",
    "81.2.69.142\0", "81.2.69.142\n", "８１.2.69.142", "81.2.69.142:80", "[2a01:e00::1]", "2a01:e00::1%eth0",
    "2a01:e00::/26", ":", "::ffff:81.2.69", "\ud800", "81.2.69.142, 10.0.0.1", "9" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("address", NO_ADDRESS, ids=range(len(NO_ADDRESS)))
def test_what_is_no_address_is_nowhere(address: str, open_places: OpenPlaces, tmp_path: Path) -> None:
    """Even where a file has a record for everything, and the reader itself would be content with "1"."""
    everything = {"0.0.0.0/0": FLAT["81.2.69.0/24"], "2000::/3": FLAT["2a01:e00::/26"]}
    assert open_places(write_mmdb(tmp_path / "all.mmdb", everything)).locate(address) == NOWHERE


@pytest.mark.parametrize("address", ["10.1.2.3", "127.0.0.1", "192.168.1.1", "::1", "fe80::1", "fd00::1", "0.0.0.0"])
def test_private_addresses_are_nowhere(address: str, open_places: OpenPlaces, tmp_path: Path) -> None:
    """No database has them; DB-IP's own says ZZ."""
    networks = {**FLAT, "10.0.0.0/8": {"country_code": "ZZ", "city": ""}}
    assert open_places(write_mmdb(tmp_path / "places.mmdb", networks)).locate(address) == NOWHERE


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"country": {"iso_code": "GB"}}, Place(country_code="GB")),
        ({"country_code": "gb"}, Place(country_code="GB")),
        ({"country_code": "XK", "city": ""}, Place(country_code="XK")),
        ({"registered_country": {"iso_code": "US"}}, NOWHERE),
        ({"city": "Lyon"}, Place(city="Lyon")),
        ({"country_code": "DE", "city": "Stuttgart (Mitte)"}, Place(country_code="DE", city="Stuttgart")),
        ({"country": {"iso_code": "JP"}, "city": {"names": {"ja": "東京都"}}}, Place(country_code="JP")),
        ({"country_code": "GBR", "city": 7}, NOWHERE),
        ({"country_code": 44, "city": ["London"]}, NOWHERE),
        ({"country": "United Kingdom", "city": {"names": "London"}}, NOWHERE),
        ({"country": {}, "city": {"geoname_id": 1}}, NOWHERE),
    ],
)
def test_records_of_every_shape(
    record: dict[str, object], place: Place, open_places: OpenPlaces, tmp_path: Path
) -> None:
    """Only what is what it should be is taken; a block's registration is no place."""
    reader = open_places(write_mmdb(tmp_path / "one.mmdb", {"81.2.69.0/24": record}))
    assert reader.locate("81.2.69.142") == place


def test_without_files_all_is_nowhere(open_places: OpenPlaces) -> None:
    """No file is a configuration like any other."""
    assert open_places().locate("81.2.69.142") == NOWHERE
