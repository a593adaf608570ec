"""kill -9 of a real process on a real disk."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import qrumb_server
from qrumb_server.spool import DISK, list_sealed, read_segment, recover
from tests.support.disks import DISKS

APPENDER = Path(__file__).with_name("appender.py")
SERVER = Path(qrumb_server.__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{SERVER}{os.pathsep}{SERVER.parent}"}


def append_until_killed(folder: Path, first: int, acks: int, disk: str) -> set[int]:
    """The numbers that the process called durable before it was killed, after at least so many."""
    with subprocess.Popen(
        [sys.executable, str(APPENDER), str(folder), str(first), disk],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        acked = {int(process.stdout.readline()) for _ in range(acks)}
        process.send_signal(signal.SIGKILL)
        # the last line may be torn by the kill
        acked |= {int(line) for line in process.stdout if line.endswith("\n")}
    return acked


@pytest.mark.parametrize("disk", DISKS)
@pytest.mark.parametrize("acks", [1, 40, 333])
def test_killed_process_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path, acks: int, disk: str) -> None:
    """Twice in a row, so that the second start recovers the first one's folder."""
    acked: set[int] = set()
    for first in (0, 1_000_000):
        acked |= append_until_killed(tmp_path / "1", first, acks, disk)
    report = recover(tmp_path / "1", DISK)
    assert report is not None
    assert report.segments_left == report.segments_quarantined == report.rows_missing == 0
    segments = [read_segment(ref) for ref in list_sealed(tmp_path)]
    assert all(segment.damage is None for segment in segments)
    records = [record.decode() for segment in segments for record in segment.records]
    assert len(records) == len(set(records))
    assert {f"{number}:{part}" for number in acked for part in range(3)} <= set(records)
    assert len(acked) >= 2 * acks
