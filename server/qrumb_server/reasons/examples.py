"""A wrong and a right request for each reason that its sender can avoid, by the entry's name in its module.

Read by the generator of docs/errors.md alone. Examples of violations come from the golden verdicts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["EXAMPLES", "Example"]


@dataclass(frozen=True, slots=True)
class Example:
    """One line each."""

    wrong: str
    right: str


_KEY: Final = "-H 'authorization: Bearer qk_1a2b3c4d_...'"
_EVENT: Final = '{"site_id": "demo", "event_type": "click"}'

EXAMPLES: Final[Mapping[str, Example]] = {
    "UNDECODABLE": Example("the bytes ff ff as a CollectServerEventRequest", "CollectServerEventRequest(event=...)"),
    "EVENT_REJECTED": Example('POST /collect {"event_type": "click"}', f"POST /collect {_EVENT}"),
    "SCAN_SESSION_REJECTED": Example(
        'POST /scan-sessions {"site_id": "demo", "scan_session_id": "s1"}',
        'POST /scan-sessions {"site_id": "demo", "scan_session_id": "s1", "qr_code_id": "poster-7"}',
    ),
    "BODY_MISFIT": Example(
        'POST /v1/sites/demo/erase-subject {"user_id": "u-17", "validate_onyl": true}',
        'POST /v1/sites/demo/erase-subject {"user_id": "u-17", "validate_only": true}',
    ),
    "MESSAGE_TOO_LARGE": Example("a batch of 900,000 numbers", "several batches; 10,240 bytes of metadata each event"),
    "BATCH_UNREADABLE": Example("{'events': [{...},]}", '{"events": [{...}]}'),
    "TOO_MANY_EVENTS": Example("1,001 events in one batch", "a batch of 1,000 events, and one of 1"),
    "SESSION_DRY_RUN": Example("POST /scan-sessions?validate_only=true", "POST /scan-sessions"),
    "TOO_MANY_SESSIONS": Example("1,001 scan_sessions in one batch", "a batch of 1,000 scan_sessions, and one of 1"),
    "BATCH_EMPTY": Example("POST /collect/batch []", f'POST /collect/batch {{"events": [{_EVENT}]}}'),
    "SESSION_BATCH_EMPTY": Example(
        'POST /scan-sessions/batch {"sessions": [...]}', 'POST /scan-sessions/batch {"scan_sessions": [...]}'
    ),
    "NAME_LENGTH": Example("an id of 129 characters", "GET /v1/sites/demo/scan-sessions/s1"),
    "SUBJECT_UNNAMED": Example(
        "POST /v1/sites/demo/erase-subject {}", 'POST /v1/sites/demo/erase-subject {"user_id": "u-17"}'
    ),
    "SITE_ID_FORM": Example("GET /v1/sites/shop.example/tail", "GET /v1/sites/shop/tail"),
    "HASH_FORM": Example('{"user_identifiers": {"email_hash": "5f4d"}}', "the SHA-256 as 64 hex digits"),
    "PAGE_TOKEN_FORM": Example("?page_token=2", "?page_token= with next_page_token of the page before"),
    "CURSOR_FORM": Example("?cursor=now", "?cursor= with the cursor of the answer before"),
    "EVENT_ID_FORM": Example(
        "GET /v1/sites/demo/receipts/17", "GET /v1/sites/demo/receipts/0192f0c1-7e1a-7c3d-9b1e-2f6a7d8c9e4f"
    ),
    "RANGE_EMPTY": Example(
        "?from_time=2026-05-02T00:00:00Z&to_time=2026-05-01T00:00:00Z",
        "?from_time=2026-05-01T00:00:00Z&to_time=2026-05-02T00:00:00Z",
    ),
    "TOO_MANY_BUCKETS": Example("?from_time=2020-01-01T00:00:00Z", "?from_time=2020-01-01T00:00:00Z&bucket=DAY"),
    "BUCKET_TWICE": Example("?bucket=DAY&bucket_seconds=86400", "?bucket=DAY"),
    "TIME_ZONE_UNKNOWN": Example("?time_zone=Vienna", "?time_zone=Europe/Vienna"),
    "VALUE_UNKNOWN": Example(
        "GET /v1/sites/demo/funnel?group_by=NAME", "GET /v1/sites/demo/funnel?group_by=QR_CODE&group_by=COUNTRY"
    ),
    "NAMED_TWICE": Example("?group_by=NAME&group_by=NAME", "?group_by=NAME"),
    "LIST_TOO_LONG": Example("101 times ?names=", "?names=purchase&names=lead"),
    "TEXT_TOO_LONG": Example("?names= with 129 characters", "?names=purchase"),
    "NUMBER_TOO_LARGE": Example("?limit=5000", "?limit=1000, then ?cursor=..."),
    "KEY_MISSING": Example("curl -d ... /server-events", f"curl {_KEY} -d ... /server-events"),
    "KEY_INVALID": Example("authorization: qk_1a2b3c4d_...", "authorization: Bearer qk_1a2b3c4d_..."),
    "KEY_EXPIRED": Example("a key whose `expires` was yesterday", "a key that `qrumb sites key SITE` made since"),
    "KEY_SCOPE": Example("a key for collect at /v1/sites/demo/tail", "a key for query at /v1/sites/demo/tail"),
    "KEY_OF_ANOTHER_SITE": Example("events of shop-a with the key of shop-b", "events of shop-a with a key of shop-a"),
    "SITE_UNKNOWN": Example('{"site_id": "shup"}', '{"site_id": "shop"}, after qrumb sites add shop'),
    "ORIGIN_NOT_ALLOWED": Example(
        "a page of https://www.shop.example; origins = ['https://shop.example']",
        "origins = ['https://shop.example', 'https://*.shop.example']",
    ),
    "UNKNOWN_METHOD": Example(
        "/qrumb_server.wire.v1.SqlService/RunSql from outside", "/qrumb.v1.QueryService/TailEvents, or qrumb query"
    ),
    "NOT_PUBLIC": Example("ProcessService/GetMetrics on the direct port", "GET /metrics on metrics.port"),
    "SCAN_SESSION_UNKNOWN": Example("GET a session before its registration", "POST /scan-sessions, then GET"),
    "QUERY_TOO_LARGE": Example("?group_by=CAMPAIGN over 400 days of 100 million events", "the same, month by month"),
    "SQL_FAILED": Example("qrumb query 'SELEKT 1'", "qrumb query 'SELECT 1'"),
    "BACKUP_NOT_POSSIBLE": Example("qrumb backup a-folder-with-files", "qrumb backup a-new-folder"),
    "SERVER_NOT_BACKED_UP": Example("qrumb backup, with clickhouse.url set", "BACKUP DATABASE events TO ..."),
    "BATCH_JSON_MISMATCH": Example(
        'POST /collect/batch {"events": [{"site_id": 5}]}', 'POST /collect/batch {"events": [{"site_id": "demo"}]}'
    ),
    "JSON_MISMATCH": Example('POST /collect {"site_id": 5}', f"POST /collect {_EVENT}"),
    "KEY_IN_ADDRESS": Example("POST /server-events?key=qk_...", f"curl {_KEY} /server-events"),
    "HTTP_MALFORMED": Example("POST /collect%2Fbatch", "POST /collect/batch"),
    "PATH_UNKNOWN": Example("POST /events", "POST /server-events"),
    "METHOD_NOT_ALLOWED": Example("GET /collect", "POST /collect"),
    "BODY_TOO_LARGE": Example("a batch of 5 MiB", "two batches of 2.5 MiB"),
    "GRPC_ONLY": Example("POST /qrumb.v1.QueryService/TailEvents {}", "GET /v1/sites/demo/tail"),
    "BODY_COMPRESSED": Example("content-encoding: gzip", "no content-encoding"),
    "HEADERS_TOO_LARGE": Example("GET /collect.gif?page_url= with 20,000 characters", "POST /collect"),
}
