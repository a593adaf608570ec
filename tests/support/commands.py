"""`qrumb` commands in processes that need not import everything first: they are forked off one that has.

A command as a newcomer's shell starts it takes a second of a processor, all but a tenth of it for imports, and the
tests run some hundred. What a process imports is held by tests/contract/test_light_start.py; how the real program is
started, by the nodes themselves, by the guides and by what `starts_anew` names.
"""

import multiprocessing
import os
import pkgutil
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import Final

from qrumb_server import commands
from qrumb_server.cli import main
from tests.support.patience import patient

__all__ = ["run_command"]

SECONDS: Final = 60
STREAMS: Final = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))
# Whole nodes, whose processes the guard and the operating system must know by their command lines.
NODES: Final = {"serve", "micro", "worker", "loader"}

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([f"{commands.__name__}.{one.name}" for one in pkgutil.iter_modules(commands.__path__)])
# Starting one looks at all others, in whatever thread.
_starting = threading.Lock()


def run_command(
    arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, text: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run `qrumb ARGUMENTS` in `folder`, with `text` as its standard input.

    Raises:
        subprocess.TimeoutExpired: it took too long, and was killed.
    """
    if starts_anew(arguments, environment):
        return subprocess.run(
            [sys.executable, "-m", "qrumb_server", *arguments],
            capture_output=True,
            text=True,
            input=text,
            env=dict(environment),
            cwd=folder,
            timeout=patient(SECONDS),
            check=False,
        )
    with tempfile.TemporaryDirectory(prefix="qrumb-") as scratch:
        for name, _flags in STREAMS:
            (Path(scratch) / name).write_text(text if name == "stdin" else "")
        process = _forks.Process(target=_run, args=(list(arguments), dict(environment), str(folder), scratch))
        with _starting:
            process.start()
        if not wait([process.sentinel], patient(SECONDS)):
            process.kill()
            raise subprocess.TimeoutExpired(["qrumb", *arguments], patient(SECONDS))
        with _starting:
            process.join()
        said = [(Path(scratch) / name).read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(["qrumb", *arguments], process.exitcode or 0, *said)


def starts_anew(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether it is to be a program of its own: a node, or one whose Python is another."""
    return bool(NODES & set(arguments)) or environment.get("PYTHONPATH") != os.environ.get("PYTHONPATH")


def _run(arguments: list[str], environment: dict[str, str], folder: str, scratch: str) -> None:
    """In the new process: be `qrumb`."""
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, (name, flags) in enumerate(STREAMS):
        opened = os.open(f"{scratch}/{name}", flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    random.seed()
    sys.argv = ["qrumb", *arguments]
    main()
