"""What a killed test leaves behind: nothing."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import wait_until
from tests.support.tied import TIED

STARTER = """
import subprocess, sys, time
child = subprocess.Popen([*{tied!r}, "sleep", "1000"])
print(child.pid, flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(not TIED, reason="needs setpriv (util-linux)")
def test_a_started_process_dies_with_a_starter_that_is_killed() -> None:
    """By the kernel's doing, since the starter can do nothing any more."""
    command = [sys.executable, "-c", STARTER.format(tied=TIED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        wait_until(lambda: Path(f"/proc/{child}/comm").read_text(encoding="ascii") == "sleep\n")
        starter.send_signal(signal.SIGKILL)
    wait_until(lambda: not _runs(child))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
