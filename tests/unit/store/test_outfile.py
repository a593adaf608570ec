"""Long results: whole or refused, and nothing of them left behind."""

import contextlib
import os
from pathlib import Path

import pytest

from qrumb_server.errors import StoreShortOfDiskError
from qrumb_server.store.outfile import IN_MEMORY_BYTES, pieces_of, whole_result
from tests.support.small_disk import small_disk


def open_files() -> set[str]:
    """What each is. Not how many there are: other tests' threads and leftovers close theirs whenever they like."""
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(path.readlink()))
    return found


@pytest.mark.parametrize("size", [0, 1, IN_MEMORY_BYTES, 3 * IN_MEMORY_BYTES + 1])
def test_a_result_comes_as_it_was_written(tmp_path: Path, size: int) -> None:
    before = open_files()
    content = os.urandom(size)
    assert b"".join(pieces_of(whole_result(lambda path: Path(path).write_bytes(content), tmp_path))) == content
    assert list(tmp_path.iterdir()) == []
    assert open_files() <= before


def test_what_the_writer_raises_is_raised(tmp_path: Path) -> None:
    before = open_files()

    def write(path: str) -> None:
        Path(path).write_bytes(bytes(3 * IN_MEMORY_BYTES))
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        whole_result(write, tmp_path)
    assert open_files() <= before


def test_on_a_full_disk_a_short_result_is_whole_and_a_long_one_refused(tmp_path: Path) -> None:
    with small_disk(tmp_path, kind="tmpfs", mebibytes=4) as disk:
        disk.fill()
        short = whole_result(lambda path: Path(path).write_bytes(b"short"), disk.folder)
        assert b"".join(pieces_of(short)) == b"short"
        for size in (IN_MEMORY_BYTES + 1, 8 * IN_MEMORY_BYTES):
            with pytest.raises(StoreShortOfDiskError, match="no room"):
                whole_result(lambda path, size=size: Path(path).write_bytes(bytes(size)), disk.folder)
