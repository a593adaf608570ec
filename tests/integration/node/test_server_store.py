"""A whole node whose ClickHouse is a server: from a posted event to `qrumb query`, with the server away at times."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.native_front import NativeFront
from tests.support.old_server import BINARY, running_server
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]

PASSWORD = "s3cr3t:@"


@pytest.fixture
def front(tmp_path: Path) -> Iterator[NativeFront]:
    """The server."""
    with contextlib.closing(NativeFront(tmp_path / "front", {"me": PASSWORD})) as running:
        yield running


def environment(front: NativeFront, tmp_path: Path) -> dict[str, str]:
    """What an operator sets."""
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return {
        "CLICKHOUSE_URL": f"clickhouse://me@127.0.0.1:{front.port}",
        "CLICKHOUSE_PASSWORD_FILE": str(tmp_path / "password"),
    }


def test_events_go_to_the_server_and_are_read_back(front: NativeFront, tmp_path: Path) -> None:
    """While the node runs and after; nothing is kept in the data folder but the empty spool."""
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1", **environment(front, tmp_path)) as stack:
        wait_until(lambda: stack.command("query", "SELECT * FROM events.valid_events").returncode == 0)
        assert stack.command("send", "--count", "30", "--site", "served").returncode == 0
        stack.wait_for_rows(30, "site_id = 'served'")
        assert list((stack.data_dir / "clickhouse").iterdir()) == []
        table = stack.command("query", "--format", "table", "SELECT count() AS n FROM events.valid_events")
        assert "│ 30 │" in table.stdout
        assert PASSWORD not in stack.log()
        assert stack.stop() == 0
        assert stack.count() == 30
        refused = stack.command("query", "DROP TABLE events.valid_events")
        assert (refused.returncode, refused.stderr[:6]) == (1, "Error:")


def test_a_node_starts_without_its_server_and_says_so(front: NativeFront, tmp_path: Path) -> None:
    """Events are accepted meanwhile; with the right password, they go in."""
    settings = environment(front, tmp_path)
    password = tmp_path / "password"
    password.write_text("wrong")
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1", **settings) as stack:
        assert stack.command("send", "--count", "5", "--site", "early").returncode == 0
        with stack.http() as client:
            wait_until(lambda: "ClickHouse does not take rows" in client.get("/healthz").text)
        assert "Authentication failed" in stack.log()
        front.users["me"] = "wrong"
        wait_until(lambda: stack.command("query", "SELECT 1 FROM events.valid_events LIMIT 1").returncode == 0, 30, 0.5)
        stack.wait_for_rows(5, "site_id = 'early'")


@pytest.mark.clickhouse_server
@pytest.mark.skipif(BINARY is None, reason="no clickhouse-server: apt-get install clickhouse-server")
def test_a_server_that_is_too_old_is_named_at_start_and_in_status(tmp_path: Path) -> None:
    """Which version it is, and which is needed; events are taken into the spool meanwhile."""
    said = re.compile(r"ClickHouse 18\.16\.\d+ is too old: qrumb needs version 24\.8 or newer")
    with running_server(tmp_path / "old") as server:
        # A stop would wait 20 s for what this server never takes.
        drain = {"QRUMB_LOADER__DRAIN_TIMEOUT": "PT1S"}
        settings = {"CLICKHOUSE_URL": f"clickhouse://default@127.0.0.1:{server.port}", **drain}
        with running_stack(tmp_path / "data", QRUMB_WORKERS="1", **settings) as stack:
            wait_until(lambda: said.search(stack.log()))
            assert stack.command("send", "--count", "5", "--site", "early").returncode == 0
            wait_until(lambda: said.search(stack.command("status").stdout))
            wait_until(lambda: any(said.search(reason) for reason in stack.health()["reasons"]))
            assert stack.health()["condition"] == "DEGRADED"
        assert said.search(stack.command("migrate").stderr)


def test_migrate_prints_then_applies_then_finds_nothing_to_do(front: NativeFront, tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data", **environment(front, tmp_path))
    planned = stack.command("migrate", "--dry-run")
    assert planned.stdout.startswith("-- would apply 001_events\nCREATE DATABASE IF NOT EXISTS events;\n")
    applied = stack.command("migrate")
    assert applied.stdout.splitlines()[0] == "applied 001_events"
    for arguments in (["migrate"], ["migrate", "--dry-run"]):
        again = stack.command(*arguments)
        assert (again.returncode, again.stdout) == (0, "nothing to apply; all tables are as they should be\n")
    front.keeper.run("DROP TABLE events.ledger")
    drifted = stack.command("migrate")
    assert drifted.returncode == 1
    assert "events.ledger: the table is missing" in drifted.stderr


def test_migrate_knows_the_embedded_database_too(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data")
    assert stack.command("migrate", "--dry-run").stdout.startswith("-- would apply 001_events\n")
    assert not (tmp_path / "data").exists()
    assert stack.command("migrate").stdout.splitlines()[0] == "applied 001_events"
    assert stack.command("migrate", "--dry-run").stdout == "nothing to apply; all tables are as they should be\n"


def test_a_server_that_is_away_is_one_line(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "data", CLICKHOUSE_URL=f"clickhouse://me:{'s3cr3t'}@127.0.0.1:1")
    for command in (["migrate"], ["query", "SELECT 1"]):
        done = stack.command(*command)
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert line.startswith("Error: cannot connect to 127.0.0.1:1:")
        assert "s3cr3t" not in line
