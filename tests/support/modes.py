"""Folders that may not be used, and a node that is held to the modes of files as other users are."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["HELD_TO_MODES", "forbidden"]

# For root, modes of files mean nothing unless it goes without these rights.
HELD_TO_MODES: Final = () if os.geteuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""A `launcher` of a Stack."""


@contextlib.contextmanager
def forbidden(path: Path) -> Iterator[None]:
    """It may not be used meanwhile by a process that is held to modes."""
    mode = path.stat().st_mode
    path.chmod(0)
    try:
        yield
    finally:
        path.chmod(mode)
