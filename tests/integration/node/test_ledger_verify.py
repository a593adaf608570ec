"""Rows that were lost under a node: it says so at its start, and `qrumb ledger --verify` names the minute."""

import contextlib
import json
from pathlib import Path

import pytest

from qrumb_server.store.embedded import EmbeddedStore
from tests.support.stack import running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.chdb]


def test_lost_rows_are_a_reason_at_the_start_and_a_line_of_the_command(tmp_path: Path) -> None:
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1") as stack:
        assert stack.command("send", "--count", "60", "--site", "shop").returncode == 0
        stack.wait_for_rows(60)
        stack.wait_for_empty_spool()
        done = stack.command("ledger", "--verify")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "the ledger is what the tables hold\n")
    with contextlib.closing(EmbeddedStore.open(stack.data_dir / "clickhouse")) as store:
        store.mutate("ALTER TABLE events.valid_events DELETE WHERE event_type = 'click'")
        [left] = store.query("SELECT count() AS number FROM events.valid_events")
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1") as stack:
        lost = 60 - left["number"]
        wait_until(
            lambda: [each for each in stack.health()["reasons"] if f": {lost} rows that were counted" in each], 60
        )
        assert stack.health()["condition"] == "DEGRADED"
        assert "`qrumb ledger --verify` lists them" in stack.command("status").stdout
        done = stack.command("ledger", "--verify", "--format", "json")
        assert done.returncode == 1
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert sum(line["stored_count"] - line["stored_rows"] for line in lines) == lost
        assert {line["site_id"] for line in lines} == {"shop"}
        shown = stack.command("ledger", "--verify", "--site", "shop", "--format", "table")
        assert shown.returncode == 1
        assert lines[0]["minute_time"] in shown.stdout
        assert stack.command("ledger", "--verify", "--since", "2126-01-01").returncode == 0
        assert stack.command("ledger", "--site", "shop").returncode == 0, "it balances in itself"
