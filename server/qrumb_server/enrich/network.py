"""The network of an address: the number of its autonomous system (AS), and whether machines live there."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final, Self

from qrumb_server.enrich.address_files import AddressFiles

__all__ = ["NO_NETWORK", "NetworkReader"]

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
        """The number; NO_NETWORK for an unknown or private address and for what is no address. Never raises."""
        number = self._files.find(address).get("autonomous_system_number")
        return number if isinstance(number, int) and 0 < number <= _MAX_ASN else NO_NETWORK

    def is_data_centre(self, asn: int) -> bool:
        """Whether a data centre is known under this number."""
        return asn in self._data_centre_asns
