"""Builds the compiled way (server/hotpath) into this environment: `python tools/hotpath.py`; with `check`, looks at its
code instead.

Not having cargo stops nothing: the node then judges all events in Python, and the next set-up tries again. Where crates
come from is the machine's setting; which ones is Cargo.lock's.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
CRATE: Final = ROOT / "server" / "hotpath"
ENVIRONMENT: Final = Path(sysconfig.get_path("scripts")).parent
READY: Final = ENVIRONMENT / ".ready-hotpath"
RUST_AT_LEAST: Final = (1, 88)
PYTHON_ALONE: Final = "set-up: the node judges events in Python alone"
BUILD_SECONDS: Final = 900
CHECKS: Final = (("fmt", "--check"), ("clippy", "--locked", "--quiet", "--all-targets", "--", "-D", "warnings"))


def missing() -> str:
    """What this machine lacks; empty: nothing."""
    cargo = shutil.which("cargo")
    if cargo is None:
        return "cargo is missing (Debian: cargo-web, rustc-web)"
    said = subprocess.run([cargo, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"cargo (\d+)\.(\d+)", said)
    if version is None or tuple(map(int, version.groups())) < RUST_AT_LEAST:
        return f"cargo is older than {'.'.join(map(str, RUST_AT_LEAST))} (Debian: cargo-web, rustc-web)"
    return ""


def build() -> int:
    """Build and install it, or say in one line why not."""
    if why := missing():
        print(f"{PYTHON_ALONE}: {why}")
        return 0
    print("set-up: the compiled way of events, about a minute the first time")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", str(CRATE)]
    log = ENVIRONMENT / "hotpath.log"
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            pip, cwd=ROOT, env=_environment(), stdout=out, stderr=out, timeout=BUILD_SECONDS, check=False
        )
    if done.returncode:
        print(f"{PYTHON_ALONE}: the compiled way could not be built, see {log.relative_to(ROOT)}")
        return 0
    READY.touch()
    return 0


def check() -> int:
    """Its format and its lints, where it could be built and the tools are there."""
    if why := missing() or ("" if READY.exists() else "it could not be built"):
        print(f"server/hotpath is not looked at: {why}")
        return 0
    worst = 0
    for command in CHECKS:
        if shutil.which(f"cargo-{command[0]}") is None:
            print(f"server/hotpath is not looked at by cargo {command[0]}, which is missing")
            continue
        worst = max(worst, _cargo(*command))
    return worst


def _cargo(*arguments: str) -> int:
    return subprocess.run(["cargo", *arguments], cwd=CRATE, env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    """What is compiled stays in the environment."""
    pins = str(ROOT / "constraints.txt")
    return {**os.environ, "CARGO_TARGET_DIR": str(ENVIRONMENT / "hotpath"), "PIP_CONSTRAINT": pins}


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["check"] else build())
