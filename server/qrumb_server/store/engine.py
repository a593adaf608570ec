"""One session of the embedded engine (chdb): typed, one statement at a time, only ways that report errors.

Never used here, because they lose rows without a word: `send_insert`, which reports success for failed inserts, and
`Python()` tables, which are bound by name across sessions. `Statements` runs our own: rows out, StoreErrors in place of
the engine's.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from qrumb_server.imports import left_out
from qrumb_server.store.errors import error_code, query_error
from qrumb_server.store.native import decode_rows
from qrumb_server.store.values import render_parameters

__all__ = ["EngineError", "EngineSession", "Statements", "as_query_error"]


# Of the process. Backups: see below. The engine reads what memory it has from the kernel 20 times a second unless told
# otherwise, which costs more than all that an idle node does; once is what its statistics do. It compiles an expression
# at its third use unless told otherwise, which often takes as long as a small statement, and reading a million rows
# is no faster for it: what is asked a hundred times may have it.
_ENGINE_OPTIONS: Final = (
    "backups.allowed_path=/&memory_worker_period_ms=1000&min_count_to_compile_expression=100"
    "&min_count_to_compile_aggregate_expression=100&min_count_to_compile_sort_description=100"
)


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
        with left_out("pyarrow"):  # half of the import, and 40 MB, for formats that are not asked for here
            from chdb.session import Session

        self._lock = threading.Lock()
        try:
            self._session: Any = Session(f"{folder}?{_ENGINE_OPTIONS}")  # type: ignore[no-untyped-call]  # chdb's own gap
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


class Statements:
    """A session as migrations, the drift check and the keeper of the parts see it."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session

    def execute(self, sql: str) -> None:
        """Run a statement without a result. Raises StoreError."""
        with as_query_error():
            self._session.run(sql)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a statement, none where it has no result. Raises StoreError."""
        with as_query_error():
            return decode_rows(self._session.run(sql))


@contextmanager
def as_query_error() -> Iterator[None]:
    """What the engine says of a failed read, as `errors.query_error` takes it."""
    try:
        yield
    except EngineError as error:
        raise query_error(error_code(str(error)), str(error)) from None
