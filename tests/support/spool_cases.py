"""Runs the cases of spool.yaml, in clients/cases: programs with a client are started, told what to send, and killed."""

import base64
import contextlib
import json
import os
import re
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qrumb.testing import Node
from tests.support.patience import patient
from tests.support.small_disk import SmallDisk, small_disk

__all__ = ["NODES", "run_spool_case"]

AWAY = "grpc://127.0.0.1:1"
NODES = ("there", "away", "asking")
# A server that is away is tried again soon, so that a case does not wait.
SETTINGS = {"max_batch_delay": 0.02, "max_backoff": 0.5, "first_backoff": 0.05}
OWNER_ALONE = 0o600
Case = dict[str, Any]


class Sender:
    """A program in one of the languages, under way."""

    def __init__(self, command: Sequence[str], folder: Path, url: str, settings: Case, errors: Path) -> None:
        self.errors = errors
        environment = {**os.environ, "QRUMB_URL": url, "QRUMB_KEY": "", "QRUMB_SPOOL_DIR": str(folder)}
        with errors.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**environment, "SENDER_SETTINGS": json.dumps(SETTINGS | settings)},
            )

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line, f"it ended: {self.errors.read_text()}"
        return line

    def tell(self, command: str) -> None:
        """One line to its input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()

    def ask(self, command: str) -> list[str]:
        """What it prints until it is done."""
        self.tell(command)
        found = []
        while (line := self.line()) != "done":
            found.append(line)
        return found

    def kill(self) -> None:
        """With no time to say anything."""
        self.process.kill()
        self.end()

    def end(self) -> None:
        """Wait for its end and close what leads to it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(patient(30))
        self.process.stdout.close()


class Run:
    """One case under way."""

    def __init__(self, case: Case, command: Sequence[str], nodes: Mapping[str, Node], place: Path) -> None:
        self.case = case
        self.command = command
        self.nodes = nodes
        self.place = place
        self.folder = place / "spool"
        self.disk: SmallDisk | None = None
        self.senders: dict[str, Sender] = {}
        self.ids: list[str] = list(case.get("ids", []))
        self.rejected: list[str] = []
        self.left: list[str] = []

    def steps(self) -> None:
        """Every step; no process outlives them."""
        if "file" in self.case:
            self.folder.mkdir(mode=0o700)
            (self.folder / "01a0000000000-00000001.qrumb").write_bytes(base64.b64decode(self.case["file"]))
        kinds: dict[str, Callable[[Case], None]] = {
            "start": self.start,
            "send": self.send,
            "run": self.run,
            "kill": lambda step: self.senders[step["kill"]].kill(),
            "flush": self.flush,
            "close": self.close,
            "files": lambda step: self.check_files(step["files"]),
            "tear": self.tear,
            "disk": self.fill,
        }
        try:
            for step in self.case["steps"]:
                kinds[next(iter(step))](step)
        finally:
            for sender in self.senders.values():
                if sender.process.returncode is None:
                    sender.kill()

    def start(self, step: Case) -> None:
        """One or more, at the same time."""
        which = step.get("node", "there")
        url = AWAY if which == "away" else self.nodes[which].grpc_url
        for name in step["start"]:
            errors = self.place / f"{name}.log"
            self.senders[name] = Sender(self.command, self.folder, url, self.case.get("settings", {}), errors)
        for name in step["start"]:
            assert self.senders[name].line() == "ready"

    def send(self, step: Case) -> None:
        """N events; the last one may have to be refused."""
        kind = "rejected" if step.get("rejected") else "valid"
        with self.watched(step.get("largest")):
            said = self.senders[step["by"]].ask(f"send {step['send']} {step.get('padding', 0)} {kind}")
        assert (said[-1] == "refused") is step.get("refused", False)
        ids = [line.split()[1] for line in said if line.startswith("id ")]
        assert len(ids) == step["send"] - step.get("refused", False)
        (self.rejected if step.get("rejected") else self.ids).extend(ids)

    def run(self, step: Case) -> None:
        """Events without end, until it is killed amid them."""
        sender = self.senders[step["by"]]
        sender.tell("send 0 0 valid")
        for _ in range(step["run"]):
            self.ids.append(sender.line().split()[1])
        sender.kill()

    def flush(self, step: Case) -> None:
        """Every answer must come."""
        assert self.senders[step["by"]].ask(f"flush {patient(step['flush'])}")[-1].lower() == "true"

    def close(self, step: Case) -> None:
        """What is handed back may not be lost without a word; nor what is kept."""
        sender = self.senders[step["by"]]
        said = sender.ask(f"close {step['close']}")
        left = [found for line in said if line.startswith("left ") for found in line.split()[1:]]
        assert bool(left) is step.get("undelivered", False)
        self.left += left
        sender.end()
        text = sender.errors.read_text()
        assert step.get("says", "") in text
        assert "scan_session_id" not in text, "no line has an event in it"

    def tear(self, step: Case) -> None:
        """The last record of the only file is cut short; its event is gone."""
        [path] = self.folder.iterdir()
        os.truncate(path, path.stat().st_size - step["tear"])
        self.ids.pop()

    def fill(self, _step: Case) -> None:
        """To the last byte."""
        assert self.disk is not None
        self.disk.fill()

    def check_files(self, number: int) -> None:
        """So many, and no one else may read them."""
        found = sorted(path for path in self.folder.iterdir() if path.name != "ballast")
        assert len(found) == number, found
        assert all(stat.S_IMODE(path.stat().st_mode) == OWNER_ALONE for path in found)
        assert all(re.fullmatch(r"[0-9a-f]{12,13}-[0-9a-f]{8}\.qrumb", path.name) for path in found)

    @contextlib.contextmanager
    def watched(self, most: int | None) -> Iterator[None]:
        """Meanwhile no file is larger."""
        over, largest = threading.Event(), [0]

        def watch() -> None:
            while not over.wait(0.001):
                with contextlib.suppress(FileNotFoundError):
                    largest[:] = [max([*largest, *(path.stat().st_size for path in self.folder.iterdir())])]

        if most is None:
            yield
            return
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
        assert 0 < largest[0] <= most

    def check(self) -> None:
        """Each event that was not handed back is there, and once unless the case may repeat it."""
        expect = self.case["expect"]
        wanted = sorted(set(self.ids) - set(self.left))
        events = self.nodes["there"].events()
        accepted = [str(event["event_id"]) for event in events if event["outcome"] == "ACCEPTED"]
        if expect.get("repeated"):
            assert set(wanted) <= set(accepted)
        else:
            assert sorted(accepted) == wanted
        first = [event for event in events if event["outcome"] == "ACCEPTED" and event["event_id"] in wanted]
        assert {str(event["event_id"]) for event in first} == set(wanted)
        rejected = [str(event["event_id"]) for event in events if event["outcome"] == "REJECTED"]
        assert sorted(rejected) == sorted(self.rejected)
        self.check_files(expect["files"])


def run_spool_case(case: Case, command: Sequence[str], nodes: Mapping[str, Node], place: Path) -> None:
    """Run a case with the program that `command` starts; `nodes` are those of NODES that answer."""
    for node in nodes.values():
        node.reset()
    run = Run(case, command, nodes, place)
    with contextlib.ExitStack() as stack:
        if case.get("disk") == "small":
            run.disk = stack.enter_context(small_disk(place, kind="tmpfs", mebibytes=1))
            run.folder = run.disk.folder
        run.steps()
        if run.disk is not None:
            run.disk.clear()
        run.check()
