"""The ledger counts every event once, under its segment, its site and the minute of its receipt."""

from qrumb.v1.event_row_pb2 import EventRow
from qrumb_server.instants import timestamp
from qrumb_server.loader.ledger import count_batch, ledger_batch, replay_ledger_batch
from qrumb_server.loader.rows import LEDGER, PlacedEvent, PlacedLetter, RowId
from qrumb_server.ports import TableBatch
from qrumb_server.wire.v1.record_pb2 import AcceptedEvent, DeadLetter

MINUTE_MS = 60_000


def event(segment: str, row: int, site_id: str, received_ms: int, *, duplicate: int = 0, fraud: int = 0) -> PlacedEvent:
    """An attributed event."""
    made = EventRow(site_id=site_id, received_time=timestamp(received_ms), is_duplicate=duplicate, is_fraud=fraud)
    return PlacedEvent(row_id=RowId(segment_id=segment, segment_row=row), event=AcceptedEvent(row=made))


def letter(segment: str, row: int, site_id: str, received_ms: int) -> PlacedLetter:
    """A dead letter."""
    made = DeadLetter(site_id=site_id, received_time_ms=received_ms)
    return PlacedLetter(row_id=RowId(segment_id=segment, segment_row=row), letter=made, stage="collector")


def rows(batch: TableBatch) -> list[dict[str, object]]:
    """The batch row by row, zeros left out."""
    assert batch.table == LEDGER
    return [
        {name: value for name, value in zip(batch.columns, values, strict=True) if value != 0 or "_row" in name}
        for values in zip(*batch.data, strict=True)
    ]


def test_each_event_counts_once_and_the_balance_holds() -> None:
    """received = stored + rejected; stored = unique + duplicate; conflicts and fraud are parts of these."""
    events = [
        event("a", 0, "s", 1),
        event("a", 1, "s", 2, duplicate=1),
        event("a", 2, "s", 3, duplicate=1, fraud=1),
        event("a", 3, "s", 4, fraud=1),
    ]
    counts = count_batch(events, [letter("a", 4, "s", 5)], {2})
    [row] = rows(ledger_batch(counts))
    assert row == {
        "site_id": "s",
        "received_count": 5,
        "stored_count": 4,
        "rejected_count": 1,
        "unique_count": 2,
        "duplicate_count": 2,
        "conflict_count": 1,
        "fraud_count": 2,
        "segment_id": "a",
        "segment_row": 0,
    }


def test_segments_sites_and_minutes_are_entries_of_their_own() -> None:
    """Numbered within their segment, always in the same way."""
    events = [
        event("b", 0, "s", MINUTE_MS - 1),
        event("a", 0, "s", MINUTE_MS),
        event("a", 1, "s", MINUTE_MS - 1),
        event("a", 2, "r", MINUTE_MS * 2 - 1),
    ]
    expected = [("a", 0, "r", MINUTE_MS), ("a", 1, "s", 0), ("a", 2, "s", MINUTE_MS), ("b", 0, "s", 0)]
    for order in (events, events[::-1]):
        found = rows(ledger_batch(count_batch(order, [], [])))
        assert [
            (row["segment_id"], row["segment_row"], row["site_id"], row.get("minute_time", 0)) for row in found
        ] == expected


def test_made_up_sites_share_one_entry() -> None:
    """Senders can make up names that are none; they must not fill the table."""
    letters = [letter("a", n, site, 1) for n, site in enumerate(["", "not a site", "x" * 65, "é", "ok"])]
    found = rows(ledger_batch(count_batch([], letters, [])))
    assert [(row["site_id"], row["rejected_count"]) for row in found] == [("", 4), ("ok", 1)]


def test_a_replayed_letter_moves_from_rejected_to_stored() -> None:
    """Under the name of its own row, so that a second replay adds nothing; received stays."""
    events = [
        event("replay:a", 7, "s", MINUTE_MS + 1),
        event("replay:a", 9, "s", MINUTE_MS * 3, duplicate=1, fraud=1),
    ]
    first, second = rows(replay_ledger_batch(events, {1}))
    assert first == {
        "minute_time": MINUTE_MS,
        "site_id": "s",
        "stored_count": 1,
        "unique_count": 1,
        "replayed_count": 1,
        "segment_id": "replay:a",
        "segment_row": 7,
    }
    assert (second["duplicate_count"], second["conflict_count"], second["fraud_count"]) == (1, 1, 1)
    assert (second["minute_time"], second["segment_row"]) == (MINUTE_MS * 3, 9)


def test_nothing_gives_nothing() -> None:
    """An empty batch."""
    assert count_batch([], [], []) == {}
    assert ledger_batch({}).row_count == 0
