"""Registrations of a scan session, in any order and any number, become one row that knows all of them."""

import itertools
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qrumb.v1.scan_session_pb2 import ScanSession
from qrumb_server.instants import timestamp
from qrumb_server.loader.lookups import KnownSession, SessionKey
from qrumb_server.loader.rows import PlacedSession, RowId
from qrumb_server.loader.sessions import lost_codes, merge_sessions, session_batch
from qrumb_server.wire.v1.record_pb2 import SessionRegistration

KEY = ("s", "scan")
Sent = tuple[str, str, int]
"""qr_code_id, user_id, scan_time in milliseconds"""
sent_strategy = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["", "u1", "u2"]), st.integers(0, 3)), min_size=1, max_size=4
)


def placed(number: int, qr_code_id: str, user_id: str, time_ms: int, *, site_id: str = "s") -> PlacedSession:
    """A registration as the loader reads it."""
    session = ScanSession(
        site_id=site_id,
        scan_session_id="scan",
        qr_code_id=qr_code_id,
        user_id=user_id,
        scan_time=timestamp(time_ms),
    )
    registration = SessionRegistration(scan_session=session, received_time_ms=1_000 + number)
    return PlacedSession(row_id=RowId(segment_id=f"seg-{number}", segment_row=number), registration=registration)


def store_all(batches: Iterable[Sequence[Sent]]) -> tuple[KnownSession, dict[int, KnownSession]]:
    """What is known in the end, and all rows by version as the table would hold them."""
    known: dict[SessionKey, KnownSession] = {}
    rows: dict[int, KnownSession] = {}
    numbers = itertools.count()
    for batch in batches:
        registrations = [placed(next(numbers), *sent) for sent in batch]
        merged = merge_sessions(registrations, known)
        if merged:
            rows |= {_version(merged, registrations): merged[KEY]}
        known |= merged
    return known[KEY], rows


def _version(merged: dict[SessionKey, KnownSession], registrations: Sequence[PlacedSession]) -> int:
    table = session_batch(merged, registrations)
    return int(dict(zip(table.columns, table.data, strict=True))["version"][0])


@given(sent_strategy, st.randoms(use_true_random=False))
def test_order_and_repetition_leave_no_trace(sent: list[Sent], random: object) -> None:
    """The earliest scan names the code and the time; who it was is known if any of them says so."""
    shuffled = [*sent, *sent]
    random.shuffle(shuffled)
    session, _rows = store_all([[one] for one in shuffled])
    earliest_ms = min(time_ms for _code, _user, time_ms in sent)
    assert session.scan_time_ms == earliest_ms
    assert session.qr_code_id in {code for code, _user, time_ms in sent if time_ms == earliest_ms}
    assert bool(session.user_id) == any(user for _code, user, _time in sent)
    assert store_all([sent])[0].qr_code_id == session.qr_code_id


@given(sent_strategy)
def test_the_row_that_knows_most_has_the_highest_version(sent: list[Sent]) -> None:
    """So that the table, which keeps that one, agrees with the loader's memory."""
    session, rows = store_all([[one] for one in sent])
    assert rows[max(rows)] == session
    assert all(0 <= version < 2**64 for version in rows)


def test_the_earlier_scan_names_the_user_where_it_knows_one() -> None:
    """Whichever came first; a user that only the later one knows is taken from there."""
    for batches in ([[("a", "u1", 1)], [("b", "u2", 2)]], [[("b", "u2", 2)], [("a", "u1", 1)]]):
        assert store_all(batches)[0] == KnownSession(qr_code_id="a", user_id="u1", user_time_ms=1, scan_time_ms=1)
    for batches in ([[("a", "", 1)], [("b", "u2", 2)]], [[("b", "u2", 2)], [("a", "", 1)]]):
        assert store_all(batches)[0] == KnownSession(qr_code_id="a", user_id="u2", user_time_ms=2, scan_time_ms=1)


def test_a_repeated_registration_changes_nothing() -> None:
    """Idempotent: no row at all is written for it."""
    known = {KEY: KnownSession(qr_code_id="a", user_id="u", user_time_ms=5, scan_time_ms=5)}
    assert merge_sessions([placed(1, "a", "u", 5)], known) == {}
    assert merge_sessions([placed(1, "b", "v", 6)], known) == {}


@pytest.mark.parametrize(
    ("sent", "lost"),
    [
        ([("a", "u", 6)], 0),
        ([("b", "", 6)], 1),  # the earlier one stays
        ([("b", "", 4)], 1),  # it takes the session over
        ([("b", "", 4), ("c", "", 3)], 2),
    ],
)
def test_registrations_whose_code_is_not_their_sessions_are_counted(sent: list[Sent], lost: int) -> None:
    """Nothing else tells that two redirects make the same ids."""
    known = {KEY: KnownSession(qr_code_id="a", user_id="u", user_time_ms=5, scan_time_ms=5)}
    registrations = [placed(number, *one) for number, one in enumerate(sent)]
    assert lost_codes(registrations, known, merge_sessions(registrations, known))[KEY[0]] == lost


def test_a_session_of_another_site_is_no_obstacle() -> None:
    """Ids are unique within a site only."""
    merged = merge_sessions([placed(1, "a", "", 5)], {KEY: KnownSession(is_foreign=True)})
    assert merged == {KEY: KnownSession(qr_code_id="a", scan_time_ms=5)}


def test_the_row_names_the_registration_that_came_last() -> None:
    """Its place in the spool, its time of receipt, and the merged facts; two sites stay two rows."""
    registrations = [placed(1, "a", "", 5), placed(2, "b", "u", 7), placed(3, "c", "", 1, site_id="t")]
    table = session_batch(merge_sessions(registrations, {}), registrations)
    rows = [dict(zip(table.columns, values, strict=True)) for values in zip(*table.data, strict=True)]
    assert [(row["site_id"], row["qr_code_id"], row["user_id"], row["scan_time"]) for row in rows] == [
        ("s", "a", "u", 5),
        ("t", "c", "", 1),
    ]
    assert [(row["segment_id"], row["segment_row"], row["received_time"]) for row in rows] == [
        ("seg-2", 2, 1_002),
        ("seg-3", 3, 1_003),
    ]
