"""The data folder and the ports are taken before anything starts; what is in the way is told in one line."""

import contextlib
import itertools
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from qrumb_server.errors import ConfigError, StartError
from qrumb_server.supervise.surroundings import (
    enter_run_dir,
    holder_of,
    is_data_dir_in_use,
    keep_lock,
    lock_data_dir,
    make_folder,
    reserve_port_for_quic,
    wait_for_room,
)
from tests.support.patience import patient
from tests.support.ports import claimed_port
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.stack import wait_until


def test_a_udp_port_that_is_taken_is_told() -> None:
    """Else only Envoy would, and each time again."""
    port = claimed_port()  # free for TCP, and taken for UDP
    with pytest.raises(ConfigError, match=rf"127.0.0.1:{port}: the UDP port is taken.*HTTP_PORT.*http3"):
        reserve_port_for_quic("127.0.0.1", port, "HTTP_PORT")


def test_any_port_is_one_that_udp_can_have_too() -> None:
    with reserve_port_for_quic("127.0.0.1", 0, "HTTP_PORT") as reserved:
        port = reserved.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as envoy:
            envoy.bind(("127.0.0.1", port))


@pytest.mark.parametrize("below", ["", "one", "one/two"])
def test_a_file_where_the_data_folder_should_be_is_told(tmp_path: Path, below: str) -> None:
    """Whether it stands in its place or above it; the system says "exists" of the one and nothing of the other."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=re.escape(f"{file} is not a folder; set DATA_DIR")):
        lock_data_dir(file / below)


@pytest.mark.parametrize("call", [lock_data_dir, is_data_dir_in_use, holder_of], ids=lambda call: call.__name__)
def test_a_lock_that_is_a_link_is_refused_and_its_target_left_alone(
    tmp_path: Path, call: Callable[[Path], object]
) -> None:
    """Following it would overwrite a file of anybody's with a process id."""
    target = tmp_path / "precious"
    target.write_text("kept")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "lock").symlink_to(target)
    with pytest.raises(ConfigError, match=r"data/lock: is a symbolic link, which is not followed; remove it"):
        call(tmp_path / "data")
    assert target.read_text() == "kept"


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_lock_that_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "lock")
    with pytest.raises(ConfigError, match=r"lock: is not a plain file; remove it"):
        lock_data_dir(tmp_path)


def test_a_run_folder_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    before = Path.cwd()
    with pytest.raises(ConfigError, match=r"run: is a symbolic link"):
        enter_run_dir(tmp_path / "run")
    assert Path.cwd() == before


def test_a_lock_is_held_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    """And the folder is made on the way."""
    folder = tmp_path / "new" / "data"
    assert not is_data_dir_in_use(folder)
    descriptor = lock_data_dir(folder)
    assert is_data_dir_in_use(folder)
    assert holder_of(folder) == os.getpid()
    os.close(descriptor)
    assert not is_data_dir_in_use(folder)


@pytest.mark.parametrize("lose", [os.remove, lambda path: Path(shutil.copy(path, f"{path}.new")).replace(path)])
def test_a_lock_whose_file_is_lost_is_taken_anew(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    """Commands look at the file: they would say that no node runs, and a second one would start."""
    descriptor = lock_data_dir(tmp_path)
    lose(tmp_path / "lock")
    assert not is_data_dir_in_use(tmp_path)
    for _ in range(2):
        keep_lock(tmp_path, descriptor)
        assert holder_of(tmp_path) == os.getpid()
    assert os.get_inheritable(descriptor)
    os.close(descriptor)
    assert not is_data_dir_in_use(tmp_path)


def fill_with_files(disk: SmallDisk) -> None:
    """Take the last file that the disk can hold."""
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (disk.folder / f"{number}.file").touch()


def remove_files(disk: SmallDisk) -> None:
    for path in disk.folder.glob("*.file"):
        path.unlink()


@pytest.mark.parametrize(
    ("fill", "clear", "said"),
    [(SmallDisk.fill, SmallDisk.clear, "disk is full"), (fill_with_files, remove_files, "as many files")],
    ids=["bytes", "files"],
)
def test_a_start_waits_for_room_on_the_disk_and_says_so(
    tmp_path: Path, fill: Callable[[SmallDisk], None], clear: Callable[[SmallDisk], None], said: str
) -> None:
    """A first start without room would leave an engine that no later one can open."""
    with small_disk(tmp_path, kind="ext4", mebibytes=32) as disk, structlog.testing.capture_logs() as logs:
        fill(disk)
        waiting = threading.Thread(target=wait_for_room, args=(disk.folder,), kwargs={"poll_seconds": 0.01})
        waiting.start()
        wait_until(lambda: len(logs) > 0, 30)
        assert waiting.is_alive()
        clear(disk)
        waiting.join(patient(30))
        assert not waiting.is_alive()
    assert [(entry["event"], said in entry["lacking"]) for entry in logs] == [("start_waits_for_room", True)]


def test_a_read_only_disk_is_told_as_such(tmp_path: Path) -> None:
    """Not as a lack of rights: no change of owner would help."""
    with small_disk(tmp_path, kind="tmpfs", mebibytes=1) as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk.folder], check=True)
        with pytest.raises(StartError, match="its disk is read-only"):
            make_folder(disk.folder)
