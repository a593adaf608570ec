"""The real filesystem as workers have it: by Python, and with the compiled thread where that is built."""

from collections.abc import Callable, Mapping
from typing import Final

from qrumb_server.rpc.hotpath import is_built
from qrumb_server.spool import DISK, FileSystem
from qrumb_server.spool.compiled_disk import CompiledDisk

__all__ = ["DISKS"]

DISKS: Final[Mapping[str, Callable[[], FileSystem]]] = {
    "python": lambda: DISK,
    **({"compiled": CompiledDisk} if is_built() else {}),
}
