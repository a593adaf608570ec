"""Microseconds per look-up of an address: python bench/places.py. Takes the database of the set-up if it is there."""

import random
import time
import timeit
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from tempfile import TemporaryDirectory

import maxminddb
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from qrumb_server.config import Settings
from qrumb_server.enrich.address import NetworkReader, PlaceReader

_ADDRESSES = 5_000
_REPEATS = 9
_RELOAD = timedelta(seconds=30)


def microseconds(call: Callable[[str], object], addresses: list[str]) -> float:
    """The fastest of several runs over all addresses."""

    def run() -> None:
        for address in addresses:
            call(address)

    return min(timeit.repeat(run, number=1, repeat=_REPEATS)) / len(addresses) * 1e6


def _write(path: Path, record: Callable[[int], dict[str, object]]) -> Path:
    """Every second /16 below 224.0.0.0, and as many of IPv6."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for number in range(0, 0xE000, 2):
        networks = [f"{number >> 8}.{number & 255}.0.0/16", f"2a{number >> 8:02x}:{number & 255:x}00::/24"]
        writer.insert_network(IPSet(networks), record(number))
    writer.to_db_file(str(path))
    return path


def main() -> None:
    random.seed(1)
    ip4 = [str(IPv4Address(random.randrange(1 << 24, 224 << 24))) for _ in range(_ADDRESSES)]
    ip6 = [str(IPv6Address((0x2A << 120) | random.getrandbits(120))) for _ in range(_ADDRESSES)]
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cities = Settings().geoip.city_databases or (
            _write(folder / "city.mmdb", lambda n: {"country_code": "DE", "city": f"town {n}"}),
        )
        asns = _write(folder / "asn.mmdb", lambda n: {"autonomous_system_number": n + 1, "organization": f"net {n}"})
        begun = time.perf_counter()
        places = PlaceReader.open(cities, copies=folder / "copies", reload_interval=_RELOAD, monotonic=time.monotonic)
        opened = time.perf_counter() - begun
        networks = NetworkReader.open(
            (asns,), data_centre_asns=(), copies=folder / "copies", reload_interval=_RELOAD, monotonic=time.monotonic
        )
        megabytes = sum(path.stat().st_size for path in cities) / 1e6
        print(f"{'open and copy ' + f'{megabytes:.0f} MB':48} {opened * 1e6:10.0f} µs")
        for name, call, addresses in (
            ("maxminddb alone, C, IPv4", maxminddb.open_database(cities[0], maxminddb.MODE_MMAP_EXT).get, ip4),
            ("maxminddb alone, Python, IPv4", maxminddb.open_database(cities[0], maxminddb.MODE_MMAP).get, ip4),
            ("locate, IPv4", places.locate, ip4),
            ("locate, IPv6", places.locate, ip6),
            ("locate, IPv4 mapped into IPv6", places.locate, [f"::ffff:{address}" for address in ip4]),
            ("locate, no address", places.locate, ["unknown"] * _ADDRESSES),
            ("asn, IPv4", networks.asn, ip4),
        ):
            print(f"{name:48} {microseconds(call, addresses):10.2f} µs")


if __name__ == "__main__":
    main()
