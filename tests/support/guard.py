"""The guard that DESIGN.md promises: what touches a real database, gateway or node says so by its marker.

A test without the marker fails at once, so `-m "not stack"` leaves out what it says, and `make quick` stays quick.
Processes are seen by Python's audit hook; the embedded engine, which is a library, where it is opened.
"""

import functools
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from qrumb_server.store.engine import EngineSession
from tests.support.tied import TIED

__all__ = ["MARKER_OF_PROGRAM", "set_up", "watched"]

MARKER_OF_PROGRAM: Final = {
    "envoy": "envoy",
    "clickhouse": "clickhouse_server",
    "clickhouse-server": "clickhouse_server",
}
NODE_COMMANDS: Final = {"serve", "worker", "loader", "micro"}
# A node starts its own gateway, and opens its own database.
IMPLIED: Final = {"envoy": {"envoy", "stack"}, "chdb": {"chdb", "stack"}, "stack": {"stack"}}

_watched: list[pytest.Item] = []


def watched(item: pytest.Item | None) -> None:
    """Name the test whose markers count from now on, fixtures that it is the first to use included."""
    _watched[:] = [item] if item else []


def set_up() -> None:
    """Begin to look; for the whole session, as audit hooks cannot be taken away."""
    sys.addaudithook(_on_event)
    opened = EngineSession.__init__

    @functools.wraps(opened)
    def guarded(self: EngineSession, *args: Any, **kwargs: Any) -> None:
        _require("chdb", "opens an embedded ClickHouse")
        opened(self, *args, **kwargs)

    EngineSession.__init__ = guarded  # type: ignore[method-assign]


def _on_event(event: str, details: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen" and _watched:
        arguments = [str(word) for word in details[1]]
        if arguments[: len(TIED)] == TIED:
            arguments = arguments[len(TIED) :]
        name = Path(arguments[0]).name
        if marker := MARKER_OF_PROGRAM.get(name):
            _require(marker, f"starts {name}")
        elif "qrumb_server" in arguments and NODE_COMMANDS & set(arguments):
            _require("stack", "starts a process of a node")


def _require(marker: str, deed: str) -> None:
    for item in _watched:
        if not any(item.get_closest_marker(name) for name in IMPLIED.get(marker, {marker})):
            # Not an Exception: the code under test must not take it for a fault of the database.
            pytest.fail(f"{item.nodeid} {deed}: it needs @pytest.mark.{marker}", pytrace=False)
