"""A cursor is what was handed out, or an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb_server.query.rows import BadPlaceError, Place, parse_place, place_text


@given(st.integers(0, 10**14 - 1), st.integers(0, 10**9 - 1), st.text(max_size=60))
def test_what_is_handed_out_leads_back_to_the_same_place(time_ms: int, row: int, segment_id: str) -> None:
    """Dots and letters in the segment's name included."""
    place = Place(time_ms=time_ms, segment_id=segment_id, segment_row=row)
    assert parse_place(place.text) == place
    assert place_text({"received_time": time_ms, "segment_id": segment_id, "segment_row": row}) == place.text


@pytest.mark.parametrize(
    "text", ["", ".", "x", "1", "1.", "1..", "1.x.s", "-1.2.s", "1.-2.s", "١.1.s", "1.²", "9" * 15 + ".1.s",
             "1." + "9" * 10 + ".s", "1e3.1.s", " 1.1.s"]
)  # fmt: skip
def test_what_was_not_handed_out_is_refused(text: str) -> None:
    """With an error of its own, whatever it is."""
    with pytest.raises(BadPlaceError):
        parse_place(text)


@given(st.text(max_size=300))
def test_any_text_is_a_place_or_an_error(text: str) -> None:
    """Nothing else is raised, and no number is beyond what a query takes."""
    try:
        place = parse_place(text)
    except BadPlaceError:
        return
    assert 0 <= place.time_ms < 10**14
    assert 0 <= place.segment_row < 10**9
