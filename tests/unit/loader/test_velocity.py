"""Events per minute of a key, by the time of receipt."""

import pytest

from qrumb_server.loader import velocity
from qrumb_server.loader.velocity import RateCounter

MINUTE_MS = 60_000
A, B = ("s", "a"), ("s", "b")


def test_events_of_one_window_add_up_by_key() -> None:
    """This one included; keys do not mix."""
    rates = RateCounter()
    assert [rates.count(A, 1_000 + n) for n in range(3)] == [1, 2, 3]
    assert rates.count(B, 2_000) == 1


def test_the_last_window_counts_for_the_part_that_is_still_within_a_minute() -> None:
    """Full at once after its end, half after half a minute."""
    for into_ms, still in ((0, 10), (MINUTE_MS // 2, 5), (MINUTE_MS * 9 // 10, 1)):
        rates = RateCounter()
        for _ in range(10):
            rates.count(A, MINUTE_MS * 7 + 1)
        assert rates.count(A, MINUTE_MS * 8 + into_ms) == pytest.approx(1 + still)


def test_a_pause_forgets() -> None:
    """Two windows later nothing is left."""
    rates = RateCounter()
    rates.count(A, 1)
    assert rates.count(A, 2 * MINUTE_MS) == 1


def test_a_late_segment_counts_in_the_window_that_is_open() -> None:
    """It does not turn time back for the others."""
    rates = RateCounter()
    rates.count(A, MINUTE_MS + 5)
    assert rates.count(A, MINUTE_MS - 1) == 2
    assert rates.count(A, MINUTE_MS + 6) == 3


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound new keys are not remembered; known ones still are."""
    monkeypatch.setattr(velocity, "MAX_KEYS", 2)
    rates = RateCounter()
    for key in (A, B, ("s", "c")):
        rates.count(key, 1)
    assert rates.count(("s", "c"), 2) == 1
    assert rates.count(A, 3) == 2
    assert len(rates._current) == 2
