"""A node that cannot start says all that is in the way and exits with 78; one stopped under load drains."""

import contextlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.audit import audit
from tests.support.certificates import Authority
from tests.support.load import Book, Load
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.small_disk import small_disk
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

EXIT_CONFIG = 78


def refused_start(data_dir: Path, **environment: str) -> str:
    """What a start says that must fail; taken ports and folders are in tests/integration/node/test_commands.py."""
    own = {"HTTP_PORT": "0", "GRPC_PORT": "0", "METRICS_PORT": "0", "DATA_DIR": str(data_dir)}
    done = subprocess.run(
        [sys.executable, "-m", "qrumb_server", "serve"],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
        cwd=data_dir.parent,
    )
    assert done.returncode == EXIT_CONFIG, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_all_problems_of_the_configuration_are_told_at_once(tmp_path: Path) -> None:
    """Of the environment, of the file, of values: one line each, and nothing is started or made."""
    (tmp_path / "qrumb.toml").write_text('workers = 0\n[spool]\nseal_after = "PT1H"\ntypo = 1\n')
    said = refused_start(tmp_path / "data", QRUMB_NO_SUCH="1", HTTP_PORT="70000")
    lines = said.splitlines()
    assert len(lines) == 5
    for words in ("QRUMB_NO_SUCH", "workers", "spool.seal_after", "spool.typo", "http_port"):
        assert any(words.lower() in line.lower() for line in lines), (words, said)
    assert not (tmp_path / "data").exists()


def test_certificates_that_cannot_be_served_are_refused_together(tmp_path: Path) -> None:
    """Before anything is started: each file with what is wrong and what to do."""
    authority = Authority(tmp_path)
    expired, node = authority.issue("expired", days=-1), authority.issue("node")
    (tmp_path / "authority.pem").write_text("nothing")
    said = refused_start(
        tmp_path / "data",
        QRUMB_GATEWAY__TLS__CERTIFICATE_FILE=str(expired.certificate),
        QRUMB_GATEWAY__TLS__KEY_FILE=str(expired.key),
        QRUMB_RPC__TLS__CERTIFICATE_FILE=str(node.certificate),
        QRUMB_RPC__TLS__KEY_FILE=str(tmp_path / "none.key"),
        QRUMB_RPC__TLS__CLIENT_CA_FILE=str(tmp_path / "authority.pem"),
    )
    for words in (
        f"gateway.tls: {expired.certificate} with {expired.key}: the certificate has expired; renew it",
        f"{tmp_path}/none.key: cannot be read: No such file or directory; see rpc.tls.key_file",
        f"{tmp_path}/authority.pem: no certificate (PEM) in it; see rpc.tls.client_ca_file",
    ):
        assert words in said


def test_a_database_of_another_schema_is_refused_with_every_difference(tmp_path: Path) -> None:
    """Exit 78, not a loop of restarts; the spool and the tables are left as they are."""
    data_dir = tmp_path / "data"
    break_schema = (
        "import sys; from pathlib import Path; from qrumb_server.store.embedded import EmbeddedStore\n"
        "store = EmbeddedStore.open(Path(sys.argv[1]))\n"
        "store.mutate('ALTER TABLE events.valid_events RENAME COLUMN city TO town')\n"
        "store.mutate('DROP TABLE events.identity_links')\n"
        "store.close()\n"
    )
    data_dir.mkdir()
    subprocess.run([sys.executable, "-c", break_schema, data_dir / "clickhouse"], check=True, timeout=patient(60))
    said = refused_start(data_dir)
    for difference in (
        "events.valid_events.city: should be LowCardinality(String), is absent",
        "events.valid_events.town: should be absent, is LowCardinality(String)",
        "events.identity_links: the table is missing",
    ):
        assert difference in said


@pytest.mark.chdb
def test_a_start_outlasts_a_full_disk_and_a_killed_process(tmp_path: Path) -> None:
    """The first one, whose engine would be lost where its files stay empty; no one has to start the node again."""
    with small_disk(tmp_path, kind="ext4", mebibytes=256) as disk, ThreadPoolExecutor(1) as aside:
        disk.fill()
        node = Stack(disk.folder / "data", log_path=str(tmp_path / "node.log"), QRUMB_SPOOL__MIN_FREE_BYTES="0")
        starting = aside.submit(node.start)
        try:
            wait_until(lambda: "start_waits_for_room" in node.log(), 30)
            disk.clear()
            wait_until(lambda: node.children().get("worker-0"), 30, 0.01).kill()
            starting.result()
            with node.http() as client:
                wait_until(lambda: client.post("/collect", json={"site_id": "full", "event_type": "a"}).is_success)
            node.wait_for_rows(1)
            assert "Traceback" not in node.log()
        finally:
            # It starts in the other thread, whatever becomes of the test.
            with contextlib.suppress(AssertionError):
                starting.result()
            assert node.stop() == 0


@pytest.mark.timeout(200)
def test_sigterm_under_load_drains(tmp_path: Path) -> None:
    """Exit 0, an empty spool, everything acknowledged stored once, no event twice."""
    ports = {"HTTP_PORT": str(claimed_port()), "GRPC_PORT": str(claimed_port())}
    book = Book()
    with running_stack(tmp_path / "data", **ports, QRUMB_WORKERS="2") as stack:
        load = Load(book, url=stack.url, grpc_target=stack.grpc_target)
        load.start()
        try:
            wait_until(lambda: book.answered > 2_000, 60)
            assert stack.stop() == 0, stack.log()[-3000:]
            time.sleep(0.5)
        finally:
            load.stop()
        left = [path for path in (stack.data_dir / "spool").rglob("*") if path.suffix in {".open", ".sealed"}]
        assert left == []
        assert Stack(stack.data_dir).count() >= book.answered
        stack.start()
        audit(stack, book)
        assert stack.stop() == 0
