"""Which host of several is asked next: one that fails by itself is gone around, whatever the others' order."""

from typing import Any, cast

import pytest

from qrumb_server.store.connection import Host, ServerConnection, ServerOptions, StatementError
from qrumb_server.store.pool import ConnectionPool
from tests.support.server_options import options_for

HOSTS: list[Host] = [("one", 9000), ("two", 9000)]
TABLE_IS_READ_ONLY = 242
NO_SUCH_TABLE = 60


class Connected:
    """A connection to a host, which may fail with a number."""

    def __init__(self, host: Host, failing: dict[Host, int | None]) -> None:
        self.host = host
        self._failing = failing

    def say_host(self) -> Host:
        if self.host in self._failing:
            raise StatementError("as told", self._failing[self.host])
        return self.host

    def close(self) -> None:
        pass


def pool_of(failing: dict[Host, int | None]) -> ConnectionPool:
    def connect(host: Host, options: ServerOptions) -> ServerConnection:
        return cast(ServerConnection, Connected(host, failing))

    return ConnectionPool(options_for(hosts=HOSTS), connect)


def asked(pool: ConnectionPool) -> Host | None:
    """The host that answered; None where it failed."""
    try:
        return pool.run(lambda connection: cast(Any, connection).say_host())
    except StatementError:
        return None


@pytest.mark.parametrize("code", [TABLE_IS_READ_ONLY, None], ids=["it only reads", "it is silent"])
@pytest.mark.parametrize("failing", HOSTS, ids=["the first", "the second"])
def test_a_host_that_fails_by_itself_is_gone_around(failing: Host, code: int | None) -> None:
    """After one failure at most every statement goes to the other one, in whichever order the pool has them."""
    [other] = [host for host in HOSTS if host != failing]
    for _ in range(20):
        pool = pool_of({failing: code})
        answers = [asked(pool) for _ in range(5)]
        assert answers in ([other] * 5, [None, *[other] * 4])


def test_a_statement_that_is_wrong_everywhere_rests_no_host() -> None:
    """The same host is asked again: its connections are not given up for what is not a fault of its own."""
    failing: dict[Host, int | None] = dict.fromkeys(HOSTS, NO_SUCH_TABLE)
    pool = pool_of(failing)
    assert asked(pool) is None
    failing.clear()
    assert asked(pool) == asked(pool)


def test_where_all_fail_all_are_tried() -> None:
    """And the first that is well again answers."""
    failing: dict[Host, int | None] = dict.fromkeys(HOSTS, TABLE_IS_READ_ONLY)
    pool = pool_of(failing)
    assert [asked(pool) for _ in range(4)] == [None] * 4
    del failing["two", 9000]
    assert ("two", 9000) in [asked(pool) for _ in range(2)]
