"""The reading sessions of the embedded engine: few at once, kept for the next statement, some of them bounded.

A session runs one statement at a time. A bounded one takes its limits when it is opened, since readonly forbids every
later change of a setting, and what it runs can be ended from another thread.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from itertools import count
from pathlib import Path

from qrumb_server.errors import StoreUnavailableError
from qrumb_server.ports import Asking
from qrumb_server.store.engine import EngineSession, as_query_error
from qrumb_server.store.errors import CANCELLED
from qrumb_server.store.values import key_settings, limit_settings

__all__ = ["Readers"]

# readonly comes last, see above. 60 s is longer than any caller waits.
_SETTINGS = {"max_execution_time": 60, "readonly": 1}
# For questions. The engine remembers which granules a condition held for, but not where it judges indexes as it reads;
# before it reads, that costs the same.
_ASKED = {"use_skip_indexes_on_data_read": 0}
# A scan that takes longer than this is not waited for: no question hangs on another's. Nor does a rest take longer.
_SCAN_PATIENCE_SECONDS = 2.0
# How soon one that waits for its turn learns that its caller has left.
_LOOK_SECONDS = 0.1
# Of the time that a scan took: so long none of another question begins, and the loader has the cores to itself.
_REST_SHARE = 0.5
Settings = tuple[tuple[str, int], ...]


class Readers:
    """Any thread may ask; more than `places` at once wait for each other.

    Args:
        is_loading: whether rows are coming in. Then a bounded statement has one thread, however many it may have, and
            one of a question that scans waits for another's to end and for a rest after it: on a machine whose cores
            are all busy the loader gets its share by the number of those that it competes with.
    """

    def __init__(self, folder: Path, places: int, is_loading: Callable[[], bool]) -> None:
        self._folder = folder
        self._is_loading = is_loading
        self._places = places
        self._reading = threading.BoundedSemaphore(places)
        self._scanning = threading.Semaphore()
        self._scans = 0
        self._rested = 0.0
        self._last: Asking | None = None
        self._idle: list[tuple[Settings, EngineSession]] = []
        self._numbers = count(1)
        self._closed = False

    def run(self, sql: str, rendered: Mapping[str, str]) -> bytes:
        """The result of a statement in Native format. Raises StoreError."""
        with self._reader({**key_settings(sql), **_SETTINGS}) as reader, as_query_error():
            return reader.run(sql, rendered)

    def ask(self, sql: str, rendered: Mapping[str, str], asking: Asking) -> bytes:
        """The same within limits, for as long as its caller is there. Raises StoreError."""
        # The engine knows the statement by its beginning, by which another session can end it.
        name = f"/* question {next(self._numbers)} */"
        by_key = key_settings(sql)
        settings = {**by_key, **_ASKED, **limit_settings(asking.limits), **by_key}  # in its place: readonly comes last
        if self._is_loading():
            settings["max_threads"] = 1
        turn = self._scan_turn(asking) if asking.is_scan else nullcontext()
        with turn, self._reader(settings) as reader, asking.statement(lambda: self._end(name)) as wanted:
            if not wanted:
                raise StoreUnavailableError("the caller has left", CANCELLED)
            with as_query_error():
                return reader.run(f"{name} {sql}", rendered)

    @contextmanager
    def own_session(self, settings: Mapping[str, int]) -> Iterator[EngineSession]:
        """A session for one statement that may take longer than a query."""
        with self._turn():
            with as_query_error():
                session = EngineSession(self._folder, settings)
            try:
                yield session
            finally:
                session.close()

    def close(self) -> None:
        """Waits for the statements that are running; later ones find the store closed."""
        self._closed = True
        for _ in range(self._places):
            self._reading.acquire()
        for _settings, session in self._idle:
            session.close()
        # A call that still waits for its turn gets it, and finds the store closed.
        self._reading.release(self._places)

    @contextmanager
    def _scan_turn(self, asking: Asking) -> Iterator[None]:
        if not (self._is_loading() and self._may_scan(asking)):
            yield
            return
        begun = time.monotonic()
        try:
            if asking is not self._last and begun < self._rested:
                asking.pause(self._rested - begun)
                begun = time.monotonic()
            self._last = asking
            yield
        finally:
            ended = time.monotonic()
            rest = min(_REST_SHARE * (ended - begun), _SCAN_PATIENCE_SECONDS)
            self._rested = max(self._rested, ended + rest)
            self._scans += 1
            self._scanning.release()

    def _may_scan(self, asking: Asking) -> bool:
        """True in turn; False where none came, since the scan under way takes long, or where the caller has left.
        Others that end are waited for."""
        while not asking.is_over:
            before = self._scans
            if self._takes_turn(asking):
                return True
            if self._scans == before:
                return False
        return False

    def _takes_turn(self, asking: Asking) -> bool:
        until = time.monotonic() + _SCAN_PATIENCE_SECONDS
        while not asking.is_over and (left := until - time.monotonic()) > 0:
            if self._scanning.acquire(timeout=min(left, _LOOK_SECONDS)):
                return True
        return False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._reading:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            yield

    @contextmanager
    def _reader(self, settings: Mapping[str, int]) -> Iterator[EngineSession]:
        """A session that is kept for the next query, unless one fails: rows of that would precede the next result."""
        with self._turn():
            kind = tuple(settings.items())
            with as_query_error():
                reader = self._take_idle(kind) or EngineSession(self._folder, settings)
            try:
                yield reader
            except BaseException:
                reader.close()
                raise
            self._idle.append((kind, reader))

    def _take_idle(self, kind: Settings) -> EngineSession | None:
        for idle in self._idle[::-1]:
            if idle[0] == kind:
                with suppress(ValueError):  # another thread was faster
                    self._idle.remove(idle)
                    return idle[1]
        return None

    def _end(self, name: str) -> None:
        killer = EngineSession(self._folder, {})
        try:
            killer.run(f"KILL QUERY WHERE startsWith(query, '{name}') ASYNC")
        finally:
            killer.close()
