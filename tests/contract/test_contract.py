"""The .proto files are the contract: generated code is fresh, and what was released is never broken."""

import filecmp
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUF = Path(sysconfig.get_path("scripts")) / "buf"
GENERATED = (
    "clients/python/qrumb/v1",
    "clients/python/buf",
    "clients/go/qrumbv1",
    "server/qrumb_server/wire/v1",
)


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    """`make generate` would change nothing."""
    (tmp_path / "clients/python").mkdir(parents=True)
    subprocess.run([sys.executable, str(ROOT / "tools/generate.py"), str(tmp_path)], check=True)
    for folder in GENERATED:
        fresh = {path.relative_to(tmp_path) for path in (tmp_path / folder).rglob("*.*")}
        kept = {
            path.relative_to(ROOT)
            for pattern in ("*_pb2*.py*", "*.pb.go")
            for path in (ROOT / folder).rglob(pattern)
            if "__pycache__" not in path.parts
        }
        assert fresh == kept
        for path in fresh:
            assert filecmp.cmp(tmp_path / path, ROOT / path, shallow=False), f"{path} is stale: make generate"
    elsewhere: list[str] = []
    for folder in ("clients/typescript/src/gen", "clients/java/src/main/java/dev/qrumb/v1"):  # need npm and Maven
        if (tmp_path / folder).exists():
            made = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / folder).rglob("*.*"))
            assert made == sorted(str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.*"))
            elsewhere += made
    for name in ("gateway/qrumb.binpb", "docs/openapi.yaml", *elsewhere):
        assert filecmp.cmp(tmp_path / name, ROOT / name, shallow=False), f"{name} is stale: make generate"


def breaking(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Compare images: the contract in `folder` against the released one."""
    image = tmp_path / "new.binpb"
    subprocess.run([str(BUF), "build", "--exclude-source-info", "-o", str(image)], cwd=folder, check=True)
    config = '{"version":"v2","breaking":{"use":["FILE"],"ignore":["google","buf"]}}'
    return subprocess.run(
        [str(BUF), "breaking", str(image), "--against", str(ROOT / "proto/baseline.binpb"), "--config", config],
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_released_is_broken(tmp_path: Path) -> None:
    """The rules FILE of buf breaking, against the image of the last release."""
    found = breaking(ROOT, tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr


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
    """The check above can fail."""
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
    assert breaking(tmp_path, tmp_path).returncode == 100
