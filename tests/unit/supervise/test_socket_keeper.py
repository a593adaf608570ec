"""A socket whose name was deleted has it back; only where no name is left its process must listen anew."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from qrumb_server.supervise.sockets import SocketKeeper

NAME = "a.sock"


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path) -> Iterator[None]:
    """Work in a folder of the test's own."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


def listener() -> socket.socket:
    """Listens under the name."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(NAME)
    listening.listen()
    return listening


def keeper() -> SocketKeeper:
    """Looks after the one name."""

    async def never(_lost: object) -> None:
        raise AssertionError("looking must not make processes listen anew")

    return SocketKeeper(lambda: [NAME], enter_folder=lambda: None, listen_anew=never)


def is_reachable() -> bool:
    """Whether a process listens under the name."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(NAME) == 0


@pytest.mark.parametrize("is_file_in_its_place", [False, True], ids=["deleted", "a file in its place"])
def test_a_name_is_made_again_for_the_socket_that_had_it(is_file_in_its_place: bool) -> None:
    """The process that listens notices nothing."""
    kept = keeper()
    with listener():
        assert not kept.look()
        Path(NAME).unlink()
        if is_file_in_its_place:
            Path(NAME).write_text("")
        assert not is_reachable()
        assert not kept.look()
        assert is_reachable()


def test_a_process_that_listens_again_keeps_its_new_socket() -> None:
    """The spare name follows: it never brings a dead socket back over a living one."""
    kept = keeper()
    with listener():
        kept.look()
    Path(NAME).unlink()
    with listener():
        kept.look()
        assert is_reachable()
        Path(NAME).unlink()
        kept.look()
        assert is_reachable()


def test_a_socket_without_any_name_is_told() -> None:
    """Its process has to listen anew; from then on it is kept like any other."""
    kept = keeper()
    with listener():
        assert not kept.look()
        Path(NAME).unlink()
        Path("spare", NAME).unlink()
        assert kept.look() == {NAME}
    with listener():
        assert not kept.look()
