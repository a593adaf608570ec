"""Is the machine fit for a node: programs, data folder, disk, clock, limits, ports.

Nothing is changed, apart from a file of some kilobytes without a name that is written where the spool would be.
"""

import contextlib
import ctypes
import os
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from qrumb_server.app.doctor.finding import Check, Finding, fault, note, refused, well
from qrumb_server.config import Settings
from qrumb_server.errors import ConfigError
from qrumb_server.ports import Clock
from qrumb_server.rpc.hotpath import is_built
from qrumb_server.supervise.surroundings import holder_of, reserve_port, reserve_port_for_quic

__all__ = ["MACHINE"]

GIB: Final = 1024**3
# A disk that a service should not share, and one with which senders' deadlines pass.
SLOW_SYNC: Final = timedelta(milliseconds=20)
UNUSABLE_SYNC: Final = timedelta(milliseconds=500)
SYNCS: Final = 20
SYNC_BYTES: Final = 4096
# What forgets its files when the machine restarts, or the container is replaced.
FORGETFUL: Final = {
    "tmpfs": "in memory: a restart of the machine loses what was acknowledged; set DATA_DIR to a folder on a disk",
    "ramfs": "in memory: a restart of the machine loses what was acknowledged; set DATA_DIR to a folder on a disk",
    "overlay": "a container's own layer, which goes with it; mount a volume there",
}
# adjtimex(2): the clock is not synchronised.
UNSYNCHRONISED: Final = 0x40
TIMEX_BYTES: Final = 512
STATUS_OFFSET: Final = 40  # of `status` in struct timex of 64-bit Linux
PROGRAMS: Final = ("setpriv", "sh")


def _programs(_settings: Settings, _clock: Clock) -> Iterator[Finding]:
    for name in PROGRAMS:
        if shutil.which(name) is None:
            yield fault("programs", f"{name} is missing, with which processes are started", "install util-linux")
    if is_built():
        yield well("programs", "events are judged by the compiled way")
    else:
        yield note("programs", "events are judged by Python alone, at several times the cost", "build it: make setup")


def _data_folder(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    folder = settings.data_dir
    place = _nearest(folder)
    try:
        holder = holder_of(folder)
    except ConfigError as error:
        yield from refused("data folder", error)
        return
    if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
        yield fault(
            "data folder",
            f"{place}: user {os.geteuid()} may not write there" if place.is_dir() else f"{place} is not a folder",
            "change its owner, or set DATA_DIR",
        )
        return
    closed = [own for own in settings.own_dirs if own.exists() and not os.access(own, os.W_OK | os.X_OK)]
    for own in closed:
        yield fault("data folder", f"{own}: user {os.geteuid()} may not write there", "change its owner")
    if closed:
        return
    kind = _file_system(place)
    if kind in FORGETFUL:
        found, _, fix = FORGETFUL[kind].rpartition("; ")
        yield note("data folder", f"{folder}: {kind}, {found}", fix)
    if holder is not None:
        yield well("data folder", f"{folder}: a node works there (process {holder}); `qrumb status` says how it is")
    elif folder.exists():
        yield well("data folder", f"{folder} ({kind})")
    else:
        yield well("data folder", f"{folder}: not there yet, made at the first start ({kind})")


def _room(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    free = shutil.disk_usage(_nearest(settings.data_dir)).free
    least, most = settings.spool.min_free_bytes, settings.spool.max_bytes
    said = f"{free / GIB:,.1f} GiB free"
    if free < least:
        yield fault("disk room", f"{said}; below {least / GIB:,.2f} no events are taken", "make room")
    elif free < most + least:
        yield note(
            "disk room",
            f"{said}; the spool may grow to {most / GIB:,.1f} GiB (spool.max_bytes) in an outage",
            "make room, or set spool.max_bytes to what there is",
        )
    else:
        yield well("disk room", said)


def _sync(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    place = _nearest(settings.data_dir)
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            took = [_sync_once(file.fileno()) for _ in range(SYNCS)]
    except OSError as error:
        yield fault("disk sync", f"{place}: {error.strerror}", "see the machine's log (dmesg)")
        return
    usual, worst = statistics.median(took), max(took)
    said = f"{usual * 1000:,.1f} ms, at worst {worst * 1000:,.1f} of {SYNCS}: each answer waits for one"
    if usual > UNUSABLE_SYNC.total_seconds():
        yield fault("disk sync", said, "take another disk")
    elif usual > SLOW_SYNC.total_seconds():
        yield note("disk sync", said, "take a faster disk, or one of its own")
    else:
        yield well("disk sync", said)


def _sync_once(descriptor: int) -> float:
    os.write(descriptor, b"\0" * SYNC_BYTES)
    begun = time.perf_counter()
    os.fdatasync(descriptor)
    return time.perf_counter() - begun


def _clock_kept(_settings: Settings, clock: Clock) -> Iterator[Finding]:
    now = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    made = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    if now < made - timedelta(days=1):
        yield fault("clock", f"{now:%Y-%m-%dT%H:%MZ}, before this version was installed", "set the clock")
        return
    said = f"{now:%Y-%m-%dT%H:%M:%SZ}"
    if _is_clock_kept():
        yield well("clock", f"{said}, kept in time")
    else:
        yield note(
            "clock",
            f"{said}; the kernel does not know of anything that keeps it",
            "timedatectl set-ntp true, or chrony",
        )


def _is_clock_kept() -> bool:
    """Asks the kernel; True where it does not answer."""
    answer = ctypes.create_string_buffer(TIMEX_BYTES)
    with contextlib.suppress(AttributeError, OSError):
        if ctypes.CDLL(None, use_errno=True).adjtimex(answer) >= 0:
            status = int.from_bytes(answer.raw[STATUS_OFFSET : STATUS_OFFSET + 4], "little")
            return not status & UNSYNCHRONISED
    return True


def _limits(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    gateway = settings.gateway
    needed = gateway.max_connections + 2 * gateway.max_concurrent_requests
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        yield note(
            "open files",
            f"{hard:,} allowed; the gateway may need {needed:,}",
            "raise it (ulimit -n, LimitNOFILE=), or lower gateway.max_connections",
        )
    else:
        yield well("open files", f"{'any number' if hard == resource.RLIM_INFINITY else f'{hard:,}'} allowed")


def _ports(settings: Settings, _clock: Clock) -> Iterator[Finding]:
    with contextlib.suppress(ConfigError):
        if holder_of(settings.data_dir) is not None:
            yield well("ports", "not tried: the running node has them")
            return
    reserve = reserve_port_for_quic if settings.gateway.http3 else reserve_port
    wanted = [(settings.grpc_host, settings.grpc_port, "GRPC_PORT", reserve_port)]
    if settings.gateway.enabled:
        wanted.append((settings.http_host, settings.http_port, "HTTP_PORT", reserve))
    if settings.metrics.enabled:
        wanted.append((settings.metrics.host, settings.metrics.port, "METRICS_PORT", reserve_port))
    for host, port, setting, take in wanted:
        try:
            take(host, port, setting).close()
        except ConfigError as error:
            yield from refused("ports", error)
        else:
            yield well("ports", f"{host}:{port or 'any'} is free ({setting})")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _file_system(place: Path) -> str:
    """The kind of file system that a folder is on; empty where it cannot be told."""
    found = (Path("/"), "")
    resolved = place.resolve()
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
            _device, mounted, kind, *_rest = line.split()
            mount = Path(mounted.replace("\\040", " "))
            if resolved.is_relative_to(mount) and len(mount.parts) >= len(found[0].parts):
                found = (mount, kind)
    return found[1]


MACHINE: Final[Sequence[Check]] = (_programs, _data_folder, _room, _sync, _clock_kept, _limits, _ports)
"""In the order of a start."""
