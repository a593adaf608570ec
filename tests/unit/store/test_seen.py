"""What was seen of the tables is all that they hold."""

import threading
from typing import Any

import pytest

from qrumb_server.errors import StoreUnavailableError
from qrumb_server.ports import TableBatch
from qrumb_server.store import seen as module
from qrumb_server.store.seen import Seen


def letters(*event_ids: str) -> TableBatch:
    return TableBatch(table="events.invalid_events", columns=["event_id"], data=[event_ids])


def scans(*rows: tuple[str, str]) -> TableBatch:
    sites, users = zip(*rows, strict=True)
    return TableBatch(table="events.scan_sessions", columns=["user_id", "site_id"], data=[users, sites])


def holding(*values: str) -> Any:
    """A query of a table that holds these."""
    return lambda _sql: [{"value": value} for value in values]


def test_what_is_there_and_what_comes_may_be_asked_for() -> None:
    seen = Seen(holding("a"))
    seen.add(letters("b"))
    assert [seen.may_be_rejected(one) for one in "abc"] == [True, True, False]
    seen.add(letters("c"))
    assert [seen.may_be_rejected(one) for one in "abcd"] == [True, True, True, False]


def test_a_site_whose_redirects_name_users_is_known() -> None:
    seen = Seen(holding("old"))
    seen.add(scans(("shop", ""), ("other", "user-1")))
    assert [seen.may_name_users(site) for site in ("old", "other", "shop")] == [True, True, False]
    seen.add(scans(("shop", ""), ("shop", "user-2")))
    assert seen.may_name_users("shop")


def test_hashes_that_are_users_are_known() -> None:
    seen = Seen(holding("email-old"))
    columns = [["shop", "shop"], ["phone-new", "account-1"]]
    seen.add(TableBatch(table="events.identity_links", columns=["site_id", "user_id"], data=columns))
    asked = ("email-old", "phone-new", "email-other", "account-1")
    assert [seen.may_go_by_hash(name) for name in asked] == [True, True, False, False]


def test_what_comes_while_the_table_is_read_counts() -> None:
    reading, go_on = threading.Event(), threading.Event()

    def query(_sql: str) -> list[dict[str, Any]]:
        reading.set()
        assert go_on.wait(30)
        return []

    seen = Seen(query)
    found: list[bool] = []
    asking = threading.Thread(target=lambda: found.append(seen.may_be_rejected("a")))
    asking.start()
    assert reading.wait(30)
    seen.add(letters("a"))  # does not wait
    go_on.set()
    asking.join()
    assert found == [True]


def test_of_too_many_any_may_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 3)
    seen = Seen(holding("a", "b"))
    assert not seen.may_be_rejected("e")
    seen.add(letters("c", "d"))
    assert seen.may_be_rejected("e")
    seen.add(letters("f"))
    assert seen.may_be_rejected("e")


def test_a_table_that_was_not_read_is_read_at_the_next_question() -> None:
    answers: list[Any] = [StoreUnavailableError("away"), [{"value": "a"}]]

    def query(_sql: str) -> list[dict[str, Any]]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    seen = Seen(query)
    with pytest.raises(StoreUnavailableError):
        seen.may_be_rejected("a")
    assert seen.may_be_rejected("a")
    assert not seen.may_be_rejected("b")
