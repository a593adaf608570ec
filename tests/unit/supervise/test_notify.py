"""What a service manager is told, over real sockets of both kinds."""

import socket
from pathlib import Path

import pytest

from qrumb_server.supervise.notify import READY, STOPPING, notify


@pytest.mark.parametrize("is_abstract", [False, True], ids=["path", "abstract"])
def test_each_state_is_one_datagram(tmp_path: Path, is_abstract: bool) -> None:
    """As systemd reads them."""
    name = f"@qrumb-{tmp_path.name}-{id(tmp_path)}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if is_abstract else name)
        manager.settimeout(5)
        notify(name, READY)
        notify(name, STOPPING)
        assert [manager.recv(100), manager.recv(100)] == [b"READY=1", b"STOPPING=1"]


def test_a_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    """Nor does none at all."""
    notify("", READY)
    notify(str(tmp_path / "nowhere"), READY)
