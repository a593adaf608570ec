"""The node's unix sockets: their names, and what keeps them there.

Names are relative: every process of a node works in the run folder, so that a long DATA_DIR does not run into the 108
bytes that a unix socket's path may have.

A socket whose name was deleted has it back within a second. A listening socket is reached through any name of its file,
so each has a second name, in a folder beside, from which the first is made again, and its process notices nothing.
Where both are gone, its process has to listen anew.
"""

import os
import stat
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from pathlib import Path
from typing import Final

import structlog

from qrumb_server.errors import ConfigError
from qrumb_server.supervise.pulse import next_turn

__all__ = ["CHANNEL_OPTIONS", "GATEWAY_ADMIN", "LOADER", "QUERIES", "STATUS", "SocketKeeper", "worker"]

log = structlog.get_logger()

# Of the loader: one for this node, and one for callers from outside, who need a key.
LOADER: Final = "loader.sock"
QUERIES: Final = "queries.sock"
STATUS: Final = "status.sock"
# Two by turns: while one gateway takes over from another, both have one.
GATEWAY_ADMIN: Final = ("gateway-admin.sock", "gateway-admin-2.sock")
# Answers of our own processes may be longer than the 4 MiB that gRPC takes unless told otherwise.
CHANNEL_OPTIONS: Final = (("grpc.max_receive_message_length", -1),)
# Where the second names are, and how often the first are looked for.
SPARE_FOLDER: Final = Path("spare")
INTERVAL_SECONDS: Final = 1.0
# What comes and goes in one tick of the filesystem's clock leaves a folder's time as it was.
TICK_SECONDS: Final = 0.1


def worker(index: int) -> str:
    """The socket on which the gateway reaches one collector worker."""
    return f"worker-{index}.sock"


class SocketKeeper:
    """Looks after sockets in the working folder.

    Args:
        names: of the sockets on which processes listen at the time.
        enter_folder: makes the working folder the one where they are to be, a new one if need be. May raise OSError
            or ConfigError.
        listen_anew: told of sockets that no name is left of; makes their processes listen again.
    """

    def __init__(
        self,
        names: Callable[[], Iterable[str]],
        *,
        enter_folder: Callable[[], None],
        listen_anew: Callable[[Collection[str]], Awaitable[None]],
    ) -> None:
        self._names = names
        self._enter_folder = enter_folder
        self._listen_anew = listen_anew
        self._state: object = None
        self._since = self._looked = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                lost = self.look()
            except (OSError, ConfigError) as error:
                log.error("sockets_not_kept", error=str(error))
            else:
                if lost:
                    log.error("sockets_lost", names=sorted(lost))
                    await self._listen_anew(lost)
            await next_turn(INTERVAL_SECONDS)

    def look(self) -> Collection[str]:
        """Put names back, and return the sockets of which none is left. Raises OSError."""
        self._enter_folder()
        if not SPARE_FOLDER.is_dir():  # asked first: on a filesystem that is frozen, making one waits, looking does not
            SPARE_FOLDER.mkdir(mode=0o700)
        names, begun = tuple(self._names()), time.monotonic()
        # Folders into which nothing came since need no second look.
        state = names, _entries_of(Path()), _entries_of(SPARE_FOLDER)
        if state != self._state:
            self._state, self._since = state, begun
        elif self._looked > self._since + TICK_SECONDS:
            return ()
        lost = {name for name in names if not _keep(Path(name), SPARE_FOLDER / name)}
        if not lost:
            self._looked = begun
        return lost


def _entries_of(folder: Path) -> tuple[int, ...]:
    """Changes with its entries."""
    found = folder.stat()
    return found.st_ctime_ns, found.st_ino, found.st_dev


def _keep(name: Path, spare: Path) -> bool:
    """Whether a socket has its name, or has it again; its spare name then is one of the same socket."""
    found, kept = _socket(name), _socket(spare)
    if found is not None:
        if kept is None or not os.path.samestat(found, kept):  # its process was started again
            spare.unlink(missing_ok=True)
            spare.hardlink_to(name)
        return True
    if kept is None:
        return False
    if os.path.lexists(name):
        name.unlink()
    # Fails where its process has begun to listen again in this moment: its new socket must not lose its name.
    name.hardlink_to(spare)
    log.warning("socket_name_restored", name=name.name)
    return True


def _socket(path: Path) -> os.stat_result | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found if stat.S_ISSOCK(found.st_mode) else None
