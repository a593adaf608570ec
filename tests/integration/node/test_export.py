"""`qrumb export` of the real node: files by day, a manifest that holds, and what breaks it; `qrumb schema`."""

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.small_disk import small_disk
from tests.support.stack import Stack

pytestmark = pytest.mark.stack

SITE = "exported"
OTHER = "exported-elsewhere"
FULL = "exported-to-a-full-disk"
FIREFOX = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}


def export(stack: Stack, folder: Path, *options: str) -> tuple[int, str]:
    """Exit code and all that it said."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
    yesterday = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
    span = () if "--check" in options else ("--since", yesterday, "--until", tomorrow)
    done = stack.command("export", str(folder), "--site", SITE, *span, *options)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def manifest(folder: Path) -> dict[str, dict[str, int]]:
    """Its days by date."""
    found: dict[str, dict[str, int]] = json.loads((folder / "manifest.json").read_text())["days"]
    return found


def test_files_hold_each_event_once_and_the_manifest_says_so(stack: Stack, tmp_path: Path) -> None:
    first = str(uuid.uuid4())
    with stack.http() as client:
        for number, event_id in enumerate((first, first, str(uuid.uuid4()), str(uuid.uuid4()))):
            sent = {"site_id": SITE, "event_id": event_id, "event_type": "click", "metadata": {"odd": 'a"b\n,c'}}
            assert client.post("/collect", json=sent, headers=FIREFOX).status_code == 200, number
    stack.wait_for_rows(4, f"site_id = '{SITE}'")
    for file_format in ("jsonl", "csv", "parquet"):
        folder = tmp_path / file_format
        code, said = export(stack, folder, "--format", file_format)
        assert code == 0, said
        assert sum(day["rows"] for day in manifest(folder).values()) == 3
        assert sum(day["ledger_rows"] for day in manifest(folder).values()) == 3
        assert export(stack, folder, "--check")[0] == 0
        assert not [path for path in folder.iterdir() if path.suffix == ".part"]
    lines = [line for path in (tmp_path / "jsonl").glob("*.jsonl") for line in path.read_text().splitlines()]
    assert len({json.loads(line)["event_id"] for line in lines}) == 3
    texts = [path.read_text() for path in (tmp_path / "csv").glob("*.csv")]
    rows = [row for text in texts for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert {json.loads(row["metadata"])["odd"] for row in rows} == {'a"b\n,c'}
    files = list((tmp_path / "parquet").glob("*.parquet"))
    assert files
    assert all(path.read_bytes()[:4] == path.read_bytes()[-4:] == b"PAR1" for path in files)

    # What became of the files or the rows afterwards is seen.
    day, entry = max(manifest(tmp_path / "jsonl").items(), key=lambda one: one[1]["rows"])
    path = tmp_path / "jsonl" / f"{day}.jsonl"
    path.write_text(path.read_text() + "{}\n")
    code, said = export(stack, tmp_path / "jsonl", "--check")
    assert code == 1
    assert f"{day}.jsonl is not the file that was written" in said
    with stack.http() as client:
        assert client.post("/collect", json={"site_id": SITE, "event_type": "click"}, headers=FIREFOX).is_success
    stack.wait_for_rows(5, f"site_id = '{SITE}'")
    code, said = export(stack, tmp_path / "csv", "--check")
    assert code == 1
    assert "export the day again" in said
    assert entry["rows"] <= 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--format", "csv"), "whose format is jsonl, not csv"),
        (("--site", "demo", "--format", "jsonl"), f"whose site_id is {OTHER}, not demo"),
        (("--since", "2026-01-02", "--until", "2026-01-02"), "there is no day from 2026-01-02 up to 2026-01-02"),
    ],
)
def test_what_cannot_be_exported(stack: Stack, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"site_id": OTHER, "format": "jsonl", "days": {}}))
    with stack.http() as client:
        for site in (OTHER, "demo"):
            assert client.post("/collect", json={"site_id": site, "event_type": "click"}, headers=FIREFOX).is_success
    stack.wait_for_empty_spool()
    code, answer = export(stack, tmp_path, "--site", OTHER, *options)
    assert code != 0
    assert said in answer


def test_a_full_disk_is_told_and_leaves_no_file(stack: Stack, tmp_path: Path) -> None:
    """Also where more is to come: the call that brings it is ended with the command."""
    with stack.http() as client:
        assert client.post("/collect", json={"site_id": FULL, "event_type": "click"}, headers=FIREFOX).is_success
    stack.wait_for_empty_spool()
    with small_disk(tmp_path, kind="tmpfs", mebibytes=4) as disk:
        disk.fill()
        code, said = export(stack, disk.folder / "out", "--site", FULL)
        assert code == 1
        assert "cannot be written: No space left on device" in said
        assert "Traceback" not in said
        assert list((disk.folder / "out").iterdir()) == []


def test_a_folder_without_a_manifest_cannot_be_checked(stack: Stack, tmp_path: Path) -> None:
    code, said = export(stack, tmp_path, "--check")
    assert code == 1
    assert "`qrumb export` writes one" in said


def test_the_schema_is_printed_and_parses(stack: Stack) -> None:
    whole = stack.command("schema").stdout
    assert "CREATE TABLE IF NOT EXISTS events.valid_events" in whole
    granted = stack.command("schema", "--grants", "analyst").stdout
    assert granted.splitlines()[-1] == "GRANT SELECT ON events.* TO analyst;"
    for statement in granted.splitlines():
        assert stack.command("query", f"EXPLAIN AST {statement.removesuffix(';')}").returncode == 0, statement
    assert "starts with no digit" in stack.command("schema", "--grants", "a b").stderr
