"""Users do not depend on the order in which their events come, nor on how often or in which batches."""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.pipeline.identity import (
    MAX_USERS,
    SESSION,
    SHARED,
    IdentityBook,
    Key,
    Label,
    Link,
    identifiers_of,
    label_version,
    own_label,
    user_name,
)

SITE = "s"
Event = tuple[dict[str, str], str, int]
"""identifiers, scan_session_id, time"""


class Table:
    """events.identity_links and events.identity_owners. Books see what it holds."""

    def __init__(self) -> None:
        self.links: dict[Link, int] = {}

    def owners(self) -> dict[Key, Label]:
        """As the view says."""
        users: dict[Key, list[Label]] = {}
        for link, time_ms in self.links.items():
            users.setdefault(link.key, []).append(Label(time_ms, link.user_id))
        return {key: SHARED if len(labels) > MAX_USERS else min(labels) for key, labels in users.items()}

    def learn(self, batch: Iterable[Event]) -> None:
        """One batch, with everything known at hand, stored as the loader stores it."""
        book = IdentityBook(self.owners())
        for identifiers, session, time_ms in batch:
            book.learn(SITE, identifiers, session, own_label(SITE, identifiers, time_ms))
        for link, time_ms in book.learnt.items():
            self.links[link] = min(time_ms, self.links.get(link, time_ms))

    def users(self, events: Iterable[Event]) -> dict[tuple[str, str], str]:
        """Whom each identifier and each session stands for by now."""
        book = IdentityBook(self.owners())
        found = {}
        for identifiers, session, _time in events:
            for kind, value in identifiers.items():
                found[kind, value] = book.user_of(SITE, user_name(SITE, kind, value))
            if session:
                found[SESSION, session] = book.user_of_session((SITE, SESSION, session))
        return found


def after(batches: Sequence[Sequence[Event]]) -> dict[tuple[str, str], str]:
    """The users once the batches are stored one after the other."""
    table = Table()
    for batch in batches:
        table.learn(batch)
    return table.users([event for batch in batches for event in batch])


def known(**identifiers: str) -> dict[str, str]:
    """Identifiers in order of precedence, as events bring them."""
    return dict(identifiers_of(UserIdentifiers(**identifiers)))


def email(value: str) -> str:
    """The own user of an e-mail hash."""
    return user_name(SITE, "email_hash", value)


def phone(value: str) -> str:
    """The own user of a phone hash."""
    return user_name(SITE, "phone_hash", value)


identifier_sets = st.builds(
    known,
    external_id=st.sampled_from(["", "x1", "x2", "x3"]),
    email_hash=st.sampled_from(["", "e1", "e2"]),
    phone_hash=st.sampled_from(["", "p1", "p2"]),
).filter(bool)
events_strategy = st.lists(
    st.tuples(identifier_sets, st.sampled_from(["", "scan-1", "scan-2"]), st.integers(0, 5)), min_size=1, max_size=7
)


@given(events_strategy, st.randoms(use_true_random=False))
def test_the_order_of_batches_leaves_no_trace(sent: list[Event], random: object) -> None:
    """Commutative: one by one, in any order, leads to the same users."""
    shuffled = list(sent)
    random.shuffle(shuffled)
    assert after([[event] for event in sent]) == after([[event] for event in shuffled])


@given(events_strategy)
def test_one_batch_is_as_many(sent: list[Event]) -> None:
    """How the spool was cut into batches leaves no trace."""
    assert after([sent]) == after([[event] for event in sent])


@given(events_strategy)
def test_learning_twice_changes_nothing(sent: list[Event]) -> None:
    """Idempotent: a batch that was stored by a loader that died is learnt again by the next."""
    table = Table()
    table.learn(sent)
    before = dict(table.links)
    table.learn(sent)
    assert table.links == before


@given(events_strategy)
def test_an_external_id_is_its_user_whatever_it_was_seen_with(sent: list[Event]) -> None:
    """So two of them never are one user."""
    for (kind, value), user in after([sent]).items():
        if kind == "external_id":
            assert user == value


@given(events_strategy)
def test_a_hash_stands_for_the_first_stronger_identifier_that_it_was_seen_with(sent: list[Event]) -> None:
    """By event_time, ties by name; a phone's e-mail address stands for its own owner. Worked out from the set alone."""
    users = after([sent])

    def first(kind: str, value: str) -> str:
        seen = [
            Label(time_ms, own_label(SITE, identifiers, 0).user_id)
            for identifiers, _session, time_ms in sent
            if identifiers.get(kind) == value and next(iter(identifiers)) != kind
        ]
        return min(seen).user_id if seen else user_name(SITE, kind, value)

    emails = {email(value): first("email_hash", value) for value in ("e1", "e2")}
    for (kind, value), user in users.items():
        if kind == "email_hash":
            assert user == emails[email(value)]
        if kind == "phone_hash":
            assert user == emails.get(first(kind, value), first(kind, value))


@pytest.mark.parametrize(
    ("sent", "users"),
    [
        ([("e1", "p1"), ("e2", "p1")], {"e1": email("e1"), "e2": email("e2"), "p1": email("e1")}),
        ([("x1", "p1"), ("x2", "p1")], {"x1": "x1", "x2": "x2", "p1": "x1"}),
        ([("e1", "p1"), ("x1", "e1")], {"e1": "x1", "p1": "x1"}),
        ([("x1", "e1"), ("e1", "p1"), ("x2", "p1")], {"p1": "x1", "x2": "x2"}),
        ([("x1", "e1", "p1"), ("e2", "p1")], {"e2": email("e2"), "p1": "x1"}),
    ],
    ids=["two addresses, one phone", "two accounts, one phone", "a chain of three", "the first", "an address stays"],
)
def test_what_a_shared_identifier_joins_and_what_not(sent: list[tuple[str, ...]], users: dict[str, str]) -> None:
    """It stands for the first user it was seen with, and joins no two users."""
    kinds = {"x": "external_id", "e": "email_hash", "p": "phone_hash"}
    events = [(known(**{kinds[value[0]]: value for value in values}), "", number) for number, values in enumerate(sent)]
    found = {value: user for (_kind, value), user in after([events]).items()}
    assert {value: found[value] for value in users} == users


def test_an_identifier_of_too_many_users_stands_for_itself_again() -> None:
    """An office's phone stands for no user, and a kiosk's session lends none, in whichever order they came."""
    events = [(known(external_id=f"x{n:02}", phone_hash="p"), "scan-1", n) for n in range(MAX_USERS + 1)]
    asked = [(known(phone_hash="p"), "scan-1", 0)]
    for order in (events, events[::-1]):
        table = Table()
        table.learn(order[:-1])
        owner = min(identifiers["external_id"] for identifiers, _session, _time in order[:-1])
        assert table.users(asked) == {("phone_hash", "p"): owner, (SESSION, "scan-1"): owner}
        table.learn(order[-1:])
        assert table.users(asked) == {("phone_hash", "p"): phone("p"), (SESSION, "scan-1"): ""}
        before = dict(table.links)
        table.learn([(known(external_id="late", phone_hash="p"), "scan-1", 0)])
        assert table.links == before, "one user more says nothing new"


def test_versions_keep_the_earlier_of_two_times() -> None:
    """Of two rows of one link the highest version stays."""
    assert label_version(Label(1, "x")) > label_version(Label(2, "x")) > label_version(Label(3, "x"))
