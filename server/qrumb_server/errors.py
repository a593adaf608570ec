"""Faults that cross a part's border, by what the one who meets them can do about it.

Event faults are values (`model.Rejected`) and never appear here; these are raised.
"""

import re
from typing import Final

__all__ = [
    "EXIT_CONFIG",
    "EXIT_LATER",
    "BadRowsError",
    "ConfigError",
    "OutcomeUnknownError",
    "SiteShareError",
    "SpoolFailedError",
    "SpoolFullError",
    "StartError",
    "StoreError",
    "StoreRefusedError",
    "StoreShortOfDiskError",
    "StoreTooOldError",
    "StoreUnavailableError",
]


# sysexits.h EX_CONFIG: the exit code of a process that a ConfigError has ended. It has said why; starting it again
# would not help.
EXIT_CONFIG: Final = 78
# EX_TEMPFAIL, that of a StartError: what manages the node is to try the same start again.
EXIT_LATER: Final = 75


class ConfigError(Exception):
    """The configuration or the surroundings do not allow a start; the text names every problem and how to fix it."""


class StartError(Exception):
    """A node does not start, for a reason that may pass: a disk that does not write, a process that keeps ending."""


class SpoolFullError(Exception):
    """The spool is at its byte limit or its disk is full. Nothing was kept; try again later."""


class SiteShareError(Exception):
    """A site has all of the spool that one may have. Nothing was kept; try again later. Others are served."""

    def __init__(self, message: str, site_id: str) -> None:
        super().__init__(message)
        self.site_id = site_id


class SpoolFailedError(Exception):
    """The disk refused a write or a sync. Nothing of this append may be called durable."""


_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*('|$)")


class StoreError(Exception):
    """ClickHouse did not do what was asked. `code` is its own error number, 0 where there is none."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code

    @property
    def loggable(self) -> str:
        """The text without what it quotes of statements: sessions, users and hashes that were asked for."""
        return _QUOTED.sub("'...'", str(self))


class StoreUnavailableError(StoreError):
    """Nothing was written; the same call may succeed later."""


class StoreShortOfDiskError(StoreUnavailableError):
    """The disk of the database has less room than must stay: nothing was tried. The text is fit for everybody."""


class OutcomeUnknownError(StoreError):
    """The rows may or may not be stored: send them again with `insert_missing`."""


class StoreRefusedError(StoreError):
    """The schema, the rights or the statement are wrong: no retry helps until an operator fixes it."""


class StoreTooOldError(StoreRefusedError):
    """The server is older than qrumb's SQL. The text is fit for everybody: versions, and no host."""


class BadRowsError(StoreError):
    """At least one row of the batch cannot be stored; the rest can. Nothing was written."""
