"""From the facts of a node to its condition and the reasons in words: pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from qrumb.v1.status_service_pb2 import GetStatusResponse
from qrumb_server.supervise.child import HUNG_AFTER, ChildState
from qrumb_server.supervise.spool_watch import SpoolLook
from qrumb_server.wire.v1.process_service_pb2 import GetCollectingResponse, GetLoadingResponse
from qrumb_server.words import counted

__all__ = ["READY", "Assessment", "Facts", "assess", "sites_turned_away"]

READY: Final = GetStatusResponse.READY
DEGRADED: Final = GetStatusResponse.DEGRADED
NOT_READY: Final = GetStatusResponse.NOT_READY
# Where a human should begin to look.
FILLING_PART: Final = 0.25
FILLING_SOON: Final = timedelta(hours=1)
# Of what must stay free on the disk.
LOW_DISK_FACTOR: Final = 2
# While ClickHouse takes rows, an event waits for a second or two.
LONG_WAIT: Final = timedelta(minutes=1)
# A good disk answers within milliseconds, a busy one within a second or two.
LONG_SILENCE: Final = timedelta(seconds=5)

AWAY: Final[Mapping[ChildState, str]] = {
    ChildState.STARTING: "is starting",
    ChildState.SILENT: (
        f"does not answer; it is killed and started again once that has lasted {HUNG_AFTER.total_seconds():.0f} s"
    ),
    ChildState.ENDED: "has ended; it is started again",
}
# What ClickHouse's own numbers mean to an operator; any other is shown by its number alone.
STORE_ERRORS: Final[Mapping[int, str]] = {
    **dict.fromkeys((16, 47, 60, 81), "its tables are not as they should be; see the log"),
    **dict.fromkeys((192, 193, 194, 497, 516), "it does not let its user in, or not do this"),
    **dict.fromkeys((159, 209), "it does not answer in time"),
    **dict.fromkeys((225, 999), "it cannot reach its ZooKeeper or Keeper"),
    **dict.fromkeys((33, 40, 228, 246), "it cannot read what it has stored: files are damaged"),
    **dict.fromkeys((74, 75, 76), "it cannot read or write its files"),
    **dict.fromkeys((285, 286, 289, 319), "not enough of its replicas are there"),
    **dict.fromkeys((164, 242), "it is read-only"),
    # Without a number: there was no connection, or it broke.
    **dict.fromkeys((0, 32, 210, 279), "it cannot be reached"),
    202: "it has too many queries at a time",
    241: "it has no memory left",
    243: "its disk is full",
    252: "it has too many parts, since its merges lag behind",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a node at one moment."""

    is_stopping: bool
    collectors: Mapping[str, ChildState]
    """How each worker is."""
    others: Mapping[str, ChildState]
    spool: SpoolLook
    loading: GetLoadingResponse | None
    """None where the loader does not answer."""
    collecting: Mapping[str, GetCollectingResponse] = field(default_factory=dict)
    """What each worker said that answered."""
    is_sites_file_broken: bool = False
    """An earlier state of sites.toml counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """How a node is."""

    condition: GetStatusResponse.Condition
    reasons: list[str]
    cause: str = ""
    """Of NOT_READY: a stable name for ErrorInfo."""


def assess(facts: Facts) -> Assessment:
    """READY, DEGRADED or NOT_READY, with everything that is wrong; what makes it NOT_READY first."""
    cause, reason = _obstacle(facts)
    reasons = [*([reason] if reason else []), *_processes(facts), *_store(facts), *_spool(facts.spool), *_sites(facts)]
    if cause:
        return Assessment(condition=NOT_READY, reasons=reasons, cause=cause)
    return Assessment(condition=DEGRADED if reasons else READY, reasons=reasons)


def sites_turned_away(facts: Facts) -> tuple[set[str], set[str]]:
    """Sites that have their share of the spool, and sites that have been over their quota for long."""
    said = facts.collecting.values()
    at_share = {site_id for one in said for site_id in one.sites_at_share}
    over_quota = {site_id for one in said for site_id in one.sites_over_quota}
    return at_share, over_quota


def _obstacle(facts: Facts) -> tuple[str, str]:
    """What keeps the node from taking events: its name and its words; empty if nothing does."""
    if facts.is_stopping:
        return "STOPPING", "the node is stopping"
    serving = {name for name, state in facts.collectors.items() if state is ChildState.SERVING}
    if not serving:
        return "NO_COLLECTOR", "no collector process is serving"
    look = facts.spool
    if look.is_disk_full:
        return "SPOOL_FULL", (
            f"the disk is full: {_bytes(look.free_bytes)} are free and {_bytes(look.min_free_bytes)} must stay; "
            "no events are taken until there is room"
        )
    if serving <= look.unusable_workers:
        return "SPOOL_UNUSABLE", (
            "no worker can write into its folder of the spool: it is missing, or may not be written; "
            "no events are taken beyond the files that are open"
        )
    if serving <= look.full_workers | look.unusable_workers:
        return "SPOOL_FULL", (
            f"the spool is full ({_bytes(look.usage.total_bytes)}); no events are taken until ClickHouse has taken some"
        )
    return "", ""


def _processes(facts: Facts) -> Iterator[str]:
    if facts.is_stopping:  # they end one after another, as they should
        return
    for name, state in (*facts.collectors.items(), *facts.others.items()):
        if state is not ChildState.SERVING:
            yield f"{name} {AWAY[state]}"
    for name, said in facts.collecting.items():
        if said.disk_silent_seconds > LONG_SILENCE.total_seconds():
            silent_for = _duration(timedelta(seconds=said.disk_silent_seconds))
            yield f"{name}'s disk has not answered for {silent_for}; events that are sent to it wait"
    if facts.loading is None and facts.others.get("loader") is ChildState.SERVING:
        yield "loader does not answer"


def _store(facts: Facts) -> Iterator[str]:
    loading = facts.loading
    if loading is None:
        return
    yield from loading.reasons
    if not loading.store_error:
        return
    code = loading.store_error_code
    number = f" (code {code})" if code else ""
    why = "it refuses, and needs a human" if loading.is_refused else "it fails for now"
    if code or not loading.is_refused:
        why = STORE_ERRORS.get(code, why)
    yield f"ClickHouse does not take rows{number}: {why}; events are kept in the spool meanwhile"


def _sites(facts: Facts) -> Iterator[str]:
    at_share, over_quota = sites_turned_away(facts)
    if at_share:
        has, their = ("has", "its") if len(at_share) == 1 else ("have", "their")
        yield f"{_sites_in_words(at_share)} {has} reached {their} share of the spool and {their} events are turned away"
    if over_quota:
        has, their = ("has", "its") if len(over_quota) == 1 else ("have", "their")
        yield (
            f"{_sites_in_words(over_quota)} {has} been over {their} quota for more than a minute and {their} events "
            "are turned away"
        )
    if facts.is_sites_file_broken:
        yield (
            "sites.toml, or a plan, cannot be used as it is, so the last good state counts; `qrumb sites check` and "
            "`qrumb plan check` say why"
        )


def _sites_in_words(site_ids: Collection[str]) -> str:
    """How many: which ones is for the operator alone."""
    return counted(len(site_ids), "site")


def _spool(look: SpoolLook) -> Iterator[str]:
    used = look.usage.total_bytes
    part = used / look.limit_bytes if look.limit_bytes else 1.0
    is_filling = look.full_in is not None and look.full_in < FILLING_SOON
    # On a full disk the spool may hold no more than it does: that is the disk's doing, and said of it.
    if not look.is_disk_full and (part > FILLING_PART or is_filling):
        forecast = "" if look.full_in is None else f"; at this speed it is full in {_duration(look.full_in)}"
        yield f"the spool is {part:.0%} full: {_bytes(used)} of {_bytes(look.limit_bytes)}{forecast}"
    if look.silent_for is not None:
        yield f"the spool's disk has not answered for {_duration(look.silent_for)}; the spool's figures are older"
    for text in look.faults:
        yield f"the node cannot look at {text}; its figures leave that out"
    for name in sorted(look.unusable_workers):
        yield f"{name} cannot write into its folder of the spool: it is missing, or may not be written"
    for name in sorted(look.full_workers):
        yield f"{name} has no room left in its spool and turns events away"
    if look.usage.oldest_age is not None and look.usage.oldest_age > LONG_WAIT:
        yield f"the oldest event has been waiting for ClickHouse for {_duration(look.usage.oldest_age)}"
    if look.usage.quarantined_segments:
        yield (
            f"damaged segments were put aside in spool/quarantine ({look.usage.quarantined_segments}): what could be "
            "read of them is stored; see the log, then move them away"
        )
    if look.is_disk_known and not look.is_disk_full and look.free_bytes < LOW_DISK_FACTOR * look.min_free_bytes:
        yield (
            f"the disk is nearly full: {_bytes(look.free_bytes)} are free, "
            f"below {_bytes(look.min_free_bytes)} no events are taken"
        )


def _bytes(number: int) -> str:
    size = float(number)
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _duration(length: timedelta) -> str:
    seconds = length.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
