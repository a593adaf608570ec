"""`qrumb doctor`: each fault is caused for real, and is named with what to do about it."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from qrumb_server.app.doctor import examine
from qrumb_server.commands.doctor import doctor
from qrumb_server.config import load_settings
from tests.support.certificates import Authority
from tests.support.native_front import NativeFront
from tests.support.old_server import BINARY, running_server
from tests.support.otlp import receiving_traces
from tests.support.ports import claimed_port
from tests.support.small_disk import small_disk

# Free ports, no databases of places.
USUAL = {
    "HTTP_PORT": "0",
    "GRPC_PORT": "0",
    "METRICS_PORT": "0",
    "GEOIP_CITY_DB": "",
    "QRUMB_SPOOL__MAX_BYTES": "16777216",
}
Fault = Callable[[Path], dict[str, str]]


def examined(**environment: str) -> tuple[int, list[str]]:
    """Exit code and findings, each as `level subject: found; fix`."""
    done = CliRunner().invoke(doctor, ["--format", "json"], env={**USUAL, **environment})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, [
        f"{line['level']} {line['subject']}: {line['found']}; {line['fix']}" for line in json.loads(done.output)
    ]


def no_folder(folder: Path) -> dict[str, str]:
    """A file in its place."""
    (folder / "data").rmdir()
    (folder / "data").write_text("")
    return {}


def linked_lock(folder: Path) -> dict[str, str]:
    """A link where the lock belongs."""
    (folder / "data" / "lock").symlink_to(folder / "elsewhere")
    return {}


def broken_sites(folder: Path) -> dict[str, str]:
    """A typing error."""
    (folder / "data" / "sites.toml").write_text("[shop]\nretentoin = 'P1D'\n")
    return {}


def lonely_site(folder: Path) -> dict[str, str]:
    """No key, any origin, and readable by all."""
    path = folder / "data" / "sites.toml"
    path.write_text("[shop]\norigins = ['*']\n")
    path.chmod(0o644)
    return {}


def expired_key(folder: Path) -> dict[str, str]:
    """Its only one."""
    key = {"id": '"01234567"', "hash": f'"{"0" * 64}"', "expires": "2020-01-01T00:00:00Z"}
    lines = "\n".join(f"{name} = {value}" for name, value in key.items())
    (folder / "data" / "sites.toml").write_text(f"[shop]\n[[shop.keys]]\n{lines}\n")
    return {}


def certificate(days: float) -> Fault:
    """Of the gateway, with so many days left."""

    def issue(folder: Path) -> dict[str, str]:
        files = Authority(folder).issue("own", days=days)
        return {
            "QRUMB_GATEWAY__TLS__CERTIFICATE_FILE": str(files.certificate),
            "QRUMB_GATEWAY__TLS__KEY_FILE": str(files.key),
        }

    return issue


def gone_sites(folder: Path) -> dict[str, str]:
    """Of a data folder that has been used."""
    (folder / "data" / "spool").mkdir()
    return {}


def nothing_listens(_folder: Path) -> dict[str, str]:
    """A port that no other test is given."""
    return {"CLICKHOUSE_URL": f"clickhouse://127.0.0.1:{claimed_port()}"}


FAULTS: list[tuple[Fault, int, str]] = [
    (no_folder, 1, "fault data folder: .*data.* not a folder; set DATA_DIR"),
    (linked_lock, 1, "fault data folder: .*lock: is a symbolic link, which is not followed; remove it"),
    (lambda _: {"DATA_DIR": "/proc/qrumb"}, 1, "fault (data folder|disk sync): /proc"),
    (lambda _: {"QRUMB_SPOOL__MIN_FREE_BYTES": str(10**16)}, 1, "fault disk room: .* no events are taken; make room"),
    (lambda _: {"QRUMB_SPOOL__MAX_BYTES": str(10**16)}, 0, "note disk room: .*; make room, or set spool.max_bytes"),
    (lambda _: {"QRUMB_GRPC_HOST": "192.0.2.1"}, 1, "fault ports: 192.0.2.1:0: cannot listen there"),
    (broken_sites, 1, "fault sites: .*sites.toml.*retentoin"),
    (gone_sites, 0, "note sites: .*sites.toml: gone; the next start makes the site demo, and refuses .*; put it back"),
    (lambda _: {"QRUMB_SITES_FILE": "/none.toml"}, 1, "fault sites: /none.toml .sites_file.: no such file"),
    (lonely_site, 0, "note sites: .* can be read by every user; chmod 600"),
    (lonely_site, 0, "note sites: shop: it has no key, so no backend .*; qrumb sites key shop"),
    (lonely_site, 0, "note sites: shop: pages of any origin"),
    (expired_key, 0, "note sites: shop: all its keys have expired"),
    (certificate(-1), 1, "fault certificates: .*own.pem.* expired; renew it"),
    (certificate(3), 0, "note certificates: .*own.pem is valid until .*; renew it"),
    (nothing_listens, 1, "fault ClickHouse: .*cannot connect to .*; is it up"),
    (lambda folder: {"GEOIP_CITY_DB": str(folder / "none.mmdb")}, 0, "note places: .*none.mmdb cannot be read"),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the data folder is."""
    (tmp_path / "data").mkdir()
    return tmp_path


def has(lines: list[str], pattern: str) -> bool:
    """Whether one of the lines begins so."""
    return any(re.match(pattern, line) for line in lines)


@pytest.mark.parametrize(("cause", "code", "line"), FAULTS, ids=[line for _cause, _code, line in FAULTS])
def test_a_fault_is_named_with_what_to_do(cause: Fault, code: int, line: str, home: Path) -> None:
    """Exit code 1 where a node would not start or not keep its promises."""
    found = examined(**{"DATA_DIR": str(home / "data"), **cause(home)})
    assert has(found[1], line), found
    assert found[0] == code, found


def test_a_machine_without_faults_has_exit_code_0(home: Path) -> None:
    """Every subject has a line; nothing is left behind."""
    before = sorted(home.rglob("*"))
    code, lines = examined(DATA_DIR=str(home / "data"))
    assert code == 0, lines
    subjects = {line.partition(" ")[2].partition(":")[0] for line in lines}
    named = {"programs", "data folder", "disk room", "disk sync", "clock", "open files", "ports", "sites", "places"}
    assert subjects == named | {"ClickHouse"}
    assert sorted(home.rglob("*")) == before


def test_a_taken_port_is_named_with_its_setting(home: Path) -> None:
    """While another program listens there."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        code, lines = examined(DATA_DIR=str(home / "data"), HTTP_PORT=port)
    assert code == 1
    assert f"fault ports: 127.0.0.1:{port}: the port is taken; set HTTP_PORT to another one" in lines


def test_few_open_files_are_noted(home: Path) -> None:
    """With the limit of a real process."""
    done = subprocess.run(
        ["prlimit", "--nofile=1000:1000", sys.executable, "-m", "qrumb_server", "doctor"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **USUAL, "DATA_DIR": str(home / "data")},
        cwd=home,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note  open files    1,000 allowed; the gateway may need 12,048" in done.stdout
    assert "do: raise it (ulimit -n, LimitNOFILE=), or lower gateway.max_connections" in done.stdout


def test_a_clock_before_the_installation_is_a_fault(home: Path) -> None:
    """As that of a machine whose battery is empty."""

    class Old:
        def now_ms(self) -> int:
            return int(datetime(2001, 1, 1, tzinfo=UTC).timestamp() * 1000)

    findings = [f"{found.level} {found.found}" for found in examine(load_settings(data_dir=home / "data"), Old())]
    assert any(line.startswith("fault 2001-01-01T00:00Z, before this version") for line in findings)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting takes root")
def test_a_disk_in_memory_and_a_full_one_are_named(tmp_path: Path) -> None:
    """On a real file system of 16 MiB."""
    with small_disk(tmp_path, kind="tmpfs", mebibytes=16) as disk:
        code, lines = examined(DATA_DIR=str(disk.folder / "data"))
        assert code == 1
        assert has(lines, "note data folder: .*tmpfs, in memory: a restart .*; set DATA_DIR to a folder on a disk")
        assert has(lines, "fault disk room: ")
        disk.fill()
        code, lines = examined(DATA_DIR=str(disk.folder / "data"))
        assert has(lines, "fault disk sync: .*No space left")


def test_the_collector_of_traces_is_asked(home: Path) -> None:
    """With an empty request; where nobody takes spans, events are taken all the same."""
    usual = {"DATA_DIR": str(home / "data")}
    with receiving_traces() as receiver:
        code, lines = examined(QRUMB_TRACES__ENDPOINT=receiver.endpoint, **usual)
        assert has(lines, f"ok traces: {receiver.endpoint}: takes spans, of 1.00% of calls"), lines
        assert (code, receiver.spans) == (0, [])
    code, lines = examined(QRUMB_TRACES__ENDPOINT=f"http://127.0.0.1:{claimed_port()}", **usual)
    assert has(lines, "note traces: .*UNAVAILABLE.*spans are lost, events are not; start the collector"), lines
    assert code == 0


@pytest.fixture
def front(tmp_path: Path) -> Iterator[NativeFront]:
    """Today's engine behind the protocol of a server."""
    with closing(NativeFront(tmp_path / "front", {"me": "right", "reader": "right"})) as running:
        running.read_only_users.add("reader")
        yield running


@pytest.mark.chdb
def test_a_server_is_asked_for_version_rights_and_clock(front: NativeFront, home: Path) -> None:
    """And refuses a wrong password."""
    where = f"127.0.0.1:{front.port}"
    usual = {"DATA_DIR": str(home / "data")}
    code, lines = examined(CLICKHOUSE_URL=f"clickhouse://me:right@{where}", **usual)
    assert code == 0, lines
    assert has(lines, rf"ok ClickHouse: {where}: version \d\d\.\d+\.")
    code, lines = examined(CLICKHOUSE_URL=f"clickhouse://me:wrong@{where}", **usual)
    assert code == 1
    assert has(lines, "fault ClickHouse: .*Authentication failed.*; see user and password")
    code, lines = examined(CLICKHOUSE_URL=f"clickhouse://reader:right@{where}", **usual)
    assert code == 1
    assert has(lines, "fault ClickHouse: .*may only read")


@pytest.mark.clickhouse_server
@pytest.mark.skipif(BINARY is None, reason="no clickhouse-server: apt-get install clickhouse-server")
def test_a_server_that_is_too_old_is_named(home: Path) -> None:
    """Debian's."""
    with running_server(home / "server") as server:
        code, lines = examined(DATA_DIR=str(home / "data"), CLICKHOUSE_URL=f"clickhouse://127.0.0.1:{server.port}")
    assert code == 1
    assert has(lines, r"fault ClickHouse: .*ClickHouse 18\.16.* is too old: .*; update it")
