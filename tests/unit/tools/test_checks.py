"""What `make check` looks for beside the code: secrets in files, known faults of packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from qrumb_server.access.keys import new_key
from tools.audit import judge

ROOT = Path(__file__).resolve().parents[3]
HEADING = "-----BEGIN {} KEY-----"  # apart from its words, so that this file is no finding


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A work tree with a file that git tracks, one that it would add, and one that it ignores."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("data/\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "tracked.md").write_text("harmless\n")
    subprocess.run(["git", "-C", str(tmp_path), "add", "tracked.md"], check=True)
    return tmp_path


def scan(folder: Path) -> tuple[int, list[str]]:
    """Exit code and findings."""
    command = [sys.executable, str(ROOT / "tools" / "secret_scan.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("file", ["tracked.md", "new.bin"])
@pytest.mark.parametrize(
    ("secret", "what"),
    [
        (new_key(), "a key of qrumb"),
        *((HEADING.format(kind), "a private key") for kind in ("PRIVATE", "RSA PRIVATE", "ENCRYPTED PRIVATE")),
        ("ghp_" + "a1B2" * 9, "a GitHub token"),
    ],
    ids=["key", "PEM", "RSA", "encrypted", "token"],
)
def test_a_planted_secret_is_found_and_not_shown(tree: Path, file: str, secret: str, what: str) -> None:
    """In any file, whatever stands before it."""
    (tree / file).write_bytes(b"\xff\x00 first line\nexport X=" + secret.encode() + b"\n")
    assert scan(tree) == (1, [f"{tree / file}:2: looks like {what}"])


def test_what_is_no_secret_is_no_finding(tree: Path) -> None:
    """What stays on the machine, a key's public part, a public key, and a file that was deleted."""
    (tree / "data" / "demo.key").write_text(new_key())
    (tree / "new.md").write_text(f"{new_key()[:20]}...\n{HEADING.format('PUBLIC')}\n")
    (tree / "tracked.md").unlink()
    assert scan(tree) == (0, [])


def test_a_vulnerability_is_a_failure_where_there_is_a_fix() -> None:
    """As pip-audit reports it."""
    report = {
        "dependencies": [
            {"name": "sound", "version": "1.0", "vulns": []},
            {"name": "unheard-of", "skip_reason": "not found"},
            {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]},
            {"name": "torn", "version": "3.0", "vulns": [{"id": "GHSA-2", "fix_versions": []}]},
        ],
        "fixes": [],
    }
    assert judge(report) == (
        ["old 1.0: PYSEC-1, mended in 1.1, 2.0"],
        ["torn 3.0: GHSA-2, no version without it yet"],
    )
