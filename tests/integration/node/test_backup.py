"""`qrumb backup` of a node that runs, `qrumb restore` into an empty data folder: the same rows in every table."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.small_disk import small_disk
from tests.support.stack import Stack, running_stack, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.slow]

TABLES = ("valid_events", "invalid_events", "scan_sessions", "identity_links", "ledger", "schema_migrations")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A node with rows in all tables."""
    with running_stack(tmp_path_factory.mktemp("backup") / "data", QRUMB_WORKERS="1") as stack:
        fill(stack, "first")
        yield stack


def fill(stack: Stack, site_id: str) -> None:
    """Events of people, in sessions, rejected ones, repeated ones."""
    with stack.http() as client:
        for number in range(5):
            session = {"site_id": site_id, "scan_session_id": f"s{number}", "qr_code_id": "poster"}
            assert client.post("/scan-sessions", json=session).status_code == 200
        events: list[dict[str, Any]] = [
            {
                "site_id": site_id,
                "event_name": "lead",
                "scan_session_id": f"s{number % 5}",
                "user_identifiers": {"external_id": f"u{number % 7}"},
                "properties": {"text": f"Zeile {number}\u2028\t\\ '\""},
                "conversion_value": {"amount": number / 3, "currency": "EUR"},
            }
            for number in range(200)
        ]
        assert client.post("/server-events/batch", json={"events": events}).status_code == 200
        assert client.post("/collect", json={"site_id": site_id, "consent": 9}).status_code == 400
    stack.wait_for_rows(200, f"site_id = '{site_id}'")
    stack.wait_for_empty_spool()


def checksums(stack: Stack) -> dict[str, Any]:
    """Of every table: number of rows, and a sum over their content in which each row counts."""
    return {
        table: stack.query(
            f"SELECT count() AS rows, toString(sum(sipHash64(toString(tuple(*))))) AS content FROM events.{table}"
        )[0]
        for table in TABLES
    }


def test_a_restored_node_has_every_row_and_goes_on(node: Stack, tmp_path: Path) -> None:
    """As of the backup, whatever came later; and it takes events again."""
    node.wait_for_empty_spool()
    before = checksums(node)
    assert all(int(found["rows"]) for found in before.values())
    events = int(before["valid_events"]["rows"])  # other tests may have sent some as well
    done = node.command("backup", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    assert f"valid_events: {events:,}\n" in done.stdout
    fill(node, "later")
    restored = Stack(tmp_path / "data")
    done = restored.command("restore", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    assert f"valid_events: {events:,}\n" in done.stdout
    assert checksums(restored) == before
    with running_stack(tmp_path / "data", QRUMB_WORKERS="1") as again:
        fill(again, "afterwards")
        assert again.count() == events + 200
        assert again.count(table="attributed_events") == events + 200


def test_a_restored_node_answers_the_same_keys(tmp_path: Path) -> None:
    """Sites, keys, secrets and the operator's own files come along; the spool, and earlier backups, do not."""
    (tmp_path / "one").mkdir()
    with running_stack(tmp_path / "one" / "data", QRUMB_ACCESS="keys", QRUMB_WORKERS="1") as first:
        made = first.command("sites", "add", "shop", "--origin", "https://shop.example")
        secret = first.command("sites", "session-secret", "shop").stdout.strip()
        demo = (first.data_dir / "demo.key").read_text()
        (first.data_dir / "tls").mkdir()
        (first.data_dir / "tls" / "own.pem").write_text("mine")
        key = made.stdout.strip()
        with first.http() as client:
            assert wait_until(lambda: send(client, key) == 200)
        first.wait_for_empty_spool()
        for name in ("early", "copy"):  # the first one lies in the data folder
            done = first.command("backup", str(first.data_dir / "early" if name == "early" else tmp_path / "copy"))
            assert done.returncode == 0, done.stderr
        rows = first.count("site_id = 'shop'")
    assert {path.name for path in (tmp_path / "copy" / "node").iterdir()} == {"demo.key", "sites.toml", "tls"}
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0
    (tmp_path / "two").mkdir()
    second = Stack(tmp_path / "two" / "data", QRUMB_ACCESS="keys")
    done = second.command("restore", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    with running_stack(second.data_dir, QRUMB_ACCESS="keys", QRUMB_WORKERS="1") as again:
        assert (again.data_dir / "demo.key").read_text() == demo
        assert (again.data_dir / "sites.toml").stat().st_mode & 0o777 == 0o600
        assert secret in (again.data_dir / "sites.toml").read_text()
        assert (again.data_dir / "tls" / "own.pem").read_text() == "mine"
        assert again.count("site_id = 'shop'") == rows
        with again.http() as client:
            assert send(client, key) == 200
            assert send(client, key[:-1] + ("a" if key[-1] != "a" else "b")) == 401


def test_a_restore_overwrites_no_file(node: Stack, tmp_path: Path) -> None:
    """And brings no damaged one back; the database stays out too."""
    (node.data_dir / "note.txt").write_text("of the node")
    assert node.command("backup", str(tmp_path / "copy")).returncode == 0
    fresh = Stack(tmp_path / "data")
    fresh.data_dir.mkdir()
    (fresh.data_dir / "note.txt").write_text("another one")
    done = fresh.command("restore", str(tmp_path / "copy"))
    assert done.returncode == 78
    assert "note.txt: is there already and differs from the backup's; move it away" in done.stderr
    (fresh.data_dir / "note.txt").unlink()
    (tmp_path / "copy" / "node" / "note.txt").write_text("damaged")
    done = fresh.command("restore", str(tmp_path / "copy"))
    assert done.returncode == 78
    assert "note.txt: is not what was copied; the backup is damaged" in done.stderr
    assert not (fresh.data_dir / "clickhouse").exists()


def send(client: httpx.Client, key: str) -> int:
    """The status that an event of the site `shop` gets with this key."""
    event = {"site_id": "shop", "event_name": "lead", "scan_session_id": "s"}
    return client.post("/server-events", json=event, headers={"authorization": f"Bearer {key}"}).status_code


def test_a_copy_that_its_disk_cut_short_is_no_backup(node: Stack, tmp_path: Path) -> None:
    """The engine calls it done. Where the command does, it can be restored."""
    outcomes = []
    with small_disk(tmp_path, kind="ext4", mebibytes=64) as disk:
        for room in (32, 96, 160, 32_768):
            disk.clear()
            disk.fill(leave_bytes=room << 10)
            copy = disk.folder / f"copy-{room}"
            done = node.command("backup", str(copy))
            outcomes.append(done.returncode)
            if done.returncode == 0:
                restored = Stack(tmp_path / f"data-{room}").command("restore", str(copy))
                assert restored.returncode == 0, restored.stderr
                continue
            assert done.stderr.count("\n") == 1
            assert "disk" in done.stderr
            assert list(copy.rglob("*")) == []
    assert (outcomes[0], outcomes[-1]) == (1, 0)


def test_a_backup_that_does_not_fit_is_not_restored(node: Stack, tmp_path: Path) -> None:
    assert node.command("backup", str(tmp_path / "copy")).returncode == 0
    with small_disk(tmp_path, kind="ext4", mebibytes=64) as disk:
        disk.fill(leave_bytes=96 << 10)  # it takes 250 KiB and more
        fresh = Stack(disk.folder / "data", log_path=str(tmp_path / "log"))
        done = fresh.command("restore", str(tmp_path / "copy"))
        assert done.returncode in {1, 78}, done.stdout
        assert done.stderr.count("\n") == 1, done.stderr
        assert not (fresh.data_dir / "clickhouse").exists()


def test_a_backup_under_load_is_of_one_moment(node: Stack, tmp_path: Path) -> None:
    """The ledger in the copy counts exactly the rows in the copy."""
    with node.http() as client:
        for _ in range(20):
            batch = [{"site_id": "load", "event_type": "click"}] * 200
            assert client.post("/collect/batch", json={"events": batch}).status_code == 200
    done = node.command("backup", str(tmp_path / "copy"))
    assert done.returncode == 0, done.stderr
    restored = Stack(tmp_path / "data")
    assert restored.command("restore", str(tmp_path / "copy")).returncode == 0
    [counted] = restored.query("SELECT sum(stored_count) AS stored, sum(rejected_count) AS rejected FROM events.ledger")
    assert (int(counted["stored"]), int(counted["rejected"])) == (
        restored.count(),
        restored.count(table="invalid_events"),
    )


def test_what_cannot_be_done_is_one_clear_line(node: Stack, tmp_path: Path) -> None:
    """A folder in use, a running node, no backup, a database in the way, a backup that was cut off."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = node.command("backup", str(tmp_path / "full"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "not empty" in done.stderr
    assert node.command("backup", str(tmp_path / "copy")).returncode == 0
    done = node.command("restore", str(tmp_path / "copy"))
    assert done.returncode == 1
    assert "stop it first" in done.stderr
    fresh = Stack(tmp_path / "data")
    done = fresh.command("restore", str(tmp_path / "full"))
    assert done.returncode == 78
    assert "no whole backup" in done.stderr
    assert fresh.command("restore", str(tmp_path / "copy")).returncode == 0
    done = fresh.command("restore", str(tmp_path / "copy"))
    assert done.returncode == 78
    assert "has a database already" in done.stderr
    assert fresh.command("backup", str(tmp_path / "none")).returncode == 1


@pytest.mark.parametrize("own", ["clickhouse", "spool/worker-0", "run"])
def test_nothing_is_copied_into_the_folders_of_the_node(node: Stack, own: str) -> None:
    folder = node.data_dir / own / "copy"
    done = node.command("backup", str(folder))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "lies in the node's own" in done.stderr
    done = node.command("export", str(folder), "--site", "first")
    assert done.returncode == 2
    assert "lies in the node's own" in done.stderr
    assert not folder.exists()


@pytest.mark.parametrize("is_noted", [True, False], ids=["found by its digest", "found by the engine"])
def test_a_damaged_backup_leaves_nothing_behind(node: Stack, tmp_path: Path, *, is_noted: bool) -> None:
    """One line, and the next backup can be tried at once. A changed byte passes the engine's own look."""
    copy = tmp_path / "copy"
    assert node.command("backup", str(copy)).returncode == 0
    [part, *_] = [path for path in (copy / "events").rglob("data.bin") if path.stat().st_size]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    if is_noted:
        part.write_bytes(content)
    else:  # as a backup of an earlier version
        note = json.loads((copy / "qrumb-backup.json").read_text())
        del note["copy"]
        (copy / "qrumb-backup.json").write_text(json.dumps(note))
        part.write_bytes(content[:-1])
    other = Stack(tmp_path / "data")
    done = other.command("restore", str(copy))
    assert (done.returncode, done.stderr.count("\n")) == (78 if is_noted else 1, 1), done.stderr
    assert (f"{part}: is not what was copied; the backup is damaged" if is_noted else "damaged") in done.stderr
    assert "Exception" not in done.stderr
    assert not (other.data_dir / "clickhouse").exists()
