"""The data folder and the ports are taken before anything starts; what is in the way is told in one line."""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from qrumb_server.errors import ConfigError
from qrumb_server.supervise.surroundings import (
    enter_run_dir,
    holder_of,
    is_data_dir_in_use,
    lock_data_dir,
    reserve_port_for_quic,
)
from tests.support.ports import claimed_port


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
    with pytest.raises(ConfigError, match=re.escape(f"{file} is no folder; set DATA_DIR")):
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
    with pytest.raises(ConfigError, match=r"lock: is no plain file; remove it"):
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
