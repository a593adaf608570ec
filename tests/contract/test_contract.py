"""The .proto files are the contract: what was released is never broken. `make fresh` compares the generated code."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUF = Path(sysconfig.get_path("scripts")) / "buf"


def breaking(folder: Path) -> subprocess.CompletedProcess[str]:
    """Compare the contract in `folder` with the released one, as `make lint` does."""
    return subprocess.run(
        [str(BUF), "breaking", "proto", "--against", str(ROOT / "proto/baseline.binpb")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("string page_title = 8", "bytes page_title = 8"),
        ("string page_title = 8", "string page_title = 80"),
        ("string page_title = 8", "string title = 8"),
        ("DENIED = 2;", "REFUSED = 2;"),
    ],
    ids=["type", "number", "name", "enum value"],
)
def test_breaking_change_is_found(tmp_path: Path, before: str, after: str) -> None:
    """`make lint` can fail."""
    for name in ("proto", "third_party", "buf.yaml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    changed = 0
    for path in (tmp_path / "proto/qrumb/v1").glob("*.proto"):
        text = path.read_text()
        if before in text and path.name in {"browser_event.proto", "consent.proto"}:
            path.write_text(text.replace(before, after))
            changed += 1
    assert changed
    assert breaking(tmp_path).returncode == 100
