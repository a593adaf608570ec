"""Users do not depend on the order in which their events come, nor on how often or in which batches."""

import itertools
from collections.abc import Iterable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from qrumb.v1.server_event_pb2 import UserIdentifiers
from qrumb_server.pipeline.identity import (
    SESSION,
    USER,
    IdentityBook,
    Key,
    Label,
    identifiers_of,
    label_version,
    own_label,
)

SITE = "s"
Event = tuple[dict[str, str], str, int]
"""identifiers, scan_session_id, time"""


class Table:
    """events.identities: of several rows for a key the highest version counts. Books see what it holds."""

    def __init__(self) -> None:
        self.rows: dict[Key, Label] = {}

    def learn(self, batch: Iterable[Event]) -> None:
        """One batch, with everything known at hand, stored as the loader stores it."""
        book = IdentityBook(dict(self.rows))
        for identifiers, session, time_ms in batch:
            book.learn(SITE, identifiers, session, own_label(SITE, identifiers, time_ms))
        if book.merged:
            book.flatten(
                [
                    (site_id, name, label.user_id)
                    for (site_id, kind, name), label in self.rows.items()
                    if kind == USER and (site_id, label.user_id) in book.merged
                ]
            )
        for key, label in book.changed.items():
            before = self.rows.get(key)
            if before is None or label_version(label) >= label_version(before):
                self.rows[key] = label

    def users(self, events: Iterable[Event]) -> dict[tuple[str, str], str]:
        """Whom each identifier and each session stands for by now."""
        book = IdentityBook(self.rows)
        found = {}
        for identifiers, session, _time in events:
            for kind, value in identifiers.items():
                found[kind, value] = book.user_of(SITE, self.rows[SITE, kind, value].user_id)
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


identifier_sets = st.builds(
    known,
    external_id=st.sampled_from(["", "x1", "x2", "x3"]),
    email_hash=st.sampled_from(["", "e1", "e2"]),
    phone_hash=st.sampled_from(["", "p1", "p2"]),
).filter(bool)
events_strategy = st.lists(
    st.tuples(identifier_sets, st.sampled_from(["", "scan-1", "scan-2"]), st.integers(0, 5)), min_size=1, max_size=5
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
    before = dict(table.rows)
    table.learn(sent)
    assert table.users(sent) == after([sent])
    assert set(table.rows) == set(before)


@given(events_strategy)
def test_identifiers_seen_together_are_one_user(sent: list[Event]) -> None:
    """And so are all that a chain of such events connects; what no event connects stays apart."""
    users = after([[event] for event in sent])
    groups: list[set[tuple[str, str]]] = []
    for identifiers, _session, _time in sent:
        joined = set(identifiers.items())
        for group in [group for group in groups if group & joined]:
            joined |= group
            groups.remove(group)
        groups.append(joined)
    names = [{users[key] for key in group} for group in groups]
    assert all(len(name) == 1 for name in names)
    assert len({next(iter(name)) for name in names}) == len(groups)


def test_a_chain_of_users_ends_at_the_oldest() -> None:
    """a-b, b-c, c-d: four users by their first events, one in the end, in whichever order the links come."""
    firsts: list[Event] = [(known(external_id=f"x{n}"), "", 10 + n) for n in range(4)]
    links: list[Event] = [(known(external_id=f"x{n}", email_hash=f"e{n}"), "", 50 + n) for n in range(4)]
    links += [(known(email_hash=f"e{n}", phone_hash=f"p{n}"), "", 60 + n) for n in range(4)]
    links += [(known(external_id=f"x{n + 1}", phone_hash=f"p{n}"), "", 70 + n) for n in range(3)]
    for order in itertools.islice(itertools.permutations(links), 0, 40_000, 1_999):
        users = after([firsts, *[[link] for link in order]])
        assert set(users.values()) == {"x0"}


def test_an_older_event_that_comes_late_renames_the_user() -> None:
    """The flip: who was known as x2 turns out to have been x1 before."""
    table = Table()
    table.learn([(known(external_id="x2", email_hash="e"), "scan-1", 20)])
    assert table.users([({"email_hash": "e"}, "scan-1", 0)]) == {("email_hash", "e"): "x2", (SESSION, "scan-1"): "x2"}
    table.learn([(known(external_id="x1", email_hash="e"), "", 10)])
    assert table.users([({"email_hash": "e", "external_id": "x2"}, "scan-1", 0)]) == {
        ("email_hash", "e"): "x1",
        ("external_id", "x2"): "x1",
        (SESSION, "scan-1"): "x1",
    }


def test_the_first_to_identify_in_a_session_lends_the_user() -> None:
    """By the event's own time, whichever was received first."""
    for order in ((0, 1), (1, 0)):
        sent: list[Event] = [(known(external_id="early"), "scan", 5), (known(external_id="late"), "scan", 9)]
        assert after([[sent[index]] for index in order])[SESSION, "scan"] == "early"


def test_sites_know_nothing_of_each_other() -> None:
    """The same hash is another user there, under another name."""
    book = IdentityBook({})
    sent = known(email_hash="e")
    here = book.learn("here", sent, "", own_label("here", sent, 1))
    there = book.learn("there", sent, "", own_label("there", sent, 1))
    assert here != there
    assert "e" not in {here, there}
    assert book.user_of_session(("here", SESSION, "scan")) == ""


def test_own_names_follow_the_order_of_precedence() -> None:
    """external_id as it is; hashes only as a hash of themselves."""
    assert own_label(SITE, known(external_id="x", email_hash="e", phone_hash="p"), 1).user_id == "x"
    assert own_label(SITE, known(email_hash="e", phone_hash="p"), 1).user_id.startswith("email-")
    assert own_label(SITE, known(phone_hash="p"), 1).user_id.startswith("phone-")


@given(st.lists(st.builds(Label, st.text(max_size=3), st.integers(-5, 2**43)), min_size=2, max_size=2))
def test_older_is_higher(labels: list[Label]) -> None:
    """Within the times that a row can hold; always a UInt64."""
    one, other = labels
    assert 0 <= label_version(one) < 2**64
    if 0 <= one.time_ms < other.time_ms < 2**42:
        assert label_version(one) > label_version(other)
