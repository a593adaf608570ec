"""Rows of a history told by hand, put straight into a store: what a loader would have made of it."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from qrumb_server.ports import TableBatch

__all__ = ["SITE", "at", "between", "insert_rows", "link", "sale", "scan", "visit"]

SITE = "shop"


class Inserts(Protocol):
    """A store, or what stands for one."""

    def insert(self, batch: TableBatch) -> None: ...


def at(text: str) -> int:
    """A UTC time of 2026, such as "03-28 23:30", in milliseconds."""
    return int(datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp() * 1000)


def between(first: str, last: str) -> dict[str, Any]:
    """The range of a request."""
    return {"from_time": Timestamp(seconds=at(first) // 1000), "to_time": Timestamp(seconds=at(last) // 1000)}


def visit(time: str, session: str, code: str = "", **values: Any) -> dict[str, Any]:
    """A page view."""
    return _row(time, scan_session_id=session, qr_code_id=code, event_type="pageview", **values)


def sale(time: str, session: str, code: str = "", name: str = "purchase", **values: Any) -> dict[str, Any]:
    """A server event; `value` is its amount as text, None for none."""
    value, currency = values.pop("value", None), values.pop("currency", "EUR")
    money = {"conversion_value": Decimal(value), "conversion_currency": currency} if value is not None else {}
    user = values.pop("user", "")
    named = {"user_id": user, "identified_user_id": user, "user_id_source": "identifiers"} if user else {}
    return _row(
        time, scan_session_id=session, qr_code_id=code, source="server", event_name=name, **money, **named, **values
    )


def scan(session: str, code: str, time: str, user: str = "") -> dict[str, Any]:
    """A registered session."""
    return {
        "site_id": SITE, "scan_session_id": session, "qr_code_id": code, "user_id": user, "scan_time": at(time),
        "received_time": 0, "version": 1, "segment_id": "worker-1/8", "segment_row": 0,
    }  # fmt: skip


def link(kind: str, identifier: str, user: str, time: str) -> dict[str, Any]:
    """An identifier, or a session, was first seen with a user."""
    return {
        "site_id": SITE, "kind": kind, "identifier": identifier, "user_id": user, "first_time": at(time),
        "version": 1, "segment_id": "worker-1/9", "segment_row": 0,
    }  # fmt: skip


def insert_rows(store: Inserts, table: str, rows: Sequence[dict[str, Any]], now_ms: int = 0) -> None:
    """Received at that time, which is now where none is said, in this order."""
    now_ms = now_ms or int(datetime.now(UTC).timestamp() * 1000)
    received = {"received_time": now_ms} if rows and "received_time" in rows[0] else {}
    placed = [one | received | {"segment_row": place} for place, one in enumerate(rows)]
    columns = list(placed[0])
    store.insert(TableBatch(table=table, columns=columns, data=[[one[name] for one in placed] for name in columns]))


def _row(time: str, **values: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "event_id": str(uuid.uuid4()), "event_time": at(time), "received_time": 0, "site_id": SITE,
        "scan_session_id": "", "qr_code_id": "", "user_id": "", "user_id_source": "", "identified_user_id": "",
        "event_type": "", "event_name": "", "source": "browser", "consent": "granted", "country_code": "",
        "device_type": "", "metadata": "{}", "conversion_value": None, "conversion_currency": "", "is_duplicate": 0,
        "is_counterpart": 0, "is_fraud": 0, "fraud_reasons": [], "page_url": "",
        "segment_id": "worker-1/7", "segment_row": 0,
    }  # fmt: skip
    assert values.keys() <= plain.keys()
    return plain | values
