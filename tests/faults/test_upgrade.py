"""The data of a 0.1.0 of old opens in today's version: what its database has, and what only its spool has.

`tests/fixtures/old_data.py` made the archive. A rolling upgrade meets the same: segments that old workers wrote, and
a loader of today.
"""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from qrumb.v1.event_row_pb2 import EventRow
from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter, Record, RegistrationRefusal, SessionRegistration
from tests.fixtures.old_data import COMMIT, ROOT
from tests.support.rig import spool_up
from tests.support.stack import running_stack, wait_until

ARCHIVE = Path(__file__).resolve().parent.parent / "fixtures" / "old-data.tar.gz"
# Of the old version: what its loader would take of a spool, and what it would set aside.
READ = """
import json, sys
from pathlib import Path
from qrumb_server.loader.batch import read_batch
from qrumb_server.spool.reader import list_sealed
found = read_batch(list_sealed(Path(sys.argv[1])))
print(json.dumps({
    "events": [[one.event.row.event_id, one.event.row.scan_session_id] for one in found.events],
    "letters": [one.letter.event_id for one in found.letters],
    "sessions": [one.registration.scan_session.qr_code_id for one in found.sessions],
    "set_aside": [ref.rows for ref in found.damaged], "whole": [ref.rows for ref in found.whole],
}))
"""


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


def test_a_loader_of_old_takes_what_workers_of_today_write(tmp_path: Path) -> None:
    """By its own code, out of git: it passes over fields that it does not know, sets a kind that it does not know aside
    with its segment, and holds up nothing else."""
    archive = subprocess.run(
        ["git", "archive", COMMIT, "server", "clients/python"], cwd=ROOT, capture_output=True, check=False
    )
    if archive.returncode != 0:
        pytest.skip("the clone has no history")
    subprocess.run(["tar", "-x"], cwd=tmp_path, input=archive.stdout, check=True)
    row = {"event_id": "01936b2f-7c1e-7e6d-8a4b-0123456789ab", "scan_session_id": "scan", "unknown_fields": ["colour"]}
    scan = ScanSession(site_id="shop", scan_session_id="scan", qr_code_id="poster-7", is_prefetch=True)
    scan.labels["campaign"] = "autumn"
    known = [
        Record(
            accepted_event=AcceptedEvent(row=ParseDict(row, EventRow())), traceparent=f"00-{'a1' * 16}-{'b2' * 8}-01"
        ),
        Record(dead_letter=DeadLetter(event_id="letter", source="browser")),
        Record(session_registration=SessionRegistration(scan_session=scan)),
    ]
    unknown = Record(registration_refusal=RegistrationRefusal(site_id="shop", number=1))
    spool_up(tmp_path / "spool", [[one.SerializeToString() for one in known], [unknown.SerializeToString()]])
    own = {**os.environ, "PYTHONPATH": f"{tmp_path}/server{os.pathsep}{tmp_path}/clients/python"}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "spool")],
        env=own,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "events": [[row["event_id"], "scan"]],
        "letters": ["letter"],
        "sessions": ["poster-7"],
        "set_aside": [1],
        "whole": [3],
    }
