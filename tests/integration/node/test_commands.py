"""The commands as a newcomer types them: query, send, and starts that cannot work."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.patience import patient
from tests.support.stack import Stack, wait_until

pytestmark = pytest.mark.stack


def test_query_formats(stack: Stack) -> None:
    """One object per line, CSV with names, and a table."""
    sql = "SELECT number + 1 AS a, ['x', 'y'][a] AS b FROM numbers(2)"
    assert [json.loads(line) for line in stack.command("query", "--format", "json", sql).stdout.splitlines()] == [
        {"a": 1, "b": "x"},
        {"a": 2, "b": "y"},
    ]
    assert next(csv.reader(io.StringIO(stack.command("query", "--format", "csv", sql).stdout))) == ["a", "b"]
    assert "│ 1 │ x │" in stack.command("query", "--format", "table", sql).stdout


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "Syntax error"),
        ("SELECT nothing FROM events.valid_events", "nothing"),
        ("SELECT 1,\n  2 3", "(line 2, col 5)"),
        ("SELECT nothing + 1 FROM, x", "failed at position 24"),
        ("DROP TABLE events.valid_events", "qrumb query only reads: one SELECT"),
        ("/* why */\n alter table events.valid_events delete where 1", "ALTER is none of them, and nothing was done"),
        ("SELECT 1 FORMAT CSV", "--format says how the result is printed"),
        ("INSERT INTO events.valid_events (site_id) VALUES ('x')", "qrumb query only reads"),
    ],
)
def test_query_refuses_with_a_reason(stack: Stack, sql: str, said: str) -> None:
    """A wrong or a writing statement is an error without a traceback, and nothing changes."""
    done = stack.command("query", sql)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert stack.count("site_id = 'x' AND event_type = ''") == 0


def test_send_posts_sample_events(stack: Stack) -> None:
    """The same seed makes the same events; all are accepted and stored."""
    done = stack.command("send", "--count", "250", "--site", "samples", "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "accepted: 250\n"
    stack.wait_for_rows(250, "site_id = 'samples'")


def test_send_says_what_is_wrong_with_given_events(stack: Stack) -> None:
    """Events from standard input, one rejected: the reason is shown and the exit code is 1."""
    lines = [{"site_id": "given", "event_type": "click"}, {"site_id": "given", "event_name": "lead"}]
    done = stack.command("send", "-", text="\n".join(json.dumps(line) for line in lines))
    assert done.returncode == 1
    assert done.stdout == "accepted: 1, rejected: 1\n"
    assert "scan_session_id is required" in done.stderr


def test_send_names_the_line_that_is_no_json(stack: Stack) -> None:
    """What, where."""
    done = stack.command("send", "-", text='{"site_id": "x"}\n{oops\n')
    assert done.returncode == 1
    assert "line 2: not JSON" in done.stderr


def start(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    own = {"HTTP_PORT": "0", "GRPC_PORT": "0", "METRICS_PORT": "0", "DATA_DIR": str(tmp_path / "data")}
    return subprocess.run(
        [sys.executable, "-m", "qrumb_server", "serve"],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )


@pytest.mark.parametrize("setting", ["HTTP_PORT", "GRPC_PORT", "METRICS_PORT"])
def test_taken_port_is_one_line_that_names_it(tmp_path: Path, setting: str) -> None:
    """Which port, which setting; nothing was started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = start(tmp_path, **{setting: str(port)})
    assert done.returncode == 78
    assert done.stderr == f"qrumb: 127.0.0.1:{port}: the port is taken; set {setting} to another one\n"


def test_locked_data_folder_is_one_line_that_names_it(stack: Stack, tmp_path: Path) -> None:
    """A second node in the same folder is refused at once."""
    done = start(tmp_path, DATA_DIR=str(stack.data_dir))
    assert done.returncode == 78
    assert done.stderr.startswith(f"qrumb: {stack.data_dir}: in use by another qrumb (process ")
    assert done.stderr.count("\n") == 1


def test_a_data_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    """A file in its place, a link in the place of its run folder; and nothing was written through it."""
    (tmp_path / "file").touch()
    done = start(tmp_path, DATA_DIR=str(tmp_path / "file"), QRUMB_ACCESS="keys")
    assert (done.returncode, done.stderr.count("\n")) == (78, 1), done.stderr
    assert f"{tmp_path / 'file'} is not a folder; set DATA_DIR" in done.stderr
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "run").symlink_to(tmp_path / "elsewhere")
    done = start(tmp_path, DATA_DIR=str(tmp_path / "data"))
    assert (done.returncode, done.stderr.count("\n")) == (78, 1), done.stderr
    assert "data/run: is a symbolic link, which is not followed; remove it" in done.stderr
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["precious"]


def test_query_without_data_says_so(tmp_path: Path) -> None:
    """Neither a node nor a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "qrumb_server", "query", "--data-dir", str(tmp_path / "none"), "SELECT 1"],
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    assert done.returncode == 1
    assert "no data there" in done.stderr


def test_ctrl_c_stops_everything_and_data_can_be_read_afterwards(tmp_path: Path) -> None:
    """SIGINT ends the tree with exit code 0, loses nothing, and `qrumb query` reads the folder by itself."""
    stack = Stack(tmp_path / "data", QRUMB_WORKERS="1")
    stack.start()
    assert stack.process is not None
    tree = psutil.Process(stack.process.pid).children(recursive=True)
    with stack.http() as client:
        assert client.post("/collect", json={"site_id": "last", "event_type": "click"}).status_code == 200
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(patient(30)) == 0
    wait_until(lambda: not any(process.is_running() for process in tree), 5)
    assert stack.count("site_id = 'last'") == 1
    assert not (stack.data_dir / "run").exists()


def test_query_works_after_the_node_was_killed(tmp_path: Path) -> None:
    """What a killed node leaves lying in its run folder does not count as a running node."""
    stack = Stack(tmp_path / "data", QRUMB_WORKERS="1")
    stack.start()
    with stack.http() as client:
        assert client.post("/collect", json={"site_id": "killed", "event_type": "click"}).status_code == 200
    stack.wait_for_rows(1, "site_id = 'killed'")
    assert stack.process is not None
    # Children first: the death of the supervisor would let them end in order. It stands meanwhile: on a slow machine it
    # would have started another loader before its own end.
    supervisor = psutil.Process(stack.process.pid)
    supervisor.suspend()
    children = list(stack.children().values())
    for process in [*children, supervisor]:
        process.kill()
    stack.process.wait(patient(10))
    # One that dies holds the data folder until the kernel has taken its memory back.
    _gone, alive = psutil.wait_procs(children, timeout=patient(30))
    assert not alive
    assert (stack.data_dir / "run" / "loader.sock").exists()
    assert stack.count("site_id = 'killed'") == 1
