"""Rows that fill every column of every table, with values that are easily damaged on the way."""

from decimal import Decimal
from typing import Any

__all__ = ["AWKWARD", "EMPTY_ROW", "FULL_ROW", "other_rows"]

AWKWARD = "tab\t newline\n cr\r nul\0 quote' double\" back\\slash \\N \\t emoji 🧀 ünï \u202e {x:String} $$ -- ; %"

FULL_ROW: dict[str, Any] = {
    "event_id": "01936b2f-7c1e-7e6d-8a4b-0123456789ab",
    "event_time": 1_000,
    "received_time": 1_000,
    "site_id": AWKWARD,
    "scan_session_id": AWKWARD,
    "qr_code_id": "qr-1",
    "user_id": AWKWARD,
    "event_type": "click",
    "event_name": "purchase",
    "source": "server",
    "page_url": "https://shop.example/a?b=c%20d&e='f'#g",
    "referrer": AWKWARD,
    "device_type": "mobile",
    "browser_family": "Firefox",
    "os_family": "Android",
    "country_code": "DE",
    "city": "Köln",
    "conversion_value": Decimal("12345678901234.5678"),
    "conversion_currency": "EUR",
    "metadata": '{"a":"b\\n","big":123456789012345678901234567890,"none":null}',
    "is_duplicate": 1,
    "is_fraud": 1,
    "page_title": AWKWARD,
    "consent": "granted",
    "fraud_reasons": ["no_agent", AWKWARD, ""],
    "client_event_time": -1,
    "segment_id": "worker-1/7",
    "segment_row": 4_294_967_295,
    "fingerprint": 18_446_744_073_709_551_615,
    "ip_key": "00ff",
    "user_id_source": "session",
    "identified_user_id": AWKWARD,
    "is_counterpart": 1,
    "client_event_time_text": AWKWARD,
    "unknown_fields": ["colour", AWKWARD],
}
EMPTY_ROW: dict[str, Any] = {
    **dict.fromkeys(FULL_ROW, ""),
    "event_id": "00000000-0000-0000-0000-000000000000",
    "event_time": 0,
    "received_time": 0,
    "conversion_value": None,
    "is_duplicate": 0,
    "is_counterpart": 0,
    "is_fraud": 0,
    "fraud_reasons": [],
    "unknown_fields": [],
    "client_event_time": None,
    "segment_row": 0,
    "fingerprint": 0,
}


def other_rows(now_ms: int) -> dict[str, dict[str, Any]]:
    """A row by table, for the tables beside events.valid_events."""
    place = {"segment_id": "s", "segment_row": 3}
    return {
        "events.invalid_events": {
            "received_time": now_ms,
            "site_id": "shop",
            "event_id": "no uuid",
            "source": "browser",
            "stage": "validate",
            "reasons": ["TOO_LONG", "INVALID_ENUM"],
            "fields": ["page_url", "consent"],
            "descriptions": ["too long", AWKWARD],
            "payload": '{"page_url":"…"}',
            "replayed_time": None,
            **place,
        },
        "events.scan_sessions": {
            "site_id": "shop",
            "scan_session_id": "s1",
            "qr_code_id": "qr",
            "user_id": "",
            "scan_time": now_ms,
            "received_time": now_ms,
            "version": 2**64 - 1,
            **place,
        },
        "events.identity_links": {
            "site_id": "shop",
            "kind": "email",
            "identifier": "email-" + "ab" * 16,
            "user_id": "u1",
            "first_time": now_ms,
            "version": now_ms,
            **place,
        },
        "events.ledger": {
            "minute_time": now_ms // 60_000 * 60_000,
            "site_id": "shop",
            "received_count": 3,
            "stored_count": 2,
            "rejected_count": 1,
            "unique_count": 1,
            "duplicate_count": 1,
            "fraud_count": 0,
            **place,
        },
    }
