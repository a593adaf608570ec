"""The loader, killed at any moment of its life again and again while the spool grows, stores each event once."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import patient
from tests.support.rig import Feeder
from tests.support.stack import wait_until
from tests.support.tied import TIED

pytestmark = [pytest.mark.slow, pytest.mark.chdb, pytest.mark.stack]


@pytest.mark.parametrize(
    "restarts",
    [
        pytest.param(8, marks=pytest.mark.timeout(300)),
        pytest.param(30, marks=[pytest.mark.long, pytest.mark.timeout(300)]),
        pytest.param(1_000, marks=[pytest.mark.soak, pytest.mark.timeout(7_200)]),
    ],
)
def test_restarts_of_the_loader_under_load(tmp_path: Path, restarts: int) -> None:
    """kill -9 while it starts, loads, lets go of segments or idles; the last one drains and ends by itself."""
    data_dir = tmp_path / "data"
    for folder in ("spool", "clickhouse", "run"):
        (data_dir / folder).mkdir(parents=True)
    environment = {**os.environ, "DATA_DIR": str(data_dir)}
    settings = data_dir / "run" / "settings.json"
    make = (
        "import sys; from qrumb_server.config import load_settings; sys.stdout.write(load_settings().model_dump_json())"
    )
    settings.write_bytes(
        subprocess.run([sys.executable, "-c", make], env=environment, check=True, capture_output=True).stdout
    )
    feeder = Feeder(data_dir / "spool", sizes=(1, 5, 50), pause_seconds=0.1)
    feeder.thread.start()
    try:
        for number in range(restarts):
            loader = start_loader(data_dir, settings)
            # Most of them after it has begun to load, some before.
            if number % 4:
                wait_until(lambda loader=loader: serves(data_dir, loader), 60, 0.01)
            time.sleep(random.uniform(0, 0.4))
            loader.kill()
            loader.wait(patient(10))
            (data_dir / "run" / "loader.sock").unlink(missing_ok=True)
    finally:
        feeder.stopping.set()
        feeder.thread.join(patient(30))
    last = start_loader(data_dir, settings)
    wait_until(lambda: not any((data_dir / "spool").rglob("*.sealed")), 120)
    last.terminate()
    assert last.wait(patient(60)) == 0
    sql = "SELECT toString(event_id) AS id FROM events.valid_events"
    query = [sys.executable, "-m", "qrumb_server", "query", "--format", "json", sql]
    done = subprocess.run(query, env=environment, check=True, capture_output=True, text=True)
    stored: list[Any] = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert len(stored) > restarts
    assert sorted(stored) == sorted(feeder.acknowledged)


def start_loader(data_dir: Path, settings: Path) -> subprocess.Popen[bytes]:
    """The process that a node starts."""
    with (data_dir / "loader.log").open("ab") as log:
        return subprocess.Popen(
            [*TIED, sys.executable, "-m", "qrumb_server", "loader", str(settings)],
            cwd=data_dir / "run",
            stdout=log,
            stderr=log,
        )


def serves(data_dir: Path, loader: subprocess.Popen[bytes]) -> bool:
    """Its socket is there."""
    assert loader.poll() is None, (data_dir / "loader.log").read_text()[-3000:]
    return (data_dir / "run" / "loader.sock").exists()
