"""A state of a site's rows stands for as long as nothing is written."""

import pytest

from qrumb_server.ports import State
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
