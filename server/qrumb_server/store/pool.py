"""Connections to one or several hosts, each used by one thread at a time.

A host that failed is left alone for some seconds while others answer, so that one dead host, or one that only reads,
does not stall the rest; if all have failed, all are tried, in turn.
"""

import random
import threading
import time
from collections.abc import Callable, Sequence
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
        # Of these, the ones that did not answer.
        self._silent: set[Host] = set()
        self._closed = False

    def run(self, statement: Callable[[ServerConnection], T], host: Host | None = None) -> T:
        """What `statement` makes of a connection; called again with another one only if nothing was sent.

        Args:
            host: that one and no other; None: any that does not rest.

        Raises:
            StatementError: from `statement`.
            StoreUnavailableError: no host can be reached, or the pool is closed.
            StoreRefusedError: no host lets us in, or one that answers is too old.
        """
        while (idle := self._take(host)) is not None:
            try:
                return self._use(idle, statement)
            except StaleError:
                self._forget(idle.host)
        fresh = self._new([host] if host else self._candidates())
        try:
            return self._use(fresh, statement)
        except StaleError as error:
            self._rest(fresh.host, is_silent=True)
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
                self._rest(connection.host, is_silent=error.code is None)
            raise
        except BaseException:
            connection.close()
            raise
        self._put(connection)
        return outcome

    def answering(self) -> list[Host]:
        """All hosts but those that rest since they did not answer; all where none is left."""
        with self._lock:
            return [host for host in self._hosts if host not in self._silent or host in self._awake()] or self._hosts

    def _take(self, host: Host | None) -> ServerConnection | None:
        with self._lock:
            if self._closed:
                raise StoreUnavailableError("the store is closed")
            fresh_after = time.monotonic() - _IDLE_SECONDS
            for place in range(len(self._idle) - 1, -1, -1):
                connection, idle_since = self._idle[place]
                if host is None or connection.host == host:
                    del self._idle[place]
                    if idle_since > fresh_after:
                        return connection
                    connection.close()
        return None

    def _new(self, hosts: Sequence[Host]) -> ServerConnection:
        failures: list[ConnectError] = []
        for host in hosts:
            try:
                connection = self._connect(host, self._options)
            except ConnectError as error:
                failures.append(error)
                self._rest(host, is_silent=True)
            else:
                with self._lock:
                    self._rests_until.pop(host, None)
                    self._silent.discard(host)
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
            return self._awake() or sorted(self._hosts, key=self._rests_until.__getitem__)

    def _awake(self) -> list[Host]:
        now = time.monotonic()
        return [host for host in self._hosts if self._rests_until.get(host, 0.0) <= now]

    def _rest(self, host: Host, *, is_silent: bool) -> None:
        with self._lock:
            self._rests_until[host] = time.monotonic() + _REST_SECONDS
            (self._silent.add if is_silent else self._silent.discard)(host)
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
