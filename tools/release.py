"""Builds what a release publishes, into dist/: `python tools/release.py [FOLDER]`. docs/releasing.md says what follows.

Each package is built from a copy of the files that git knows, so that nothing which only this checkout has can be in it
or be needed by it. The copy has the licence beside it, and the links of its README lead to the repository: a registry
shows that page alone.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from maven import mvn

__all__ = ["PACKAGES", "REPOSITORY", "ROOT", "VERSION", "build"]

ROOT: Final = Path(__file__).resolve().parent.parent
_PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION: Final[str] = _PROJECT["version"]
"""The contract's, the server's and every client's."""
REPOSITORY: Final[str] = _PROJECT["urls"]["Repository"]
PACKAGES: Final = ("python", "typescript", "browser", "java", "go")
"""Folders of clients/."""
# What the server's packages are made of, beside the console that the set-up has built.
SERVER: Final = ("README.md", "pyproject.toml", "gateway", "server/qrumb_server")
CONSOLE: Final = "server/qrumb_server/console"
_LINK: Final = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")


def build(target: Path) -> None:
    """Every artefact into an empty folder; raises CalledProcessError where a tool fails.

    python/ has wheels and sdists, npm/ tarballs, maven/ a Maven repository, go/ what a Go module proxy serves, and
    SHA256SUMS the hash of each file.
    """
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="qrumb-release-") as folder:
        staged = {name: _staged(Path(folder) / name, ROOT / "clients" / name) for name in PACKAGES}
        for source in (staged["python"], _staged_server(Path(folder) / "server")):
            _python(source, target / "python")
        for name in ("typescript", "browser"):
            _npm(staged[name], target / "npm")
        _maven(staged["java"], target / "maven")
        _go(staged["go"], target / "go")
        _go(staged["go"] / "phone", target / "go")
    files = sorted(path for path in target.rglob("*") if path.is_file())
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(target)}\n" for path in files]
    (target / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def _staged(copy: Path, folder: Path, paths: Sequence[str] = (".",)) -> Path:
    """A copy of what git knows of a folder, with the licence."""
    listed = subprocess.run(["git", "ls-files", "-z", *paths], cwd=folder, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, copy / name)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy / name)
    readme = copy / "README.md"
    readme.write_text(_with_links(readme.read_text(encoding="utf-8"), folder), encoding="utf-8")
    return copy


def _staged_server(copy: Path) -> Path:
    """The same of the server, and its console, which the set-up has built."""
    if not (ROOT / CONSOLE / "index.html").exists():
        sys.exit("release: the console is not built: python tools/console.py")
    _staged(copy, ROOT, SERVER)
    shutil.copytree(ROOT / CONSOLE, copy / CONSOLE)
    return copy


def _with_links(text: str, folder: Path) -> str:
    """A README whose links lead to this version in the repository."""

    def led(match: re.Match[str]) -> str:
        before, link, after = match.groups()
        if "://" in link:
            return match[0]
        found = Path(os.path.normpath(folder / link))
        kind = "tree" if found.is_dir() else "blob"
        return f"{before}{REPOSITORY}/{kind}/v{VERSION}/{found.relative_to(ROOT)}{after}"

    return _LINK.sub(led, text)


def _python(source: Path, target: Path) -> None:
    """An sdist, and the wheel that is made of it, as an installer without wheels would."""
    _run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(target)], source)
    name = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"].replace("-", "_")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
    _run([*pip, "-w", str(target), str(target / f"{name}-{VERSION}.tar.gz")], source)


def _npm(source: Path, target: Path) -> None:
    """Its `prepack` installs what the build needs, and builds."""
    target.mkdir(parents=True, exist_ok=True)
    _run(["npm", "pack", "--silent", "--pack-destination", str(target)], source)


def _maven(source: Path, target: Path) -> None:
    """The jar, its sources and its javadoc, as a repository would have them."""
    done = mvn("-Prelease", "-DskipTests", f"-DaltDeploymentRepository=dist::file://{target}", "deploy", folder=source)
    if done.returncode:
        sys.stderr.write(done.stdout)
    done.check_returncode()


def _go(source: Path, target: Path) -> None:
    """What https://go.dev/ref/mod#goproxy-protocol says of a module at a version."""
    module = (source / "go.mod").read_text(encoding="utf-8").split()[1]
    versions = target / module / "@v"
    versions.mkdir(parents=True)
    at = f"v{VERSION}"
    (versions / "list").write_text(f"{at}\n")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    (versions / f"{at}.info").write_text(json.dumps({"Version": at, "Time": now}))
    shutil.copy(source / "go.mod", versions / f"{at}.mod")
    others = [path.parent for path in source.rglob("go.mod") if path.parent != source]
    with zipfile.ZipFile(versions / f"{at}.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(source.rglob("*")):
            if path.is_file() and not any(path.is_relative_to(other) for other in others):
                packed.write(path, f"{module}@{at}/{path.relative_to(source)}")
        if not (source / "LICENSE").exists():
            packed.write(ROOT / "LICENSE", f"{module}@{at}/LICENSE")


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "dist")
