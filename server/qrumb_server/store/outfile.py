"""Results that may be long, complete before their first byte is read.

The engine does not say where a disk had no room for what it wrote: on a full one a result would be empty and pass for
whole. So it writes into a pipe, and this process writes the file, whose errors it sees. What is short stays in memory
and needs no room at all.
"""

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Final

from qrumb_server.errors import StoreShortOfDiskError, StoreUnavailableError
from qrumb_server.store.errors import NOT_ENOUGH_SPACE

__all__ = ["pieces_of", "whole_result"]

IN_MEMORY_BYTES: Final = 1 << 20
PIECE_BYTES: Final = 1 << 20
Result = SpooledTemporaryFile[bytes]


def whole_result(write: Callable[[str], object], folder: Path) -> Result:
    """What `write` writes into the path that it is given.

    Args:
        folder: for a file without a name, where the result is long.

    Raises:
        StoreUnavailableError: there is no room for it, or the disk refuses.
        Whatever `write` raises.
    """
    result = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115  (closed with the last piece)
    reading, writing = os.pipe()
    try:
        with ThreadPoolExecutor(1) as aside:
            copying = aside.submit(_copy, reading, result)
            try:
                write(f"/proc/self/fd/{writing}")
            finally:
                os.close(writing)
            error = copying.result()
        if error is not None:
            raise _refusal(error) from error
        result.seek(0)
    except BaseException:
        result.close()
        raise
    finally:
        os.close(reading)
    return result


def pieces_of(result: Result) -> Iterator[bytes]:
    """Its bytes; it is gone with the last piece, or with the iterator."""
    with result:
        while piece := result.read(PIECE_BYTES):
            yield piece


def _copy(reading: int, result: Result) -> OSError | None:
    """Everything that comes, to its end; what the disk said where it took no more. The rest is read all the same, since
    the engine would wait for ever."""
    refused: OSError | None = None
    while piece := os.read(reading, PIECE_BYTES):
        if refused is None:
            try:
                result.write(piece)
                result.flush()
            except OSError as error:
                refused = error
    return refused


def _refusal(error: OSError) -> StoreUnavailableError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreShortOfDiskError("no room on the disk of the database for the result", NOT_ENOUGH_SPACE)
    return StoreUnavailableError(f"the result cannot be written: {error.strerror}")
