"""The network of an address, and which networks are data centres."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qrumb_server.config import DATA_CENTRE_ASNS
from qrumb_server.enrich.address import NO_NETWORK, NetworkReader
from tests.support.mmdb import write_mmdb

OpenNetworks = Callable[..., NetworkReader]

NETWORKS = {
    "3.0.0.0/9": {"autonomous_system_number": 16509, "autonomous_system_organization": "Amazon.com, Inc."},
    "2a00:23c0::/28": {"autonomous_system_number": 2856, "autonomous_system_organization": "BT"},
}


def test_the_number_of_the_network(open_networks: OpenNetworks, tmp_path: Path) -> None:
    """Of both kinds of address; 0 for what is not known or no address."""
    reader = open_networks(write_mmdb(tmp_path / "asn.mmdb", NETWORKS))
    assert reader.asn("3.5.140.1") == reader.asn("::ffff:3.5.140.1") == 16509
    assert reader.asn("2a00:23c1::1") == 2856
    assert [reader.asn(address) for address in ("81.2.69.142", "10.0.0.1", "::1", "3", "", "x")] == [NO_NETWORK] * 6


@pytest.mark.parametrize("number", ["16509", -1, 0, 2**32, 2.5, [1]], ids=str)
def test_what_is_no_number_of_a_network_counts_as_none(
    number: object, open_networks: OpenNetworks, tmp_path: Path
) -> None:
    """The column takes 32 bits."""
    path = write_mmdb(tmp_path / "asn.mmdb", {"3.0.0.0/9": {"autonomous_system_number": number}})
    assert open_networks(path).asn("3.5.140.1") == NO_NETWORK


def test_without_a_file_no_network_is_known(open_networks: OpenNetworks) -> None:
    """The database is optional."""
    assert open_networks().asn("3.5.140.1") == NO_NETWORK


def test_data_centres_are_those_that_were_named(open_networks: OpenNetworks) -> None:
    """And never the number that no network has."""
    reader = open_networks(data_centre_asns=(*DATA_CENTRE_ASNS, 64500, NO_NETWORK))
    assert reader.is_data_centre(16509)
    assert reader.is_data_centre(64500)
    assert not reader.is_data_centre(2856)
    assert not reader.is_data_centre(NO_NETWORK)


def test_the_built_in_numbers_are_each_there_once() -> None:
    """A repeated number is most likely a mistyped one."""
    assert len(set(DATA_CENTRE_ASNS)) == len(DATA_CENTRE_ASNS) >= 20
