"""What an examination finds: one line each, how bad it is and what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.ports import Clock

__all__ = ["Check", "Finding", "Level", "fault", "note", "refused", "well"]


class Level(StrEnum):
    """How bad it is."""

    WELL = "ok"
    NOTE = "note"
    """Works, and may be meant otherwise."""
    FAULT = "fault"
    """A node will not start, or not keep its promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the examination."""

    level: Level
    subject: str
    found: str
    fix: str = ""


Check = Callable[[Settings, Clock], Iterator[Finding]]
"""Looks at one subject."""


def well(subject: str, found: str) -> Finding:
    """All is as it should be."""
    return Finding(level=Level.WELL, subject=subject, found=found)


def note(subject: str, found: str, fix: str) -> Finding:
    """It works, and may be meant otherwise."""
    return Finding(level=Level.NOTE, subject=subject, found=found, fix=fix)


def fault(subject: str, found: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(level=Level.FAULT, subject=subject, found=found, fix=fix)


def refused(subject: str, error: ConfigError) -> Iterator[Finding]:
    """The lines of an error of ours, which say what to do after the last semicolon."""
    for line in str(error).splitlines():
        found, _, fix = line.rpartition("; ")
        yield fault(subject, found or line, fix if found else "")
