"""What a process need not import: most of the time that one takes to start goes into imports."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["left_out"]


@contextmanager
def left_out(module: str) -> Iterator[None]:
    """What is imported meanwhile finds this module not installed, as it may be."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]  # Python's own word for a module that is not to be found
    try:
        yield
    finally:
        del sys.modules[module]
