"""The exact audit of a drained node: the clients' book against the tables, and the tables against the ledger."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.support.load import SITE, Arrivals, Book
from tests.support.stack import Stack

__all__ = ["audit"]

COUNTS = ("received", "stored", "rejected", "spooled", "unique", "duplicate", "conflict")


def audit(stack: Stack, book: Book) -> dict[str, Any]:
    """Every promise about what was sent, checked to the last row; returns the figures."""
    rows = stack.query(
        "SELECT toString(event_id) AS id, count() AS number, countIf(is_duplicate = 0) AS firsts "
        "FROM events.valid_events GROUP BY id"
    )
    letters = stack.query("SELECT event_id AS id, count() AS number FROM events.invalid_events GROUP BY id")
    unique = stack.query("SELECT toString(event_id) AS id, count() AS number FROM events.unique_events GROUP BY id")
    sessions = stack.query(
        "SELECT scan_session_id AS id, count() AS number FROM events.scan_sessions FINAL GROUP BY id"
    )
    stored, rejected = as_counts(rows), as_counts(letters)
    assert book.broken == []
    assert_each_arrived("events", stored, book.events)
    assert_each_arrived("rejected events", rejected, book.rejected)
    assert {row["id"]: int(row["firsts"]) for row in rows if int(row["firsts"]) != 1} == {}, "not one first arrival"
    assert as_counts(unique) == dict.fromkeys(stored, 1), "unique_events is not each event once"
    registered = as_counts(sessions)
    assert set(registered.values()) <= {1}
    assert {one for one, seen in book.sessions.items() if seen.answered} <= set(registered) <= set(book.sessions)
    places = stack.query(
        "SELECT count() AS number, uniqExact(segment_id, segment_row) AS places FROM events.valid_events"
    )
    assert places[0]["number"] == places[0]["places"], "a row of the spool is stored twice"
    sums = ledger(stack)
    total, refused = sum(stored.values()), sum(rejected.values())
    assert sums["received"] == sums["stored"] + sums["rejected"] + sums["spooled"]
    assert sums["stored"] == sums["unique"] + sums["duplicate"]
    assert (sums["stored"], sums["rejected"], sums["spooled"]) == (total, refused, 0)
    assert (sums["unique"], sums["duplicate"]) == (len(stored), total - len(stored))
    return {
        "acknowledged arrivals": book.answered,
        "rows": total,
        "events": len(stored),
        "rejected rows": refused,
        "sessions": len(registered),
        "ledger": sums,
        "calls": dict(book.calls),
        "failed calls": dict(book.failures),
        "faults": dict(book.faults),
    }


def assert_each_arrived(what: str, there: Mapping[str, int], book: Mapping[str, Arrivals]) -> None:
    """No fewer rows than answers, no more than tries, none of an id that was never sent."""
    lost = {one: (there.get(one, 0), seen) for one, seen in book.items() if there.get(one, 0) < seen.answered}
    assert not lost, f"{len(lost)} {what} acknowledged and lost: {dict(list(lost.items())[:5])}"
    extra = {one: (number, book.get(one)) for one, number in there.items() if one not in book}
    assert not extra, f"{len(extra)} {what} stored and never sent: {dict(list(extra.items())[:5])}"
    doubled = {one: (number, book[one]) for one, number in there.items() if number > book[one].sent}
    assert not doubled, f"{len(doubled)} {what} stored more often than sent: {dict(list(doubled.items())[:5])}"


def as_counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Number by id."""
    return {row["id"]: int(row["number"]) for row in rows}


def ledger(stack: Stack) -> Counter[str]:
    """The sums of `qrumb ledger`, which itself says whether each minute balances."""
    done = stack.command("ledger", "--site", SITE, "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    sums: Counter[str] = Counter()
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        sums.update({name: entry[f"{name}_count"] for name in COUNTS})
    return sums
