"""The limits of a worker's spool in tests: the settings' own defaults, but for a small disk and its one site."""

from typing import Any

from qrumb_server.config import SpoolSettings
from qrumb_server.spool import SpoolLimits

__all__ = ["spool_limits"]


def spool_limits(**changes: Any) -> SpoolLimits:
    """The limits with some changed; no room has to stay free, and a site may take all."""
    return SpoolLimits(**SpoolSettings().model_dump() | {"min_free_bytes": 0, "site_max_share": 1.0} | changes)
