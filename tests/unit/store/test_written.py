"""A state of a site's rows stands for as long as nothing is written."""

import pytest

from qrumb_server.ports import State
from qrumb_server.store.native import encode_columns
from qrumb_server.store.written import Written


def test_a_write_changes_the_state_of_its_sites() -> None:
    written = Written()
    mine, other = written.state_of("mine"), written.state_of("other")
    with written.writing({"mine"}):
        assert written.state_of("mine") is None
        assert written.state_of("other") == other is not None
    assert written.state_of("mine") not in {None, mine}
    assert written.state_of("other") == other


def test_a_write_of_all_sites_changes_each() -> None:
    written = Written()
    before = written.state_of("mine")
    with written.writing(), written.writing({"other"}):
        assert written.state_of("mine") is None
    assert written.state_of("mine") not in {None, before}


def test_an_insert_changes_no_row_that_is_there() -> None:
    written = Written()
    before = written.state_of("mine")
    with written.writing({"mine"}):
        pass
    inserted = written.state_of("mine")
    with written.writing():
        pass
    changed = written.state_of("mine")
    assert (before, inserted, changed) == (State(0, 0), State(1, 0), State(1, 1))


def test_a_write_that_fails_may_have_happened() -> None:
    written = Written()
    before = written.state_of("mine")
    with pytest.raises(RuntimeError), written.writing({"mine"}):
        raise RuntimeError
    assert written.state_of("mine") not in {None, before}


def test_two_writes_at_once_end_with_the_later() -> None:
    written = Written()
    with written.writing({"mine"}):
        with written.writing({"mine"}):
            pass
        assert written.state_of("mine") is None
    assert written.state_of("mine") is not None


def rows(*names: tuple[str, str]) -> bytes:
    """A block of sites and names."""
    sites, named = zip(*names, strict=True)
    types = {"site_id": "LowCardinality(String)", "event_name": "String"}
    return bytes(encode_columns(list(types), [sites, named], types))


def test_the_last_inserts_of_a_site_are_known() -> None:
    written = Written()

    def inserted(since: State | None) -> list[str] | None:
        until = written.state_of("mine")
        assert since is not None
        assert until is not None
        found = written.inserted("mine", since, until)
        return None if found is None else [row["event_name"] for row in found]

    before = written.state_of("mine")
    assert inserted(before) == []
    with written.writing({"mine", "other"}, rows(("mine", "a"), ("other", "b"), ("mine", "c"))):
        pass
    between = written.state_of("mine")
    with written.writing({"other"}, rows(("other", "d"))):
        pass
    with written.writing({"mine"}, rows(("mine", "e"))):
        pass
    assert inserted(before) == ["a", "c", "e"]
    assert inserted(between) == ["e"]
    with written.writing({"mine"}):  # of rows that may have been there
        pass
    assert inserted(before) is None
    last = written.state_of("mine")
    with pytest.raises(RuntimeError), written.writing({"mine"}, rows(("mine", "f"))):
        raise RuntimeError
    assert inserted(last) is None
    last = written.state_of("mine")
    with written.writing():
        pass
    assert inserted(last) is None, "rows were changed"


def test_of_inserts_no_more_is_kept_than_fits() -> None:
    written = Written()
    before = written.state_of("mine")
    assert before is not None
    for number in range(20):
        with written.writing({"mine"}, rows(("mine", str(number % 10) * 120_000))):
            pass
    last = State(before.inserts + 18, 0)
    now = written.state_of("mine")
    assert now is not None
    assert written.inserted("mine", before, now) is None
    found = written.inserted("mine", last, now)
    assert found is not None
    assert len(found) == 2
