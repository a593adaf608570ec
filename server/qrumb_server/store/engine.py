"""One session of the embedded engine (chdb): typed, one statement at a time, only ways that report errors.

Never used here, because they lose rows without a word: `send_insert`, which reports success for failed
inserts, and `Python()` tables, which are bound by name across sessions.
"""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qrumb_server.store.native import decode_rows
from qrumb_server.store.parameters import render_parameters

__all__ = ["EngineError", "EngineSession"]


class EngineError(Exception):
    """The engine refused a statement; the text is its own and begins with its number."""


class EngineSession:
    """A connection with settings of its own. Safe to share between threads: calls wait for each other."""

    def __init__(self, folder: Path, settings: Mapping[str, int]) -> None:
        """Opens `folder`; every session of a process must open the same one.

        Backups may be written anywhere: only sessions that may write at all can make one.

        Raises:
            EngineError: it cannot be opened.
        """
        # Imported here because the import alone starts the engine: 250 MB, threads, signal handlers. Only the
        # process that owns the database pays, and it must not fork afterwards.
        from chdb.session import Session

        self._lock = threading.Lock()
        try:
            self._session: Any = Session(f"{folder}?backups.allowed_path=/")  # type: ignore[no-untyped-call]  # chdb's own gap
        except RuntimeError as error:
            raise EngineError(str(error)) from None
        for name, value in settings.items():
            self.run(f"SET {name} = {value}")

    def run(self, sql: str, parameters: Mapping[str, str] | None = None) -> bytes:
        """Run any statement; the result, if it has one, in Native format. Parameters are rendered already.

        Raises:
            EngineError: it failed; see `errors.py` for what that means.
        """
        with self._lock:
            try:
                result = self._session.query(sql, "Native", params=dict(parameters or {}))
                return bytes(result.bytes())
            except (RuntimeError, AttributeError) as error:
                raise EngineError(str(error)) from None

    def parse(self, sql: str) -> str:
        """One statement as the engine's own parser writes it, on one line and without comments; runs nothing.

        `run` executes several statements one after the other; this refuses them. Positions in the text of an error are
        those of `sql`.

        Raises:
            EngineError: it is not one statement.
        """
        asked = "SELECT formatQuerySingleLine({sql:String}) AS parsed"
        try:
            [row] = decode_rows(self.run(asked, render_parameters(asked, {"sql": sql})))
        except EngineError as error:
            raise EngineError(str(error).partition(": In scope SELECT formatQuerySingleLine(")[0]) from None
        return str(row["parsed"])

    def close(self) -> None:
        """Waits for the running statement. Safe to call twice."""
        with self._lock:
            self._session.close()
