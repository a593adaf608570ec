"""Whether the compiled package `qrumb_hotpath` can be used, asked without importing what it judges with."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qrumb_hotpath import INTERFACE
else:
    try:
        from qrumb_hotpath import INTERFACE
    except ImportError:
        INTERFACE = 0

__all__ = ["is_built"]

# What the package has to speak: one that an earlier set-up has left would take other arguments.
SPOKEN: Final = 12


def is_built() -> bool:
    """Whether the package is there, and built from a source that `compiled_calls` was written for."""
    return INTERFACE == SPOKEN
