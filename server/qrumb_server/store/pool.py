"""Connections to one or several hosts, each used by one thread at a time.

A host that failed is left alone for some seconds while others answer, so that one dead host, or one that only reads,
does not stall the rest; if all have failed, all are tried, in turn.
"""

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from qrumb_server.errors import StoreTooOldError, StoreUnavailableError
from qrumb_server.store.connection import (
    ConnectError,
    Host,
    ServerConnection,
    ServerOptions,
    StaleError,
    StatementError,
    TooOldError,
)
from qrumb_server.store.errors import OF_ONE_HOST, query_error

__all__ = ["ConnectionPool"]

# Long enough that a loader's retries go elsewhere, short enough that a restarted host is soon back at work.
_REST_SECONDS = 10.0

# A server closes connections that idle for an hour; here none is needed for more than a minute.
_IDLE_SECONDS = 60.0

T = TypeVar("T")


class ConnectionPool:
    """Thread safe. There are as many connections as there were threads at work at once."""

    def __init__(
        self, options: ServerOptions, connect: Callable[[Host, ServerOptions], ServerConnection] = ServerConnection
    ) -> None:
        self._options = options
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[tuple[ServerConnection, float]] = []
        # In an order of its own, so that the loaders of many nodes do not all go to the first host.
        self._hosts = random.sample(list(options.hosts), len(options.hosts))
        self._rests_until: dict[Host, float] = {}
        self._closed = False

    def run(self, statement: Callable[[ServerConnection], T]) -> T:
        """What `statement` makes of a connection; called again with another one only if nothing was sent.

        Raises:
            StatementError: from `statement`.
            StoreUnavailableError: no host can be reached, or the pool is closed.
            StoreRefusedError: no host lets us in, or one that answers is too old.
        """
        while (idle := self._take()) is not None:
            try:
                return self._use(idle, statement)
            except StaleError:
                self._forget(idle.host)
        fresh = self._new()
        try:
            return self._use(fresh, statement)
        except StaleError as error:
            self._rest(fresh.host)
            raise StoreUnavailableError(str(error)) from None

    def close(self) -> None:
        """Statements that run may end; their connections are closed then. Safe to call twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _use(self, connection: ServerConnection, statement: Callable[[ServerConnection], T]) -> T:
        try:
            outcome = statement(connection)
        except StatementError as error:
            connection.close()
            if error.code is None or error.code in OF_ONE_HOST:
                self._rest(connection.host)
            raise
        except BaseException:
            connection.close()
            raise
        self._put(connection)
        return outcome

    def _take(self) -> ServerConnection | None:
        with self._lock:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            fresh_after = time.monotonic() - _IDLE_SECONDS
            while self._idle:
                connection, idle_since = self._idle.pop()
                if idle_since > fresh_after:
                    return connection
                connection.close()
        return None

    def _new(self) -> ServerConnection:
        failures: list[ConnectError] = []
        for host in self._candidates():
            try:
                connection = self._connect(host, self._options)
            except ConnectError as error:
                failures.append(error)
                self._rest(host)
            else:
                with self._lock:
                    self._rests_until.pop(host, None)
                return connection
        # A host that says no is worth more than one that says nothing.
        worst = next((failure for failure in failures if failure.code), failures[0])
        if too_old := next((failure for failure in failures if isinstance(failure, TooOldError)), None):
            raise StoreTooOldError(str(too_old))
        if worst.code:
            raise query_error(worst.code, str(worst))
        raise StoreUnavailableError("; ".join(map(str, failures)))

    def _candidates(self) -> list[Host]:
        """Those that do not rest, or all: first the one that has rested longest."""
        with self._lock:
            now = time.monotonic()
            awake = [host for host in self._hosts if self._rests_until.get(host, 0.0) <= now]
            return awake or sorted(self._hosts, key=self._rests_until.__getitem__)

    def _rest(self, host: Host) -> None:
        with self._lock:
            self._rests_until[host] = time.monotonic() + _REST_SECONDS
        self._forget(host)

    def _forget(self, host: Host) -> None:
        """Idle connections to a host that failed are no better than the one that told us."""
        with self._lock:
            lost = [connection for connection, _ in self._idle if connection.host == host]
            self._idle = [entry for entry in self._idle if entry[0].host != host]
        for connection in lost:
            connection.close()

    def _put(self, connection: ServerConnection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append((connection, time.monotonic()))
                return
        connection.close()
