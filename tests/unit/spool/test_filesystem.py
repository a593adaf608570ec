"""The real disk keeps the promises that the fake is trusted for."""

import contextlib
import itertools
import os
import stat
from pathlib import Path

import pytest

from qrumb_server.spool import DISK
from tests.support.small_disk import small_disk


def test_lock_is_exclusive_until_released(tmp_path: Path) -> None:
    """Also within one process: each lock is an open file of its own."""
    release = DISK.lock(tmp_path / "lock")
    assert release is not None
    assert DISK.lock(tmp_path / "lock") is None
    release()
    again = DISK.lock(tmp_path / "lock")
    assert again is not None
    again()


def test_new_file_must_be_new_and_is_private(tmp_path: Path) -> None:
    """Two writers of one name would mix; and other users must not read events."""
    path = tmp_path / "a"
    file = DISK.create(path)
    file.write(b"abc")
    file.sync()
    file.truncate(2)
    file.write(b"d")
    file.close()
    assert path.read_bytes() == b"abd"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        DISK.create(path)


def test_opened_file_is_continued_at_its_end(tmp_path: Path) -> None:
    """Nothing that was written before is overwritten."""
    (tmp_path / "a").write_bytes(b"old")
    file = DISK.open_append(tmp_path / "a")
    file.write(b"new")
    file.close()
    assert DISK.read(tmp_path / "a") == b"oldnew"


def test_made_folder_is_durable_in_its_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every level that was made is synced, and the last one also if a predecessor died before its sync."""
    synced: list[str] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    DISK.make_folder(tmp_path / "spool" / "1")
    assert synced == [tmp_path.name, "spool"]
    DISK.make_folder(tmp_path / "spool" / "1")
    assert synced == [tmp_path.name, "spool", "spool"]


def test_free_bytes_are_those_of_the_folder_s_disk(tmp_path: Path) -> None:
    """In bytes, for an ordinary user."""
    assert 0 < DISK.free_bytes(tmp_path) <= os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize


def test_listing_tells_folders_from_files(tmp_path: Path) -> None:
    """A link is neither followed nor taken for a folder."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    found = {entry.name: (entry.is_folder, entry.size_bytes) for entry in DISK.list_folder(tmp_path)}
    assert found["folder"][0]
    assert found["file"] == (False, 5)
    assert not found["link"][0]
    assert DISK.list_folder(tmp_path / "file") == DISK.list_folder(tmp_path / "none") == []


def test_a_disk_that_takes_no_new_file_has_no_bytes_for_one(tmp_path: Path) -> None:
    """Else health would call a node ready whose workers refuse every event."""
    with small_disk(tmp_path, kind="ext4", mebibytes=8) as disk:
        assert DISK.free_bytes(disk.folder) > 1 << 20
        with contextlib.suppress(OSError):
            for number in itertools.count():
                (disk.folder / f"{number}.file").touch()
        assert DISK.free_bytes(disk.folder) == 0
