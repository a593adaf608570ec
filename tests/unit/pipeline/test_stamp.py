"""What the receipt adds to an event: times that can be true, and the marks that it gives by itself."""

import pytest

from qrumb.v1.browser_event_pb2 import BrowserEvent
from qrumb_server.instants import milliseconds, timestamp
from qrumb_server.model import Caller, RawEvent, Source, ValidEvent
from qrumb_server.pipeline.stamp import Arrival, stamp
from qrumb_server.pipeline.validate import validate
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"


def stamped(time_ms: int | None, caller: Caller = Caller(user_agent=FIREFOX)) -> AcceptedEvent:  # noqa: B008
    """A click at that time, received now."""
    message = BrowserEvent(site_id="s", event_type="click")
    if time_ms is not None:
        message.event_time.CopyFrom(timestamp(time_ms))
    valid = validate(RawEvent(source=Source.BROWSER, message=message, caller=caller, index=0))
    assert isinstance(valid, ValidEvent)
    arrival = Arrival(received_time_ms=NOW_MS, retention_ms=400 * DAY_MS, make_event_id=lambda _event: "made")
    return stamp(valid, arrival).record.accepted_event


@pytest.mark.parametrize(
    ("time_ms", "is_corrected", "reasons"),
    [
        (None, False, []),
        (NOW_MS, False, []),
        (NOW_MS + 600_000, False, []),
        (NOW_MS + 600_001, True, []),
        (NOW_MS + DAY_MS + 1, True, ["impossible_time"]),
        (NOW_MS - 400 * DAY_MS, False, []),
        (NOW_MS - 400 * DAY_MS - 1, True, ["impossible_time"]),
        (0, True, ["impossible_time"]),
        (-1, True, ["impossible_time"]),
    ],
)
def test_times_are_corrected_and_marked(time_ms: int | None, is_corrected: bool, reasons: list[str]) -> None:
    """1970-01-01T00:00:00Z is a time like any other, and an impossible one."""
    row = stamped(time_ms).row
    assert milliseconds(row.event_time) == (NOW_MS if is_corrected or time_ms is None else time_ms)
    assert row.HasField("client_event_time") == is_corrected
    assert list(row.fraud_reasons) == reasons
    assert row.is_fraud == bool(reasons)


def test_the_gateways_second_try_is_noted() -> None:
    """From 2 on, an earlier one may have been kept."""
    assert not stamped(None, Caller(user_agent=FIREFOX, attempt=1)).retried
    assert stamped(None, Caller(user_agent=FIREFOX, attempt=2)).retried
    assert stamped(None).event_id_generated
