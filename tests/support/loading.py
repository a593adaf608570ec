"""How the loaders of tests read."""

from qrumb_server.loader.batch import PlainReading, read_batch, read_compiled
from qrumb_server.rpc.hotpath import is_built

__all__ = ["usual_reading"]


def usual_reading() -> PlainReading:
    """As a node's: compiled, where that is built."""
    return PlainReading(read_compiled if is_built() else read_batch)
