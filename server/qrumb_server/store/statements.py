"""Our own statements in one session of the embedded engine: rows out, StoreErrors in place of the engine's."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qrumb_server.store.engine import EngineError, EngineSession
from qrumb_server.store.errors import error_code, query_error
from qrumb_server.store.native import decode_rows

__all__ = ["Statements", "as_query_error"]


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
