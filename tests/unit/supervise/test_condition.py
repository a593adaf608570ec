"""Every reason has its words, and the condition follows from them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from qrumb.v1.status_service_pb2 import GetStatusResponse
from qrumb_server.spool.reader import SpoolUsage
from qrumb_server.supervise.child import ChildState
from qrumb_server.supervise.condition import Facts, assess
from qrumb_server.supervise.spool_watch import Growth, SpoolLook
from qrumb_server.wire.v1.process_service_pb2 import GetCollectingResponse, GetLoadingResponse

READY, DEGRADED, NOT_READY = GetStatusResponse.READY, GetStatusResponse.DEGRADED, GetStatusResponse.NOT_READY
SERVING = ChildState.SERVING
MIB = 1024 * 1024
GIB = 1024 * MIB
WORKERS = ("worker-0", "worker-1")
EMPTY = SpoolUsage(
    total_bytes=0, folder_bytes={}, sealed_segments=0, sealed_rows=0, quarantined_segments=0, oldest_age=None
)
LOOK = SpoolLook(
    usage=EMPTY,
    limit_bytes=8 * GIB,
    free_bytes=100 * GIB,
    min_free_bytes=GIB,
    full_in=None,
    full_workers=frozenset(),
)
WELL = Facts(
    is_stopping=False,
    collectors=dict.fromkeys(WORKERS, SERVING),
    others={"loader": SERVING, "gateway": SERVING},
    spool=LOOK,
    loading=GetLoadingResponse(),
)


def spool(**changes: object) -> Facts:
    """All well but for the spool."""
    return replace(WELL, spool=replace(LOOK, **changes))  # type: ignore[arg-type]


def used(**changes: object) -> Facts:
    """All well but for what is in the spool."""
    return spool(usage=replace(EMPTY, **changes))  # type: ignore[arg-type]


def collecting(*said: GetCollectingResponse) -> Facts:
    """All well but for what the workers say."""
    return replace(WELL, collecting=dict(zip(WORKERS, said, strict=False)))


def away(**changes: object) -> Facts:
    """All well but for the store."""
    return replace(WELL, loading=GetLoadingResponse(**changes))  # type: ignore[arg-type]


def test_all_well_is_ready_and_says_nothing() -> None:
    """No reason, no cause."""
    assessment = assess(WELL)
    assert (assessment.condition, assessment.reasons, assessment.cause) == (READY, [], "")


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (replace(WELL, collectors={"worker-0": SERVING, "worker-1": ChildState.ENDED}), "worker-1 has ended; it is"),
        (replace(WELL, others={"loader": ChildState.STARTING}, loading=None), "loader is starting"),
        (replace(WELL, others={"gateway": ChildState.SILENT}), "gateway does not answer; it is killed and started"),
        (replace(WELL, loading=None), "loader does not answer"),
        (away(store_error="cannot connect to db7:9000", store_error_code=210), "(code 210): it cannot be reached"),
        (away(store_error="no such table", is_refused=True, store_error_code=60), "(code 60): its tables are not as"),
        (
            away(store_error="no right", is_refused=True, store_error_code=711),
            "(code 711): it refuses, and needs a human",
        ),
        (away(store_error="odd", store_error_code=1001), "(code 1001): it fails for now"),
        (away(store_error="no space", store_error_code=243), "(code 243): its disk is full"),
        (away(store_error="too many parts", store_error_code=252), "(code 252): it has too many parts"),
        (away(store_error="read-only", is_refused=True, store_error_code=164), "(code 164): it is read-only"),
        (away(store_error="timeout", store_error_code=159), "(code 159): it does not answer in time"),
        (away(store_error="memory", store_error_code=241), "(code 241): it has no memory left"),
        (away(reasons=["loading pauses: the disk has no room"]), "loading pauses: the disk has no room"),
        (used(total_bytes=4 * GIB), "the spool is 50% full: 4.0 GiB of 8.0 GiB"),
        (spool(full_in=timedelta(minutes=40)), "full: 0 bytes of 8.0 GiB; at this speed it is full in 40 min"),
        (spool(full_workers=frozenset({"worker-1"})), "worker-1 has no room left"),
        (spool(unusable_workers=frozenset({"worker-1"})), "worker-1 cannot write into its folder of the spool"),
        (
            spool(faults=["worker-1's folder of the spool: permission denied"]),
            "the node cannot look at worker-1's folder of the spool: permission denied; its figures leave that out",
        ),
        (
            collecting(*(GetCollectingResponse(sites_at_share=["db7"]) for _ in WORKERS)),
            "1 site has reached its share of the spool and its events are turned away",
        ),
        (
            collecting(*(GetCollectingResponse(sites_at_share=[name]) for name in ("db7", "db8"))),
            "2 sites have reached their share of the spool and their events are turned away",
        ),
        (
            collecting(GetCollectingResponse(sites_over_quota=["db7"])),
            "1 site has been over its quota for more than a minute and its events are turned away",
        ),
        (
            collecting(GetCollectingResponse(), GetCollectingResponse(disk_silent_seconds=40)),
            "worker-1's disk has not answered for 40 s; events that are sent to it wait",
        ),
        (spool(silent_for=timedelta(seconds=9)), "the spool's disk has not answered for 9 s; the spool's figures"),
        (used(oldest_age=timedelta(minutes=3)), "waiting for ClickHouse for 3 min"),
        (used(quarantined_segments=2), "spool/quarantine (2)"),
        (spool(free_bytes=GIB + 200 * MIB), "the disk is nearly full: 1.2 GiB are free, below 1.0 GiB"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_needs_attention_is_degraded_with_its_reason(facts: Facts, words: str) -> None:
    """One thing, one sentence; and nothing of what ClickHouse said word by word."""
    assessment = assess(facts)
    assert assessment.condition == DEGRADED
    [reason] = assessment.reasons
    assert words in reason
    assert "db7" not in reason


@pytest.mark.parametrize(
    ("facts", "cause", "words"),
    [
        (replace(WELL, is_stopping=True), "STOPPING", "the node is stopping"),
        (
            replace(WELL, collectors=dict.fromkeys(WORKERS, ChildState.ENDED)),
            "NO_COLLECTOR",
            "no collector process is serving",
        ),
        (spool(free_bytes=700 * MIB), "SPOOL_FULL", "the disk is full: 700 MiB are free and 1.0 GiB must stay"),
        (spool(full_workers=frozenset(WORKERS)), "SPOOL_FULL", "the spool is full"),
        (spool(unusable_workers=frozenset(WORKERS)), "SPOOL_UNUSABLE", "no worker can write into its folder"),
    ],
    ids=["stopping", "no collector", "disk", "spool", "unusable"],
)
def test_what_takes_no_events_is_not_ready_and_says_so_first(facts: Facts, cause: str, words: str) -> None:
    """The first reason is the one that matters."""
    assessment = assess(facts)
    assert (assessment.condition, assessment.cause) == (NOT_READY, cause)
    assert assessment.reasons[0].startswith(words)


def test_of_a_node_that_stops_no_process_is_missed() -> None:
    """They end one after another, as they should."""
    facts = replace(WELL, is_stopping=True, others=dict.fromkeys(WELL.others, ChildState.SILENT), loading=None)
    assert assess(facts).reasons == ["the node is stopping"]


def test_the_only_serving_worker_being_full_is_not_ready() -> None:
    """A full worker beside one that is away takes as little as two full ones."""
    facts = replace(
        spool(full_workers=frozenset({"worker-0"})), collectors={"worker-0": SERVING, "worker-1": ChildState.ENDED}
    )
    assert assess(facts).condition == NOT_READY


def grown(path: Callable[[int], int], seconds: int) -> float:
    """The speed after a number of bytes went that way, looked at every second."""
    now = 0
    growth = Growth(monotonic=lambda: float(now))
    for now in range(seconds + 1):
        growth.add(path(now))
    return growth.bytes_per_second()


def test_growth_is_measured_from_the_last_low() -> None:
    """An outage that has just begun counts at its own speed, not diluted by the quiet minutes before."""
    assert grown(lambda second: max(second - 60, 0) * 100, 90) == pytest.approx(100, rel=0.1)
    assert grown(lambda second: second * 100, 1_000) == pytest.approx(100)


def test_a_burst_a_standstill_and_a_drain_are_no_growth() -> None:
    """A forecast from a few seconds would be a guess."""
    assert grown(lambda second: second * 100, 8) == 0
    assert grown(lambda _second: 5_000, 60) == 0
    assert grown(lambda second: 100_000 - second * 100, 60) == 0


def test_what_has_stopped_growing_has_no_forecast() -> None:
    """As where one site has its share: what it sent until then says nothing of what comes."""
    assert grown(lambda second: min(second, 60) * 100, 76) == 0


def test_a_disk_that_others_have_filled_is_the_one_reason() -> None:
    """The spool may then hold no more than it does: it would be called 100 % full, of 0 bytes."""
    assessment = assess(spool(free_bytes=100 * MIB, limit_bytes=0))
    assert assessment.condition == NOT_READY
    [reason] = assessment.reasons
    assert reason.startswith("the disk is full: 100 MiB are free and 1.0 GiB must stay")
