"""Runs Maven in clients/java, with all that it fetches in .venv/maven: `python tools/maven.py test`.

Where artifacts come from is the machine's setting; which ones is the pom's. Without arguments it fetches everything
that the tests need, so that they run without network, and marks that as done.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

__all__ = ["FETCHED", "FORMATTER", "JAVA_CLIENT", "missing", "mvn", "unready"]

JAVA_CLIENT: Final = Path(__file__).resolve().parent.parent / "clients" / "java"
FETCHED: Final = Path(sysconfig.get_path("scripts")).parent / "maven"
FORMATTER: Final = FETCHED / "bin" / "google-java-format.jar"
READY: Final = FETCHED.parent / ".ready-java"
JAVA_AT_LEAST: Final = 17
FETCH_SECONDS: Final = 600


def missing() -> str:
    """What this machine lacks for the Java client; empty: nothing."""
    javac = shutil.which("javac")
    if javac is None or shutil.which("mvn") is None:
        return "needs Maven and a JDK (Debian: maven, openjdk-17-jdk-headless)"
    found = subprocess.run([javac, "-version"], capture_output=True, text=True, check=True)
    version = re.search(r"javac (\d+)", found.stdout + found.stderr)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        return f"needs a JDK {JAVA_AT_LEAST} or newer"
    return ""


def unready() -> str:
    """Why the Java client cannot be built here; empty: it can."""
    return missing() or ("" if READY.exists() else "needs what `python tools/maven.py` fetches")


def mvn(*arguments: str, folder: Path = JAVA_CLIENT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Maven in a folder; its output is kept."""
    return subprocess.run(
        [
            *("mvn", "--batch-mode", "--no-transfer-progress", f"-Dmaven.repo.local={FETCHED / 'repository'}"),
            # Of the process that runs the tests; Maven's own has it from its environment.
            *("-DargLine=-XX:TieredStopAtLevel=1", *arguments),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        # What runs for seconds is not worth the second compiler.
        env={"MAVEN_OPTS": "-XX:TieredStopAtLevel=1", **os.environ, **environment},
        timeout=FETCH_SECONDS,
    )


def fetch() -> str:
    """Everything that later runs without network, each goal once; returns what Maven said where one failed."""
    for arguments in (
        ("dependency:copy@tools", f"-DoutputDirectory={FORMATTER.parent}"),
        ("test", "-Dtest=HashingTest"),
        ("javadoc:javadoc",),
    ):
        done = mvn(*arguments)
        if done.returncode != 0:
            return done.stdout[-2000:]
    return ""


def main() -> None:
    """Run Maven, or fetch."""
    reason = missing()
    if sys.argv[1:]:
        done = mvn(*sys.argv[1:])
        sys.stdout.write(done.stdout + done.stderr)
        sys.exit(done.returncode)
    elif reason:
        sys.stdout.write(f"set-up: the Java client is left out: it {reason}\n")
    else:
        sys.stdout.write("set-up: what the Java client is made of, two minutes\n")
        sys.stdout.flush()
        if fault := fetch():
            sys.stdout.write(f"{fault}\nset-up: the Java client is left out: what it is made of cannot be fetched\n")
        else:
            READY.touch()


if __name__ == "__main__":
    main()
