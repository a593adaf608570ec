"""What only a real server shows: TLS with its checks, compression, several accounts."""

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qrumb_server.errors import StoreRefusedError, StoreTooOldError, StoreUnavailableError
from qrumb_server.ports import Asking, ReadLimits, TableBatch
from qrumb_server.store.errors import CANCELLED
from qrumb_server.store.server import ServerStore
from tests.support.old_server import ACCOUNTS, BINARY, OldServer, old_store, running_server
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.stack import wait_until

pytestmark = [
    pytest.mark.clickhouse_server,
    pytest.mark.skipif(BINARY is None, reason="no clickhouse-server: apt-get install clickhouse-server"),
]

Row = Callable[..., dict[str, Any]]
Batch = Callable[..., TableBatch]

TLS = """
    <tcp_port_secure>{port}</tcp_port_secure>
    <openSSL><server>
        <certificateFile>{folder}/server.crt</certificateFile><privateKeyFile>{folder}/server.key</privateKeyFile>
        <verificationMode>none</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile>
    </server></openSSL>
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for the name localhost, and another one for no host at all."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("server", "stranger"):
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
        command += f" -addext subjectAltName=DNS:localhost -keyout {folder}/{name}.key -out {folder}/{name}.crt"
        subprocess.run(command.split(), check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def secure_port() -> int:
    return claimed_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificates: Path, secure_port: int) -> Iterator[OldServer]:
    """One for all tests here."""
    more = TLS.format(port=secure_port, folder=certificates)
    with running_server(tmp_path_factory.mktemp("server"), more) as running:
        wait_until(lambda: _listens(secure_port))
        yield running


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.mark.parametrize("compression", [None, "lz4"])
@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
def test_rows_arrive_on_every_kind_of_wire(
    server: OldServer,
    certificates: Path,
    secure_port: int,
    batch_of: Batch,
    event: Row,
    compression: str | None,
    is_secure: bool,
) -> None:
    wire: dict[str, Any] = {"compression": compression}
    if is_secure:
        wire |= {"hosts": [("localhost", secure_port)], "secure": True, "ca_file": certificates / "server.crt"}
    store = old_store(server, **wire)
    segment = f"{compression}-{is_secure}"
    batch = batch_of([event(segment_id=segment, segment_row=row, page_url="ü" * row) for row in range(2000)])
    store.insert(batch)
    rows = store.query(
        "SELECT segment_row, page_url FROM events.valid_events WHERE segment_id = {s:String} ORDER BY segment_row",
        {"s": segment},
    )
    assert rows == [{"segment_row": row, "page_url": "ü" * row} for row in range(2000)]
    store.close()


@pytest.mark.parametrize(
    ("host", "ca"),
    [("localhost", "stranger"), ("127.0.0.1", "server"), ("localhost", None)],
    ids=["ca", "name", "usual"],
)
def test_a_certificate_that_does_not_fit_is_not_accepted(
    server: OldServer, certificates: Path, secure_port: int, host: str, ca: str | None
) -> None:
    ca_file = certificates / f"{ca}.crt" if ca else None
    store = old_store(server, hosts=[(host, secure_port)], secure=True, ca_file=ca_file)
    with pytest.raises(StoreUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        store.query("SELECT 1")
    store.close()


def test_an_account_gets_in_by_its_password_alone(server: OldServer) -> None:
    store = old_store(server, user="writer", password=ACCOUNTS["writer"][0])
    assert store.query("SELECT 1 AS one") == [{"one": 1}]
    store.close()
    for user, password in (("writer", "wrong"), ("nobody", "")):
        store = old_store(server, user=user, password=password)
        with pytest.raises(StoreRefusedError) as caught:
            store.query("SELECT 1")
        assert caught.value.code in (192, 193)
        store.close()


def test_a_server_that_is_too_old_is_told_by_its_version(server: OldServer) -> None:
    """It would accept the connection and fail on the first table's CODEC."""
    store = ServerStore(server.options())
    for call in (lambda: store.query("SELECT 1"), store.pending):
        with pytest.raises(
            StoreTooOldError, match=r"^ClickHouse 18\.16\.\d+ is too old: qrumb needs version 24\.8 or newer$"
        ):
            call()
    store.close()


def test_a_server_ends_the_statement_of_a_caller_who_left(server: OldServer) -> None:
    """Its connection breaks, and that is all it takes: no right, no second connection."""
    limits = ReadLimits(max_seconds=600, max_memory_bytes=1 << 30, max_rows=0, max_threads=1)
    asking = Asking(limits)
    failed: list[StoreUnavailableError] = []
    running = "SELECT count() AS n FROM system.processes WHERE query LIKE '%sipHash64(num%' AND query NOT LIKE '%proc%'"
    store = old_store(server)

    def ask() -> None:
        try:
            store.query("SELECT count() AS n FROM system.numbers WHERE NOT ignore(sipHash64(number))", {}, asking)
        except StoreUnavailableError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: server.statement(running) == [{"n": 1}])
    asking.end()
    thread.join(patient(10))
    assert [error.code for error in failed] == [CANCELLED]
    wait_until(lambda: server.statement(running) == [{"n": 0}])
    assert store.query("SELECT 1 AS n") == [{"n": 1}]
    store.close()
