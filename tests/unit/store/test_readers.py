"""Which questions that scan wait for each other while rows come in, and for how long."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from qrumb_server.ports import Asking, ReadLimits
from qrumb_server.store import readers as readers_module
from qrumb_server.store.readers import Readers


@pytest.mark.parametrize("ends", [0, 3])
def test_a_scan_waits_for_others_that_end_but_for_none_that_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: int
) -> None:
    """With four at once, whoever came last would else find its patience over, and scan beside the others."""
    readers = Readers(tmp_path, 2, lambda: True)
    waits = []

    def takes_turn(_asking: Asking) -> bool:
        waits.append(1)
        readers._scans += len(waits) <= ends
        return False

    monkeypatch.setattr(readers, "_takes_turn", takes_turn)
    assert readers._may_scan(asking()) is False
    assert len(waits) == ends + 1


def asking() -> Asking:
    """A question that scans."""
    return Asking(ReadLimits(max_seconds=60, max_memory_bytes=1 << 30, max_rows=0, max_threads=2), is_scan=True)


def test_who_has_left_waits_for_no_turn_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither while others scan for ever, nor with the turn in hand."""
    monkeypatch.setattr(readers_module, "_SCAN_PATIENCE_SECONDS", float("inf"))
    monkeypatch.setattr(readers_module, "_LOOK_SECONDS", 0.001)
    readers = Readers(tmp_path, 2, lambda: True)
    with readers._scan_turn(asking()):
        waiting = asking()
        threading.Timer(0.01, waiting.end).start()
        with readers._scan_turn(waiting):
            assert waiting.is_over
    readers._rested = time.monotonic() + 3600
    resting = asking()
    threading.Timer(0.01, resting.end).start()
    with readers._scan_turn(resting):
        assert resting.is_over
    assert readers._scanning.acquire(blocking=False)


def test_after_a_scan_none_of_another_question_begins_for_a_share_of_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loader has the cores meanwhile; but a scan of a minute is no reason for half a minute without one, and the
    statements of one question follow each other."""
    now = 100.0
    slept: list[float] = []
    monkeypatch.setattr(readers_module, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(Asking, "pause", lambda _asking, seconds: slept.append(seconds))
    readers = Readers(tmp_path, 2, lambda: True)
    with readers._scan_turn(first := asking()):
        now += 1.0
    with readers._scan_turn(first):
        now += 0.1
    with readers._scan_turn(asking()):
        now += 60.0
    now += 0.5
    with readers._scan_turn(asking()):
        pass
    assert slept == [pytest.approx(0.4), readers_module._SCAN_PATIENCE_SECONDS - 0.5]


def test_where_nothing_comes_in_no_scan_waits(tmp_path: Path) -> None:
    """Nor does it count as one that others wait for."""
    readers = Readers(tmp_path, 2, lambda: False)
    readers._rested = float("inf")
    with readers._scan_turn(asking()), readers._scan_turn(asking()):
        assert readers._scanning.acquire(blocking=False)
