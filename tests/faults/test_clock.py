"""Clocks that step, both ways, under a worker and a loader."""

from datetime import timedelta
from pathlib import Path

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb_server.app.clock import SteadyClock
from qrumb_server.model import Caller, RawEvent, SitePolicy, Source, StampedEvent
from qrumb_server.pipeline.run import judge
from qrumb_server.pipeline.stamp import Arrival, Enrichers
from qrumb_server.spool.reader import list_sealed, usage
from tests.support.rig import record, spool_up

HOUR_MS = 3_600_000
NOON_MS = 1_790_000_000_000


class SteppingClock:
    """Shows what it is set to."""

    def __init__(self, now_ms: int) -> None:
        self.time_ms = now_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self.time_ms


def receive(clock: SteadyClock, event_time_ms: int | None = None) -> tuple[int, int, list[str]]:
    """received_time and event_time of an event that comes now, and the warnings it is answered with."""
    event = BrowserEvent(site_id="s", event_type="click")
    if event_time_ms is not None:
        event.event_time.FromMilliseconds(event_time_ms)
    arrival = Arrival(
        received_time_ms=clock.now_ms(),
        retention_ms=400 * 24 * HOUR_MS,
        make_event_id=lambda _event: "00000000-0000-4000-8000-000000000000",
    )
    [verdict] = judge([RawEvent(source=Source.BROWSER, message=event, caller=Caller(), index=0)], arrival)
    assert isinstance(verdict, StampedEvent)
    row = verdict.record.accepted_event.row
    return row.received_time.ToMilliseconds(), row.event_time.ToMilliseconds(), [w.field for w in verdict.warnings]


def test_received_time_never_goes_back_within_a_worker() -> None:
    """While the machine's clock is behind it stands still; where the clock jumps ahead it follows."""
    machine = SteppingClock(NOON_MS)
    clock = SteadyClock(machine, monotonic_ns=lambda: 0)  # no time passes but what the machine shows
    times = []
    for step_ms in (0, 5, -HOUR_MS, 1, HOUR_MS, -1, 24 * HOUR_MS, -24 * HOUR_MS, 0):
        machine.time_ms += step_ms
        times.append(receive(clock)[0])
    assert times == sorted(times)
    assert times[:4] == [NOON_MS, NOON_MS + 5, NOON_MS + 5, NOON_MS + 5]
    assert times[-1] == NOON_MS + 24 * HOUR_MS + 5


def test_a_true_event_time_after_a_step_back_is_kept() -> None:
    """The sender's clock is right, ours was set back an hour: no warning, and its time is its time."""
    machine = SteppingClock(NOON_MS)
    clock = SteadyClock(machine)
    receive(clock)
    machine.time_ms -= HOUR_MS
    assert receive(clock, NOON_MS + 1_000) == (NOON_MS, NOON_MS + 1_000, [])


def test_an_event_time_that_cannot_be_true_is_corrected_with_a_warning() -> None:
    """An hour ahead of us."""
    clock = SteadyClock(SteppingClock(NOON_MS))
    assert receive(clock, NOON_MS + HOUR_MS) == (NOON_MS, NOON_MS, ["event_time"])


def test_segments_from_a_clock_that_was_ahead_are_no_older_than_now(tmp_path: Path) -> None:
    """Their age is zero, not negative, and they are listed for loading like any other."""
    spool_up(tmp_path, [[record("00000000-0000-4000-8000-000000000000", NOON_MS)]], SteppingClock(NOON_MS + HOUR_MS))
    assert len(list_sealed(tmp_path)) == 1
    assert usage(tmp_path, now_ms=NOON_MS).oldest_age == timedelta(0)


def test_an_event_time_older_than_its_site_keeps_rows_is_corrected() -> None:
    """Per site; at most the tables' own time."""
    policies = {"short": SitePolicy(retention_ms=24 * HOUR_MS)}
    arrival = Arrival(
        received_time_ms=NOON_MS,
        retention_ms=400 * 24 * HOUR_MS,
        make_event_id=lambda _event: "00000000-0000-4000-8000-000000000000",
        enrichers=Enrichers(policy=lambda site_id: policies.get(site_id, SitePolicy())),
    )
    for site_id, hours, is_kept in (
        ("short", 24, True),
        ("short", 25, False),
        ("long", 25, True),
        ("long", 400 * 24 + 1, False),
    ):
        event = BrowserEvent(site_id=site_id, event_type="click")
        event.event_time.FromMilliseconds(NOON_MS - hours * HOUR_MS)
        [verdict] = judge([RawEvent(source=Source.BROWSER, message=event, caller=Caller(), index=0)], arrival)
        assert isinstance(verdict, StampedEvent)
        row = verdict.record.accepted_event.row
        assert (row.event_time.ToMilliseconds() == NOON_MS - hours * HOUR_MS) is is_kept
        assert len(verdict.warnings) == (not is_kept)
