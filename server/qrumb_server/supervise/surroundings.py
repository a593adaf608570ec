"""What a node needs to itself before it starts: its data folder and its ports. Each refusal is one clear line."""

import contextlib
import errno
import fcntl
import os
import resource
import socket
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from qrumb_server.errors import ConfigError, StartError

__all__ = [
    "DATA_DIR_MODE",
    "LOCK_TIMEOUT",
    "allow_open_files",
    "enter_run_dir",
    "holder_of",
    "is_data_dir_in_use",
    "keep_lock",
    "lock_data_dir",
    "make_folder",
    "reserve_port",
    "reserve_port_for_quic",
    "wait_for_room",
]

log = structlog.get_logger()

LOCK_NAME: Final = "lock"
# A predecessor that was killed lets go of its files within moments; one that drains needs longer.
LOCK_TIMEOUT: Final = timedelta(seconds=30)
# As the user's umask has it: certificates or a log may lie there too. What is ours in it is the user's alone.
DATA_DIR_MODE: Final = 0o777
# Children of a supervisor that was killed end meanwhile; an insert that is under way may be long on a busy machine.
ORPHAN_TIMEOUT: Final = timedelta(minutes=2)
POLL_SECONDS: Final = 0.05
# What a start writes, several times: settings, Envoy's configuration, and at the first one the engine's tables, whose
# definitions it leaves empty and unreadable for ever where there is no room for them.
START_BYTES: Final = 16 << 20
START_FILES: Final = 64
ROOM_POLL_SECONDS: Final = 0.5
# For a free TCP port whose UDP port is free too.
QUIC_TRIES: Final = 20


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make the data folder, or one in it, where there is none.

    Raises:
        ConfigError: it cannot be made, or this user cannot use it; names what is in the way.
        StartError: its disk is read-only, as a kernel leaves one that has failed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=mode)
    except OSError as error:
        # Of a file in the place of the folder or of one above it, the system says no more than "exists".
        blocking = next((path for path in (folder, *folder.parents) if path.exists() and not path.is_dir()), None)
        why = f"{blocking} is not a folder" if blocking is not None else str(error.strerror)
        raise ConfigError(f"{folder}: cannot be used as a folder of data: {why}; set DATA_DIR") from error
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise StartError(f"{folder}: its disk is read-only: mount it for writing, or set DATA_DIR")
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"{folder}: cannot be used as a folder of data: user {os.geteuid()} may not write there; "
            "change its owner, or set DATA_DIR"
        )


def wait_for_room(folder: Path, *, poll_seconds: float = ROOM_POLL_SECONDS) -> None:
    """Return once the folder's disk has room for what a start writes; the log says so where that is not at once."""
    is_told = False
    while (lacking := _lacking(os.statvfs(folder))) is not None:
        if not is_told:
            log.warning("start_waits_for_room", folder=str(folder), lacking=lacking)
            is_told = True
        time.sleep(poll_seconds)


def _lacking(disk: os.statvfs_result) -> str | None:
    if disk.f_bavail * disk.f_frsize < START_BYTES:
        return f"the disk is full: {START_BYTES >> 20} MiB must be free"
    if disk.f_files and disk.f_favail < START_FILES:  # some filesystems do not count files
        return "the disk holds as many files as it can"
    return None


def lock_data_dir(data_dir: Path) -> int:
    """Take the data folder for this node; returns the lock's descriptor, which every child inherits.

    The lock lives until the last process of the node has let go of it, so a supervisor that was killed still
    protects its children while they drain: this waits for them.

    Raises:
        ConfigError: the folder cannot be used, or a living node uses it.
    """
    make_folder(data_dir, DATA_DIR_MODE)
    descriptor = _open_lock(data_dir, os.O_CREAT)
    deadline = time.monotonic() + ORPHAN_TIMEOUT.total_seconds()
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            if _is_alive(holder) or time.monotonic() > deadline:
                os.close(descriptor)
                raise ConfigError(
                    f"{data_dir}: in use by another qrumb (process {holder or 'unknown'}); stop it or set DATA_DIR"
                ) from None
            time.sleep(POLL_SECONDS)
        else:
            break
    _sign(descriptor)
    os.set_inheritable(descriptor, True)
    return descriptor


def keep_lock(data_dir: Path, descriptor: int) -> None:
    """Take the data folder anew where the lock's file was deleted or replaced, so that commands find its node.

    Children that run already hold the old one: should this process be killed, the locks of the spool's folders and of
    the database still keep a successor waiting for them.

    Args:
        descriptor: what `lock_data_dir` returned; it is that of the new file afterwards.

    Raises:
        OSError: the disk refuses.
        ConfigError: as `lock_data_dir`.
    """
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat((data_dir / LOCK_NAME).lstat(), os.fstat(descriptor)):
            return
    new = _open_lock(data_dir, os.O_CREAT)
    try:
        fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _sign(new)
        os.dup2(new, descriptor)
    finally:
        os.close(new)
    log.warning("lock_restored", folder=str(data_dir))


def _sign(lock: int) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def holder_of(data_dir: Path) -> int | None:
    """The supervisor that works in the data folder, if one does. Raises as `is_data_dir_in_use`."""
    if not is_data_dir_in_use(data_dir):
        return None
    said = (data_dir / LOCK_NAME).read_text(errors="replace").strip()
    return int(said) if _is_alive(said) else None


def is_data_dir_in_use(data_dir: Path) -> bool:
    """Whether a process of a node holds the data folder; what a killed node left lying there does not count.

    Raises:
        ConfigError: it cannot be told: the data folder is not a folder, or belongs to another user.
    """
    try:
        descriptor = _open_lock(data_dir)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def enter_run_dir(run_dir: Path) -> None:
    """Make the run folder the working folder, without following a link in its place.

    Raises:
        ConfigError: it is a symbolic link, or cannot be entered.
    """
    try:
        descriptor = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(_refusal(run_dir, error)) from error
    try:
        os.fchdir(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(data_dir: Path, flags: int = 0) -> int:
    """The lock file's descriptor; never that of a file elsewhere, since the lock's content is overwritten.

    Raises:
        FileNotFoundError: it is not there.
        ConfigError: it cannot be opened, or is something else than a plain file.
    """
    path = data_dir / LOCK_NAME
    try:
        # Without O_NONBLOCK a pipe in its place would hold this up.
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(_refusal(path, error)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path}: is not a plain file; remove it")
    return descriptor


def _refusal(path: Path, error: OSError) -> str:
    if error.errno in {errno.ELOOP, errno.ENOTDIR} and path.is_symlink():
        return f"{path}: is a symbolic link, which is not followed; remove it"
    if isinstance(error, NotADirectoryError):
        return f"{path.parent}: is not a folder; set DATA_DIR"
    if isinstance(error, IsADirectoryError):
        return f"{path}: is not a plain file; remove it"
    if isinstance(error, PermissionError):
        return f"{path}: user {os.geteuid()} may not open it; act as the user that the node runs as, or set DATA_DIR"
    return f"{path}: cannot be used: {error.strerror}; set DATA_DIR"


def _is_alive(process_id: str) -> bool:
    if not process_id.isdecimal():
        return False
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def allow_open_files(needed: int) -> None:
    """Let this process and its children open as many files as they may.

    Args:
        needed: how many the gateway's settings may take; a warning where that is more.
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < needed:
        log.warning("few_open_files", limit=hard, needed=needed, fix="raise it (ulimit -n), or lower max_connections")


def reserve_port(host: str, port: int, setting: str) -> socket.socket:
    """Bind a port without listening, so that our own processes can share it and no other can slip in.

    The processes bind it again with SO_REUSEPORT; a socket that does not listen gets no connections.

    Args:
        port: 0 takes any free one; read it from the result.
        setting: name of the setting, for the error.

    Raises:
        ConfigError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Alone first: with SO_REUSEPORT a second qrumb would silently share the port.
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            port = probe.getsockname()[1]
        reserved = socket.socket(family)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"{host}:{port}: the port is taken; set {setting} to another one") from error
        raise ConfigError(f"{host}:{port}: cannot listen there: {error.strerror}; see {setting}") from error
    return reserved


def reserve_port_for_quic(host: str, port: int, setting: str) -> socket.socket:
    """`reserve_port`, on a port that is free over UDP too.

    The UDP port is only looked at: a bound UDP socket has no silent state as one for TCP has, and would swallow its
    share of the datagrams. Another program may take it before Envoy does, or while Envoy is started again; Envoy then
    says so.

    Raises:
        ConfigError: as `reserve_port`.
    """
    for last in range(QUIC_TRIES):
        reserved = reserve_port(host, port, setting)
        found = reserved.getsockname()[1]
        try:
            with socket.socket(reserved.family, socket.SOCK_DGRAM) as probe:
                probe.bind((host, found))
        except OSError as error:
            reserved.close()
            if port or last == QUIC_TRIES - 1:
                raise ConfigError(
                    f"{host}:{found}: the UDP port is taken, which HTTP/3 needs: set {setting} to another one, "
                    "or gateway.http3 = false"
                ) from error
        else:
            return reserved
    raise AssertionError("the last try returns or raises")
