"""A whole node for tests: `qrumb serve` in a process tree of its own, on free ports, in a folder of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

from qrumb_server.spool.reader import usage
from tests.support.asking import run_sql
from tests.support.commands import run_command
from tests.support.empty_database import copy_empty_database
from tests.support.patience import patient
from tests.support.plain_http import NO_TLS
from tests.support.tied import TIED

__all__ = ["Stack", "frozen", "running_stack", "wait_until"]

READY = re.compile(r"^ready: (?:(http://\S+) )?grpc://(\S+)$", re.MULTILINE)
START_SECONDS = 60
STOP_SECONDS = 60
T = TypeVar("T")


def wait_until(probe: Callable[[], T | None], seconds: float = 20, interval: float = 0.05) -> T:
    """The first truthy answer of `probe`; fails with the last one when time is up."""
    deadline = time.monotonic() + patient(seconds)
    while True:
        answer = probe()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s; last answer: {answer!r}"
        time.sleep(interval)


class Stack:
    """One node. `start` may be called again after `stop` or `kill`: the data stays."""

    def __init__(self, data_dir: Path, *, launcher: Sequence[str] = (), log_path: str = "", **settings: str) -> None:
        """`launcher` is what the node is run with, such as setpriv and its options."""
        self.launcher = launcher
        self.data_dir = data_dir
        self.log_path = Path(log_path) if log_path else data_dir.parent / f"{data_dir.name}.log"
        self.settings = settings
        self.url = ""
        self.grpc_target = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait for the ready line."""
        already = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*TIED, *self.launcher, sys.executable, "-m", "qrumb_server", "serve"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment(),
                cwd=self.data_dir.parent,
                start_new_session=True,
            )

        def ready() -> re.Match[str] | None:
            assert self.process is not None
            text = self.log_path.read_bytes()[already:].decode(errors="replace")
            assert self.process.poll() is None, f"the node ended at its start:\n{text[-3000:]}"
            return READY.search(text)

        found = wait_until(ready, START_SECONDS)
        self.url, self.grpc_target = found.group(1) or "", found.group(2)

    def environment(self) -> dict[str, str]:
        """The environment of the node and of commands that talk to it."""
        own = {
            "HTTP_PORT": "0",
            "GRPC_PORT": "0",
            "METRICS_PORT": "0",
            "DATA_DIR": str(self.data_dir),
            "QRUMB_WORKERS": "1",  # each takes more than a second of a processor to start
            "GEOIP_CITY_DB": "",
            "QRUMB_ACCESS": "open",
        }
        return {**os.environ, **own, **self.settings}

    def stop(self) -> int:
        """SIGTERM, and wait for the drain; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patient(STOP_SECONDS))

    def kill(self) -> None:
        """kill -9 of the supervisor; its children drain by themselves."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(patient(STOP_SECONDS))

    def kill_all(self, when: Callable[[], object] = lambda: None) -> None:
        """kill -9 of the supervisor and of all its children, as soon as `when` returns."""
        assert self.process is not None
        children = self.children()
        when()
        self.process.kill()
        for child in children.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.wait(patient(10))

    def children(self) -> dict[str, psutil.Process]:
        """Living processes by name: worker-0, loader, gateway."""
        assert self.process is not None
        named = {}
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                words = child.cmdline()
                if "worker" in words:
                    named[f"worker-{words[words.index('worker') + 1]}"] = child
                elif "loader" in words:
                    named["loader"] = child
                elif "--config-path" in words:
                    named["gateway"] = child
        return named

    def command(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a `qrumb` command against this node."""
        return run_command(arguments, environment=self.environment(), folder=self.data_dir.parent, text=text)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a SELECT: what `qrumb query` asks the loader, asked without a process for each question."""
        if self.process is not None and self.process.poll() is None:
            text = run_sql(self.data_dir / "run", sql)
        else:
            done = self.command("query", "--format", "json", sql)
            assert done.returncode == 0, done.stderr
            text = done.stdout
        # Not splitlines: a stored text may hold what Python takes for the end of a line.
        return [json.loads(line) for line in text.split("\n") if line]

    def count(self, where: str = "1", table: str = "valid_events") -> int:
        """Rows of a table of the database events."""
        [row] = self.query(f"SELECT toUInt32(count()) AS n FROM events.{table} WHERE {where}")
        return int(row["n"])

    def wait_for_rows(self, number: int, where: str = "1", table: str = "valid_events") -> None:
        """Until the table has that many rows."""
        wait_until(lambda: self.count(where, table) >= number, 30, 0.1)
        assert self.count(where, table) == number

    def health(self) -> dict[str, Any]:
        """What /healthz says."""
        with self.http() as client:
            answer: dict[str, Any] = client.get("/healthz").json()
        return answer

    def wait_for_empty_spool(self) -> None:
        """Until everything that was accepted so far is in its table, however much it is, as long as it gets less."""
        least = self.spool_bytes()
        while least:
            # A batch of thousands of small segments is let go of at once, and may be long in coming on a busy machine.
            least = wait_until(lambda least=least: [left] if (left := self.spool_bytes()) < least else None, 120)[0]

    def spool_bytes(self) -> int:
        """What waits to be loaded, by the files themselves: /healthz may tell of a look that began before a call."""
        return usage(self.data_dir / "spool", now_ms=0).total_bytes

    def http(self) -> httpx.Client:
        """A client of the gateway."""
        return httpx.Client(base_url=self.url, timeout=patient(20), verify=NO_TLS)

    def log(self) -> str:
        """What the node printed, nothing before its first start."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


@contextlib.contextmanager
def running_stack(
    data_dir: Path, *, launcher: Sequence[str] = (), log_path: str = "", database: str = "empty", **settings: str
) -> Iterator[Stack]:
    """A started node; stopped at the end, and it must then leave no process.

    A new one finds an `empty` database, with all tables; without one it makes its own, as a user's does.
    """
    if database and not data_dir.exists() and "CLICKHOUSE_URL" not in settings:
        copy_empty_database(data_dir / "clickhouse")
    stack = Stack(data_dir, launcher=launcher, log_path=log_path, **settings)
    stack.start()
    try:
        yield stack
    finally:
        assert stack.process is not None
        descendants = psutil.Process(stack.process.pid).children(recursive=True) if stack.process.poll() is None else []
        if stack.process.poll() is None:
            stack.process.send_signal(signal.SIGTERM)
            try:
                stack.process.wait(patient(STOP_SECONDS))
            except subprocess.TimeoutExpired:
                stack.process.kill()
        _gone, alive = psutil.wait_procs(descendants, timeout=patient(5))
        for process in alive:
            process.kill()
        assert not alive, f"left behind: {[process.name() for process in alive]}"


@contextlib.contextmanager
def frozen(stack: Stack, name: str) -> Iterator[None]:
    """One child stands still meanwhile (SIGSTOP): alive, and no help. After 30 s its supervisor would kill it."""
    process = wait_until(lambda: stack.children().get(name), 30)
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
