"""Says to the service manager how the node is: systemd's sd_notify protocol, for units of Type=notify.

Invariant: a node runs the same whether it is listened to or not; what cannot be said is logged and left.
"""

import socket
from typing import Final

import structlog

__all__ = ["READY", "STOPPING", "notify"]

log = structlog.get_logger()

READY: Final = "READY=1"
STOPPING: Final = "STOPPING=1"


def notify(address: str, state: str) -> None:
    """Send one state.

    Args:
        address: the value of NOTIFY_SOCKET, a path or, after an @, an abstract name; empty: no manager listens.
        state: lines of NAME=VALUE.
    """
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.connect(name)
            sender.sendall(state.encode())
    except OSError as error:
        log.warning("service_manager_not_told", state=state, error=error.strerror, fix="see NotifyAccess in the unit")
