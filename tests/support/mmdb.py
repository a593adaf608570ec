"""Small .mmdb files: what they say about which network is the test's own."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

__all__ = ["Clock", "write_mmdb"]

_numbers = itertools.count()


def write_mmdb(path: Path, networks: Mapping[str, Mapping[str, Any]], *, ip_version: int = 6) -> Path:
    """Write records by network; a file of that name is replaced by a rename. Version 6 holds IPv4 as well."""
    writer = MMDBWriter(ip_version=ip_version, ipv4_compatible=ip_version == 6)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), dict(record))
    fresh = path.with_name(f"{path.name}.{next(_numbers)}")
    writer.to_db_file(str(fresh))
    return fresh.replace(path)


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
