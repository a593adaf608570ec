"""The data of a 0.1.0 of old opens in today's version: what its database has, and what only its spool has.

`tests/fixtures/old_data.py` made the archive. A rolling upgrade meets the same: segments that old workers wrote, and
a loader of today.
"""

import json
import tarfile
from pathlib import Path

import pytest

from tests.support.stack import running_stack, wait_until

ARCHIVE = Path(__file__).resolve().parent.parent / "fixtures" / "old-data.tar.gz"


@pytest.mark.stack
@pytest.mark.chdb
def test_all_that_an_old_node_acknowledged_is_there_once(tmp_path: Path) -> None:
    """Loaded and spooled events alike, attributed, with their money; and the node takes new ones."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    promised = json.loads((tmp_path / "data" / "acknowledged.json").read_text(encoding="utf-8"))
    ids = sorted(promised["loaded"] + promised["spooled"])
    assert len(set(ids)) == 40
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1") as stack:
        stack.wait_for_empty_spool()
        rows = stack.query("SELECT event_id FROM events.valid_events")
        assert sorted(row["event_id"] for row in rows) == ids
        [found] = stack.query(
            "SELECT countIf(qr_code_id LIKE 'poster-%') AS scanned, toString(sum(conversion_value)) AS money, "
            "uniqExactIf(user_id, source = 'server') AS users FROM events.attributed_events"
        )
        assert int(found["scanned"]) == 40
        assert float(found["money"]) == pytest.approx(20 * 9.90)
        assert int(found["users"]) == 1
        checked = stack.command("ledger", "--verify", "--site", "shop")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert stack.command("send", "--count", "3", "--site", "new").returncode == 0
        stack.wait_for_rows(3, "site_id = 'new'")
        wait_until(lambda: stack.health()["condition"] == "READY")
