"""What `make check` looks for beside the code: secrets in files, known faults of packages."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qrumb_server.access.keys import new_key
from tests.support.patience import patient

ROOT = Path(__file__).resolve().parents[3]
HEADING = "-----BEGIN {} KEY-----"  # apart from its words, so that this file is not a finding


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
    done = subprocess.run(command, capture_output=True, text=True, timeout=patient(60), check=False)
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


REPORT = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {"name": "unheard-of", "skip_reason": "not found"},
        {"name": "torn", "version": "3.0", "vulns": [{"id": "GHSA-2", "fix_versions": []}]},
    ],
    "fixes": [],
}
OLD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1", "2.0"]}]}
UNREACHABLE = "audit: skipped, the data on vulnerabilities cannot be reached from here"


@pytest.mark.parametrize(
    ("said", "code", "lines"),
    [
        (json.dumps(REPORT), 0, ["audit: torn 3.0: GHSA-2, no version without it yet"]),
        (
            json.dumps({**REPORT, "dependencies": [OLD, *REPORT["dependencies"]]}),
            1,
            [
                "audit: old 1.0: PYSEC-1, fixed in 1.1, 2.0",
                "audit: torn 3.0: GHSA-2, no version without it yet",
            ],
        ),
        ("", 0, [UNREACHABLE]),
        (json.dumps({"dependencies": [{"name": "any", "skip_reason": "not found"}], "fixes": []}), 0, [UNREACHABLE]),
    ],
    ids=["without a fix", "with a fix", "no network", "nothing known of any package"],
)
def test_a_vulnerability_is_a_failure_where_there_is_a_fix(
    tmp_path: Path, said: str, code: int, lines: list[str]
) -> None:
    """Whatever pip-audit, which a stand-in plays here, had to say."""
    (tmp_path / "pip_audit").mkdir()
    (tmp_path / "pip_audit" / "__init__.py").touch()
    (tmp_path / "pip_audit" / "__main__.py").write_text(f"print({said!r})\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "audit.py")],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=patient(60),
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()) == (code, lines)
