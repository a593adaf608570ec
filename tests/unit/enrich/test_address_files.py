"""Files that change under a running worker: what was read stays in use until there is something better."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from qrumb_server.enrich.address import NOWHERE, Place, PlaceReader
from qrumb_server.errors import ConfigError
from tests.support.mmdb import Clock, write_mmdb

OpenPlaces = Callable[..., PlaceReader]

ADDRESS = "81.2.69.142"
LONDON = Place(country_code="GB", city="London")
CORK = Place(country_code="IE", city="Cork")


def write(path: Path, place: Place, **options: Any) -> Path:
    """A file that knows one network."""
    record = {"country_code": place.country_code, "city": place.city}
    return write_mmdb(path, {"81.2.69.0/24": record}, **options)


def warnings(logs: list[Any]) -> list[str]:
    return [f"{line['event']}: {line.get('why', '')}" for line in logs if line["log_level"] == "warning"]


def test_a_replaced_file_is_read_when_the_interval_is_over(
    open_places: OpenPlaces, clock: Clock, tmp_path: Path
) -> None:
    """Not before, and without a restart."""
    path = write(tmp_path / "places.mmdb", LONDON)
    reader = open_places(path)
    write(path, CORK)
    clock.advance(29.9)
    assert reader.locate(ADDRESS) == LONDON
    clock.advance(0.2)
    assert reader.locate(ADDRESS) == CORK


def test_an_unchanged_file_is_not_read_again(open_places: OpenPlaces, clock: Clock, tmp_path: Path) -> None:
    """Looking costs one stat."""
    reader = open_places(write(tmp_path / "places.mmdb", LONDON))
    with capture_logs() as logs:
        for _ in range(3):
            clock.advance(31)
            assert reader.locate(ADDRESS) == LONDON
    assert logs == []


@pytest.mark.parametrize("how", ["renamed", "in place"])
@pytest.mark.parametrize("broken", ["half", "end missing", "empty", "text", "no tree"])
def test_a_broken_new_file_changes_nothing(
    broken: str, how: str, open_places: OpenPlaces, clock: Clock, tmp_path: Path
) -> None:
    """One warning, the old answers; the next whole file is taken."""
    path = write(tmp_path / "places.mmdb", LONDON)
    reader = open_places(path)
    whole = write(tmp_path / "next.mmdb", CORK).read_bytes()
    content = {
        "half": whole[: len(whole) // 2],
        "end missing": whole[:-30],
        "empty": b"",
        "text": b"country,city\n" * 100,
        "no tree": whole[whole.index(b"\xab\xcd\xefMaxMind.com") :],
    }[broken]
    target = path if how == "in place" else tmp_path / "fresh"
    target.write_bytes(content)
    target.replace(path)
    with capture_logs() as logs:
        for _ in range(3):
            clock.advance(31)
            assert reader.locate(ADDRESS) == LONDON
    assert warnings(logs) == ["address_file_unreadable: not a complete .mmdb file"]
    path.write_bytes(whole)
    clock.advance(31)
    assert reader.locate(ADDRESS) == CORK


def test_a_file_that_is_truncated_while_it_is_in_use_does_no_harm(open_places: OpenPlaces, tmp_path: Path) -> None:
    """A map of the file itself would end the process at the next look-up."""
    networks = {f"81.{n // 256}.{n % 256}.0/24": {"country_code": "GB", "city": f"town {n}"} for n in range(4_000)}
    path = write_mmdb(tmp_path / "places.mmdb", networks)
    reader = open_places(path)
    os.truncate(path, 0)
    assert reader.locate("81.15.3.1") == Place(country_code="GB", city="town 3843")


def test_a_missing_file_is_said_once_and_picked_up_later(open_places: OpenPlaces, clock: Clock, tmp_path: Path) -> None:
    """Without it the columns are empty."""
    path = tmp_path / "later.mmdb"
    with capture_logs() as logs:
        reader = open_places(path)
        for _ in range(3):
            clock.advance(31)
            assert reader.locate(ADDRESS) == NOWHERE
    assert warnings(logs) == ["address_file_unreadable: No such file or directory"]
    write(path, LONDON)
    clock.advance(31)
    assert reader.locate(ADDRESS) == LONDON


def test_a_file_that_vanishes_stays_in_use(open_places: OpenPlaces, clock: Clock, tmp_path: Path) -> None:
    """A new one may be about to be put there."""
    path = write(tmp_path / "places.mmdb", LONDON)
    reader = open_places(path)
    path.unlink()
    with capture_logs() as logs:
        clock.advance(31)
        assert reader.locate(ADDRESS) == LONDON
        clock.advance(31)
        assert reader.locate(ADDRESS) == LONDON
    assert len(warnings(logs)) == 1


def test_a_folder_is_not_a_file(open_places: OpenPlaces, tmp_path: Path) -> None:
    """A likely slip of the configuration: a warning, no exception."""
    with capture_logs() as logs:
        assert open_places(tmp_path).locate(ADDRESS) == NOWHERE
    assert warnings(logs) == ["address_file_unreadable: Is a directory"]


def test_one_broken_file_does_not_silence_the_others(open_places: OpenPlaces, tmp_path: Path) -> None:
    """Each file stands for itself."""
    (tmp_path / "broken.mmdb").write_bytes(b"no")
    reader = open_places(tmp_path / "broken.mmdb", write(tmp_path / "places.mmdb", LONDON))
    assert reader.locate(ADDRESS) == LONDON


def test_damage_found_by_a_look_up_is_said_once_and_without_the_address(
    open_places: OpenPlaces, tmp_path: Path
) -> None:
    """The reader's own text would name the address."""
    path = write(tmp_path / "places.mmdb", LONDON)
    content = path.read_bytes()
    start = content.index(b"country_code") - 2
    end = content.index(b"\xab\xcd\xefMaxMind.com")
    path.write_bytes(content[:start] + b"\xff" * (end - start) + content[end:])
    reader = open_places(path)
    with capture_logs() as logs:
        assert [reader.locate(ADDRESS) for _ in range(3)] == [NOWHERE] * 3
    assert warnings(logs) == ["address_file_damaged: "]
    assert ADDRESS not in str(logs)


def test_processes_share_a_copy_and_old_ones_go(open_places: OpenPlaces, clock: Clock, tmp_path: Path) -> None:
    """However many workers, and however often the file changes, one copy of it is on the disk."""
    path = write(tmp_path / "places.mmdb", LONDON)
    first, second = open_places(path), open_places(path)
    (copy,) = (tmp_path / "copies").iterdir()
    write(path, CORK)
    clock.advance(31)
    assert first.locate(ADDRESS) == CORK
    assert not copy.exists()
    assert second.locate(ADDRESS) == CORK
    assert len(list((tmp_path / "copies").iterdir())) == 1


def test_the_slow_reader_is_refused(open_places: OpenPlaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fix in the text; a node that needs no files does not care."""
    monkeypatch.setitem(sys.modules, "maxminddb.extension", None)
    with pytest.raises(ConfigError, match="C extension"):
        open_places(tmp_path / "places.mmdb")
    assert open_places().locate(ADDRESS) == NOWHERE
