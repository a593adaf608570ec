"""A day's answers against its oracle: rows, receipts, funnel, ledger and counts, however they were asked for."""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from qrumb.v1 import query_service_pb2 as pb
from tests.support.day import Day, Person, sha
from tests.support.day_oracle import Event, Outcome

__all__ = [
    "EVER",
    "check_attribution",
    "check_counts",
    "check_funnel",
    "check_gone",
    "check_ledger",
    "check_receipts",
    "check_rejected",
    "check_rows",
    "erasable",
]

EVER: Final[dict[str, Any]] = {"from_time": Timestamp(seconds=0), "to_time": Timestamp(seconds=10_000_000_000)}
Row = Mapping[str, Any]


def erasable(day: Day, outcome: Outcome, number: int) -> list[Person]:
    """So many of those who were seen, no account that is not a person."""
    known = {event.token[1] for event in outcome.events.values() if event.token[0] == "ext"}
    persons = [one for one in day.people if one.external_id in known and not one.external_id.startswith("desk-")]
    return random.Random(1).sample(persons, min(number, len(persons)))


def check_gone(query: Callable[[str], Sequence[Row]], gone: Iterable[Person], paths: Iterable[Path]) -> None:
    """No text of any table and no file holds an erased person's account, address or hash of the address.

    The database's own files are left out: old parts of it go within minutes, and its tables are searched.
    """
    texts = {text for one in gone for text in (one.external_id, one.email, one.email and sha(one.email)) if text}
    # As a whole: acct-1 is not in acct-12.
    whole = f"(^|[^A-Za-z0-9_-])({'|'.join(map(re.escape, sorted(texts)))})([^A-Za-z0-9_-]|$)"
    pattern = whole.replace("\\", "\\\\").replace("'", "\\'")
    for table in query(
        "SELECT table, groupArray(name) AS names FROM system.columns "
        "WHERE database = 'events' AND type LIKE '%String%' GROUP BY table"
    ):
        if any(view in table["table"] for view in ("unique_events", "attributed_events", "identity_owners")):
            continue  # of the tables' own columns
        columns = ", '|', ".join(f"toString({name})" for name in table["names"])
        found = query(f"SELECT concat({columns}) AS text FROM events.{table['table']} WHERE match(text, '{pattern}')")
        assert not found, f"in {table['table']}: {found[:2]}"
    for path in paths:
        assert not re.search(whole.encode(), path.read_bytes()), f"in {path.name}"


def check_rows(rows: Sequence[Row], outcome: Outcome) -> None:
    """Rows of events.attributed_events: each event once, and each column that attribution fills."""
    assert sorted(row["event_id"] for row in rows) == sorted(outcome.events)
    names: dict[tuple[str, str], str] = {}
    for row in rows:
        names.setdefault(outcome.events[row["event_id"]].token, row["user_id"])
    wrong = []
    for row in rows:
        event = outcome.events[row["event_id"]]
        found = {
            "user_id": row["user_id"],
            "qr_code_id": row["qr_code_id"],
            "is_fraud": bool(row["is_fraud"]),
            "amount": None if row["conversion_value"] is None else float(row["conversion_value"]),
            "scan_session_id": row["scan_session_id"],
            "source": row["source"],
        }
        meant = _meant_row(event, names)
        if found != meant:
            differing = {key: (found[key], meant[key]) for key in meant if found[key] != meant[key]}
            wrong.append((row["event_id"], differing, row["fraud_reasons"], event))
    assert not wrong, f"{len(wrong)} rows differ (found, meant): {wrong[:3]}"
    hashed = {token: name for token, name in names.items() if token[0] in {"email", "phone"}}
    assert all(re.fullmatch(rf"{kind}-[0-9a-f]{{32}}", name) for (kind, _hash), name in hashed.items())
    assert len(set(names.values())) == len(names), "two persons have one name"


def _meant_row(event: Event, names: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    told = event.server
    value = told.body.get("conversion_value") if told else None
    kind, external_id = event.token
    return {
        "user_id": external_id if kind in {"", "ext"} else names[event.token],
        "qr_code_id": event.qr_code_id,
        "is_fraud": event.is_fraud,
        "amount": value["amount"] if value else None,
        "scan_session_id": "" if event.is_denied else event.first.body["scan_session_id"],
        "source": "server" if told else "browser",
    }


def check_receipts(receipts: Mapping[str, pb.GetReceiptResponse], outcome: Outcome) -> None:
    """Each event's receipt: its fate, arrivals, conflicts, and the row that counts."""
    wrong = []
    for event_id, event in outcome.events.items():
        receipt = receipts[event_id]
        found = (
            pb.GetReceiptResponse.Fate.Name(receipt.fate),
            receipt.arrival_count,
            receipt.conflict_count,
            receipt.row.qr_code_id,
            bool(receipt.row.is_fraud),
        )
        fate = "DUPLICATE" if event.repeats else "STORED"
        meant = fate, len(event.copies), event.conflicts, event.qr_code_id, event.is_fraud
        if found != meant:
            wrong.append((event_id, found, meant))
    assert not wrong, f"{len(wrong)} receipts differ (found, meant): {wrong[:3]}"


def check_rejected(receipts: Iterable[pb.GetReceiptResponse]) -> None:
    """Each says why."""
    for receipt in receipts:
        assert receipt.fate == pb.GetReceiptResponse.REJECTED, receipt
        assert receipt.violations, receipt


def check_funnel(answer: pb.GetFunnelResponse, outcome: Outcome) -> None:
    """Of all time: scans, visits, conversions and amounts of each QR code."""
    found = {
        one.qr_code_id: (
            one.scan_count,
            one.visit_count,
            one.conversion_count,
            {money.currency: Decimal(money.amount) for money in one.amounts},
        )
        for one in answer.funnels
    }
    money: dict[str, dict[str, Decimal]] = {}
    for (code, currency), amount in outcome.amounts.items():
        money.setdefault(code, {})[currency] = amount
    assert found == {
        code: (outcome.scans[code], outcome.visits[code], outcome.conversions[code], money.get(code, {}))
        for code in {*outcome.scans, *outcome.conversions}
        if code
    }


def check_ledger(answer: pb.GetLedgerResponse, outcome: Outcome) -> None:
    """Everything that was sent, once."""
    arrived = sum(len(event.copies) for event in outcome.events.values())
    names = ("received", "stored", "rejected", "unique", "duplicate", "conflict", "spooled")
    assert {name: sum(getattr(entry, f"{name}_count") for entry in answer.entries) for name in names} == {
        "received": arrived + len(outcome.rejected),
        "stored": arrived,
        "rejected": len(outcome.rejected),
        "unique": len(outcome.events),
        "duplicate": arrived - len(outcome.events),
        "conflict": sum(event.conflicts for event in outcome.events.values()),
        "spooled": 0,
    }


def check_attribution(answer: pb.GetAttributionResponse, outcome: Outcome) -> None:
    """Of all time: what was earned, with and without a known scan, divided by each model without a cent lost."""
    meant: dict[str, Decimal] = {}
    for event in outcome.events.values():
        value = event.server.body.get("conversion_value") if event.server and not event.is_fraud else None
        if value:
            meant[value["currency"]] = meant.get(value["currency"], Decimal(0)) + Decimal(str(value["amount"]))
    assert {money.currency: Decimal(money.amount) for money in answer.amounts} == meant
    assert len(answer.attributions) == 5
    for attribution in answer.attributions:
        sums: dict[str, Decimal] = {}
        for money in (money for credit in attribution.credits for money in credit.amounts):
            sums[money.currency] = sums.get(money.currency, Decimal(0)) + Decimal(money.amount)
        assert sums == meant, attribution.model
        assert sum(Decimal(one.conversion_credit) for one in attribution.credits) == answer.conversion_count


def check_counts(answer: pb.CountEventsResponse, outcome: Outcome) -> None:
    """Counts over time, summed up."""
    arrived = sum(len(event.copies) for event in outcome.events.values())
    assert sum(one.unique_count for one in answer.counts) == len(outcome.events)
    assert sum(one.duplicate_count for one in answer.counts) == arrived - len(outcome.events)
