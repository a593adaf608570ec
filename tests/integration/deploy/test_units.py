"""The systemd units, by systemd-analyze."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.deployment import DEPLOY
from tests.support.patience import patient

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is missing (systemd)")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=patient(60)
    )


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_understands_the_unit(unit: Path, tmp_path: Path) -> None:
    """Every line of it; the command is one that is there."""
    own = unit.read_text(encoding="utf-8").replace("/opt/qrumb/bin/qrumb", str(Path(sys.executable).parent / "qrumb"))
    (tmp_path / unit.name).write_text(own, encoding="utf-8")
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(tmp_path / unit.name))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_a_node_could_do_to_its_machine_is_little(unit: Path) -> None:
    """systemd's own score, from 0 to 10: below 2."""
    done = analyze("security", "--offline=true", "--no-pager", "--threshold=20", str(unit))
    assert done.returncode == 0, done.stdout
    found = re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found
    assert float(found.group(1)) < 2.0
