"""Times out of JSON: every common way of writing one is read, guesses are said, the rest is not a time."""

from datetime import datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from qrumb_server.pipeline.times import read_time

# 2026-11-01T10:20:30Z
SECONDS = 1_793_528_430


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-01T10:20:30Z",
        "2026-11-01t10:20:30z",
        "2026-11-01 10:20:30Z",
        "2026-11-01T10:20:30+00:00",
        "2026-11-01T10:20:30-00:00",
        "2026-11-01T12:20:30+02:00",
        "2026-11-01T12:20:30+0200",
        "2026-11-01T12:20:30+02",
        "2026-11-01T15:50:30+0530",
        "2026-11-01T05:20:30-05",
        "2026-10-31T10:21:30-23:59",
        "2026-11-01 12:20:30 +0200",
        "2026-11-01 10:20:30 UTC",
        "2026-11-01 10:20:30UTC",
        "2026-11-01T11:20:30+01:00[Europe/Vienna]",
        "2026-11-01T10:20:30Z[UTC]",
        "2026-11-01T10:20:30.0Z",
        "2026-11-01T10:20:30,000Z",
        "2026-11-01T10:20:30.0000000000009Z",
    ],
)
def test_a_clear_time_is_read_without_a_word(written: str) -> None:
    """One instant, written by many languages."""
    reading = read_time(written)
    assert reading is not None
    assert (reading.seconds, reading.nanos, reading.warning) == (SECONDS, 0, "")


@pytest.mark.parametrize(
    ("written", "seconds", "nanos"),
    [
        ("2026-11-01T10:20Z", SECONDS - 30, 0),
        ("2026-11-01T12:20+02:00", SECONDS - 30, 0),
        ("2026-11-01T10:20:30.5Z", SECONDS, 500_000_000),
        ("2026-11-01T10:20:30.123456789Z", SECONDS, 123_456_789),
        ("2026-11-01T10:20:30.1234567891Z", SECONDS, 123_456_789),
        ("2016-12-31T23:59:60Z", 1_483_228_800, 0),
        ("1969-12-31T23:59:59.25Z", -1, 250_000_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
        ("2024-02-29T00:00:00Z", 1_709_164_800, 0),
    ],
)
def test_a_clear_time_is_read_exactly(written: str, seconds: int, nanos: int) -> None:
    """To the nanosecond, at both ends of the calendar."""
    reading = read_time(written)
    assert reading is not None
    assert (reading.seconds, reading.nanos, reading.warning) == (seconds, nanos, "")


@pytest.mark.parametrize(
    ("written", "how", "nanos"),
    [
        ("2026-11-01T10:20:30", "read as UTC, 2026-11-01T10:20:30Z", 0),
        ("2026-11-01 10:20:30.25", "read as UTC", 250_000_000),
        (SECONDS, "read as seconds since 1970, 2026-11-01T10:20:30Z", 0),
        (SECONDS + 0.25, "read as seconds since 1970, 2026-11-01T10:20:30.250Z", 250_000_000),
        (SECONDS + 0.1, "read as seconds", 100_000_000),
        (SECONDS * 1_000 + 7, "read as milliseconds since 1970, 2026-11-01T10:20:30.007Z", 7_000_000),
        (SECONDS * 1_000 + 0.5, "read as milliseconds", 500_000),
        (SECONDS * 1_000_000 + 7, "read as microseconds since 1970", 7_000),
        (float(SECONDS), "read as seconds", 0),
        (f"{SECONDS}", "read as seconds", 0),
        (f"{SECONDS}000", "read as milliseconds", 0),
        (f"{SECONDS}.123456789", "read as seconds", 123_456_789),
    ],
)
def test_a_guess_is_said(written: str | float, how: str, nanos: int) -> None:
    """No offset means UTC; a number is told by its size, as digits or as a text."""
    reading = read_time(written)
    assert reading is not None
    assert (reading.seconds, reading.nanos) == (SECONDS, nanos)
    assert how in reading.warning


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        (10**8, "seconds"),
        (10**11 - 1, "seconds"),
        (10**11, "milliseconds"),
        (10**14 - 1, "milliseconds"),
        (10**14, "microseconds"),
        (10**17 - 1, "microseconds"),
    ],
)
def test_the_size_of_a_number_tells_its_unit(written: int, unit: str) -> None:
    """At, below and above each limit."""
    reading = read_time(written)
    assert reading is not None
    assert f"read as {unit} since 1970" in reading.warning


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "now", "yesterday", "Z", "2026", "2026-11-01", "10:20:30", "2026-11-01T10", "2026-11-01T10Z",
        "2026-11-01T10:20:30Z ", " 2026-11-01T10:20:30Z", "2026-11-01T10:20:30Z\n", "2026-11-01T10:20:30ZZ",
        "2026-11-01T10:20:30+2", "2026-11-01T10:20:30+02:0", "2026-11-01T10:20:30+24:00", "2026-11-01T10:20:30+02:60",
        "2026-11-01T10:20:30.Z", "2026-11-01T10:20.5Z", "2026-11-01T24:00:00Z", "2026-11-01T10:60:00Z",
        "2026-11-01T10:20:61Z", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "2026-00-10T00:00:00Z",
        "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "12026-11-01T10:20:30Z",
        "-2026-11-01T10:20:30Z", "2026-11-01T10:20:30[Europe/Vienna]", "2026-11-01T10:20:30+01:00[]",
        "Sun, 01 Nov 2026 10:20:30 GMT", "Sun Nov 01 2026 10:20:30 GMT+0000", "01.11.2026 10:20", "11/01/2026",
        "20261101T102030Z", "2026-W44-7T10:20:30Z", "2026-305T10:20:30Z", "２０２６-11-01T10:20:30Z", "1.79e9", "0x10",
        "+1793528430", "1793528430s", "1_793_528_430", "٣", "NaN", "Infinity", "9" * 21,
        0, -1, 2026, 20261101, "20261101", 10**8 - 1, -SECONDS, f"-{SECONDS}",
        10**17, 10**30, -(10**17), 1e17, 1e308, float("nan"), float("inf"), float("-inf"), True, False,
    ],
)  # fmt: skip
def test_everything_else_is_no_time(written: str | float) -> None:
    """Other forms, days and units that do not exist, numbers that no clock shows."""
    assert read_time(written) is None


@given(st.datetimes(timezones=st.timezones()))
def test_what_python_writes_is_read_back(time: datetime) -> None:
    """isoformat() of any zone whose offset has no seconds, which the standard does not know either."""
    written = time.isoformat()
    offset = time.utcoffset()
    assert offset is not None
    reading = read_time(written)
    if offset.total_seconds() % 60:
        assert reading is None
        return
    expected = Timestamp()
    try:
        expected.FromJsonString(written)
    except ValueError:  # out of the calendar once the offset is taken away
        assert reading is None
        return
    assert reading is not None
    assert reading.timestamp() == expected
    assert reading.warning == ""


@given(st.text(max_size=40) | st.from_regex(r"[0-9:TZ.+ -]{1,40}", fullmatch=True) | st.integers() | st.floats())
def test_any_text_and_any_number_has_an_answer(written: str | float) -> None:
    """Never an exception, never an instant that a Timestamp cannot hold."""
    if reading := read_time(written):
        reading.timestamp().ToJsonString()
