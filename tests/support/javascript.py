"""Packages of clients/ that are written in TypeScript: installed and built once, or a reason why not."""

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support.patience import patient

__all__ = ["ROOT", "browser_path", "built", "built_package", "chromium", "corpus", "npm", "run_node", "run_suite"]

ROOT = Path(__file__).resolve().parent.parent.parent
NODE_AT_LEAST = 20
INSTALL_SECONDS = 300


def built_package(name: str) -> Path:
    """The folder of clients/NAME, its dependencies installed and its dist/ built; skips the test where that fails."""
    return built(ROOT / "clients" / name)


def built(package: Path) -> Path:
    """The same of a package anywhere."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("needs Node.js with npm")
    found = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.match(r"v(\d+)", found)
    if version is None or int(version.group(1)) < NODE_AT_LEAST:
        pytest.skip(f"needs Node.js {NODE_AT_LEAST}, found {found.strip()}")
    with alone_with(package):
        install(package)
        if not _is_built(package):
            done = npm(package, "run", "build")
            assert done.returncode == 0, done.stdout + done.stderr
            _mark(package).touch()
    return package


def corpus(name: str) -> Path:
    """The folder of a package of tests/corpora; skips the test where npm cannot install it."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    package = ROOT / "tests" / "corpora"
    with alone_with(package):
        install(package, "--ignore-scripts")
    return package / "node_modules" / name


@contextmanager
def alone_with(package: Path) -> Iterator[None]:
    """One process at a time changes a package."""
    with (Path(tempfile.gettempdir()) / f"qrumb-npm-{os.getuid()}-{package.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(package: Path, *options: str) -> None:
    """What the package needs, unless it is there; skips the test where npm cannot."""
    if _is_installed(package):
        return
    done = npm(package, "ci", "--no-audit", "--no-fund", *options)
    if done.returncode != 0:
        pytest.skip(f"npm cannot install what {package.relative_to(ROOT)} needs: {done.stderr[-300:]}")


def _is_installed(package: Path) -> bool:
    """Whether node_modules/ holds what the lock file names; what is optional may be of another platform."""
    there = package / "node_modules" / ".package-lock.json"
    if not there.exists():
        return False
    wanted, found = (json.loads(path.read_text())["packages"] for path in (package / "package-lock.json", there))
    return all(
        name in found and found[name]["version"] == entry["version"]
        for name, entry in wanted.items()
        if name and not entry.get("optional")
    )


def _mark(package: Path) -> Path:
    """Its time is that of the last build by a test."""
    return package / "node_modules" / ".built"


def _is_built(package: Path) -> bool:
    """Whether dist/ is of today's sources. A build empties it first, which would harm a test beside this one."""
    if not (package / "dist").is_dir() or not _mark(package).exists():
        return False
    sources = [*package.glob("*.*"), *(package / "src").rglob("*")]
    return max(path.stat().st_mtime for path in sources) < _mark(package).stat().st_mtime


def npm(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run npm in a package."""
    return subprocess.run(
        ["npm", *arguments], cwd=package, capture_output=True, text=True, timeout=patient(INSTALL_SECONDS), check=False
    )


def browser_path(name: str) -> str:
    """Where `chromium` or `firefox` is; skips the test without it."""
    commands = {"chromium": ("chromium", "chromium-browser"), "firefox": ("firefox-esr", "firefox")}[name]
    found = os.environ.get(name.upper()) or next(filter(None, map(shutil.which, commands)), None)
    if not found:
        pytest.skip(f"needs {name}: the Debian package {commands[0]}, or {name.upper()} says where it is")
    return found


def chromium() -> str:
    """Where Chromium is; skips the test without it."""
    return browser_path("chromium")


def run_node(package: Path, *arguments: str, seconds: float, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run node in a package."""
    return subprocess.run(
        ["node", *arguments],
        cwd=package,
        capture_output=True,
        text=True,
        timeout=patient(seconds),
        env={**os.environ, **environment},
        check=False,
    )


def run_suite(
    package: Path, report: Path, files: Sequence[str], *, seconds: float, **environment: str
) -> tuple[subprocess.CompletedProcess[str], dict[tuple[str, str], str]]:
    """Run a package's tests with Node's runner; also the outcome of each case of clients/cases, by file and name.

    Args:
        report: where Node writes its report in JUnit's format.
    """
    done = run_node(
        package,
        *("--test", "--test-reporter=spec", "--test-reporter-destination=stdout"),
        *("--test-reporter=junit", f"--test-reporter-destination={report}"),
        *files,
        seconds=seconds,
        **environment,
    )
    outcomes = {}
    for suite in ElementTree.parse(report).iter("testsuite"):
        file, _, ending = suite.attrib["name"].partition(".")
        for test in suite.iter("testcase") if ending == "yaml" else ():
            parts = {part.tag for part in test}
            outcomes[file, test.attrib["name"]] = (
                "failed" if "failure" in parts else "skipped" if "skipped" in parts else "passed"
            )
    return done, outcomes
