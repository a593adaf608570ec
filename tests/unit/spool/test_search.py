"""What is in the spool is found, whatever happens to its file meanwhile."""

from pathlib import Path
from uuid import UUID

import pytest

from qrumb_server.spool.filesystem import DISK, DiskFileSystem, FolderEntry
from qrumb_server.spool.format import (
    encode_frames,
    encode_header,
    new_segment_id,
    open_name,
    sealed_name,
    segment_time_ms,
)
from qrumb_server.spool.reader import FoundRecord, find_records, open_times_ms, remove_quarantined, segment_ids

RECORDS = [b"alpha one", b"beta", b"alpha two"]


def write(path: Path, segment_id: UUID, records: list[bytes]) -> Path:
    """A segment's file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_header(segment_id) + b"".join(encode_frames(records, 0, segment_id)))
    return path


def sealed(root: Path, worker: str, time_ms: int, records: list[bytes] = RECORDS) -> tuple[UUID, Path]:
    """A sealed segment."""
    segment_id = new_segment_id(time_ms, None)
    return segment_id, write(root / worker / sealed_name(segment_id, len(records)), segment_id, records)


def unsealed(root: Path, worker: str, time_ms: int) -> tuple[UUID, Path]:
    """A segment that its worker still writes."""
    segment_id = new_segment_id(time_ms, None)
    return segment_id, write(root / worker / open_name(segment_id), segment_id, RECORDS)


def found(root: Path, needle: bytes, filesystem: DiskFileSystem = DISK) -> list[tuple[str, int, bytes]]:
    """Places and records, in order."""
    return sorted((one.segment_id, one.row, one.record) for one in find_records(root, needle, filesystem))


def test_open_and_sealed_segments_of_all_workers_are_searched(tmp_path: Path) -> None:
    """Each hit with the place that its row will have."""
    one, _path = unsealed(tmp_path, "worker-0", 1_000)
    two, _path = sealed(tmp_path, "worker-1", 2_000)
    assert found(tmp_path, b"alpha") == sorted(
        (str(segment), row, RECORDS[row]) for segment in (one, two) for row in (0, 2)
    )
    assert {found.segment_id: found for found in find_records(tmp_path, b"beta")} == {
        str(segment): FoundRecord(segment_id=str(segment), row=1, record=b"beta", is_sealed=segment == two)
        for segment in (one, two)
    }
    assert {found.segment_id for found in find_records(tmp_path, b"", leave_out={one})} == {str(two)}
    assert found(tmp_path, b"gamma") == []
    assert len(found(tmp_path, b"")) == 6


def test_needle_across_two_records_is_no_hit(tmp_path: Path) -> None:
    """The bytes of the file hit; no record does."""
    _segment, path = sealed(tmp_path, "worker-0", 1, [b"al", b"pha"])
    image = path.read_bytes()
    across = image[image.index(b"al") : image.index(b"pha") + 3]
    assert found(tmp_path, across) == []


def test_rows_behind_the_sealed_count_are_not_found(tmp_path: Path) -> None:
    """They were never acknowledged, and will never be loaded."""
    segment, path = sealed(tmp_path, "worker-0", 1)
    path.rename(path.with_name(sealed_name(segment, 2)))
    assert found(tmp_path, b"alpha") == [(str(segment), 0, b"alpha one")]


def test_damage_costs_only_its_own_row(tmp_path: Path) -> None:
    """As for the loader."""
    segment, path = sealed(tmp_path, "worker-0", 1)
    image = bytearray(path.read_bytes())
    image[image.index(b"alpha one")] ^= 1
    path.write_bytes(image)
    assert found(tmp_path, b"alpha") == [(str(segment), 2, b"alpha two")]
    path.write_bytes(b"alpha" * 100)
    assert found(tmp_path, b"alpha") == []


class Meanwhile(DiskFileSystem):
    """Lets something happen just before the first file is read."""

    def __init__(self, happens: object) -> None:
        self._happens = happens

    def read(self, path: Path) -> bytes:
        """The file, as it is afterwards."""
        happens, self._happens = self._happens, None
        if callable(happens):
            happens()
        return super().read(path)


def test_segment_that_is_sealed_between_listing_and_reading_is_found(tmp_path: Path) -> None:
    """Under its new name, once."""
    segment, path = unsealed(tmp_path, "worker-0", 1)
    there = Meanwhile(lambda: path.rename(path.with_name(sealed_name(segment, 3))))
    assert [row for _segment, row, _record in found(tmp_path, b"alpha", there)] == [0, 2]


def test_segment_that_is_released_meanwhile_is_no_error(tmp_path: Path) -> None:
    """Its rows are in the store."""
    _segment, path = sealed(tmp_path, "worker-0", 1)
    other, _path = sealed(tmp_path, "worker-1", 2)
    hits = found(tmp_path, b"beta", Meanwhile(path.unlink))
    assert (str(other), 1, b"beta") in hits
    assert path.exists() is False


def test_what_is_no_segment_is_left_alone(tmp_path: Path) -> None:
    """Locks, strays, quarantine, and a spool that is not there."""
    _segment, path = sealed(tmp_path, "quarantine", 1)
    (tmp_path / "worker-0").mkdir()
    (tmp_path / "worker-0" / "lock").write_bytes(b"alpha")
    (tmp_path / path.name).write_bytes(path.read_bytes())
    assert found(tmp_path, b"alpha") == []
    assert found(tmp_path / "none", b"alpha") == []
    assert segment_ids(tmp_path) == set()
    assert open_times_ms(tmp_path / "none") == []


def test_begun_times_of_open_and_of_all_segments(tmp_path: Path) -> None:
    """The open ones are what the loader waits for, all of them what an erasure does."""
    unsealed(tmp_path, "worker-0", 3_000)
    unsealed(tmp_path, "worker-1", 2_000)
    sealed(tmp_path, "worker-1", 1_000)
    assert sorted(open_times_ms(tmp_path)) == [2_000, 3_000]
    assert sorted(map(segment_time_ms, segment_ids(tmp_path))) == [1_000, 2_000, 3_000]


def test_quarantined_files_that_hold_a_name_are_removed(tmp_path: Path) -> None:
    """Those that do not stay, and so does what is in the workers' folders."""
    _segment, gone = sealed(tmp_path, "quarantine", 1)
    _segment, kept = sealed(tmp_path, "quarantine", 2, [b"delta"])
    _segment, spooled = sealed(tmp_path, "worker-0", 3)
    (tmp_path / "quarantine" / "by-hand").mkdir()
    assert remove_quarantined(tmp_path, [b"gamma", b"beta"]) == 1
    assert (gone.exists(), kept.exists(), spooled.exists()) == (False, True, True)
    assert remove_quarantined(tmp_path, [b"beta"]) == 0
    assert remove_quarantined(tmp_path, []) == 0
    assert remove_quarantined(tmp_path / "none", [b"beta"]) == 0


@pytest.mark.parametrize("when", ["before it is read", "before it is removed"])
def test_quarantined_file_that_is_removed_meanwhile_is_no_error(tmp_path: Path, when: str) -> None:
    """An operator tidies up while a person is erased."""
    _segment, path = sealed(tmp_path, "quarantine", 1)

    class Tidied(DiskFileSystem):
        def list_folder(self, folder: Path) -> list[FolderEntry]:
            entries = super().list_folder(folder)
            if when == "before it is read":
                path.unlink()
            return entries

        def read(self, file: Path) -> bytes:
            image = super().read(file)
            file.unlink()
            return image

    assert remove_quarantined(tmp_path, [b"beta"], Tidied()) == 0
    assert not path.exists()
