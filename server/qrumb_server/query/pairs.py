"""Events of which both a page and a backend told, each as the one event that it is, for questions about sessions.

As `events.unique_events` has them, without its join: whether it is fraud, its name and its money are the backend's, its
page with the page's own fields is the browser's, and its session the backend's where that names one. Only the rows of
pairs are merged; all others are read as they are.
"""

from collections.abc import Sequence
from typing import Final

from qrumb_server.query.reads import Reader

__all__ = ["PAIRS", "RECEIVED", "events_once", "has_pairs"]

RECEIVED: Final = "received_time >= {since:DateTime64(3, 'UTC')}"
"""Condition on the rows that a question about a range reads; both copies of its events meet it."""
PAIRS: Final = "SELECT event_id FROM events.valid_events WHERE site_id = {site:String} AND is_counterpart = 1"
"""The ids of a site's."""
# PREWHERE: the engine remembers which granules have none, whatever else is asked.
_ANY: Final = f"""
SELECT 1 FROM events.valid_events PREWHERE is_counterpart = 1 WHERE site_id = {{site:String}} AND {RECEIVED} LIMIT 1
"""  # noqa: S608
_SERVER: Final = "anyIf({column}, source = 'server')"
_BROWSER: Final = "anyIf({column}, source = 'browser')"
_FIRST: Final = "anyIf({column}, is_counterpart = 0)"
_SECOND: Final = "anyIf({column}, is_counterpart = 1)"
_WHOSE: Final = {
    "event_id": "event_id",
    "source": "'server'",
    **dict.fromkeys(("event_name", "is_fraud", "conversion_value", "conversion_currency"), _SERVER),
    **dict.fromkeys(("event_type", "country_code", "device_type", "metadata"), _BROWSER),
    **dict.fromkeys(("event_time", "received_time", "segment_id", "segment_row"), _FIRST),
    "scan_session_id": f"if({_SERVER} = '', {_BROWSER}, {_SERVER})",
    "qr_code_id": f"if({_FIRST} = '', {_SECOND}, {_FIRST})",
}
"""By column: what it is of the two rows."""


def has_pairs(store: Reader, site_id: str, since_ms: int) -> bool:
    """Whether a site has any since then. Most have none, and are spared what merging costs. Raises StoreError."""
    return bool(store.query(_ANY, {"site": site_id, "since": since_ms}))


def events_once(columns: Sequence[str], condition: str, *, rows: str = RECEIVED, merges: bool = True) -> str:
    """A SELECT of the events of `{site:String}` that meet a condition on the columns, for a FROM.

    Args:
        rows: a condition that an event's rows meet, both where there are two.
        merges: False where there are no pairs among them.
    """
    names = ", ".join(columns)
    alone = f"""
        SELECT {names} FROM events.valid_events
        WHERE site_id = {{site:String}} AND is_duplicate = 0 AND {rows} AND {condition}
    """  # noqa: S608
    if not merges:
        return alone
    # Under names of their own at first: a condition on a row's column must not become one on what is made of two.
    merged = ", ".join(f"{_WHOSE[column].format(column=column)} AS its_{column}" for column in columns)
    return f"""
        {alone} AND event_id GLOBAL NOT IN ({PAIRS} AND {rows})
        UNION ALL
        SELECT {names} FROM
        (
            SELECT {", ".join(f"its_{column} AS {column}" for column in columns)} FROM
            (
                SELECT {merged} FROM events.valid_events
                WHERE site_id = {{site:String}} AND (is_duplicate = 0 OR is_counterpart = 1) AND {rows}
                    AND event_id GLOBAL IN ({PAIRS} AND {rows})
                GROUP BY event_id HAVING min(is_counterpart) = 0
            ) AS merged
        ) AS pairs
        WHERE {condition}
    """  # noqa: S608
