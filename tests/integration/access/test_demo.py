"""`make demo`: a node of its own, a day of traffic, and commands that work as they are printed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.patience import patient

pytestmark = pytest.mark.stack

ROOT = Path(__file__).resolve().parents[3]


def test_the_demo_shows_a_day_and_what_to_ask_next(tmp_path: Path) -> None:
    """A quiet day; what it prints is true, and Ctrl-C ends it and its node, and takes the data along."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "GEOIP_CITY_DB": "", "QRUMB_WORKERS": "1"}
    environment.pop("DATA_DIR", None)
    with subprocess.Popen(
        [sys.executable, ROOT / "tools" / "demo.py", "3"], stdout=subprocess.PIPE, text=True, env=environment
    ) as demo:
        assert demo.stdout is not None
        shown = []
        for line in demo.stdout:
            shown.append(line)
            if "Ctrl-C" in line:
                break
        text = "".join(shown)
        funnels = [
            line for line in shown if re.match(r"(vienna|berlin|zurich)-(station|museum|market|cafe) ", line.strip())
        ]
        commands = [line.strip() for line in shown if line.startswith("  DATA_DIR=")]
        done = [
            subprocess.run(command, shell=True, capture_output=True, text=True, timeout=patient(30), check=False)
            for command in commands
        ]
        demo.send_signal(signal.SIGINT)
        assert demo.wait(patient(60)) == 0, text
    assert len(funnels) == 12, text
    assert "preview" in text
    assert [one.stderr for one in done if one.returncode] == []
    assert "EUR" in done[0].stdout
    assert len(commands) == 5
    assert list(tmp_path.iterdir()) == []
